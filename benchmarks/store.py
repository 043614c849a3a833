"""Loading one-minute bars into NumPy: the store beside pandas, raw pyarrow and SQLite. Goal: 5 M bars in 0.25 s.

    .venv/bin/python benchmarks/store.py [bars]

Rounds are interleaved and the medians compared, so a busy machine slows all of them alike. The first read decodes
Parquet and leaves a copy in columns; what comes after it maps that copy and checks every block it returns. SQLite reads
a tenth of the bars, and its time is scaled. Everything is in the page cache.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seakeep.core.market import BarFrame
from seakeep.core.units import MINUTE_MS, parse_time
from seakeep.data.parts import VALUES
from seakeep.data.store import ParquetStore

NAMES = ("ts", "open", "high", "low", "close", "volume")
ROUNDS = 5
OURS = "every later read"


def walk(bars: int) -> BarFrame:
    """A random walk in cents: as hard to compress as a real market, or harder."""
    rng = np.random.default_rng(1)
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 6e-4, bars))), 2)
    opened = np.append(close[0], close[:-1])
    high = np.round(np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 3e-4, bars))), 2)
    low = np.round(np.minimum(opened, close) * (1 - np.abs(rng.normal(0, 3e-4, bars))), 2)
    ts = parse_time("20150101") + np.arange(bars) * MINUTE_MS
    return BarFrame("BTC/USDT", "1m", ts, opened, high, low, close, np.round(rng.lognormal(2, 1, bars), 5))


def into_sqlite(path: Path, frame: BarFrame) -> None:
    """The usual table of a home-made store."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bars (ts INTEGER PRIMARY KEY, open, high, low, close, volume)")
        rows = zip(*(getattr(frame, n).tolist() for n in NAMES), strict=True)
        db.executemany("INSERT INTO bars VALUES (?,?,?,?,?,?)", rows)


def from_sqlite(path: Path) -> None:
    """All rows as one array."""
    with sqlite3.connect(path) as db:
        np.array(db.execute("SELECT * FROM bars ORDER BY ts").fetchall())


def from_arrow(path: Path) -> None:
    """Every column of one file as NumPy."""
    table = pq.read_table(path)
    for name in NAMES:
        table[name].to_numpy()


def measure(readers: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Median wall and processor seconds by reader."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for _ in range(ROUNDS):
        for name, read in readers.items():
            wall, cpu = time.perf_counter(), time.process_time()
            read()
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: (median(w for w, _ in times), median(c for _, c in times)) for name, times in spent.items()}


def main(bars: int) -> None:
    """Write once everywhere, then read in rounds and print."""
    frame, tenth = walk(bars), bars // 10
    with tempfile.TemporaryDirectory() as folder:
        root, single, db = Path(folder), Path(folder) / "one.parquet", Path(folder) / "bars.db"
        store = ParquetStore(root / "store")
        began = time.perf_counter()
        store.write(frame)
        wrote = time.perf_counter() - began
        pq.write_table(pa.table({n: getattr(frame, n) for n in NAMES}), single, compression="zstd")
        into_sqlite(db, frame.rows(0, tenth))
        size = sum(p.stat().st_size for p in (root / "store").rglob("*.parquet")) / 1e6
        month = (int(frame.ts[bars // 2]), int(frame.ts[bars // 2]) + 30 * 1440 * MINUTE_MS)

        def forgetful(**asked: Any) -> BarFrame:
            for copy in (root / "store").rglob("*.npy"):
                copy.unlink()
            return store.read("BTC/USDT", "1m", **asked)

        readers: dict[str, Callable[[], object]] = {
            "Parquet alone": lambda: forgetful(columns=VALUES),
            "Parquet alone, one month": lambda: forgetful(start=month[0], end=month[1], columns=VALUES),
            "first read, leaves the copy": forgetful,
            OURS: lambda: store.read("BTC/USDT", "1m"),
            "every later, close only": lambda: store.read("BTC/USDT", "1m", columns=["close"]),
            "every later, one month": lambda: store.read("BTC/USDT", "1m", *month),
            "pyarrow, one zstd file": lambda: from_arrow(single),
            "pandas.read_parquet": lambda: pd.read_parquet(single),
            "sqlite3 (a tenth, scaled)": lambda: from_sqlite(db),
        }
        found = measure(readers)
    found["sqlite3 (a tenth, scaled)"] = tuple(10 * t for t in found["sqlite3 (a tenth, scaled)"])  # type: ignore[assignment]
    wall, cpu = found[OURS]
    print(f"{bars:,} bars, Parquet {size:.0f} MB; written in {wrote:.2f} s")
    for name, (w, c) in found.items():
        print(f"{name:28} {w * 1e3:9.1f} ms wall {c * 1e3:9.1f} ms cpu   {w / wall:8.2f} x wall {c / cpu:8.2f} x cpu")
    for name in ("Parquet alone", OURS):
        print(f"goal 0.25 s for 5 M bars: {found[name][0] * 5e6 / bars:.3f} s, {name}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000)
