"""The figures of the tear sheet as text: the metrics table and the monthly table, beside buy-and-hold."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from seakeep.backtest.notation import UNKNOWN, duration, money, percent, plain
from seakeep.backtest.result import Result
from seakeep.core.market import Float64, Int64
from seakeep.execution.trips import RoundTrip
from seakeep.stats.performance import Estimate

__all__ = ["METRICS", "Figure", "Month", "SymbolRow", "Year", "by_symbol", "figures", "interval", "monthly", "value"]


class Kind(msgspec.Struct, frozen=True):
    """How a metric is called and written; `form` is percent, ratio, money, days, span (ms) or count."""

    label: str
    form: str
    meaning: str


METRICS: Mapping[str, Kind] = {
    "total_return": Kind("Total return", "percent", "Final equity over initial cash, less one."),
    "cagr": Kind("CAGR", "percent", "Compound growth a year, 365 days."),
    "volatility": Kind("Volatility", "percent", "Standard deviation of returns, a year."),
    "max_drawdown": Kind("Max drawdown", "percent", "Largest loss from a peak of equity."),
    "max_drawdown_ms": Kind("Longest drawdown", "span", "Longest time below an earlier peak."),
    "sharpe": Kind("Sharpe", "ratio", "Mean return over its standard deviation, a year, no risk-free rate."),
    "psr": Kind("P(Sharpe > 0)", "percent", "Probabilistic Sharpe ratio, Bailey and Lopez de Prado 2012."),
    "sortino": Kind("Sortino", "ratio", "Mean return over downside deviation, a year."),
    "calmar": Kind("Calmar", "ratio", "CAGR over max drawdown."),
    "omega": Kind("Omega", "ratio", "Sum of gains over sum of losses, threshold zero."),
    "win_rate": Kind("Win rate", "percent", "Share of round trips with a profit after fees."),
    "profit_factor": Kind("Profit factor", "ratio", "Profit of winners over loss of losers."),
    "average_trade": Kind("Average trade", "percent", "Mean return of a round trip after fees."),
    "average_pnl": Kind("Average profit", "money", "Mean profit of a round trip after fees."),
    "average_duration_ms": Kind("Average duration", "span", "Mean time from first entry to last exit."),
    "exposure": Kind("Time in market", "percent", "Share of time with a position."),
    "turnover": Kind("Turnover", "ratio", "Value traded over mean equity, a year."),
}


class Figure(msgspec.Struct, frozen=True):
    """A row of the metrics table, every cell as text."""

    name: str
    label: str
    meaning: str
    value: str
    interval: str
    n: str
    benchmark: str
    benchmark_interval: str


def value(number: float, form: str) -> str:
    """A metric as text, in its form; "n/a" when it is not known."""
    match form:
        case "percent":
            return percent(number)
        case "money":
            return money(number)
        case "days":
            return plain(number, 1) + (" d" if math.isfinite(number) else "")
        case "span":
            return duration(number)
        case "count":
            return plain(number, 0)
        case _:
            return plain(number)


def interval(estimate: Estimate, form: str) -> str:
    """Low and high end as text; empty when the estimate has no interval."""
    ends = (estimate.low, estimate.high)
    if any(end is None or math.isnan(end) for end in ends):
        return ""
    return " to ".join(value(end, form) for end in ends)


def figures(result: Result) -> list[Figure]:
    """The metrics in the order of `METRICS`, then any others by name."""
    order = {name: i for i, name in enumerate(METRICS)}
    names = sorted(result.metrics, key=lambda name: (order.get(name, len(order)), name))
    return [_figure(name, result.metrics[name], result.benchmark_metrics.get(name)) for name in names]


def _figure(name: str, ours: Estimate, other: Estimate | None) -> Figure:
    kind = METRICS.get(name) or Kind(name.replace("_", " ").capitalize(), "ratio", "")
    return Figure(
        name,
        kind.label,
        kind.meaning,
        value(ours.value, kind.form),
        interval(ours, kind.form),
        f"{ours.n:,}",
        "" if other is None or math.isnan(other.value) else value(other.value, kind.form),
        "" if other is None else interval(other, kind.form),
    )


class Month(msgspec.Struct, frozen=True):
    """One cell: the return and the benchmark's as text, `shade` in [-100, 100] for its colour."""

    text: str = ""
    benchmark: str = ""
    shade: int = 0


class Year(msgspec.Struct, frozen=True):
    """A row of the monthly table: months 1 to 12, then the whole year."""

    year: int
    months: tuple[Month, ...]
    total: Month


def monthly(ts: Int64, equity: Float64, benchmark: Float64, initial: float) -> list[Year]:
    """Returns by calendar month (UTC) and year; a month's return runs from the end of the month before."""
    month = ts.astype("datetime64[ms]").astype("datetime64[M]")
    ends = np.flatnonzero(np.append(month[1:] != month[:-1], True))
    number = month[ends].astype(np.int64)
    levels = np.vstack([equity[ends], benchmark[ends]])
    before = np.column_stack([[initial, initial], levels[:, :-1]])
    returns = levels / before - 1
    largest = max(float(np.nanmax(np.abs(returns[0]))), 0.01)
    rows = []
    for year in np.unique(number // 12).tolist():
        here = number // 12 == year
        cells = {
            int(m): _cell(own, other, largest)
            for m, own, other in zip(number[here] % 12, *returns[:, here].tolist(), strict=True)
        }
        whole = levels[:, here][:, -1] / before[:, here][:, 0] - 1
        total = _cell(float(whole[0]), float(whole[1]), largest)
        rows.append(Year(1970 + year, tuple(cells.get(m, Month()) for m in range(12)), total))
    return rows


def _cell(own: float, other: float, largest: float) -> Month:
    if not math.isfinite(own):
        return Month(UNKNOWN)
    shade = round(100 * max(-1.0, min(1.0, own / largest)))
    return Month(percent(own, 1, signed=True), percent(other, 1, signed=True), shade)


class SymbolRow(NamedTuple):
    """Round trips of one symbol as text: count, share won, profit after fees, mean return, fees, mean time held."""

    symbol: str
    trips: str
    won: str
    pnl: str
    average: str
    fees: str
    held: str


def by_symbol(result: Result) -> list[SymbolRow]:
    """A row for each symbol, also for one that was never traded, and one for all when there are several."""
    rows = [_row(symbol, [trip for trip in result.trips if trip.symbol == symbol]) for symbol in result.symbols]
    return [*rows, _row("all", result.trips)] if len(rows) > 1 else rows


def _row(name: str, trips: Sequence[RoundTrip]) -> SymbolRow:
    count = len(trips)
    if not count:
        return SymbolRow(name, "0", "", money(0.0), "", money(0.0), "")
    return SymbolRow(
        name,
        f"{count:,}",
        percent(sum(trip.pnl > 0 for trip in trips) / count, 1),
        money(float(sum(trip.pnl for trip in trips)), signed=True),
        percent(sum(trip.ret for trip in trips) / count, signed=True),
        money(float(sum(trip.fees for trip in trips))),
        duration(sum(trip.duration_ms for trip in trips) / count),
    )
