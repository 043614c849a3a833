"""A search over parameters from end to end: candidates tried and counted, the plateau chosen, the winner confirmed."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from seakeep.app.candidates import (
    Account,
    Bench,
    Pruned,
    Watch,
    obstacles,
    ranking,
    since,
    through_kernel,
    widest,
    with_params,
)
from seakeep.app.confirmation import Confirmed, confirm
from seakeep.app.sections import Param, Settings
from seakeep.app.studies import trial_ledger
from seakeep.app.studystore import Candidate, StudyStore, checked_name, open_study, written
from seakeep.backtest.objectives import Objective, Periods, cut, objective_of, returns_by_day
from seakeep.backtest.plateau import Rule, surroundings
from seakeep.backtest.search import Estimated, Method, Point, Space, ask, propose
from seakeep.backtest.sharpeline import SharpeLine, judge
from seakeep.backtest.survey import Survey, survey
from seakeep.backtest.trials import Evaluation, Scope, evaluation
from seakeep.core.market import Float64, Int64
from seakeep.data.parts import from_frame
from seakeep.stats.returns import simple_returns

__all__ = ["Asked", "Optimum", "optimize"]

_BATCH = 64
"""Candidates that are counted and committed together; what a crash loses at most is this many milliseconds' work."""
_COMPARED = 8
"""With fewer finished candidates none is given up."""
_FILLED = 10
"""Candidates whose neighbourhoods are filled up after a search that left holes."""

_ROUNDS = 4
"""What fills a hole may be better than what it surrounds: then its own surroundings are filled up, so many times."""

Seen = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a search; see the options of `seakeep optimize`."""

    space: Mapping[str, Sequence[Param]]
    method: Method = "grid"
    trials: int = 0
    objective: Objective = "sharpe"
    rule: Rule = "worst"
    within: float = 0.2
    folds: int = 8
    study: str = ""
    memory_mb: int = 1024
    turnover: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimum:
    """A finished search: what it surveyed, the winner confirmed and judged, and what it took (seconds by part)."""

    asked: Asked
    study: str
    engine: str
    obstacles: tuple[str, ...]
    settings: Settings
    start: int
    survey: Survey
    confirmed: Confirmed
    judged: SharpeLine
    procedure: SharpeLine
    counted: int
    resumed: int
    pruned: int
    seconds: Mapping[str, float]


def optimize(settings: Settings, userdir: Path, asked: Asked, seen: Seen | None = None) -> Optimum:
    """Search, choose, confirm by the driver in a process of its own, and judge; every evaluation is counted.

    `seen(1)` is called after each candidate.

    Raises: ConfigError for what cannot be searched, with an estimate where it is too large; NotEnoughHistory, DataError
    and LedgerError, each saying what to do.
    """
    space, lacking = Space.of(asked.space), obstacles(settings)
    checked_name(asked.study or "study")
    terms = settings if lacking else ranking(settings)
    took = _Clock()
    search = _Search(terms, userdir, asked, space, by_driver=bool(lacking))
    took.mark("prepare")
    search.estimate().refuse(space, search.count, asked.memory_mb << 20)
    took.mark("first run")
    with open_study(userdir / "studies", asked.study or search.name) as store:
        store.agree(search.about)
        search.run(store, seen)
        took.mark("candidates")
        found = survey(space, search.finished(), search.tests, asked, search.score)
        took.mark("choice")
    best, stem = found.chosen.params, userdir / "studies" / (asked.study or search.name)
    shown = since(with_params(settings, best), search.start)
    confirmed = confirm(shown, None if lacking else since(with_params(terms, best), search.start), userdir, stem)
    took.mark("driver")
    judged, procedure, more = _judge(search, found, confirmed)
    took.mark("judgement")
    return Optimum(
        asked=asked,
        study=asked.study or search.name,
        engine="driver" if lacking else "kernel",
        obstacles=lacking,
        settings=settings,
        start=search.start,
        survey=found,
        confirmed=confirmed,
        judged=judged,
        procedure=procedure,
        counted=search.counted + more,
        resumed=search.resumed,
        pruned=sum(c.pruned for c in search.known.values()),
        seconds=took.seconds,
    )


class _Clock:
    """Seconds by part of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, part: str) -> None:
        """What passed since the last mark belongs to this part."""
        now = time.perf_counter()
        self.seconds[part], self._last = now - self._last, now


