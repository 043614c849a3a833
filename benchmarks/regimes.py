"""Regimes on synthetic markets of known truth: calibration, accuracy, and the time of one label.

python benchmarks/regimes.py [runs]
"""

import sys
import time

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.features.frame import build
from seakeep.models import REGIMES

HALF = 180 * 24


def run(name: str, volatility: float, runs: int) -> None:
    """One line: accuracy, confidence, and how often each confidence came true."""
    told, right, known = [], [], []
    for seed in range(1, runs + 1):
        params = SyntheticParams(
            symbols=("BTC/USDT",), delisted=None, days=360, interval="1h", seed=seed, volatility=volatility
        )
        made, model = generate(params), REGIMES[name](interval="1h")
        frame = build(made.frames["BTC/USDT"], model.features)
        model.fit(FeatureFrame(frame.symbol, frame.ts[:HALF], frame.names, frame.values[:HALF]), 1)
        table = model.classify(frame).rows(HALF)
        known.append(table.codes != 4)
        told.append(table.confidence[known[-1]])
        right.append((table.codes == made.truth.regimes[HALF:])[known[-1]])
    confidence, came, seen = (np.concatenate(parts) for parts in (told, right, known))
    edges = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    rows = [(confidence >= a) & (confidence < a + 0.1) for a in edges]
    line = "  ".join(f"{a:.1f}+: {came[row].mean():.2f}" for a, row in zip(edges, rows, strict=True) if row.sum() > 50)
    head = f"{name:7} vol {volatility:.1f}  known {seen.mean():.2f}  right {came.mean():.3f}"
    print(f"{head}  confidence {confidence.mean():.3f}  {line}")


def live(name: str) -> None:
    """CPU time of one label of one asset on the rows it needs."""
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=200, interval="1h")
    model = REGIMES[name](interval="1h")
    frame = build(generate(params).frames["BTC/USDT"], model.features)
    model.fit(frame, 1)
    tail = FeatureFrame(
        frame.symbol, frame.ts[-model.lookback :], frame.names, np.ascontiguousarray(frame.values[-model.lookback :])
    )
    model.now(tail)
    begun = time.process_time()
    for _ in range(300):
        model.now(tail)
    one = (time.process_time() - begun) / 300
    begun = time.process_time()
    model.classify(frame)
    each = (time.process_time() - begun) / len(frame)
    print(f"{name:7} one label {1e6 * one:7.1f} us on {len(tail)} rows; in a table {1e6 * each:.2f} us a bar")


if __name__ == "__main__":
    for part in REGIMES:
        live(part)
    for part in REGIMES:
        for level in (0.5, 0.2):
            run(part, level, int(sys.argv[1]) if len(sys.argv) > 1 else 6)
