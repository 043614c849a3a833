"""A process that records trials one by one and says so; run by the tests of the trial ledger."""

import sys

import numpy as np

from seakeep.backtest.trials import TrialLedger, evaluation

HOUR = 3_600_000


def main(path: str, first: int, count: int) -> None:
    """Record `count` evaluations from the seed `first` on, and print each one's number when it is durable."""
    ts = HOUR * np.arange(1, 201, dtype=np.int64)
    for seed in range(first, first + count):
        returns = np.random.default_rng(seed).normal(0.0, 0.01, len(ts))
        TrialLedger(path).record([evaluation("noise", {"seed": seed}, (("BTC/USDT",), "1h", "x"), ts, returns)])
        print(seed, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
