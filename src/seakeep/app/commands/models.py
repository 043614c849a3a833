"""The registry of model versions: `models list`, `show`, `diff`, `promote`, `rollback`."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import JsonFlag, emit, note

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.models.store import Version
    from seakeep.models.comparison import Metrics

__all__ = ["register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
Name = Annotated[str, typer.Argument(help="A version, such as forest-3; an expert's name means its champion.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the version.")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    family = typer.Typer(no_args_is_help=True, help="Versions of trained experts: evidence, stages, record.")
    family.command("list")(list_versions)
    family.command("show")(show)
    family.command("diff")(diff)
    family.command("promote")(promote)
    family.command("rollback")(rollback)
    app.add_typer(family, name="models")


def list_versions(
    expert: Annotated[str, typer.Option("--expert", help="Only versions of this expert.")] = "",
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Every version, its stage, and what it showed on bars it had not seen."""
    from seakeep.app.models.trainer import model_store

    versions = model_store(userdir).versions(expert)
    if not versions:
        note("no model has been trained yet; train with: seakeep train")
    rows = [_row(version) for version in sorted(versions, key=lambda version: version.card.expert)]
    emit(rows, lambda console: _table(console, rows), as_json=as_json)


def show(name: Name, userdir: UserDir = _HOME, as_json: JsonFlag = False) -> None:
    """A version's card, its history, and its record since it was trained."""
    import msgspec

    from seakeep.app.models.trainer import model_store
    from seakeep.models.card import text

    store = model_store(userdir)
    version = _named(userdir, name)
    store.verify(version)
    events, outcomes = store.events(version.id), store.outcomes(version.id)
    data = msgspec.to_builtins(version) | {
        "warnings": version.card.warnings,
        "events": msgspec.to_builtins(events),
        "outcomes": msgspec.to_builtins(outcomes),
    }

    def render(console: "Console") -> None:
        from rich.markdown import Markdown

        from seakeep.core.units import iso

        console.print(f"[bold]{version.id}[/]  {version.stage}  artefact {version.artefact[:12]}, intact")
        console.print(Markdown(text(version.card)))
        for event in events:
            console.print(f"{iso(event.ts)}  {event.what}: {event.reason}", soft_wrap=True)
        _table(console, [_figures(o.stop, o.metrics) for o in outcomes])

    emit(data, render, as_json=as_json)


def diff(old: Name, new: Name, userdir: UserDir = _HOME, as_json: JsonFlag = False) -> None:
    """What two versions differ in: parameters, data, code, figures."""
    from seakeep.models.card import changes

    first, second = (_named(userdir, name) for name in (old, new))
    found = changes(first.card, second.card)
    rows = [{"what": name, first.id: before, second.id: after} for name, before, after in found]
    if first.id == second.id or not rows:
        note("they do not differ")
    emit(rows, lambda console: _table(console, rows), as_json=as_json)


def promote(
    name: Name, reason: Reason = "promoted by hand", userdir: UserDir = _HOME, as_json: JsonFlag = False
) -> None:
    """Make a version the champion of its expert."""
    from seakeep.app.models.trainer import model_store

    store = model_store(userdir)
    version = _named(userdir, name)
    store.verify(version)
    _changed(store.promote(version.id, reason, time.time_ns() // 1_000_000), as_json=as_json)


def rollback(
    name: Name, reason: Reason = "rolled back by hand", userdir: UserDir = _HOME, as_json: JsonFlag = False
) -> None:
    """Put the champion back that this one replaced."""
    from seakeep.app.models.trainer import model_store

    version = _named(userdir, name)
    restored = model_store(userdir).rollback(version.id, reason, time.time_ns() // 1_000_000)
    _changed(restored, as_json=as_json)


def _named(userdir: Path, name: str) -> "Version":
    """The version of that id, or the only champion of that expert. Raises: ConfigError."""
    from seakeep.app.models.trainer import model_store
    from seakeep.core.errors import ConfigError

    store = model_store(userdir)
    champions = [version for version in store.versions(name) if version.stage == "champion"] if name else []
    if len(champions) > 1:
        remedy = f"name one of {', '.join(version.id for version in champions)}"
        raise ConfigError(f"{name} has a champion in several slots", remedy=remedy)
    return champions[0] if champions else store[name]


def _changed(version: "Version", *, as_json: bool) -> None:
    data = {"version": version.id, "stage": version.stage, "slot": version.slot}
    emit(data, lambda console: console.print(f"[bold]{version.id}[/] is now the champion"), as_json=as_json)


def _row(version: "Version") -> dict[str, Any]:
    card = version.card
    looks = f"{card.horizon} x {card.interval}" if card.horizon else f"now, {card.interval}"
    return {"version": version.id, "stage": version.stage, "ahead": looks} | _figures(card.seen_until, card.metrics)


def _figures(until: int, metrics: "Metrics") -> dict[str, Any]:
    from seakeep.core.units import iso

    return {
        "until": iso(until)[:10],
        "loss": metrics.relative_loss,
        "ic": metrics.ic,
        "right": metrics.accuracy,
        "profit": metrics.profit_factor,
        "trades": metrics.trades,
    }


def _table(console: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, header_style="bold")
    for column, value in rows[0].items():
        table.add_column(column, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
