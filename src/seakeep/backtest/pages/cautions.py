"""What a careful reader must know before believing a result: one sentence for each doubt the figures raise."""

import math
from collections.abc import Iterator

from seakeep.backtest.notation import duration, money, percent, plain
from seakeep.backtest.result import Result
from seakeep.core.units import YEAR_MS

__all__ = ["FEW_TRADES", "cautions"]

FEW_TRADES = 30
"""Below this many round trips, averages over trades say little."""


def cautions(result: Result) -> list[str]:
    """The doubts, most serious first; empty when there are none."""
    return [*_luck(result), *_sample(result), *_money(result)]


def _luck(result: Result) -> Iterator[str]:
    sharpe = result.metrics.get("sharpe")
    if sharpe is None or math.isnan(sharpe.value):
        yield "The Sharpe ratio cannot be estimated from so few returns: nothing is shown about skill."
    elif sharpe.low <= 0 <= sharpe.high:
        yield (
            f"The interval of the Sharpe ratio, {plain(sharpe.low)} to {plain(sharpe.high)}, spans zero: "
            "this result cannot be told from luck."
        )


def _sample(result: Result) -> Iterator[str]:
    covered = int(result.curves.ts[-1] - result.curves.ts[0])
    if covered < YEAR_MS:
        yield f"The run covers {duration(covered)}, under a year: annual figures are extrapolated and see few regimes."
    closed = len(result.trips)
    if closed == 0:
        yield "No round trip was closed: there is nothing to judge the strategy by."
    elif closed < FEW_TRADES:
        yield f"Only {closed} round trip{'s were' if closed > 1 else ' was'} closed: averages over trades say little."


def _money(result: Result) -> Iterator[str]:
    best = max((float(trip.pnl) for trip in result.trips), default=0.0)
    net = float(result.curves.equity[-1]) - result.initial_cash
    if len(result.trips) > 1 and 0 < net < 2 * best:
        share = f"{money(best)} of {money(net)} {result.quote}"
        yield f"The best round trip alone earned {share}: take it away and look again."
    gross = net + result.costs.total
    if result.costs.total > 0 and net < 0 < gross:
        yield f"Before costs the run earned {money(gross)} {result.quote}; costs took all of it."
    still_held = float(result.curves.gross[-1])
    if still_held > 0:
        yield f"{percent(still_held, 1)} of equity is still held at the end, valued at the last price, not sold."
