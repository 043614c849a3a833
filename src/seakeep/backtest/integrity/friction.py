"""What the market may take: a slower line, dearer trades, and orders too large for the volume of their bar."""

import math
from collections.abc import Callable

import msgspec
import numpy as np

from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.notation import percent, plain
from seakeep.backtest.result import Result
from seakeep.brokers.latency import LatencyParams
from seakeep.core.market import BarFrame, Float64
from seakeep.core.orders import Fill
from seakeep.core.units import interval_ms

__all__ = ["BreakEven", "bar_row", "break_even", "cost_bps", "costs", "growth", "latency", "volume"]

DELAYS_MS = (100, 500)
SCALES = (1.0, 2.0, 4.0)
TOLERANCE_BPS = 0.1
_DEAREST = 64.0
_TRIES = 40
_SHARES = (0.0, 1e-4, 1e-3, 1e-2, np.inf)
_BUCKETS = ("< 0.01 %", "< 0.1 %", "< 1 %", "more")


def growth(result: Result) -> float:
    """Return of the whole run on its initial cash."""
    return float(result.curves.equity[-1]) / result.initial_cash - 1


def cost_bps(result: Result) -> float:
    """Fees, spread and impact over the value traded, in 1/10000; NaN if nothing was traded."""
    paid = result.costs
    traded = float(sum(fill.price * fill.qty for fill in result.fills))
    return 1e4 * (paid.fees + paid.slippage) / traded if traded else float("nan")


def latency(result: Result, rerun: Rerun) -> Check:
    """The run with every order 100 and 500 ms on its way, and with every opinion one bar old.

    Fails if one bar takes all of the profit, warns if it takes half.
    """
    base = growth(result)
    if not result.fills or base <= 0:
        why = "there is no trade" if not result.fills else "the run loses as it is"
        return Check(name="latency", status="not judged", reason=f"{why}: nothing can be lost by coming late")
    worlds = {f"{ms} ms": Variation(latency=LatencyParams(model="fixed", low_ms=ms)) for ms in DELAYS_MS}
    worlds["one bar"] = Variation(entry_delay=1)
    late = {name: growth(rerun(variation)) for name, variation in worlds.items()}
    last = late["one bar"]
    figures = (
        *((f"return, {name}, %", 100 * value) for name, value in late.items()),
        ("typical move in 500 ms, bp", 1e4 * _typical_move(result, DELAYS_MS[-1])),
    )
    status: Status = "fail" if last <= 0 else "warn" if last < base / 2 else "pass"
    reason = f"one bar late it returns {percent(last, signed=True)} instead of {percent(base, signed=True)}"
    if interval_ms(result.interval) > DELAYS_MS[-1]:
        reason += f"; {result.interval} bars do not show what happens in 500 ms"
    plot = Plot("latency", ("as it was", *late), (Series("return", (base, *late.values())),))
    return Check(name="latency", status=status, reason=reason, figures=figures, plot=plot)


def _typical_move(result: Result, ms: int) -> float:
    """Deviation of the return within so many milliseconds, by the closes of the bars and the root of time."""
    moves = np.concatenate([np.diff(np.log(bars.close)) for bars in result.bars.values()])
    return float(np.std(moves)) * math.sqrt(ms / interval_ms(result.interval)) if len(moves) else math.nan


class BreakEven(msgspec.Struct, frozen=True):
    """The cost at which nothing is left: `bps` of the value traded, `scale` times what was assumed (`assumed_bps`).

    `bps` is -inf if the run loses even without costs, inf if it earns at 64 times the costs.
    """

    bps: float
    scale: float
    assumed_bps: float
    reruns: int


def break_even(result: Result, rerun: Rerun) -> BreakEven:
    """Root of the profit over the scale of all costs, to 0.1 bp: secant steps inside a bracket, nudged to close it.

    Raises: ValueError if the run paid no costs, so that there is nothing to scale.
    """
    assumed = cost_bps(result)
    if not assumed > 0:
        raise ValueError("break-even needs a run that traded and paid costs")
    seen: dict[float, tuple[float, float]] = {1.0: (growth(result), assumed)}

    def profit(scale: float) -> float:
        if scale not in seen:
            varied = rerun(Variation(cost_scale=scale))
            seen[scale] = growth(varied), cost_bps(varied)
        return seen[scale][0]

    bracket = _bracket(profit)
    if isinstance(bracket, float):
        return BreakEven(bracket, bracket, assumed, len(seen) - 1)
    low, high = _close(profit, bracket, TOLERANCE_BPS / assumed)
    span = profit(low) - profit(high)
    scale = low + (high - low) * (profit(low) / span if span > 0 else 0.5)
    return BreakEven(scale * assumed, scale, assumed, len(seen) - 1)


def _bracket(profit: Callable[[float], float]) -> tuple[float, float] | float:
    """Scales between which the profit is lost; -inf or inf if it is lost at no costs, or never."""
    if profit(1.0) <= 0:
        return (0.0, 1.0) if profit(0.0) > 0 else -float("inf")
    scale = 1.0
    while scale < _DEAREST:
        scale *= 2
        if profit(scale) <= 0:
            return scale / 2, scale
    return float("inf")


