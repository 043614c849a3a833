"""Indicators against published worked examples and other libraries' output."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seakeep.core.market import BarFrame, Float64
from seakeep.features import build
from seakeep.features.smoothing import wilder
from seakeep.features.volatility import true_range

REFERENCE = Path(__file__).parents[3] / "../shared/reference"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"needs the reference cases in {REFERENCE}")

CASES = {
    ("ad_line_talib_regtest", "ad"): "ad",
    ("atr14_talib_regtest", "atr"): "atr:14",
    ("bbands_20_2_talib_regtest", "upper"): "bb_upper:20,2",
    ("bbands_20_2_talib_regtest", "middle"): "bb_middle:20",
    ("bbands_20_2_talib_regtest", "lower"): "bb_lower:20,2",
    ("bbands_5_2_achelis", "upper"): "bb_upper:5,2",
    ("bbands_5_2_achelis", "middle"): "bb_middle:5",
    ("bbands_5_2_achelis", "lower"): "bb_lower:5,2",
    ("cci11_talib_regtest", "cci"): "cci:11",
    ("ema10_talib_regtest", "ema"): "ema:10",
    ("kama_10_2_30_stockcharts", "kama"): "kama:10,2,30",
    ("macd_12_26_9_talib_regtest", "macd"): "macd:12,26,9",
    ("macd_12_26_9_talib_regtest", "signal"): "macd_signal:12,26,9",
    ("macd_12_26_9_talib_regtest", "histogram"): "macd_hist:12,26,9",
    ("mfi14_stockcharts", "mfi"): "mfi:14",
    ("mfi14_talib_regtest", "mfi"): "mfi:14",
    ("natr14_talib_regtest", "natr_percent"): "natr:14",
    ("parabolic_sar_wilder", "sar"): "psar:0.02,0.2",
    ("rsi14_talib_regtest", "rsi"): "rsi:14",
    ("rsi5_achelis", "rsi"): "rsi:5",
    ("sma30_talib_regtest", "sma"): "sma:30",
    ("sma5_achelis", "sma"): "sma:5",
    ("stddev5_talib_regtest", "stddev"): "stddev:5",
    ("stoch_5_3_3_talib_regtest", "slowk"): "stoch_k:5,3,3",
    ("stoch_5_3_3_talib_regtest", "slowd"): "stoch_d:5,3,3",
    ("stochrsi_14_14_talib_regtest", "fastk"): "stochrsi:14,14",
    ("true_range_talib_regtest", "tr"): "true_range",
    ("ultosc_7_14_28_talib_regtest", "ultosc"): "ultosc:7,14,28",
    ("ultosc_achelis", "ultosc"): "ultosc:7,14,28",
    ("willr14_talib_regtest", "willr"): "willr:14",
    ("wma5_achelis", "wma"): "wma:5",
}
PANEL = {
    "rsi14": "rsi:14", "sma20": "sma:20", "ema21": "ema:21", "wma10": "wma:10", "dema10": "dema:10",
    "tema10": "tema:10", "kama10": "kama:10", "macd": "macd", "macd_signal": "macd_signal", "macd_hist": "macd_hist",
    "bb_upper": "bb_upper:20", "bb_mid": "bb_middle:20", "bb_lower": "bb_lower:20", "atr14": "atr:14",
    "adx14": "adx:14", "plus_di14": "plus_di:14", "minus_di14": "minus_di:14", "stoch_k_14_3": "stoch_k:14,3,3",
    "stoch_d_14_3_3": "stoch_d:14,3,3", "cci20": "cci:20", "willr14": "willr:14", "mfi14": "mfi:14", "obv": "obv",
    "ad": "ad", "adosc_3_10": "adosc:3,10", "roc10": "roc:10", "mom10": "mom:10", "trix15": "trix:15",
    "aroon_down25": "aroon_down:25", "aroon_up25": "aroon_up:25", "psar_002_020": "psar", "ultosc": "ultosc",
    "linreg_slope14": "linreg_slope:14",
}  # fmt: skip
TTR = {
    "vol_close_n20_N365": "return_std:19", "vol_parkinson_n20_N365": "parkinson:20",
    "vol_garman_klass_n20_N365": "garman_klass:20", "vol_rogers_satchell_n20_N365": "rogers_satchell:20",
    "vol_gk_yz_n20_N365": "garman_klass_gap:20", "vol_yang_zhang_n20_N365": "yang_zhang:20",
    "donchian_high20": "donchian_upper:20", "donchian_low20": "donchian_lower:20",
    "donchian_mid20": "donchian_middle:20", "vwap_rolling20_close": "vwma:20", "cmf20": "cmf:20",
    "keltner_mid20": "keltner_middle:20", "hma16": "hma:16",
    "ttr_adx14": "adx:14", "ttr_dip14": "plus_di:14", "ttr_din14": "minus_di:14",
}  # fmt: skip
"""R's TTR, annualised by sqrt(365). Its Keltner channel seeds the range by itself, its zero-lag average has
another lag than TA-Lib's."""


def case(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCE / "technical_indicators" / f"{name}.json").read_text())
    return found


