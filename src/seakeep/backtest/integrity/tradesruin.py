"""Odds of ruin from the trades a run closed: the same trades in another order, and other trades like them."""

import msgspec
import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.result import Result
from seakeep.core.config import Section
from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.risk.ruin import Odds, Probability, RuinParams, ruin_odds
from seakeep.stats.performance import MIN_RETURNS

__all__ = ["TradesRuin", "TradesRuinParams", "trade_outcomes", "trades_ruin", "trades_ruin_check"]


class TradesRuinParams(Section):
    """What counts as ruin, over how many trades, and how likely it may be."""

    loss: float = Field(0.5, gt=0, lt=1, description="share of equity whose loss is ruin")
    drawdown: float = Field(0.2, gt=0, lt=1, description="drawdown that is shown beside it")
    trades: int = Field(250, ge=10, le=100_000, description="trades ahead")
    max_chance: float = Field(0.01, gt=0, lt=1, description="odds of ruin that are still acceptable")
    worlds: int = Field(200, ge=40, le=20_000, description="histories drawn for what is not known of the trades")
    paths: int = Field(200, ge=50, le=1_000_000, description="futures drawn from each")


class TradesRuin(msgspec.Struct, frozen=True):
    """Odds over the next `trades` trades of losing `loss` of the start, and of a drawdown of `drawdown`."""

    trades: int
    loss: float
    drawdown: float
    ruin: Probability
    fall: Probability


def trade_outcomes(result: Result) -> Float64:
    """What every closed round trip (m,) earned after fees, as a fraction of the equity it was entered with."""
    ts, equity = result.curves.ts, result.curves.equity
    entered = np.array([trip.entry_ts for trip in result.trips], np.int64)
    rows = np.searchsorted(ts, entered, "right") - 1
    capital = np.where(rows >= 0, equity[np.maximum(rows, 0)], result.initial_cash)
    return np.array([float(trip.pnl) for trip in result.trips], np.float64) / capital


def trades_ruin(outcomes: Float64, params: TradesRuinParams | None = None, *, seed: int = 0) -> TradesRuin:
    """Odds of ruin from outcomes (m,) of trades as fractions of equity, drawn one by one: a trade has no memory.

    Raises: NotEnoughHistory below 30 trades; DataError if one is below -1 or all are the same.
    """
    asked = params or TradesRuinParams()
    levels = tuple(sorted({asked.loss, asked.drawdown}))
    drawn = RuinParams(horizons=(asked.trades,), levels=levels, worlds=asked.worlds, paths=asked.paths, block=1.0)
    odds = ruin_odds(outcomes, drawn, seed=seed)
    ruin = _picked(odds.loss, levels.index(asked.loss))
    fall = _picked(odds.drawdown, levels.index(asked.drawdown))
    return TradesRuin(asked.trades, asked.loss, asked.drawdown, ruin, fall)


def _picked(odds: Odds, j: int) -> Probability:
    value, low, high, error = (float(column[0, j]) for column in (odds.value, odds.low, odds.high, odds.error))
    return Probability(value, low, high, error, odds.n, odds.method, odds.warnings)


def trades_ruin_check(result: Result, params: TradesRuinParams | None = None, *, seed: int = 0) -> Check:
    """Risk of ruin from the trades: fails if the odds are too high for sure, warns if they may be."""
    asked, name = params or TradesRuinParams(), "risk of ruin"
    try:
        found = trades_ruin(trade_outcomes(result), asked, seed=seed)
    except NotEnoughHistory:
        reason = f"{len(result.trips)} closed trades are too few: odds need at least {MIN_RETURNS}"
        return Check(name=name, status="not judged", reason=reason)
    except DataError as error:
        return Check(name=name, status="not judged", reason=f"{len(result.trips)} closed trades: {error}")
    ruin, fall = found.ruin, found.fall
    status: Status = "fail" if ruin.low > asked.max_chance else "warn" if ruin.high > asked.max_chance else "pass"
    reason = (
        f"odds of losing {asked.loss:.0%} within {asked.trades} trades: {ruin.value:.2%} "
        f"({ruin.low:.2%} to {ruin.high:.2%}), at most {asked.max_chance:.0%} is acceptable"
    )
    figures: tuple[tuple[str, float | str], ...] = (
        ("trades seen", float(ruin.n)),
        (f"odds of losing {asked.loss:.0%}", ruin.value),
        ("low", ruin.low),
        ("high", ruin.high),
        (f"odds of a drawdown of {asked.drawdown:.0%}", f"{fall.value:.2%} ({fall.low:.2%} to {fall.high:.2%})"),
    )
    names = (f"lose {asked.loss:.0%}", f"drawdown {asked.drawdown:.0%}")
    ends = (("low", ruin.low, fall.low), ("odds", ruin.value, fall.value), ("high", ruin.high, fall.high))
    plot = Plot("", names, tuple(Series(label, (a, b)) for label, a, b in ends))
    return Check(name=name, status=status, reason=reason, figures=figures, plot=plot)
