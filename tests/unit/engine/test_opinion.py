"""The whole opinion: who is heard, calibration, veto, cost, regime, sizes together, and that each of them causes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache

import msgspec
import numpy as np
import pytest

from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.events import Event, Slice
from seakeep.core.market import Float64, OrderBook
from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot, RiskVerdict
from seakeep.data.feed import HistoricalFeed
from seakeep.data.synthetic import SyntheticMarket, SyntheticParams, generate
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.replay import replay
from seakeep.engine.run import run
from seakeep.execution.costs import CostParams, range_variance
from seakeep.models import EXPERTS, REGIMES
from seakeep.models.calibration import Calibration
from seakeep.models.training import fit_experts
from seakeep.risk.sizing import Sizing
from seakeep.strategy import SIGNALS, STRATEGIES, Strategy
from seakeep.strategy.costgate import CostGate
from seakeep.strategy.decide import Thresholds
from seakeep.strategy.learning import Weighting
from tests.unit.engine.scenes import HOUR, Above, Kept, bars, pipeline, play

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
WARM = 500
ALPHAS = ("correlation_breakdown", "mean_reversion", "momentum_persistence", "price_sentiment_divergence")


class Both(Strategy):
    """Long after a rise over a day, short of conviction after a fall: enough turns to look at."""

    features = ("log_return:24",)

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.where(frame["log_return:24"] > 0.0, 1.0, -1.0)


@cache
def market() -> SyntheticMarket:
    return generate(SyntheticParams(symbols=SYMBOLS, delisted=None, days=40, interval="1h", seed=5))


def fitted(*names: str) -> dict[str, object]:
    experts = {name: EXPERTS[name](horizon=12) for name in names}
    fit_experts(experts, [frame.rows(0, WARM) for frame in market().frames.values()], 1)
    return experts  # type: ignore[return-value]


def panel(**parts: object) -> Pipeline:
    made = market()
    chosen = Pipeline(
        run_id="p",
        interval="1h",
        instruments=made.instruments,
        strategy_name="both",
        strategy=Both(),
        experts={},
        initial_cash=Decimal(100_000),
        trade_from=int(made.frames[SYMBOLS[0]].known_at[WARM]),
        thresholds=Thresholds(long=0.4, short=-0.4, min_confidence=0.0),
    )
    return replace(chosen, **parts)  # type: ignore[arg-type]


def everything(**parts: object) -> Pipeline:
    whole = {
        "experts": fitted("ma", "rsi", "volatility", "anomaly"),
        "alphas": {name: SIGNALS[name]() for name in ALPHAS},
        "regimes": REGIMES["rules"](interval="1h", volatile=0.04),
        "weighting": Weighting(method="hedge", horizon=6),
        "cost_gate": CostGate(),
        "sizing": Sizing(method="kelly_portfolio"),
    }
    return panel(**(whole | parts))


def events(until: int = 10**9, symbols: Sequence[str] = SYMBOLS, *, news: bool = True) -> list[Event]:
    made = market()
    frames = [made.frames[symbol].rows(0, until) for symbol in symbols]
    end = int(frames[0].known_at[-1])
    told = [item for item in made.news if item.known_at <= end and item.symbols[0] in symbols] if news else []
    return list(HistoricalFeed(frames, (), told))


def decided(chosen: Pipeline, feed: Sequence[Event]) -> tuple[list[Decision], Kept, Engine]:
    engine, journal = Engine(chosen), Kept()
    run(engine, feed, SimBroker(chosen.instruments, chosen.initial_cash, seed=1), journal)  # type: ignore[arg-type]
    return journal.records(Decision), journal, engine  # type: ignore[return-value]


def hits(journal: Kept) -> Counter[str]:
    verdicts: list[RiskVerdict] = journal.records(RiskVerdict)  # type: ignore[assignment]
    return Counter(hit.rule for verdict in verdicts for hit in verdict.hits)


def test_adding_the_future_never_changes_what_was_decided() -> None:
    chosen = everything()
    whole, _, _ = decided(chosen, events())
    for rows in (WARM + 100, WARM + 301):
        part, _, _ = decided(everything(), events(rows))
        end = int(market().frames[SYMBOLS[0]].known_at[rows - 1])
        assert part == [decision for decision in whole if decision.ts <= end]
    assert len(whole) > 5


def test_a_journal_of_the_whole_panel_replays_to_the_bit_and_can_be_written() -> None:
    decisions, journal, _ = decided(everything(), events(WARM + 300))
    replay(Engine(everything()), journal.entries)
    assert msgspec.json.decode(msgspec.json.encode(decisions), type=list[Decision]) == decisions


def test_taking_away_an_expert_an_asset_or_the_news_moves_the_opinion_and_says_so() -> None:
    plain = {"cost_gate": CostGate(mode="off"), "sizing": Sizing(), "weighting": Weighting(), "regimes": None}
    whole, _, _ = decided(everything(**plain), events())
    names = {source for decision in whole for source, _ in decision.contributions}
    assert names >= {"both", "ma", "rsi", *ALPHAS}
    fewer, _, _ = decided(everything(**plain, experts=fitted("rsi", "volatility", "anomaly")), events())
    assert "ma" not in {source for decision in fewer for source, _ in decision.contributions}
    assert [d.score for d in fewer] != [d.score for d in whole]
    quiet, _, _ = decided(everything(**plain), events(news=False))
    assert all("price_sentiment_divergence (no sentiment: no news so far)" in decision.note for decision in quiet)
    one = {SYMBOLS[0]: market().instruments[SYMBOLS[0]]}
    alone, _, _ = decided(everything(**plain, instruments=one), events(symbols=SYMBOLS[:1]))
    assert all("correlation_breakdown (no other asset)" in decision.note for decision in alone)


def calibrated(p: tuple[float, float], widest: float = 10.0) -> Calibration:
    z = np.array([-3.0, 3.0])
    return Calibration("platt", z, np.array(p), 0.9, 1.6, widest, 500, 0.25, 0.25, 0.25, 0.9)


def heard(calibration: Calibration | None) -> tuple[set[str], str]:
    calibrations = {} if calibration is None else {"ma": calibration}
    found, _, _ = decided(panel(experts=fitted("ma"), calibrations=calibrations), events(WARM + 300))
    return {source for decision in found for source, _ in decision.contributions}, found[0].note


def test_a_calibrated_expert_is_silent_where_its_interval_is_wide_or_its_chance_is_not_its_own() -> None:
    assert heard(None)[0] == heard(calibrated((0.1, 0.9)))[0] == {"both", "ma"}
    voices, why = heard(calibrated((0.1, 0.9), widest=1e-9))
    assert (voices, why) == ({"both"}, "not heard: ma (its interval is too wide)")
    voices, why = heard(calibrated((0.5, 0.5)))
    assert (voices, why) == ({"both"}, "not heard: ma (a rise has a chance of 50% after all)")


def test_an_expert_that_vetoes_stops_entries_and_never_an_exit() -> None:
    wary = fitted("anomaly")
    wary["anomaly"].threshold_ = 0.0  # type: ignore[attr-defined]
    found, journal, _ = decided(panel(experts=wary), events(WARM + 200))
    assert {d.veto for d in found} == {"anomaly"}
    verdicts: list[RiskVerdict] = journal.records(RiskVerdict)  # type: ignore[assignment]
    assert {v.outcome for v in verdicts} == {Outcome.REFUSED}
    calm = fitted("anomaly")
    free, after, engine = decided(panel(experts=calm), events(WARM + 200))
    assert engine.state.portfolio.positions
    calm["anomaly"].threshold_ = 0.0  # type: ignore[attr-defined]
    exits = [v for v in after.records(RiskVerdict) if v.target == 0.0]  # type: ignore[attr-defined]
    assert {v.outcome for v in exits} == {Outcome.APPROVED}
    assert {d.veto for d in free if d.target == 0.0} == {""}


def test_no_entry_is_allowed_whose_edge_does_not_exceed_the_most_it_may_cost() -> None:
    dear = CostParams(half_spread_bps=500)
    priced = {"experts": fitted("ma", "rsi"), "cost_gate": CostGate()}
    free, cheap, _ = decided(panel(**priced, costs=CostParams(half_spread_bps=0, temporary=0, permanent=0)), events())
    found, refused, engine = decided(panel(**priced, costs=dear), events())
    entries = [d for d in found if d.target > 0]
    assert entries
    assert all(d.edge is not None and d.cost is not None and d.edge < d.cost for d in entries)
    assert all(d.cost == pytest.approx(2 * 0.001) for d in free if d.target > 0), "only the fees are left"
    assert hits(refused)["edge_below_cost"] == len(entries)
    assert engine.state.portfolio.positions == {}
    assert hits(cheap)["edge_below_cost"] < len([d for d in free if d.target > 0])


def test_the_cost_is_that_of_the_dearest_of_the_kept_bars() -> None:
    path = bars([99, 99, 120, 99, 99, 101], wick=0.001)
    thin = replace(path, volume=np.array([1e3, 1e3, 500.0, 1e3, 1e3, 1e3]))
    _, journal, _ = play(pipeline(cost_gate=CostGate(), strategy=Above(level=100.0)), thin)
    equity = {s.ts: s.equity for s in journal.records(RiskSnapshot)}  # type: ignore[attr-defined]
    entries = [d for d in journal.records(Decision) if d.target > 0]  # type: ignore[attr-defined]
    assert [d.ts // HOUR for d in entries] == [3, 6]  # type: ignore[attr-defined]
    for decision, mark in zip(entries, (120.0, 101.0), strict=True):
        rows = slice(0, decision.ts // HOUR)  # type: ignore[attr-defined]
        shares = np.minimum(1.0, 0.1 * equity[decision.ts] / mark / thin.volume[rows])  # type: ignore[attr-defined]
        sigma = [math.sqrt(range_variance(h, low)) for h, low in zip(thin.high[rows], thin.low[rows], strict=True)]
        impact = 0.15 * (np.array(sigma) * np.sqrt(shares)).max()
        assert decision.cost == pytest.approx(2 * (0.001 + 0.0001 + impact))  # type: ignore[attr-defined]


def test_a_regime_takes_from_the_largest_position_and_never_adds() -> None:
    wild = panel(regimes=REGIMES["rules"](interval="1h", volatile=0.04), sizing=Sizing(fixed_weight=5.0))
    found, journal, _ = decided(wild, events())
    labels = {decision.id: decision.regime for decision in found}
    assert len(set(labels.values())) > 1
    verdicts: list[RiskVerdict] = journal.records(RiskVerdict)  # type: ignore[assignment]
    for verdict in verdicts:
        share = wild.regime_limits.share(labels[verdict.decision_id])
        assert verdict.target <= wild.limits.max_weight * share + 1e-12
    assert hits(journal)["regime_limit"] > 0


def test_sizes_of_assets_that_move_together_are_smaller_than_each_alone() -> None:
    kelly = {"experts": fitted("ma", "rsi", "volatility"), "limits": panel().limits.static(max_weight=10.0)}
    alone, _, _ = decided(panel(**kelly, sizing=Sizing(method="kelly", max_kelly=10.0)), events())
    joint, _, _ = decided(panel(**kelly, sizing=Sizing(method="kelly_portfolio", max_kelly=10.0)), events())
    first = {(d.symbol, d.ts): d.target for d in alone if d.target > 0}
    same = [(d.target, first[d.symbol, d.ts]) for d in joint if d.target > 0 and (d.symbol, d.ts) in first]
    assert len(same) > 5
    assert sum(together for together, _ in same) < sum(single for _, single in same)


def test_a_book_moves_the_opinion_and_fades() -> None:
    heavy = OrderBook("BTC/USDT", 2 * HOUR, ((98.9, 50.0),) * 5, ((99.1, 1.0),) * 5)
    chosen = pipeline(alphas={"book": SIGNALS["book_imbalance"]()}, thresholds=Thresholds(min_confidence=0.0))
    path = list(HistoricalFeed([bars([99, 99, 101, 101])]))
    with_book = [path[0], msgspec.structs.replace(path[1], books=(heavy,)), *path[2:]]
    engine, journal = Engine(chosen), Kept()
    broker = SimBroker(chosen.instruments, chosen.initial_cash, seed=1)
    run(engine, with_book, broker, journal)
    (entry,) = (d for d in journal.records(Decision) if d.target > 0)  # type: ignore[attr-defined]
    parts = dict(entry.contributions)
    assert 0 < parts["book"] < 0.05 < parts["above"]


def test_the_news_of_a_slice_become_the_sentiment_of_the_symbols_they_name() -> None:
    engine, made = Engine(panel()), market()
    first = made.news[0]
    engine.process(Slice(first.known_at, news=(first,)))
    assert set(engine.state.sentiment) == set(first.symbols)
    assert engine.state.sentiment[first.symbols[0]].ts == first.known_at


def test_a_selector_switches_to_the_member_that_earns_and_every_decision_says_why() -> None:
    rows = 24 * 120
    swings = 100 * np.exp(0.8 * np.sin(np.arange(rows) * 2 * np.pi / 900))
    swings *= np.exp(0.004 * np.random.default_rng(1).standard_normal(rows))
    chosen = STRATEGIES["selector"](members="reversion, trend", min_trades=2, least=0.5)  # type: ignore[call-arg]
    selecting = pipeline(strategy=chosen, strategy_name="selector")
    engine, journal, _ = play(selecting, bars(swings.tolist()))
    assert engine.state.outlook is not None
    assert engine.state.outlook.paper is not None
    selection = engine.state.outlook.paper.selection
    assert selection.records["trend"].equity > 1.0 > selection.records["reversion"].equity
    ((switched, why),) = selection.switches
    assert why.startswith("trend rated")
    found: list[Decision] = journal.records(Decision)  # type: ignore[assignment]
    assert {(d.strategy, d.note) for d in found if d.ts < switched} == {("reversion", "the first of the members")}
    assert {(d.strategy, d.note) for d in found if d.ts >= switched} == {("trend", why)}