@dataclass(eq=False)
class _Search:
    """The candidates of one search: which there are, what each gave, and where they are kept."""

    settings: Settings
    userdir: Path
    asked: Asked
    space: Space
    by_driver: bool
    known: dict[str, Candidate] = field(default_factory=dict)
    counted: int = 0
    resumed: int = 0

    def __post_init__(self) -> None:
        session = widest(self.settings, self.userdir, self.space)
        self.bench = Bench(session, self.asked.memory_mb << 19)
        self.start = session.pipeline.trade_from
        history = self.bench.history
        lived = history.ts[history.ts >= self.start]
        days, _ = returns_by_day(lived, np.ones(len(lived))) if len(lived) > 1 else (np.empty(0, np.int64), None)
        self.tests: Periods = cut(days, self.asked.folds)
        self.score = objective_of(self.tests, self.asked.objective)
        hashes = {frame.symbol: from_frame(frame).digest() for frame in session.frames}
        joint = hashlib.sha256(msgspec.json.encode(sorted(hashes.items()))).hexdigest()
        run = self.settings.run
        self.bars: tuple[Sequence[str], str, str] = (run.symbols, run.interval, joint)
        self._fresh: list[tuple[Candidate, Evaluation | None]] = []
        self._paths: list[Float64] = []

    @property
    def count(self) -> int:
        """How many candidates are asked for."""
        asked = self.asked
        return min(self.space.size, asked.trials) if asked.trials else self.space.size

    @property
    def about(self) -> dict[str, object]:
        """What has to be the same for two evaluations to be comparable."""
        kept = self.settings.model_dump(mode="json", exclude={"ledger", "training", "web"})
        kept["strategy"]["params"] = {
            name: value for name, value in kept["strategy"]["params"].items() if name not in self.space.names
        }
        text = msgspec.json.encode(kept, order="sorted")
        return {
            "strategy": self.settings.strategy.name,
            "configuration": hashlib.sha256(text).hexdigest(),
            "history": [self.bars[2], self.start, int(self.tests.ts[-1])],
            "engine": "driver" if self.by_driver else "kernel",
        }

    @property
    def name(self) -> str:
        """A name that the same question gives again."""
        text = msgspec.json.encode([self.about, self.space.names, self.asked.method], order="sorted")
        return f"{self.settings.strategy.name}-{self.asked.method}-{hashlib.sha256(text).hexdigest()[:8]}"

    def estimate(self) -> Estimated:
        """Seconds and bytes of a candidate, measured on a first one; it is counted like any other."""
        point = tuple(0 for _ in self.space.names)
        if self.count > 1 and not self.by_driver:
            self.bench.by_kernel(self.space.params(point))
        begun = time.perf_counter()
        self._first = (point, self._evaluate(point))
        seconds = time.perf_counter() - begun
        return Estimated(seconds, 4 * len(self.tests.ts) + 8 * len(self.tests.ts))

    def run(self, store: StudyStore, seen: Seen | None) -> None:
        """Evaluate what is asked for and not known yet, in a fixed order; then fill up the best neighbourhoods."""
        self.known = store.candidates()
        self.resumed = len(self.known)
        for point in self._points():
            self._try(store, point)
            if seen is not None:
                seen(1)
        if self.asked.method != "grid" or self.asked.trials:
            for point in (point for _ in range(_ROUNDS) for point in self._holes()):
                self._try(store, point)
        self._commit(store)

    def _points(self) -> Iterator[Point]:
        method, seed = self.asked.method, self.settings.run.seed
        if method in ("grid", "random"):
            return propose(self.space, method, self.asked.trials, seed)
        return ask(self.space, method, self.count, seed, self._worth, 3 if self.asked.turnover else self._objectives)

    @property
    def _objectives(self) -> int:
        return 2 if self.asked.method == "nsga2" else 1

    def _worth(self, point: Point) -> Sequence[float] | None:
        candidate = self.known[written(self.space.params(point))]
        if candidate.pruned or not candidate.fills:
            return None
        worth = [float(self.score(candidate.returns)), -candidate.drawdown, -candidate.turnover]
        return worth[: 3 if self.asked.turnover and self.asked.method == "nsga2" else self._objectives]

    def _holes(self) -> list[Point]:
        """Points around the best candidates that have not been tried."""
        finished = [c for c in self.known.values() if c.fills and not c.pruned]
        finished.sort(key=lambda c: -float(self.score(c.returns)))
        index = [{value: i for i, value in enumerate(values)} for values in self.space.values]
        points = [
            tuple(at[c.params[name]] for name, at in zip(self.space.names, index, strict=True))
            for c in finished
            if all(c.params.get(name) in at for name, at in zip(self.space.names, index, strict=True))
        ]
        around = (p for point in points[:_FILLED] for p in surroundings(self.space, point, self.asked.within))
        return list(dict.fromkeys(around))

    def _try(self, store: StudyStore, point: Point) -> None:
        key = written(self.space.params(point))
        if key in self.known:
            return
        first = self._first if self._first[0] == point else None
        candidate, trial = first[1] if first else self._evaluate(point)
        self.known[key] = candidate
        self._fresh.append((candidate, trial))
        if len(self._fresh) >= (1 if self.by_driver else _BATCH):
            self._commit(store)

    def _commit(self, store: StudyStore) -> None:
        """Count the fresh evaluations in the trial ledger, then keep them in the study."""
        if self._fresh:
            trials = [trial for _, trial in self._fresh if trial is not None]
            self.counted += trial_ledger(self.userdir).record(trials)
            store.keep([candidate for candidate, _ in self._fresh])
            self._fresh = []

    def _evaluate(self, point: Point) -> tuple[Candidate, Evaluation | None]:
        params = self.space.params(point)
        if not self.by_driver:
            return self._told(params, through_kernel(self.bench.by_kernel(params)), pruned=False)
        watch = self._watch()
        try:
            account, pruned = self.bench.by_driver(params, self.userdir, watch), False
        except Pruned:
            account, pruned = watch.account, True
        return self._told(params, account, pruned=pruned)

    def _watch(self) -> Watch:
        """Given up is what, at the end of a test, is worth less than half of the finished candidates were there."""
        ends = [rows.stop - 1 for rows in self.tests.test[:-1]]
        finished = [c.returns for c in self.known.values() if not c.pruned]
        if len(finished) < _COMPARED:
            return Watch((), ())
        cash = float(self.settings.broker.initial_cash)
        worth = cash * np.median([np.cumprod(1 + days)[ends] for days in finished], axis=0)
        return Watch(self.tests.ts[ends].tolist(), worth.tolist())

    def _told(
        self, params: Mapping[str, Param], account: Account, *, pruned: bool
    ) -> tuple[Candidate, Evaluation | None]:
        days = _on(self.tests.ts, *returns_by_day(account.ts, account.equity), short=pruned)
        raw = days.astype("<f4").tobytes()
        candidate = Candidate(dict(params), account.fills, account.drawdown, account.turnover, raw, pruned)
        return candidate, self._trial(params, account)

    def _trial(self, params: Mapping[str, Param], account: Account) -> Evaluation | None:
        """The evaluation for the trial ledger; None if there is no return."""
        ruined = np.flatnonzero(account.equity <= 0)
        stop = int(ruined[0]) + 1 if len(ruined) else len(account.equity)
        if stop < 2:
            return None
        returns = simple_returns(np.maximum(account.equity[:stop], 0.0))
        own = {**self.settings.strategy.params, **params}
        return evaluation(self.settings.strategy.name, own, self.bars, account.ts[1:stop], returns, source="optimize")

    def finished(self) -> list[Candidate]:
        """Candidates over the whole history that lie in this space."""
        names = set(self.space.names)
        whole = 4 * len(self.tests.ts)
        return [c for c in self.known.values() if not c.pruned and len(c.days) == whole and set(c.params) == names]


