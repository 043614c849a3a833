"""The book a run of the ledger holds now: the weights and the equity of its newest snapshot."""

from seakeep.app.risk.holdings import Holdings, quote_of
from seakeep.core.errors import ConfigError
from seakeep.core.units import iso
from seakeep.ledger import queries
from seakeep.ledger.journal import Ledger

__all__ = ["from_run"]


def from_run(ledger: Ledger, run_id: str) -> Holdings:
    """Holdings of a run. Raises: LedgerError for an unknown run, ConfigError if it holds nothing."""
    source, snapshots = f"run {run_id}", queries.equity(ledger, run_id)
    if not snapshots:
        raise ConfigError(f"{source} has no snapshot yet", remedy="name a run that has traded, or a portfolio file")
    newest = snapshots[-1]
    weights = {symbol: weight for symbol, weight in newest.exposure if weight}
    if not weights:
        remedy = "name another run, or ask with --symbols and --weights"
        raise ConfigError(f"{source} holds no position at {iso(newest.ts)}", remedy=remedy)
    later = queries.fills(ledger, run_id, queries.Span(start=newest.ts + 1))
    return Holdings(
        source=source,
        quote=quote_of(min(weights)),
        weights=weights,
        equity=newest.equity,
        drawdown=newest.drawdown,
        as_of=newest.ts,
        notes=(f"{len(later)} fills came after the newest snapshot and are not in it",) if later else (),
    )
