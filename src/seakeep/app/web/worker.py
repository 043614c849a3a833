"""One process that serves on a socket it was handed: the API, or /risks.

python -m seakeep.app.web.worker KIND FD USERDIR [CONFIG]
"""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any, cast

import uvicorn

from seakeep.app.console import exit_code, note
from seakeep.app.telemetry import setup
from seakeep.app.web.edge import Edge, Log
from seakeep.app.web.identity import Identity
from seakeep.app.web.serve import Kind
from seakeep.app.web.settings import WebSettings
from seakeep.core.errors import SeakeepError

__all__ = ["edge_of", "serve"]


def edge_of(kind: Kind, web: WebSettings, userdir: Path, config: Path | None, log: Log) -> Edge:
    """The application of that kind, warm. Raises: SeakeepError if settings, ledger or rule book do not allow it."""
    identity = Identity(web, userdir, os.environ)
    if kind == "risks":
        from seakeep.app.web.book import assess_with
        from seakeep.app.web.door import Door

        door = Door(assess_with(userdir), web)
        door.edge = Edge(door, web, identity, log, web.risks_rate)
        return door.edge
    from seakeep.app.settings import config_path, load
    from seakeep.app.web.api import api
    from seakeep.app.web.state import State

    settings = load(config_path(userdir, config), os.environ, {}).settings
    return api(State.open(settings, web, identity, userdir, os.environ), log)


async def serve(edge: Edge, listener: socket.socket) -> None:
    """Serve until the process is told to stop."""
    config = uvicorn.Config(
        cast("Any", edge),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="off",
        limit_concurrency=2_000,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64_000,
    )
    server, parent = uvicorn.Server(config), os.getppid()
    watching = asyncio.create_task(_orphaned(parent))
    watching.add_done_callback(lambda _: setattr(server, "should_exit", True))
    await server.serve(sockets=[listener])
    watching.cancel()


async def _orphaned(parent: int) -> None:
    """Until the process that started this one is gone: nobody would stop it then."""
    while os.getppid() == parent:
        await asyncio.sleep(1.0)


def _main(kind: Kind, number: str, userdir: Path, web: str, config: Path | None) -> None:
    log = setup(userdir, os.environ)
    edge = edge_of(kind, WebSettings.model_validate_json(web), userdir, config, log)
    asyncio.run(serve(edge, socket.socket(fileno=int(number))))


if __name__ == "__main__":
    _, kind_, number_, userdir_, web_, *config_ = sys.argv
    try:
        _main(cast("Kind", kind_), number_, Path(userdir_), web_, Path(config_[0]) if config_ else None)
    except SeakeepError as error_:
        note(f"error: {error_}")
        sys.exit(exit_code(error_))
