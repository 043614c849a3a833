"""The statistics of searches beside their peer, interleaved, by CPU time; and what counting a trial costs.

    python benchmarks/overfitting.py

Peer: `arch.bootstrap.SPA`. One BLAS thread, so that CPU time compares like with like.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from arch.bootstrap import SPA

from seakeep.backtest.controls.noise import NoiseParams, market
from seakeep.backtest.controls.rulesearch import draw_rules, search
from seakeep.backtest.trials import TrialLedger, evaluation
from seakeep.core.units import HOUR_MS
from seakeep.stats.cscv import cscv
from seakeep.stats.overfitting import groups
from seakeep.stats.spa import spa

ROUNDS = 5
SAMPLES = 500


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peer(returns: np.ndarray) -> None:
    """The same test by the peer."""
    SPA(np.zeros(len(returns)), -returns, block_size=2, reps=SAMPLES, seed=1).compute()


def main() -> None:
    """Print each time and ratio, the median of the rounds."""
    rng = np.random.default_rng(1)
    print(f"superior predictive ability, {SAMPLES} samples: CPU seconds")
    for n, k in ((365, 100), (365, 1000), (2000, 200)):
        returns = rng.normal(0, 0.01, (n, k))
        spa(returns, block=2, samples=99, seed=1)
        rounds = [
            (cpu(lambda: spa(returns, block=2, samples=SAMPLES, seed=1)), cpu(lambda: peer(returns)))  # noqa: B023
            for _ in range(ROUNDS)
        ]
        ours, theirs = np.median(rounds, axis=0)
        print(f"  {n:5} x {k:5}: ours {ours:.3f}, arch {theirs:.3f}, ratio {theirs / ours:.1f}x")
    bars, rules = market(NoiseParams(), 1), draw_rules(1000, market(NoiseParams(), 2), 3)
    found = search(bars, rules)
    seconds = np.median([cpu(lambda: search(bars, rules)) for _ in range(ROUNDS)])
    print(f"search of 1,000 rules on a year of hours: {seconds * 1e3:.0f} ms, {seconds * 1e6 / 8760:.2f} ns a bar")
    print(f"ideas among them: {np.median([cpu(lambda: groups(found.daily)) for _ in range(ROUNDS)]) * 1e3:.0f} ms")
    seconds = np.median([cpu(lambda: cscv(found.daily[:, :200], 16)) for _ in range(ROUNDS)])
    print(f"CSCV of 200 rules, 16 blocks (12,870 choices): {seconds:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        ledger, ts = TrialLedger(Path(folder) / "trials.db"), HOUR_MS * np.arange(1, 8761, dtype=np.int64)
        trials = [
            evaluation("noise", {"i": i}, (("X/Y",), "1h", "x"), ts, rng.normal(0, 0.01, 8760)) for i in range(1010)
        ]
        start = time.perf_counter()
        ledger.record(trials[:1000])
        print(f"recording 1,000 independent trials at once: {time.perf_counter() - start:.2f} s")
        start = time.perf_counter()
        for trial in trials[1000:]:
            ledger.record([trial])
        print(f"one more beside them, durable: {(time.perf_counter() - start) * 100:.1f} ms")
        print(f"reading the search: {cpu(ledger.search) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
