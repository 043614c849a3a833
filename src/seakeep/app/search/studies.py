"""Studies of a strategy on stored bars, and the counting of every evaluation in the trial ledger."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np

from seakeep.app.bootstrap import prepare, sim_broker
from seakeep.app.places import bar_store
from seakeep.app.sections import Settings
from seakeep.backtest.driver import backtest
from seakeep.backtest.integrity.family import Family
from seakeep.backtest.integrity.nested import WalkForwardParams, studies
from seakeep.backtest.integrity.tried import Tried, tried
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.notation import duration
from seakeep.backtest.result import Result
from seakeep.backtest.search.folds import WalkForward
from seakeep.backtest.search.walkforward import Curve, Job, Param, Params, Study, walk_forward
from seakeep.backtest.sharpeline import SharpeLine, judge
from seakeep.backtest.trials import Evaluation, Scope, TrialLedger, evaluation
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.core.units import parse_timerange
from seakeep.data.parts import from_frame
from seakeep.stats.returns import simple_returns

__all__ = ["Inside", "Judged", "count", "earned", "inside", "study", "trial_ledger"]

Each = Callable[[Callable[[Job], Curve], Sequence[Job]], Iterable[Curve]]


class Judged(msgspec.Struct, frozen=True):
    """A walk-forward and its Sharpe line; `counted` evaluations of it were new to the trial ledger."""

    study: Study
    line: SharpeLine
    counted: int


def trial_ledger(userdir: Path) -> TrialLedger:
    """The trial ledger of the user folder."""
    return TrialLedger(userdir / "trials.db")


def earned(ts: Int64, equity: Float64) -> Curve:
    """Returns of an account (n,) to (n - 1,), each at its instant; after ruin there are none."""
    ruined = np.flatnonzero(equity <= 0)
    stop = int(ruined[0]) + 1 if len(ruined) else len(equity)
    returns = simple_returns(np.maximum(equity[:stop], 0.0)) if stop > 1 else np.empty(0)
    return Curve(ts[1:stop], returns)


def count(result: Result, params: Params, userdir: Path, source: str = "api") -> SharpeLine:
    """Count a finished run in the trial ledger, and judge it beside all that was tried on the same bars.

    What the court tried of this run's parameters is the inside of a study of this run and left out: nothing was chosen
    by it. The manifest must name the hash of the bars of each symbol. A run too short for a return is judged, not
    counted. Raises: LedgerError if the trial cannot be recorded: what is not counted must not be shown.
    """
    trial = _of_run(result, params, source)
    if trial is None:
        return judge(np.empty(0), result.interval)
    ledger = trial_ledger(userdir)
    ledger.record([trial])
    scope = msgspec.structs.replace(_scope(trial), besides=_inside(trial))
    return judge(earned(result.curves.ts, result.curves.equity).returns, result.interval, ledger.search(scope))


def _of_run(result: Result, params: Params, source: str) -> Evaluation | None:
    """A run as the trial ledger has it; None if it is too short for a return."""
    curve = earned(result.curves.ts, result.curves.equity)
    if not len(curve.ts):
        return None
    return evaluation(result.strategy, params, _bars(result), curve.ts, curve.returns, source=source)


def _bars(result: Result) -> tuple[Sequence[str], str, str]:
    data: Mapping[str, Mapping[str, object]] = result.manifest["data"]  # type: ignore[assignment]
    joint = _joint({symbol: str(held["hash"]) for symbol, held in data.items()})
    return result.symbols, result.interval, joint


def _inside(trial: Evaluation) -> str:
    """The study of what the court tries around this evaluation."""
    return f"court {trial.key[:16]}"


@dataclass(frozen=True, eq=False)
class Inside:
    """What the court tries of a run's parameters, counted as the inside of a study of that run."""

    own: Evaluation
    params: Params
    ledger: TrialLedger

    @property
    def name(self) -> str:
        """The study."""
        return _inside(self.own)

    def tried(self) -> Tried:
        """What was counted on the days of the run, this study left out."""
        return tried(self.ledger, self.own, self.name)

    def counting(self, rerun: Rerun) -> Rerun:
        """The same reruns; those with other parameters and all else as it was are counted."""

        def run(variation: Variation) -> Result:
            result = rerun(variation)
            curve = earned(result.curves.ts, result.curves.equity)
            if variation.params and variation == Variation(params=variation.params) and len(curve.ts):
                self.ledger.record([self._trial(dict(variation.params), curve, self.own.interval)])
            return result

        return run

    def count(self, members: Family, how: WalkForwardParams) -> None:
        """Count a family by its days, and the two results of walking forward over it where it is long enough."""
        columns = zip(members.points, members.returns.T, strict=True)
        others = [self._trial(p, Curve(members.ts, r)) for j, (p, r) in enumerate(columns) if j != members.own]
        try:
            walked = studies(members, how)
        except NotEnoughHistory:
            walked = {}
        words: Params = {"train_days": how.train_days, "test_days": how.test_days, "sets": len(members.points)}
        name = f"{self.own.strategy} (walk-forward)"
        chosen = [self._trial({**words, "windows": k}, s.curve, strategy=name) for k, s in walked.items()]
        self.ledger.record([*others, *chosen])

    def _trial(self, moved: Params, curve: Curve, interval: str = "1d", strategy: str = "") -> Evaluation:
        bars, name = (self.own.symbols, interval, self.own.data), strategy or self.own.strategy
        params = {**self.params, **moved}
        return evaluation(name, params, bars, curve.ts, curve.returns, study=self.name, source="integrity")


