"""Dated readings of sentiment, such as a fear and greed index or a social score, as observations.

A score is brought from its own range to [-1, 1]. When a reading could be had is never guessed: a day's mean is not
known before the day is over.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from seakeep.core.errors import ConfigError, SchemaError
from seakeep.core.market import Observation
from seakeep.data.news import FIELDS
from seakeep.data.records import Row, checked_mapping, moment, number, read_rows

__all__ = ["CONFIDENCE", "SCORE", "TEXTS", "ReadingTerms", "readings_from"]

SCORE, TEXTS, CONFIDENCE = "sentiment", "sentiment_volume", "sentiment_confidence"
"""Names of the observations that make a sentiment."""
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "time": (*FIELDS["time"], "Hour", "hour", "day"),
    "known": FIELDS["known"],
    "score": ("score", "sentiment", "value", "fng", "polarity", "compound"),
    "volume": ("volume", "sentiment_volume", "count", "posts", "tweets"),
    "confidence": ("confidence", "sentiment_confidence"),
}


class ReadingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about a file of readings: whose they are (None: the whole market), the range of the score, when a
    reading is known after its time, and how far it is to be trusted where no column says so."""

    symbol: str | None = None
    low: float = -1.0
    high: float = 1.0
    known_after_ms: int | None = None
    confidence: float | None = None
    mapping: Mapping[str, str] = {}


def readings_from(path: Path, terms: ReadingTerms) -> tuple[Observation, ...]:
    """The readings of a file in the order they become known: a score each, and its count and confidence if there are.

    Raises: ConfigError if the terms say too little or cannot be; SchemaError naming the line of a row that is none.
    """
    if not terms.low < terms.high:
        raise ConfigError("--range must go from low to high", value=f"{terms.low:g},{terms.high:g}")
    if terms.confidence is not None and not 0 < terms.confidence <= 1:
        raise ConfigError("--confidence must be above 0 and at most 1", value=terms.confidence)
    columns = {f: (terms.mapping[f],) if f in terms.mapping else usual for f, usual in _COLUMNS.items()}
    found: dict[tuple[str, int], Observation] = {}
    for count, row in enumerate(read_rows(path)):
        if not count:
            checked_mapping(row, terms.mapping, tuple(_COLUMNS))
        for one in _readings(row, columns, path.name, terms):
            twice = found.setdefault((one.name, one.ts), one)
            if twice.value != one.value:
                raise row.refused("two readings of one time", one.value, f"the other is {twice.value:g}; drop one")
    return tuple(sorted(found.values(), key=lambda o: (o.known_at, o.name)))


def _readings(row: Row, columns: Mapping[str, tuple[str, ...]], source: str, terms: ReadingTerms) -> list[Observation]:
    picked = {field: row.pick(names) for field, names in columns.items()}
    ts = moment(row, picked["time"], "the time")
    known_at = _known_at(row, picked["known"], ts, terms.known_after_ms)
    score = number(row, picked["score"], "the score")
    if not terms.low <= score <= terms.high:
        raise row.refused(f"the score must be in [{terms.low:g}, {terms.high:g}]", score, "state it with --range 0,100")
    values = {SCORE: 2.0 * (score - terms.low) / (terms.high - terms.low) - 1.0}
    if picked["volume"] is not None:
        values[TEXTS] = _at_least_0(row, number(row, picked["volume"], "the volume"))
    if picked["confidence"] is not None or terms.confidence is not None:
        said = picked["confidence"]
        sure = terms.confidence if said is None else number(row, said, "the confidence")
        if sure is None or not 0 <= sure <= 1:
            raise row.refused("the confidence must be in [0, 1]", sure)
        values[CONFIDENCE] = sure
    return [Observation(source, name, terms.symbol, ts, known_at, value) for name, value in values.items()]


def _known_at(row: Row, known: object, ts: int, after_ms: int | None) -> int:
    if known is None and after_ms is None:
        remedy = "say how long after its time with --known-after: 1d for the mean of a day, 0 where it is there at once"
        raise SchemaError(f"{row.where} does not say when the reading was known", remedy=remedy)
    known_at = ts + (after_ms or 0) if known is None else moment(row, known, "known_at")
    if known_at < ts:
        raise row.refused("it was known before its time", known)
    return known_at


def _at_least_0(row: Row, value: float) -> float:
    if value < 0:
        raise row.refused("the volume must be >= 0", value)
    return value
