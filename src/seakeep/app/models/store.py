"""The registry of model versions: one SQLite file is the truth, what versions have learnt lies beside it by content.

An artefact is on the disk before the row that names it, and a row is one transaction, so a process that is killed
leaves whole versions and at worst a file that nothing names. Each slot (an expert, a bar length, a horizon) has at most
one champion. Every change of stage is an event with its reason; events are only added.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from seakeep.app.models import artefacts
from seakeep.core.errors import ConfigError, LedgerError
from seakeep.core.registry import build, nearest
from seakeep.data.sqlitefile import SqliteFile
from seakeep.models import EXPERTS, REGIMES, Expert
from seakeep.models.calibration import Calibration
from seakeep.models.card import Card
from seakeep.models.comparison import Metrics
from seakeep.models.drift import Reference
from seakeep.models.regimes import RegimeModel

__all__ = ["Event", "Loaded", "ModelStore", "Outcome", "Version", "regime_slot"]

T = TypeVar("T")

_REGISTRY = SqliteFile(
    what="a registry of models",
    application=0x5EA8,
    tables="""
CREATE TABLE versions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
    expert TEXT NOT NULL, interval TEXT NOT NULL, horizon INTEGER NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('candidate', 'champion', 'retired')),
    card TEXT NOT NULL, artefact TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_champion ON versions (expert, interval, horizon) WHERE stage = 'champion';
CREATE TABLE events (
    number INTEGER PRIMARY KEY, ts INTEGER NOT NULL, version TEXT NOT NULL REFERENCES versions (id),
    what TEXT NOT NULL, reason TEXT NOT NULL, before TEXT NOT NULL
) STRICT;
CREATE TABLE outcomes (
    version TEXT NOT NULL REFERENCES versions (id), start INTEGER NOT NULL, stop INTEGER NOT NULL,
    metrics TEXT NOT NULL, PRIMARY KEY (version, start, stop)
) STRICT;
CREATE TRIGGER kept_as_is BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER kept_for_good BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
""",
)
_OF_REGIMES = "regime-"
_SHOWN = "SELECT id, key, created, stage, card, artefact FROM versions"
_SLOT = "expert = ? AND interval = ? AND horizon = ?"


class Version(msgspec.Struct, frozen=True):
    """One trained expert: `stage` is candidate, champion or retired; `artefact` the SHA-256 of what it has learnt."""

    id: str
    key: str
    created: int
    stage: str
    card: Card
    artefact: str

    @property
    def slot(self) -> tuple[str, str, int]:
        """What it competes for: expert, bar length, horizon in bars."""
        return self.card.expert, self.card.interval, self.card.horizon


def regime_slot(model: str, interval: str) -> tuple[str, str, int]:
    """What versions of a regime model compete for.

    >>> regime_slot("vote", "1h")
    ('regime-vote', '1h', 0)
    """
    return f"{_OF_REGIMES}{model}", interval, 0


class Event(msgspec.Struct, frozen=True):
    """A change of a version: `what` is trained, promoted, retired, demoted or restored; `before` who was champion."""

    ts: int
    version: str
    what: str
    reason: str
    before: str


class Outcome(msgspec.Struct, frozen=True):
    """What a version showed on rows known in (start, stop], all of them after it was trained."""

    version: str
    start: int
    stop: int
    metrics: Metrics


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A version ready to predict, and what its features looked like when it was trained."""

    version: Version
    expert: Expert
    calibration: Calibration
    reference: Reference