def _on(ts: Int64, days: Int64, returns: Float64, *, short: bool) -> Float64:
    """Returns on these days (d,): 0 on those the run has no row for, cut at its last one if it is short."""
    found = np.zeros(len(ts))
    at = np.searchsorted(ts, days)
    inside = at < len(ts)
    found[at[inside]] = returns[inside]
    return found[: int(at[inside][-1]) + 1] if short and inside.any() else found


def _judge(search: _Search, found: Survey, confirmed: Confirmed) -> tuple[SharpeLine, SharpeLine, int]:
    """The Sharpe lines of the winner as the driver made it, and of choosing like this; how many trials were new."""
    ledger, interval = trial_ledger(search.userdir), search.settings.run.interval
    ts, equity = confirmed.ts, confirmed.equity
    alive = equity[: int(np.argmax(equity <= 0))] if (equity <= 0).any() else equity
    scope = Scope(symbols=tuple(search.settings.run.symbols), start=int(ts[0]), stop=int(ts[-1]))
    family = found.family
    judged = judge(simple_returns(alive) if len(alive) > 1 else np.empty(0), interval, ledger.search(scope), family)
    name = f"{search.settings.strategy.name} (optimize)"
    asked = search.asked
    how = {"method": asked.method, "objective": asked.objective, "rule": asked.rule, "sets": family.shape[1]}
    choice = evaluation(
        name, how, (search.bars[0], "1d", search.bars[2]), found.nested_ts, found.nested, source="optimize"
    )
    new = ledger.record([choice])
    return judged, judge(found.nested, "1d"), new
