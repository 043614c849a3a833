"""Files of records, one row at a time, each with its line: CSV, JSON lines, a JSON array, Parquet, Feather.

A table of numbers is read by `tabular`; this is for texts, which hold commas, quotes and line breaks.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from seakeep.core.errors import ConfigError, DataError, SchemaError
from seakeep.core.registry import nearest
from seakeep.core.units import parse_time
from seakeep.data.tabular import content_of, utf8

__all__ = ["ENDINGS", "Row", "checked_mapping", "moment", "number", "read_rows", "text"]

ENDINGS = (".csv", ".csv.gz", ".csv.zip", ".jsonl", ".jsonl.gz", ".ndjson", ".json", ".json.gz", ".parquet", ".feather")
_OLDEST, _LATEST = 1_230_768_000_000, 4_102_444_800_000
"""2009 and 2100: a time outside is in another unit."""
_DIGITS = re.compile(r"\d{9,19}(\.\d*)?")


class Row(NamedTuple):
    """Cells by column, and where they stand."""

    where: str
    cells: Mapping[str, Any]

    def pick(self, columns: Sequence[str]) -> Any:
        """The first of these columns that is there and not empty; None if none is."""
        return next((value for name in columns if (value := self.cells.get(name)) not in (None, "")), None)

    def refused(self, what: str, value: object, remedy: str = "fix or drop the row") -> SchemaError:
        """An error that names the row."""
        shown = value if not isinstance(value, str) else value[:80]
        return SchemaError(f"{self.where}: {what}", value="an empty cell" if shown is None else shown, remedy=remedy)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, in its order.

    Raises: ConfigError for a file that is not there or of an unknown ending; DataError if it cannot be read;
    SchemaError naming the line that is no record, or saying that there is none.
    """
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise ConfigError(f"{path}: unknown file ending", remedy=f"known: {', '.join(ENDINGS)}")
    try:
        if name.endswith((".parquet", ".feather")):
            rows = _table(path, pq.ParquetFile(path).read() if name.endswith(".parquet") else feather.read_table(path))
        elif name.endswith((".json", ".json.gz")):
            rows = _array(path, content_of(path))
        elif name.endswith((".csv", ".csv.gz", ".csv.zip")):
            rows = _csv(path, utf8(path, content_of(path).removeprefix(b"\xef\xbb\xbf")).decode())
        else:
            rows = _lines(path, content_of(path))
    except FileNotFoundError:
        raise ConfigError("no such file", value=str(path)) from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}", remedy="fetch it again") from error
    first = next(rows, None)
    if first is None:
        raise SchemaError(f"{path} holds no rows", remedy="fetch the file again, or leave it out")
    yield first
    yield from rows


def _table(path: Path, table: Any) -> Iterator[Row]:
    rows = (cells for batch in table.to_batches() for cells in batch.to_pylist())
    return (Row(f"{path} row {number}", cells) for number, cells in enumerate(rows, 1))


def _lines(path: Path, content: bytes) -> Iterator[Row]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            yield _record(f"{path} line {number}", line)


def _record(where: str, line: bytes) -> Row:
    try:
        return Row(where, msgspec.json.decode(line, type=dict[str, Any]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"{where} is no JSON object: {error}", remedy="fix or drop the line") from None


def _array(path: Path, content: bytes) -> Iterator[Row]:
    try:
        rows = msgspec.json.decode(content, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"{path} is no JSON array of objects: {error}", remedy="write JSON lines") from None
    return (Row(f"{path} item {number}", cells) for number, cells in enumerate(rows, 1))


def _csv(path: Path, content: str) -> Iterator[Row]:
    head = content.partition("\n")[0]
    delimiter = max(",;\t|", key=head.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    before = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise SchemaError(f"{path} line {before + 1}: {error}", remedy="fix or drop the row") from None
        where, before = f"{path} line {before + 1}", reader.line_num
        if cells is None:
            return
        if not cells:
            continue
        if names is None:
            names = _named(path, [cell.strip() for cell in cells])
        elif len(cells) != len(names):
            message = f"{where} has {len(cells)} columns, not {len(names)}"
            raise SchemaError(message, value=str(cells)[:80], remedy="fix or drop the row")
        else:
            yield Row(where, dict(zip(names, cells, strict=True)))


def _named(path: Path, names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SchemaError(f"{path}: two columns have one name", value=twice, remedy="rename one of them")
    return names


def checked_mapping(row: Row, mapping: Mapping[str, str], fields: Sequence[str]) -> None:
    """Raises: ConfigError for a field that is not one of `fields`, SchemaError for a column the row has not."""
    for field, column in mapping.items():
        if field not in fields:
            raise ConfigError("--map knows no such field", value=field, remedy=nearest(field, tuple(fields)))
        if column not in row.cells:
            raise SchemaError(f"{row.where} has no such column", value=column, remedy=nearest(column, [*row.cells]))


def moment(row: Row, value: object, what: str) -> int:
    """A cell as UTC ms: a time stamp, seconds to nanoseconds told apart by size, or ISO text, UTC unless it says else.

    Raises: SchemaError naming the row.
    """
    try:
        ts = _moment(value)
    except (ConfigError, ValueError, OverflowError):
        ts = -1
    if not _OLDEST <= ts < _LATEST:
        raise row.refused(f"{what} must be a time from 2009 to 2100", value, "write 2024-01-31T12:00:00Z or ms")
    return ts


def _moment(value: object) -> int:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return -1
    if isinstance(value, str) and not _DIGITS.fullmatch(value.strip()):
        return parse_time(value)
    size = float(value)
    scale = next((scale for limit, scale in ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3)) if size < limit), 1e-6)
    return round(size * scale)


def number(row: Row, value: object, what: str) -> float:
    """A cell as a finite number. Raises: SchemaError naming the row."""
    try:
        found = float("nan") if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):
        found = float("nan")
    if not isfinite(found):
        raise row.refused(f"{what} must be a finite number", value)
    return found


def text(row: Row, value: object, what: str, longest: int) -> str:
    """A cell as one line of text, at most `longest` characters of it; what cannot be shown becomes a space.

    Raises: SchemaError naming the row if it is no text.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise row.refused(f"{what} must be a text", value)
    cut = value[: 4 * longest]
    shown = cut if cut.isprintable() else "".join([c if c.isprintable() else " " for c in cut])
    return " ".join(shown.split())[:longest]
