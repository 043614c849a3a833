"""The copy in columns: the same bars as Parquet or none at all, whatever happens to the file."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seakeep.core.market import BarFrame
from seakeep.core.units import DAY_MS, MINUTE_MS
from seakeep.data.columns import WORTH
from seakeep.data.parts import VALUES
from seakeep.data.store import ParquetStore

N = WORTH + 4_321
NEW_YEAR = 1_640_995_200_000
TS = NEW_YEAR + (np.arange(N) - 70_000) * MINUTE_MS
"""Minutes of two years, so of two parts."""
WALK = 100.0 + np.random.default_rng(1).random(N)
FRAME = BarFrame("BTC/USDT", "1m", TS, WALK, WALK + 1, WALK - 1, WALK, WALK * 2)


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    """Both years, the second with quote volume; read once, so that there is a copy."""
    store = ParquetStore(tmp_path)
    store.write(FRAME)
    store.write(replace(FRAME, quote_volume=WALK * 3).rows(70_000, N))
    store.read("BTC/USDT", "1m")
    return store


def copy_of(store: ParquetStore) -> Path:
    (path,) = store.root.rglob("*.npy")
    assert path.name.startswith(store.entries()[0].hash)
    return path


def bits(frame: BarFrame) -> dict[str, bytes]:
    held = {name: getattr(frame, name) for name in ("ts", *VALUES)}
    return {name: column.tobytes() for name, column in held.items() if column is not None}


def test_the_second_read_needs_no_parquet_and_gives_the_same_bits_read_only(tmp_path: Path, store: ParquetStore):
    first = bits(store.read("BTC/USDT", "1m", columns=VALUES))
    for part in tmp_path.rglob("*.parquet"):
        part.unlink()
    frame = store.read("BTC/USDT", "1m")
    assert bits(frame) == first
    assert np.array_equal(frame.close, WALK)
    assert np.isnan(frame.quote_volume[:70_000]).all()
    with pytest.raises(ValueError, match="read-only"):
        frame.close[0] = 1.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        frame.close.flags.writeable = True


def test_other_programs_read_the_copy_with_one_call(store: ParquetStore):
    loaded = np.load(copy_of(store), mmap_mode="r")
    assert loaded.shape == (7, N)
    assert np.array_equal(loaded[0].view(np.int64), TS)
    assert np.array_equal(loaded[4], WALK)


edges = st.none() | st.integers(-3, N + 3).map(lambda i: int(TS[0]) + i * MINUTE_MS + i % 2)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=edges, end=edges, columns=st.none() | st.lists(st.sampled_from(VALUES), max_size=3))
def test_any_range_of_any_columns_is_what_parquet_gives(store: ParquetStore, start, end, columns):
    def answer() -> object:
        try:
            return bits(store.read("BTC/USDT", "1m", start, end, columns))
        except Exception as error:
            return repr(error)

    cached, copy = answer(), copy_of(store)
    hidden = copy.rename(copy.with_suffix(".hidden"))
    assert answer() == cached
    hidden.rename(copy)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda held: b"",
        lambda held: held[:40],
        lambda held: held[:-8],
        lambda held: held[: len(held) // 2],
        lambda held: held + b"\0" * 8,
        lambda held: b"PK\3\4" + held[4:],
        lambda held: np.random.default_rng(2).bytes(len(held)),
        lambda held: held[:128] + bytes(len(held) - 128),
        lambda held: held[:4_096] + bytes(4_096) + held[8_192:],
        lambda held: held.replace(b"<f8", b"<i8"),
        lambda held: held.replace(str(N).encode(), str(N - 1).encode()),
    ],
)
def test_a_copy_that_is_not_what_was_written_is_not_used_and_made_anew(store: ParquetStore, spoil):
    copy, good = copy_of(store), bits(store.read("BTC/USDT", "1m"))
    held = copy.read_bytes()
    copy.unlink()
    copy.write_bytes(spoil(held))
    assert bits(store.read("BTC/USDT", "1m")) == good
    assert copy_of(store).read_bytes() == held


def test_one_flipped_bit_is_noticed_by_every_read_that_would_return_it(store: ParquetStore):
    copy, rng = copy_of(store), np.random.default_rng(3)
    held = copy.read_bytes()
    for at in rng.integers(0, len(held), 16).tolist():
        first = int(rng.integers(0, N - 5_000))
        span = int(TS[first]), int(TS[first + 5_000])
        copy.unlink()
        copy.write_bytes(held[:at] + bytes([held[at] ^ (1 << at % 8)]) + held[at + 1 :])
        frame = store.read("BTC/USDT", "1m", *span)
        assert np.array_equal(frame.ts, TS[first : first + 5_000])
        assert np.array_equal(frame.close, WALK[first : first + 5_000])
        assert np.array_equal(store.read("BTC/USDT", "1m").close, WALK)


def test_new_bars_are_never_read_from_the_copy_of_the_old(store: ParquetStore):
    old = copy_of(store)
    held = old.read_bytes()
    changed = FRAME.rows(5, 6)
    store.write(replace(changed, close=np.array([100.5]), high=np.array([102.0])))
    assert not old.exists()
    old.write_bytes(held)
    assert store.read("BTC/USDT", "1m").close[5] == 100.5
    assert store.read("BTC/USDT", "1m").close[5] == 100.5
    assert old.exists()
    store.write(FRAME.rows(0, 1))
    assert copy_of(store) != old


def test_few_bars_have_no_copy(tmp_path: Path):
    store = ParquetStore(tmp_path)
    store.write(FRAME.rows(0, 1_000))
    assert len(store.read("BTC/USDT", "1m")) == 1_000
    assert not list(tmp_path.rglob("*.npy"))


def test_readers_at_once_make_one_copy_and_all_read_the_same(store: ParquetStore):
    copy_of(store).unlink()
    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(lambda _: bits(store.read("BTC/USDT", "1m")), range(12)))
    assert all(bars == seen[0] for bars in seen)
    assert copy_of(store).stat().st_size > 7 * 8 * N
    assert not list(store.root.rglob("*.tmp"))


def test_a_writer_beside_the_readers_is_seen_as_one_version_or_the_next(store: ParquetStore):
    def versions(_: int) -> set[float]:
        return set((store.read("BTC/USDT", "1m").volume / WALK).round(6).tolist())

    with ThreadPoolExecutor(4) as pool:
        seen = [pool.submit(versions, i) for i in range(24)]
        for factor in (4.0, 5.0):
            store.write(replace(FRAME, volume=WALK * factor))
        assert all(job.result() in ({2.0}, {4.0}, {5.0}) for job in seen)
    assert versions(0) == {5.0}


LIMITED = """
import resource, sys
from seakeep.data.store import ParquetStore
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
print(len(ParquetStore(sys.argv[1]).read("BTC/USDT", "1m")))
"""


def test_a_disk_that_takes_no_copy_is_read_all_the_same(store: ParquetStore):
    copy_of(store).unlink()
    before = sorted(store.root.rglob("*"))
    child = subprocess.run([sys.executable, "-c", LIMITED, store.root], capture_output=True, text=True, check=False)
    assert child.stdout == f"{N}\n", child.stderr
    assert sorted(store.root.rglob("*")) == before


def test_a_range_before_or_after_the_bars_is_answered_as_without_a_copy(store: ParquetStore):
    for start, end in ((None, int(TS[0])), (int(TS[-1]) + 1, None), (NEW_YEAR + DAY_MS, NEW_YEAR)):
        with pytest.raises(Exception, match="no 1m bars of BTC/USDT in"):
            store.read("BTC/USDT", "1m", start, end)
