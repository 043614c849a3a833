"""Training the experts: `train`."""

import os
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note, progress

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.models.review import Review
    from seakeep.app.models.trainer import Failure, Plan, Training
    from seakeep.app.settings import Settings

__all__ = ["register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML settings; else USERDIR/config.toml if there.")
]
Experts = Annotated[
    str | None, typer.Option("--experts", "-e", help="forest,garch; else the configured ones, else the panel of nine.")
]
Symbols = Annotated[str | None, typer.Option("--symbols", "-s", help="BTC/USDT,ETH/USDT")]
Interval = Annotated[str | None, typer.Option("--interval", "-i", help="Bar length: 1m, 5m, 1h, 1d.")]
Lookback = Annotated[str | None, typer.Option("--lookback", help="History to train and validate on: 180d.")]
Validation = Annotated[float | None, typer.Option("--validation", help="Share of it, the newest, to validate on.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that share the experts.")]
Watch = Annotated[bool, typer.Option("--watch/--once", help="Stay, and train at 00:00 UTC; or train once, now.")]


class Every(StrEnum):
    """The schedules."""

    daily = "daily"
    weekly = "weekly"
    monthly = "monthly"


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("train")(train)


def train(
    experts: Experts = None,
    symbols: Symbols = None,
    interval: Interval = None,
    lookback: Lookback = None,
    validation: Validation = None,
    every: Annotated[Every | None, typer.Option("--every", help="With --watch: how often.")] = None,
    watch: Watch = False,
    workers: Workers = 2,
    userdir: UserDir = Path("user_data"),
    config: Config = None,
    as_json: JsonFlag = False,
) -> None:
    """Train experts on stored bars; a version that beats the champion on unseen bars takes its place."""
    from seakeep.app.models.schedule import at_midnights
    from seakeep.core.errors import ConfigError

    if not userdir.exists():
        remedy = "make one with: seakeep init, or name another --userdir"
        raise ConfigError("there is no such user folder", value=str(userdir), remedy=remedy)
    asked: dict[str, object] = {"run.symbols": symbols, "run.interval": interval, "training.lookback": lookback}
    asked |= {"training.validation": validation, "training.every": every and every.value}
    settings = _settings(userdir, config, asked)
    names = tuple(name.strip() for name in experts.split(",")) if experts else ()
    if not watch:
        if not _once(settings, userdir, names, workers, as_json=as_json):
            raise typer.Exit(Exit.ERROR)
        return
    note(f"training {settings.training.every} at 00:00 UTC, and whenever a champion drifts; stop with Ctrl-C")
    at_midnights(
        lambda midnight: _scheduled(settings, userdir, names, workers, midnight, as_json=as_json),
        lambda: time.time_ns() // 1_000_000,
        time.sleep,
    )


def _settings(userdir: Path, config: Path | None, asked: dict[str, object]) -> "Settings":
    from seakeep.app.settings import config_path, load

    loaded = load(config_path(userdir, config), os.environ, asked)
    for notice in loaded.notices:
        note(notice)
    return loaded.settings


def _once(settings: "Settings", userdir: Path, names: tuple[str, ...], workers: int, *, as_json: bool) -> bool:
    """Review the champions, then train every expert; whether one could be trained."""
    from seakeep.app.models.review import review
    from seakeep.app.models.trainer import asked_experts, plan

    todo = plan(settings, userdir, asked_experts(settings, names))
    reviews, faults = review(todo, userdir, _now())
    return _carried_out(todo, userdir, workers, reviews, faults, as_json=as_json)


def _scheduled(
    settings: "Settings", userdir: Path, names: tuple[str, ...], workers: int, midnight: int, *, as_json: bool
) -> None:
    """What is due at this midnight: every expert, or those whose champion has drifted; an error waits for the next."""
    from seakeep.app.models.review import review
    from seakeep.app.models.schedule import is_due
    from seakeep.app.models.trainer import asked_experts, plan
    from seakeep.core.errors import SeakeepError

    try:
        todo = plan(settings, userdir, asked_experts(settings, names), f"{settings.training.every} schedule")
        reviews, faults = review(todo, userdir, midnight)
        if not is_due(midnight, settings.training.every):
            drifted = {r.expert for r in reviews if r.retrain}
            todo = todo.only(drifted, "drift")
        if todo.experts:
            _carried_out(todo, userdir, workers, reviews, faults, as_json=as_json)
    except SeakeepError as error:
        note(f"error: {error}")


def _carried_out(
    todo: "Plan",
    userdir: Path,
    workers: int,
    reviews: "tuple[Review, ...]",
    faults: "tuple[Failure, ...]",
    *,
    as_json: bool,
) -> bool:
    import msgspec

    from seakeep.app.models.trainer import train as train_all
    from seakeep.app.telemetry import logged

    with logged(userdir, "train", verbose=False) as log, progress("train", len(todo.experts)) as advance:
        done = train_all(todo, userdir, _now(), workers, lambda _: advance(1))
        for one in done.trained:
            log.info("trained", expert=one.expert, version=one.version, champion=one.champion, why=one.why)
        for failure in (*faults, *done.failures):
            log.warning("not trained", what=failure.what, why=failure.why)
    done = msgspec.structs.replace(done, failures=(*faults, *done.failures))
    emit(_data(reviews, done), lambda console: _show(console, reviews, done), as_json=as_json)
    return bool(done.trained)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _data(reviews: "tuple[Review, ...]", done: "Training") -> dict[str, Any]:
    import msgspec

    return {"reviews": msgspec.to_builtins(reviews), **msgspec.to_builtins(done)}


def _show(console: "Console", reviews: "tuple[Review, ...]", done: "Training") -> None:
    from rich.table import Table

    for r in (r for r in reviews if r.demoted or r.retrain):
        what = f"was demoted{f', {r.successor} is back' if r.successor else ''}" if r.demoted else "has drifted"
        console.print(f"[bold]{r.version}[/] {what}: {r.retrain}")
    table = Table(title="trained", title_justify="left", box=None, header_style="bold")
    for column in ("expert", "version", "champion", "why"):
        table.add_column(column)
    for one in done.trained:
        table.add_row(one.expert, one.version, "yes" if one.champion else "no", one.why)
    if done.trained:
        console.print(table)
    for failure in done.failures:
        console.print(f"[bold red]failed[/] {failure.what}: {failure.why}", soft_wrap=True)
