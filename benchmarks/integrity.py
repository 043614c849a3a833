"""Seconds of the integrity court by check: python benchmarks/integrity.py

A year of hourly bars of four synthetic symbols through `trend`, every check in this process, one after the other:
process CPU seconds of each. Shared out among two workers the court should take less than two minutes.
"""

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from seakeep.app.integrity import open_case
from seakeep.app.places import bar_store
from seakeep.app.settings import Settings, load
from seakeep.backtest.integrity.court import COURT, judge
from seakeep.core.market import BarFrame
from seakeep.core.units import HOUR_MS

GOAL_S, WORKERS = 120.0, 2
START, BARS = 1_672_531_200_000, 24 * 397
SYMBOLS = ("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT")


def market(symbol: str, seed: int) -> BarFrame:
    """Hourly bars that drift now up and now down, for a week or so each."""
    rng = np.random.default_rng(seed)
    drift = 0.0006 * np.sign(np.sin(2 * np.pi * (np.arange(BARS) / 24 + 3 * seed) / 17))
    close = np.round(100 * np.exp(np.cumsum(drift + 0.00005 + rng.normal(0, 0.004, BARS))), 2)
    opened = np.append(close[:1], close[:-1])
    wick = 1 + np.abs(rng.normal(0, 0.001, (2, BARS)))
    high, low = np.round(np.maximum(opened, close) * wick[0], 2), np.round(np.minimum(opened, close) / wick[1], 2)
    return BarFrame(symbol, "1h", START + HOUR_MS * np.arange(BARS), opened, high, low, close, np.full(BARS, 1e6))


def stored(userdir: Path) -> Settings:
    """The settings of the run; its bars are in the store."""
    asked = {"run.symbols": SYMBOLS, "strategy.name": "trend", "run.timerange": "20230202-"}
    settings = load(None, {}, asked).settings
    for seed, symbol in enumerate(SYMBOLS):
        bar_store(settings, userdir).write(market(symbol, seed))
    return settings


def main(names: list[str]) -> None:
    """Print the seconds of each check, their sum, and what two workers would take."""
    with TemporaryDirectory() as folder:
        settings = stored(Path(folder))
        start = time.process_time()
        case = open_case(settings, Path(folder))
        opened, spent = time.process_time() - start, 0.0
        print(f"load {os.getloadavg()[0]:.1f}; {len(case.result.fills)} fills")
        print(f"{'the run itself':20} {opened:7.2f} s")
        for name in names or list(COURT):
            start = time.process_time()
            check = judge(case, name)
            took = time.process_time() - start
            spent += took
            print(f"{name:20} {took:7.2f} s  {check.status}", flush=True)
    each = opened + spent / WORKERS
    met = "met" if each < GOAL_S else "MISSED"
    print(f"{'all checks':20} {spent:7.2f} s; {each:.1f} s of CPU on each of {WORKERS}, goal {GOAL_S:.0f} s: {met}")


if __name__ == "__main__":
    main(sys.argv[1:])
