"""The price coloured by market regime, and below it how likely each regime was."""

from itertools import pairwise

import numpy as np
from markupsafe import Markup

from seakeep.backtest.notation import compact, percent
from seakeep.backtest.pages.axes import Frame, figure, path, span, thin
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.models.regimes import LABELS, RegimeTable

__all__ = ["COLOURS", "regime_chart"]

COLOURS = {
    "bull": "var(--good)",
    "bear": "var(--bad)",
    "ranging": "var(--c0)",
    "volatile": "var(--c1)",
    "unknown": "var(--soft)",
}
"""Colour of each label, as CSS of the page."""

_COLUMNS = 360


def regime_chart(bars: BarFrame, table: RegimeTable) -> Markup:
    """Close of the bars over bands of the regime told at each, and the probabilities (n, 5) stacked below.

    Many rows share a column: its band is the label most of them carry, its probabilities are their mean. Rows of bars
    and table belong together. Raises: ValueError if their numbers differ, or there are none.
    """
    if len(bars) != len(table) or not len(bars):
        raise ValueError(f"{len(bars)} bars and {len(table)} regimes do not belong together")
    x = bars.known_at.astype(np.float64)
    starts = np.arange(0, len(bars), -(-len(bars) // _COLUMNS))
    edges = np.append(x[starts], x[-1])
    counts = np.add.reduceat(np.eye(len(LABELS))[table.codes], starts, axis=0)
    odds = np.add.reduceat(table.probs, starts, axis=0)
    top = Frame(0, 250, x[0], x[-1], *span(bars.close))
    low = Frame(272, 90, x[0], x[-1], 0.0, 1.0)
    kept = thin(bars.close)
    shares = ", ".join(f"{label} {percent(share, 0)}" for label, share in table.shares().items() if share)
    return figure(
        f"Price of {bars.symbol} by regime: {shares}",
        362,
        top.y_axis(compact),
        top.plot(*_bands(top, edges, counts.argmax(axis=1)), _ink(path(top.points(x[kept], bars.close[kept]), "line"))),
        low.y_axis(lambda y: percent(y, 0), 2),
        low.plot(*_stack(low, edges, odds / odds.sum(axis=1, keepdims=True))),
        low.x_axis(),
        css="regimes",
    )


def _ink(line: Markup) -> Markup:
    """The line in the colour of text, which stands out from every band."""
    return Markup('<g style="--accent:var(--ink)">{}</g>').format(line)


def _bands(frame: Frame, edges: Float64, codes: Int64) -> list[Markup]:
    """One path a label: a rectangle of full height for each run of columns that carry it."""
    turns = np.append(np.flatnonzero(np.append(True, np.diff(codes) != 0)), len(codes))
    across = frame.points(edges, np.zeros(len(edges)))[:, 0].tolist()
    deep, out = round(10 * frame.height), []
    for code, label in enumerate(LABELS):
        runs = [(a, b) for a, b in pairwise(turns.tolist()) if codes[a] == code]
        shape = "".join(f"M{across[a]},0H{across[b]}V{deep}H{across[a]}Z" for a, b in runs)
        out.append(_filled(label, shape, 0.28))
    return out


def _stack(frame: Frame, edges: Float64, odds: Float64) -> list[Markup]:
    """Probabilities (m, 5) on top of one another; one path a label."""
    heights = np.hstack([np.zeros((len(odds), 1)), odds.cumsum(axis=1)])
    steps, out = np.repeat(edges, 2)[1:-1], []
    for code, label in enumerate(LABELS):
        under, over = (frame.points(steps, heights[:, side].repeat(2)) for side in (code, code + 1))
        outline = np.vstack([under, over[::-1]]).tolist()
        out.append(_filled(label, "M" + "L".join(f"{a},{b}" for a, b in outline) + "Z", 0.75))
    return out


def _filled(label: str, shape: str, opacity: float) -> Markup:
    style = f"fill:{COLOURS[label]};stroke:none;opacity:{opacity}"
    return Markup('<path style="{}" d="{}"><title>{}</title></path>').format(style, shape, label)
