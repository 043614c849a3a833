"""The candidates of a search: which are tried next, what each gave, which are given up; all of them counted and kept.

The kernel takes whole batches, the driver one candidate after the other. What was tried is committed before more is
tried, first to the trial ledger, then to the study; a batch that was cut off is made again and is the same.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from seakeep.app.search.candidates import Account, Bench, Pruned, Watch, obstacles, ranking, widest
from seakeep.app.search.studies import trial_ledger
from seakeep.app.search.studystore import Candidate, StudyStore, written
from seakeep.app.sections import Param, Settings
from seakeep.backtest.kernel.bulk import Runs, try_all
from seakeep.backtest.search.objectives import Periods, cut, objective_of, returns_by_day
from seakeep.backtest.search.plateau import surroundings
from seakeep.backtest.search.space import Estimated, Method, Point, Space, ask, propose
from seakeep.backtest.search.survey import Terms
from seakeep.backtest.trials import Evaluation, evaluation, tallied
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS
from seakeep.data.parts import from_frame
from seakeep.stats.returns import simple_returns

__all__ = ["Question", "Searching", "Seen"]

_COMMIT = 64
"""Candidates of the kernel that are committed together at least: fewer wait for the next ones."""
_COMPARED = 8
"""With fewer candidates to compare with none is given up."""
_WATCHED = 16
"""Candidates of the kernel that run together where some are given up: the next ones are compared with them."""
_TOGETHER = 256
"""Candidates whose worth is worked out together."""
_FIRST_PART = 0.25
"""Share of the days after which the kernel gives up, at the end of the test it falls into."""
_FILLED = 10
"""Candidates whose neighbourhoods are filled up after a search that left holes."""
_ROUNDS = 4
"""What fills a hole may be better than what it surrounds: then its own surroundings are filled up, so many times."""
_MEASURED = 4

Seen = Callable[[int], None]


class Question(Terms, Protocol):
    """What is asked of a search, beside how it chooses."""

    @property
    def method(self) -> Method: ...
    @property
    def trials(self) -> int: ...
    @property
    def folds(self) -> int: ...
    @property
    def memory_mb(self) -> int: ...
    @property
    def prune(self) -> bool | None: ...


@dataclass(eq=False)
class Searching:
    """One search over a space; `known` are the candidates by their parameters as text, in the order of evaluation.

    `obstacles` are why the driver runs them; where there are none the kernel does, and `settings` become its terms.
    """

    settings: Settings
    userdir: Path
    asked: Question
    space: Space
    known: dict[str, Candidate] = field(default_factory=dict)
    counted: int = 0
    resumed: int = 0

    def __post_init__(self) -> None:
        session = widest(self.settings, self.userdir, self.space)
        self.obstacles = obstacles(session)
        self.by_driver = bool(self.obstacles)
        if not self.by_driver:
            self.settings = ranking(self.settings)
            session = replace(session, settings=self.settings)
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
        self._values: dict[str, float] = {}
        self._worths: list[float] = []
        self._fresh: list[tuple[Candidate, Evaluation | None]] = []
        self._prunes = self.by_driver if self.asked.prune is None else self.asked.prune
        ends = [rows.stop for rows in self.tests.test]
        self._rung = next(end for end in ends if end >= _FIRST_PART * len(days))
        if not self.by_driver:
            self._course = self.bench.course(days)
            self._short = self.bench.course(days[: self._rung], whole=False) if self._prunes else None

    @property
    def count(self) -> int:
        """How many candidates are asked for."""
        asked = self.asked
        return min(self.space.size, asked.trials) if asked.trials else self.space.size

    @property
    def about(self) -> dict[str, object]:
        """What has to be the same for two evaluations to be comparable."""
        kept = self.settings.of_a_run()
        kept["strategy"]["params"] = {
            name: value for name, value in kept["strategy"]["params"].items() if name not in self.space.names
        }
        text = msgspec.json.encode(kept, order="sorted")
        return {
            "strategy": self.settings.strategy.name,
            "configuration": hashlib.sha256(text).hexdigest(),
            "history": [self.bars[2], self.start, int(self.tests.ts[-1])],
            "engine": "driver" if self.by_driver else "kernel",
        } | ({} if self.asked.prune is None else {"pruning": self.asked.prune})

    @property
    def name(self) -> str:
        """A name that the same question gives again."""
        text = msgspec.json.encode([self.about, self.space.names, self.asked.method], order="sorted")
        return f"{self.settings.strategy.name}-{self.asked.method}-{hashlib.sha256(text).hexdigest()[:8]}"

    def estimate(self) -> Estimated:
        """Seconds and bytes of a candidate, measured on the first one; it is counted when its turn comes."""
        point = self.space.params(tuple(0 for _ in self.space.names))
        sets = [point] * (1 if self.by_driver else _MEASURED)
        if not self.by_driver:
            self._by_kernel(sets)
        begun = time.perf_counter()
        self._first = self._evaluated(sets)[0]
        seconds = (time.perf_counter() - begun) / len(sets)
        return Estimated(seconds, (4 + 8) * len(self.tests.ts))

    def run(self, store: StudyStore, seen: Seen | None) -> None:
        """Evaluate what is asked for and not known yet, in a fixed order; then fill up the best neighbourhoods."""
        self._keep(list(store.candidates().values()))
        self.resumed = len(self.known)
        for points in self._batches():
            self._try(store, points)
            if seen is not None:
                seen(len(points))
        for _ in range(_ROUNDS if self.asked.method != "grid" or self.asked.trials else 0):
            for points in _parts(iter(self._holes()), self._room):
                self._try(store, points)
        self._commit(store)

    @property
    def _room(self) -> int:
        return 1 if self.by_driver else min(self.bench.room, _WATCHED) if self._prunes else self.bench.room

    def _batches(self) -> Iterator[list[Point]]:
        asked, seed = self.asked, self.settings.run.seed
        if asked.method in ("grid", "random"):
            yield from _parts(propose(self.space, asked.method, asked.trials, seed), self._room)
            return
        for points in ask(self.space, asked.method, self.count, seed, self._worth, self._objectives):
            yield from _parts(iter(points), self._room)

    @property
    def _objectives(self) -> int:
        return 1 if self.asked.method != "nsga2" else 3 if self.asked.turnover else 2

    def _worth(self, point: Point) -> Sequence[float] | None:
        key = written(self.space.params(point))
        candidate = self.known[key]
        if candidate.pruned or not candidate.fills:
            return None
        return [self._values[key], -candidate.drawdown, -candidate.turnover][: self._objectives]

    def _holes(self) -> list[Point]:
        """Points around the best candidates that have not been tried."""
        finished = [key for key, c in self.known.items() if c.fills and not c.pruned]
        finished.sort(key=lambda key: -self._values[key])
        index = [{value: i for i, value in enumerate(values)} for values in self.space.values]
        points = [
            tuple(at[c.params[name]] for name, at in zip(self.space.names, index, strict=True))
            for c in (self.known[key] for key in finished)
            if all(c.params.get(name) in at for name, at in zip(self.space.names, index, strict=True))
        ]
        around = (p for point in points[:_FILLED] for p in surroundings(self.space, point, self.asked.within))
        return [p for p in dict.fromkeys(around) if written(self.space.params(p)) not in self.known]

    def _try(self, store: StudyStore, points: Sequence[Point]) -> None:
        """Evaluate the points that are not known."""
        sets = {written(params): params for params in map(self.space.params, points)}
        fresh = [params for key, params in sets.items() if key not in self.known]
        if not fresh:
            return
        found = [self._first] if self.by_driver and fresh[0] == self._first[0].params else self._evaluated(fresh)
        self._fresh += found
        self._keep([candidate for candidate, _ in found])
        if self.by_driver or len(self._fresh) >= _COMMIT:
            self._commit(store)

    def _keep(self, found: Sequence[Candidate]) -> None:
        """Know these candidates, what each is worth over all (NaN: given up), and at the end of the first part."""
        for part in (found[i : i + _TOGETHER] for i in range(0, len(found), _TOGETHER)):
            keys, days = [written(c.params) for c in part], [c.returns for c in part]
            whole = [i for i, one in enumerate(days) if len(one) == len(self.tests.ts)]
            values = self.score(np.column_stack([days[i] for i in whole])).tolist() if whole else []
            self.known.update(zip(keys, part, strict=True))
            self._values |= dict.fromkeys(keys, np.nan) | {keys[i]: v for i, v in zip(whole, values, strict=True)}
            self._worths += [float(np.prod(1 + one[: self._rung])) for one in days if len(one) >= self._rung]

    def _commit(self, store: StudyStore) -> None:
        """Count the fresh evaluations in the trial ledger, then keep them in the study."""
        if self._fresh:
            trials = [trial for _, trial in self._fresh if trial is not None]
            self.counted += trial_ledger(self.userdir).record(trials)
            store.keep([candidate for candidate, _ in self._fresh])
            self._fresh = []

    def _evaluated(self, sets: Sequence[Mapping[str, Param]]) -> list[tuple[Candidate, Evaluation | None]]:
        return [self._driven(params) for params in sets] if self.by_driver else self._by_kernel(sets)

    def _by_kernel(self, sets: Sequence[Mapping[str, Param]]) -> list[tuple[Candidate, Evaluation | None]]:
        """These candidates over the whole history; of those that fall behind in its first part only that."""
        heard = self.bench.hear(sets)
        lasting = np.ones(len(sets), np.bool_)
        begun = None
        if self._short is not None and len(self._worths) >= _COMPARED:
            begun = try_all(self._short, heard.accounts, heard.scores, heard.voices)
            lasting = np.prod(1 + begun.days.astype("<f4").astype(np.float64), axis=1) >= np.median(self._worths)
        found = {}
        if lasting.any():
            rows = slice(None) if lasting.all() else lasting
            whole = try_all(self._course, heard.accounts[rows], heard.scores[rows], heard.voices[rows])
            found = {i: self._told(sets[i], whole, row) for row, i in enumerate(np.flatnonzero(lasting).tolist())}
        if begun is not None:
            found |= {i: self._told(sets[i], begun, i, pruned=True) for i in np.flatnonzero(~lasting).tolist()}
        return [found[i] for i in range(len(sets))]

    def _told(
        self, params: Mapping[str, Param], tried: Runs, row: int, *, pruned: bool = False
    ) -> tuple[Candidate, Evaluation | None]:
        """A run of the kernel as a candidate and as an evaluation; None if there is no return."""
        raw, fills = tried.days[row].astype("<f4").tobytes(), int(tried.fills[row])
        candidate = Candidate(dict(params), fills, float(tried.drawdown[row]), float(tried.turnover[row]), raw, pruned)
        course, n = self._course, int(tried.moments[row, 0])
        if n < 1:
            return candidate, None
        first, last = course.first + 1, course.first + n
        span = (int(course.grid[first]), int(course.grid[last]))
        sums = tried.sums[row, : int(course.day[last]) + 1]
        told = (*span, tried.sample(row), (span[0] - 1) // DAY_MS, sums)
        return candidate, tallied(self.settings.strategy.name, self._own(params), self.bars, told, source="optimize")

    def _own(self, params: Mapping[str, Param]) -> dict[str, Param]:
        return {**self.settings.strategy.params, **params}

    def _driven(self, params: Mapping[str, Param]) -> tuple[Candidate, Evaluation | None]:
        """One candidate by the driver, given up at the end of a test in which it has fallen behind."""
        watch = self._watch()
        try:
            account, pruned = self.bench.by_driver(params, self.userdir, watch), False
        except Pruned:
            account, pruned = watch.account, True
        days = _on(self.tests.ts, *returns_by_day(account.ts, account.equity), short=pruned)
        raw = days.astype("<f4").tobytes()
        candidate = Candidate(dict(params), account.fills, account.drawdown, account.turnover, raw, pruned)
        return candidate, self._trial(params, account)

    def _watch(self) -> Watch:
        """Given up is what, at the end of a test, is worth less than half of the finished candidates were there."""
        ends = [rows.stop - 1 for rows in self.tests.test[:-1]]
        finished = [c.returns for c in self.known.values() if not c.pruned]
        if len(finished) < _COMPARED or not self._prunes:
            return Watch((), ())
        cash = float(self.settings.broker.initial_cash)
        worth = cash * np.median([np.cumprod(1 + days)[ends] for days in finished], axis=0)
        return Watch(self.tests.ts[ends].tolist(), worth.tolist())

    def _trial(self, params: Mapping[str, Param], account: Account) -> Evaluation | None:
        """The evaluation for the trial ledger; None if there is no return."""
        ruined = np.flatnonzero(account.equity <= 0)
        stop = int(ruined[0]) + 1 if len(ruined) else len(account.equity)
        if stop < 2:
            return None
        returns = simple_returns(np.maximum(account.equity[:stop], 0.0))
        name, ts = self.settings.strategy.name, account.ts[1:stop]
        return evaluation(name, self._own(params), self.bars, ts, returns, source="optimize")

    def finished(self) -> list[Candidate]:
        """Candidates over the whole history that lie in this space."""
        names = set(self.space.names)
        whole = 4 * len(self.tests.ts)
        return [c for c in self.known.values() if not c.pruned and len(c.days) == whole and set(c.params) == names]

    def given_up(self) -> list[Candidate]:
        """Candidates that were not run to the end."""
        return [c for c in self.known.values() if c.pruned]


def _parts(points: Iterator[Point], size: int) -> Iterator[list[Point]]:
    """Points in lists of that many."""
    while part := list(islice(points, size)):
        yield part


def _on(ts: Int64, days: Int64, returns: Float64, *, short: bool) -> Float64:
    """Returns on these days (d,): 0 on those the run has no row for, cut at its last one if it is short."""
    found = np.zeros(len(ts))
    at = np.searchsorted(ts, days)
    inside = at < len(ts)
    found[at[inside]] = returns[inside]
    return found[: int(at[inside][-1]) + 1] if short and inside.any() else found
