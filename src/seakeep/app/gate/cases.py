"""The gate's case for an order somebody asks about: a run's account, its open orders, and its markets as stored."""

import math
from decimal import Decimal

import msgspec
import numpy as np

from seakeep.app.gate.account import Account
from seakeep.app.risk.desk import stored_bars
from seakeep.core.account import Portfolio
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame, Float64
from seakeep.core.orders import Order, Status
from seakeep.core.units import DAY_MS, HOUR_MS, interval_ms
from seakeep.core.verdicts import Decision, RiskSnapshot
from seakeep.data.store import ParquetStore
from seakeep.ledger import queries
from seakeep.ledger.journal import Ledger
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case, History, MarketFacts
from seakeep.risk.limits import Limits
from seakeep.risk.measures import history_from

__all__ = ["Wish", "case_for", "open_orders"]

_DONE = (Status.FILLED, Status.CANCELED, Status.REJECTED)
_OURS = "asked"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """An order somebody would like to place; one of quantity (signed, base units) and weight (signed) is given."""

    symbol: str
    quantity: float | None = None
    weight: float | None = None
    price: float | None = None
    stop: float | None = None
    take_profit: float | None = None


def case_for(
    wish: Wish, account: Account, ledger: Ledger, store: ParquetStore, limits: Limits, breaker: BreakerState
) -> Case:
    """The case of one candidate on top of the account. Its instant is that of the account's newest snapshot.

    Raises: DataError without a snapshot or bars, ConfigError for a symbol the account cannot hold.
    """
    snapshot = account.snapshot
    if snapshot is None:
        raise DataError(f"run {account.run_id} has no snapshot yet", remedy="let it trade one bar first")
    quote = account.settings.run.symbols[0].partition("/")[2].partition(":")[0]
    if wish.symbol.partition("/")[2].partition(":")[0] != quote:
        raise ConfigError(f"the account is kept in {quote}", value=wish.symbol, remedy=f"ask for a symbol in {quote}")
    symbols = tuple(sorted({*account.weights, wish.symbol}))
    interval = account.settings.run.interval
    bars = {symbol: _known(store, symbol, interval, snapshot.ts) for symbol in symbols}
    history = _history(store, symbols, snapshot.ts, limits)
    markets = {s: _facts(s, bars[s], snapshot.ts, history, _traded(account, ledger, s, snapshot.ts)) for s in symbols}
    return Case(
        snapshot=snapshot,
        candidates=(_candidate(wish, account, store, markets[wish.symbol]),),
        limits=limits,
        breaker=breaker,
        instruments={symbol: store.instrument(symbol) for symbol in symbols},
        markets=markets,
        portfolio=_portfolio(account, snapshot, quote),
        history=history,
        orders=open_orders(account, ledger),
        limit_share=snapshot.limit_share,
    )


def _candidate(wish: Wish, account: Account, store: ParquetStore, market: MarketFacts) -> Candidate:
    snapshot = account.snapshot
    equity = 0.0 if snapshot is None else snapshot.equity
    mark, held = wish.price or market.mark, account.weights.get(wish.symbol, 0.0)
    added = wish.weight if wish.quantity is None else wish.quantity * mark / equity if equity > 0 else math.nan
    target = held + (added or 0.0)
    if abs(target) < 1e-9:
        target = 0.0
    name = f"{account.run_id}-{_OURS}"
    decision = Decision(name, _OURS, wish.symbol, market.seen, target, 1.0, 1.0, ((_OURS, 1.0),))
    targets = () if wish.take_profit is None else ((wish.take_profit, 1.0),)
    instrument = store.instrument(wish.symbol)
    return Candidate(decision=decision, instrument=instrument, held=held, mark=mark, stop=wish.stop, targets=targets)


def _known(store: ParquetStore, symbol: str, interval: str, ts: int) -> BarFrame:
    """Bars known at `ts`, the last week of them. Raises: DataError if there are none."""
    step = interval_ms(interval)
    bars = stored_bars(store, symbol, interval, ts - max(8 * DAY_MS, 3 * step), ts - step + 1)
    if not len(bars):
        raise DataError(f"no bar of {symbol} was known at the account's newest snapshot", remedy="import its bars")
    return bars


def _facts(symbol: str, bars: BarFrame, ts: int, history: History, traded: float) -> MarketFacts:
    step, seen = interval_ms(bars.interval), int(bars.known_at[-1])
    column = history.returns[:, history.symbols.index(symbol)]
    logs = np.log1p(column[np.isfinite(column)])
    return MarketFacts(
        symbol=symbol,
        mark=float(bars.close[-1]),
        seen=seen,
        age_bars=(ts - seen) / step,
        volume_1h=_volume(bars, ts, HOUR_MS),
        volume_24h=_volume(bars, ts, DAY_MS),
        traded_1h=traded,
        volatility=float(logs.std(ddof=1)) if len(logs) > 1 else None,
    )


def _volume(bars: BarFrame, ts: int, span: int) -> float:
    """Quote volume of the last `span`; of longer bars the part that falls on it."""
    step = interval_ms(bars.interval)
    inside = bars.known_at > ts - max(span, step)
    share = min(1.0, span / step)
    return float((bars.close[inside] * bars.volume[inside]).sum()) * share


def _history(store: ParquetStore, symbols: tuple[str, ...], ts: int, limits: Limits) -> History:
    """Daily simple returns (n, k) of whole days before `ts`; NaN where a symbol had no price."""
    last, days = ts // DAY_MS, limits.tail_days
    closes = np.full((days + 1, len(symbols)), np.nan)
    for column, symbol in enumerate(symbols):
        closes[:, column] = _closes(store, symbol, last, days)
    with np.errstate(invalid="ignore"):
        returns = closes[1:] / closes[:-1] - 1
    return history_from(symbols, returns[np.isfinite(returns).any(axis=1)], limits)


def _closes(store: ParquetStore, symbol: str, last: int, days: int) -> Float64:
    """Closes (days + 1,) of the days before day number `last`."""
    found = np.full(days + 1, np.nan)
    first = last - days - 1
    try:
        bars = stored_bars(store, symbol, "1d", first * DAY_MS, last * DAY_MS)
    except DataError:
        return found
    found[bars.ts // DAY_MS - first] = bars.close
    return found


def _traded(account: Account, ledger: Ledger, symbol: str, ts: int) -> float:
    recent = queries.fills(ledger, account.run_id, queries.Span(symbol, ts - HOUR_MS, ts + 1))
    return float(sum((fill.price * fill.qty for fill in recent), Decimal(0)))


def _portfolio(account: Account, snapshot: RiskSnapshot, quote: str) -> Portfolio:
    """Cash follows from equity and what the positions are worth."""
    cash = snapshot.equity * (1 - sum(account.weights.values()))
    return Portfolio(quote=quote, cash={quote: Decimal(repr(cash))}, positions={p.symbol: p for p in account.positions})


def open_orders(account: Account, ledger: Ledger) -> tuple[Order, ...]:
    """The run's orders that are not done, as its ledger has them."""
    return tuple(o for o in queries.latest_orders(ledger, account.run_id) if o.status not in _DONE)
