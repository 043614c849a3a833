"""A result for the terminal: the figures, the symbols and the doubts as compact tables."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seakeep.backtest.integrity.court import Integrity
from seakeep.backtest.notation import day, duration, money, percent
from seakeep.backtest.pages import sharpetable
from seakeep.backtest.pages.cautions import cautions
from seakeep.backtest.pages.figures import by_symbol, figures
from seakeep.backtest.pages.integritypage import headline, rows, scope
from seakeep.backtest.pages.trail import funnel
from seakeep.backtest.result import Result, digest
from seakeep.stats.performance import LEVEL

__all__ = ["ruling", "tables"]


def tables(result: Result, court: Integrity | None = None) -> tuple[RenderableType, ...]:
    """What to print, top down: what ran, the metrics, the symbols, the gate, the doubts, and the court if it sat."""
    line = (sharpetable.table(result.judged),) if result.judged else ()
    rest = (_metrics(result), *line, _symbols(result), _gate(result), _doubts(result))
    if court is None:
        return (_headline(result), *rest)
    found = [Text(f"by how orders are filled: {headline(court.band)}")] if court.band else []
    return (_headline(result), *found, *rest, *ruling(court))


def ruling(court: Integrity) -> tuple[RenderableType, ...]:
    """The grade, its reasons, and a line for each check."""
    table = _grid("Integrity", "", "check", "why", right_from=3)
    table.columns[2].no_wrap = False
    for row in rows(court):
        style = {"good": "green", "warn": "yellow", "bad": "red"}.get(row.tone, "dim")
        table.add_row(Text(f"{row.mark} {row.status}", style), Text(row.name), Text(row.reason))
    letter = court.grade.letter
    colour = "green" if letter in "AB" else "yellow" if letter == "C" else "red"
    name = "grade" if court.whole else "provisional grade"
    said = Text.assemble(f"{name} ", (letter, f"bold {colour}"), f": {court.grade.says} ({scope(court)})")
    return table, said


def _grid(title: str, *columns: str, right_from: int) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i >= right_from else "left", no_wrap=True)
    return table


def _add(table: Table, cells: Sequence[str]) -> None:
    """A row of plain text: brackets in a name are brackets, not markup."""
    table.add_row(*(Text(cell) for cell in cells))


def _headline(result: Result) -> Text:
    start, end = int(result.curves.ts[0]), int(result.curves.ts[-1])
    final, held = float(result.curves.equity[-1]), float(result.benchmark[-1])
    growth, other = final / result.initial_cash - 1, held / result.initial_cash - 1
    return Text("\n").join(
        [
            Text(f"{result.strategy} on {', '.join(result.symbols)}, {result.interval} bars", "bold"),
            Text(f"{day(start)} to {day(end)} ({duration(end - start)}), run {result.run_id}"),
            Text.assemble(
                f"equity {money(result.initial_cash)} to {money(final)} {result.quote}, ",
                (percent(growth, signed=True), "green" if growth > 0 else "red"),
                f" (buy-and-hold {percent(other, signed=True)})",
            ),
        ]
    )


def _metrics(result: Result) -> Table:
    table = _grid("Metrics", "metric", "strategy", f"{LEVEL:.0%} interval", "n", "buy-and-hold", right_from=1)
    for row in figures(result):
        _add(table, (row.label, row.value, row.interval, row.n, row.benchmark))
    return table


def _symbols(result: Result) -> Table:
    names = ("symbol", "trips", "won", f"profit {result.quote}", "average", "fees", "held")
    table = _grid("Round trips by symbol", *names, right_from=1)
    for row in by_symbol(result):
        _add(table, row)
    return table


def _gate(result: Result) -> Text:
    counts = funnel(result)
    outcomes = ", ".join(f"{n:,} {outcome.lower()}" for outcome, n in counts.outcomes if n) or "none reviewed"
    cost = result.costs
    return Text(
        f"decisions {counts.decisions:,} ({outcomes}), orders {counts.orders:,}, fills {counts.fills:,}\n"
        f"costs {money(cost.total)} {result.quote}: fees {money(cost.fees)}, spread and impact "
        f"{money(cost.slippage)}, funding {money(cost.funding)}\n"
        f"trades sha256 {digest(result.fills)}"
    )


def _doubts(result: Result) -> Text:
    return Text("\n").join(Text(f"! {doubt}", "yellow") for doubt in cautions(result))
