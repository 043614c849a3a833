"""What a durable order with its fill costs, against the sync of the same disk.

Run: `.venv/bin/python benchmarks/durability.py [FOLDER]`. Rounds of both are interleaved in one process on one
folder, after a warm-up in which SQLite's log reaches its size; the figure is the ratio of the medians, and the
quantiles of both say what the disk did meanwhile. Goal: at most 1.6. On a disk (or a neighbour) that takes more than a
millisecond to sync any ratio is close to 1 and says nothing of this code; the processor time per commit, printed
beside it, does.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from seakeep.core.events import Filled, Slice
from seakeep.core.market import Bar
from seakeep.core.orders import Fill, Liquidity, Order, OrderType, Side, Status
from seakeep.core.verdicts import RiskSnapshot
from seakeep.ledger.journal import Ledger

GOAL = 1.6
ROUNDS = 400
WARM_UP = 300
SLOW_DISK_S = 0.001
SLICES = 26_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")


def order_and_fill(i: int) -> tuple[Filled, tuple[Order, ...]]:
    """A fill, and the state of the order it completed: one entry, two read-model rows."""
    common = {"symbol": "BTC/USDT", "side": Side.BUY, "ts": i, "price": Decimal("100.25"), "qty": Decimal("0.015")}
    order = Order(
        id=f"o{i}", parent_id="p", decision_id="d", venue="sim", type=OrderType.LIMIT, status=Status.FILLED, **common
    )
    taker = {"fee": Decimal("0.0015"), "fee_asset": "USDT", "liquidity": Liquidity.TAKER, "mid": Decimal("100.24")}
    return Filled(i, Fill(id=f"f{i}", order_id=order.id, **common, **taker)), (order,)


def timed(action: Callable[[], object]) -> float:
    """Wall seconds of one call: a sync waits, it does not compute."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def durable(folder: Path) -> tuple[list[float], list[float], list[float]]:
    """Seconds of each committed order and fill, of its processor time, and of appending 200 bytes durably; sorted."""
    ours, busy, floor = [], [], []
    descriptor = os.open(folder / "floor", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def append() -> None:
        os.write(descriptor, b"x" * 200)
        os.fdatasync(descriptor)

    with Ledger.open(folder / "ledger.db") as ledger:
        ledger.start_run("bench")

        def commit(i: int) -> Callable[[], None]:
            entry = order_and_fill(i)

            def kept() -> None:
                ledger.write(*entry)
                ledger.commit()

            return kept

        for i in range(WARM_UP):
            commit(i)()
        for i in range(WARM_UP, WARM_UP + ROUNDS):
            kept = commit(i)
            floor.append(timed(append))
            before = time.process_time()
            ours.append(timed(kept))
            busy.append(time.process_time() - before)
    os.close(descriptor)
    return sorted(ours), sorted(busy), sorted(floor)


def grouped(folder: Path) -> float:
    """Seconds to journal the demo's slices: four bars and a snapshot each, committed in groups."""
    bars = tuple(Bar(symbol, "5m", 0, 300_000, 100.25, 101.5, 99.75, 100.5, 1234.5) for symbol in SYMBOLS)
    entry = Slice(300_000, bars), (RiskSnapshot(300_000, 10_000.0, 0.01, 0.0, 0.2, (("BTC/USDT", 0.2),)),)
    with Ledger.open(folder / "group.db") as ledger:
        ledger.start_run("bench")
        start = time.perf_counter()
        for _ in range(SLICES):
            ledger.write(*entry)
        ledger.commit()
        return time.perf_counter() - start


def main() -> None:
    """Print both, and say whether the goal is met."""
    home = sys.argv[1] if len(sys.argv) > 1 else "."
    with tempfile.TemporaryDirectory(dir=home) as name:
        ours, busy, floor = durable(Path(name))
        seconds = grouped(Path(name))
    print("quantile                10 %   25 %   50 %   75 %   90 %")
    marks = [int(ROUNDS * q) for q in (0.1, 0.25, 0.5, 0.75, 0.9)]
    for name, times in (("order + fill, us", ours), ("of which processor", busy), ("append + fdatasync", floor)):
        print(f"{name:20}", *(f"{times[i] * 1e6:6.0f}" for i in marks))
    print(f"{'ratio':20}", *(f"{ours[i] / floor[i]:6.2f}" for i in marks))
    print(f"{SLICES:,} slices, grouped  {seconds:.2f} s  {SLICES / seconds:,.0f} entries/s")
    sync, ratio = statistics.median(floor), statistics.median(ours) / statistics.median(floor)
    verdict = "no verdict, the disk is too slow" if sync > SLOW_DISK_S else "met" if ratio <= GOAL else "MISSED"
    print(f"goal {GOAL}: {ratio:.2f}, {verdict}")


if __name__ == "__main__":
    main()
