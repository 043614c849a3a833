"""Labels against the published numbers of the open implementation of AFML, and by construction."""

import csv
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seakeep.core.market import Float64, Int64
from seakeep.features.labels import (
    BarrierParams,
    Labels,
    cusum_filter,
    daily_volatility,
    forward_return,
    triple_barrier,
)

REFERENCE = Path(__file__).parents[3] / "../shared/reference"
published = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"needs the reference cases in {REFERENCE}")


def case(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCE / "triple_barrier" / f"{name}.json").read_text())
    return found


def dollar_bars() -> tuple[Int64, Float64]:
    with (REFERENCE / "series/dollar_bar_close_1000.csv").open() as file:
        rows = list(csv.DictReader(file))
    times = [datetime.fromisoformat(row["date_time"]).replace(tzinfo=UTC).timestamp() for row in rows]
    return np.rint(np.array(times) * 1000).astype(np.int64), np.array([float(row["close"]) for row in rows])


def labelled(params: BarrierParams) -> Labels:
    ts, close = dollar_bars()
    return triple_barrier(ts, close, cusum_filter(close, 0.02), daily_volatility(ts, close, 100), params)


@published
def test_the_cusum_filter_finds_the_published_events() -> None:
    _, close = dollar_bars()
    assert cusum_filter(close, 0.02).tolist() == case("cusum_filter_2pct")["expected"]["event_bar_index"]


@published
def test_daily_volatility_has_the_published_digits() -> None:
    want = case("daily_volatility_ewm100")["expected"]
    got = daily_volatility(*dollar_bars(), 100)
    rows = list(want["spot_bar_index"].values())
    assert got[rows] == pytest.approx(list(want["spot"].values()), rel=1e-9)
    assert got[-1] == pytest.approx(want["last_value"], rel=1e-9)
    assert np.isnan(got[: 1_000 - want["n"] + 1]).all()


@published
def test_the_triple_barrier_gives_the_published_labels() -> None:
    want = case("triple_barrier_dollar_bars")["expected"]
    got = labelled(BarrierParams(min_target=0.005))
    assert got.start.tolist() == want["start_bar"]
    assert got.end.tolist() == want["end_bar"]
    assert got.label.tolist() == want["label"]
    assert got.target == pytest.approx(want["target"], abs=1e-12)
    assert got.ret == pytest.approx(want["ret"], abs=1e-12)


@published
def test_the_height_of_the_barriers_decides_the_labels() -> None:
    wanted = case("triple_barrier_pt_sl_multiples")["expected"]["labels"]
    for (take, stop), want in zip(((1e3, 1e3), (1e-8, 1e-8), (1e4, 1e-8)), wanted, strict=True):
        got = labelled(BarrierParams(take_profit=take, stop_loss=stop, min_target=0.005)).label.tolist()
        assert got[: len(want)] == want


def test_the_first_barrier_touched_wins_and_time_runs_out_at_zero() -> None:
    close = np.array([100.0, 100.5, 98.0, 103.0, 103.1, 103.0, 103.2, 103.1])
    hour = np.arange(8) * 3_600_000
    params = BarrierParams(horizon_ms=3 * 3_600_000)
    got = triple_barrier(hour, close, np.array([0, 2, 3, 6]), np.full(8, 0.015), params)
    assert got.start.tolist() == [0, 2, 3]  # the data end before any barrier of the event in row 6
    assert got.label.tolist() == [-1, 1, 0]
    assert got.end.tolist() == [2, 3, 6]


def test_events_without_a_target_are_left_out() -> None:
    close = np.array([1.0, 2.0, 4.0, 8.0])
    target = np.array([np.nan, 0.1, 0.001, 0.1])
    got = triple_barrier(np.arange(4), close, np.arange(3), target, BarrierParams(min_target=0.01))
    assert got.start.tolist() == [1]
    with pytest.raises(ValueError, match="events must be rows"):
        triple_barrier(np.arange(4), close, np.array([4]), target, BarrierParams())


def test_a_forward_return_is_the_log_of_the_ratio() -> None:
    close = np.exp(np.arange(6.0) ** 2)
    assert forward_return(close, 2)[:4].tolist() == pytest.approx([4.0, 8.0, 12.0, 16.0])
    assert np.isnan(forward_return(close, 2)[4:]).all()
    assert np.isnan(forward_return(close, 9)).all()
    assert math.isclose(np.nansum(forward_return(close, 1)), 25.0)
    with pytest.raises(ValueError, match="horizon"):
        forward_return(close, 0)
