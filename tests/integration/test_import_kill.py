"""An import killed at any moment leaves the bars of the one before it or its own, never a mixture."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from seakeep.core.units import HOUR_MS, parse_time
from seakeep.data.importer import ImportOptions, import_file
from seakeep.data.store import ParquetStore

KILLS = 25
HOURS = 20_000  # over two years: three parts, so that a commit has something to tear
START = parse_time("20220101")

# Forks a child that imports the two files in turn, kills it after a seeded pause, and looks; KILLS times.
KILLER = """
import itertools, os, signal, sys, time
import numpy as np
from pathlib import Path
from seakeep.data.importer import ImportOptions, import_file
from seakeep.data.store import ParquetStore

root, kills, files = Path(sys.argv[1]), int(sys.argv[2]), [Path(p) for p in sys.argv[3:]]
store, pause = ParquetStore(root), np.random.default_rng(7)
began = time.monotonic()
for path in reversed(files):
    import_file(store, path, ImportOptions())
both = time.monotonic() - began
for kill in range(kills):
    child = os.fork()
    if child == 0:
        for path in itertools.cycle(files):
            import_file(store, path, ImportOptions())
    time.sleep(pause.uniform(0.0, 1.5 * both))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "the import died by itself"
    held = store.read("BTC/USDT", "1h")
    strays = {p.name for p in root.rglob("*.*")} - {p.file for p in store.entries()[0].parts}
    strays -= {"catalog.json", "instrument.json", ".lock"}
    print(len(held), *sorted(set(held.close.tolist())), "torn" if strays else "clean")
"""


def version(folder: Path, close: float) -> Path:
    path = folder / f"BTCUSDT-1h-{close:.0f}.csv"
    rows = ((START + i * HOUR_MS, close, close, close, close, 1) for i in range(HOURS))
    path.write_text("\n".join(",".join(map(str, row)) for row in rows))
    return path


def test_the_store_is_whole_after_every_kill_and_the_next_import_clears_what_was_left(tmp_path):
    root, files = tmp_path / "store", [version(tmp_path, 10.0), version(tmp_path, 20.0)]
    store = ParquetStore(root)
    import_file(store, files[0], ImportOptions())
    command = [sys.executable, "-c", KILLER, root, str(KILLS), *files]
    child = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert child.returncode == 0, child.stderr
    seen = [line.split() for line in child.stdout.splitlines()]
    assert len(seen) == KILLS
    assert {int(rows) for rows, *_ in seen} == {HOURS}
    assert {" ".join(closes) for _, *closes, _ in seen} == {"10.0", "20.0"}
    assert "torn" in {state for *_, state in seen}, "no kill hit a write: the pauses miss their mark"

    last = files[0] if store.read("BTC/USDT", "1h").close[0] == 20.0 else files[1]
    assert import_file(store, last, ImportOptions()).written == HOURS
    kept = {p.file for p in store.entries()[0].parts} | {"catalog.json", "instrument.json", ".lock"}
    assert {p.name for p in root.rglob("*.*")} == kept
    assert np.array_equal(np.diff(store.read("BTC/USDT", "1h").ts), np.full(HOURS - 1, HOUR_MS))
