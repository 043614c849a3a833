"""Candidates of a search: one set of parameters over the stored bars, by the kernel where it can and the driver else.

The kernel has the fill specification whole, and of the gate the static limits; so both work under the worst order
inside a bar, and what a person is shown of the winner comes from the driver and the whole gate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.app.bootstrap import Session, prepare, sim_broker
from seakeep.app.sections import Param, Settings
from seakeep.backtest.driver import MemoryJournal, assemble
from seakeep.backtest.kernel.asks import Opinions
from seakeep.backtest.kernel.books import ACCOUNT
from seakeep.backtest.kernel.bulk import Course
from seakeep.backtest.kernel.candidates import unheard
from seakeep.backtest.kernel.simulator import History, KernelParams, KernelRun, simulate
from seakeep.backtest.kernel.terms import account_record
from seakeep.backtest.search.space import Space
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.registry import build
from seakeep.core.units import iso
from seakeep.engine.engine import Engine
from seakeep.engine.run import run
from seakeep.features.frame import build as build_features
from seakeep.risk.limits import Limits
from seakeep.stats.returns import max_drawdown
from seakeep.strategy import STRATEGIES, Strategy

__all__ = ["Account", "Bench", "Heard", "Pruned", "obstacles", "ranking", "since", "widest", "with_params"]

KNOBS = {
    "weight": "risk.sizing.fixed_weight",
    "stop_loss": "risk.stops.stop_loss",
    "take_profit": "risk.stops.take_profit",
    "trailing": "risk.stops.trailing",
    "long": "strategy.long",
    "short": "strategy.short",
    "exit": "strategy.exit",
    "min_confidence": "strategy.min_confidence",
}
"""What may be searched beside the parameters of the strategy, and the setting each one is."""
_SCORES = 1 << 25
"""Bytes of scores that are held at once."""
_MOST = 256
"""Candidates that are heard together at most: they are counted and committed together as well."""


class Pruned(Exception):
    """A run that was given up half-way; it is no failure."""


@dataclass(frozen=True, eq=False)
class Account:
    """One run: equity (n,) at `ts` (n,), and what it took."""

    ts: Int64
    equity: Float64
    fills: int
    drawdown: float
    turnover: float


def with_params(settings: Settings, params: Mapping[str, Param]) -> Settings:
    """Settings with these parameters: of the strategy, or one of the `KNOBS` it has not itself.

    Raises: ConfigError naming what is wrong.
    """
    own, knobs = dict(settings.strategy.params), dict[str, Param]()
    known = _own_names(settings.strategy.name)
    for name, value in params.items():
        (knobs if name in KNOBS and name not in known else own)[name] = value
    if not knobs:
        return settings.model_copy(update={"strategy": settings.strategy.model_copy(update={"params": own})})
    tree = settings.model_dump()
    tree["strategy"]["params"] = own
    for name, value in knobs.items():
        *above, key = KNOBS[name].split(".")
        node = tree
        for part in above:
            node = node[part]
        node[key] = value
    try:
        return Settings.model_validate(tree)
    except ValueError as error:
        first = str(error).splitlines()[2].strip() if len(str(error).splitlines()) > 2 else str(error)
        raise ConfigError(f"these parameters make no settings: {first}", value=dict(params)) from None


@cache
def _own_names(strategy: str) -> frozenset[str]:
    return frozenset(signature(STRATEGIES[strategy]).parameters)


def obstacles(session: Session) -> tuple[str, ...]:
    """Why a search cannot use the kernel: what that leaves out, and what a search does not tell it; nothing if it can.

    What the gate does to candidates is not among it: they are ranked without, see `ranking`.
    """
    pipeline = replace(session.pipeline, rule_book=None)
    sizing = pipeline.sizing.method
    asked = {"experts": bool(pipeline.experts), f"sizing by {sizing}": sizing != "fixed"}
    untold = [name for name, there in asked.items() if there]
    return tuple(dict.fromkeys([*untold, *unheard(pipeline, session.settings.broker.latency)]))


def ranking(settings: Settings) -> Settings:
    """The terms that candidates are ranked on: of the gate the static limits, and the worst order inside a bar."""
    own = settings.risk.limits
    static = Limits.static().model_copy(
        update={
            name: getattr(own, name)
            for name in ("max_weight", "max_gross", "min_weight", "max_open_orders", "min_order_gap_ms")
        }
    )
    risk = settings.risk.model_copy(update={"limits": static, "rule_book": "none"})
    sim = settings.broker.sim.model_copy(update={"path": "worst"})
    return settings.model_copy(update={"risk": risk, "broker": settings.broker.model_copy(update={"sim": sim})})


def widest(settings: Settings, userdir: Path, space: Space) -> Session:
    """The session that has the history every candidate needs; all of them begin to trade when the slowest can.

    Raises: what `prepare` raises of a corner of the space.
    """
    sessions = [prepare(with_params(settings, space.params(c)), userdir, "optimize") for c in space.corners()]
    longest = min(sessions, key=lambda session: min(int(frame.ts[0]) for frame in session.frames))
    start = max(session.pipeline.trade_from for session in sessions)
    return replace(longest, pipeline=replace(longest.pipeline, trade_from=start), settings=settings)


def kernel_params(session: Session, settings: Settings) -> KernelParams:
    """Account, venue and static gate of the driver's session, as the kernel takes them."""
    return KernelParams(
        instruments=session.pipeline.instruments,
        cash=settings.broker.initial_cash,
        weight=settings.risk.sizing.fixed_weight,
        thresholds=settings.strategy.thresholds,
        stops=settings.risk.stops,
        limits=settings.risk.limits,
        costs=settings.costs,
        latency=settings.broker.latency,
        sim=settings.broker.sim,
        trade_from=session.pipeline.trade_from,
        seed=settings.run.seed,
    )


