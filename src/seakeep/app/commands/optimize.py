"""`optimize`: search parameters, choose the plateau, confirm the winner."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note, progress

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.search.optimizer import Asked, Optimum
    from seakeep.app.sections import Settings
    from seakeep.backtest.pages.optimizepage import Outcome

__all__ = ["optimize", "register"]


class MethodName(StrEnum):
    """How candidates are found."""

    GRID = "grid"
    RANDOM = "random"
    TPE = "tpe"
    NSGA2 = "nsga2"


class ObjectiveName(StrEnum):
    """What a candidate is ranked by."""

    SHARPE = "sharpe"
    RETURN = "return"
    CALMAR = "calmar"


class RuleName(StrEnum):
    """What a neighbourhood is worth."""

    WORST = "worst"
    MEAN = "mean"
    PEAK = "peak"


Space = Annotated[list[str] | None, typer.Option("--space", help="fast=10:100:5, or fast=10,20,40")]
Method = Annotated[MethodName, typer.Option("--method", help="All, a sample, Bayesian, or genetic with a front.")]
Trials = Annotated[int, typer.Option("--trials", min=0, max=50_000, help="Candidates; 0: the whole grid, else 200.")]
Objective = Annotated[ObjectiveName, typer.Option("--objective", help="Its lower end over the tests is what counts.")]
Rule = Annotated[
    RuleName, typer.Option("--choose", help="What a neighbourhood is worth: its worst, mean; or the peak.")
]
Within = Annotated[float, typer.Option("--within", min=0.0, max=1.0, help="Neighbours: values within this share.")]
Folds = Annotated[int, typer.Option("--folds", min=3, max=100, help="Tests the history is cut into.")]
Prune = Annotated[
    bool | None, typer.Option("--prune/--no-prune", help="Give up early what falls behind; else only the driver does.")
]
StudyName = Annotated[str, typer.Option("--study", help="Name to store it under; else made from the question.")]
Memory = Annotated[int, typer.Option("--memory", min=64, max=1 << 20, help="MiB that may be held.")]


def register(app: typer.Typer) -> None:
    """Add the command of this family."""
    app.command("optimize")(optimize)


def optimize(
    more: Annotated[list[str] | None, typer.Argument(help="More parameters: slow=50:400:10")] = None,
    space: Space = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="A strategy of list-strategies.")] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", "-s", help="BTC/USDT,ETH/USDT")] = None,
    interval: Annotated[str | None, typer.Option("--interval", "-i", help="Bar length: 1m, 5m, 1h, 1d.")] = None,
    timerange: Annotated[str | None, typer.Option("--timerange", help="20240101-20240601 or 20240101-.")] = None,
    method: Method = MethodName.GRID,
    trials: Trials = 0,
    objective: Objective = ObjectiveName.SHARPE,
    choose: Rule = RuleName.WORST,
    within: Within = 0.2,
    turnover: Annotated[bool, typer.Option("--turnover", help="Turnover is a third side of the front.")] = False,
    prune: Prune = None,
    folds: Folds = 8,
    study: StudyName = "",
    memory: Memory = 1024,
    userdir: Annotated[Path, typer.Option("--userdir", help="Folder of data, studies and results.")] = Path(
        "user_data"
    ),
    config: Annotated[Path | None, typer.Option("--config", "-c", help="TOML settings.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Search parameters, choose the plateau and not the peak, and run the winner again by the driver."""
    from seakeep.app.commands.research import parse_grid
    from seakeep.app.search.optimizer import Asked
    from seakeep.backtest.pages import optimizepage

    settings = _settings(userdir, config, (symbols, interval, strategy, timerange))
    asked = Asked(
        space=parse_grid([*(space or []), *(more or [])]),
        method=method.value,
        trials=trials or (0 if method is MethodName.GRID else 200),
        objective=objective.value,
        rule=choose.value,
        within=within,
        folds=folds,
        study=study,
        memory_mb=memory,
        turnover=turnover,
        prune=prune,
    )
    found = _searched(settings, userdir, asked)
    told = _outcome(found)
    data = optimizepage.data(found.survey, told) | {"report": str(_write(found, told, userdir))}

    def show(console: "Console") -> None:
        console.print(*optimizepage.view(found.survey, told), sep="\n")
        console.print(f"[bold]report[/]  {data['report']}", soft_wrap=True)

    emit(data, show, as_json=as_json)
    if told.agrees is False:
        note(f"error: the driver does not repeat the kernel: {told.difference}")
        raise typer.Exit(Exit.INTEGRITY)


def _searched(settings: "Settings", userdir: Path, asked: "Asked") -> "Optimum":
    from seakeep.app.search.optimizer import optimize as search
    from seakeep.app.telemetry import logged
    from seakeep.backtest.search.space import Space

    size = Space.of(asked.space).size
    total = min(size, asked.trials or size)
    with logged(userdir, "optimize", verbose=False) as log, progress("optimize", total) as advance:
        found = search(settings, userdir, asked, advance)
        log.info("optimize", study=found.study, chosen=dict(found.survey.chosen.params), agrees=found.confirmed.agrees)
    return found


def _outcome(found: "Optimum") -> "Outcome":
    from seakeep.backtest.pages.optimizepage import Outcome

    run, asked, confirmed = found.settings, found.asked, found.confirmed
    return Outcome(
        study=found.study,
        strategy=run.strategy.name,
        symbols=run.run.symbols,
        interval=run.run.interval,
        method=asked.method,
        objective=asked.objective,
        rule=asked.rule,
        within=asked.within,
        engine=found.engine,
        obstacles=found.obstacles,
        start=found.start,
        counted=found.counted,
        resumed=found.resumed,
        pruned=found.pruned,
        seconds=found.seconds,
        agrees=confirmed.agrees,
        difference=confirmed.difference,
        kernel_equity=confirmed.kernel_equity,
        driver_equity=confirmed.driver_equity,
        fills=confirmed.fills,
        summary=confirmed.summary,
        judged=found.judged,
        procedure=found.procedure,
    )


def _write(found: "Optimum", told: "Outcome", userdir: Path) -> Path:
    """The page and the figures in a folder of the study's name; returns the page."""
    import msgspec

    from seakeep.backtest.pages import optimizepage
    from seakeep.backtest.saving import publish

    text = msgspec.json.format(msgspec.json.encode(optimizepage.data(found.survey, told)), indent=2).decode()
    folder = userdir / "studies" / found.study
    publish(folder, {"report.html": optimizepage.page(found.survey, told), "study.json": f"{text}\n"})
    return folder / "report.html"


def _settings(userdir: Path, config: Path | None, options: tuple[str | None, ...]) -> "Settings":
    from seakeep.app.settings import config_path, load
    from seakeep.core.errors import ConfigError

    if not userdir.exists():
        remedy = "make one with: seakeep init, or name another --userdir"
        raise ConfigError("there is no such user folder", value=str(userdir), remedy=remedy)
    keys = ("run.symbols", "run.interval", "strategy.name", "run.timerange")
    loaded = load(config_path(userdir, config), os.environ, dict(zip(keys, options, strict=True)))
    for notice in loaded.notices:
        note(notice)
    return loaded.settings
