"""The report's section about beliefs: the regime, how the panel voted, and why the latest decisions were taken."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from markupsafe import Markup

from seakeep.backtest.notation import plain
from seakeep.backtest.pages.axes import Frame, figure, join
from seakeep.backtest.pages.charts import swatch
from seakeep.backtest.pages.regimechart import COLOURS, regime_chart
from seakeep.backtest.pages.report import pages
from seakeep.backtest.result import Result
from seakeep.core.verdicts import Decision
from seakeep.models.regimes import RegimeTable
from seakeep.strategy.explain import Reasons, by_group, sentences

__all__ = ["SHOWN", "Vote", "panel_section", "votes"]

SHOWN = 12
"""Decisions whose parts are drawn."""
_ROW = 24


class Vote(msgspec.Struct, frozen=True):
    """How one voice voted over the decisions of a run: in how many it was `heard`, its mean share of the score's
    absolute parts, and how often it pointed where the score went."""

    source: str
    heard: int
    share: float
    agreed: float


def votes(decisions: Sequence[Decision]) -> tuple[Vote, ...]:
    """The voices, the loudest first; decisions that asked nobody do not count."""
    shares: dict[str, list[float]] = {}
    agreed: dict[str, int] = {}
    for decision in decisions:
        whole = sum(abs(value) for _, value in decision.contributions)
        for source, value in decision.contributions if whole else ():
            shares.setdefault(source, []).append(abs(value) / whole)
            agreed[source] = agreed.get(source, 0) + (value * decision.score > 0)
    found = [Vote(s, len(kept), float(np.mean(kept)), agreed[s] / len(kept)) for s, kept in shares.items()]
    return tuple(sorted(found, key=lambda vote: -vote.share * vote.heard))


def panel_section(
    result: Result, reasons: Mapping[str, Reasons] | None = None, regimes: Mapping[str, RegimeTable] | None = None
) -> Markup:
    """The section as markup; "" for a run without decisions.

    `reasons` explain decisions by id, `regimes` are those of the bars of each symbol of the result.
    """
    asked = [d for d in result.decisions if any(value for _, value in d.contributions)]
    if not asked:
        return Markup("")
    latest = list(reversed(asked[-SHOWN:]))
    panel = votes(asked)
    colours = {vote.source: swatch(j) for j, vote in enumerate(panel)}
    text = (
        pages()
        .get_template("panel.html")
        .render(
            votes=panel,
            colours=colours,
            dissent=float(np.mean([d.dissent for d in asked])),
            regimes=_regimes(result, regimes or {}),
            regime_colours=COLOURS,
            told=_told(asked),
            chart=_parts_chart(latest, colours),
            decisions=[_why(d, (reasons or {}).get(d.id)) for d in latest],
        )
    )
    return Markup(text)  # noqa: S704 - a template of our own, which escapes what comes from outside


def _regimes(result: Result, regimes: Mapping[str, RegimeTable]) -> list[tuple[str, Markup]]:
    return [
        (symbol, regime_chart(result.bars[symbol], table))
        for symbol, table in regimes.items()
        if symbol in result.bars and len(table) == len(result.bars[symbol]) > 0
    ]


def _told(decisions: Sequence[Decision]) -> list[tuple[str, int]]:
    """How many decisions were taken in each regime."""
    labels = [d.regime for d in decisions]
    return [(label, labels.count(label)) for label in COLOURS if label in labels]


def _why(decision: Decision, reasons: Reasons | None) -> dict[str, object]:
    return {
        "decision": decision,
        "text": sentences(reasons)[1:] if reasons else (),
        "groups": by_group(reasons) if reasons else (),
        "parts": decision.contributions,
    }


def _parts_chart(decisions: Sequence[Decision], colours: Mapping[str, str]) -> Markup:
    """Each decision's contributions side by side: what pushed up lies right of zero, what pushed down left of it."""
    reach = max(sum(abs(v) for _, v in d.contributions) for d in decisions)
    frame = Frame(0, float(_ROW * len(decisions)), -min(reach, 1.0) * 1.05, min(reach, 1.0) * 1.05, 0, 1)
    bar = Markup('<rect class="bar {}" x="{:.2f}%" width="{:.2f}%" y="{:.1f}" height="13"><title>{}</title></rect>')
    name = Markup('<text class="tick name" x="-8" y="{:.1f}" dy=".32em" text-anchor="end">{}</text>')
    dot = Markup('<circle class="score" cx="{:.2f}%" cy="{:.1f}" r="3.5"><title>{}</title></circle>')
    parts = []
    for place, decision in enumerate(decisions):
        y, ends = place * _ROW + _ROW / 2, {1: 0.0, -1: 0.0}
        parts.append(name.format(y, decision.symbol))
        for source, value in decision.contributions:
            side = 1 if value >= 0 else -1
            start, ends[side] = ends[side], ends[side] + value
            low, high = sorted((frame.across(start), frame.across(ends[side])))
            parts.append(bar.format(colours[source], low, high - low, y - 6.5, f"{source} {plain(value, 3)}"))
        parts.append(dot.format(frame.across(decision.score), y, f"score {plain(decision.score, 3)}"))
    zero = Markup('<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1}"/>').format(
        frame.across(0.0), frame.height
    )
    label = f"Contributions to the score of the latest {len(decisions)} decisions"
    ticks = frame.x_numbers(lambda v: f"{v:+.1f}" if v else "0", 5)
    return figure(label, frame.height, zero, join(parts), ticks, css="costs parts")
