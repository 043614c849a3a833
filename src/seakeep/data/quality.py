"""What is wrong with stored bars, how much of it, and what it does to whoever trades on them.

The grade counts kinds of findings, not rows: A has nothing above info, B one warning, C several, D one error,
E two, F three or more.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.units import DAY_MS, interval_ms, iso

__all__ = ["Finding", "QualityReport", "Severity", "check"]

Mask = NDArray[np.bool_]
_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_OUTLIER_SIGMAS = 25.0
_LEAP = 1.0  # log return
_FLAT_BARS = 24
_SEAM_WINDOW = 49


class Severity(StrEnum):
    """Info is a fact of the market, a warning costs accuracy, an error makes results wrong."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True):
    """One kind of defect: how many bars, where it starts, its worst size, and its effect in words."""

    kind: str
    count: int
    first: int
    worst: float
    severity: Severity
    effect: str


class QualityReport(msgspec.Struct, frozen=True):
    """All findings about one symbol and interval, worst first."""

    symbol: str
    interval: str
    rows: int
    first: int
    last: int
    grade: str
    findings: tuple[Finding, ...]


class _View(NamedTuple):
    """`frame` as given; `tidy` in time order without repeats; `joined` (n-1,): is tidy bar i+1 the next after i?"""

    frame: BarFrame
    tidy: BarFrame
    step: int
    joined: Mask
    now: int | None


def check(frame: BarFrame, now: int | None = None) -> QualityReport:
    """Grade the bars of one symbol and interval; with `now` (ms) also whether they are stale or still open.

    The frame may be out of order and hold repeats, NaN and impossible prices: finding them is the point.
    Raises: ValueError if it is empty.
    """
    if not len(frame):
        raise ValueError(f"no bars of {frame.symbol} {frame.interval} to check")
    order = np.argsort(frame.ts, kind="stable")
    order = order[np.append(np.diff(frame.ts[order]) > 0, True)]
    names = ("open", "high", "low", "close", "volume")
    tidy = BarFrame(frame.symbol, frame.interval, frame.ts[order], *(getattr(frame, n)[order] for n in names))
    step = interval_ms(frame.interval)
    view = _View(frame, tidy, step, np.diff(tidy.ts) == step, now)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [f for look in _CHECKS if (f := look(view)) is not None]
    found.sort(key=lambda f: list(Severity)[::-1].index(f.severity))
    first, last = int(tidy.ts[0]), int(tidy.ts[-1])
    return QualityReport(frame.symbol, frame.interval, len(frame), first, last, _grade(found), tuple(found))


def _grade(found: list[Finding]) -> str:
    errors = sum(f.severity is Severity.ERROR for f in found)
    warnings = sum(f.severity is Severity.WARN for f in found)
    return "DEF"[min(errors, 3) - 1] if errors else "ABC"[min(warnings, 2)]


def _at(ts: Int64, bad: Mask, kind: str, worst: float, severity: Severity, effect: str) -> Finding | None:
    """A finding over the bars that `bad` (n,) marks; None if it marks none."""
    count = int(bad.sum())
    if not count:
        return None
    return Finding(kind, count, int(ts[np.argmax(bad)]), float(worst), severity, effect)


