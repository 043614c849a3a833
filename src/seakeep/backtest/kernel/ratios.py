"""From the lanes of finished runs to the figures people read, with the definitions of `stats.performance`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.books import LANES
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.performance import MIN_RETURNS

__all__ = ["COUNTS", "RATIOS", "ratios"]

COUNTS = ("equity", "trades", "fills", "traded", "fees", "slippage", "funding", "unknowable", "refused", "liquidations")
"""Lanes that are figures already; money in quote units, slippage and fees positive when paid."""
RATIOS = (
    *("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown"),
    *("win_rate", "profit_factor", "average_pnl", "exposure", "turnover", "worst_path_share"),
)
"""Figures that are made of lanes."""


def ratios(accounts: NDArray[Any], cash: float, bar_ms: int) -> Mapping[str, Float64]:
    """`COUNTS` and `RATIOS` of finished runs, each (p,), by name.

    A year has 365 days. What too few returns or days cannot say is NaN: the ratios of returns below `MIN_RETURNS`
    of them, and the annual ones below as many days; so are the ratios of an account that was ever ruined.
    `worst_path_share` is how much of the result hangs on which of stop and target came first inside a bar.
    """
    lanes = {name: np.array(accounts[name], dtype=np.float64) for name in LANES}
    with np.errstate(divide="ignore", invalid="ignore"):
        table = _growth(lanes, cash, bar_ms) | _trading(lanes, cash, bar_ms)
    columns = np.array(list(table.values()))
    columns[~np.isfinite(columns)] = np.nan
    figures = {name: lanes[name] for name in COUNTS} | dict(zip(table, columns, strict=True))
    for column in figures.values():
        column.flags.writeable = False
    return figures


def _growth(lanes: Mapping[str, Float64], cash: float, bar_ms: int) -> dict[str, Float64]:
    """Name and column of what the equity curve says."""
    n, year = lanes["rows"] - 1, YEAR_MS / bar_ms
    sound = lanes["lowest"] > 0
    enough = np.where(sound & (n >= MIN_RETURNS), 1.0, np.nan)
    long = np.where(sound & (n * bar_ms >= MIN_RETURNS * DAY_MS), 1.0, np.nan)
    mean = lanes["sum"] / n
    spread = np.sqrt((lanes["squares"] - n * mean**2) / (n - 1))
    total = lanes["equity"] / cash - 1
    annual = np.where(lanes["equity"] > 0, lanes["equity"] / cash, np.nan) ** (year / n) - 1
    return {
        "total_return": total,
        "cagr": annual * long,
        "volatility": spread * np.sqrt(year) * enough,
        "sharpe": mean / spread * np.sqrt(year) * enough,
        "sortino": mean / np.sqrt(lanes["shortfall"] / n) * np.sqrt(year) * enough,
        "calmar": annual / lanes["max_drawdown"] * long,
        "max_drawdown": lanes["max_drawdown"],
    }


def _trading(lanes: Mapping[str, Float64], cash: float, bar_ms: int) -> dict[str, Float64]:
    """Name and column of what the trades say."""
    years = (lanes["rows"] - 1) * bar_ms / YEAR_MS
    return {
        "win_rate": lanes["wins"] / lanes["trades"],
        "profit_factor": lanes["profit"] / lanes["loss"],
        "average_pnl": (lanes["profit"] - lanes["loss"]) / lanes["trades"],
        "exposure": lanes["exposed"] / lanes["rows"],
        "turnover": lanes["traded"] / (lanes["total"] / lanes["rows"]) / years,
        "worst_path_share": lanes["unknowable"] / np.abs(lanes["equity"] - cash),
    }
