"""The compiled simulator: target weights, stances or opinions over one or many symbols, by the driver's rules.

It ranks; the driver judges. Both compile the same costs and matching, count lots and ticks, and pay the same money, so
that a run of one is a run of the other (a test holds them to the cent). What it leaves out is in `KernelParams`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.asks import Opinions, find_changes, opinion_table, target_table
from seakeep.backtest.kernel.books import FILL, LIQUIDATION, ORDER
from seakeep.backtest.kernel.calls import NO_FUNDING
from seakeep.backtest.kernel.glide import run
from seakeep.backtest.kernel.passes import capacity
from seakeep.backtest.kernel.ratios import ratios
from seakeep.backtest.kernel.tape import LIMIT, MARKET, STOP, TRAILING, History, Tape
from seakeep.backtest.kernel.terms import KernelParams, account_record, symbol_records
from seakeep.core.errors import DataError, IntegrityError
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.orders import Fill, Liquidity, Side
from seakeep.core.units import iso

__all__ = ["KINDS", "History", "KernelParams", "KernelRun", "Opinions", "check", "first_row", "simulate"]

KINDS = {MARKET: "market", STOP: "stop", TRAILING: "trailing", LIMIT: "target", LIQUIDATION: "liquidation"}
"""Why a fill was made, by the `kind` of its record."""
_FILLS = 1 << 12


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelRun:
    """One finished run: `metrics` by name (see `ratios`), on request `equity` (n,) at `ts` and `fills` (f,) records."""

    symbols: tuple[str, ...]
    metrics: Mapping[str, float]
    ts: Int64
    equity: Float64
    fills: NDArray[Any]

    def trades(self, params: KernelParams) -> tuple[Fill, ...]:
        """The fills as the driver writes them, in Decimal; ids are their numbers."""
        return tuple(self._trade(number, record, params) for number, record in enumerate(self.fills, 1))

    def _trade(self, number: int, record: Any, params: KernelParams) -> Fill:
        instrument = params.instruments[self.symbols[record["symbol"]]]
        price, qty = int(record["ticks"]) * instrument.tick, int(record["lots"]) * instrument.lot
        rate = instrument.maker_fee if record["maker"] else instrument.taker_fee
        return Fill(
            id=str(number),
            order_id="",
            symbol=instrument.symbol,
            ts=int(record["ts"]),
            side=Side.BUY if record["side"] > 0 else Side.SELL,
            price=price,
            qty=qty,
            fee=price * qty * rate,
            fee_asset=instrument.quote,
            liquidity=Liquidity.MAKER if record["maker"] else Liquidity.TAKER,
            mid=Decimal(repr(float(record["mid"]))),
        )


def simulate(
    frames: Sequence[BarFrame] | History,
    signals: NDArray[Any] | Opinions,
    params: KernelParams,
    *,
    details: bool = False,
) -> KernelRun:
    """Run once over bars of one interval; `details` keeps every fill and the equity curve.

    `signals` (n,) or (n, k) has a row for each instant at which a bar became known (the union over symbols) and a
    column for each symbol in sorted order. Floats are target weights of equity, integers stances: units of
    `params.weight`, so 2 is a pyramid of two; both are acted on where they change, and NaN keeps what there is.
    `Opinions` are acted on as the driver does: a stance is taken, held with hysteresis, and taken again after a stop.

    >>> from seakeep.core.market import Instrument
    >>> frame = BarFrame.from_rows("BTC/USDT", "1h", [(i * 3_600_000, 100, 101, 99, 100, 1e6) for i in range(4)])
    >>> rules = {"BTC/USDT": Instrument(symbol="BTC/USDT", base="BTC", quote="USDT")}
    >>> run = simulate([frame], np.array([1, 1, 0, 0]), KernelParams(instruments=rules, cash=Decimal(1000)))
    >>> run.metrics["fills"], round(run.metrics["equity"], 2)
    (2.0, 999.76)

    Raises: ValueError if signals have another shape or hold an infinite value; DataError for bars that cannot be
    traded on, or a perpetual held without a funding rate; ConfigError as `terms.account_record` does.
    """
    history = frames if isinstance(frames, History) else History.of(frames)
    tape = history.tape(params.latency, params.seed, params.window(history.symbols))
    account, rules = account_record(params, history), symbol_records(params, history.symbols)
    symbols = rules.copy()
    if isinstance(signals, Opinions):
        asks = opinion_table(signals, history, tape.bars.shape[1], params.weight)
    else:
        account["targets"] = 1
        asks = _changes(target_table(signals, history), history, tape, (account, symbols))
    orders = np.zeros((len(rules), capacity(params.latency.low_ms, history.bar_ms)), ORDER)
    fills, curve = np.zeros(_FILLS if details else 1, FILL), np.zeros(tape.bars.shape[1] if details else 0)
    ended = account.copy()
    run((account, ended, rules), 0, (symbols, orders, fills), tape, asks, curve)
    if details and ended["fills"][0] >= len(fills):
        fills = np.zeros(int(ended["fills"][0]) + 1, FILL)
        run((account, ended, rules), 0, (symbols, orders, fills), tape, asks, curve)
    check(ended)
    return _finished(history, params, ended, fills, curve)


def _changes(table: NDArray[Any], history: History, tape: Tape, told: tuple[NDArray[Any], NDArray[Any]]) -> Float64:
    """The rows in which each of the targets (k, n) changes (k, 2, n); writes into the symbols how many there are."""
    account, symbols = told
    asks = np.zeros((len(table), 2, len(history)))
    unit = 1.0 if table.dtype.kind == "f" else float(account["weight"][0])
    rows = (history.rows, first_row(history, account))
    for j, column in enumerate(table):
        symbols["changes"][j] = find_changes(column, unit, tape.bars[j], rows, asks[j])
    return asks


def first_row(history: History, account: NDArray[Any]) -> int:
    """First row of the tape in which a decision may be taken."""
    return int(np.searchsorted(history.grid, account["trade_from"][0]))


def check(accounts: NDArray[Any]) -> None:
    """Hold finished runs (p,) to their status. Raises: DataError or IntegrityError of the first that failed."""
    failed = np.flatnonzero(accounts["status"])
    if not len(failed):
        return
    account = accounts[failed[0]]
    when = iso(int(account["status_ts"]))
    if account["status"] == NO_FUNDING:
        remedy = "supply funding_rate observations, or trade the spot market"
        raise DataError(f"a perpetual was held with no funding rate before {when}", remedy=remedy)
    raise IntegrityError(f"more orders were under way than there is room for at {when}", remedy="shorten the latency")


def _finished(
    history: History, params: KernelParams, told: NDArray[Any], fills: NDArray[Any], curve: Float64
) -> KernelRun:
    found = ratios(told, float(params.cash), history.bar_ms)
    metrics = {name: float(column[0]) for name, column in found.items()}
    ts = history.grid[: len(curve)]
    lived = ts >= params.trade_from
    kept, ts, equity = fills[: int(told[0]["kept"])].copy(), ts[lived], curve[lived]
    for array in (kept, ts, equity):
        array.flags.writeable = False
    return KernelRun(symbols=history.symbols, metrics=metrics, ts=ts, equity=equity, fills=kept)
