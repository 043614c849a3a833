"""Indicators against TA-Lib on 1e6 rows, and the engine's fast path: python benchmarks/indicators.py

Both run in one process, in turn, so they see the same machine; what is printed is the median of the rounds' ratios.
The goal is 2x TA-Lib at most, and 25 us for a bar with eight indicators.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import talib

from seakeep.core.market import BarFrame, Float64
from seakeep.features import INDICATORS, LiveFeatures

ROWS, ROUNDS = 1_000_000, 5
Peer = Callable[[BarFrame], object]
PEERS: dict[str, Peer] = {
    "sma": lambda b: talib.SMA(b.close, 20),
    "ema": lambda b: talib.EMA(b.close, 20),
    "wma": lambda b: talib.WMA(b.close, 20),
    "dema": lambda b: talib.DEMA(b.close, 20),
    "tema": lambda b: talib.TEMA(b.close, 20),
    "trima": lambda b: talib.TRIMA(b.close, 20),
    "hma": lambda b: talib.HMA(b.close, 20),
    "zlema": lambda b: talib.ZLEMA(b.close, 20),
    "kama": lambda b: talib.KAMA(b.close, 10),
    "t3": lambda b: talib.T3(b.close, 5, 0.7),
    "vwma": lambda b: talib.VWMA(b.close, b.volume, 20),
    "macd_hist": lambda b: talib.MACD(b.close),
    "adx": lambda b: talib.ADX(b.high, b.low, b.close, 14),
    "plus_di": lambda b: talib.PLUS_DI(b.high, b.low, b.close, 14),
    "aroon_osc": lambda b: talib.AROONOSC(b.high, b.low, 25),
    "psar": lambda b: talib.SAR(b.high, b.low, 0.02, 0.2),
    "supertrend": lambda b: talib.SUPERTREND(b.high, b.low, b.close, 10, 3.0),
    "linreg_slope": lambda b: talib.LINEARREG_SLOPE(b.close, 14),
    "rsi": lambda b: talib.RSI(b.close, 14),
    "cmo": lambda b: talib.CMO(b.close, 14),
    "stoch_d": lambda b: talib.STOCH(b.high, b.low, b.close, 14, 3, 0, 3, 0),
    "stochrsi": lambda b: talib.STOCHRSI(b.close, 14, 14, 1, 0),
    "willr": lambda b: talib.WILLR(b.high, b.low, b.close, 14),
    "cci": lambda b: talib.CCI(b.high, b.low, b.close, 20),
    "roc": lambda b: talib.ROC(b.close, 10),
    "mom": lambda b: talib.MOM(b.close, 10),
    "ppo": lambda b: talib.PPO(b.close, 12, 26, 1),
    "trix": lambda b: talib.TRIX(b.close, 15),
    "ultosc": lambda b: talib.ULTOSC(b.high, b.low, b.close, 7, 14, 28),
    "mfi": lambda b: talib.MFI(b.high, b.low, b.close, b.volume, 14),
    "bop": lambda b: talib.BOP(b.open, b.high, b.low, b.close),
    "tsi": lambda b: talib.TSI(b.close, 25, 13),
    "awesome": lambda b: talib.AO(b.high, b.low, 5, 34),
    "true_range": lambda b: talib.TRANGE(b.high, b.low, b.close),
    "atr": lambda b: talib.ATR(b.high, b.low, b.close, 14),
    "natr": lambda b: talib.NATR(b.high, b.low, b.close, 14),
    "stddev": lambda b: talib.STDDEV(b.close, 20),
    "bb_upper": lambda b: talib.BBANDS(b.close, 20, 2.0, 2.0),
    "keltner_upper": lambda b: talib.KC(b.high, b.low, b.close, 20, 10, 2.0),
    "donchian_middle": lambda b: talib.DONCHIAN(b.high, b.low, 20),
    "obv": lambda b: talib.OBV(b.close, b.volume),
    "ad": lambda b: talib.AD(b.high, b.low, b.close, b.volume),
    "adosc": lambda b: talib.ADOSC(b.high, b.low, b.close, b.volume, 3, 10),
    "cmf": lambda b: talib.CMF(b.high, b.low, b.close, b.volume, 20),
    "pvt": lambda b: talib.PVT(b.close, b.volume),
    "force_index": lambda b: talib.EFI(b.close, b.volume, 13),
    "efficiency_ratio": lambda b: talib.ER(b.close, 10),
}
LIVE = ("sma:20", "ema:20", "rsi:14", "macd", "atr:14", "bb_position:20", "roc:10", "stddev:20")


def market(rows: int) -> BarFrame:
    """A seeded random walk with ranges and volumes."""
    rng = np.random.default_rng(1)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, rows)))
    opened = np.r_[100.0, close[:-1]]
    high = np.maximum(opened, close) * (1.0 + rng.random(rows) * 0.001)
    low = np.minimum(opened, close) * (1.0 - rng.random(rows) * 0.001)
    return BarFrame("X", "1m", np.arange(rows) * 60_000, opened, high, low, close, rng.gamma(2.0, 10.0, rows))


def seconds(call: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def compare(name: str, peer: Peer, bars: BarFrame) -> tuple[float, float]:
    """Median seconds of ours, and median ratio to TA-Lib's."""
    part = INDICATORS[name]
    columns: list[Float64] = [getattr(bars, column) for column in part.inputs]
    numbers = [default for _, default in part.params]
    part.function(*(column[:500] for column in columns), *numbers)
    rounds = [(seconds(lambda: part.function(*columns, *numbers)), seconds(lambda: peer(bars))) for _ in range(ROUNDS)]
    return statistics.median(ours for ours, _ in rounds), statistics.median(ours / theirs for ours, theirs in rounds)


def live(bars: BarFrame, specs: tuple[str, ...]) -> float:
    """Median microseconds of a push and the rows that follow it."""
    features, taken = LiveFeatures("1m", specs), []
    for row in zip(*(getattr(bars, c).tolist() for c in ("ts", "open", "high", "low", "close", "volume")), strict=True):
        start = time.perf_counter()
        features.push(*row)
        features.rows()
        taken.append(time.perf_counter() - start)
    return 1e6 * statistics.median(taken[2_000:])


def main() -> None:
    """Print a line per indicator, slowest first, and the live cost."""
    bars = market(ROWS)
    found = {name: compare(name, peer, bars) for name, peer in PEERS.items()}
    print(f"{'indicator':18}{'ours, ms':>10}{'ratio to TA-Lib':>17}   (1e6 rows)")
    for name, (ours, ratio) in sorted(found.items(), key=lambda item: -item[1][1]):
        print(f"{name:18}{1e3 * ours:10.1f}{ratio:17.2f}{'   over the goal of 2' if ratio > 2 else ''}")
    print(f"median ratio {statistics.median(ratio for _, ratio in found.values()):.2f}")
    print(f"live: push + rows of {len(LIVE)} indicators {live(bars.rows(0, 12_000), LIVE):.1f} us (goal 25)")


if __name__ == "__main__":
    main()
