"""A search for a reader: the page, the terminal and JSON. Plain data in, text out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seakeep.backtest.notation import UNKNOWN, day, duration, money, percent, plain
from seakeep.backtest.pages import sharpetable
from seakeep.backtest.pages.fragility import front_chart, heat_map, map_of
from seakeep.backtest.search.survey import Standing, Survey
from seakeep.backtest.search.walkforward import Params
from seakeep.backtest.sharpeline import SharpeLine
from seakeep.core.units import iso

__all__ = ["Outcome", "data", "page", "view"]

_TOP = 10
_FRONT = 12
_SAID = {"sharpe": "Sharpe ratio", "return": "log growth", "calmar": "Calmar ratio"}
"""Objectives in words."""
_COIN = 0.5


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is told of a search beside its survey: where it ran, what it took, and how the driver saw the winner."""

    study: str
    strategy: str
    symbols: tuple[str, ...]
    interval: str
    method: str
    objective: str
    rule: str
    within: float
    engine: str
    obstacles: tuple[str, ...]
    start: int
    counted: int
    resumed: int
    pruned: int
    seconds: Mapping[str, float]
    agrees: bool | None
    difference: str
    kernel_equity: float
    driver_equity: float
    fills: int
    summary: Mapping[str, Any]
    judged: SharpeLine
    procedure: SharpeLine


def data(found: Survey, told: Outcome) -> dict[str, object]:
    """The search ready for JSON: a number that is not known is null."""
    heat = map_of(found, told.within)
    return {
        "study": told.study,
        "strategy": told.strategy,
        "symbols": told.symbols,
        "interval": told.interval,
        "method": told.method,
        "objective": told.objective,
        "rule": told.rule,
        "within": told.within,
        "engine": told.engine,
        "obstacles": told.obstacles,
        "trade_from": iso(told.start),
        "candidates": len(found.standings),
        "space": {name: list(values) for name, values in zip(found.space.names, found.space.values, strict=True)},
        "new_trials": told.counted,
        "resumed": told.resumed,
        "pruned": told.pruned,
        "seconds": {name: round(value, 3) for name, value in told.seconds.items()},
        "tests": [{"from": iso(w.test_start), "to": iso(w.test_end)} for w in found.tests.windows],
        "chosen": _standing(found.chosen) | {"rests_on_neighbours": found.pick.rests, "at_the_edge_in": found.edges},
        "peak": _standing(found.peak),
        "ranking": [_standing(one) for one in found.ranking[:_TOP]],
        "front": [_standing(found.standings[i]) for i in found.front],
        "map": {
            "names": heat.names,
            "x": heat.x,
            "y": heat.y,
            "fixed": dict(heat.fixed),
            "values": [[_null(v) for v in row] for row in heat.values.tolist()],
            "neighbourhoods": [[_null(v) for v in row] for row in heat.worth.tolist()],
        },
        "choosing": {
            "days": len(found.nested),
            "changed": found.changed,
            "sharpe_line": sharpetable.as_json(told.procedure),
        },
        "confirmation": {
            "agrees": told.agrees,
            "first_difference": told.difference or None,
            "kernel_equity": _null(told.kernel_equity),
            "driver_equity": _null(told.driver_equity),
            "fills": told.fills,
        },
        "winner": {
            "run_id": told.summary["run_id"],
            "final_equity": told.summary["final_equity"],
            "total_return": told.summary["total_return"],
            "buy_and_hold_return": told.summary["buy_and_hold_return"],
            "fills": told.summary["fills"],
            "sharpe_line": sharpetable.as_json(told.judged),
        },
    }


