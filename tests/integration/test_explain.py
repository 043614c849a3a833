"""Every decision of a run can be explained, parts add up to the score, and what is said to turn it does."""

import json
import math
import shutil

import pytest
from typer.testing import CliRunner

from seakeep.app.cli import app
from seakeep.app.explain import explain, explain_not, journal_of, latest_reasons
from seakeep.app.runs import dry_run, run_backtest, write_report
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.units import iso, parse_time
from seakeep.strategy import STRATEGIES
from tests.integration.desk import market, settings, stock


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A user folder with a dry run in its ledger, and the run's result."""
    userdir = tmp_path_factory.mktemp("desk")
    made = market(40)
    stock(userdir, made.frames.values(), made)
    return userdir, dry_run(settings(), userdir)


def test_parts_add_up_to_the_score_of_every_decision_at_every_level(desk):
    userdir, result = desk
    found = latest_reasons(journal_of(userdir), 30)
    by_id = {decision.id: decision for decision in result.decisions}
    assert len(found) == min(30, len(result.decisions)) > 5
    for name, reasons in found.items():
        decision = by_id[name]
        assert tuple((v.source, v.contribution) for v in reasons.voices) == decision.contributions
        assert math.isclose(math.fsum(v.contribution for v in reasons.voices), decision.score, abs_tol=1e-12)
        for voice in reasons.voices:
            assert math.isclose(math.fsum(p.contribution for p in voice.parts), voice.contribution, abs_tol=1e-12)


def test_a_decision_its_order_and_its_fill_tell_the_same_story(desk):
    userdir, result = desk
    fill = next(f for f in result.fills if not f.order_id.endswith("-"))
    order = next(o for o in result.orders if o.id == fill.order_id)
    told = [explain(userdir, name) for name in (order.decision_id, order.id, fill.id)]
    assert told[0] == told[1] == told[2]
    assert told[0].decision.id == order.decision_id
    assert [stage.name for stage in told[0].stages][-4:] == ["gate", "plan", "pre-trade", "venue"]
    assert told[0].stopped_by == ""
    assert fill in told[0].fills


def test_a_decision_that_was_not_taken_says_what_stopped_it_and_a_change_that_was_tried(desk):
    userdir, result = desk
    decided = {(d.symbol, d.ts) for d in result.decisions}
    found = [explain_not(userdir, symbol, ts) for ts in result.curves.ts[::43].tolist() for symbol in result.symbols]
    for told in found:
        ts = parse_time(told.time)
        assert (told.decision is not None) == ((told.symbol, ts) in decided)
        assert told.decision is not None or told.stopped_by
    short = [told.stages[-1] for told in found if told.stopped_by == "threshold"]
    assert all(stage.value / stage.limit < 1 for stage in short)
    assert all(f"{stage.limit - stage.value:+.3f} of score" in stage.change for stage in short)
    assert any("a long threshold of" in stage.change for stage in short)


def test_of_a_selector_the_member_that_traded_is_explained(tmp_path):
    made = market(30, interval="1h", symbols=("BTC/USDT",))
    stock(tmp_path, made.frames.values(), made)
    using = settings(("BTC/USDT",), strategy__name="selector", strategy__params={"members": "reversion, trend"})
    result = dry_run(using.model_copy(update={"experts": {}}), tmp_path)
    found = latest_reasons(journal_of(tmp_path), 5)
    assert found
    for name, reasons in found.items():
        decision = next(d for d in result.decisions if d.id == name)
        (voice,) = (v for v in reasons.voices if v.source == decision.contributions[0][0])
        read = STRATEGIES["reversion"]().features
        assert {part.name for part in voice.parts} <= {*read, "usual"}
        assert voice.method.startswith("a rule")
        assert math.isclose(math.fsum(p.contribution for p in voice.parts), voice.contribution, abs_tol=1e-12)


def test_before_trading_starts_the_period_stops_it(desk):
    userdir, result = desk
    start = int(result.curves.ts[0])
    found = explain_not(userdir, "BTC/USDT", start - 5 * 3_600_000)
    assert found.stopped_by == "period"
    assert found.stages[-1].limit == result.manifest["trade_from"]
    assert found.text == (f"BTC/USDT at {iso(start - 5 * 3_600_000)}: nobody had an opinion.",)


def test_a_saved_backtest_is_run_again_and_must_repeat_itself(desk, tmp_path):
    userdir, _ = desk
    shutil.copytree(userdir / "data", tmp_path / "data")
    result = run_backtest(settings(), tmp_path)
    write_report(result, tmp_path)
    found = explain(tmp_path, result.decisions[0].id)
    assert found.decision == result.decisions[0]
    summary = next((tmp_path / "results").glob("*/summary.json"))
    summary.write_text(summary.read_text().replace('"digest": "', '"digest": "0'))
    with pytest.raises(DataError, match="does not repeat itself"):
        explain(tmp_path, result.decisions[0].id)


def test_what_is_not_there_is_said(desk):
    userdir, result = desk
    with pytest.raises(ConfigError, match="no such id"):
        explain(userdir, f"{result.run_id}-d99999")
    with pytest.raises(ConfigError, match="no run has"):
        explain(userdir, "nonsense")
    with pytest.raises(ConfigError, match="does not trade it"):
        explain_not(userdir, "BTC/USD", 1)
    with pytest.raises(ConfigError, match="no slice then"):
        explain_not(userdir, "BTC/USDT", 9_000_000_000_000)


def test_the_command_prints_one_document_and_refuses_two_questions(desk):
    userdir, result = desk
    runner, name = CliRunner(), result.decisions[0].id
    done = runner.invoke(app, ["explain", name, "--userdir", str(userdir), "--json"])
    told = json.loads(done.stdout)
    assert told["decision"]["id"] == name
    assert told["signal"]["symbol"] == result.decisions[0].symbol
    table = runner.invoke(app, ["explain", name, "--userdir", str(userdir)]).stdout
    assert "adds to the score" in table
    both = runner.invoke(app, ["explain", name, "--why-not", "BTC/USDT", "20240101", "--userdir", str(userdir)])
    assert isinstance(both.exception, ConfigError)


def test_a_scorecard_judges_what_is_asked_and_lists_what_fails(desk):
    userdir, _ = desk
    given = ["scorecard", "rsi", "volatility", "--horizon", "4", "--blocks", "3", "--userdir", str(userdir), "--json"]
    done = json.loads(CliRunner().invoke(app, given).stdout)
    assert [row["expert"] for row in done["experts"]] == ["rsi", "volatility"]
    assert len(done["experts"][0]["against"]) == 4
    page = (userdir / "results").glob("scorecard-*/report.html")
    assert "<h2>rsi</h2>" in next(page).read_text()
    unknown = CliRunner().invoke(app, ["scorecard", "rsj", "--userdir", str(userdir)])
    assert "did you mean rsi" in str(unknown.exception)
