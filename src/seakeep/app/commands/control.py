"""A person's word to a run: pause, resume, reduce, flatten, halt, reset-breaker, write-off, status, limits."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from seakeep.app.gate.controls import Order, Standing
    from seakeep.ledger.journal import Ledger

__all__ = ["limits_confirm", "limits_set", "limits_show", "register", "status", "write_off"]

Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept in the journal.")]
RunId = Annotated[str, typer.Option("--run", help="A run of `seakeep ledger runs`; the newest if left out.")]
UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="Another ledger: a file or postgresql://USER@HOST/NAME.")
]
Wait = Annotated[float, typer.Option("--wait", min=0, max=3600, help="Seconds to wait until the run has taken it up.")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for action, says in _WORDS.items():
        app.command(action, help=says)(_command(action))
    app.command("write-off")(write_off)
    app.command("status")(status)
    family = typer.Typer(help="The limits of a run: what they are, and other ones.", no_args_is_help=True)
    family.command("show")(limits_show)
    family.command("set")(limits_set)
    family.command("confirm")(limits_confirm)
    app.add_typer(family, name="limits")


_WORDS = {
    "pause": "Take no new decision; what is held and protected stays.",
    "resume": "Take decisions again after a pause.",
    "reduce": "Only reductions from now on, until a written reset.",
    "flatten": "Close every position, then halt.",
    "halt": "Nothing but reductions, until a written reset.",
    "reset-breaker": "Trade again after the breaker has tripped.",
}


def _command(action: str) -> "Callable[..., None]":
    def command(
        reason: Reason,
        run: RunId = "",
        wait: Wait = 0.0,
        userdir: UserDir = _HOME,
        database_url: DatabaseUrl = None,
        as_json: JsonFlag = False,
    ) -> None:
        from seakeep.app.gate.controls import Order

        _send(Order(action=action, reason=reason), run, wait, _at(userdir, database_url), as_json=as_json)

    return command


def write_off(
    symbol: Annotated[str, typer.Argument(help="What is held and has no price any more: LUNA/USDT.")],
    reason: Reason,
    run: RunId = "",
    wait: Wait = 0.0,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Count what is held of a silent market as worth nothing, so that the breaker sees again."""
    from seakeep.app.gate.controls import Order

    asked = Order(action="write-off", reason=reason, symbol=symbol)
    _send(asked, run, wait, _at(userdir, database_url), as_json=as_json)


def status(
    run: RunId = "", userdir: UserDir = _HOME, database_url: DatabaseUrl = None, as_json: JsonFlag = False
) -> None:
    """Where a run stands: equity, losses, breaker, who trades it, and orders that still wait."""
    from seakeep.app.commands.ledger import chosen_run, open_ledger
    from seakeep.app.gate.controls import standing

    with open_ledger(userdir, database_url) as ledger:
        found = standing(ledger, chosen_run(ledger, run).run_id)
    emit(found, lambda console: _show(console, found), as_json=as_json)


def limits_show(
    run: RunId = "", userdir: UserDir = _HOME, database_url: DatabaseUrl = None, as_json: JsonFlag = False
) -> None:
    """Show every limit of a run beside what the book uses of it, and changes that wait."""
    from seakeep.app.commands.ledger import chosen_run, open_ledger
    from seakeep.app.gate.account import Accounts
    from seakeep.app.gate.controls import limits_of
    from seakeep.app.gate.limitsheet import limit_sheet

    with open_ledger(userdir, database_url) as ledger:
        account = Accounts(ledger).account(chosen_run(ledger, run).run_id)
        sheet = limit_sheet(account, limits_of(ledger, account.run_id, account.settings))
    emit(sheet, lambda console: _show_limits(console, sheet), as_json=as_json)


