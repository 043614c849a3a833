import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from seakeep.app.bootstrap import prepare, sim_broker
from seakeep.app.cli import app
from seakeep.app.search.candidates import KNOBS, Bench, kernel_params, ranking, since, with_params
from seakeep.app.search.confirmation import first_difference, settings_text
from seakeep.app.search.optimizer import Asked, optimize
from seakeep.app.search.searching import Searching
from seakeep.app.search.studies import trial_ledger
from seakeep.app.search.studystore import open_study
from seakeep.app.settings import load
from seakeep.backtest.driver import MemoryJournal
from seakeep.backtest.kernel.simulator import History
from seakeep.backtest.kernel.terms import account_record
from seakeep.backtest.pages.fragility import heat_map, map_of
from seakeep.backtest.result import digest
from seakeep.backtest.search.space import Space
from seakeep.backtest.search.survey import survey
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.orders import Fill, Liquidity, Side
from seakeep.data.store import ParquetStore
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.engine.engine import Engine
from seakeep.engine.run import run

SPACE = {"fast": (4, 8, 12), "slow": (20, 30)}
THOUSAND = tuple(i / 1000 for i in range(1, 1001))


FILL = Fill(
    id="1",
    order_id="",
    symbol="BTC/USDT",
    ts=0,
    side=Side.BUY,
    price=Decimal(1),
    qty=Decimal(1),
    fee=Decimal(0),
    fee_asset="USDT",
    liquidity=Liquidity.TAKER,
    mid=Decimal(1),
)


@pytest.fixture(scope="module")
def market():
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=160, interval="4h", seed=3)
    return generate(params).frames["BTC/USDT"]


@pytest.fixture
def userdir(tmp_path, market):
    ParquetStore(tmp_path / "data").write(market)
    return tmp_path


@pytest.fixture(scope="module")
def long_userdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=320, interval="4h", seed=3)
    ParquetStore(folder / "data").write(generate(params).frames["BTC/USDT"])
    return folder


def settings(**more):
    options = {"run.symbols": "BTC/USDT", "run.interval": "4h", "strategy.name": "trend", "strategy.params.unit": 10}
    return load(None, {}, {**options, "strategy.params.full": 2.0, **more}).settings


def searched(folder, given, asked):
    """All of a search but the confirmation, which takes processes of its own."""
    search = Searching(given, folder, asked, Space.of(asked.space))
    search.estimate()
    with open_study(folder / "studies", asked.study or search.name) as store:
        store.agree(search.about)
        search.run(store, None)
    return search


