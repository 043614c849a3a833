"""Files that hold a table, as columns: CSV (plain, gzip, zip), Parquet, Feather, and freqtrade's JSON.

A CSV stays text here, so that whoever reads a cell can name its line when it does not make sense.
"""

import gzip
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pyarrow import feather

from seakeep.core.errors import ConfigError, DataError, SchemaError

__all__ = ["KLINE_COLUMNS", "SUFFIXES", "Sheet", "content_of", "read_sheet", "utf8"]

SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".zip", ".txt", ".parquet", ".feather", ".json", ".json.gz")
KLINE_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades",
    "taker_buy_base", "taker_buy_quote", "ignore",
)  # fmt: skip
"""A line of a Binance archive file, e.g. `1704067200000,42283.58,42554.57,42261.02,42475.23,1271.68108,
1704070799999,53957248.973789,47134,682.57581,28957416.819645,0`; from 2025 on, spot times are microseconds."""
_MAX_UNPACKED = 1 << 30
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?([eE][-+]?\d+)?\s*")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Columns of a file; `line(row)` says where a row stands in it."""

    path: Path
    columns: dict[str, Any]
    text: bytes | None = None
    skipped: int = 0

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def where(self, row: int) -> str:
        """File and line (text) or row (binary formats) of a row, counted from 1."""
        if self.text is None:
            return f"{self.path} row {row + 1}"
        seen = -1 - self.skipped
        for number, line in enumerate(self.text.splitlines(), 1):
            seen += bool(line.strip())
            if seen == row:
                return f"{self.path} line {number}"
        return str(self.path)


def read_sheet(path: Path) -> Sheet:
    """Read a table of any known format.

    Raises: ConfigError for an unknown ending; DataError if the file cannot be read; SchemaError if it is no table.
    """
    name = path.name.lower()
    try:
        if name.endswith((".parquet", ".feather")):
            table = pq.ParquetFile(path).read() if name.endswith(".parquet") else feather.read_table(path)
            sheet = Sheet(path, {n: table.column(n) for n in dict.fromkeys(table.column_names)})
        elif name.endswith((".json", ".json.gz")):
            sheet = _rows(path, content_of(path))
        elif name.endswith(SUFFIXES):
            sheet = _csv(path, content_of(path))
        else:
            raise ConfigError(f"{path}: unknown file ending", remedy=f"known: {', '.join(SUFFIXES)}")
    except FileNotFoundError:
        raise ConfigError("no such file", value=str(path)) from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} cannot be read: {str(error).splitlines()[0]}", remedy="fetch the file again"
        ) from error
    if not len(sheet):
        raise SchemaError(f"{path} holds no rows", remedy="fetch the file again, or leave it out")
    return sheet


def content_of(path: Path) -> bytes:
    """The file's bytes, unpacked. Raises: DataError if it is damaged or too large."""
    name = path.name.lower()
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")]
                if len(members) != 1:
                    raise DataError(f"{path} must hold one file", value=len(members), remedy="unpack it yourself")
                with archive.open(members[0]) as file:
                    return _bounded(path, file)
        if name.endswith(".gz"):
            with gzip.open(path) as file:
                return _bounded(path, cast("IO[bytes]", file))
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is damaged or not what its name says: {error}", remedy="fetch it again") from None
    return path.read_bytes()


def _bounded(path: Path, file: IO[bytes]) -> bytes:
    content = file.read(_MAX_UNPACKED + 1)
    if len(content) > _MAX_UNPACKED:
        raise DataError(
            f"{path} unpacks to more than {_MAX_UNPACKED >> 20} MiB", remedy="unpack it yourself and split it"
        )
    return content


def _rows(path: Path, content: bytes) -> Sheet:
    """freqtrade's JSON: [[1576800000000, 1.94, 2.218, 1.94, 2.172, 335390.566], ...]."""
    try:
        rows = msgspec.json.decode(content, type=list[tuple[int, float, float, float, float, float]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path} is not a list of [time, open, high, low, close, volume]: {error}") from None
    return Sheet(
        path, {n: pa.chunked_array([c]) for n, c in zip(KLINE_COLUMNS[:6], zip(*rows, strict=True), strict=False)}
    )


def _csv(path: Path, content: bytes) -> Sheet:
    content = utf8(path, content.removeprefix(b"\xef\xbb\xbf"))
    lines = [line for line in content[: 1 << 16].decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        raise SchemaError(f"{path} is empty", remedy="fetch the file again, or leave it out")
    delimiter = Counter(c for c in lines[-1 if len(lines) < 3 else 1] if c in ",;\t|").most_common(1)
    if not delimiter:
        raise SchemaError(f"{path} has one column only", remedy="separate columns with commas")
    split = delimiter[0][0]
    banner = int(len(lines) > 1 and lines[0].count(split) < lines[1].count(split))
    head = [cell.strip(" \"'") for cell in lines[banner].split(split)]
    named = not _NUMBER.fullmatch(head[0]) and any(not _NUMBER.fullmatch(cell) for cell in head[1:])
    names = head if named else _klines(path, len(head))
    if len(lines) == banner + named:
        return Sheet(path, {})
    return Sheet(path, _columns(path, content, split, names, banner + named), content, banner + named)


def _klines(path: Path, count: int) -> list[str]:
    if count not in (6, len(KLINE_COLUMNS)):
        remedy = "add a header line; without one it must be the 12 columns of a Binance kline file, or its first 6"
        raise SchemaError(f"{path} has no header", value=f"{count} columns", remedy=remedy)
    return list(KLINE_COLUMNS[:count])


def utf8(path: Path, content: bytes) -> bytes:
    """The bytes, which are text. Raises: SchemaError naming the line that is not."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SchemaError(f"{path} line {line} is not UTF-8 text", remedy="save the file as UTF-8") from None
    if b"\x00" in content:
        line = content.count(b"\n", 0, content.index(b"\x00")) + 1
        raise SchemaError(f"{path} line {line} holds a zero byte: not a text file", remedy="save the file as UTF-8")
    return content


def _columns(path: Path, content: bytes, delimiter: str, names: list[str], skip: int) -> dict[str, Any]:
    broken: list[Any] = []

    def keep(row: Any) -> str:
        broken.append(row)
        return "error"

    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise SchemaError(f"{path}: two columns have one name", value=twice, remedy="rename one of them")
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(_body(content, skip)),
            pa_csv.ReadOptions(use_threads=False, column_names=names),
            pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=keep),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid as error:
        if not broken:
            raise
        row = broken[0]
        where = Sheet(path, {}, content, skip).where((row.number or 1) - 1)
        message = f"{where} has {row.actual_columns} columns, not {row.expected_columns}"
        raise SchemaError(message, value=row.text[:80], remedy="the file may be cut off; fetch it again") from error
    return {name: table.column(name) for name in names}


def _body(content: bytes, skip: int) -> bytes:
    """What follows the first `skip` lines that are not blank."""
    while skip and content:
        line, _, content = content.partition(b"\n")
        skip -= bool(line.strip())
    return content
