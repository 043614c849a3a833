"""Walk-forwards, trials and controls for the terminal and as JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seakeep.backtest.controls.rates import Controls, Rate
from seakeep.backtest.notation import day, percent, plain
from seakeep.backtest.pages.sharpetable import as_json, table
from seakeep.backtest.search.walkforward import Choice, Params, Study
from seakeep.backtest.sharpeline import SharpeLine
from seakeep.backtest.trials import Trial
from seakeep.core.units import YEAR_MS, interval_ms, iso
from seakeep.stats.performance import LEVEL, Estimate

__all__ = ["controls_data", "controls_view", "study_data", "study_view", "trials_data", "trials_view"]

_WRAPPED = ("what was tried", "on", "chosen", "control")
"""Columns that may take several lines."""


def study_view(study: Study, line: SharpeLine, interval: str) -> tuple[RenderableType, ...]:
    """A walk-forward: a row a window, what the choice was worth, and its Sharpe line."""
    year = math.sqrt(YEAR_MS / interval_ms(interval))
    windows = _grid("Walk-forward", "judged from", "chosen", "in", "out", "all", "agree", left=2)
    for choice in study.choices:
        figures = (plain(value * year) for value in (choice.inside, choice.outside, choice.average))
        _add(windows, day(choice.window.test_start), _written(choice.params), *figures, plain(choice.agreement))
    total = float(_compounded(study))
    low, high = percent(study.efficiency.low, 0), percent(study.efficiency.high, 0)
    ends = f" ({LEVEL:.0%} interval {low} to {high})" if math.isfinite(study.efficiency.low) else ""
    said = [
        "Sharpe a year in sample and out; all: the mean of every set; agree: rank correlation of in and out",
        f"out of sample {percent(total, signed=True)} in all, {len(study.curve.ts):,} bars, {len(study.points):,} sets",
        f"efficiency {percent(study.efficiency.value, 0)}{ends}: out of sample over in sample, bar for bar",
        "stability " + ", ".join(f"{name} {plain(value)}" for name, value in study.stability) + " (1 never moves, "
        "0 moves as chance does)",
    ]
    return (windows, Text("\n".join(said)), Text(""), table(line))


def study_data(study: Study, line: SharpeLine, interval: str) -> dict[str, object]:
    """The same, ready for JSON; Sharpe ratios a year."""
    year = math.sqrt(YEAR_MS / interval_ms(interval))
    return {
        "windows": [_choice_data(choice, year) for choice in study.choices],
        "parameter_sets": len(study.points),
        "bars": len(study.curve.ts),
        "total_return": float(_compounded(study)),
        "efficiency": {"value": _null(study.efficiency.value), **_ends(study.efficiency)},
        "stability": {name: _null(value) for name, value in study.stability},
        "sharpe_line": as_json(line),
        "curve": {"ts": study.curve.ts.tolist(), "returns": study.curve.returns.tolist()},
    }


def trials_view(data: Mapping[str, Any], shown: Sequence[Trial]) -> tuple[RenderableType, ...]:
    """What was tried, and the newest of it."""
    if not data["trials"]:
        return (Text("nothing has been tried yet: a backtest or a walk-forward counts its evaluations here"),)
    rows = _grid("Newest trials", "#", "what was tried", "on", "recorded", "bars", "Sharpe", "idea", left=4)
    for one in shown:
        what = f"{one.strategy} {_written(msgspec.json.decode(one.params))}".rstrip()
        cells = (",".join(one.symbols), one.recorded[:10], f"{one.n:,} {one.interval}", plain(one.sharpe))
        _add(rows, str(one.id), what, *cells, "own" if one.idea == one.id else f"as {one.idea}")
    said = (
        f"{data['trials']:,} trials, {data['effective_trials']:,.0f} of them ideas of their own; by now the best of "
        f"luck alone would show a Sharpe ratio of {plain(data['best_of_luck'])} a year"
    )
    return (rows, Text(said)) if shown else (Text(said),)


def trials_data(trial: Trial) -> dict[str, object]:
    """A trial ready for JSON."""
    return {
        "id": trial.id,
        "recorded": trial.recorded,
        "source": trial.source,
        "study": trial.study,
        "strategy": trial.strategy,
        "params": trial.params,
        "symbols": trial.symbols,
        "interval": trial.interval,
        "start": iso(trial.start),
        "stop": iso(trial.stop),
        "returns": trial.n,
        "sharpe": _null(trial.sharpe),
        "idea": trial.idea,
    }


def controls_view(found: Controls) -> tuple[RenderableType, ...]:
    """The rates, what is asked of each, and whether it holds."""
    rows = _grid("Planted controls", "control", "share", f"{LEVEL:.0%} interval", "of", "asked", "", left=1)
    for rate in found.rates:
        ends = f"{percent(rate.share.low, 1)} to {percent(rate.share.high, 1)}"
        verdict = Text("holds", "green") if rate.holds else Text("fails", "red")
        cells = (rate.name, percent(rate.share.value, 1), ends, f"{rate.share.n:,}", _asked(rate))
        rows.add_row(*(Text(cell) for cell in cells), verdict if _asked(rate) else Text(""))
    said = (
        f"{found.strategies:,} random strategies are about {found.ideas:,.0f} ideas; on noise "
        f"{percent(found.alone, 1)} of them would pass if each were judged alone"
    )
    return (rows, Text(said))


def controls_data(found: Controls) -> dict[str, object]:
    """The same, ready for JSON."""
    rates = [
        {
            "name": rate.name,
            "share": rate.share.value,
            **_ends(rate.share),
            "n": rate.share.n,
            "at_most": rate.at_most,
            "at_least": rate.at_least,
            "holds": rate.holds,
        }
        for rate in found.rates
    ]
    return {
        "rates": rates,
        "strategies": found.strategies,
        "effective_strategies": found.ideas,
        "pass_alone": found.alone,
        "holds": found.holds,
    }


def _grid(title: str, *columns: str, left: int) -> Table:
    rows = Table(title=Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        rows.add_column(name, justify="left" if i < left else "right", no_wrap=name not in _WRAPPED)
    return rows


def _add(rows: Table, *cells: str) -> None:
    rows.add_row(*(Text(cell) for cell in cells))


def _compounded(study: Study) -> float:
    total = 1.0
    for value in study.curve.returns.tolist():
        total *= 1 + value
    return total - 1


def _written(params: Params | None) -> str:
    return "nothing, in cash" if params is None else ", ".join(f"{name} {value}" for name, value in params.items())


def _choice_data(choice: Choice, year: float) -> dict[str, object]:
    window = choice.window
    return {
        "train": [iso(window.train_start), iso(window.train_end)],
        "test": [iso(window.test_start), iso(window.test_end)],
        "params": choice.params,
        "sharpe_in": _null(choice.inside * year),
        "sharpe_out": _null(choice.outside * year),
        "average_out": _null(choice.average * year),
        "agreement": _null(choice.agreement),
    }


def _asked(rate: Rate) -> str:
    if rate.at_most is not None:
        return f"at most {percent(rate.at_most, 0)}"
    return "" if rate.at_least is None else f"at least {percent(rate.at_least, 0)}"


def _ends(estimate: Estimate) -> dict[str, float | None]:
    return {"low": _null(estimate.low), "high": _null(estimate.high)}


def _null(value: float) -> float | None:
    return value if math.isfinite(value) else None
