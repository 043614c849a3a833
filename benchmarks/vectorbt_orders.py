"""The orders vectorbt makes of a moving-average cross with fees and a stop, as the CSV a test holds the kernel to.

    PYTHON_WITH_VECTORBT benchmarks/vectorbt_orders.py > tests/parity/vectorbt_orders.csv

Needs vectorbt 1.2.0 and nothing of ours. Signals are moved by one bar and filled at the open, because nothing fills in
the bar that caused it; the stop counts from the close that decided, through `val_price`.
"""

import sys

import numpy as np
import pandas as pd
import vectorbt as vbt
from vectorbt.portfolio.enums import StopEntryPrice

BARS, SEED, FAST, SLOW, SIZE, FEE, STOP = 4_000, 11, 10, 30, 10.0, 0.001, 0.02


def bars() -> dict[str, np.ndarray]:
    """Hourly prices on a tick of 0.01; the test draws the same."""
    draw = np.random.default_rng(SEED)
    steps = 0.006 * draw.standard_normal((4, BARS))
    close = 100 * np.exp(np.cumsum(steps[0]))
    before = np.concatenate([[100.0], close[:-1]]) * np.exp(0.3 * steps[1])
    high = np.maximum(before, close) * np.exp(np.abs(0.5 * steps[2]))
    low = np.minimum(before, close) * np.exp(-np.abs(0.5 * steps[3]))
    return {
        name: np.round(p, 2)
        for name, p in zip(("open", "high", "low", "close"), (before, high, low, close), strict=True)
    }


def main() -> None:
    """Print row, side (+1 buys), price, size and fee of every order."""
    index = pd.date_range("2025-01-01", periods=BARS, freq="h")
    price = {name: pd.Series(column, index) for name, column in bars().items()}
    fast, slow = (vbt.MA.run(price["close"], window) for window in (FAST, SLOW))
    up, down = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
    made = vbt.Portfolio.from_signals(
        price["close"],
        up.vbt.fshift(1),
        down.vbt.fshift(1),
        open=price["open"],
        high=price["high"],
        low=price["low"],
        price=price["open"],
        val_price=price["close"].shift(1).bfill(),
        size=SIZE,
        fees=FEE,
        sl_stop=STOP,
        stop_entry_price=StopEntryPrice.ValPrice,
        init_cash=1e6,
        freq="1h",
    )
    table = made.orders.records
    side = np.where(table["side"] == 0, 1, -1)
    sys.stdout.write("row,side,price,size,fee\n")
    for row, s, p, q, fee in zip(
        table["idx"], side, *(table[c].tolist() for c in ("price", "size", "fees")), strict=True
    ):
        sys.stdout.write(f"{row},{s},{p!r},{q!r},{fee!r}\n")


if __name__ == "__main__":
    main()
