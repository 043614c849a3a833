"""The risk desk as a person asks it: any book, any history, numbers that can be checked by hand."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from seakeep.app.commands import risk
from seakeep.app.risk.desk import History, open_desk
from seakeep.app.risk.holdings import Holdings
from seakeep.app.risk.work import leads
from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory, SeakeepError
from seakeep.core.market import BarFrame
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.data.store import ParquetStore
from seakeep.ledger.journal import Ledger
from seakeep.risk.ruin import RuinParams, drawdown_odds
from tests.unit.backtest.riskfactory import START, SYMBOLS, fill, returns
from tests.unit.ledger.story import story

BOOK = ("--symbols", "BTC/USDT,ETH/USDT,XRP/USDT", "--weights", "0.5,0.4,-0.2")
WEIGHTS = np.array([0.5, 0.4, -0.2])


@pytest.fixture(scope="module")
def userdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    fill(folder)
    return folder


def ask(userdir: Path, *words: object) -> Any:
    """The JSON answer of a command; what it raises is raised."""
    app = typer.Typer()
    risk.register(app)
    done = CliRunner().invoke(app, ["risk", *map(str, words), "--userdir", str(userdir)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if "--json" in words or "seed" in words else done.stdout


def outcome(weights: np.ndarray = WEIGHTS) -> np.ndarray:
    return np.expm1(returns()) @ weights


def shortfall(x: np.ndarray, confidence: float = 0.95) -> float:
    return -float(x[x <= np.quantile(x, 1 - confidence)].mean())


def test_the_report_measures_the_book_and_its_components_add_up(userdir: Path) -> None:
    found = ask(userdir, "report", *BOOK, "--equity", 10_000, "--candidate", "XRP/USDT:0.1", "--json")
    parts = found["components"]
    assert parts["var"]["value"] == pytest.approx(-np.quantile(outcome(), 0.05), abs=1e-12)
    assert sum(parts["cvar_component"]) == pytest.approx(parts["cvar"]["value"], abs=1e-12)
    assert parts["cvar_component"][2] < 0
    after = shortfall(outcome(WEIGHTS + np.array([0, 0, 0.1]))) - shortfall(outcome())
    assert found["incremental"]["cvar"]["value"] == pytest.approx(after, abs=1e-12)
    assert [tail["method"] for tail in found["tails"]][:2] == ["historical", "age_weighted"]
    assert {"trial", "volatility", "simulation", "ruin", "stresses", "correlations", "leads"} <= set(found)
    assert "missing" not in found


def test_a_horizon_says_how_it_was_scaled(userdir: Path) -> None:
    one, ten = (
        ask(userdir, "report", *BOOK, "--var-horizon", days, "--scaling", "sqrt", "--timerange", "20220101-", "--json")
        for days in (1, 9)
    )
    pairs = zip(one["tails"], ten["tails"], strict=True)
    assert all(b["var"]["value"] == pytest.approx(3 * a["var"]["value"]) for a, b in pairs)
    assert {tail["scaling"] for tail in ten["tails"]} == {"square root of time"}


def test_a_part_the_history_is_too_short_for_is_missing_with_its_reason(userdir: Path) -> None:
    said = ask(userdir, "report", *BOOK, "--timerange", "20220101-")
    assert "the court is missing: the VaR court needs at least 1000 returns" in " ".join(said.split())


def test_the_same_seed_gives_the_same_figures_and_another_does_not(userdir: Path) -> None:
    runs = [
        ask(userdir, "montecarlo", *BOOK, "--paths", 8192, "--seed", s, "--level", 3, "--json")["simulation"]["summary"]
        for s in (5, 5, 6)
    ]
    assert runs[0] == runs[1]
    assert runs[0]["percentiles"] != runs[2]["percentiles"]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_bear_market_is_never_better_than_the_base(userdir: Path, level: int) -> None:
    words = ("montecarlo", "-s", "BTC/USDT", "--paths", 8192, "--level", level, "--json")
    base, bear = (ask(userdir, *words, "--scenario", name)["simulation"]["summary"] for name in ("base", "bear"))
    assert [p for p, _ in bear["percentiles"]] == [1, 5, 10, 25, 50, 75, 90, 95, 99]
    assert all(
        b["value"] <= a["value"] for (_, a), (_, b) in zip(base["percentiles"], bear["percentiles"], strict=True)
    )


def test_beside_cash_the_expected_gain_is_that_of_the_share_invested(userdir: Path) -> None:
    words = ("montecarlo", "-s", "BTC/USDT", "--paths", 65_536, "--level", 4, "--json")
    whole, tenth = (
        ask(userdir, *words, "--weights", w)["simulation"]["summary"]["expected"]["value"] - 1 for w in (1, 0.1)
    )
    assert tenth == pytest.approx(whole / 10, abs=5e-4)


def test_level_five_hears_the_news_of_a_file(userdir: Path, tmp_path: Path) -> None:
    rng, path = np.random.default_rng(1), tmp_path / "news.csv"
    stamps = START + rng.integers(0, 1000 * DAY_MS, 4000)
    path.write_text("ts,title,score\n" + "".join(f"{t},a headline,{rng.uniform(-1, 1):.3f}\n" for t in stamps))
    found = ask(userdir, "montecarlo", "-s", "BTC/USDT", "--level", 5, "--news", path, "--paths", 8192, "--json")
    assert "conditioned on the news" in found["simulation"]["level"]
    path.write_text("ts,title,score\n1577836800000,good,7\n")
    with pytest.raises(DataError, match=r"news.csv row 0: the score is not in \[-1, 1\]"):
        ask(userdir, "montecarlo", "-s", "BTC/USDT", "--level", 5, "--news", path)


def test_more_capital_never_survives_less_and_longer_never_more(userdir: Path) -> None:
    found = ask(userdir, "ruin", *BOOK, "--horizon", 60, "--paths", 8192, "--json")["ruin"]
    curves = np.array(found["survivors"]["curves"]["value"])
    assert (np.diff(curves, axis=0) >= 0).all()
    assert (np.diff(curves, axis=1) <= 0).all()
    assert found["breaker"]["either"]["value"] >= found["breaker"]["drawdown"]["value"]


def test_losses_by_position_add_up_to_the_stress_and_a_hedge_gains(userdir: Path) -> None:
    found = ask(userdir, "stress", *BOOK, "--candidate", "BTC/USDT:-0.5", "--json")["stresses"]
    for row in found["losses"]:
        parts = sum(position["loss"] for position in row["positions"]) + row["cash_loss"]
        assert parts == pytest.approx(row["loss"] * row["equity"], abs=1e-12)
    crash, after = (next(r for r in found[key] if r["stress"] == "flash_crash") for key in ("losses", "after"))
    assert crash["positions"][2]["loss"] < 0
    assert crash["loss"] - after["loss"] == pytest.approx(0.5 * 0.30, abs=1e-9)


def test_the_court_counts_the_losses_beyond_its_trusted_forecast(userdir: Path) -> None:
    trial = ask(userdir, "var-backtest", *BOOK, "--json")["trial"]
    counted = {
        j["confidence"]: j["failures"]
        for j in trial["ruling"]["judgements"]
        if j["model"] == trial["ruling"]["trusted"]
    }
    assert [len(rows) for rows in trial["failed"]] == [counted[0.95], counted[0.99]]


def test_volatility_is_a_year_of_365_days(userdir: Path) -> None:
    book = ask(userdir, "volatility", "-s", "BTC/USDT", "--json")["volatility"]
    squares = returns()[::-1, 0] ** 2
    variance = (0.06 * 0.94 ** np.arange(len(squares)) * squares).sum()
    assert book[0]["models"][0]["now"]["value"] == pytest.approx(np.sqrt(365 * variance), rel=1e-9)
    assert len(book) == 1


def test_the_answers_of_seed_003_have_its_fields_and_right_values(userdir: Path) -> None:
    words = (*BOOK, "--equity", 10_000, "--format", "seed")
    found = ask(userdir, "report", *words)
    wanted = {"portfolio_var", "portfolio_var_pct", "asset_var", "correlations", "optimal_positions", "alerts"}
    assert wanted <= set(found)
    assert found["portfolio_var"] == pytest.approx(-1e4 * np.quantile(outcome(), 0.05))
    assert set(found["asset_var"]["BTC/USDT"]) == {"var", "cvar", "var_pct", "cvar_pct"}
    paths = ask(userdir, "montecarlo", *words, "--paths", 8192)
    one = paths["results"]["BTC/USDT"]
    assert list(one["percentiles"]) == ["1", "5", "10", "25", "50", "75", "90", "95", "99"]
    assert one["percentiles"]["5"]["pct_change"] == pytest.approx(-one["risk_metrics"]["var"])
    assert one["percentiles"]["50"]["price"] == pytest.approx(
        one["initial_price"] * (1 + one["percentiles"]["50"]["pct_change"] / 100)
    )
    assert one["drift_factor"] == pytest.approx(1.0)
    assert len(one["paths"][0]) == one["time_horizon_days"] + 1
    stats = paths["portfolio"]["scenario_stats"]
    assert stats["bear"]["expected_value"] < stats["base"]["expected_value"] == paths["portfolio"]["expected_value"]


def test_quantities_are_valued_at_the_last_close(userdir: Path, tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_text("symbol,quantity\nBTC/USDT,2\nETH/USDT,-1\nUSDT,500\n")
    last = 100 * np.exp(returns().sum(axis=0))
    found = ask(userdir, "volatility", path, "--json")["measured"]
    assert found["equity"] == pytest.approx(500 + 2 * last[0] - last[1])
    assert found["positions"][1]["weight"] == pytest.approx(-last[1] / found["equity"])


def test_the_book_of_a_run_is_that_of_its_newest_snapshot(tmp_path: Path) -> None:
    entries = story(60)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.start_run("dry-1", "{}")
        for event, records in entries:
            ledger.write(event, records)
    store, logs = ParquetStore(tmp_path / "data"), returns(130)[:, 0]
    close = (100 * np.exp(logs.cumsum())).tolist()
    bars = [(START + i * DAY_MS, c, c, c, c, 1.0) for i, c in enumerate(close)]
    store.write(BarFrame.from_rows("BTC/USDT:USDT", "1d", bars))
    snapshot = [records[0] for event, records in entries if records and hasattr(records[0], "exposure")][-1]
    found = ask(tmp_path, "volatility", "--run", "latest", "--json")["measured"]
    assert found["positions"][0]["weight"] == pytest.approx(snapshot.exposure[0][1])
    assert found["equity"] == pytest.approx(snapshot.equity)
    assert any("the book is that of 2023-11-15" in caution for caution in found["cautions"])


def test_returns_over_a_gap_are_left_out_and_finer_bars_are_folded(tmp_path: Path) -> None:
    store, rng = ParquetStore(tmp_path / "data"), np.random.default_rng(2)
    close = 100 * np.exp(rng.normal(0, 0.01, 24 * 120).cumsum())
    kept = [i for i in range(len(close)) if not 24 * 50 <= i < 24 * 53]
    rows = [(START + i * HOUR_MS, close[i], close[i], close[i], close[i], 1.0) for i in kept]
    store.write(BarFrame.from_rows("BTC/USDT", "1h", rows))
    found = ask(tmp_path, "volatility", "-s", "BTC/USDT", "--json")["measured"]
    assert (found["n"], found["interval"]) == (120 - 1 - 3 - 1, "1d")


HOSTILE = {
    "nan.toml": ('[quantities]\n"BTC/USDT" = nan\n', "quantities.BTC/USDT must be a finite number"),
    "text.toml": ('[quantities]\n"BTC/USDT" = "1"\n', "the amount of BTC/USDT must be a number"),
    "twice.json": ('{"quantities": {"BTC/USDT": 1, "BTC/USDT": 2}}', "names BTC/USDT twice"),
    "twice.csv": ("symbol,quantity\nBTC/USDT,1\nBTC/USDT,2\n", "names BTC/USDT twice"),
    "percent.toml": ('[weights]\n"BTC/USDT" = 60\n', "weights are fractions"),
    "both.toml": ('[weights]\n"BTC/USDT" = 1\n[quantities]\n"BTC/USDT" = 1\n', "not both"),
    "word.csv": ("symbol,quantity\nBTC/USDT,many\n", "line 2: quantity must be a finite number (got 'many')"),
    "head.csv": ("coin,amount\nBTC/USDT,1\n", "the first line must be symbol,quantity"),
    "empty.toml": ("", "must hold quantities or weights"),
    "zero.toml": ('[quantities]\n"BTC/USDT" = 0\n', "every position is zero"),
    "key.toml": ("kash = 1\n", "unknown field `kash`"),
    "quotes.toml": ('[quantities]\n"BTC/USDT" = 1\n"ETH/BTC" = 1\n', "ETH/BTC is not priced in USDT"),
    "debt.toml": ('cash = -1e9\n[quantities]\n"BTC/USDT" = 1\n', "equity at the last prices is not positive"),
    "broken.json": ('{"quantities":', "is not JSON"),
    "deep.json": ("[" * 100_000, "is not JSON"),
    "book.xls": ("", "not a portfolio file"),
    "cash.csv": ("symbol,weight\nBTC/USDT,0.6\nUSDT,0.1\n", "weights and cash must add up to 1"),
    "equity.toml": ('equity = 1\n[quantities]\n"BTC/USDT" = 1\n', "leave it out"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_portfolio_that_is_not_one_is_refused_by_its_field(userdir: Path, tmp_path: Path, name: str) -> None:
    text, said = HOSTILE[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as refused:
        ask(userdir, "stress", tmp_path / name)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ((), ConfigError, "exactly one book is needed"),
        (("-s", "BTC/USDT", "--run", "latest"), ConfigError, "exactly one book is needed"),
        (("-s", "BTC/USDT", "--weights", "1,2"), ConfigError, "one weight for each symbol"),
        (("-s", "BTC/USDT", "--candidate", "BTC/USDT:-1"), ConfigError, "closes the whole book"),
        (("-s", "BTC/USDT", "--candidate", "BTC"), ConfigError, "must be a symbol and a share of equity"),
        (("-s", "DOGE/USDT"), DataError, "no data of this symbol (got 'DOGE/USDT')"),
        (("-s", "BTC/USDT", "--timerange", "20230101-"), NotEnoughHistory, "at least 50 are needed"),
        (("-s", "BTC/USDT", "--html", "/proc/none/x.html"), ConfigError, "--html: cannot write"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_is_needed(
    userdir: Path, words: tuple[str, ...], kind: type[SeakeepError], said: str
) -> None:
    with pytest.raises(kind) as refused:
        ask(userdir, "stress", *words)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--confidence", 1),
        ("montecarlo", "--scenario", "doom"),
        ("montecarlo", "--level", 5),
        ("ruin", "--floor", 1),
        ("report", "--var-horizon", 0.5),
        ("var-backtest", "--window", 3),
    ],
)
def test_an_option_out_of_its_bounds_is_a_configuration_error(userdir: Path, words: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError):
        ask(userdir, *words, "-s", SYMBOLS[0])


def test_the_page_is_written_where_it_was_asked_for(userdir: Path, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "page.html"
    assert str(page) in "".join(ask(userdir, "stress", *BOOK, "--html", page).split("\n"))
    assert "What a bad day does" in page.read_text("utf-8")


def test_the_mathematics_is_there_without_the_system() -> None:
    code = (
        "import sys\nfrom seakeep.stats.tails import estimate\nfrom seakeep.montecarlo.gbm import Gbm\n"
        "from seakeep.risk.ruin import ruin_odds\n"
        "print(*{name for name in sys.modules if name.startswith(('seakeep.app', 'seakeep.data', 'seakeep.ledger'))})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_book_is_sized_by_four_rules_and_each_keeps_its_promise(userdir: Path) -> None:
    words = ("--paths", 20_000, "--horizon", 60, "--probability", 0.1, "--target", 0.3, "--fraction", 0.5, "--json")
    found = {rule["rule"]: rule for rule in ask(userdir, "sizing", *BOOK, *words)["sizing"]}
    assert list(found) == ["Kelly, book", "Kelly, assets", "drawdown bound", "volatility target"]
    assert found["Kelly, assets"]["share"] is None
    scale = found["volatility target"]["share"]
    assert scale["value"] * outcome().std(ddof=1) * 365**0.5 == pytest.approx(0.3)
    assert scale["low"] < scale["value"] < scale["high"]
    assert [p["weight"]["value"] for p in found["volatility target"]["positions"]] == pytest.approx(
        (WEIGHTS * scale["value"]).tolist()
    )
    params = RuinParams(worlds=200, paths=100)
    held = outcome() * found["drawdown bound"]["share"]["value"]
    assert drawdown_odds(held, 0.2, 60, params, seed=1).value == pytest.approx(0.1, abs=0.005)
    twice = ask(userdir, "sizing", *BOOK, *words[:-3], "--fraction", 1, "--json")["sizing"]
    for half, full in zip(found["Kelly, assets"]["positions"], twice[1]["positions"], strict=True):
        assert full["weight"]["value"] == pytest.approx(2 * half["weight"]["value"])


def test_one_asset_has_no_proportions_to_change_and_the_table_says_what_each_rule_is(userdir: Path) -> None:
    said = " ".join(ask(userdir, "sizing", "-s", "BTC/USDT", "--paths", 10_000).split())
    assert "Kelly, assets" not in said
    assert "a drawdown of 20% within 90 days has odds of" in said


@pytest.mark.parametrize(
    "words", [("--fraction", 0), ("--fraction", 1.5), ("--drawdown", 1), ("--target", -1), ("--probability", 0.0001)]
)
def test_a_size_that_makes_no_sense_is_refused(userdir: Path, words: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match=words[0]):
        ask(userdir, "sizing", *BOOK, "--paths", 8192, *words)


def test_an_asset_that_leads_is_named_and_one_that_does_not_is_not(userdir: Path, tmp_path: Path) -> None:
    held = Holdings(source="book", quote="USDT", weights={"BTC/USDT": 0.5, "ETH/USDT": 0.5})
    assert all(not lead.leader for lead in leads(open_desk(held, History(userdir))))
    store, logs = ParquetStore(tmp_path / "data"), returns(500)[:, 0]
    for symbol, behind in (("BTC/USDT", 0), ("ETH/USDT", 2)):
        moved = np.roll(logs, behind) + np.random.default_rng(behind).normal(0, 0.01, 500)
        close = 100 * np.exp(np.append(0.0, moved.cumsum()))
        rows = [(START + i * DAY_MS, c, c * 1.01, c * 0.99, c, 1e6) for i, c in enumerate(close.tolist())]
        store.write(BarFrame.from_rows(symbol, "1d", rows))
    (lead,) = leads(open_desk(held, History(tmp_path)))
    assert (lead.leader, lead.lag) == ("BTC/USDT", 2)
    assert lead.p_value < 1e-6
