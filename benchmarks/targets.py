"""What a learning expert should aim at, on real bars: python benchmarks/targets.py FOLDER

FOLDER holds hourly bars as Parquet, one file a symbol, columns ts, open, high, low, close, volume. Each expert's
function is learnt on five purged folds twice: aiming at the return in its usual deviations (cut at four), and at its
sign. Printed are the information coefficient on unseen rows with its 95 % interval, and the Brier score of the
calibrated probabilities on blocks they were not fitted on, less that of the plain share of rises, in millionths:
below zero is better than knowing nothing. The table is in docs/explanation/learning.md.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame
from seakeep.core.units import HOUR_MS
from seakeep.features.frame import build
from seakeep.features.labels import forward_return
from seakeep.models import EXPERTS
from seakeep.models.calibration import fit_calibration
from seakeep.models.folding import label_ms, purged_folds
from seakeep.models.ml import LearningExpert
from seakeep.models.skill import measure

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
PERIODS = (("2020-09-01", "2022-12-31"), ("2023-01-01", "2025-07-31"))


def bars(folder: Path, symbol: str, first: str, last: str) -> BarFrame:
    """Hourly bars of a symbol from the first day up to the last."""
    table = pd.read_parquet(folder / f"{symbol}.parquet").drop_duplicates("ts").sort_values("ts")
    table = table[(table.ts >= first) & (table.ts < last)]
    ts = table.ts.astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    columns = {name: table[name].to_numpy(float) for name in ("open", "high", "low", "close", "volume")}
    return BarFrame(symbol=symbol, interval="1h", ts=ts, **columns)


def compare(name: str, history: Sequence[BarFrame], horizon: int) -> str:
    """A line: both targets."""
    expert = EXPERTS[name](horizon=horizon)
    assert isinstance(expert, LearningExpert)
    frames = [build(one, expert.features) for one in history]
    values, ts = np.concatenate([f.values for f in frames]), np.concatenate([f.ts for f in frames])
    frame = FeatureFrame("*", ts, expert.features, values)
    x, unit = expert.table(frame), expert.unit(frame)
    u = np.concatenate([forward_return(one.close, horizon) for one in history]) / unit
    rows = np.flatnonzero(np.isfinite(x).all(axis=1) & np.isfinite(u))
    rows = rows[np.linspace(0, len(rows) - 1, expert.rows).astype(np.int64)]
    x, u, when, lasts = x[rows], u[rows], ts[rows], label_ms(ts, horizon)[rows]
    folds, line = purged_folds(when, lasts, 5, horizon * HOUR_MS), ""
    for target in (np.clip(u, -4, 4), np.sign(u)):
        f = np.empty(len(u))
        for train, test in folds:
            f[test] = expert.learn(x[train], target[train], 1).predict(x[test])
        skill = measure(f, u, when, folds, horizon * HOUR_MS)
        map_ = fit_calibration(np.column_stack([f, np.ones(len(f))]), u, when, lasts)
        gained = 1e6 * (map_.brier - map_.brier_base)
        line += f"{skill.ic:+10.3f} ({skill.low:+.3f}, {skill.high:+.3f}){gained:+8.0f}"
    return line


def main() -> None:
    """Print the table."""
    print(f"{'':24}{'aims at the return':>28}{'Brier':>8}{'at its sign':>28}{'Brier':>8}")
    for first, last in PERIODS:
        history = [bars(Path(sys.argv[1]), symbol, first, last) for symbol in SYMBOLS]
        for horizon in (8, 24):
            for name in ("forest", "boosting", "svm"):
                print(f"{first[:4]} {horizon:3} h {name:13}{compare(name, history, horizon)}")


if __name__ == "__main__":
    main()
