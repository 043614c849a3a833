"""The integrity court over a run: in this process, or its checks shared out among several.

Every process prepares the run itself from its settings, and a check depends on nothing else, so the number of
processes changes no figure.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import msgspec
from markupsafe import Markup

from seakeep.app.bootstrap import Session, prepare
from seakeep.app.places import bar_store, results
from seakeep.app.runs import RULING, counted, kept_ruling, manifest, run_id
from seakeep.app.search.studies import inside
from seakeep.app.sections import Settings, StrategySettings
from seakeep.app.variations import rerun
from seakeep.backtest.integrity.band import Band, band
from seakeep.backtest.integrity.court import COURT, QUICK, Case, Integrity, judge, verdict
from seakeep.backtest.integrity.judgement import Check
from seakeep.backtest.integrity.lookahead import look_ahead
from seakeep.backtest.integrity.survivorship import Listing
from seakeep.backtest.integrity.variation import AS_IT_WAS
from seakeep.backtest.kernel.candidates import Venue
from seakeep.backtest.pages.report import render
from seakeep.backtest.result import Result
from seakeep.backtest.saving import save
from seakeep.core.errors import ConfigError, ModelError
from seakeep.core.registry import build
from seakeep.strategy import STRATEGIES

__all__ = ["examine", "glance", "lay", "open_case", "write"]

Seen = Callable[[int], None]
_FAMILIAR = "trend"
"""A strategy that is known to keep its contract."""
_PAGE = "report.html"
_NOTHING = Markup("")
_BAND = "fill band"
_LUCK = "luck"
"""The check that reads the trial ledger: this process makes it, once."""
_FAMILY = ("walk-forward", "cross-validation", "overfitting")
"""Checks that share one family of parameter sets: one process makes all of them."""
_LONG = (("robustness",), ("stress",), ("costs",), _FAMILY)
"""Checks of many reruns: several processes begin with them."""


class _Found(msgspec.Struct, frozen=True):
    """What a process sends back: a check, and the band if that is what it made."""

    check: Check
    band: Band | None = None


def open_case(settings: Settings, userdir: Path) -> Case:
    """Prepare the run, make it once, and lay it before the court. Raises: what `prepare` and the run raise."""
    return lay(prepare(settings, userdir, run_id("backtest", settings)), userdir)


def lay(session: Session, userdir: Path, result: Result | None = None) -> Case:
    """The case of a prepared session; its run is made unless the result is there already.

    What its checks try of the strategy's other parameters is counted in the trial ledger, as the inside of a study of
    this run: it does not stand behind this run, for nothing was chosen by it, but behind any other on these bars.
    """
    again, settings = rerun(session, userdir), session.settings
    made = result or replace(again(AS_IT_WAS), manifest=manifest(session))
    study = inside(made, settings.strategy.params, userdir)
    listings = tuple(
        Listing(entry.symbol, entry.first, entry.last)
        for entry in bar_store(settings, userdir).entries()
        if entry.interval == settings.run.interval
    )
    broker = settings.broker
    return Case(
        made,
        study.counting(again) if study else again,
        session.pipeline,
        session.frames,
        Venue(costs=settings.costs, latency=broker.latency, sim=broker.sim, seed=settings.run.seed),
        session.observations,
        listings,
        study.tried() if study else None,
        settings.integrity,
        partial(study.count, how=settings.integrity.walk_forward) if study else None,
    )


def glance(case: Case) -> Integrity:
    """What every backtest is told: the fill band, and the checks that need no reruns."""
    case = replace(case, band=_band(case))
    return verdict([judge(case, name) for name in QUICK], case.band)


def examine(
    settings: Settings, userdir: Path, workers: int = 1, seen: Seen | None = None
) -> tuple[Result | None, Integrity]:
    """The run and what the whole court says of it; there is no run where the strategy breaks its contract.

    `seen(1)` is called after each check. Raises: what `prepare` and the run raise, of any other cause;
    ModelError if a process died.
    """
    try:
        case = open_case(settings, userdir)
    except ConfigError as error:
        return None, verdict([_broken_contract(settings, userdir, error)], None)
    case = replace(case, result=counted(case.result, settings, userdir, "integrity"))
    found = {}
    for one in _sequential(case) if workers == 1 else _shared(case, settings, userdir, workers):
        found[one.check.name] = one
        if seen is not None:
            seen(1)
    checks = [found[name].check for name in COURT]
    return case.result, verdict(checks, found[_BAND].band)


def _broken_contract(settings: Settings, userdir: Path, error: ConfigError) -> Check:
    """What is wrong with the strategy itself, by bar. Raises: the error, if that is not what stopped the run."""
    familiar = settings.model_copy(update={"strategy": StrategySettings(name=_FAMILIAR)})
    try:
        session = prepare(familiar, userdir, "familiar")
        strategy = build(STRATEGIES, settings.strategy.name, settings.strategy.params)
        check = look_ahead(session.frames, settings.strategy.name, strategy, session.pipeline.experts)
    except Exception:
        raise error from None
    if check.status != "fail":
        raise error
    return check


def _band(case: Case) -> Band | None:
    return band(case.result, case.rerun) if case.result.fills else None


def _serve(case: Case, name: str) -> _Found:
    if name == _BAND:
        case = replace(case, band=_band(case))
    return _Found(judge(case, name), case.band)


def _sequential(case: Case) -> Iterator[_Found]:
    return (_serve(case, name) for name in COURT)


_OPEN: list[Case] = []
"""The case of a worker process, prepared when it starts."""


def _start(settings: str, userdir: str) -> None:
    _OPEN.append(open_case(Settings.model_validate_json(settings), Path(userdir)))


def _work(names: tuple[str, ...]) -> bytes:
    return msgspec.msgpack.encode([_serve(_OPEN[0], name) for name in names])


def _shared(case: Case, settings: Settings, userdir: Path, workers: int) -> Iterator[_Found]:
    started = (settings.model_dump_json(), str(userdir))
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, started) as pool:
        apart = {name for names in _LONG for name in names} | {_LUCK}
        jobs = [pool.submit(_work, names) for names in (*_LONG, *((name,) for name in COURT if name not in apart))]
        yield _serve(case, _LUCK)
        try:
            for job in as_completed(jobs):
                yield from msgspec.msgpack.decode(job.result(), type=list[_Found])
        except BrokenProcessPool as error:
            for job in jobs:
                job.cancel()
            raise ModelError("a process of the court died", remedy="try again with --workers 1") from error


def write(result: Result, court: Integrity, userdir: Path, panel: Markup = _NOTHING) -> Path:
    """Write the run's files with the court's ruling on its page and as integrity.json; returns the page.

    `panel` is what was heard and believed. A quick look does not take the place of the whole ruling on the same trades.
    """
    folder = results(userdir) / result.run_id
    kept = {} if court.whole else kept_ruling(result, folder)
    ruling = msgspec.json.format(msgspec.json.encode(court), indent=2).decode()
    save(result, folder, kept or {_PAGE: render(result, court, panel), RULING: f"{ruling}\n"})
    return folder / _PAGE
