"""The page of threshold runs: balance, moving gain, opinions over the price, accuracy by certainty, the trades."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from seakeep.backtest.certainty import Certainty, Row
from seakeep.backtest.notation import compact, percent, price, stamp
from seakeep.backtest.pages.axes import Frame, figure, join, path, span, thin
from seakeep.backtest.pages.charts import swatch
from seakeep.backtest.pages.report import pages
from seakeep.backtest.threshold import ThresholdRun, ThresholdTrade
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.units import DAY_MS, interval_ms
from seakeep.stats.returns import drawdown

__all__ = ["WINDOWS_DAYS", "Figures", "figures", "render"]

WINDOWS_DAYS = (3, 7, 9)
"""Lengths of the moving window that the gain is shown over."""

_SHOWN = 200
_LINES = 8


@dataclass(frozen=True)
class Figures:
    """One run in figures; shares are of the margin (`mean_realised`) or of the balance (the rest)."""

    name: str
    trades: int
    liquidated: int
    losses: int
    even: int
    profits: int
    win_rate: float
    profit_factor: float
    mean_realised: float
    gain: float
    max_drawdown: float


def figures(run: ThresholdRun) -> Figures:
    """Counts by kind of trade, and what the account made; NaN where there were no trades."""
    kinds = [trade.kind for trade in run.trades]
    won = sum(t.pnl for t in run.trades if t.pnl > 0)
    lost = -sum(t.pnl for t in run.trades if t.pnl < 0)
    return Figures(
        name=run.params.name,
        trades=len(kinds),
        liquidated=kinds.count("liquidated"),
        losses=kinds.count("loss"),
        even=kinds.count("even"),
        profits=kinds.count("profit"),
        win_rate=kinds.count("profit") / len(kinds) if kinds else float("nan"),
        profit_factor=won / lost if lost else float("inf") if won else float("nan"),
        mean_realised=float(np.mean([t.realised for t in run.trades])) if kinds else float("nan"),
        gain=float(run.equity[-1] / run.params.initial_balance - 1),
        max_drawdown=float(drawdown(np.append(run.params.initial_balance, run.equity)).max()),
    )


def render(bars: BarFrame, prob_up: Float64, runs: Sequence[ThresholdRun], certainty: Certainty, source: str) -> str:
    """The page as text (UTF-8); the first run is shown in detail, the others are compared with it.

    `source` says where the probabilities come from.
    """
    first = runs[0]
    shown = runs[:_LINES]
    windows = [w for w in WINDOWS_DAYS if w * DAY_MS < bars.ts[-1] - bars.ts[0]]
    return (
        pages()
        .get_template("threshold.html")
        .render(
            bars=bars,
            source=source,
            first=figures(first),
            params=first.params,
            rows=[figures(run) for run in runs],
            names=[(swatch(j), run.params.name) for j, run in enumerate(shown)],
            left_out=len(runs) - len(shown),
            balance=_balance_chart(bars.known_at, shown),
            moving=[(days, _moving_chart(bars, shown, days)) for days in windows],
            opinions=_opinion_chart(bars, prob_up, first),
            accuracy=_accuracy_chart(certainty),
            spread=_spread_chart(certainty),
            certainty=certainty,
            table=[row for row in certainty.both if row.n][::2],
            trades=list(reversed(first.trades[-_SHOWN:])),
        )
    )


def _balance_chart(ts: Int64, runs: Sequence[ThresholdRun]) -> Markup:
    """Balance, marked at every close, of each run as a multiple of its start."""
    curves = [run.equity / run.params.initial_balance - 1 for run in runs]
    label = "Gain of the balance by run: " + ", ".join(
        f"{run.params.name} {percent(float(curve[-1]), 1, signed=True)}"
        for run, curve in zip(runs, curves, strict=True)
    )
    return _lines(ts.astype(np.float64), curves, label)


def _moving_chart(bars: BarFrame, runs: Sequence[ThresholdRun], days: int) -> Markup:
    """Gain of the balance over the last `days`, at every close."""
    back = days * DAY_MS // interval_ms(bars.interval)
    curves = [run.equity[back:] / run.equity[:-back] - 1 for run in runs]
    return _lines(bars.known_at[back:].astype(np.float64), curves, f"Gain of the balance over a moving {days} days")


def _lines(x: Float64, curves: Sequence[Float64], label: str) -> Markup:
    frame = Frame(0, 220, x[0], x[-1], *span(*curves, zero=True))
    shapes = []
    for j, curve in enumerate(curves):
        kept = thin(curve, 600)
        shapes.append(path(frame.points(x[kept], curve[kept]), f"line {swatch(j)}"))
    return figure(label, 220, frame.y_axis(lambda y: percent(y, 0)), frame.plot(*shapes), frame.x_axis())


def _opinion_chart(bars: BarFrame, prob_up: Float64, run: ThresholdRun) -> Markup:
    """The price with entries and exits, and below it the probability with the two thresholds."""
    x = bars.known_at.astype(np.float64)
    top = Frame(0, 240, x[0], x[-1], *span(bars.close))
    kept, opinion = thin(bars.close), np.where(np.isnan(prob_up), 0.5, prob_up)
    widest = 1.1 * max(float(np.abs(opinion - 0.5).max()), run.params.threshold, 0.01)
    low = Frame(262, 110, x[0], x[-1], 0.5 - widest, 0.5 + widest)
    under = thin(opinion)
    edges = [0.5 + run.params.threshold, 0.5 - run.params.threshold]
    ends = np.array([x[0], x[-1]])
    label = f"Price of {bars.symbol} with {min(len(run.trades), _SHOWN)} positions, and the probability that it rises"
    return figure(
        label,
        372,
        top.y_axis(compact),
        top.plot(path(top.points(x[kept], bars.close[kept]), "line bench")),
        join(_marks(top, trade) for trade in run.trades[-_SHOWN:]),
        low.y_axis(lambda y: f"{y:.2f}", 3),
        low.plot(
            path(low.points(x[under], opinion[under]), "line thin"),
            *[path(low.points(ends, np.full(2, edge)), "stop") for edge in edges],
        ),
        low.x_axis(),
    )


def _marks(frame: Frame, trade: ThresholdTrade) -> Markup:
    mark = Markup('<use href="#{}" class="{}" x="{:.2f}%" y="{:.1f}"><title>{}</title></use>')
    side = "mark-long" if trade.side == "LONG" else "mark-short"
    entry = f"{trade.side.lower()} at {price(trade.entry_price)}, {stamp(trade.entry_ts)}"
    leave = f"{trade.reason} at {price(trade.exit_price)}: {percent(trade.realised, 1, signed=True)} of the margin"
    return mark.format(side, "entry", frame.across(trade.entry_ts), frame.down(trade.entry_price), entry) + mark.format(
        "mark-exit",
        "win" if trade.realised > 0 else "loss",
        frame.across(trade.exit_ts),
        frame.down(trade.exit_price),
        leave,
    )


def _accuracy_chart(found: Certainty) -> Markup:
    """Share right by certainty for up, down and both, with the interval of both."""
    lines = {"s0": found.both, "s2": found.up, "s1": found.down}
    spoken = {css: [row for row in rows if row.n] for css, rows in lines.items()}
    widest = max(row.certainty for row in spoken["s0"]) if spoken["s0"] else 0.0
    frame = Frame(0, 220, 0.0, max(widest, 0.02), 0.0, 1.0)
    shapes = [_band(frame, spoken["s0"])] if spoken["s0"] else []
    for css, rows in spoken.items():
        if rows:
            at = np.array([[row.certainty, row.accuracy] for row in rows])
            shapes.append(path(frame.points(at[:, 0], at[:, 1]), f"line {css}"))
    shapes.append(path(frame.points(np.array([0.0, frame.x1]), np.full(2, 0.5)), "stop"))
    label = "Share of opinions that were right, by how far they were from 0.5"
    axis = frame.y_axis(lambda y: percent(y, 0)) + frame.x_numbers(lambda c: f"{c:.2f}")
    return figure(label, 220, axis, frame.plot(*shapes))


def _band(frame: Frame, rows: Sequence[Row]) -> Markup:
    x = np.array([row.certainty for row in rows])
    low, high = (np.array([getattr(row, name) for row in rows]) for name in ("low", "high"))
    outline = np.vstack([frame.points(x, low), frame.points(x, high)[::-1]])
    return path(outline, "area faint s0", closed=True)


def _spread_chart(found: Certainty) -> Markup:
    """How many opinions lie in each bin of p; those that came true are solid."""
    bins = len(found.counts)
    frame = Frame(0, 180, 0.0, 1.0, 0.0, max(int(found.counts.max()), 1) * 1.08)
    bar = Markup('<rect class="bar {}" x="{:.3f}%" width="{:.3f}%" y="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    rows = []
    for j, (count, rose) in enumerate(zip(found.counts.tolist(), found.rose.tolist(), strict=True)):
        right = rose if j >= bins // 2 else count - rose
        said = f"p {j / bins:.2f} to {(j + 1) / bins:.2f}: {count} opinions, {rose} rose"
        for css, height in (("pale", count), ("up" if j >= bins // 2 else "down", right)):
            top = frame.down(height)
            rows.append(bar.format(css, 100 * j / bins + 0.1, 100 / bins - 0.2, top, 180 - top, said))
    label = f"{int(found.counts.sum()):,} opinions by probability"
    counted = frame.y_axis(lambda y: compact(y) if y == round(y) else "", 4)
    return figure(label, 180, counted, *rows, frame.x_numbers(lambda p: f"{p:.1f}"))
