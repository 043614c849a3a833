"""The composition root: settings and stored bars become a pipeline, a feed and a venue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import isabstract
from pathlib import Path
from typing import TypeVar

import numpy as np

from seakeep.app.hearing import heard
from seakeep.app.models.beliefs import Beliefs, chosen, pinned, unseen
from seakeep.app.places import bar_store
from seakeep.app.sections import Settings
from seakeep.app.strategyfiles import load_user_strategies
from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import BarFrame, NewsItem, Observation
from seakeep.core.registry import build
from seakeep.core.units import interval_ms, iso, parse_timerange
from seakeep.data.depth import BookSeen
from seakeep.data.feed import HistoricalFeed
from seakeep.data.store import ParquetStore
from seakeep.engine.pipeline import Pipeline
from seakeep.features.frame import build as build_features
from seakeep.features.frame import lookback
from seakeep.models import Expert
from seakeep.risk.case import RuleBook
from seakeep.strategy import SIGNALS, STRATEGIES, Strategy
from seakeep.strategy.checks import check as check_strategy

__all__ = ["Session", "prepare", "sim_broker"]


_TRIED_ROWS = 1_000
Known = TypeVar("Known", Observation, NewsItem, BookSeen)


@dataclass(frozen=True)
class Session:
    """One run, ready to go: the parts, and the bars (warm-up included) that feed it."""

    settings: Settings
    pipeline: Pipeline
    frames: tuple[BarFrame, ...]
    observations: tuple[Observation, ...] = ()
    news: tuple[NewsItem, ...] = ()
    books: tuple[BookSeen, ...] = ()

    @property
    def traded(self) -> dict[str, BarFrame]:
        """The bars that are traded on by symbol, without the warm-up."""
        start = self.pipeline.trade_from - self.pipeline.bar_ms
        return {frame.symbol: frame.between(start, None) for frame in self.frames}

    def feed(
        self, start_after: int | None = None, frames: Sequence[BarFrame] | None = None, end: int | None = None
    ) -> HistoricalFeed:
        """The bars, or these in their place, and all that is heard beside them, as slices; only what becomes known
        after `start_after` and before `end`."""
        return HistoricalFeed(
            self.frames if frames is None else frames,
            _before(end, self.observations),
            _before(end, self.news),
            _before(end, self.books),
            start_after=start_after,
        )


def _before(end: int | None, told: Sequence[Known]) -> Sequence[Known]:
    return told if end is None else [one for one in told if one.known_at < end]


def prepare(settings: Settings, userdir: Path, run_id: str) -> Session:
    """Load parts and bars, fit the experts on what came before trading starts, and freeze the pipeline.

    Raises: ConfigError, DataError or NotEnoughHistory, each saying what to do.
    """
    load_user_strategies(userdir)
    strategy = _strategy(settings)
    settings = pinned(settings, userdir)
    beliefs = chosen(settings, userdir)
    experts = beliefs.experts
    if settings.risk.sizing.method != "fixed" and not experts:
        remedy = "add a section [experts.volatility], or set the method to fixed"
        raise ConfigError("risk.sizing.method needs an expert", value=settings.risk.sizing.method, remedy=remedy)
    specs = (*strategy.features, *beliefs.specs)
    interval = settings.run.interval
    store = bar_store(settings, userdir)
    train_ms = beliefs.history_ms(settings)
    frames = _read(store, settings, max(train_ms, interval_ms(interval) * lookback(specs, interval)))
    trade_from = _trade_from(frames, specs, settings, train_ms, unseen(beliefs, _range(settings)[0]))
    _fit(beliefs, frames, trade_from, settings)
    _check(settings.strategy.name, strategy, experts, frames[0])
    pipeline = Pipeline(
        run_id=run_id,
        interval=interval,
        instruments={symbol: store.instrument(symbol) for symbol in settings.run.symbols},
        strategy_name=settings.strategy.name,
        strategy=strategy,
        experts=experts,
        initial_cash=settings.broker.initial_cash,
        trade_from=trade_from,
        thresholds=settings.strategy.thresholds,
        weights=settings.strategy.weights,
        limits=settings.risk.limits,
        sizing=settings.risk.sizing,
        stops=settings.risk.stops,
        overlay=settings.risk.overlay,
        ratchet=settings.risk.ratchet,
        rule_book=_rule_book(settings, userdir),
        calibrations=beliefs.calibrations,
        regimes=beliefs.regimes,
        regime_limits=settings.regime.limits,
        alphas={name: build(SIGNALS, name, params) for name, params in settings.strategy.signals.items()},
        weighting=settings.strategy.weighting,
        cost_gate=settings.strategy.cost_gate,
        costs=settings.costs,
        crowd=settings.sentiment,
    )
    return Session(settings, pipeline, frames, *heard(store.root, settings, pipeline.instruments, frames))


def _rule_book(settings: Settings, userdir: Path) -> RuleBook | None:
    """The rule book the gate hears; CLIPS is only loaded where there is one."""
    if settings.risk.rule_book == "none":
        return None
    from seakeep.app.gate.rulebox import judge_of
    from seakeep.risk.rules.portfolio import PortfolioRules

    return PortfolioRules(judge_of(settings.risk.rule_book, userdir, settings.risk.rules))


def _strategy(settings: Settings) -> Strategy:
    """The strategy of that name, with its parameters."""
    name = settings.strategy.name
    part = STRATEGIES[name]
    if not issubclass(part, Strategy) or isabstract(part):
        raise ConfigError(
            f"{name} is not a class of Strategy with a score", remedy="see one with: seakeep new-strategy"
        )
    strategy = build(STRATEGIES, name, settings.strategy.params)
    features: object = strategy.features
    if isinstance(features, str):
        remedy = f'write features = ("{features}",)'
        raise ConfigError(f"the features of {name} must be a tuple of specs", value=features, remedy=remedy)
    return strategy


def _check(name: str, strategy: Strategy, experts: Mapping[str, Expert], bars: BarFrame) -> None:
    """Try the strategy on some of the bars it will see, so that a mistake is one line and not a broken run."""
    specs = (*strategy.features, *(spec for e in experts.values() for spec in e.features))
    frame = build_features(bars.rows(0, len(bars)), specs)
    rows = slice(max(0, len(frame) - _TRIED_ROWS), None)
    frame = FeatureFrame(frame.symbol, frame.ts[rows], frame.names, frame.values[rows])
    check_strategy(name, strategy, frame, {key: expert.predict(frame) for key, expert in experts.items()})


def sim_broker(session: Session) -> SimBroker:
    """The simulated venue of this session."""
    settings = session.settings
    return SimBroker(
        session.pipeline.instruments,
        settings.broker.initial_cash,
        params=settings.broker.sim,
        costs=settings.costs,
        latency=settings.broker.latency,
        seed=settings.run.seed,
    )


def _range(settings: Settings) -> tuple[int | None, int | None]:
    return parse_timerange(settings.run.timerange) if settings.run.timerange else (None, None)


def _read(store: ParquetStore, settings: Settings, history_ms: int) -> tuple[BarFrame, ...]:
    start, end = _range(settings)
    first = None if start is None else start - history_ms
    return tuple(store.read(symbol, settings.run.interval, first, end) for symbol in settings.run.symbols)


def _trade_from(
    frames: Sequence[BarFrame], specs: Sequence[str], settings: Settings, train_ms: int, unseen_from: int
) -> int:
    """First instant a decision may be taken: the asked start, or later if history has to be gathered first."""
    start, _ = _range(settings)
    first = min(int(frame.ts[0]) for frame in frames)
    trade_from = max(start or 0, unseen_from, first + train_ms, min(_warm_at(frame, specs) for frame in frames))
    last = max(int(frame.known_at[-1]) for frame in frames)
    if trade_from >= last:
        raise NotEnoughHistory(
            f"the bars end at {iso(last)}, before a first decision is possible",
            remedy=f"import more bars, or need less history (run.train is {settings.run.train})",
        )
    return trade_from


def _warm_at(frame: BarFrame, specs: Sequence[str]) -> int:
    """When every feature of this symbol is known for the first time; after its last bar if never."""
    known = np.isfinite(build_features(frame, specs).values).all(axis=1)
    return int(frame.known_at[np.argmax(known)]) if known.any() else int(frame.known_at[-1]) + 1


def _fit(beliefs: Beliefs, frames: Sequence[BarFrame], trade_from: int, settings: Settings) -> None:
    if beliefs.history_ms(settings):
        bar_ms = interval_ms(frames[0].interval)
        history = [frame.between(None, trade_from - bar_ms + 1) for frame in frames]
        beliefs.fit([bars for bars in history if len(bars)], settings)
