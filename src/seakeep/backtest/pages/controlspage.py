"""The court's own record as a page of the documentation: every figure from the run that wrote it."""

from textwrap import fill

from seakeep.backtest.controls.rates import ControlParams, Controls, Rate
from seakeep.backtest.notation import percent

__all__ = ["markdown"]

_WIDTH = 118
_HEAD = """# Planted controls

<!-- Written by `seakeep controls --write`; every figure is of that run. -->

How often does the court fall for noise, and how often does it see what is there? Markets whose truth is known are
written to files, imported, stored as Parquet and read back; features are built from them, random rules are
searched, and the best is judged by the line that every report prints. [How we count](counting.md) tells what the rows
mean.
"""


def markdown(found: Controls, params: ControlParams, again: str) -> str:
    """The page; `again` is the command that writes it."""
    rows = [_row(rate) for rate in found.rates]
    noise = f"{found.strategies:,} random strategies on {params.markets:,} markets of noise, a year of hourly bars each"
    alone = percent(found.alone, 1)
    luck = fill(
        f"The {found.strategies:,} strategies of a search amount to about {found.ideas:,.0f} ideas. On noise "
        f"{alone} of them would pass at 5% if each were judged as the only one; how often the best of them does, "
        "counted and not, is in the table.",
        _WIDTH,
    )
    edges = fill(
        f"Edges of each size are planted in {params.edge_markets:,} markets of {params.edge_years} years of daily "
        f"bars; {params.leaks:,} strategies look ahead in a tenth to all of their rows, as many do not. Costs are left "
        "out, so that an edge is what it says.",
        _WIDTH,
    )
    verdict = "Every rate is what is asked of it." if found.holds else "**A rate is not what is asked of it.**"
    table = ["| control | share | 95% interval | of | asked |", "|---|---|---|---|---|", *rows]
    parts = [_HEAD, f"Searched: {noise}. Seed {params.seed}.\n", "\n".join(table) + "\n", luck, "", edges, "", verdict]
    return "\n".join([*parts, "", "```sh", again, "```", ""])


def _row(rate: Rate) -> str:
    share, ends = percent(rate.share.value, 1), f"{percent(rate.share.low, 1)} to {percent(rate.share.high, 1)}"
    limits = (("at most", rate.at_most), ("at least", rate.at_least))
    asked = ", ".join(f"{word} {percent(value, 0)}" for word, value in limits if value is not None)
    held = "" if not asked else ": holds" if rate.holds else ": **fails**"
    return f"| {rate.name} | {share} | {ends} | {rate.share.n:,} | {asked}{held} |"