def table(path: str) -> dict[str, Float64]:
    with (REFERENCE / path).open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def bars_of(inputs: dict[str, Any]) -> BarFrame:
    """The case's columns; what it leaves out is filled from those it has."""
    have = table(inputs["series_file"]) if "series_file" in inputs else inputs
    columns = {name: np.array(have[name], float) for name in ("open", "high", "low", "close", "volume") if name in have}
    close = columns.get("close", columns.get("high"))
    full = [columns.get(name, close).copy() for name in ("open", "high", "low", "close", "volume")]
    return BarFrame("X", "1d", np.arange(len(close)) * 86_400_000, *full)


def close_to(got: Float64, expected: dict[str, Any], tolerance: dict[str, float]) -> bool:
    """The reading rule of the reference cases, and that nothing is defined before the first bar they name."""
    first = expected.get("first_bar", expected.get("first_defined_bar"))
    points = expected.get("values_at") or {first + i: value for i, value in enumerate(expected["values"])}
    rows = np.array([int(i) for i in points])
    want = np.array(list(points.values()), float)
    near = np.abs(got[rows] - want) <= tolerance.get("abs", 0) + tolerance.get("rel", 0) * np.abs(want)
    return bool(near.all()) and (first is None or np.flatnonzero(np.isfinite(got))[0] == first)


@pytest.mark.parametrize(("name", "key"), CASES)
def test_an_indicator_gives_the_published_digits(name: str, key: str) -> None:
    spec, published = CASES[name, key], case(name)
    got = build(bars_of(published["inputs"]), [spec])[spec]
    assert close_to(got, published["expected"][key], published["tolerance"])


@pytest.mark.parametrize(
    ("name", "columns", "scale"),
    [("talib_full_panel_talib_regtest_252", PANEL, {}), ("ttr_panel_talib_regtest_252", TTR, {"vol": 365**0.5})],
)
def test_every_row_of_a_panel_agrees(name: str, columns: dict[str, str], scale: dict[str, float]) -> None:
    published = case(name)
    panel, rule = table(published["expected"]["series_file"]), published["tolerance"]
    frame = build(bars_of(published["inputs"]), list(columns.values()))
    for column, spec in columns.items():
        got = frame[spec] * scale.get(column[:3], 1.0)
        np.testing.assert_allclose(got, panel[column], rtol=rule["rel"], atol=rule["abs"], err_msg=spec)


def test_the_first_row_may_count_as_a_true_range_of_its_own() -> None:
    for name, key, spec in (("atr4_achelis", "atr", "atr:4"), ("true_range_achelis", "tr", "true_range")):
        published = case(name)
        twice = {k: [v[0], *v] for k, v in published["inputs"].items() if isinstance(v, list)}
        got = build(bars_of(twice), [spec])[spec][1:]
        assert close_to(got, published["expected"][key], published["tolerance"])


def test_on_balance_volume_may_start_at_zero() -> None:
    published = case("obv_achelis")
    bars = bars_of(published["inputs"])
    got = build(bars, ["obv"])["obv"] - bars.volume[0]
    assert close_to(got, published["expected"]["obv"], published["tolerance"])


def test_a_rolling_vwap_agrees_from_its_first_full_window() -> None:
    published = case("vwap_rolling14_ta")
    got = build(bars_of(published["inputs"]), ["vwap:14"])["vwap:14"]
    np.testing.assert_allclose(got[13:], published["expected"]["vwap"]["values"][13:], atol=1e-9)


def moves(bars: BarFrame) -> tuple[Float64, Float64]:
    rise, fall = np.diff(bars.high, prepend=np.nan), -np.diff(bars.low, prepend=np.nan)
    up, down = (rise > fall) & (rise > 0), (fall > rise) & (fall > 0)
    return np.where(np.isnan(rise), np.nan, rise * up), np.where(np.isnan(fall), np.nan, fall * down)


def index_of(up: Float64, down: Float64) -> Float64:
    return wilder(100.0 * np.abs(up - down) / (up + down), 14)


def test_wilders_own_seed_gives_his_directional_movement() -> None:
    published = case("adx14_stockcharts")
    bars = bars_of(published["inputs"])
    up, down, reach = (wilder(x, 14) for x in (*moves(bars), true_range(bars.high, bars.low, bars.close)))
    got = {"plus_di": 100.0 * up / reach, "minus_di": 100.0 * down / reach, "adx": index_of(up, down)}
    for key, expected in published["expected"].items():
        assert close_to(got[key], expected, published["tolerance"]), key


def test_the_index_one_row_early_gives_the_adx_of_achelis() -> None:
    published = case("adx14_achelis")
    bars = bars_of(published["inputs"])
    index = build(bars, ["dx:14"])["dx:14"].copy()
    up, down = (x[1:14].sum() for x in moves(bars))
    index[13] = 100.0 * abs(up - down) / (up + down)
    assert close_to(wilder(index, 14), published["expected"]["adx"], published["tolerance"])


def test_an_average_range_of_its_own_seed_gives_ttrs_keltner_channel() -> None:
    published = case("ttr_panel_talib_regtest_252")
    panel = table(published["expected"]["series_file"])
    frame = build(bars_of(published["inputs"]), ["keltner_middle:20", "atr:20"])
    for column, sign in (("keltner_up20", 1.0), ("keltner_dn20", -1.0)):
        got = frame["keltner_middle:20"] + sign * 2.0 * frame["atr:20"]
        np.testing.assert_allclose(got, panel[column], rtol=1e-7, err_msg=column)
