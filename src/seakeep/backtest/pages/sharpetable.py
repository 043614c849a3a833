"""The Sharpe line for the terminal, a page and JSON: the same rows everywhere."""

import math

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from seakeep.backtest.notation import UNKNOWN, duration, percent, plain
from seakeep.backtest.sharpeline import SharpeLine
from seakeep.stats.performance import LEVEL

__all__ = ["Row", "as_json", "rows", "says", "table"]


_LIKELY = 0.5
"""Odds of overfitting above which a choice is worse than a coin."""


class Row(msgspec.Struct, frozen=True):
    """One line: what it is, its value, and what it means here; all text."""

    label: str
    value: str
    meaning: str


def rows(line: SharpeLine) -> tuple[Row, ...]:
    """The rows of a Sharpe line, in the order they are read."""
    low, high = plain(line.sharpe.low), plain(line.sharpe.high)
    found = (
        Row("Sharpe ratio", plain(line.sharpe.value), f"a year, {LEVEL:.0%} interval {low} to {high}"),
        Row("Trials behind it", f"{line.search.trials:,}", _ideas(line)),
        Row("Best of luck", plain(line.luck), "the ratio the best of as many worthless ideas is expected to show"),
        Row(
            "Probabilistic", percent(line.psr, 1), "chance that the true ratio is above 0, had nothing else been tried"
        ),
        Row("Deflated", percent(line.dsr, 1), f"the same, given the trials; {LEVEL:.0%} is asked for"),
        Row("Record needed", _needed(line), f"to settle it at {LEVEL:.0%}; there is {duration(line.record_ms)}"),
    )
    return (*found, Row("Overfitting", percent(line.pbo, 1), _family(line)))


def says(line: SharpeLine) -> str:
    """The line in one sentence."""
    if not math.isfinite(line.dsr):
        return "Too few returns, or none that vary: there is no Sharpe ratio to judge."
    tried = "the only trial" if line.search.trials == 1 else f"the best of {line.search.trials:,} trials"
    if line.passes and line.pbo > _LIKELY:
        return f"Skill is shown by this result, but choosing it overfits: {percent(line.pbo, 1)} of such choices do."
    if line.passes:
        return f"Skill is shown: even as {tried} it is above luck with {percent(line.dsr, 1)}."
    return f"Skill is not shown: as {tried} it is above luck with {percent(line.dsr, 1)} only."


def table(line: SharpeLine) -> Table:
    """The rows as a table, the sentence below them."""
    grid = Table(title=Text("Sharpe ratio, judged"), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    grid.pad_edge = False
    grid.add_column("measure", no_wrap=True)
    grid.add_column("value", justify="right", no_wrap=True)
    grid.add_column("what it says")
    for row in rows(line):
        grid.add_row(Text(row.label), Text(row.value), Text(row.meaning))
    grid.caption, grid.caption_justify = Text(says(line), "green" if line.passes else "yellow"), "left"
    return grid


def as_json(line: SharpeLine) -> dict[str, object]:
    """The line ready for JSON: what is not known, or would take for ever, is null."""
    numbers = {name: getattr(line, name) for name in ("psr", "dsr", "luck", "needed_ms", "record_ms", "pbo")}
    return {
        "sharpe": msgspec.to_builtins(line.sharpe),
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "trials": line.search.trials,
        "effective_trials": line.search.effective,
        "trials_variance": line.search.variance,
        "family": line.family,
        "passes": line.passes,
        "says": says(line),
    }


def _ideas(line: SharpeLine) -> str:
    ideas = f"{line.search.effective:,.0f} of them ideas of their own"
    return "no other result was counted on these bars" if line.search.trials == 1 else ideas


def _family(line: SharpeLine) -> str:
    if line.family < 2:
        return "not known: nothing it was chosen from is at hand; optimize and integrity run its neighbours"
    return f"chance that the best of these {line.family:,} in sample is below their median out of sample"


def _needed(line: SharpeLine) -> str:
    if math.isnan(line.needed_ms):
        return UNKNOWN
    return duration(line.needed_ms) if math.isfinite(line.needed_ms) else "no length"
