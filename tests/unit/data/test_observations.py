"""Funding rates in, merged, and out again."""

import gzip
from pathlib import Path

import pytest

from seakeep.core.errors import DataError, SchemaError
from seakeep.core.market import Observation
from seakeep.data.observations import FUNDING_RATE, read_funding, read_observations, write_observations

PERP = "BTC/USDT:USDT"
HOURS = 3_600_000
BINANCE = "calc_time,funding_interval_hours,last_funding_rate\n1704067200000,8,0.00037409\n1704096000003,8,-0.0001\n"


def rate(ts: int, value: float) -> Observation:
    return Observation("x", FUNDING_RATE, PERP, ts, ts, value)


def test_a_file_of_the_exchange_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-fundingRate-2024-01.csv"
    path.write_text(BINANCE)
    (tmp_path / "same.csv.gz").write_bytes(gzip.compress(BINANCE.encode()))
    first, second = read_funding(path, PERP)
    assert (first.ts, first.known_at, first.value) == (1704067200000, 1704067200000, 0.00037409)
    assert (second.ts, second.value) == (1704096000003, -0.0001)
    assert [o.value for o in read_funding(tmp_path / "same.csv.gz", PERP)] == [0.00037409, -0.0001]


def test_an_import_can_be_repeated_and_the_newer_value_wins(tmp_path: Path) -> None:
    assert write_observations(tmp_path, [rate(8 * HOURS, 0.1), rate(16 * HOURS, 0.2)]) == 2
    assert write_observations(tmp_path, [rate(16 * HOURS, 0.2)]) == 0
    assert write_observations(tmp_path, [rate(16 * HOURS, 0.3), rate(0, 0.0)]) == 2
    kept = read_observations(tmp_path, {PERP: (1, 16 * HOURS), "ETH/USDT:USDT": (0, 99)})
    assert [(o.ts, o.value) for o in kept] == [(8 * HOURS, 0.1), (16 * HOURS, 0.3)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,price\n1704067200000,1\n", "has no funding rates"),
        ("time,funding_rate\n1704067200000,7\n", "is no funding rate"),
        ("time,funding_rate\n1704067200000,nan\n", "is no funding rate"),
        ("time,funding_rate\n1704067200000,much\n", "must be a number"),
        ("time,funding_rate\n,0.1\n", "time"),
        ("", "empty"),
    ],
)
def test_what_is_no_funding_rate_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises((SchemaError, DataError), match=said):
        read_funding(path, PERP)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write_observations(tmp_path, [rate(1, 0.1)])
    next((tmp_path / "observations").glob("*")).write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        read_observations(tmp_path, {PERP: (0, 9)})
