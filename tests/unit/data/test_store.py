"""The store: an idempotent upsert, one hash for the same bars, and no half-written state."""

import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError, DataError, SchemaError
from seakeep.core.market import BarFrame, Instrument
from seakeep.core.units import DAY_MS
from seakeep.data.store import ParquetStore

START = 1_640_908_800_000  # 2021-12-31: a frame of a few days crosses the year
COLUMNS = ("open", "high", "low", "close", "volume")


def bars(days, close=None, symbol="BTC/USDT", interval="1d", quote_volume=None) -> BarFrame:
    close = np.asarray(days, float) + 100.0 if close is None else np.asarray(close, float)
    ts = START + np.asarray(days, np.int64) * DAY_MS
    return BarFrame(symbol, interval, ts, close, close + 1, close - 1, close, close * 0 + 5.0, quote_volume)


def same(a: BarFrame, b: BarFrame) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("ts", *COLUMNS))


def test_what_was_written_is_read_back_bit_for_bit_and_split_by_year(tmp_path):
    store = ParquetStore(tmp_path)
    assert store.write(bars(range(400))) == 400
    assert same(store.read("BTC/USDT", "1d"), bars(range(400)))
    (entry,) = store.entries()
    assert [(p.year, p.rows) for p in entry.parts] == [(2021, 1), (2022, 365), (2023, 34)]


def test_writing_twice_changes_nothing_on_disk(tmp_path):
    store = ParquetStore(tmp_path)
    store.write(bars(range(40)))
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in tmp_path.rglob("*.*") if p.is_file()}
    assert store.write(bars(range(40))) == 0
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in before} == before


def test_a_newer_value_wins_and_only_its_year_is_rewritten(tmp_path):
    store = ParquetStore(tmp_path)
    store.write(bars(range(400)))
    old = {p.year: p.file for p in store.entries()[0].parts}
    assert store.write(bars([370, 400], close=[7.0, 8.0])) == 2
    new = {p.year: p.file for p in store.entries()[0].parts}
    assert store.read("BTC/USDT", "1d").close[[370, 400]].tolist() == [7.0, 8.0]
    assert {y for y in old if old[y] != new[y]} == {2023}
    assert {p.name for p in tmp_path.rglob("*.parquet")} == set(new.values())


@settings(max_examples=25, deadline=None)
@given(days=st.lists(st.integers(0, 60), min_size=1, max_size=30), cuts=st.lists(st.integers(0, 30), max_size=3))
def test_the_store_is_a_dictionary_by_bar_open_and_its_hash_knows_no_order(tmp_path_factory, days, cuts):
    root = tmp_path_factory.mktemp("store")
    frame, truth = bars(days, close=np.arange(len(days)) + 2.0), {}
    for day, close in zip(days, frame.close, strict=True):
        truth[START + day * DAY_MS] = close
    pieces, whole = ParquetStore(root / "a"), ParquetStore(root / "b")
    edges = sorted({0, len(days), *(c for c in cuts if c < len(days))})
    for i in range(len(edges) - 1):
        pieces.write(frame.rows(edges[i], edges[i + 1]))
    held = pieces.read("BTC/USDT", "1d")
    assert dict(zip(held.ts.tolist(), held.close.tolist(), strict=True)) == truth
    assert (np.diff(held.ts) > 0).all()
    whole.write(held)
    assert whole.entries()[0].hash == pieces.entries()[0].hash


def test_a_source_without_quote_volume_does_not_erase_it_and_either_order_gives_one_hash(tmp_path):
    rich, poor = bars(range(9), quote_volume=np.arange(9.0)), bars(range(9))
    first, second = ParquetStore(tmp_path / "1"), ParquetStore(tmp_path / "2")
    counts = [first.write(rich), first.write(poor), second.write(poor), second.write(rich)]
    assert counts == [9, 0, 9, 9]
    assert first.entries()[0].hash == second.entries()[0].hash
    assert first.read("BTC/USDT", "1d").quote_volume.tolist() == list(range(9))


def test_a_range_is_half_open_and_unread_columns_are_nan(tmp_path):
    store = ParquetStore(tmp_path)
    store.write(bars(range(40)))
    held = store.read("BTC/USDT", "1d", START + 3 * DAY_MS, START + 5 * DAY_MS, columns=["close"])
    assert held.close.tolist() == [103.0, 104.0]
    assert np.isnan(held.open).all()
    assert held.quote_volume is None


def test_a_question_about_what_is_not_there_is_answered_with_what_is(tmp_path):
    store = ParquetStore(tmp_path)
    with pytest.raises(DataError, match="is empty"):
        store.read("BTC/USDT", "1d")
    store.write(bars(range(40)))
    with pytest.raises(DataError, match="did you mean BTC/USDT"):
        store.read("BTC/USD", "1d")
    with pytest.raises(DataError, match="held at 1d"):
        store.read("BTC/USDT", "1h")
    with pytest.raises(DataError, match="held: 2021-12-31T00:00:00Z to 2022-02-08"):
        store.read("BTC/USDT", "1d", start=START + 90 * DAY_MS)


