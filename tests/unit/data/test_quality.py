"""Quality: each planted defect is found, clean bars are not accused, and the real ones are those on record."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seakeep.core.market import BarFrame
from seakeep.core.units import HOUR_MS, parse_time
from seakeep.data.quality import check

OHLCV = Path(__file__).parents[4] / "shared" / "data" / "ohlcv"
START = parse_time("20240101")
NAMES = ("ts", "open", "high", "low", "close", "volume")


def clean(n=500, seed=3) -> BarFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.004, n)))
    opened = np.append(100.0, close[:-1])
    high, low = np.maximum(opened, close) * 1.002, np.minimum(opened, close) * 0.998
    return BarFrame("BTC/USDT", "1h", START + np.arange(n) * HOUR_MS, opened, high, low, close, rng.uniform(1, 2, n))


def put(frame: BarFrame, field: str, at, value) -> BarFrame:
    column = getattr(frame, field).copy()
    column[at] = value
    return replace(frame, **{field: column})


def pick(frame: BarFrame, index) -> BarFrame:
    return replace(frame, **{name: getattr(frame, name)[index] for name in NAMES})


def found(frame: BarFrame, now=None) -> dict[str, tuple[int, float, str]]:
    return {f.kind: (f.count, f.worst, f.severity.value) for f in check(frame, now).findings}


def test_clean_bars_have_no_finding_and_grade_a():
    report = check(clean())
    assert (report.grade, report.findings, report.rows) == ("A", (), 500)


@pytest.mark.parametrize(
    ("spoilt", "kind", "count", "severity"),
    [
        (pick(clean(), np.r_[:100, 103:200, 210:500]), "gap", 13, "warn"),
        (pick(clean(), np.r_[:100, 400:500]), "gap", 300, "error"),
        (pick(clean(), np.r_[:100, 99, 99, 100:500]), "duplicate", 2, "error"),
        (pick(clean(), np.r_[:100, 101, 100, 102:500]), "disorder", 1, "error"),
        (put(clean(), "ts", 200, START + 200 * HOUR_MS + 7), "off-grid", 1, "warn"),
        (put(clean(), "close", 50, np.nan), "not-finite", 1, "error"),
        (put(clean(), "low", 50, 0.0), "not-positive", 1, "error"),
        (put(clean(), "volume", [5, 6], -1.0), "not-positive", 2, "error"),
        (put(clean(), "high", [5, 9], 1.0), "high-below-low", 2, "error"),
        (put(clean(), "open", 8, 500.0), "outside-range", 1, "error"),
        (put(clean(), "volume", slice(0, 9), 0.0), "zero-volume", 9, "warn"),
        (put(clean(), "volume", 3, 0.0), "zero-volume", 1, "info"),
    ],
)
def test_a_planted_defect_is_found_counted_and_graded(spoilt, kind, count, severity):
    findings = found(spoilt)
    assert (findings[kind][0], findings[kind][2]) == (count, severity)


def test_the_worst_gap_the_largest_move_and_the_longest_flat_stretch_are_measured():
    frame = clean()
    assert found(pick(frame, np.r_[:100, 103:200, 210:500]))["gap"][1] == 10
    scale = np.where(np.arange(500) < 300, 1.0, 1.5)
    moved = replace(frame, **{n: getattr(frame, n) * scale for n in ("open", "high", "low", "close")})
    assert found(moved)["outlier"][1] == pytest.approx(np.log(1.5), abs=0.02)
    assert found(put(frame, "close", slice(100, 131), 100.0))["flat"][1] == 30


def test_another_coin_after_a_gap_is_told_from_a_collapse():
    frame = clean()
    scale = np.where(np.arange(500) < 300, 1.0, np.exp(3.0))
    prices = {n: getattr(frame, n) * scale for n in ("open", "high", "low", "close")}
    collapse = replace(frame, **prices)
    assert found(collapse)["leap"][2] == "warn"
    reuse = found(pick(collapse, np.r_[:290, 300:500]))
    assert reuse["ticker-reuse"][1] == pytest.approx(3.0, abs=0.1)
    assert "leap" not in reuse
    years_later = np.append(frame.ts[:290], frame.ts[300:] + 20_000 * HOUR_MS)
    drifted = replace(pick(collapse, np.r_[:290, 300:500]), ts=years_later)
    assert "ticker-reuse" not in found(drifted)


def test_a_bar_stored_before_it_closed_shows_at_its_seam():
    frame = clean()
    halfway = frame.open[250] + 0.5 * (frame.close[250] - frame.open[250]) + 0.3
    assert found(put(frame, "close", 250, halfway))["seam"][0] == 1


def test_the_last_bar_is_open_until_its_close_and_later_stale():
    frame = clean()
    end = int(frame.known_at[-1])
    assert "unclosed" not in found(frame, end)
    assert found(frame, end - 1)["unclosed"][0] == 1
    assert "stale" not in found(frame, end + 3 * HOUR_MS)
    assert found(frame, end + 10 * HOUR_MS)["stale"][1] == 10


def test_one_bar_is_enough_and_none_is_an_error():
    assert check(pick(clean(), np.r_[:1])).grade == "A"
    with pytest.raises(ValueError, match="no bars of BTC/USDT 1h"):
        check(pick(clean(), np.r_[:0]))


# From the record of defects kept with the data: (file, {kind: count}, {kind: worst}).
RECORDED = [
    ("1h/BTCUSDT", {"gap": 20, "zero-volume": 2}, {"gap": 4}),
    ("1h_early/BTCUSDT", {"gap": 127, "zero-volume": 3}, {"gap": 33}),
    ("1h_full/BTCUSDT", {"gap": 109, "duplicate": 5, "off-grid": 43, "zero-volume": 1}, {"gap": 32}),
    ("1d_full/ETHUSDT", {"duplicate": 4}, {}),
    ("1d/LUNAUSDT", {"gap": 17}, {"ticker-reuse": 12.086}),
    ("1h_delisted/LUNAUSDT", {"gap": 449, "zero-volume": 1}, {"gap": 437, "ticker-reuse": 12.050}),
    ("1h_delisted/FTTUSDT", {"gap": 7478}, {"gap": 7467, "outlier": -0.494}),
    ("1h_delisted/USDCUSDT", {"gap": 4007, "zero-volume": 1}, {"gap": 3995}),
    ("1h_early/FTTUSDT", {"gap": 31, "zero-volume": 63}, {"outlier": 0.215}),
    ("1h_perp/TRXUSDT", {}, {"outlier": 0.179}),
    ("1m_usdc_depeg/BTCUSDC_binanceus", {"zero-volume": 12971}, {}),
]


@pytest.mark.skipif(not OHLCV.is_dir(), reason="the shared market data (../shared/data/ohlcv) are not here")
@pytest.mark.parametrize(("name", "counts", "worst"), RECORDED, ids=[r[0] for r in RECORDED])
def test_the_defects_on_record_are_found_in_the_real_files(name, counts, worst):
    table = pq.read_table(OHLCV / f"{name}.parquet")
    columns = [table[n].cast(pa.int64()) if n == "ts" else table[n] for n in NAMES]
    frame = BarFrame(name, name.split("/")[0].split("_")[0], *(np.array(c.to_numpy()) for c in columns))
    findings = found(frame)
    assert {k: v[0] for k, v in findings.items() if k in {"gap", "duplicate", "off-grid", "zero-volume"}} == counts
    for kind, value in worst.items():
        assert findings[kind][1] == pytest.approx(value, abs=6e-4)