def inside(result: Result, params: Params, userdir: Path) -> Inside | None:
    """The study the court makes around a run; None where the run is too short for a return."""
    own = _of_run(result, params, "integrity")
    return Inside(own, dict(params), trial_ledger(userdir)) if own else None


def study(
    settings: Settings,
    userdir: Path,
    grid: Mapping[str, Sequence[Param]],
    scheme: WalkForward,
    workers: int = 1,
    seen: Callable[[int], None] | None = None,
) -> Judged:
    """Walk forward over the stored bars with the driver; every parameter set and the choices are counted.

    Raises: ConfigError, DataError or NotEnoughHistory, each saying what to do.
    """
    run = settings.run
    store, asked = bar_store(settings, userdir), parse_timerange(run.timerange) if run.timerange else (None, None)
    frames = [store.read(symbol, run.interval, *asked) for symbol in run.symbols]
    span = (min(int(f.ts[0]) for f in frames), max(int(f.known_at[-1]) for f in frames))
    evaluate = partial(_window, settings, userdir)
    with _spread(workers, seen or (lambda _: None)) as each:
        done = walk_forward(evaluate, grid, scheme, span, each)
    bars = (run.symbols, run.interval, _joint({f.symbol: from_frame(f).digest() for f in frames}))
    trials = _trials(done, settings, bars, scheme)
    ledger = trial_ledger(userdir)
    counted = ledger.record(trials)
    search = ledger.search(msgspec.structs.replace(_scope(trials[-1]), besides=trials[0].study))
    return Judged(done, judge(done.curve.returns, run.interval, search, done.family), counted)


def _window(settings: Settings, userdir: Path, params: Params, start: int, stop: int) -> Curve:
    """What these parameters earn on [start, stop), by the driver, from a fresh account."""
    strategy = settings.strategy.model_copy(update={"params": {**settings.strategy.params, **params}})
    run = settings.run.model_copy(update={"timerange": f"{start}-{stop}"})
    session = prepare(settings.model_copy(update={"strategy": strategy, "run": run}), userdir, "walk-forward")
    result = backtest(session.pipeline, session.feed(), sim_broker(session), session.traded, {})
    return earned(result.curves.ts, result.curves.equity)


def _trials(
    done: Study, settings: Settings, bars: tuple[Sequence[str], str, str], scheme: WalkForward
) -> tuple[Evaluation, ...]:
    """The parameter sets, as the inside of one study; then its choices, which are a result of their own."""
    name, ts = settings.strategy.name, done.curve.ts
    how = f"{'anchored ' if scheme.anchored else ''}{duration(scheme.train_ms)}, then {duration(scheme.test_ms)}"
    words = msgspec.json.encode([name, how, done.points, settings.strategy.params, bars], order="sorted")
    inside = hashlib.sha256(words).hexdigest()[:16]
    sets = [
        evaluation(name, {**settings.strategy.params, **point}, bars, ts, column, study=inside, source="walk-forward")
        for point, column in zip(done.points, done.family.T, strict=True)
    ]
    chosen: Params = {"windows": how, "sets": len(done.points), "study": inside}
    return (*sets, evaluation(f"{name} (walk-forward)", chosen, bars, ts, done.curve.returns, source="walk-forward"))


def _scope(trial: Evaluation) -> Scope:
    return Scope(symbols=trial.symbols, start=trial.start, stop=trial.stop)


def _joint(hashes: Mapping[str, str]) -> str:
    """One hash for the bars of several symbols."""
    return hashlib.sha256(msgspec.json.encode(sorted(hashes.items()))).hexdigest()


@contextmanager
def _spread(workers: int, seen: Callable[[int], None]) -> Iterator[Each]:
    """A `map` over this process or several, that tells of each run done; the order of results is that of the jobs."""

    def told(curves: Iterable[Curve]) -> Iterator[Curve]:
        for curve in curves:
            seen(1)
            yield curve

    if workers <= 1:
        yield lambda call, jobs: told(map(call, jobs))
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield lambda call, jobs: told(pool.map(call, jobs, chunksize=4))
