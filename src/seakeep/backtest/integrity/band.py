"""How much of a result hangs on what bars cannot show: the run under the worst, the expected and the best fills."""

import math
from collections.abc import Mapping

import msgspec

from seakeep.backtest.integrity.friction import bar_row, growth
from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.notation import percent
from seakeep.backtest.result import Result
from seakeep.brokers.latency import LatencyParams
from seakeep.core.market import BarFrame
from seakeep.core.orders import Fill, Order, OrderType
from seakeep.execution.matching import Candle, trail
from seakeep.stats.returns import max_drawdown

__all__ = ["ASSUMED", "Band", "Edge", "band", "check", "unknowable"]


def _latency(ms: int) -> LatencyParams:
    return LatencyParams(model="fixed", low_ms=ms, high_ms=ms)


ASSUMED: Mapping[str, Variation] = {
    "worst": Variation(path="worst", touch_fills=False, latency=_latency(500), impact_scale=2.0),
    "expected": Variation(path="expected", touch_fills=False),
    "best": Variation(path="best", touch_fills=True, latency=_latency(100), impact_scale=0.5),
}
"""What each edge assumes: who comes first inside a bar, the queue at a limit, the delay, and twice or half the impact.

The expected edge keeps the latency and the impact of the run."""


class Edge(msgspec.Struct, frozen=True):
    """One run of the band; returns and drawdowns are fractions."""

    assumed: str
    final_equity: float
    total_return: float
    max_drawdown: float
    trades: int


class Band(msgspec.Struct, frozen=True):
    """The three runs, and what hangs on the unknowable order of prices inside a bar.

    `unknowable_exits` is how many exits came in a bar that touched both their stop and their target, `exits` how many
    a stop or target made; `unknowable_share` is the share of the best profit that the order alone decides, NaN if
    there is none to share.
    """

    worst: Edge
    expected: Edge
    best: Edge
    unknowable_exits: int
    exits: int
    unknowable_share: float

    @property
    def lower(self) -> Edge:
        """The headline: the run that earned least, whatever it assumed."""
        return min((self.worst, self.expected, self.best), key=lambda edge: edge.final_equity)

    @property
    def upper(self) -> Edge:
        """The run that earned most."""
        return max((self.worst, self.expected, self.best), key=lambda edge: edge.final_equity)


def band(result: Result, rerun: Rerun) -> Band:
    """Run the three edges; the share of profit that hangs on the order takes two more runs, if any exit does."""
    edges = {name: _edge(name, rerun(variation)) for name, variation in ASSUMED.items()}
    exits, unclear = unknowable(result)
    share = 0.0
    if unclear:
        lowest, highest = (growth(rerun(Variation(path=path))) for path in ("worst", "best"))
        share = (highest - lowest) / highest if highest > 0 else math.nan
    return Band(edges["worst"], edges["expected"], edges["best"], unclear, exits, share)


def _edge(name: str, result: Result) -> Edge:
    equity = result.curves.equity
    return Edge(name, float(equity[-1]), growth(result), float(max_drawdown(equity)), len(result.fills))


def unknowable(result: Result) -> tuple[int, int]:
    """How many exits a stop or a target made, and how many of them in a bar that touched both.

    A bar that opened beyond one of the two is no riddle: the open came first.
    """
    guards = {order.id: order for order in result.orders if order.reduce_only and order.type is not OrderType.MARKET}
    siblings: dict[str, list[Order]] = {}
    for order in guards.values():
        siblings.setdefault(order.parent_id, []).append(order)
    exits = [fill for fill in result.fills if fill.order_id in guards]
    pairs = [(fill, pair) for fill in exits if len(pair := siblings[guards[fill.order_id].parent_id]) == 2]
    return len(exits), sum(_unclear(fill, pair, result.bars[fill.symbol]) for fill, pair in pairs)


def _unclear(fill: Fill, pair: list[Order], bars: BarFrame) -> bool:
    """Whether the bar of this exit touched the stop and traded through the target, and opened between them."""
    stop, target = sorted(pair, key=lambda order: order.type is OrderType.LIMIT)
    row = bar_row(fill, bars)
    if row >= len(bars) or stop.stop_price is None or target.price is None:
        return False
    level, goal, side = _level(stop, bars, row), float(target.price), target.side.sign
    opened, high, low = float(bars.open[row]), float(bars.high[row]), float(bars.low[row])
    beyond = (low, high) if side > 0 else (high, low)
    if side * (opened - level) >= 0 or side * (goal - opened) > 0:
        return False
    return side * (goal - beyond[0]) > 0 and side * (beyond[1] - level) >= 0


def _level(stop: Order, bars: BarFrame, row: int) -> float:
    """Where the stop stood at that bar: a trailing one has followed the bars since it was sent."""
    level = float(stop.stop_price or 0)
    if stop.type is not OrderType.TRAILING or stop.trail is None:
        return level
    first = int(bars.ts.searchsorted(stop.ts, "left"))
    for i in range(first, row):
        candle = Candle(float(bars.open[i]), float(bars.high[i]), float(bars.low[i]), float(bars.close[i]))
        level = trail.py_func(stop.side.sign, level, candle, float(stop.trail))
    return level


def check(result: Result, found: Band) -> Check:
    """Passes if even the lower edge earns, warns if only the expected one does or the order decides a quarter."""
    name = "fill band"
    if not result.fills:
        return Check(name=name, status="not judged", reason="there is no trade")
    low, middle, high = (percent(e.total_return, signed=True) for e in (found.lower, found.expected, found.upper))
    reason = f"the return is {low} at least, {middle} expected and {high} at most, by how orders are filled"
    share = found.unknowable_share
    if found.unknowable_exits:
        said = "more than all" if share > 1 else percent(share, 0)
        reason += f"; {found.unknowable_exits} of {found.exits} exits hang on the order inside a bar, {said} of profit"
    earns = found.lower.total_return > 0
    settled = found.unknowable_exits == 0 or share <= 0.25
    status: Status = "pass" if earns and settled else "warn" if found.expected.total_return > 0 else "fail"
    edges = (found.worst, found.expected, found.best)
    figures = (
        *((f"return, {edge.assumed}, %", 100 * edge.total_return) for edge in edges),
        *((f"drawdown, {edge.assumed}, %", 100 * edge.max_drawdown) for edge in edges),
        ("exits by stop or target", float(found.exits)),
        ("of them in a bar that touched both", float(found.unknowable_exits)),
        ("share of profit the order decides, %", 100 * share),
    )
    plot = Plot("fills", tuple(e.assumed for e in edges), (Series("return", tuple(e.total_return for e in edges)),))
    return Check(name=name, status=status, reason=reason, figures=figures, plot=plot)
