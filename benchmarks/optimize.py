"""A search of 1,000 parameter sets on 1e5 bars, as `seakeep optimize` makes it: where the time goes.

    python benchmarks/optimize.py [--bars 100000] [--confirm] [--samplers 500]

Peer: vectorbt 1.2.0 needs 64.0 s and 5.4 GB for 1,000 moving-average crosses with a stop on 1e5 bars on two cores like
these (measured once, in chunks of 50 columns; it is not installed beside us). It gives final figures of each column.
Ours keeps every candidate's daily returns, counts each in the trial ledger on disk, walks forward and judges
overfitting, so the ratio is of whole jobs and not of kernels. With `--confirm` the driver runs the winner again, too.
"""

import argparse
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from seakeep.app.search import optimizer
from seakeep.app.search.searching import Searching
from seakeep.app.search.studystore import open_study
from seakeep.app.settings import load
from seakeep.backtest.search.space import Point, Space, ask
from seakeep.backtest.search.survey import survey
from seakeep.backtest.sharpeline import judge
from seakeep.core.market import BarFrame
from seakeep.core.units import HOUR_MS
from seakeep.data.store import ParquetStore

PEER_SECONDS, PEER_BYTES = 64.0, 5.4e9
START = 1_300_000_000_000 // HOUR_MS * HOUR_MS


def bars(n: int) -> BarFrame:
    """Hourly bars of a random walk, on the cent."""
    draw = np.random.default_rng(1)
    close = np.round(20_000 * np.exp(np.cumsum(draw.normal(0, 0.004, n))), 2)
    first = np.append(20_000.0, close[:-1])
    high = np.round(np.maximum(first, close) * 1.002, 2)
    low = np.round(np.minimum(first, close) * 0.998, 2)
    return BarFrame(
        "BTC/USDT",
        "1h",
        START + HOUR_MS * np.arange(n),
        first,
        high,
        low,
        close,
        np.round(draw.uniform(100, 900, n), 5),
    )


def samplers(points: int) -> None:
    """Print what asking for a point costs by itself, the worth of each being a formula."""
    space = Space.of({"fast": tuple(range(5, 105, 4)), "slow": tuple(range(110, 310, 5))})
    list(ask(space, "tpe", 1, 1, lambda _: [0.0], 1))
    for method, sides in (("tpe", 1), ("nsga2", 2)):
        begun = time.process_time()
        list(ask(space, method, points, 1, partial(bowl, sides), sides))
        cost = (time.process_time() - begun) / points
        print(f"{method:6} {1e3 * cost:.2f} ms of CPU a point, the mean of {points:,}")


def bowl(sides: int, point: Point) -> list[float]:
    """What a point is worth, by so many objectives."""
    return [-((point[0] - 9.0) ** 2), -abs(point[1] - 11.0)][:sides]


def main() -> None:
    """Print seconds of CPU and wall by part, and the ratio to the peer's figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--confirm", action="store_true")
    parser.add_argument("--samplers", type=int, default=0, help="time of TPE and NSGA-II alone, for so many points")
    given = parser.parse_args()
    if given.samplers:
        samplers(given.samplers)
        return
    options = {"run.symbols": "BTC/USDT", "run.interval": "1h", "strategy.name": "trend", "risk.stops.stop_loss": 0.02}
    settings = load(None, {}, options).settings
    asked = optimizer.Asked(space={"fast": tuple(range(5, 105, 4)), "slow": tuple(range(110, 310, 5))})
    marks: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ParquetStore(Path(folder) / "data").write(bars(given.bars))
        if given.confirm:
            found = optimizer.optimize(settings, Path(folder), asked)
            print(
                f"confirmed: {found.confirmed.agrees}; " + ", ".join(f"{k} {v:.2f} s" for k, v in found.seconds.items())
            )
            return
        clock = [time.process_time(), time.perf_counter()]

        def mark(part: str) -> None:
            now = [time.process_time(), time.perf_counter()]
            marks[part] = (now[0] - clock[0], now[1] - clock[1])
            clock[:] = now

        space = Space.of(asked.space)
        search = Searching(settings, Path(folder), asked, space)
        mark("prepare: read, features, history, delays drawn")
        search.estimate()
        mark("first run: kernel from its cache")
        with open_study(Path(folder) / "studies", "bench") as store:
            search.run(store, None)
        mark("candidates, counted and stored")
        result = survey(space, search.finished(), search.tests, asked, search.score)
        mark("walk-forward, neighbourhoods, choice")
        judge(result.nested, "1d", None, result.family)
        mark("overfitting of the family")
    count = len(result.standings)
    for part, (cpu, wall) in marks.items():
        print(f"{part:50} {cpu:7.2f} s CPU {wall:7.2f} s wall")
    cpu, wall = (sum(column) for column in zip(*marks.values(), strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{count:,} candidates on {given.bars:,} bars: {cpu:.1f} s CPU, {wall:.1f} s wall, peak {peak / 1e6:,.0f} MB")
    per = marks["candidates, counted and stored"][0] / count
    print(f"a candidate: {per * 1e3:.2f} ms, {per * 1e9 / given.bars:.1f} ns a bar")
    scale = count / 1000 * given.bars / 100_000
    print(
        f"vectorbt's {PEER_SECONDS} s and {PEER_BYTES / 1e9} GB: {PEER_SECONDS * scale / cpu:.1f}x less CPU time,",
        end=" ",
    )
    print(f"{PEER_BYTES / peak:.1f}x less memory")


if __name__ == "__main__":
    main()