def _gaps(view: _View) -> Finding | None:
    missing = np.maximum(np.diff(view.tidy.ts) // view.step - 1, 0)
    if not missing.any():
        return None
    total, longest, at = int(missing.sum()), int(missing.max()), int(np.argmax(missing))
    share = total / (total + len(view.tidy))
    severity = Severity.ERROR if share > 0.05 or longest * view.step >= 7 * DAY_MS else Severity.WARN
    effect = (
        f"{total} missing bars in {np.count_nonzero(missing)} gaps, the longest {longest} before "
        f"{iso(int(view.tidy.ts[at + 1]))}: a stop inside them could not fill"
    )
    first = int(view.tidy.ts[np.argmax(missing > 0)]) + view.step
    return Finding("gap", total, first, float(longest), severity, effect)


def _duplicates(view: _View) -> Finding | None:
    ordered = np.sort(view.frame.ts)
    again = np.append(False, np.diff(ordered) == 0)
    worst = np.unique(ordered, return_counts=True)[1].max()
    effect = "bars share one time: which of them counts is arbitrary"
    return _at(ordered, again, "duplicate", worst, Severity.ERROR, effect)


def _disorder(view: _View) -> Finding | None:
    back = np.append(False, np.diff(view.frame.ts) < 0)
    worst = -np.diff(view.frame.ts, prepend=view.frame.ts[0]).min() / view.step
    effect = "rows step back in time: read in this order, the past would follow the future"
    return _at(view.frame.ts, back, "disorder", worst, Severity.ERROR, effect)


def _off_grid(view: _View) -> Finding | None:
    phase = view.tidy.ts % view.step
    phases, counts = np.unique(phase, return_counts=True)
    off = phase != phases[np.argmax(counts)]
    worst = np.abs(phase - phases[np.argmax(counts)]).max() / view.step
    effect = "opens lie off the grid of the others: no other symbol has a bar at these times"
    return _at(view.tidy.ts, off, "off-grid", worst, Severity.WARN, effect)


def _not_finite(view: _View) -> Finding | None:
    bad = ~np.isfinite(_prices(view.frame)).all(axis=0) | ~np.isfinite(view.frame.volume)
    effect = "NaN or infinity: every indicator over it is lost"
    return _at(view.frame.ts, bad, "not-finite", bad.sum(), Severity.ERROR, effect)


def _not_positive(view: _View) -> Finding | None:
    lowest = _prices(view.frame).min(axis=0)
    bad = (lowest <= 0) | (view.frame.volume < 0)
    effect = "a price that is not above 0, or a volume below 0: returns over it mean nothing"
    return _at(view.frame.ts, bad, "not-positive", lowest.min(), Severity.ERROR, effect)


def _crossed(view: _View) -> Finding | None:
    depth = view.frame.low / view.frame.high - 1.0
    effect = "high below low: no order can be matched against such a bar"
    return _at(view.frame.ts, depth > 0, "high-below-low", np.nanmax(depth), Severity.ERROR, effect)


def _outside(view: _View) -> Finding | None:
    f = view.frame
    excess = np.maximum(np.maximum(f.open, f.close) / f.high, f.low / np.minimum(f.open, f.close)) - 1.0
    bad = (excess > 0) & (f.high >= f.low)
    effect = "open or close outside the bar's range: a limit order could miss a price that traded"
    return _at(f.ts, bad, "outside-range", np.max(excess[bad], initial=0.0), Severity.ERROR, effect)


def _zero_volume(view: _View) -> Finding | None:
    empty = view.tidy.volume == 0
    share = empty.mean()
    effect = f"no trade in {share:.2%} of the bars: the price there is stale and nothing could fill"
    return _at(view.tidy.ts, empty, "zero-volume", share, Severity.WARN if share > 0.01 else Severity.INFO, effect)


def _flat(view: _View) -> Finding | None:
    same = np.append(False, (np.diff(view.tidy.close) == 0) & view.joined)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    long = np.zeros(len(same), bool)
    long[starts[lengths >= _FLAT_BARS]] = True
    worst = int(lengths.max(initial=0))
    effect = f"stretches of {_FLAT_BARS}+ bars without a price change, the longest {worst}: no volatility there"
    return _at(view.tidy.ts, long, "flat", worst, Severity.WARN, effect)


def _outliers(view: _View) -> Finding | None:
    moves = np.log(view.tidy.close[1:] / view.tidy.close[:-1])
    within = moves[view.joined & np.isfinite(moves)]
    sigma = _MAD_TO_SIGMA * np.median(np.abs(within - np.median(within))) if len(within) else 0.0
    if not sigma > 0:
        return None
    size = np.abs(moves) / sigma
    bad = np.append(False, view.joined & (size > _OUTLIER_SIGMAS) & (np.abs(moves) <= _LEAP))
    worst = float(moves[np.argmax(np.where(bad[1:], size, 0.0))]) if bad.any() else 0.0
    effect = (
        f"moves beyond {_OUTLIER_SIGMAS:.0f} robust standard deviations, the largest {worst:+.3f} in logs: "
        "see that they are real; a stop would have slipped far"
    )
    return _at(view.tidy.ts, bad, "outlier", worst, Severity.INFO, effect)


def _reuse(view: _View) -> Finding | None:
    """A gap whose two sides lie e-fold apart, and 8 times further than the market usually drifts in that time."""
    leap = np.abs(np.log(view.tidy.close[1:] / view.tidy.close[:-1]))
    usual = leap[view.joined & np.isfinite(leap)]
    sigma = _MAD_TO_SIGMA * float(np.median(usual)) if len(usual) else 0.0
    drift = sigma * np.sqrt(np.diff(view.tidy.ts) / view.step)
    bad = ~view.joined & (leap > np.maximum(_LEAP, 8.0 * drift))
    if not bad.any():
        return None
    at = int(np.argmax(np.where(bad, leap, 0.0)))
    worst = float(np.log(view.tidy.close[at + 1] / view.tidy.close[at]))
    effect = (
        f"the price is another by {worst:+.2f} in logs after a gap: another coin under the same ticker, or a "
        "redenomination; no return may be taken across it"
    )
    return _at(view.tidy.ts, np.append(False, bad), "ticker-reuse", worst, Severity.ERROR, effect)


def _leaps(view: _View) -> Finding | None:
    move = np.log(view.tidy.close[1:] / view.tidy.close[:-1])
    bad = view.joined & (np.abs(move) > _LEAP)
    worst = float(move[np.nanargmax(np.where(bad, np.abs(move), 0.0))]) if bad.any() else 0.0
    effect = f"more than e-fold in one bar, the largest {worst:+.2f} in logs: a collapse, or a redenomination"
    return _at(view.tidy.ts, np.append(False, bad), "leap", worst, Severity.WARN, effect)


def _seams(view: _View) -> Finding | None:
    """A bar stored before it closed shows as a close far from the next open, against the size of bars around it."""
    if len(view.tidy) <= _SEAM_WINDOW:
        return None
    seam = np.where(view.joined, np.abs(np.log(view.tidy.open[1:] / view.tidy.close[:-1])), 0.0)
    usual, span = _rolling_median(seam), _rolling_median(np.log(view.tidy.high / view.tidy.low)[:-1])
    ticks = 5.0 * np.diff(np.unique(view.tidy.close), prepend=-np.inf).min() / view.tidy.close[:-1]
    bad = np.append((span > 0) & (seam > 0.2 * span) & (seam > 20.0 * usual) & (seam > ticks), False)
    share = bad.mean()
    said = "perhaps stored before the bar ended" if share < 0.002 else "this market's bars do not join"
    severity = Severity.WARN if share < 0.002 else Severity.INFO
    effect = f"close far from the next open: {said}, so it may not be a price one could have had"
    return _at(view.tidy.ts, bad, "seam", np.max(seam[bad[:-1]], initial=0.0), severity, effect)


def _rolling_median(values: Float64) -> Float64:
    """Median of the 49 values around each (n,), the ends taking that of the nearest full window."""
    half = _SEAM_WINDOW // 2
    middle: Float64 = np.median(sliding_window_view(values, _SEAM_WINDOW), axis=1)
    return np.pad(middle, (half, len(values) - len(middle) - half), mode="edge")


def _unclosed(view: _View) -> Finding | None:
    if view.now is None:
        return None
    bad = view.frame.known_at > view.now
    effect = "not closed yet: close, range and volume will still change"
    return _at(view.frame.ts, bad, "unclosed", bad.sum(), Severity.ERROR, effect)


def _stale(view: _View) -> Finding | None:
    age = 0.0 if view.now is None else (view.now - int(view.tidy.known_at[-1])) / view.step
    bad = np.arange(len(view.tidy)) == (len(view.tidy) - 1 if age > 3 else -1)
    effect = f"the newest bar closed {age:.0f} bars ago: too old to act on, unless trading has ended"
    return _at(view.tidy.ts, bad, "stale", age, Severity.INFO, effect)


def _prices(frame: BarFrame) -> Float64:
    return np.stack([frame.open, frame.high, frame.low, frame.close])


_CHECKS: tuple[Callable[[_View], Finding | None], ...] = (
    _not_finite, _not_positive, _crossed, _outside, _duplicates, _disorder, _off_grid, _unclosed,
    _reuse, _leaps, _gaps, _seams, _flat, _zero_volume, _outliers, _stale,
)  # fmt: skip
