"""Round trips: from flat to flat, what each holding earned after fees."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from typing import NamedTuple

import msgspec

from seakeep.core.orders import Fill, Side

__all__ = ["RoundTrip", "round_trips"]

_EXACT = Context(prec=120, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Sums of price x quantity x sign never round at this precision."""
_PRICE = Context(prec=16)
_FEE_STEP = Decimal("1E-18")
_ZERO = Decimal(0)


class RoundTrip(msgspec.Struct, frozen=True):
    """A holding from its first entry until it was flat again, or turned over.

    `side` BUY is long, SELL short; `qty` is all that was bought in (base units); prices are averages over entries
    and exits; `fees` and `pnl` (after fees, before funding) are in quote units; `ret` is pnl over what was put in.
    """

    entry_ts: int
    exit_ts: int
    symbol: str
    side: Side
    qty: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal
    ret: float

    @property
    def duration_ms(self) -> int:
        """Time from the first entry to the last exit."""
        return self.exit_ts - self.entry_ts


def round_trips(fills: Iterable[Fill]) -> tuple[RoundTrip, ...]:
    """Closed round trips in order of their exit; what is still open is not among them.

    Fills of a symbol must come in the order they happened. A fill through zero closes one trip and opens the next,
    its fee split by quantity. Once every holding is closed the pnl add up exactly to realised profit less fees, by the
    rules of `execution.accounting`: a fee in the base coin is a sale of that much, one in a third asset is left out.

    >>> from seakeep.core.orders import Liquidity
    >>> def fill(ts, side, price):
    ...     return Fill(id=str(ts), order_id="o", symbol="BTC/USDT", ts=ts, side=side, price=Decimal(price),
    ...                 qty=Decimal(2), fee=Decimal(1), fee_asset="USDT", liquidity=Liquidity.TAKER, mid=Decimal(price))
    >>> [trip] = round_trips([fill(1, Side.BUY, 100), fill(2, Side.SELL, 110)])
    >>> trip.pnl, trip.ret
    (Decimal('18'), 0.09)

    Raises: ValueError if a quantity or a price is not positive, or a symbol's fills go back in time.
    """
    holdings: dict[str, _Holding] = {}
    closed: list[RoundTrip] = []
    with localcontext(_EXACT):
        for fill in fills:
            _check(fill, holdings.get(fill.symbol))
            for leg in _legs(fill):
                _take(leg, fill, holdings, closed)
    return tuple(closed)


class _Leg(NamedTuple):
    """A quantity traded at the fill's price, and the fee in quote units that goes with it."""

    side: Side
    qty: Decimal
    fee: Decimal


@dataclass(slots=True)
class _Holding:
    """One open trip: quantities and notionals in and out, all positive."""

    side: Side
    entry_ts: int
    last_ts: int
    entered: Decimal = _ZERO
    exited: Decimal = _ZERO
    paid_in: Decimal = _ZERO
    paid_out: Decimal = _ZERO
    fees: Decimal = _ZERO

    def add(self, leg: _Leg, fill: Fill) -> None:
        """Take a leg in (same side) or out."""
        if leg.side is self.side:
            self.entered += leg.qty
            self.paid_in += leg.qty * fill.price
        else:
            self.exited += leg.qty
            self.paid_out += leg.qty * fill.price
        self.fees += leg.fee
        self.last_ts = fill.ts

    def trip(self, symbol: str) -> RoundTrip:
        """What it came to, once flat."""
        pnl = (self.paid_out - self.paid_in) * self.side.sign - self.fees
        entry, leave = _PRICE.divide(self.paid_in, self.entered), _PRICE.divide(self.paid_out, self.exited)
        ret = float(pnl / self.paid_in)
        return RoundTrip(
            self.entry_ts, self.last_ts, symbol, self.side, self.entered, entry, leave, self.fees, pnl, ret
        )


def _check(fill: Fill, holding: _Holding | None) -> None:
    if not (fill.qty > 0 and fill.price > 0):
        raise ValueError(f"fill {fill.id}: qty and price must be > 0, got {fill.qty} @ {fill.price}")
    if holding is not None and fill.ts < holding.last_ts:
        raise ValueError(f"fill {fill.id} of {fill.symbol} at {fill.ts} comes after one at {holding.last_ts}")


def _legs(fill: Fill) -> Iterator[_Leg]:
    base, _, rest = fill.symbol.partition("/")
    quote, colon, _ = rest.partition(":")
    yield _Leg(fill.side, fill.qty, fill.fee if fill.fee_asset == quote else _ZERO)
    if fill.fee and fill.fee_asset == base and not colon:
        yield _Leg(Side.SELL if fill.fee > 0 else Side.BUY, abs(fill.fee), fill.fee * fill.price)


def _take(leg: _Leg, fill: Fill, holdings: dict[str, _Holding], closed: list[RoundTrip]) -> None:
    holding = holdings.get(fill.symbol)
    if holding is None:
        holding = holdings[fill.symbol] = _Holding(leg.side, fill.ts, fill.ts)
    held = holding.entered - holding.exited
    if leg.side is holding.side or leg.qty < held:
        holding.add(leg, fill)
        return
    last = leg if leg.qty == held else _Leg(leg.side, held, (leg.fee * held / leg.qty).quantize(_FEE_STEP))
    holding.add(last, fill)
    closed.append(holding.trip(fill.symbol))
    del holdings[fill.symbol]
    if leg.qty > held:
        _take(_Leg(leg.side, leg.qty - held, leg.fee - last.fee), fill, holdings, closed)
