"""Recorded decisions to replay under rule books: from a run of the ledger, or a file of JSON lines.

A run of the ledger is repeated from its journal, and what the gate saw of each decision is kept: account, market,
correlations, models, sentiment. Where it cannot be repeated here, what the ledger's tables hold has to do: the account
and the decision.

A line is a request of the risk endpoint, as it was sent; or `{"id", "ts", "pnl", "payload": {...}}` around one; or
`{"id", "ts", "pnl", "facts": ["(candidate (adds TRUE))", ...]}` with facts as a book writes them.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from seakeep.app.console import note
from seakeep.core.errors import IntegrityError, SchemaError, SeakeepError
from seakeep.risk.rules.book import row_of
from seakeep.risk.rules.portfolio import candidate_rows, decision_rows
from seakeep.risk.rules.replay import Recorded
from seakeep.risk.rules.syntax import forms
from seakeep.risk.rules.vocabulary import Row, Vocabulary

if TYPE_CHECKING:
    from seakeep.core.verdicts import RuleHit
    from seakeep.ledger.journal import Ledger
    from seakeep.risk.case import Case, RuleBook

__all__ = ["Overheard", "from_file", "from_run", "overheard"]


class Overheard:
    """A rule book that notes the facts of each decision when it is first asked, and answers as another does."""

    def __init__(self, book: "RuleBook | None") -> None:
        self._book, self.rows = book, dict[str, tuple[Row, ...]]()

    @property
    def version(self) -> str:
        """That of the other book."""
        return self._book.version if self._book else "none"

    def judge(self, case: "Case") -> "tuple[tuple[RuleHit, ...], ...]":
        """What the other book says; nothing where there is none."""
        for n, candidate in enumerate(case.candidates):
            if candidate.decision.id not in self.rows:
                self.rows[candidate.decision.id] = tuple(candidate_rows(case, n))
        return self._book.judge(case) if self._book else ((),) * len(case.candidates)


def overheard(ledger: "Ledger", run_id: str, userdir: Path) -> dict[str, tuple[Row, ...]]:
    """The facts of every decision of the run, by repeating it from its journal.

    Raises: SeakeepError where data, models, settings or rules are not what they were.
    """
    from seakeep.app.bootstrap import prepare
    from seakeep.app.gate.account import run_settings
    from seakeep.app.runs import journaled
    from seakeep.core.verdicts import Decision
    from seakeep.engine.engine import Engine

    session = prepare(run_settings(ledger.run(run_id).config), userdir, run_id)
    listening = Overheard(journaled(session, ledger, userdir))
    engine = Engine(replace(session.pipeline, rule_book=listening))
    for seq, event, records in ledger.entries(run_id):
        made = [r for r in engine.process(event).records if isinstance(r, Decision)]
        if made != [r for r in records if isinstance(r, Decision)]:
            raise IntegrityError(f"entry {seq} of the run does not repeat", remedy="restore its data and version")
    return listening.rows


def from_run(ledger: "Ledger", run_id: str, userdir: Path) -> tuple[Recorded, ...]:
    """Every decision of the run with all that the gate saw, and what the round trip it opened has earned.

    Where the run cannot be repeated, a note says why, and the facts are those of the ledger's tables.
    """
    try:
        heard = overheard(ledger, run_id, userdir)
    except SeakeepError as error:
        note(f"warning: only the account and the decisions are known, the run cannot be repeated: {error}")
        heard = {}
    recorded = _from_tables(ledger, run_id)
    return tuple(msgspec.structs.replace(r, rows=heard.get(r.id, r.rows)) for r in recorded)


def _from_tables(ledger: "Ledger", run_id: str) -> tuple[Recorded, ...]:
    from seakeep.ledger import queries

    snapshots = sorted(queries.equity(ledger, run_id), key=lambda s: s.ts)
    times, pnl = [s.ts for s in snapshots], _results(ledger, run_id)
    decisions = [d for d in queries.decisions(ledger, run_id) if times and times[0] <= d.ts]
    return tuple(
        Recorded(
            id=d.id, ts=d.ts, rows=tuple(decision_rows(d, snapshots[bisect_right(times, d.ts) - 1])), pnl=pnl.get(d.id)
        )
        for d in decisions
    )


def _results(ledger: "Ledger", run_id: str) -> dict[str, float]:
    """Profit of each closed round trip, by the decision whose fill opened it."""
    from seakeep.execution.trips import round_trips
    from seakeep.ledger import queries

    decided = {order.id: order.decision_id for order in queries.latest_orders(ledger, run_id)}
    fills = queries.fills(ledger, run_id)
    opened = {(f.symbol, f.ts): decided[f.order_id] for f in reversed(fills) if f.order_id in decided}
    results: dict[str, float] = {}
    for trip in round_trips(fills):
        decision = opened.get((trip.symbol, trip.entry_ts))
        if decision is not None:
            results[decision] = results.get(decision, 0.0) + float(trip.pnl)
    return results


def from_file(path: Path, vocabulary: Vocabulary) -> Iterator[Recorded]:
    """Every line of the file. Raises: SchemaError naming file and line."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _recorded(line, f"{path.name} line {number}", vocabulary)
    except OSError as error:
        raise SchemaError(f"{path} cannot be read: {error.strerror}") from None


def _recorded(line: bytes, where: str, vocabulary: Vocabulary) -> Recorded:
    try:
        body = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SchemaError(f"{where} is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise SchemaError(f"{where} must be an object", value=str(body)[:60])
    wrapped = "facts" in body or "payload" in body
    pnl, ts = body.get("pnl") if wrapped else None, body.get("ts", 0) if wrapped else 0
    if not (pnl is None or (isinstance(pnl, int | float) and not isinstance(pnl, bool))) or not isinstance(ts, int):
        raise SchemaError(f"{where}: pnl must be a number or null, ts whole milliseconds", value=(pnl, ts))
    label, result = str(body.get("id", where)), None if pnl is None else float(pnl)
    if "facts" in body:
        return Recorded(id=label, ts=ts, rows=_facts(body["facts"], where, vocabulary), pnl=result)
    payload = body.get("payload", body)
    if not isinstance(payload, dict):
        raise SchemaError(f"{where}: payload must be an object", value=str(payload)[:60])
    return Recorded(id=label, ts=ts, payload=payload, pnl=result)


def _facts(value: Any, where: str, vocabulary: Vocabulary) -> tuple[Row, ...]:
    if not isinstance(value, list) or not all(isinstance(fact, str) for fact in value):
        raise SchemaError(f"{where}: facts must be a list of texts", value=str(value)[:60])
    seen: dict[str, int] = {}
    rows = []
    for form in forms("\n".join(value), where):
        seen[form.head] = seen.get(form.head, -1) + 1
        rows.append(row_of(form, vocabulary, where, seen[form.head]))
    return tuple(rows)
