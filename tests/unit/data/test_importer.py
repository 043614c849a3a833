"""Importing: every shape the public archives have, and every defect named with its line."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from seakeep.core.errors import ConfigError, DataError, SchemaError
from seakeep.data import tabular
from seakeep.data.importer import ImportOptions, find_files, import_file, import_options, read_bars
from seakeep.data.naming import symbol_of
from seakeep.data.store import ParquetStore

SHARED = Path(__file__).parents[4] / "shared" / "data"
# Three hours of BTCUSDT from the public archive, and the header its futures files carry.
LINES = (
    "1704067200000,42283.58,42554.57,42261.02,42475.23,1271.68108,1704070799999,53957248.97,47134,682.57,28957416.81,0",
    "1704070800000,42475.23,42775.00,42431.65,42613.56,1196.37856,1704074399999,50984561.28,46396,623.51,26572119.17,0",
    "1704074400000,42613.57,42638.41,42500.00,42581.10,685.21980,1704077999999,29168241.55,30160,352.11,14989023.58,0",
)
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
CLOSES = [42475.23, 42613.56, 42581.10]


def kline(folder: Path, lines=LINES, name="BTCUSDT-1h-2024-01.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def load(path: Path, **options):
    return read_bars(path, ImportOptions(**options))


def micro(line: str) -> str:
    open_time, rest = line.split(",", 1)
    return f"{open_time}000,{rest}"


@pytest.mark.parametrize(
    "lines",
    [
        LINES,
        (HEADER, *LINES),
        ("\ufeff" + HEADER, "", *LINES, ""),
        tuple(map(micro, LINES)),
        (*LINES[:2], micro(LINES[2])),
    ],
)
def test_an_archive_file_reads_the_same_with_a_header_without_and_in_either_unit(tmp_path, lines):
    frame, seen = load(kline(tmp_path, lines))
    assert (frame.symbol, frame.interval, seen.rows) == ("BTC/USDT", "1h", 3)
    assert frame.ts.tolist() == [1704067200000, 1704070800000, 1704074400000]
    assert frame.close.tolist() == CLOSES
    assert frame.n_trades.tolist() == [47134, 46396, 30160]


def test_a_zip_a_gzip_and_the_plain_file_hold_the_same_bars(tmp_path):
    plain = kline(tmp_path)
    zipped, packed = tmp_path / "BTCUSDT-1h-2024-01.zip", tmp_path / "BTCUSDT-1h-2024-01.csv.gz"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "BTCUSDT-1h-2024-01.csv")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    store = ParquetStore(tmp_path / "store")
    written = [import_file(store, path, ImportOptions()).written for path in (zipped, packed, plain)]
    assert written == [3, 0, 0]


def test_any_csv_can_be_mapped_and_its_dates_may_be_iso(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"2024-01-0{d};{10 + d};{9 + d};{8 + d};{9.5 + d};7" for d in (1, 2, 3)]
    path.write_text("\n".join(["Tag;Hoch;Auf;Tief;Zu;Menge", *rows]))
    said = {"symbol": "ETH/EUR", "market": None}
    options = import_options(said, "time=Tag, high=Hoch, open=Auf, low=Tief, close=Zu, volume=Menge")
    frame, _ = read_bars(path, options)
    assert (frame.symbol, frame.interval) == ("ETH/EUR", "1d")
    assert frame.ts.tolist() == [1704067200000, 1704153600000, 1704240000000]
    assert (frame.open.tolist(), frame.high.tolist()) == ([10, 11, 12], [11, 12, 13])


def test_shuffled_and_repeated_rows_are_put_in_order_counted_and_the_last_wins(tmp_path):
    later = LINES[0].replace("42475.23", "42400.00")
    frame, seen = load(kline(tmp_path, (LINES[2], LINES[0], LINES[1], later)))
    assert frame.close.tolist() == [42400.00, *CLOSES[1:]]
    assert (seen.rows, seen.duplicates, seen.disordered) == (4, 1, 2)


def test_rows_off_the_grid_are_kept_out_and_counted(tmp_path):
    frame, seen = load(kline(tmp_path, (*LINES, LINES[2].replace("1704074400000", "1704076094789"))))
    assert (len(frame), seen.off_grid) == (3, 1)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (LINES[1].replace("42431.65", "n/a"), r"line 2: low must be a number \(got 'n/a'\)"),
        (LINES[1].replace("1196.37856", "-3"), r"line 2: volume must be finite and >= 0 \(got '-3'\)"),
        (LINES[1].replace("42775.00", "42000"), r"line 2: high must be at least the low"),
        (LINES[1].replace("42613.56", "nan"), r"line 2: close must be a finite number above 0"),
        (LINES[1].replace("42613.56", "inf"), r"line 2: close must be a finite number above 0"),
        (LINES[1].replace("42613.56", ""), r"line 2: close must be a number \(got ''\)"),
        (LINES[1].replace("1704070800000", "yesterday"), r"line 2: open_time must be a number"),
        (LINES[1].replace("1704070800000", "17040708"), r"line 2: open_time must be a time after 2009"),
        (LINES[1][:40], r"line 2 has 4 columns, not 12"),
        ("\n" + LINES[1].replace("42431.65", "x"), r"line 3: low must be a number"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_file_line_column_and_value(tmp_path, line, says):
    store = ParquetStore(tmp_path / "store")
    with pytest.raises(SchemaError, match=r"BTCUSDT-1h-2024-01\.csv " + says):
        import_file(store, kline(tmp_path, (LINES[0], line, LINES[2])), ImportOptions())
    assert store.entries() == ()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("BTCUSDT-1h.csv", b"", "is empty"),
        ("BTCUSDT-1h.csv", HEADER.encode(), "holds no rows"),
        ("BTCUSDT-1h.csv", b"open_time,open,high,close,volume\n1,2,3,4,5\n", "has no column for low; it has open_time"),
        ("BTCUSDT-1h.csv", b"1,2,3\n4,5,6\n", "has no header"),
        ("BTCUSDT-1h.csv", HEADER.encode() + b"\n\xff\xfe1,2", "line 2 is not UTF-8"),
        ("BTCUSDT-1h.csv", "\n".join(LINES).encode("utf-16-le"), "zero byte"),
        ("BTCUSDT-1h.zip", b"1704067200000,1,1,1,1,1", "is damaged or not what its name says"),
        ("BTCUSDT-1h.csv.gz", b"plain", "is damaged or not what its name says"),
        ("BTCUSDT-1h.parquet", b"PAR1", "cannot be read"),
        ("BTCUSDT-1h.json", b"{}", "is not a list of"),
        ("BTCUSDT-1h.json", b"[]", "holds no rows"),
        ("BTCUSDT-1h.xlsx", b"", "unknown file ending"),
    ],
)
def test_a_file_that_is_no_table_of_bars_says_why(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((DataError, ConfigError), match=says):
        load(path)


def test_a_zip_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "BTCUSDT-1h.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(kline(tmp_path), "a.csv")
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="is damaged"):
            load(path)


def test_a_zip_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(tabular, "_MAX_UNPACKED", 1 << 20)
    path = tmp_path / "BTCUSDT-1h.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * (5 << 20))
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        load(path)


def test_an_interval_that_the_times_contradict_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="most bars are 1h apart, not 1m"):
        load(kline(tmp_path, name="BTCUSDT-1m.csv"))
    with pytest.raises(ConfigError, match="cannot tell the interval of 2 bars"):
        load(kline(tmp_path, LINES[:2], "BTCUSDT.csv"))


@pytest.mark.parametrize(
    ("path", "market", "symbol"),
    [
        ("BTCUSDT-1h-2024-01.zip", None, "BTC/USDT"),
        ("BTCUSDT-1h-2024-01.zip", "perp", "BTC/USDT:USDT"),
        ("1h_perp/BTCUSDT.parquet", None, "BTC/USDT:USDT"),
        ("BTC_USDT_USDT-1h-futures.feather", None, "BTC/USDT:USDT"),
        ("BTC_USDT_USDT-1h-futures.feather", "spot", "BTC/USDT"),
        ("Binance_1000SHIBUSDT_d.csv", None, "1000SHIB/USDT"),
        ("ETHBTC-5m.csv", None, "ETH/BTC"),
        ("prices.csv", None, None),
    ],
)
def test_a_symbol_is_read_from_the_names_people_use(path, market, symbol):
    assert symbol_of(Path(path), market) == symbol


def test_names_that_are_ambiguous_or_not_of_trades_are_refused(tmp_path):
    refused = {
        "BTCUSDT_vs_ETHUSDT-1h.csv": "names BTC/USDT and ETH/USDT",
        "prices-1h.csv": "no symbol",
        "BTC_USDT_USDT-8h-mark.csv": "mark data",
    }
    for name, says in refused.items():
        with pytest.raises(ConfigError, match=says):
            load(kline(tmp_path, name=name))
    with pytest.raises(ConfigError, match="no such file or folder"):
        find_files([tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match="did you mean time"):
        load(kline(tmp_path), columns={"tme": "open_time"})
    with pytest.raises(ConfigError, match="--market"):
        import_options({"market": "option"})


def test_parquet_and_feather_hold_what_the_csv_holds(tmp_path):
    frame, _ = load(kline(tmp_path))
    names = ("open", "high", "low", "close", "volume")
    table = pa.table(
        {"ts": pa.array(frame.ts * 1000, pa.timestamp("us", "UTC")), **{n: getattr(frame, n) for n in names}}
    )
    pq.write_table(table, tmp_path / "BTC_USDT-1h.parquet")
    feather.write_feather(table.rename_columns(["date", *names]), tmp_path / "BTC_USDT-1h.feather")
    for ending in ("parquet", "feather"):
        other, _ = load(tmp_path / f"BTC_USDT-1h.{ending}")
        assert all(np.array_equal(getattr(other, n), getattr(frame, n)) for n in ("ts", *names))
    pq.write_table(pa.table({**{n: table[n] for n in names}, "ts": [None] * 3}), tmp_path / "ETH_USDT-1h.parquet")
    with pytest.raises(SchemaError, match="row 1: ts must be"):
        load(tmp_path / "ETH_USDT-1h.parquet")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data (../shared/data) are not here")
def test_real_files_give_the_bars_an_independent_reader_gave(tmp_path):
    raw, _ = load(SHARED / "raw/binance_klines12_BTCUSDT-1d-data.csv")
    twin, seen = load(SHARED / "ohlcv/1d_full/BTCUSDT.parquet")
    assert all(np.array_equal(getattr(raw, n), getattr(twin, n)) for n in ("ts", "open", "close", "volume", "n_trades"))
    assert (seen.rows, seen.duplicates) == (1865, 5)
    newest_first, _ = load(SHARED / "raw/cryptodatadownload_Binance_XMRUSDT_d.csv")
    assert np.array_equal(newest_first.close, load(SHARED / "ohlcv/1d/XMRUSDT.parquet")[0].close)
    _, hourly = load(SHARED / "ohlcv/1h_full/BTCUSDT.parquet")
    assert (hourly.duplicates, hourly.off_grid) == (5, 43)
    assert len(load(SHARED / "raw/freqtrade_FTT_USDT-4h.json.gz")[0]) == 6157
