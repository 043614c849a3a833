"""Stored observations: what is known beside the bars, such as the funding rates of a perpetual or a mood of the crowd.

One file of JSON lines for each symbol, and one for the whole market, in `observations/` of the bar store; written
whole, merged by source, name and time, so that an import can be repeated.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from seakeep.core.errors import DataError, SchemaError
from seakeep.core.market import Observation
from seakeep.data.cells import numbers, times
from seakeep.data.files import locked, write_whole
from seakeep.data.tabular import read_sheet
from seakeep.data.universe import folder_name

__all__ = ["FUNDING_RATE", "all_observations", "read_funding", "read_observations", "write_observations"]

FUNDING_RATE = "funding_rate"
"""Name of the observation that a perpetual's funding is paid by: a fraction per funding interval."""

_FOLDER, _MARKET = "observations", "market.jsonl"
_TIMES = ("ts", "time", "calc_time", "fundingTime", "funding_time", "date")
_RATES = ("funding_rate", "fundingRate", "last_funding_rate", "rate", "open")
_LARGEST_RATE = 0.5


def write_observations(root: Path, observations: Iterable[Observation]) -> int:
    """Merge into what is stored; the newer value wins. Returns how many are new or changed.

    Raises: DataError if the disk refuses.
    """
    changed = 0
    for symbol, group in groupby(sorted(observations, key=lambda o: o.symbol or ""), key=lambda o: o.symbol):
        fresh = {(o.source, o.name, o.ts): o for o in group}
        with locked(root / _FOLDER):
            kept = {(o.source, o.name, o.ts): o for o in _load(root, symbol)}
            changed += sum(kept.get(key) != observation for key, observation in fresh.items())
            merged = sorted((kept | fresh).values(), key=lambda o: (o.known_at, o.source, o.name))
            write_whole(_path(root, symbol), msgspec.json.Encoder().encode_lines(merged))
    return changed


def read_observations(root: Path, spans: Mapping[str, tuple[int, int]]) -> tuple[Observation, ...]:
    """Observations of these symbols, each known within its (first, last) instant, in order of `known_at`.

    With them come those of the whole market, known within all these spans together.
    """
    asked: list[tuple[str | None, tuple[int, int]]] = [*spans.items()]
    if spans:
        asked.append((None, (min(first for first, _ in spans.values()), max(last for _, last in spans.values()))))
    found = [o for symbol, (first, last) in asked for o in _load(root, symbol) if first <= o.known_at <= last]
    return tuple(sorted(found, key=lambda o: (o.known_at, o.source, o.name, o.symbol or "")))


def read_funding(path: Path, symbol: str) -> tuple[Observation, ...]:
    """Funding rates from a table with a time and a rate column, such as the files exchanges publish.

    A line of the Binance archive: `1704067200000,8,0.00037409` (calc_time, funding_interval_hours, last_funding_rate).
    Raises: SchemaError naming the file and what is wrong with it.
    """
    sheet = read_sheet(path)
    stamps, rates = (next((n for n in names if n in sheet.columns), None) for names in (_TIMES, _RATES))
    if stamps is None or rates is None:
        wanted = f"a time column ({', '.join(_TIMES[:4])}) and a rate column ({', '.join(_RATES[:3])})"
        raise SchemaError(f"{path} has no funding rates", value=", ".join(sheet.columns), remedy=f"it needs {wanted}")
    ts, values = times(sheet, stamps, "auto"), numbers(sheet, rates, FUNDING_RATE)
    wild = ~(np.abs(values) <= _LARGEST_RATE)
    if wild.any():
        row = int(np.argmax(wild))
        remedy = "a rate is a fraction per funding interval such as 0.0001"
        raise SchemaError(f"{sheet.where(row)}: {rates} is no funding rate", value=float(values[row]), remedy=remedy)
    rows = zip(ts.tolist(), values.tolist(), strict=True)
    return tuple(Observation(path.name, FUNDING_RATE, symbol, at, at, rate) for at, rate in rows)


def _path(root: Path, symbol: str | None) -> Path:
    return root / _FOLDER / (_MARKET if symbol is None else f"{folder_name(symbol)}.jsonl")


def all_observations(root: Path) -> list[Observation]:
    """Every stored observation. Raises: DataError if a file is damaged."""
    return [one for path in sorted((root / _FOLDER).glob("*.jsonl")) for one in _lines(path)]


def _load(root: Path, symbol: str | None) -> list[Observation]:
    return _lines(_path(root, symbol))


def _lines(path: Path) -> list[Observation]:
    if not path.exists():
        return []
    try:
        return msgspec.json.Decoder(Observation).decode_lines(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is damaged: {error}", remedy="remove it and import again") from None
