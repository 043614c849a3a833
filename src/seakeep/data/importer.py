"""Files of bars into the store: Binance kline archives, any CSV with a mapping, Parquet, Feather, freqtrade's JSON.

A file is imported whole or not at all. A cell that cannot be a bar's refuses the file. Repeated and shuffled rows are
put in order (the last of equal opens wins), and rows off the interval's grid are kept out, for no other bar shares
their times: all three are counted.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from pydantic import Field, ValidationError

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError
from seakeep.core.market import BarFrame, Int64
from seakeep.core.ports import BarStore
from seakeep.core.units import interval_ms
from seakeep.data import cells, naming, tabular
from seakeep.data.parts import VALUES
from seakeep.data.universe import split_symbol

__all__ = ["ImportOptions", "Imported", "find_files", "import_file", "import_options", "read_bars", "refuse_mixture"]


class ImportOptions(Section):
    """What the user says about the files; what is None is read from their names and contents."""

    symbol: str | None = Field(None, description="ccxt symbol such as BTC/USDT, or BTC/USDT:USDT for a perpetual")
    interval: str | None = Field(None, description="bar interval such as 1m, 1h, 1d")
    market: Literal["spot", "perp"] | None = Field(None, description="market of the symbols in file names")
    columns: Mapping[str, str] = Field({}, description="our field -> the file's column, such as time -> Date")
    time_format: Literal["auto", "s", "ms", "us", "iso"] = Field("auto", description="how the file writes time")


class Imported(msgspec.Struct, frozen=True):
    """What became of one file: `written` bars were new or changed in the store.

    Of its `rows`, `duplicates` shared a bar's open with a later row, `disordered` stepped back in time, and
    `off_grid` were kept out.
    """

    path: str
    symbol: str
    interval: str
    rows: int
    written: int
    duplicates: int
    disordered: int
    off_grid: int


def import_options(said: Mapping[str, str | None], columns: str = "") -> ImportOptions:
    """Options from words; `columns` is "time=Date,open=Open".

    >>> import_options({"symbol": "BTC/USDT"}, "time=Date").columns
    {'time': 'Date'}

    Raises: ConfigError naming the option that cannot be.
    """
    pairs = [pair.partition("=") for pair in columns.split(",") if pair.strip()]
    if wrong := next(("".join(p) for p in pairs if not (p[0].strip() and p[2].strip())), None):
        raise ConfigError("--map cannot be read", value=wrong, remedy="write time=Date,open=Open")
    try:
        options = ImportOptions.model_validate({**said, "columns": {k.strip(): v.strip() for k, _, v in pairs}})
    except ValidationError as error:
        first = error.errors()[0]
        name = "--" + str(first["loc"][0]).replace("_", "-")
        raise ConfigError(f"{name}: {first['msg']}", value=first["input"]) from None
    if options.symbol is not None:
        split_symbol(options.symbol)
    if options.interval is not None:
        interval_ms(options.interval)
    return options


def find_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files themselves, and every table under the folders in name order; each once.

    Raises: ConfigError if a path does not exist or nothing is found.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(f for f in sorted(path.rglob("*")) if _is_table(f))
        elif path.exists():
            found[path] = None
        else:
            raise ConfigError("no such file or folder", value=str(path))
    if not found:
        listed = ", ".join(map(str, paths))
        raise ConfigError(f"nothing to import in {listed}", remedy=f"known endings: {', '.join(tabular.SUFFIXES)}")
    return tuple(found)


def refuse_mixture(files: Sequence[Path], options: ImportOptions) -> None:
    """Raises: ConfigError if a stated symbol would pour files that name several symbols into one."""
    if options.symbol is None or len(files) == 1:
        return
    named = sorted({name for file in files if (name := naming.symbol_of(file, options.market)) is not None})
    if len(named) > 1:
        remedy = "leave --symbol out, or import them one by one"
        raise ConfigError(f"--symbol {options.symbol}, but the files name {' and '.join(named)}", remedy=remedy)


def _is_table(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.name.lower().endswith(tabular.SUFFIXES)


def import_file(store: BarStore, path: Path, options: ImportOptions) -> Imported:
    """Read one file and upsert its bars. Raises: as `read_bars`, and DataError if the store cannot be written."""
    frame, seen = read_bars(path, options)
    return msgspec.structs.replace(seen, written=store.write(frame))


def read_bars(path: Path, options: ImportOptions) -> tuple[BarFrame, Imported]:
    """The bars of one file in time order, and what was out of place in it (`written` is 0).

    Raises: ConfigError if symbol or interval cannot be told; SchemaError naming file, line, column and value;
    DataError if the file cannot be unpacked.
    """
    naming.refuse_untraded(path)
    symbol = options.symbol or naming.symbol_of(path, options.market)
    if symbol is None:
        raise ConfigError(f"{path}: its name holds no symbol", remedy="say it with --symbol BTC/USDT")
    sheet = tabular.read_sheet(path)
    columns = cells.columns_of(sheet, symbol, options.columns)
    ts = cells.times(sheet, columns["time"], options.time_format)
    values = {field: cells.numbers(sheet, columns[field], field) for field in VALUES if field in columns}
    cells.refuse_impossible(sheet, columns, values)

    order = np.argsort(ts, kind="stable")
    unique = order[np.append(np.diff(ts[order]) > 0, True)]
    interval = _interval(path, ts[unique], options.interval)
    kept = unique[_on_grid(ts[unique], interval_ms(interval))]
    frame = BarFrame(symbol, interval, ts[kept], **{name: column[kept] for name, column in values.items()})
    counts = (len(ts) - len(unique), int((np.diff(ts) < 0).sum()), len(unique) - len(kept))
    return frame, Imported(str(path), symbol, interval, len(ts), 0, *counts)


def _interval(path: Path, ts: Int64, stated: str | None) -> str:
    """The stated interval, else that of the name, else that of the times, which must not contradict it."""
    spaced = naming.spacing(ts)
    interval = stated or naming.interval_of(path) or spaced
    if interval is None:
        raise ConfigError(f"{path}: cannot tell the interval of {len(ts)} bars", remedy="say it with --interval 1h")
    if spaced is None or interval_ms(spaced) == interval_ms(interval):
        return interval
    if stated and interval_ms(spaced) % interval_ms(stated) == 0:
        return stated
    raise ConfigError(f"{path}: most bars are {spaced} apart, not {interval}", remedy=f"try --interval {spaced}")


def _on_grid(ts: Int64, step: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which bars (n,) open on the grid that most of them share: weeks, say, do not start when 1970 did."""
    phases, counts = np.unique(ts % step, return_counts=True)
    on_grid: np.ndarray[tuple[int], np.dtype[np.bool_]] = ts % step == phases[np.argmax(counts)]
    return on_grid
