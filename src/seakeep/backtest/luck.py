"""Whether the Sharpe ratio could be luck, given all that was tried on the same bars."""

import math

from seakeep.backtest.judgement import Check, Status
from seakeep.backtest.notation import duration, percent, plain
from seakeep.backtest.sharpeline import SharpeLine

__all__ = ["luck"]


def luck(line: SharpeLine) -> Check:
    """Passes at a deflated Sharpe ratio of 95 %; fails where luck alone is the likelier cause, or skill is refuted."""
    if math.isnan(line.dsr):
        return Check(name="luck", status="not judged", reason=f"{line.sharpe.n} returns say nothing about skill")
    status: Status = "pass" if line.passes else "fail" if line.dsr < 0.5 or line.sharpe.high <= 0 else "warn"
    ends = f"{plain(line.sharpe.low)} to {plain(line.sharpe.high)}"
    tried = "the only trial" if line.search.trials <= 1 else f"the best of {line.search.trials} trials"
    reason = (
        f"Sharpe {plain(line.sharpe.value)} ({ends}) as {tried}: {percent(line.dsr, 1)} sure to be above what luck "
        f"would show"
    )
    figures = (
        ("probabilistic Sharpe ratio, %", 100 * line.psr),
        ("deflated Sharpe ratio, %", 100 * line.dsr),
        ("Sharpe that luck alone would show", line.luck),
        ("trials on these bars", float(line.search.trials)),
        ("trials that are ideas of their own", line.search.effective),
        ("record there is", duration(line.record_ms)),
        ("record it would take", duration(line.needed_ms)),
    )
    return Check(name="luck", status=status, reason=reason, figures=figures)