@pytest.mark.parametrize("symbol", ["../../x", "BTC", "/etc/passwd", "A/../B", "BTC/USDT/..", "", "B\0/USDT", "A_B/C"])
def test_a_hostile_symbol_names_no_path(tmp_path, symbol):
    store = ParquetStore(tmp_path / "in")
    with pytest.raises(ConfigError, match="not a symbol"):
        store.write(bars(range(3), symbol=symbol))
    with pytest.raises(ConfigError, match="not an interval"):
        store.read("BTC/USDT", "../1d")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("field", "value"), [("close", np.nan), ("high", np.inf), ("low", -1.0), ("volume", -0.5)])
def test_a_value_that_no_bar_can_have_is_refused_and_nothing_is_written(tmp_path, field, value):
    column = getattr(bars(range(3)), field).copy()
    column[1] = value
    with pytest.raises(SchemaError, match=f"{field} of bar 1"):
        ParquetStore(tmp_path).write(replace(bars(range(3)), **{field: column}))
    assert not list(tmp_path.iterdir())


def test_one_flipped_bit_anywhere_in_a_part_is_noticed(tmp_path):
    store = ParquetStore(tmp_path)
    store.write(bars(range(1, 20)))
    (part,), good = tmp_path.rglob("*.parquet"), store.read("BTC/USDT", "1d")
    content = part.read_bytes()
    for i in range(0, len(content), 3):
        part.write_bytes(content[:i] + bytes([content[i] ^ (1 << i % 8)]) + content[i + 1 :])
        with pytest.raises(DataError, match="is damaged: its checksum differs"):
            store.read("BTC/USDT", "1d")
    part.write_bytes(content)
    assert same(store.read("BTC/USDT", "1d"), good)


def test_damage_on_disk_is_named(tmp_path):
    store = ParquetStore(tmp_path)
    store.write(bars(range(1, 4)))
    (part,) = tmp_path.rglob("*.parquet")
    for bad in (part.read_bytes()[:-9], b""):
        part.write_bytes(bad)
        with pytest.raises(DataError, match=r"2022-\w+\.parquet is damaged"):
            store.read("BTC/USDT", "1d")
    part.unlink()
    with pytest.raises(DataError, match="part named by the catalog is missing"):
        store.read("BTC/USDT", "1d")
    next(tmp_path.rglob("catalog.json")).write_text("{}")
    with pytest.raises(DataError, match=r"catalog\.json is damaged"):
        store.read("BTC/USDT", "1d")


def test_an_instrument_is_what_was_set_else_what_the_bars_show(tmp_path):
    store = ParquetStore(tmp_path)
    store.write(bars(range(3), close=[1.25, 1.5, 1.125], symbol="XRP/USDT:USDT"))
    derived = store.instrument("XRP/USDT:USDT")
    assert (str(derived.tick), str(derived.lot), derived.kind.value) == ("0.001", "1", "perpetual")
    stated = Instrument(symbol="XRP/USDT:USDT", base="XRP", quote="USDT", venue="binanceusdm")
    store.set_instrument(stated)
    assert store.instrument("XRP/USDT:USDT") == stated


FULL = """
import resource, sys, numpy as np
from seakeep.core.errors import DataError
from seakeep.core.market import BarFrame
from seakeep.data.store import ParquetStore
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
noise = 1.0 + np.random.default_rng(1).random(50_000)
try:
    ParquetStore(sys.argv[1]).write(BarFrame("BTC/USDT", "1m", np.arange(50_000) * 60_000, *[noise] * 5))
except DataError as error:
    sys.exit(str(error))
"""


def test_a_write_the_disk_refuses_leaves_the_old_bars_and_no_litter(tmp_path):
    store = ParquetStore(tmp_path)
    few = bars(range(3), interval="1m")
    store.write(few)
    before = sorted(p for p in tmp_path.rglob("*"))
    child = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=False)
    assert "cannot write to" in child.stderr
    assert "File too large" in child.stderr
    assert sorted(p for p in tmp_path.rglob("*")) == before
    assert same(store.read("BTC/USDT", "1m"), few)


TWO = """
import sys, numpy as np
from seakeep.core.market import BarFrame
from seakeep.data.store import ParquetStore
one = np.ones(1)
for i in range(int(sys.argv[2]), 60, 3):
    ParquetStore(sys.argv[1]).write(BarFrame("BTC/USDT", "1m", np.array([i * 60_000]), one, one, one, one, one))
"""


def test_three_writers_at_once_lose_no_bar(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", TWO, tmp_path, str(i)]) for i in range(3)]
    assert [w.wait(60) for w in writers] == [0, 0, 0]
    assert ParquetStore(tmp_path).read("BTC/USDT", "1m").ts.tolist() == [i * 60_000 for i in range(60)]


def test_a_reader_beside_a_writer_sees_one_version_or_the_next(tmp_path):
    store, days = ParquetStore(tmp_path), range(900)
    store.write(bars(days, close=np.full(900, 2.0)))
    writer = threading.Thread(target=lambda: [store.write(bars(days, close=np.full(900, 3.0 + i))) for i in range(25)])
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(set(store.read("BTC/USDT", "1d").close.tolist()))
    writer.join()
    assert len(seen) > 3
    assert {len(closes) for closes in seen} == {1}
    assert store.read("BTC/USDT", "1d").close[0] == 27.0