@dataclass(frozen=True, eq=False)
class Heard:
    """p candidates: their accounts (p,), their scores (p, k, n) and the weights these are blended with (p,)."""

    accounts: NDArray[Any]
    scores: Float64
    voices: Float64


@dataclass(eq=False)
class Bench:
    """A place where candidates are tried: bars, features that several share, and the terms."""

    session: Session
    cap_bytes: int
    history: History = field(init=False)
    _columns: dict[tuple[str, str], Float64] = field(default_factory=dict, init=False)
    _frames: dict[str, FeatureFrame] = field(default_factory=dict, init=False)
    _held: int = field(default=0, init=False)
    _accounts: dict[tuple[tuple[str, Param], ...], NDArray[Any]] = field(default_factory=dict, init=False)
    _table: Float64 = field(default_factory=lambda: np.empty((0, 1, 1)), init=False)

    def __post_init__(self) -> None:
        self.history = History.of(self.session.frames, self.session.observations)
        known = (np.searchsorted(self.history.ts, frame.known_at) for frame in self.history.frames)
        self._rows: list[slice | Int64] = [slice(None) if len(r) == len(self.history) else r for r in known]

    def by_kernel(self, params: Mapping[str, Param], *, details: bool = True) -> KernelRun:
        """One candidate through the kernel. Raises: ConfigError if the strategy fails or leaves [-1, 1]."""
        heard, settings = self.hear([params]), with_params(self.session.settings, params)
        score = (heard.voices[0] * heard.scores[0]) / heard.voices[0]
        return simulate(self.history, Opinions(score=score.T), kernel_params(self.session, settings), details=details)

    def course(self, ends: Int64, *, whole: bool = True) -> Course:
        """What candidates run over, with days that end at `ends` (d,) UTC ms; up to the last of them unless `whole`."""
        return Course.of(self.history, kernel_params(self.session, self.session.settings), ends, whole)

    @property
    def room(self) -> int:
        """How many candidates are heard together."""
        return max(2, min(_MOST, _SCORES // (8 * len(self.history) * len(self.history.symbols))))

    def hear(self, sets: Sequence[Mapping[str, Param]]) -> Heard:
        """Scores and accounts of these candidates, `room` at most; they are overwritten by the next ones.

        Raises: ConfigError if a strategy fails or leaves [-1, 1], or parameters make no settings.
        """
        if len(self._table) < len(sets):
            self._table = np.full((len(sets), len(self.history.symbols), len(self.history)), np.nan)
        table, voices, accounts = self._table[: len(sets)], np.ones(len(sets)), np.empty(len(sets), ACCOUNT)
        for i, params in enumerate(sets):
            settings = with_params(self.session.settings, params)
            strategy = build(STRATEGIES, settings.strategy.name, settings.strategy.params)
            voice = getattr(settings.strategy.weights, strategy.group, 0.0)
            for j, frame in enumerate(self.history.frames):
                score = self._score(strategy, frame, settings.strategy.name)
                table[i, j, self._rows[j]] = score if voice > 0 else np.nan
            voices[i] = voice if voice > 0 else 1.0
            accounts[i] = self._account(settings, params)[0]
        return Heard(accounts, table, voices)

    def _account(self, settings: Settings, params: Mapping[str, Param]) -> NDArray[Any]:
        """The account of a candidate (1,), kept for those that differ in nothing it is told."""
        key = tuple((name, params[name]) for name in KNOBS if name in params)
        if key not in self._accounts:
            self._accounts[key] = account_record(kernel_params(self.session, settings), self.history)
        return self._accounts[key]

    def _score(self, strategy: Strategy, frame: BarFrame, name: str) -> Float64:
        """Scores (n,) of one symbol. Raises: ConfigError."""
        features = self._features(frame, tuple(dict.fromkeys(strategy.features)))
        try:
            found = np.asarray(strategy.score(features, {}), np.float64)
        except Exception as error:
            raise ConfigError(f"strategy {name} failed: {type(error).__name__}: {error}", value=strategy) from error
        wrong = np.abs(found) > 1.0
        if found.shape != (len(frame),) or wrong.any():
            where = f" at {iso(int(frame.known_at[int(np.argmax(wrong))]))}" if wrong.any() else ""
            raise ConfigError(f"strategy {name} must score each bar in [-1, 1]{where}", value=found.shape)
        return found

    def _features(self, frame: BarFrame, specs: tuple[str, ...]) -> FeatureFrame:
        """The features a strategy reads, kept for a candidate that reads the same and overwritten by the next other."""
        kept = self._frames.get(frame.symbol)
        if kept is None or kept.names != specs:
            shape = (len(frame), len(specs))
            values = kept.values if kept is not None and kept.values.shape == shape else np.empty(shape, order="F")
            for i, spec in enumerate(specs):
                values[:, i] = self._column(frame, spec)
            ts = frame.known_at if kept is None else kept.ts
            self._frames[frame.symbol] = kept = FeatureFrame(frame.symbol, ts, specs, values)
        return kept

    def _column(self, frame: BarFrame, spec: str) -> Float64:
        """A feature (n,), kept for the candidates that share it; the oldest give way at the cap."""
        key = (frame.symbol, spec)
        if key not in self._columns:
            column = build_features(frame, (spec,)).values[:, 0]
            self._columns[key], self._held = column, self._held + column.nbytes
            while self._held > self.cap_bytes and len(self._columns) > 1:
                self._held -= self._columns.pop(next(iter(self._columns))).nbytes
        return self._columns[key]

    def by_driver(self, params: Mapping[str, Param], userdir: Path, watch: "Watch | None" = None) -> Account:
        """One candidate through the driver and the whole gate. Raises: Pruned if `watch` gives it up."""
        settings = with_params(self.session.settings, params)
        start = self.session.pipeline.trade_from
        session = prepare(since(settings, start), userdir, "optimize")
        engine, broker, journal = Engine(session.pipeline), sim_broker(session), MemoryJournal()
        run(engine, session.feed(), broker, journal, None if watch is None else watch.over(journal))
        result = assemble(session.pipeline, journal.records, session.traded, {})
        told = result.metrics
        ts, equity = result.curves.ts, result.curves.equity
        return Account(ts, equity, len(result.fills), told["max_drawdown"].value, told["turnover"].value)


@dataclass(eq=False)
class Watch:
    """Looks at a run at these instants (c,), and gives it up where its equity is under the bar (c,) set for it."""

    ts: Sequence[int]
    bars: Sequence[float]
    _journal: MemoryJournal | None = None
    _reached: int = 0

    def over(self, journal: MemoryJournal) -> Callable[[int], None]:
        """The callback of a run that writes to this journal."""
        self._journal = journal
        return self._seen

    def _seen(self, ts: int) -> None:
        while self._reached < len(self.ts) and ts >= self.ts[self._reached]:
            snapshots = self._journal.records.snapshots if self._journal else []
            if snapshots and snapshots[-1].equity < self.bars[self._reached]:
                raise Pruned
            self._reached += 1

    @property
    def account(self) -> Account:
        """The run until it was given up."""
        records = self._journal.records if self._journal else MemoryJournal().records
        ts = np.array([snapshot.ts for snapshot in records.snapshots], np.int64)
        equity = np.array([snapshot.equity for snapshot in records.snapshots], np.float64)
        return Account(ts, equity, len(records.fills), max_drawdown(equity), np.nan)


def since(settings: Settings, start: int) -> Settings:
    """The same settings, traded from that instant (UTC ms) to where they ended."""
    end = (settings.run.timerange or "").partition("-")[2]
    run_settings = settings.run.model_copy(update={"timerange": f"{start}-{end}"})
    return settings.model_copy(update={"run": run_settings})
