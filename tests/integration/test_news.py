"""Stored news reach every run alike; taken away, the sentiment group falls silent, decisions move, and it is said."""

import dataclasses
import json

import msgspec
import pytest
from typer.testing import CliRunner

from seakeep.app.cli import app
from seakeep.app.explain import explain, explain_not, journal_of
from seakeep.app.hearing import hearing_line, hearing_of, hearing_section
from seakeep.app.integrity import glance, open_case, write
from seakeep.app.places import ledger_location
from seakeep.app.runs import dry_run, run_backtest, write_report
from seakeep.core.errors import DataError
from seakeep.core.events import Slice
from seakeep.core.market import OrderBook
from seakeep.core.units import DAY_MS
from seakeep.data.depth import BookSeen, write_books
from seakeep.data.news import read_news, write_news
from seakeep.engine.engine import Engine
from seakeep.engine.replay import replay
from seakeep.ledger.journal import Ledger
from tests.integration.desk import half, market, settings, stock
from tests.integration.test_parity import traded

VOICE = "price_sentiment_divergence"
LISTENING = {f"strategy__signals__{VOICE}": {}, "run__symbols": ("BTC/USDT", "ETH/USDT")}
MADE = market(days=40)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A user folder with bars and news, and the dry run over them."""
    userdir = tmp_path_factory.mktemp("desk")
    write_news(stock(userdir, MADE.frames.values(), MADE).root, MADE.news)
    return userdir, dry_run(settings(**LISTENING), userdir)


def test_backtest_dry_run_and_replay_hear_the_same(desk):
    userdir, dry = desk
    assert traded(run_backtest(settings(**LISTENING), userdir)) == traded(dry)
    journal = journal_of(userdir, dry.run_id)
    replay(Engine(journal.session.pipeline), journal.entries())
    with Ledger.open(ledger_location(journal.session.settings, userdir), readonly=True) as ledger:
        kept = [event for _, event, _ in ledger.entries(dry.run_id) if isinstance(event, Slice)]
        assert ledger.verify(dry.run_id).ok
    told = [item for event in kept for item in event.news]
    assert told == list(MADE.news)
    assert all(item.known_at <= event.ts for event in kept for item in event.news)
    assert all(event.bars for event in kept)


def test_without_news_sentiment_is_silent_and_the_decisions_move(desk):
    userdir, dry = desk
    deaf = run_backtest(settings(**LISTENING, data__news=False), userdir)
    heard = [d for d in dry.decisions if VOICE in dict(d.contributions)]
    assert len(heard) > len(dry.decisions) / 3
    assert not any(VOICE in dict(d.contributions) for d in deaf.decisions)
    assert all(f"{VOICE} (no sentiment" in d.note for d in deaf.decisions)
    assert traded(deaf)[0] != traded(dry)[0]
    both = {(d.symbol, d.ts): d for d in deaf.decisions}
    moved = [(both[at].score, d.score) for d in heard if (at := (d.symbol, d.ts)) in both]
    assert moved
    assert all(one != other for one, other in moved)


def test_news_of_others_and_of_other_days_change_nothing(desk, tmp_path):
    _, dry = desk
    root = stock(tmp_path, MADE.frames.values(), MADE).root
    write_news(root, MADE.news)
    strange = [msgspec.structs.replace(item, symbols=("DOGE/USDT",), title=f"{item.title} x") for item in MADE.news]
    late = [
        msgspec.structs.replace(item, ts=item.ts + 400 * DAY_MS, known_at=item.known_at + 400 * DAY_MS)
        for item in MADE.news
    ]
    assert write_news(root, [*strange, *late]) == 2 * len(MADE.news)
    assert traded(run_backtest(settings(**LISTENING), tmp_path)) == traded(dry)


def test_an_instalment_hears_what_came_after_it_stopped(desk, tmp_path):
    _, dry = desk
    root = stock(tmp_path, map(half, MADE.frames.values()), MADE).root
    middle = int(half(MADE.frames["BTC/USDT"]).known_at[-1])
    write_news(root, [item for item in MADE.news if item.known_at <= middle])
    dry_run(settings(**LISTENING), tmp_path)
    stock(tmp_path, MADE.frames.values(), MADE)
    write_news(root, MADE.news)
    assert traded(dry_run(settings(**LISTENING), tmp_path)) == traded(dry)


def test_news_that_come_too_late_for_a_run_are_left_out_and_it_says_so(desk, tmp_path, capsys):
    root = stock(tmp_path, map(half, MADE.frames.values()), MADE).root
    middle = int(half(MADE.frames["BTC/USDT"]).known_at[-1])
    known = [item for item in MADE.news if item.known_at <= middle]
    write_news(root, known[:-3])
    dry_run(settings(**LISTENING), tmp_path)
    dry_run(settings(**LISTENING), tmp_path)
    assert "late" not in capsys.readouterr().err
    write_news(root, MADE.news)
    stock(tmp_path, MADE.frames.values(), MADE)
    again = dry_run(settings(**LISTENING), tmp_path)
    assert "warning: 3 news items came into the store late" in capsys.readouterr().err
    with Ledger.open(ledger_location(settings(**LISTENING), tmp_path), readonly=True) as ledger:
        told = [n for _, event, _ in ledger.entries(again.run_id) if isinstance(event, Slice) for n in event.news]
    assert [item for item in MADE.news if item not in told] == known[-3:]


def test_a_manifest_names_what_was_heard_and_a_run_is_not_explained_over_other_news(desk, tmp_path):
    userdir, dry = desk
    heard = dry.manifest["heard"]
    assert heard["news"]["items"] == len(MADE.news)
    assert "books" not in heard
    assert "news" not in run_backtest(settings(**LISTENING, data__news=False), userdir).manifest["heard"]
    root = stock(tmp_path, MADE.frames.values(), MADE).root
    write_news(root, reversed(MADE.news))
    result = run_backtest(settings(**LISTENING), tmp_path)
    assert result.manifest["heard"] == heard
    write_report(result, tmp_path)
    assert explain(tmp_path, result.decisions[0].id).decision == result.decisions[0]
    write_news(root, [msgspec.structs.replace(MADE.news[0], body="all is lost")])
    with pytest.raises(DataError, match=f"the news changed since {result.run_id}"):
        explain(tmp_path, result.decisions[0].id)


def test_a_judged_page_shows_what_was_heard_and_stays_when_the_run_is_made_again(desk, tmp_path):
    write_news(stock(tmp_path, MADE.frames.values(), MADE).root, MADE.news)
    chosen = settings(**LISTENING)
    case = open_case(chosen, tmp_path)
    section = hearing_section(hearing_of(chosen, tmp_path, case.result))
    page = write(case.result, glance(case), tmp_path, section)
    text = page.read_text()
    assert text.index("Provisional grade") < text.index(f"{VOICE} was heard in")
    whole = write(case.result, msgspec.structs.replace(glance(case), whole=True), tmp_path, section).read_text()
    assert write_report(case.result, tmp_path).read_text() == whole
    other = dataclasses.replace(case.result, fills=case.result.fills[:-1])
    assert "grade" not in write_report(other, tmp_path).read_text()


def test_the_reasons_and_the_report_say_who_was_not_heard(desk, tmp_path):
    userdir, dry = desk
    root = stock(tmp_path, MADE.frames.values(), MADE).root
    deaf = dry_run(settings(**LISTENING), tmp_path)
    assert read_news(root) == ()
    told = explain(tmp_path, deaf.decisions[0].id)
    assert any(VOICE in line and "no sentiment" in line for line in told.text)
    assert explain_not(tmp_path, "BTC/USDT", int(deaf.curves.ts[-1])).reasons.silent
    hearing = hearing_of(settings(**LISTENING), tmp_path, deaf)
    assert (hearing.news, hearing.voices) == (0, {VOICE: 0})
    assert f"{VOICE}: no news in these days" in hearing_line(hearing)
    assert f"Not heard: {VOICE}" in hearing_section(hearing)
    loud = hearing_of(settings(**LISTENING), userdir, dry)
    assert loud.news > 50
    assert loud.silence == ()
    assert loud.voices[VOICE] == sum(VOICE in dict(d.contributions) for d in dry.decisions)


def test_order_books_are_seen_by_who_reads_them(tmp_path):
    frames = MADE.frames.values()
    root = stock(tmp_path, frames, MADE).root
    for frame in frames:
        books = [
            BookSeen(at, OrderBook(frame.symbol, at, ((close * 0.999, 3.0),), ((close * 1.001, 1.0),)))
            for at, close in zip((frame.known_at - 1_000).tolist(), frame.close.tolist(), strict=True)
        ]
        write_books(root, frame.symbol, books)
    chosen = settings(strategy__signals__book_imbalance={})
    seen, dry = run_backtest(chosen, tmp_path), dry_run(chosen, tmp_path)
    assert traded(seen) == traded(dry)
    assert all(dict(d.contributions)["book_imbalance"] > 0 for d in seen.decisions if d.contributions)
    blind = run_backtest(settings(strategy__signals__book_imbalance={}, data__books=False), tmp_path)
    assert all("book_imbalance (no order book)" in d.note for d in blind.decisions)


def test_the_commands_bring_news_in_and_a_backtest_says_what_it_heard(tmp_path):
    runner = CliRunner()
    stock(tmp_path, MADE.frames.values(), MADE)
    lines = [{"ts": n.ts, "known_at": n.known_at, "title": n.title, "symbols": n.symbols} for n in MADE.news]
    (tmp_path / "wire.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "config.toml").write_text(f'[run]\ninterval = "1h"\n[strategy.signals.{VOICE}]\n')

    def call(*words):
        done = runner.invoke(app, [*map(str, words), "--userdir", str(tmp_path), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert call("import-news", tmp_path / "wire.jsonl")["new_or_changed"] == len(MADE.news)
    assert call("import-news", tmp_path / "wire.jsonl")["new_or_changed"] == 0
    (held,) = call("list-data")["beside"]
    assert (held["kind"], held["count"]) == ("news", len(MADE.news))
    assert call("check-data")["beside"][0]["later"] == 0
    told = call("backtest", "--no-integrity")["heard"]
    assert (told["news"] > 0, told["silence"], list(told["voices"])) == (True, [], [VOICE])