def test_the_command_ends_with_a_winner_that_kernel_and_driver_agree_on_and_everything_is_counted(userdir):
    words = ["optimize", "--userdir", str(userdir), "--config", str(userdir / "own.toml"), "--study", "s", "--json"]
    (userdir / "own.toml").write_text(settings_text(settings()))
    done = CliRunner().invoke(app, [*words, "--space", "fast=4:12:4", "slow=20,30"], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told["confirmation"]["agrees"] is True
    assert told["confirmation"]["kernel_equity"] == pytest.approx(told["confirmation"]["driver_equity"], abs=0.005)
    assert told["confirmation"]["fills"] > 10
    line = told["winner"]["sharpe_line"]
    assert (told["engine"], told["candidates"], line["family"]) == ("kernel", 6, 6)
    assert told["new_trials"] == 7
    assert trial_ledger(userdir).search().trials in (7, 8)
    assert line["trials"] <= trial_ledger(userdir).search().trials
    assert np.array(told["map"]["values"]).shape == (2, 3)
    folder = userdir / "studies" / "s"
    page = (folder / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert 'class="chart heat"' in page
    assert json.loads((folder / "study.json").read_text())["study"] == "s"
    assert searched(userdir, settings(), Asked(space=SPACE, study="s")).resumed == 6


def killed(userdir, method, at=0):
    script = Path(__file__).with_name("killed_search.py")
    words = [sys.executable, str(script), str(userdir), method, str(at)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("method", ["grid", pytest.param("tpe", marks=pytest.mark.slow)])
def test_a_killed_search_goes_on_and_no_trial_is_lost_or_counted_twice(userdir, market, tmp_path_factory, method):
    other = tmp_path_factory.mktemp("whole")
    ParquetStore(other / "data").write(market)
    assert killed(userdir, method, at=14).returncode == -9
    resumed, whole = killed(userdir, method), killed(other, method)
    assert (resumed.returncode, whole.returncode) == (0, 0), resumed.stderr + whole.stderr
    assert int(resumed.stdout) >= 8 > int(whole.stdout) == 0
    kept = []
    for folder in (userdir, other):
        with open_study(folder / "studies", "s") as store:
            trials = {(t.params, t.sharpe) for t in trial_ledger(folder).trials()}
            kept.append((store.candidates(), trials, trial_ledger(folder).search().trials))
    assert kept[0] == kept[1]
    assert kept[0][2] == len(kept[0][0])


def test_the_kernel_gives_up_what_falls_behind_early_and_counts_it(userdir, market, tmp_path_factory):
    space = {"fast": tuple(range(4, 14)), "slow": tuple(range(20, 60, 5))}
    other = tmp_path_factory.mktemp("whole")
    ParquetStore(other / "data").write(market)
    asked = Asked(space=space, prune=True)
    early = searched(userdir, settings(), asked)
    whole = searched(other, settings(), Asked(space=space))
    given_up = {key: c for key, c in early.known.items() if c.pruned}
    assert 10 < len(given_up) < 60
    assert all(c == whole.known[key] for key, c in early.known.items() if not c.pruned)
    assert all(whole.known[key].days.startswith(c.days) for key, c in given_up.items())
    assert len(early.finished()) == 80 - len(given_up)
    assert trial_ledger(userdir).search().trials == early.counted >= 70
    assert not any(c.pruned for c in whole.known.values())
    found = survey(early.space, early.finished(), early.tests, asked, early.score, early.given_up())
    assert heat_map(map_of(found, 0.2)).count("×") == len(given_up)
    assert not found.given_up & {one.point for one in found.standings}


@pytest.mark.parametrize(
    ("space", "more", "said"),
    [
        ({}, {}, "the space is empty"),
        ({"fats": (1, 2)}, {}, "no parameter 'fats'"),
        ({"fast": ("x",)}, {}, "must be int"),
        ({"stop_loss": (0.1, 7.0)}, {}, "stop_loss"),
        (SPACE, {"study": "../x"}, "not a name of a study"),
        (dict.fromkeys(("full", "take_profit", "weight"), THOUSAND), {}, "1,000,000,000 candidates"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_stored(userdir, space, more, said):
    with pytest.raises(ConfigError, match=said) as error:
        optimize(settings(), userdir, Asked(space=space, **more))
    assert said in str(error.value)
    assert not (userdir / "studies").exists()


def test_too_short_a_history_is_said(userdir):
    with pytest.raises(NotEnoughHistory, match="fewer --folds"):
        optimize(settings(), userdir, Asked(space=SPACE, folds=60))


UNHEARD = {
    "a selector": {"strategy.name": "selector", "strategy.params": "{}"},
    "signals beside the strategy": {"strategy.signals.price_sentiment_divergence": "{}"},
    "experts": {"experts.ma": "{}"},
    "calibrations": {"experts.ma": "{}", "models.folds": 2},
    "vetoes": {"experts.anomaly": "{}"},
    "regimes": {"regime.model": "rules"},
    "learnt weights": {"strategy.weighting.method": "hedge"},
    "weights by regime": {"experts.ma": "{}", "strategy.weighting.tilts": "{unknown = {technical = 0.5}}"},
    "the cost gate": {"strategy.cost_gate.mode": "required"},
    "sizes that follow sentiment": {"risk.overlay.enabled": True},
    "sizing by volatility": {"experts.volatility": "{}", "risk.sizing.method": "volatility"},
    "stops by true range": {"risk.stops.atr_multiple": 3.0},
    "stops that adapt": {"risk.stops.stop_loss": 0.02, "risk.stops.adaptive": True},
    "stops that begin to trail": {"risk.stops.trailing": 0.02, "risk.stops.activation": 0.01},
    "a ladder of targets": {"risk.stops.ladder": "[[0.01, 0.5], [0.02, 0.5]]"},
    "delays longer than a bar": {"broker.latency.high_ms": 14_400_000},
}


@pytest.mark.parametrize("name", UNHEARD)
def test_what_the_kernel_leaves_out_goes_to_the_driver_and_is_named(long_userdir, name):
    options = {
        "run.symbols": "BTC/USDT",
        "run.interval": "4h",
        "strategy.name": "trend",
        "deep.horizons": '["4h"]',
        "run.train": "220d",
    }
    odd = load(None, {}, options | UNHEARD[name]).settings
    search = Searching(odd, long_userdir, Asked(space={"weight": (0.1,)}, folds=4), Space.of({"weight": (0.1,)}))
    assert name in search.obstacles
    assert search.by_driver
    assert search.settings == odd
    assert search.about["engine"] == "driver"


@pytest.mark.slow
def test_the_command_says_that_the_driver_ran_them_and_why(userdir):
    (userdir / "own.toml").write_text(settings_text(settings(**{"regime.model": "rules"})))
    words = ["optimize", "--userdir", str(userdir), "--config", str(userdir / "own.toml"), "--study", "s"]
    done = CliRunner().invoke(app, [*words, "--folds", "3", "--space", "fast=4,8"], catch_exceptions=False)
    told = json.loads((userdir / "studies/s/study.json").read_text())
    assert (told["engine"], told["obstacles"], told["confirmation"]["agrees"]) == ("driver", ["regimes"], None)
    page = (userdir / "studies/s/report.html").read_text()
    assert "the kernel leaves out regimes: the driver ran every candidate" in page
    assert "the kernel leaves out regimes" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"experts": "{}", "strategy.cost_gate.mode": "known", "strategy.cost_gate.multiple": 50.0},
        {"strategy.weighting.tilts": "{unknown = {technical = 0.5}, bear = {technical = 0.0}}"},
        {"risk.stops.stop_loss": 0.001, "risk.stops.min_distance": 0.04},
        {"risk.stops.trailing": 0.03, "risk.stops.min_distance": 0.04, "risk.stops.take_profit": 0.05},
        {"data.news": False, "sentiment.half_life_ms": 1_000},
        {"models.folds": 3, "regime.limits.unknown": 0.1, "risk.overlay.size": 0.9},
    ],
    ids=["defaults", "gate", "tilts", "nearest stop", "nearest trail", "no news", "nobody there"],
)
def test_what_only_looks_like_an_obstacle_stays_with_the_kernel_and_the_driver_agrees(userdir, more):
    given = settings(**more)
    search = Searching(given, userdir, Asked(space=SPACE), Space.of(SPACE))
    assert search.obstacles == ()
    winner = with_params(search.settings, {"fast": 8, "slow": 20})
    session = prepare(since(winner, search.start), userdir, "optimize")
    ranked = Bench(session, 1 << 28).by_kernel({})
    journal = MemoryJournal()
    run(Engine(session.pipeline), session.feed(), sim_broker(session), journal)
    assert len(ranked.fills) >= 8
    assert digest(ranked.trades(kernel_params(session, session.settings))) == digest(journal.records.fills)


def test_what_the_kernel_refuses_of_stops_is_what_it_is_said_to_leave_out(userdir):
    session = prepare(settings(), userdir, "optimize")
    history = History.of(session.frames)
    for more in (v for k, v in UNHEARD.items() if k.startswith(("stops", "a ladder"))):
        stops = settings(**more).risk.stops
        with pytest.raises(ConfigError, match="the kernel knows no stops"):
            account_record(replace(kernel_params(session, session.settings), stops=stops), history)


def test_the_driver_gives_up_what_falls_behind_and_counts_it_all_the_same(userdir):
    odd = settings(**{"risk.stops.atr_multiple": 3.0})
    found = searched(userdir, odd, Asked(space={"fast": (4, 6, 8, 10), "slow": (20, 25, 30, 40)}))
    given_up = [c for c in found.known.values() if c.pruned]
    assert 0 < len(given_up) <= 8
    assert all(len(c.days) < 4 * len(found.tests.ts) for c in given_up)
    assert len(found.finished()) == 16 - len(given_up)
    assert trial_ledger(userdir).search().trials == found.counted >= 14


def test_knobs_are_settings_and_the_parameters_of_a_strategy_come_first():
    knobs = {"stop_loss": 0.05, "long": 0.7, "weight": 0.2, "fast": 9}
    made = with_params(settings(), knobs)
    assert (made.risk.stops.stop_loss, made.strategy.long, made.risk.sizing.fixed_weight) == (0.05, 0.7, 0.2)
    assert made.strategy.params["fast"] == 9
    assert set(knobs) - {"fast"} <= set(KNOBS)


def test_the_terms_of_the_ranking_are_the_static_limits_and_the_worst_path():
    terms = ranking(settings(**{"risk.limits.max_weight": 0.05, "broker.sim.path": "best"}))
    assert (terms.risk.limits.max_weight, terms.risk.rule_book, terms.broker.sim.path) == (0.05, "none", "worst")
    assert terms.risk.limits.max_daily_loss == 1.0


def test_settings_written_to_a_file_are_read_back_the_same(tmp_path):
    odd = settings(**{"costs.symbols": '{"BTC/USDT" = {half_spread_bps = 2.0}}', "risk.limits.max_weight": 0.07})
    (tmp_path / "c.toml").write_text(settings_text(odd))
    assert load(tmp_path / "c.toml", {}, {}).settings == odd


def test_the_first_fill_that_differs_is_named(tmp_path):
    def fill(ts, price):
        return msgspec.structs.replace(FILL, ts=ts, price=Decimal(price))

    rows = "1970-01-01T00:00:01Z,BTC/USDT,BUY,100,1\n1970-01-01T00:00:02Z,BTC/USDT,BUY,101,1\n"
    (tmp_path / "fills.csv").write_text("ts,symbol,side,price,qty\n" + rows)
    said = first_difference([fill(1000, "100.0"), fill(2000, "102")], tmp_path)
    assert said.startswith("fill 2: the kernel says")
    assert "102" in said
    assert "101" in said
    assert "only the driver has" in first_difference([fill(1000, "100")], tmp_path)