def _null(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _standing(one: Standing) -> dict[str, object]:
    numbers = {name: _null(getattr(one, name)) for name in ("value", "worth", "growth", "drawdown", "turnover")}
    tests = [_null(v) for v in one.folds.tolist()]
    return {"params": dict(one.params), **numbers, "neighbours": one.neighbours, "fills": one.fills, "tests": tests}


def written(params: Params) -> str:
    """Parameters as a person writes them."""
    return " ".join(f"{name}={value}" for name, value in params.items()) or "no parameters"


def sentences(found: Survey, told: Outcome) -> list[str]:
    """What the search says, in the order of importance."""
    chosen, peak = found.chosen, found.peak
    k, held = len(found.standings), "neighbours within " + percent(told.within, 0)
    said = [f"{k:,} candidates by the {told.engine}; {written(chosen.params)} is chosen: {_rests(found, told)}"]
    if found.pick.chosen != found.pick.peak:
        shown = f"the peak {written(peak.params)} shows {plain(peak.value)}"
        known = f"its {held} {plain(peak.worth)}: the difference is what noise adds to the best of many"
        unknown = "and some around it were given up" if told.pruned else "and not all around it was tried"
        said.append(f"{shown}, {known if math.isfinite(peak.worth) else unknown}")
    if not chosen.value > 0:
        said.append("no candidate is above zero at the lower end: by this objective there is nothing to choose")
    if told.pruned:
        said.append(
            f"{told.pruned:,} more fell behind and were given up early: each is a counted trial, none can be chosen"
        )
    if found.edges:
        ends = " and ".join(found.edges)
        said.append(f"the choice lies at the edge of the space in {ends}: widen it, what is beyond is not known")
    line = told.procedure.sharpe
    doubt = "" if line.low > 0 else ": nothing shows that choosing is worth anything"
    said.append(
        f"choosing like this on the past and trading what follows gave a Sharpe ratio of {plain(line.value)} "
        f"({plain(line.low)} to {plain(line.high)}) over {len(found.nested):,} days; "
        f"the choice changed {found.changed} of {max(0, len(found.tests.windows) - 1)} times{doubt}"
    )
    if told.judged.pbo > _COIN:
        odds = percent(told.judged.pbo, 0)
        said.append(
            f"overfitting {odds}: the best of these on half of the days is mostly below their median on the rest"
        )
    said.append(_confirmed(told))
    if told.obstacles:
        said.append(f"the kernel leaves out {', '.join(told.obstacles)}: the driver ran every candidate")
    return said


def _rests(found: Survey, told: Outcome) -> str:
    one = found.chosen
    lower = f"lower end of the {_SAID[told.objective]} of {len(one.folds)} tests {plain(one.value)}"
    if told.rule == "peak" or not found.pick.rests:
        return f"{lower}, which rests on no neighbour"
    return f"{lower}, {told.rule} of its {one.neighbours} neighbours {plain(one.worth)}"


def _confirmed(told: Outcome) -> str:
    if told.agrees is None:
        return "the winner was run again by the driver in a process of its own"
    if not told.agrees:
        return f"kernel and driver DISAGREE: {told.difference}"
    return f"the driver, in a process of its own, repeats the kernel: {told.fills} fills, {money(told.driver_equity)}"


def judgement(told: Outcome) -> str:
    """The winner through the whole gate, and its deflated Sharpe ratio."""
    summary = told.summary
    gained, held = percent(summary["total_return"], signed=True), percent(summary["buy_and_hold_return"], signed=True)
    return f"through the whole gate the winner returns {gained} (buy-and-hold {held}), {summary['fills']} fills"


def view(found: Survey, told: Outcome) -> tuple[RenderableType, ...]:
    """The search for the terminal."""
    table = Table(title="Candidates, the best neighbourhood first", title_justify="left", title_style="bold")
    table.box, table.pad_edge = SIMPLE_HEAD, False
    for name in (*found.space.names, told.objective, "neighbours", "growth", "drawdown", "turnover"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.ranking[:_TOP]:
        table.add_row(*map(str, one.params.values()), *_cells(one))
    ahead = Table(title="Front of growth against drawdown", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    ahead.pad_edge = False
    for name in (*found.space.names, "growth", "drawdown", "turnover"):
        ahead.add_column(name, justify="right", no_wrap=True)
    for i in found.front[:_FRONT]:
        one = found.standings[i]
        ahead.add_row(*map(str, one.params.values()), *_cells(one)[2:])
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in told.seconds.items())
    lines = [*sentences(found, told), judgement(told), f"took {parts}"]
    return (table, ahead, sharpetable.table(told.judged), Text("\n".join(lines)))


def _cells(one: Standing) -> list[str]:
    growth, lost = percent(one.growth, 1, signed=True), percent(one.drawdown, 1)
    return [plain(one.value), plain(one.worth), growth, lost, plain(one.turnover, 1)]


def page(found: Survey, told: Outcome) -> str:
    """The page: one HTML file without scripts from anywhere."""
    environment = Environment(
        loader=PackageLoader("seakeep.backtest.pages"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "plain": plain, "money": money, "day": day}
    heat = map_of(found, told.within)
    return environment.get_template("optimize.html").render(
        told=told,
        found=found,
        chosen=found.chosen,
        peak=found.peak,
        heat=heat_map(heat),
        heat_names=heat.names,
        scale=heat.largest,
        objective=_SAID[told.objective],
        fixed=written(heat.fixed) if heat.fixed else "",
        scatter=front_chart(found),
        sentences=sentences(found, told),
        judgement=judgement(told),
        judged_rows=sharpetable.rows(told.judged),
        judged_says=sharpetable.says(told.judged),
        ranking=found.ranking[:_TOP],
        front=[found.standings[i] for i in found.front[:_FRONT]],
        folds=_folds(found),
        written=written,
        span=(found.tests.windows[0].test_start, int(found.tests.ts[-1])),
        took=duration(1e3 * sum(told.seconds.values())),
        unknown=UNKNOWN,
    )


def _folds(found: Survey) -> Sequence[tuple[str, float, float]]:
    """Begin of each test, and what choice and peak scored in it."""
    begun = [day(w.test_start) for w in found.tests.windows]
    return list(zip(begun, found.chosen.folds.tolist(), found.peak.folds.tolist(), strict=True))