def _close(profit: Callable[[float], float], bracket: tuple[float, float], width: float) -> tuple[float, float]:
    """Narrow the bracket to `width`; every third step halves it, so that a jump in the profit cannot stall it."""
    low, high = bracket
    for step in range(_TRIES):
        if high - low <= width:
            break
        at = (low + high) / 2
        if step % 3 < 2:
            secant = low + (high - low) * profit(low) / (profit(low) - profit(high))
            at = secant + (0.4 if secant - low < high - secant else -0.4) * width
            at = min(max(at, low + 0.1 * width), high - 0.1 * width)
        low, high = (at, high) if profit(at) > 0 else (low, at)
    return low, high


def costs(result: Result, rerun: Rerun) -> Check:
    """The run at 1, 2 and 4 times all its costs, and the cost at which nothing is left.

    Passes if it bears twice the costs, fails if it does not bear them once, or pays none at all.
    """
    name = "costs"
    if not result.fills:
        return Check(name=name, status="not judged", reason="there is no trade")
    if not cost_bps(result) > 0:
        return Check(name=name, status="fail", reason="the run pays no costs: no market is free; set [costs] and fees")
    ladder = [growth(result), *(growth(rerun(Variation(cost_scale=scale))) for scale in SCALES[1:])]
    even = break_even(result, rerun)
    figures = (
        *((f"return, costs x{scale:g}, %", 100 * value) for scale, value in zip(SCALES, ladder, strict=True)),
        ("cost assumed, bp of the value traded", even.assumed_bps),
        ("break-even cost, bp", even.bps),
        ("break-even, times the cost assumed", even.scale),
    )
    status: Status = "pass" if even.scale >= 2 else "warn" if even.scale > 1 else "fail"
    plot = Plot("costs", tuple(f"x{scale:g}" for scale in SCALES), (Series("return", tuple(ladder)),))
    return Check(name=name, status=status, reason=_borne(even), figures=figures, plot=plot)


def _borne(even: BreakEven) -> str:
    if even.bps == -float("inf"):
        return "it loses even without costs"
    if even.bps == float("inf"):
        return f"it still earns at {_DEAREST:g} times the {plain(even.assumed_bps, 1)} bp it pays"
    verb = "bears" if even.scale > 1 else "bears only"
    return f"it {verb} {plain(even.bps, 1)} bp of the value traded; it pays {plain(even.assumed_bps, 1)}"


def bar_row(fill: Fill, bars: BarFrame) -> int:
    """Row of the bar a fill happened in; n if there is none.

    A fill at the stamp where one bar ends and the next begins is the next one's if it was made at that open.
    """
    row = int(np.searchsorted(bars.known_at, fill.ts, "left"))
    following = row + 1
    starts = following < len(bars) and bars.ts[following] == fill.ts
    return following if starts and float(fill.mid) == bars.open[following] else row


def volume(result: Result) -> Check:
    """Slippage by the share of the bar's volume a trade took, and how much was traded in large ones.

    Warns if a tenth of the value traded, fails if half of it, took over 1 % of the volume of its bar.
    """
    name = "slippage by volume"
    rows = _shares(result)
    if not len(rows):
        return Check(name=name, status="not judged", reason="there is no trade on a bar with volume")
    share, value, paid = rows.T
    bucket = np.searchsorted(np.array(_SHARES[1:-1]), share, "right")
    figures: list[tuple[str, float | str]] = [("median share of volume, %", 100 * float(np.median(share)))]
    figures.append(("largest share of volume, %", 100 * float(share.max())))
    slipped = []
    for i, label in enumerate(_BUCKETS):
        here = bucket == i
        slipped.append(float(1e4 * paid[here].sum() / value[here].sum()) if here.any() else float("nan"))
        if here.any():
            figures.append((f"slippage at {label} of the volume, bp ({int(here.sum())} trades)", slipped[-1]))
    large = float(value[bucket == len(_BUCKETS) - 1].sum() / value.sum())
    figures.append(("traded at over 1 % of volume, %", 100 * large))
    status: Status = "fail" if large >= 0.5 else "warn" if large >= 0.1 else "pass"
    reason = f"{percent(large, 1)} of the value traded took over 1 % of its bar's volume; the median is " + percent(
        float(np.median(share)), 3
    )
    plot = Plot("share of the bar's volume", _BUCKETS, (Series("slippage, bp", tuple(slipped)),), "ratio")
    return Check(name=name, status=status, reason=reason, figures=tuple(figures), plot=plot)


def _shares(result: Result) -> Float64:
    """For each fill (m, 3): its share of the bar's volume, its value, and what it paid against the mid."""
    rows = []
    for fill in result.fills:
        bars = result.bars[fill.symbol]
        row = bar_row(fill, bars)
        if row < len(bars) and bars.volume[row] > 0:
            qty = float(fill.qty)
            slipped = float((fill.price - fill.mid) * fill.qty) * fill.side.sign
            rows.append((qty / bars.volume[row], qty * float(fill.price), slipped))
    return np.array(rows, np.float64).reshape(-1, 3)
