"""The HTTP door: `serve`, and the tokens of bots: `token add | list | revoke`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import JsonFlag, emit, note

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["register", "serve", "token_add", "token_list", "token_revoke"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML settings; else USERDIR/config.toml if there.")
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; others than this machine need auth.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the API; 0 takes a free one.")]
RisksPort = Annotated[int | None, typer.Option("--risks-port", min=0, max=65535, help="Port of /risks.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=64, help="Processes that answer /risks.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log on stderr too.")]
Name = Annotated[str, typer.Argument(help="Whose token it is; it appears in the audit.")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("serve")(serve)
    family = typer.Typer(help="Tokens bots come in with: shown once, kept as a hash.", no_args_is_help=True)
    family.command("add")(token_add)
    family.command("list")(token_list)
    family.command("revoke")(token_revoke)
    app.add_typer(family, name="token")


def serve(
    userdir: UserDir = _HOME,
    config: Config = None,
    host: Host = None,
    port: Port = None,
    risks_port: RisksPort = None,
    workers: Workers = None,
    verbose: Verbose = False,
    as_json: JsonFlag = False,
) -> None:
    """Serve the API (:8000) and the /risks door (:8081) until stopped; on this machine only unless told otherwise."""
    import asyncio

    from seakeep.app.settings import config_path, load
    from seakeep.app.telemetry import logged
    from seakeep.app.web.identity import Identity
    from seakeep.app.web.serve import listen, supervise
    from seakeep.app.web.settings import web_of

    given = {"host": host, "port": port, "risks_port": risks_port, "workers": workers}
    settings = load(config_path(userdir, config), os.environ, {}).settings
    web = web_of(settings.web, {name: value for name, value in given.items() if value is not None})
    with logged(userdir, "serve", verbose=verbose) as log:
        Identity(web, userdir, os.environ)
        with listen(web, "api") as api, listen(web, "risks") as risks:
            where = {"api": _url(api.getsockname()), "risks": _url(risks.getsockname()) + "/risks"}
            emit(where, lambda console: _show(console, where), as_json=as_json)
            note("stop with Ctrl-C")
            words = [str(userdir), web.model_dump_json(), *([] if config is None else [str(config)])]
            asyncio.run(supervise({"api": api, "risks": risks}, web, words, log))


def token_add(
    name: Name,
    scope: Annotated[str, typer.Option("--scope", help="read, operate or admin; each includes the former.")] = "read",
    days: Annotated[float, typer.Option("--days", min=0.01, max=3650, help="Days it is good for.")] = 90.0,
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Mint a token; it is shown this once, and kept only as a hash."""
    from seakeep.app.web.tokens import Scope, Tokens
    from seakeep.core.errors import ConfigError

    if scope not in list(Scope):
        raise ConfigError("--scope must be read, operate or admin", value=scope)
    token = Tokens(userdir).mint(name, Scope(scope), days)
    data = {"name": name, "scope": scope, "days": days, "token": token}
    emit(data, lambda console: console.print(token, soft_wrap=True, markup=False), as_json=as_json)
    note(f"this is the only time it is shown; send it as: Authorization: Bearer {token[:8]}...")


def token_list(userdir: UserDir = _HOME, as_json: JsonFlag = False) -> None:
    """List the tokens there are, without what they are."""
    from seakeep.app.web.tokens import Tokens
    from seakeep.core.units import iso

    data = [
        {"name": t.name, "scope": t.scope.value, "created": iso(t.created), "expires": iso(t.expires)}
        for t in Tokens(userdir).all()
    ]

    def show(console: "Console") -> None:
        for row in data:
            console.print("{name}  {scope}  {created} to {expires}".format(**row), markup=False)
        if not data:
            console.print("no token yet; mint one with: seakeep token add NAME")

    emit(data, show, as_json=as_json)


def token_revoke(name: Name, userdir: UserDir = _HOME, as_json: JsonFlag = False) -> None:
    """Take a token back; it counts at once, also for a server that runs."""
    from seakeep.app.web.tokens import Tokens

    Tokens(userdir).revoke(name)
    data: dict[str, Any] = {"revoked": name}
    emit(data, lambda console: console.print(f"{name} may come in no more", markup=False), as_json=as_json)


def _url(address: tuple[Any, ...]) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}"


def _show(console: "Console", where: dict[str, str]) -> None:
    console.print(f"[bold]api[/]    {where['api']}  (docs at {where['api']}/docs)", soft_wrap=True)
    console.print(f"[bold]risks[/]  {where['risks']}", soft_wrap=True)
