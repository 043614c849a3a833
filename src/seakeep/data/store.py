"""Bars on disk: Parquet by symbol, interval and year, under a small catalog that is the only commit point.

    <root>/BTC_USDT/instrument.json
    <root>/BTC_USDT/1m/catalog.json             what is held, and the content hash of each part
    <root>/BTC_USDT/1m/2024-5f0c9d3a81e2.parquet
    <root>/BTC_USDT/1m/97ac....v1.npy           a copy for fast reads, if there is one: see `columns`

A part is never changed in place: an upsert writes new parts under names taken from their content, then swaps the
catalog with one rename. A kill before the rename leaves the old data whole; what it left behind is swept by the next
write. One writer at a time per partition (`flock`); readers need no lock.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import msgspec

from seakeep.core.errors import DataError, SchemaError
from seakeep.core.market import BarFrame, Instrument
from seakeep.core.registry import nearest
from seakeep.core.units import interval_ms, iso
from seakeep.data import parts
from seakeep.data.columns import SUFFIX, ColumnCopy
from seakeep.data.files import LOCK, locked, replace_whole
from seakeep.data.universe import derive_instrument, folder_name

__all__ = ["Entry", "ParquetStore", "Part"]

_CATALOG = "catalog.json"
_READ_TRIES = 5
T = TypeVar("T")


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One year of bars in one file; `hash` is of the bars, `crc` of the file's bytes."""

    year: int
    file: str
    rows: int
    first: int
    last: int
    hash: str
    crc: int
    extras: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the store holds of one symbol and interval; the same bars have the same hash however they came in."""

    symbol: str
    interval: str
    hash: str
    rows: int
    first: int
    last: int
    parts: tuple[Part, ...]


class ParquetStore:
    """A `core.ports.BarStore` in a folder, which is created by the first write."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def write(self, frame: BarFrame) -> int:
        """Upsert by bar open, all or nothing; a newer value wins. Returns how many bars are new or changed.

        Raises: SchemaError if a value cannot be a bar's; DataError if the disk is full or the folder is not ours.
        """
        table = parts.from_frame(frame)
        if not table.ts.size:
            return 0
        folder = self._folder(frame.symbol, frame.interval)
        with _explained(folder), locked(folder):
            held = self._catalog(folder, frame.symbol, frame.interval)
            fresh, changed = _upsert(folder, held, table)
            if fresh:
                _commit(folder, frame.symbol, frame.interval, fresh)
            _sweep(folder)
        if not self._rules(frame.symbol).exists():
            self.set_instrument(derive_instrument(frame))
        return changed

    def read(
        self,
        symbol: str,
        interval: str,
        start: int | None = None,
        end: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> BarFrame:
        """Bars that open in [start, end), ascending; of the value columns not in `columns`, prices read NaN.

        Raises: DataError naming what is held if there is nothing of that symbol, interval or time.
        """
        if columns is not None and (unknown := set(columns) - set(parts.VALUES)):
            raise SchemaError(
                "no such bar column", value=sorted(unknown)[0], remedy=f"known: {', '.join(parts.VALUES)}"
            )
        folder = self._folder(symbol, interval)

        def attempt() -> BarFrame:
            entry = self._held(symbol, interval)
            table = _table(folder, entry, (start, end), columns)
            frame = parts.to_frame(symbol, interval, table).between(start, end)
            if not len(frame):
                raise _outside(entry, start, end)
            return frame

        return _retried(attempt)

    def entries(self) -> tuple[Entry, ...]:
        """The catalog, sorted by symbol, then length of the interval."""
        found = (_load(path, Entry) for path in self.root.glob(f"*/*/{_CATALOG}"))
        return tuple(sorted(found, key=lambda e: (e.symbol, interval_ms(e.interval))))

    def held(self, symbol: str, interval: str | None = None) -> tuple[Entry, ...]:
        """What is held of one symbol, at one interval or all. Raises: DataError naming the nearest there is."""
        if interval is not None:
            return (self._held(symbol, interval),)
        found = tuple(e for e in self.entries() if e.symbol == symbol)
        if not found:
            raise self._nothing(symbol, None)
        return found

    def instrument(self, symbol: str) -> Instrument:
        """What was set, else derived from the first bars that came in: later bars do not change the rules of a run.

        Raises: DataError if nothing is held of it.
        """
        path = self._rules(symbol)
        if path.exists():
            instrument = _load(path, Instrument)
            if instrument.symbol != symbol:
                raise _foreign(path.parent, symbol, instrument.symbol)
            return instrument
        newest = max(self.held(symbol), key=lambda e: e.last)
        return derive_instrument(self.read(symbol, newest.interval, start=newest.parts[-1].first))

    def set_instrument(self, instrument: Instrument) -> None:
        """Keep the trading rules of a symbol. Raises: DataError if the disk is full."""
        path = self._rules(instrument.symbol)
        with _explained(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(path, msgspec.json.format(msgspec.json.encode(instrument), indent=1))

    def _rules(self, symbol: str) -> Path:
        return self.root / folder_name(symbol) / "instrument.json"

    def _folder(self, symbol: str, interval: str) -> Path:
        interval_ms(interval)
        return self.root / folder_name(symbol) / interval

    def _catalog(self, folder: Path, symbol: str, interval: str) -> Entry | None:
        path = folder / _CATALOG
        if not path.exists():
            return None
        entry = _load(path, Entry)
        if (entry.symbol, entry.interval) != (symbol, interval):
            raise _foreign(folder, f"{symbol} {interval}", f"{entry.symbol} {entry.interval}")
        return entry

    def _held(self, symbol: str, interval: str) -> Entry:
        entry = self._catalog(self._folder(symbol, interval), symbol, interval)
        if entry is None:
            raise self._nothing(symbol, interval)
        return entry

    def _nothing(self, symbol: str, interval: str | None) -> DataError:
        held = self.entries()
        intervals = [e.interval for e in held if e.symbol == symbol]
        if not held:
            remedy = f"the store {self.root} is empty; fill it with import-data, download-data or generate-data"
        elif intervals:
            remedy = f"{symbol} is held at {', '.join(intervals)}"
        else:
            remedy = nearest(symbol, sorted({e.symbol for e in held}))
        return DataError(f"no {f'{interval} bars' if interval else 'data'} of this symbol", value=symbol, remedy=remedy)


def _upsert(folder: Path, held: Entry | None, table: parts.Table) -> tuple[tuple[Part, ...], int]:
    """Write the parts that change; returns every part of the new catalog (none if nothing changes) and the count."""
    known = {p.year: p for p in held.parts} if held else {}
    total = 0
    for year, rows in parts.by_year(table):
        old = known.get(year)
        merged, changed = parts.merge(parts.read(folder / old.file, old.crc) if old else None, rows)
        if changed:
            total += changed
            digest = merged.digest()
            name = f"{year}-{digest[:12]}.parquet"
            extras = tuple(n for n in parts.EXTRAS if n in merged.values)
            content = parts.encode(merged)
            replace_whole(folder / name, content)
            first, last = int(merged.ts[0]), int(merged.ts[-1])
            known[year] = Part(year, name, len(merged.ts), first, last, digest, crc32(content), extras)
    return tuple(known[year] for year in sorted(known)) if total else (), total


def _commit(folder: Path, symbol: str, interval: str, fresh: tuple[Part, ...]) -> None:
    digest = blake2b("".join(f"{p.year}:{p.hash};" for p in fresh).encode(), digest_size=20).hexdigest()
    entry = Entry(symbol, interval, digest, sum(p.rows for p in fresh), fresh[0].first, fresh[-1].last, fresh)
    replace_whole(folder / _CATALOG, msgspec.json.format(msgspec.json.encode(entry), indent=1))


def _sweep(folder: Path) -> None:
    """Remove parts no catalog names, and temporary files: what replaced or killed writes left. Needs the lock."""
    path = folder / _CATALOG
    keep = {_CATALOG, LOCK}
    if path.exists():
        entry = _load(path, Entry)
        keep |= {_copy(folder, entry).path.name, *(p.file for p in entry.parts)}
    for stray in folder.iterdir():
        if stray.name not in keep and stray.name.endswith((".parquet", ".npy", ".tmp")):
            stray.unlink(missing_ok=True)


def _table(
    folder: Path, entry: Entry, span: tuple[int | None, int | None], columns: Sequence[str] | None
) -> parts.Table:
    """The bars of the span, or of all parts it touches; the first read of everything leaves a copy for the next."""
    start, end = span
    wanted = [p for p in entry.parts if (end is None or p.first < end) and (start is None or p.last >= start)]
    names = _present(wanted, parts.VALUES if columns is None else columns)
    copy = _copy(folder, entry)
    if wanted and (table := copy.read(names, start, end)) is not None:
        return table
    table = _gather(folder, wanted, names)
    if columns is None and len(wanted) == len(entry.parts):
        copy.write(table)
    return table


def _copy(folder: Path, entry: Entry) -> ColumnCopy:
    return ColumnCopy(folder / f"{entry.hash}{SUFFIX}", _present(entry.parts, parts.VALUES), entry.rows)


def _present(wanted: Sequence[Part], columns: Sequence[str]) -> tuple[str, ...]:
    """Those of the columns that are there: an extra one is where any of the parts has it."""
    held = {name for part in wanted for name in part.extras}
    return tuple(n for n in columns if n in held or n not in parts.EXTRAS)


def _gather(folder: Path, wanted: Sequence[Part], names: Sequence[str]) -> parts.Table:
    """Decode the parts side by side into one table."""
    table = parts.Table.empty(sum(p.rows for p in wanted), names)
    offsets = accumulate((p.rows for p in wanted), initial=0)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        jobs = [
            pool.submit(parts.read_into, table, at, folder / p.file, p.crc)
            for p, at in zip(wanted, offsets, strict=False)
        ]
        for job in jobs:
            job.result()
    return table


def _retried(attempt: Callable[[], T]) -> T:
    """A writer may swap the catalog and sweep a part between our two reads: look again."""
    for _ in range(_READ_TRIES - 1):
        try:
            return attempt()
        except FileNotFoundError:
            continue
    try:
        return attempt()
    except FileNotFoundError as error:
        raise DataError(
            "a part named by the catalog is missing", value=error.filename, remedy="import it again"
        ) from None


def _load(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is damaged: {error}", remedy="remove that folder and import again") from None


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn the operating system's refusal of a write into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write to {folder}: {error.strerror}; what was stored before is unchanged",
            remedy="free some space or name another --userdir",
        ) from error


def _outside(entry: Entry, start: int | None, end: int | None) -> DataError:
    asked = f"[{iso(start) if start is not None else 'start'}, {iso(end) if end is not None else 'end'})"
    held = f"{iso(entry.first)} to {iso(entry.last)}"
    return DataError(f"no {entry.interval} bars of {entry.symbol} in {asked}", remedy=f"held: {held}")


def _foreign(folder: Path, wanted: str, found: str) -> DataError:
    return DataError(
        f"{folder} holds {found}, not {wanted}", remedy="two symbols share this folder name; use another store"
    )