def limits_set(
    changes: Annotated[list[str], typer.Argument(help="max_weight=0.05, one or several.")],
    reason: Reason,
    run: RunId = "",
    wait: Wait = 0.0,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Change limits: tighter ones count at once, looser ones wait and need `limits confirm`."""
    from seakeep.app.gate.controls import Order

    asked = Order(action="set-limits", reason=reason, changes=dict(_change(text) for text in changes))
    _send(asked, run, wait, _at(userdir, database_url), as_json=as_json)


def limits_confirm(
    change: Annotated[str, typer.Argument(help="Id of the change, as `limits set` gave it.")],
    reason: Reason,
    cancel: Annotated[bool, typer.Option("--cancel", help="Take the change back instead.")] = False,
    run: RunId = "",
    wait: Wait = 0.0,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Say for the second time that a looser limit is wanted."""
    from seakeep.app.gate.controls import Order

    action = "cancel-limits" if cancel else "confirm-limits"
    asked = Order(action=action, reason=reason, id=change)
    _send(asked, run, wait, _at(userdir, database_url), as_json=as_json)


def _at(userdir: Path, database_url: str | None) -> "Ledger":
    """The ledger, to write an order into; it has to be there."""
    from seakeep.app.commands.ledger import open_ledger
    from seakeep.ledger.journal import Ledger

    with open_ledger(userdir, database_url) as there:
        location = there.engine.url.render_as_string(hide_password=False)
    return Ledger.open(location)


def _send(asked: "Order", run: str, wait: float, ledger: "Ledger", *, as_json: bool) -> None:
    """Check, post, wait if that is asked, and say what became of it."""
    import secrets

    from seakeep.app.commands.ledger import chosen_run
    from seakeep.app.gate.controls import ask, order, standing, still_speaks, wait_for
    from seakeep.app.web.tokens import now_ms
    from seakeep.ledger.inbox import Sender

    sender = Sender(_person(), secrets.token_hex(16), now_ms())
    with ledger:
        run_id = chosen_run(ledger, run).run_id
        posted = ask(ledger, run_id, order(asked, sender), sender)
        taken = wait_for(ledger, run_id, posted, wait) if wait else None
        found = standing(ledger, run_id)
        speaks = still_speaks(ledger, run_id, asked.symbol) if asked.symbol else ""
    data: dict[str, Any] = {"posted": posted, "taken": found.controls >= posted.seq, "standing": found}
    data |= {"without_effect": speaks} if speaks else {}
    emit(data, lambda console: _told(console, data), as_json=as_json)
    if speaks:
        note(speaks)
    if found.trading is None and not data["taken"]:
        note("no process is trading this run now: the order is kept, and counts as soon as the run is taken up again")
        raise typer.Exit(Exit.NOT_RUNNING)
    if taken is False:
        note(f"the run has not taken the order up within {wait:g} s; it is kept")
        raise typer.Exit(Exit.TIMEOUT)


def _person() -> str:
    """Who sits at the keyboard, as the system knows them."""
    return f"cli:{os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"


def _change(text: str) -> tuple[str, float]:
    from seakeep.core.errors import ConfigError

    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ConfigError("not a change of a limit", value=text, remedy="write max_weight=0.05") from None


def _told(console: "Console", data: dict[str, Any]) -> None:
    posted = data["posted"]
    state = "has taken effect" if data["taken"] else "waits for the run"
    console.print(f"[bold]{posted.control.action}[/] (order {posted.seq}, id {posted.control.id}) {state}")
    _show(console, data["standing"])


def _show(console: "Console", found: "Standing") -> None:
    from seakeep.core.units import iso

    when = "no entry yet" if found.last_ts is None else f"at {iso(found.last_ts)}"
    console.print(f"run {found.run_id}, {found.entries:,} entries, {when}", soft_wrap=True)
    console.print(f"traded by {found.trading}" if found.trading else "nobody is trading it now")
    colour = "green" if found.breaker == "NORMAL" and not found.paused else "bold red"
    console.print(f"breaker [{colour}]{found.breaker}[/]{', paused' if found.paused else ''}")
    if found.snapshot is not None:
        s = found.snapshot
        console.print(f"equity {s.equity:,.2f}, drawdown {s.drawdown:.2%}, loss of the day {s.daily_loss:.2%}")
        held = ", ".join(f"{symbol} {weight:+.2%}" for symbol, weight in s.exposure)
        console.print(f"holds {held or 'nothing'} ({s.gross:.2%} gross)")
    for posted in found.waiting:
        console.print(f"waiting: {posted.control.action} by {posted.who}: {posted.control.reason}", markup=False)


def _show_limits(console: "Console", sheet: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("limit", "value", "now", "used"):
        table.add_column(name, justify="left" if name == "limit" else "right")
    for row in sheet["limits"]:
        now, share = row["current_value"], row["limit_percentage"]
        used = "-" if share is None else f"{share:.0f}%"
        table.add_row(row["limit_id"], f"{row['limit_value']:g}", "-" if now is None else f"{now:.4g}", used)
    console.print(table)
    for change in sheet["waiting"]:
        console.print(_waiting(change), markup=False, soft_wrap=True)
    for change in sheet["refused"]:
        console.print(f"refused: {change['id']}: {change['why']}", markup=False, soft_wrap=True)


def _waiting(change: dict[str, Any]) -> str:
    from seakeep.core.units import iso

    wanted = ", ".join(f"{name}={value:g}" for name, value in change["changes"].items())
    span = f"to be confirmed from {iso(change['ready_ts'])} to {iso(change['expires_ts'])}"
    return f"waiting: {change['id']}: {wanted}, {span} ({change['by']}: {change['reason']})"
