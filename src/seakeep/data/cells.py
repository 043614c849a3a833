"""The cells of a sheet as times and numbers; a cell that makes no sense is refused with its line."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seakeep.core.errors import ConfigError, SchemaError
from seakeep.core.market import Float64, Int64
from seakeep.core.registry import nearest
from seakeep.data.parts import EXTRAS, PRICES, VALUES
from seakeep.data.tabular import Sheet

__all__ = ["FIELDS", "TIME_FORMATS", "columns_of", "numbers", "refuse_impossible", "times"]

FIELDS = ("time", *VALUES)
TIME_FORMATS = ("auto", "s", "ms", "us", "iso")
_ALIASES = {
    "time": ("open_time", "opentime", "ts", "time", "timestamp", "unix", "unix_timestamp", "datetime", "date"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "base_volume"),
    "quote_volume": ("quote_volume", "quote_asset_volume", "quote_av"),
    "n_trades": ("n_trades", "trades", "number_of_trades", "count", "tradecount", "trade_count"),
}
_OLDEST_MS = 1_230_768_000_000  # 2009-01-01: nothing traded before; an earlier time is in another unit


def columns_of(sheet: Sheet, symbol: str, mapping: Mapping[str, str]) -> dict[str, str]:
    """Which column holds each of our fields; "Volume BTC" and "Volume USDT" are told apart by the symbol.

    Raises: ConfigError for an unknown field; SchemaError naming a column that is not there.
    """
    if unknown := set(mapping) - set(FIELDS):
        name = sorted(unknown)[0]
        raise ConfigError("--map knows no such field", value=name, remedy=nearest(name, FIELDS))
    for column in mapping.values():
        if column not in sheet.columns:
            raise SchemaError(
                f"{sheet.path} has no such column", value=column, remedy=nearest(column, [*sheet.columns])
            )
    base, quote = symbol.lower().split(":")[0].split("/")
    plain = {_plain(name): name for name in reversed(sheet.columns)}
    found = dict(mapping)
    for field, aliases in _ALIASES.items():
        more = {"volume": (f"volume_{base}",), "quote_volume": (f"volume_{quote}",)}.get(field, ())
        match = next((plain[alias] for alias in (*aliases, *more) if alias in plain), None)
        if field not in found and match is not None:
            found[field] = match
        if field not in found and field not in EXTRAS:
            shown = ", ".join(list(sheet.columns)[:12]) + (" ..." if len(sheet.columns) > 12 else "")
            remedy = f"it has {shown}; name one with --map {field}=<column>"
            raise SchemaError(f"{sheet.path} has no column for {field}", remedy=remedy)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def times(sheet: Sheet, column: str, time_format: str) -> Int64:
    """Bar opens (n,) in ms; "auto" tells s, ms, us and ns apart by size, cell by cell, and else reads ISO dates.

    Raises: SchemaError naming file, line, column and value.
    """
    cells = sheet.columns[column]
    if pa.types.is_date(cells.type) or pa.types.is_timestamp(cells.type):
        _refuse(sheet, column, cells, cells.is_null().to_numpy(), "a time", "fix or drop the row")
        utc = cells.cast(pa.timestamp("ms", getattr(cells.type, "tz", None)), safe=False)
        return np.asarray(utc.cast(pa.int64()).to_numpy())
    if time_format == "iso" or (time_format == "auto" and not _numeric(cells)):
        return _iso(sheet, column, cells)
    raw = numbers(sheet, column, "time")
    _refuse(sheet, column, cells, ~(np.isfinite(raw) & (np.abs(raw) < 9e18)), "a time", "fix or drop the row")
    if time_format == "auto":
        scale = np.select([raw < 1e11, raw < 1e14, raw < 1e17], [1e3, 1.0, 1e-3], 1e-6)
    else:
        scale = np.full(raw.shape, {"s": 1e3, "ms": 1.0, "us": 1e-3}[time_format])
    ts: Int64 = np.rint(raw * scale).astype(np.int64)
    _refuse(sheet, column, cells, ts < _OLDEST_MS, "a time after 2009", "state its unit with --time-format")
    return ts


def _numeric(cells: Any) -> bool:
    if not pa.types.is_string(cells.type):
        return True
    first = cells[0].as_py() or ""
    return bool(re.fullmatch(r"\s*-?\d+(\.\d*)?([eE]\+?\d+)?\s*", first))


def _iso(sheet: Sheet, column: str, cells: Any) -> Int64:
    import pandas as pd

    moments = pd.to_datetime(pd.Series(cells.to_pylist()), format="ISO8601", utc=True, errors="coerce")
    remedy = "write 2024-01-31, 2024-01-31 12:00:00 or milliseconds"
    _refuse(sheet, column, cells, moments.isna().to_numpy(), "an ISO time (UTC)", remedy)
    return np.asarray(moments.astype("datetime64[ms, UTC]").astype("int64"), np.int64)


def numbers(sheet: Sheet, column: str, field: str) -> Float64:
    """A column as floats (n,); an empty cell is NaN in an extra column, elsewhere refused.

    Raises: SchemaError naming file, line, column and value.
    """
    cells = sheet.columns[column]
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = pc.utf8_trim_whitespace(cells)
        if field in EXTRAS:
            cells = pc.if_else(pc.equal(cells, ""), None, cells)
    if field not in EXTRAS:
        _refuse(sheet, column, cells, cells.is_null().to_numpy(), "a number", "fix or drop the row")
    if not _casts(cells):
        row = bisect_left(range(len(cells)), True, key=lambda i: not _casts(cells[: i + 1]))
        raise _bad_cell(sheet, column, row, cells[row].as_py(), "a number", "fix or drop the row")
    return np.asarray(cells.cast(pa.float64()).to_numpy(), np.float64)


def _casts(cells: Any) -> bool:
    try:
        cells.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def refuse_impossible(sheet: Sheet, columns: Mapping[str, str], values: Mapping[str, Float64]) -> None:
    """Raises: SchemaError at the first price, volume or count that no bar can have, and where high is below low."""
    for field, column in values.items():
        cells = sheet.columns[columns[field]]
        if field in PRICES:
            wrong, must = ~(np.isfinite(column) & (column > 0)), "a finite number above 0"
        elif field in EXTRAS:
            wrong, must = (column < 0) | np.isinf(column), ">= 0"
        else:
            wrong, must = ~(np.isfinite(column) & (column >= 0)), "finite and >= 0"
        _refuse(sheet, columns[field], cells, wrong, must, "fix or drop the row")
    crossed = values["high"] < values["low"]
    _refuse(sheet, columns["high"], sheet.columns[columns["high"]], crossed, "at least the low", "fix or drop the row")


def _refuse(sheet: Sheet, column: str, cells: Any, wrong: Any, must: str, remedy: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise _bad_cell(sheet, column, row, cells[row].as_py(), must, remedy)


def _bad_cell(sheet: Sheet, column: str, row: int, value: Any, must: str, remedy: str) -> SchemaError:
    shown = "an empty cell" if value is None else value
    return SchemaError(f"{sheet.where(row)}: {column} must be {must}", value=shown, remedy=remedy)
