"""The page of scorecards: for each expert what it is worth on bars it has not seen, in figures, pictures and words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from seakeep.backtest.notation import percent
from seakeep.backtest.pages.report import pages
from seakeep.backtest.pages.scorecharts import (
    certainty_chart,
    forecast_chart,
    gain_chart,
    importance_chart,
    reliability_chart,
)
from seakeep.backtest.scorecard import Scorecard
from seakeep.core.market import BarFrame, Float64
from seakeep.models.importance import GROUPS, Importance, Pruning, TreeImportance

__all__ = ["Sheet", "render", "says"]


@dataclass(frozen=True, eq=False)
class Sheet:
    """One expert's card, and what the pictures need: forecasts (n, 2) of `bars`, importance where it has inputs that
    can be shuffled, its trees' own, and how the pruned expert did."""

    name: str
    group: str
    horizon: int
    card: Scorecard
    bars: BarFrame
    said: Float64
    importance: Importance | None = None
    trees: tuple[TreeImportance, ...] = ()
    pruning: Pruning | None = None


def says(sheet: Sheet) -> str:
    """The verdict in a sentence: only what the intervals allow."""
    card = sheet.card
    if not card.calls:
        found = "It says nothing of the direction"
    elif card.skill.low > 0:
        found = "Its direction has skill: the interval of its IC lies above zero"
    elif card.skill.high < 0:
        found = "Its direction is worse than none: the interval of its IC lies below zero"
    else:
        found = "Its direction cannot be told from luck"
    whole = card.against[-1]
    if whole.low > 0:
        return f"{found}; its forecasts as a whole beat the deviation of recent bars."
    if whole.high < 0:
        return f"{found}; its forecasts as a whole lose to the deviation of recent bars."
    return f"{found}; its forecasts as a whole cannot be told from the deviation of recent bars."


def render(sheets: Sequence[Sheet], what: str, regimes: Sequence[tuple[str, Markup]] = ()) -> str:
    """The page as text (UTF-8); `what` says which bars, `regimes` are the coloured prices by symbol."""
    return (
        pages()
        .get_template("scorecard.html")
        .render(
            what=what,
            sheets=[_drawn(sheet) for sheet in sheets],
            regimes=regimes,
            groups=[(j, group) for j, group in enumerate(GROUPS)],
        )
    )


def _drawn(sheet: Sheet) -> dict[str, object]:
    card, found = sheet.card, sheet.importance
    return {
        "sheet": sheet,
        "card": card,
        "says": says(sheet),
        "confidence": float(np.mean(card.confidence)),
        "gains": gain_chart(card.against),
        "reliability": reliability_chart(card.reliability) if card.reliability else None,
        "certainty": certainty_chart(card.certainty) if sum(row.n > 0 for row in card.certainty) > 1 else None,
        "alike": card.certainty[0] if card.certainty and card.certainty[0].n else None,
        "forecasts": forecast_chart(sheet.bars, sheet.said, sheet.horizon) if len(sheet.bars) > sheet.horizon else None,
        "importance": importance_chart(found) if found else None,
        "by_group": [(group, percent(value, 2, signed=True)) for group, value in found.by_group()] if found else [],
    }
