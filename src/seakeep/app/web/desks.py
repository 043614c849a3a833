"""Answers that cost seconds, worked out once: one at a time, and kept while journal and bars stand still.

One at a time, because the compiled kernels beneath use every core and their threads must not be entered twice.
"""

import time
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from seakeep.app.gate.account import Account
from seakeep.app.risk.desk import Desk, History, open_desk
from seakeep.app.web.problems import Fault, Problem
from seakeep.core.errors import DataError

__all__ = ["Desks"]

_FRESH_S = 60.0
"""How long an answer is kept, since new bars may come into the store without the journal moving."""
_PATIENCE_S = 20.0
_MOST = 64

T = TypeVar("T")


class Desks:
    """The desk of each run's book, and what was asked of it."""

    def __init__(self, userdir: Path) -> None:
        self._userdir, self._lock = userdir, Lock()
        self._kept: dict[Hashable, tuple[float, Any]] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, worked out at most once a minute for the same key.

        Raises: Problem 429 when others keep it busy for too long.
        """
        found = self._fresh(key)
        if found is None:
            if not self._lock.acquire(timeout=_PATIENCE_S):
                what = Fault("", "other calculations take all the time there is", "busy", "ask again in a moment")
                raise Problem(429, what, retry_after=5)
            try:
                found = self._fresh(key) or (time.monotonic(), make())
                self._kept = dict(list(self._kept.items())[1 - _MOST :]) | {key: found}
            finally:
                self._lock.release()
        return cast("T", found[1])

    def desk(self, account: Account, interval: str, candidate: str | None = None) -> Desk:
        """The book on its history; to be called inside `once`.

        Raises: DataError if it holds nothing; as `open_desk`.
        """
        if account.held is None:
            raise DataError(f"run {account.run_id} holds no position", remedy="an empty book has no risk to measure")
        key = ("desk", *account.key, interval, candidate)
        found = self._fresh(key)
        if found is None:
            desk = open_desk(account.held, History(self._userdir, interval, None, candidate))
            found = self._kept[key] = (time.monotonic(), desk)
        return cast("Desk", found[1])

    def _fresh(self, key: Hashable) -> tuple[float, Any] | None:
        found = self._kept.get(key)
        return found if found is not None and time.monotonic() - found[0] <= _FRESH_S else None
