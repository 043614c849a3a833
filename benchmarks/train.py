"""Training the panel of nine experts on 5-minute bars: seconds of CPU each, and what ten assets of 180 days would take.

The budget is 15 minutes a day on 2 cores. Bars of `ASSETS` assets and `DAYS` days are trained on, in this process; an
expert's cost grows at most in proportion to its rows (those that learn from a fixed number of rows do not grow), so the
last column is an upper bound, not a measurement: give --full to measure it.
"""

import sys
import time

from seakeep.core.errors import SeakeepError
from seakeep.core.market import BarFrame
from seakeep.core.registry import build
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.models import EXPERTS
from seakeep.models.training import TrainingParams, panel, validate

ASSETS, DAYS = 2, 45
FULL_ASSETS, FULL_DAYS = 10, 180
BUDGET_S = 15 * 60
CORES = 2
PANEL = ("ma", "rsi", "volatility", "forest", "boosting", "svm", "arima", "garch", "hmm")


def market(assets: int, days: int) -> tuple[BarFrame, ...]:
    symbols = tuple(f"{letter}{letter}/USDT" for letter in "ABCDEFGHIJ"[:assets])
    params = SyntheticParams(symbols=symbols, delisted=None, interval="5m", days=days, seed=1)
    return tuple(generate(params).frames.values())


def cost(name: str, history: tuple[BarFrame, ...]) -> tuple[float, int, float]:
    """CPU seconds to fit, calibrate and validate; rows; relative loss in validation."""
    started = time.process_time()
    expert = build(EXPERTS, name, {})
    rows = panel(history, expert)
    made = validate(expert, rows, 1, TrainingParams())
    return time.process_time() - started, len(rows.frame), made.metrics.relative_loss


def main() -> None:
    full = "--full" in sys.argv
    assets, days = (FULL_ASSETS, FULL_DAYS) if full else (ASSETS, DAYS)
    history, warm = market(assets, days), market(1, 30)
    times = FULL_ASSETS * FULL_DAYS / (assets * days)
    print(f"{assets} assets, {days} days of 5-minute bars; 3 folds, validation 20 %")
    print(f"{'expert':<12}{'rows':>10}{'CPU s':>10}{'loss':>8}{'at most, full s':>18}")
    total = 0.0
    for name in (name for name in PANEL if name in EXPERTS):
        try:
            cost(name, warm)
            seconds, rows, loss = cost(name, history)
        except (SeakeepError, ArithmeticError, ValueError) as error:
            print(f"{name:<12}failed: {type(error).__name__}: {error}")
            continue
        total += seconds
        print(f"{name:<12}{rows:>10,}{seconds:>10.1f}{loss:>8.3f}{seconds * times:>18.0f}", flush=True)
    absent = [name for name in PANEL if name not in EXPERTS]
    wall = total * times / CORES
    print(f"all: {total:.1f} s; full on {CORES} cores at most {wall:.0f} s, {wall / BUDGET_S:.2f} of the budget")
    if absent:
        print(f"not registered: {', '.join(absent)}")


if __name__ == "__main__":
    main()
