"""The account of a run as its ledger has it: newest snapshot, positions, equity curve, and the settings it runs by."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np
from pydantic import ValidationError

from seakeep.app.risk.holdings import Holdings
from seakeep.app.runbook import from_run
from seakeep.app.sections import Settings
from seakeep.core.account import Position
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64, Int64
from seakeep.core.verdicts import RiskSnapshot
from seakeep.ledger import queries
from seakeep.ledger.journal import Ledger
from seakeep.ledger.latest import equity_curve, latest_snapshot
from seakeep.ledger.runs import RunInfo

__all__ = ["Account", "Accounts", "run_settings"]

_MOST = 16


@dataclass(frozen=True, eq=False)
class Account:
    """One run at one instant of its journal; `held` is None while it holds nothing. Curves are (n,), one row a bar."""

    run_id: str
    entries: int
    settings: Settings
    snapshot: RiskSnapshot | None
    positions: tuple[Position, ...]
    ts: Int64
    equity: Float64
    held: Holdings | None

    @property
    def key(self) -> tuple[str, int]:
        """What changes with every entry."""
        return self.run_id, self.entries

    @property
    def weights(self) -> Mapping[str, float]:
        """Signed share of equity of every position."""
        return {} if self.snapshot is None else dict(self.snapshot.exposure)


class Accounts:
    """Accounts of a ledger, each read once for every state of its journal; the curve is only ever added to."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._kept: dict[str, Account] = {}
        self._lock = Lock()

    def account(self, run_id: str) -> Account:
        """The account of a run as it is now. Raises: LedgerError for an unknown run; IntegrityError."""
        run = self.ledger.run(run_id)
        kept = self._kept.get(run_id)
        if kept is None or kept.entries != run.head_seq:
            with self._lock:
                kept = self._kept.get(run_id)
                if kept is None or kept.entries < run.head_seq:
                    kept = self._read(run, kept)
                    self._kept = dict(list(self._kept.items())[1 - _MOST :]) | {run_id: kept}
        return kept

    def _read(self, run: RunInfo, kept: Account | None) -> Account:
        newest = latest_snapshot(self.ledger.engine, run.run_id)
        snapshot = None if newest is None else newest[1]
        ts, equity = self._curve(run.run_id, kept)
        return Account(
            run_id=run.run_id,
            entries=run.head_seq,
            settings=run_settings(run.config) if kept is None else kept.settings,
            snapshot=snapshot,
            positions=tuple(p for p in queries.positions(self.ledger, run.run_id) if p.qty),
            ts=ts,
            equity=equity,
            held=_held(self.ledger, run.run_id, snapshot),
        )

    def _curve(self, run_id: str, kept: Account | None) -> tuple[Int64, Float64]:
        after = None if kept is None or not len(kept.ts) else int(kept.ts[-1])
        later = equity_curve(self.ledger.engine, run_id, after)
        ts, equity = np.array([at for at, _ in later], np.int64), np.array([value for _, value in later], np.float64)
        if kept is not None:
            ts, equity = np.concatenate([kept.ts, ts]), np.concatenate([kept.equity, equity])
        return ts, equity


def _held(ledger: Ledger, run_id: str, snapshot: RiskSnapshot | None) -> Holdings | None:
    holds = snapshot is not None and any(weight for _, weight in snapshot.exposure)
    return from_run(ledger, run_id) if holds else None


def run_settings(config: str) -> Settings:
    """The settings in a run's `config`. Raises: ConfigError if another release wrote them."""
    try:
        return Settings.model_validate_json(config, strict=True)
    except ValidationError as error:
        said = error.errors()[0]
        what = f"the run was started with settings of another release: {'.'.join(map(str, said['loc']))}: {said['msg']}"
        raise ConfigError(what, remedy="ask about a newer run") from None
