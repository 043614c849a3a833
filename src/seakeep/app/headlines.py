"""Scored news from a file, for paths that are conditioned on them.

A Parquet, CSV or JSON Lines file with columns `ts` or `time`, `title` or `headline`, and `score` or `polarity`, a tone
in [-1, 1]. Rows without a score are left out and counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, json, parquet

from seakeep.core.errors import ConfigError, SchemaError
from seakeep.core.market import NewsItem
from seakeep.core.units import parse_time

__all__ = ["News", "read_news"]

_NAMES = (("ts", "time"), ("title", "headline"), ("score", "polarity"))


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """Items in order of time, the tone of each, and how many rows had none."""

    items: tuple[NewsItem, ...]
    tones: tuple[float, ...]
    unscored: int

    def score(self) -> Callable[[NewsItem], float]:
        """The tone of an item of this file."""
        known = {id(item): tone for item, tone in zip(self.items, self.tones, strict=True)}
        return lambda item: known[id(item)]


def read_news(path: Path) -> News:
    """News of a file, known when they were published.

    Raises: ConfigError for a file that cannot be read, SchemaError naming the column or the row that is wrong.
    """
    table = _table(path)
    times, titles, scores = (_column(table, path.name, names) for names in _NAMES)
    rows, unscored = [], 0
    for row, (when, title, score) in enumerate(zip(times, titles, scores, strict=True)):
        if score is None or when is None:
            unscored += 1
            continue
        ts = _instant(when)
        if not isinstance(score, int | float) or not -1 <= score <= 1:
            remedy = "write a tone from -1 to 1"
            raise SchemaError(f"{path.name} row {row}: the score is not in [-1, 1]", value=score, remedy=remedy)
        rows.append((NewsItem(path.name, str(title or ""), "", (), "", ts, ts), float(score)))
    if not rows:
        raise SchemaError(f"{path.name} holds no scored news", remedy="a file needs rows with a time and a score")
    rows.sort(key=lambda pair: pair[0].ts)
    return News(tuple(item for item, _ in rows), tuple(tone for _, tone in rows), unscored)


def _table(path: Path) -> Any:
    readers: dict[str, Callable[[Path], Any]] = {
        ".parquet": parquet.read_table,
        ".csv": csv.read_csv,
        ".jsonl": json.read_json,
    }
    if path.suffix.lower() not in readers:
        raise ConfigError("not a file of news", value=str(path), remedy="name a .parquet, .csv or .jsonl file")
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, pa.ArrowInvalid) as error:
        what = str(error).partition("\n")[0]
        raise ConfigError(f"cannot read the news {path}: {what}", remedy="name a readable file") from None


def _column(table: Any, source: str, names: Sequence[str]) -> list[Any]:
    for name in names:
        if name in table.column_names:
            values: list[Any] = table[name].to_pylist()
            return values
    wanted, there = " or ".join(names), ", ".join(table.column_names[:12])
    raise SchemaError(f"{source} has no column {wanted}", remedy=f"its columns are {there}")


def _instant(when: object) -> int:
    return round(when.timestamp() * 1000) if isinstance(when, datetime) and when.tzinfo else parse_time(str(when))
