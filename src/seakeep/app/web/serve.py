"""The processes behind `seakeep serve`: one for the API, one or more for /risks, started again when they die."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from seakeep.app.web.settings import WebSettings
from seakeep.core.errors import ConfigError

if TYPE_CHECKING:
    from seakeep.app.web.edge import Log

__all__ = ["Kind", "listen", "supervise"]

Kind = Literal["api", "risks"]
_PAUSE_S, _LONGEST_S, _HEALTHY_S, _GRACE_S = 0.2, 5.0, 10.0, 8.0


def listen(web: WebSettings, kind: Kind) -> socket.socket:
    """A socket on which processes to come will listen. Raises: ConfigError naming the port."""
    port = web.port if kind == "api" else web.risks_port
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((web.host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        key = "web.port" if kind == "api" else "web.risks_port"
        what = f"{key}: cannot listen on {web.host}: {error.strerror or error}"
        raise ConfigError(what, value=port, remedy="stop what uses it, or set another") from error
    listener.set_inheritable(True)
    return listener


async def supervise(places: Mapping[Kind, socket.socket], web: WebSettings, words: list[str], log: "Log") -> None:
    """Keep the processes alive until this one is told to stop; they stop with it.

    `words` are what every worker is told after its kind and its socket: see `worker`.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        for kind, listener in places.items():
            for _ in range(web.workers if kind == "risks" else 1):
                told = ["-m", "seakeep.app.web.worker", kind, str(listener.fileno()), *words]
                group.create_task(_keep(told, listener, stop, log))


async def _keep(words: list[str], listener: socket.socket, stop: asyncio.Event, log: "Log") -> None:
    """Start one process, again and again, later each time it dies young."""
    pause, stopping = _PAUSE_S, asyncio.create_task(stop.wait())
    while not stop.is_set():
        born = time.monotonic()
        process = await asyncio.create_subprocess_exec(sys.executable, *words, pass_fds=(listener.fileno(),))
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await _end(process, ended)
            return
        pause = _PAUSE_S if time.monotonic() - born > _HEALTHY_S else min(2 * pause, _LONGEST_S)
        log.info("worker died", kind=words[2], code=process.returncode, again_in_s=pause)
        await asyncio.wait({stopping}, timeout=pause)


async def _end(process: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    """Ask it to finish what it is answering; end it if it does not."""
    if process.returncode is None:
        process.terminate()
    await asyncio.wait({ended}, timeout=_GRACE_S)
    if process.returncode is None:
        process.kill()
        await ended
