"""A search over parameters from end to end: candidates tried and counted, the plateau chosen, the winner confirmed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seakeep.app.search.candidates import since, with_params
from seakeep.app.search.confirmation import Confirmed, confirm
from seakeep.app.search.searching import Searching, Seen
from seakeep.app.search.studies import trial_ledger
from seakeep.app.search.studystore import checked_name, open_study
from seakeep.app.sections import Param, Settings
from seakeep.backtest.search.objectives import Objective
from seakeep.backtest.search.plateau import Rule
from seakeep.backtest.search.space import Method, Space
from seakeep.backtest.search.survey import Survey, survey
from seakeep.backtest.sharpeline import SharpeLine, judge
from seakeep.backtest.trials import Scope, evaluation
from seakeep.stats.returns import simple_returns

__all__ = ["Asked", "Optimum", "optimize"]


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
    prune: bool | None = None


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
    space = Space.of(asked.space)
    checked_name(asked.study or "study")
    took = _Clock()
    search = Searching(settings, userdir, asked, space)
    took.mark("prepare")
    search.estimate().refuse(space, search.count, asked.memory_mb << 20)
    took.mark("first run")
    with open_study(userdir / "studies", asked.study or search.name) as store:
        store.agree(search.about)
        search.run(store, seen)
        took.mark("candidates")
        found = survey(space, search.finished(), search.tests, asked, search.score, search.given_up())
        took.mark("choice")
    best, stem = found.chosen.params, userdir / "studies" / (asked.study or search.name)
    shown, ranked = (since(with_params(terms, best), search.start) for terms in (settings, search.settings))
    confirmed = confirm(shown, None if search.by_driver else ranked, userdir, stem)
    took.mark("driver")
    judged, procedure, more = _judge(search, found, confirmed)
    took.mark("judgement")
    return Optimum(
        asked=asked,
        study=asked.study or search.name,
        engine="driver" if search.by_driver else "kernel",
        obstacles=search.obstacles,
        settings=settings,
        start=search.start,
        survey=found,
        confirmed=confirmed,
        judged=judged,
        procedure=procedure,
        counted=search.counted + more,
        resumed=search.resumed,
        pruned=len(search.given_up()),
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


def _judge(search: Searching, found: Survey, confirmed: Confirmed) -> tuple[SharpeLine, SharpeLine, int]:
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
