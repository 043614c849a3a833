"""Crises over again: what is covered, what is not, and what real ones did."""

from pathlib import Path

import numpy as np
import pytest

from seakeep.core.market import BarFrame
from seakeep.core.units import DAY_MS
from seakeep.risk.crises import CRISES, replay
from seakeep.risk.stress import Book

SHARED = Path(__file__).parents[3] / "../shared/data/ohlcv/1d"


def frame(symbol, closes, start=0, gaps=()):
    days = np.array([d for d in range(len(closes)) if d not in gaps])
    close = np.asarray(closes, np.float64)[days]
    return BarFrame(symbol, "1d", start + days * DAY_MS, close.copy(), close * 1.1, close * 0.9, close, close * 0 + 10)


def real(*names):
    pq = pytest.importorskip("pyarrow.parquet")
    if not SHARED.exists():
        pytest.skip("the daily bars data/ohlcv/1d are not beside this checkout")
    found = {}
    for name in names:
        table = pq.read_table(SHARED / f"{name}USDT.parquet")
        columns = [table[key].to_numpy().copy() for key in ("open", "high", "low", "close", "volume")]
        found[f"{name}/USDT"] = BarFrame(f"{name}/USDT", "1d", table["ts"].cast("int64").to_numpy().copy(), *columns)
    return found


def test_a_replay_is_the_worst_close_of_todays_quantities():
    crisis = CRISES["may_2021"]
    closes = [100, 90, 60, 80, 50, 70, 75, 80, 85, 90, 95, 99, 99]
    frames = {
        "A/B": frame("A/B", closes, crisis.start - DAY_MS),
        "C/B": frame("C/B", closes[::-1], crisis.start - DAY_MS),
    }
    found = replay(Book.of_weights({"A/B": 0.8}), frames, crisis)
    assert found.loss == pytest.approx(0.8 * 0.5)
    assert found.worst == pytest.approx(0.8 * (1 - 0.45))
    assert found.at == crisis.start + 3 * DAY_MS
    short = replay(Book.of_weights({"A/B:B": -0.8}), frames, crisis)
    assert (short.loss, short.worst) == (0, pytest.approx(0.8 * 0.089))
    assert replay(Book.of_weights({}), frames, crisis).loss == 0


def test_a_replay_says_what_it_does_not_cover():
    crisis = CRISES["may_2021"]
    frames = {"A/B": frame("A/B", np.arange(13) + 50.0, crisis.start - DAY_MS, gaps=(5, 6))}
    found = replay(Book.of_weights({"A/B": 0.3, "Z/B": 0.1}), frames, crisis)
    assert (found.loss, found.worst, found.covered) == (None, None, 0)
    assert dict(found.uncovered) == {
        "A/B": "2 of 13 bars missing, 2021-05-16T00:00:00Z to 2021-05-17T00:00:00Z",
        "Z/B": "no bars",
    }


def test_march_2020_halved_bitcoin_and_terra_took_everything():
    frames = real("BTC", "LUNA")
    march = replay(Book.of_weights({"BTC/USDT": 1.0}), frames, CRISES["march_2020"])
    assert march.loss == pytest.approx(1 - 4800.00 / 9132.0, abs=2e-3)
    terra = replay(Book.of_weights({"LUNA/USDT": 0.5}), frames, CRISES["may_2022"])
    assert terra.loss == pytest.approx(0.5, abs=1e-4)
    assert replay(Book.of_weights({"LUNA/USDT": 0.5}), frames, CRISES["march_2020"]).uncovered[0][0] == "LUNA/USDT"
