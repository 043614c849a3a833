"""What the door says when it cannot do what is asked: one shape, with the field, the reason and the remedy."""

from collections.abc import Sequence

import msgspec
import orjson

from seakeep.core.errors import (
    DataError,
    IntegrityError,
    LedgerError,
    ModelError,
    RuleBookError,
    SchemaError,
    SeakeepError,
)

__all__ = ["Fault", "Problem", "answer", "explain", "status_of"]


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: the field it is about, what is wrong with it, of what kind, and what helps."""

    field: str
    message: str
    type: str
    remedy: str = ""


class Problem(Exception):
    """An answer of 4xx; `retry_after` in seconds where waiting helps."""

    def __init__(self, status: int, *faults: Fault, retry_after: int = 0) -> None:
        self.status, self.faults, self.retry_after = status, faults, retry_after
        super().__init__(faults[0].message if faults else str(status))


_KINDS: tuple[tuple[type[SeakeepError], int, str], ...] = (
    (IntegrityError, 503, "integrity"),
    (LedgerError, 503, "ledger"),
    (SchemaError, 422, "schema"),
    (DataError, 409, "data"),
    (ModelError, 409, "model"),
    (RuleBookError, 409, "rule_book"),
)


def status_of(error: SeakeepError) -> tuple[int, str]:
    """Status and kind: 422 for what was asked, 409 for what there is to answer with, 503 for a failing ledger."""
    return next(((status, kind) for known, status, kind in _KINDS if isinstance(error, known)), (422, "value"))


def explain(error: SeakeepError, field: str = "") -> Problem:
    """The error as an answer."""
    status, kind = status_of(error)
    return Problem(status, Fault(field, str(error), kind, error.remedy))


def answer(faults: Sequence[Fault], method: str, path: str, request_id: str) -> bytes:
    """The body of a problem."""
    body = {
        "detail": [msgspec.structs.asdict(fault) for fault in faults],
        "method": method,
        "path": path,
        "request_id": request_id,
    }
    return orjson.dumps(body)