class ModelStore:
    """The registry in this folder; it is made by the first `add`. Each call is one transaction of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path, self._artefacts = folder / "registry.db", folder / "artefacts"

    def add(self, card: Card, parts: artefacts.Parts, key: str, ts: int) -> Version:
        """Keep a version as a candidate; the one that has this key already if there is one. It is on the disk then.

        Raises: DataError or LedgerError if it cannot be written.
        """
        artefact = artefacts.write(self._artefacts, artefacts.pack(parts))
        with self._connected("BEGIN IMMEDIATE") as connection:
            if not _REGISTRY.holds(connection):
                _REGISTRY.create(connection)
            found = connection.execute(f"{_SHOWN} WHERE key = ?", (key,)).fetchone()
            if found:
                return _version(found)
            same = "SELECT count(*) FROM versions WHERE expert = ?"
            name = f"{card.expert}-{connection.execute(same, (card.expert,)).fetchone()[0] + 1}"
            text = _written(card)
            slot = card.expert, card.interval, card.horizon
            connection.execute(
                "INSERT INTO versions (id, key, created, expert, interval, horizon, stage, card, artefact)"
                " VALUES (?, ?, ?, ?, ?, ?, 'candidate', ?, ?)",
                (name, key, ts, *slot, text, artefact),
            )
            _happened(connection, Event(ts, name, "trained", card.caused_by, card.parent))
        return Version(name, key, ts, "candidate", card, artefact)

    def versions(self, expert: str = "") -> tuple[Version, ...]:
        """All versions, or those of one expert, oldest first; none if there is no registry yet."""
        rows = self._read(f"{_SHOWN} WHERE ? IN ('', expert) ORDER BY number", (expert,))
        return tuple(_version(row) for row in rows)

    def find(self, key: str) -> Version | None:
        """The version that was trained under this key."""
        rows = self._read(f"{_SHOWN} WHERE key = ?", (key,))
        return _version(rows[0]) if rows else None

    def __getitem__(self, name: str) -> Version:
        """The version of that id. Raises: ConfigError naming the nearest there are."""
        rows = self._read(f"{_SHOWN} WHERE id = ?", (name,))
        if not rows:
            known = [version.id for version in self.versions()]
            remedy = nearest(name, known) if known else "train one with: seakeep train"
            raise ConfigError("no such model version", value=name, remedy=remedy)
        return _version(rows[0])

    def champion(self, slot: tuple[str, str, int]) -> Version | None:
        """The champion of that slot."""
        rows = self._read(f"{_SHOWN} WHERE stage = 'champion' AND {_SLOT}", slot)
        return _version(rows[0]) if rows else None

    def load(self, version: Version) -> Loaded:
        """The version's expert and calibration as they were trained.

        Raises: IntegrityError if the artefact is gone or altered; ConfigError if its expert is not installed.
        """
        parts = artefacts.read(self._artefacts, version.artefact)
        expert = build(EXPERTS, version.card.expert, version.card.params).restore(parts["expert"])
        looks = parts["reference"]
        names, columns = tuple(str(looks["names"]).splitlines()), (looks["edges"], looks["shares"], looks["usual"])
        reference = Reference(names, *columns)  # type: ignore[arg-type]
        return Loaded(version, expert, Calibration.restored(parts["calibration"]), reference)

    def load_regimes(self, version: Version) -> RegimeModel:
        """The version's regime model as it was fitted.

        Raises: IntegrityError if the artefact is gone or altered; ConfigError if it is no regime model.
        """
        prefix, _, name = version.card.expert.partition(_OF_REGIMES)
        if prefix:
            raise ConfigError(f"{version.id} is of an expert, not of regimes", remedy="see: seakeep models list")
        parts = artefacts.read(self._artefacts, version.artefact)
        return build(REGIMES, name, version.card.params).restore(parts["regimes"])

    def verify(self, version: Version) -> None:
        """Read the version back, whichever kind it is. Raises: IntegrityError, ConfigError."""
        if version.card.expert.startswith(_OF_REGIMES):
            self.load_regimes(version)
        else:
            self.load(version)

    def promote(self, name: str, reason: str, ts: int) -> Version:
        """Make it the champion of its slot; the one before it retires. Raises: ConfigError if there is no such one."""
        return self._crown(self[name], "promoted", reason, ts)

    def demote(self, name: str, reason: str, ts: int) -> Version | None:
        """Take a failing champion down; the latest before it that was not demoted itself comes back, if there is one.

        Raises: ConfigError if it is no champion.
        """
        version = self._reigning(name)
        before = self._before(version)
        if before is not None:
            return self._crown(before, "restored", reason, ts, left="demoted")
        with self._connected("BEGIN IMMEDIATE") as connection:
            connection.execute("UPDATE versions SET stage = 'retired' WHERE id = ?", (name,))
            _happened(connection, Event(ts, name, "demoted", reason, name))
        return None

    def rollback(self, name: str, reason: str, ts: int) -> Version:
        """Put the champion that this one replaced back in its place. Raises: ConfigError if there is none."""
        before = self._before(self._reigning(name))
        if before is None:
            raise ConfigError(f"there is no champion before {name}", remedy="see the others: seakeep models list")
        return self._crown(before, "restored", reason, ts)

    def _reigning(self, name: str) -> Version:
        version = self[name]
        if version.stage != "champion":
            raise ConfigError(f"{name} is no champion", value=version.stage, remedy="see: seakeep models list")
        return version

    def events(self, name: str = "") -> tuple[Event, ...]:
        """What happened to every version, or to one, in order."""
        query = "SELECT ts, version, what, reason, before FROM events WHERE ? IN ('', version) ORDER BY number"
        return tuple(Event(*row) for row in self._read(query, (name,)))

    def record(self, outcome: Outcome) -> None:
        """Keep what a version showed, once."""
        metrics = _written(outcome.metrics)
        with self._connected("BEGIN IMMEDIATE") as connection:
            row = (outcome.version, outcome.start, outcome.stop, metrics)
            connection.execute("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)", row)

    def outcomes(self, name: str) -> tuple[Outcome, ...]:
        """What a version showed after it was trained, in order of time."""
        query = "SELECT version, start, stop, metrics FROM outcomes WHERE version = ? ORDER BY stop, start"
        rows = self._read(query, (name,))
        return tuple(Outcome(version, start, stop, _read_struct(m, Metrics)) for version, start, stop, m in rows)

    def _crown(self, version: Version, what: str, reason: str, ts: int, left: str = "retired") -> Version:
        with self._connected("BEGIN IMMEDIATE") as connection:
            found = connection.execute(f"{_SHOWN} WHERE stage = 'champion' AND {_SLOT}", version.slot).fetchone()
            before = found[0] if found else ""
            if before != version.id:
                connection.execute("UPDATE versions SET stage = 'retired' WHERE id = ?", (before,))
                connection.execute("UPDATE versions SET stage = 'champion' WHERE id = ?", (version.id,))
                if before:
                    _happened(connection, Event(ts, before, left, reason, before))
                _happened(connection, Event(ts, version.id, what, reason, before))
        return self[version.id]

    def _before(self, version: Version) -> Version | None:
        """The champion that this one replaced, or the one before that, which was not demoted."""
        events = self.events()
        demoted = {event.version for event in events if event.what == "demoted"}
        name, seen = version.id, {version.id}
        while True:
            steps = [e.before for e in events if e.version == name and e.what == "promoted" and e.before not in seen]
            if not steps or not steps[-1]:
                return None
            name = steps[-1]
            seen.add(name)
            if name not in demoted:
                return self[name]

    def _read(self, query: str, values: Sequence[object]) -> list[Any]:
        if not self._path.exists():
            return []
        with self._connected("BEGIN") as connection:
            return connection.execute(query, tuple(values)).fetchall() if _REGISTRY.holds(connection) else []

    @contextmanager
    def _connected(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            remedy = "it must be a writable registry of models; move another file of that name away"
            raise LedgerError(f"the registry {self._path}: {error}", remedy=remedy) from error


def _happened(connection: sqlite3.Connection, event: Event) -> None:
    row = (event.ts, event.version, event.what, event.reason, event.before)
    connection.execute("INSERT INTO events (ts, version, what, reason, before) VALUES (?, ?, ?, ?, ?)", row)


def _written(struct: msgspec.Struct) -> str:
    """As JSON in which a NaN stays one."""
    return json.dumps(msgspec.to_builtins(struct), sort_keys=True)


def _read_struct(text: str, kind: type[T]) -> T:
    return msgspec.convert(json.loads(text), kind)


def _version(row: Sequence[Any]) -> Version:
    name, key, created, stage, card, artefact = row
    return Version(name, key, created, stage, _read_struct(card, Card), artefact)
