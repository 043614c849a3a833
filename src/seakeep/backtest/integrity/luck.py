"""Whether the Sharpe ratio could be luck, given all that was tried on the same bars.

Two judgements of a search: the deflated Sharpe ratio, from how many ideas there were and how far they spread; and,
where several were counted on the same days, Hansen's test that the best of them earns at all, with White's reality
check.
"""

import math

from seakeep.backtest.integrity.judgement import Check, Status
from seakeep.backtest.integrity.tried import Tried
from seakeep.backtest.notation import duration, percent, plain
from seakeep.backtest.sharpeline import SharpeLine
from seakeep.core.errors import NotEnoughHistory
from seakeep.stats.performance import LEVEL
from seakeep.stats.spa import Snooping, spa

__all__ = ["luck", "snooping"]


def snooping(family: Tried | None, seed: int = 0) -> tuple[Snooping, Snooping] | None:
    """Hansen's test and White's reality check of all that was tried against cash; None for a lone trial, or one too
    short to resample."""
    if family is None or family.returns.shape[1] < 2:
        return None
    try:
        hansen, white = (spa(family.returns, studentize=by_error, seed=seed) for by_error in (True, False))
    except NotEnoughHistory:
        return None
    return hansen, white


def luck(line: SharpeLine, family: Tried | None = None, seed: int = 0) -> Check:
    """Passes at a deflated Sharpe ratio of 95 %, and where several were tried if Hansen's test is as sure of the best;
    fails where luck alone is the likelier cause, or skill is refuted."""
    if math.isnan(line.dsr):
        return Check(name="luck", status="not judged", reason=f"{line.sharpe.n} returns say nothing about skill")
    tests = snooping(family, seed)
    shown = line.passes and (tests is None or tests[0].consistent <= 1 - LEVEL)
    status: Status = "pass" if shown else "fail" if line.dsr < 0.5 or line.sharpe.high <= 0 else "warn"
    ends = f"{plain(line.sharpe.low)} to {plain(line.sharpe.high)}"
    tried = "the only trial" if line.search.trials <= 1 else f"the best of {line.search.trials} trials"
    reason = (
        f"Sharpe {plain(line.sharpe.value)} ({ends}) as {tried}: {percent(line.dsr, 1)} sure to be above what luck "
        f"would show"
    )
    if tests is not None and family is not None:
        reason += f"; the best of {family.total} that were counted earns nothing with p = {tests[0].consistent:.2g}"
    figures: tuple[tuple[str, float | str], ...] = (
        ("probabilistic Sharpe ratio, %", 100 * line.psr),
        ("deflated Sharpe ratio, %", 100 * line.dsr),
        ("Sharpe that luck alone would show", line.luck),
        ("trials on these bars", float(line.search.trials)),
        ("trials that are ideas of their own", line.search.effective),
        ("record there is", duration(line.record_ms)),
        ("record it would take", duration(line.needed_ms)),
        *(() if tests is None else _snooped(*tests)),
    )
    return Check(name="luck", status=status, reason=reason, figures=figures)


def _snooped(hansen: Snooping, white: Snooping) -> tuple[tuple[str, float | str], ...]:
    return (
        ("p of the best of them, Hansen's test", hansen.consistent),
        ("p by White's reality check", white.upper),
        ("of them better than cash for sure (stepwise)", float(len(hansen.better))),
    )
