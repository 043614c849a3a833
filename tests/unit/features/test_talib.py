"""Every indicator with a TA-Lib counterpart against it, on random bars, warm-up rows included."""

from collections.abc import Callable

import numpy as np
import pytest
import talib

from seakeep.core.market import BarFrame, Float64
from seakeep.features import build


def bars_from(seed: int, n: int = 900) -> BarFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n)))
    opened = np.r_[100.0, close[:-1]] * np.exp(rng.normal(0.0, 0.002, n))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0.0, 0.004, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0.0, 0.004, n)))
    return BarFrame("X", "5m", np.arange(n) * 300_000, opened, high, low, close, rng.gamma(2.0, 100.0, n))


PEERS: dict[str, Callable[[BarFrame], Float64]] = {
    "sma:20": lambda b: talib.SMA(b.close, 20),
    "sma:1": lambda b: b.close,
    "ema:20": lambda b: talib.EMA(b.close, 20),
    "rma:14": lambda b: talib.RMA(b.close, 14),
    "wma:20": lambda b: talib.WMA(b.close, 20),
    "dema:9": lambda b: talib.DEMA(b.close, 9),
    "tema:9": lambda b: talib.TEMA(b.close, 9),
    "trima:20": lambda b: talib.TRIMA(b.close, 20),
    "trima:21": lambda b: talib.TRIMA(b.close, 21),
    "hma:21": lambda b: talib.HMA(b.close, 21),
    "zlema:20": lambda b: talib.ZLEMA(b.close, 20),
    "kama:10": lambda b: talib.KAMA(b.close, 10),
    "t3:5,0.7": lambda b: talib.T3(b.close, 5, 0.7),
    "vwma:20": lambda b: talib.VWMA(b.close, b.volume, 20),
    "macd:12,26,9": lambda b: talib.MACD(b.close)[0],
    "macd:26,12,9": lambda b: talib.MACD(b.close, 26, 12, 9)[0],
    "macd_signal:5,35,5": lambda b: talib.MACD(b.close, 5, 35, 5)[1],
    "macd_hist": lambda b: talib.MACD(b.close)[2],
    "adx:14": lambda b: talib.ADX(b.high, b.low, b.close, 14),
    "adxr:9": lambda b: talib.ADXR(b.high, b.low, b.close, 9),
    "plus_di:14": lambda b: talib.PLUS_DI(b.high, b.low, b.close, 14),
    "minus_di:14": lambda b: talib.MINUS_DI(b.high, b.low, b.close, 14),
    "dx:14": lambda b: talib.DX(b.high, b.low, b.close, 14),
    "aroon_down:25": lambda b: talib.AROON(b.high, b.low, 25)[0],
    "aroon_up:25": lambda b: talib.AROON(b.high, b.low, 25)[1],
    "aroon_osc:14": lambda b: talib.AROONOSC(b.high, b.low, 14),
    "psar:0.02,0.2": lambda b: talib.SAR(b.high, b.low, 0.02, 0.2),
    "supertrend:10,3": lambda b: talib.SUPERTREND(b.high, b.low, b.close, 10, 3.0)[0],
    "linreg:14": lambda b: talib.LINEARREG(b.close, 14),
    "linreg_slope:14": lambda b: talib.LINEARREG_SLOPE(b.close, 14),
    "rsi:14": lambda b: talib.RSI(b.close, 14),
    "cmo:14": lambda b: talib.CMO(b.close, 14),
    "stoch_k:14,3,3": lambda b: talib.STOCH(b.high, b.low, b.close, 14, 3, 0, 3, 0)[0],
    "stoch_d:5,3,4": lambda b: talib.STOCH(b.high, b.low, b.close, 5, 3, 0, 4, 0)[1],
    "stochrsi:14,9": lambda b: talib.STOCHRSI(b.close, 14, 9, 1, 0)[0],
    "willr:14": lambda b: talib.WILLR(b.high, b.low, b.close, 14),
    "cci:20": lambda b: talib.CCI(b.high, b.low, b.close, 20),
    "roc:10": lambda b: talib.ROC(b.close, 10),
    "mom:10": lambda b: talib.MOM(b.close, 10),
    "ppo:12,26": lambda b: talib.PPO(b.close, 12, 26, 1),
    "trix:15": lambda b: talib.TRIX(b.close, 15),
    "ultosc:7,14,28": lambda b: talib.ULTOSC(b.high, b.low, b.close, 7, 14, 28),
    "mfi:14": lambda b: talib.MFI(b.high, b.low, b.close, b.volume, 14),
    "bop": lambda b: talib.BOP(b.open, b.high, b.low, b.close),
    "tsi:25,13": lambda b: talib.TSI(b.close, 25, 13),
    "awesome:5,34": lambda b: talib.AO(b.high, b.low, 5, 34),
    "true_range": lambda b: talib.TRANGE(b.high, b.low, b.close),
    "atr:14": lambda b: talib.ATR(b.high, b.low, b.close, 14),
    "natr:14": lambda b: talib.NATR(b.high, b.low, b.close, 14),
    "stddev:20": lambda b: talib.STDDEV(b.close, 20),
    "bb_upper:20,2": lambda b: talib.BBANDS(b.close, 20, 2.0, 2.0)[0],
    "bb_middle:20": lambda b: talib.BBANDS(b.close, 20, 2.0, 2.0)[1],
    "bb_lower:20,1.5": lambda b: talib.BBANDS(b.close, 20, 1.5, 1.5)[2],
    "keltner_upper:20,10,2": lambda b: talib.KC(b.high, b.low, b.close, 20, 10, 2.0)[0],
    "keltner_middle:20": lambda b: talib.KC(b.high, b.low, b.close, 20, 10, 2.0)[1],
    "keltner_lower:10,20,2": lambda b: talib.KC(b.high, b.low, b.close, 10, 20, 2.0)[2],
    "donchian_upper:20": lambda b: talib.DONCHIAN(b.high, b.low, 20)[0],
    "donchian_middle:20": lambda b: talib.DONCHIAN(b.high, b.low, 20)[1],
    "donchian_lower:20": lambda b: talib.DONCHIAN(b.high, b.low, 20)[2],
    "obv": lambda b: talib.OBV(b.close, b.volume),
    "ad": lambda b: talib.AD(b.high, b.low, b.close, b.volume),
    "adosc:3,10": lambda b: talib.ADOSC(b.high, b.low, b.close, b.volume, 3, 10),
    "cmf:20": lambda b: talib.CMF(b.high, b.low, b.close, b.volume, 20),
    "pvt": lambda b: talib.PVT(b.close, b.volume),
    "force_index:13": lambda b: talib.EFI(b.close, b.volume, 13),
    "efficiency_ratio:10": lambda b: talib.ER(b.close, 10),
}


@pytest.mark.parametrize("spec", PEERS)
def test_an_indicator_agrees_with_talib_in_every_row(spec: str) -> None:
    for seed in (1, 2):
        bars = bars_from(seed)
        want = PEERS[spec](bars)
        np.testing.assert_allclose(build(bars, [spec])[spec], want, rtol=1e-9, atol=1e-9 * np.nanmedian(np.abs(want)))
