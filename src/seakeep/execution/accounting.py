"""What a fill, a funding payment or a margin call does to the book; exact in Decimal.

One identity holds to the last digit, for spot and perpetuals alike:
equity = first cash + realised + unrealised - fees + funding. Additions and products are never rounded (the context
traps it); only the average cost of a partial close is, and the same rounded amount leaves `cost` and enters `realised`.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, localcontext

import msgspec
from msgspec.structs import replace

from seakeep.core.account import Portfolio, Position
from seakeep.core.errors import DataError, IntegrityError
from seakeep.core.market import Instrument, InstrumentKind
from seakeep.core.orders import Fill

__all__ = ["Margin", "apply_fill", "apply_funding", "funding_amount", "liquidation_price", "margin", "unrealised"]

_EXACT = Context(prec=90, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_ROUNDED = Context(prec=90, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_COST_STEP = Decimal("1E-18")
_ZERO = Decimal(0)


class Margin(msgspec.Struct, frozen=True):
    """Collateral in quote units: `free` may back new positions; below `maintenance` the venue closes what is open."""

    equity: Decimal
    initial: Decimal
    maintenance: Decimal
    free: Decimal


def apply_fill(portfolio: Portfolio, fill: Fill) -> Portfolio:
    """The book after a fill: long, short, partial close or flip.

    The fee is in quote, in the base coin or in a third asset. One in the base coin is taken
    from the holding at the fill's price; one in a third asset leaves that asset's cash, outside the quote identity.

    Raises: IntegrityError if a spot holding would become negative, or the amounts are not finite and positive.
    """
    if not (_positive(fill.qty) and _positive(fill.price) and fill.fee.is_finite()):
        raise IntegrityError(f"fill {fill.id} is not a trade", value=f"{fill.qty} @ {fill.price}, fee {fill.fee}")
    with localcontext(_EXACT):
        cash = dict(portfolio.cash)
        before = portfolio.positions.get(fill.symbol) or Position(symbol=fill.symbol)
        signed = fill.qty * fill.side.sign
        cash[portfolio.quote] = cash.get(portfolio.quote, _ZERO) - signed * fill.price
        after = _charge(_trade(before, signed, fill.price), fill, cash, portfolio.quote)
    if after.qty < 0 and ":" not in fill.symbol:
        raise IntegrityError(f"fill {fill.id} would make the spot holding of {fill.symbol} negative", value=after.qty)
    return replace(portfolio, cash=cash, positions={**portfolio.positions, fill.symbol: after})


def _positive(value: Decimal) -> bool:
    return value.is_finite() and value > 0


def _trade(position: Position, signed: Decimal, price: Decimal) -> Position:
    """Add a signed quantity at a price: what closes is realised against average cost, what is left opens."""
    closing = min(abs(signed), abs(position.qty)) if signed * position.qty < 0 else _ZERO
    qty, cost, realised = position.qty, position.cost, position.realised
    if closing:
        closed = closing if signed > 0 else -closing
        released = cost if closing == abs(qty) else _share(cost, closing, abs(qty))
        realised = realised - closed * price - released
        qty, cost, signed = qty + closed, cost - released, signed - closed
    return replace(position, qty=qty + signed, cost=cost + signed * price, realised=realised)


def _share(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return _ROUNDED.quantize(_ROUNDED.divide(_ROUNDED.multiply(cost, part), whole), _COST_STEP)


def _charge(position: Position, fill: Fill, cash: dict[str, Decimal], quote: str) -> Position:
    """Take the fee; a base-coin fee is a sale of that much at the fill's price, whose proceeds are the fee."""
    if fill.fee_asset == quote:
        cash[quote] -= fill.fee
        return replace(position, fees=position.fees + fill.fee)
    if ":" not in fill.symbol and fill.fee_asset == fill.symbol.partition("/")[0]:
        paid = _trade(position, -fill.fee, fill.price)
        return replace(paid, fees=paid.fees + fill.fee * fill.price)
    cash[fill.fee_asset] = cash.get(fill.fee_asset, _ZERO) - fill.fee
    return position


def funding_amount(position: Position, mark: Decimal, rate: float | None) -> Decimal:
    """What holding a perpetual over a funding instant brings (negative: costs): -qty x mark x rate.

    >>> funding_amount(Position(symbol="BTC/USDT:USDT", qty=Decimal(2)), Decimal(100), 0.0001)
    Decimal('-0.0200')

    Raises: DataError if the rate is missing or not finite; a missing rate is not zero.
    """
    exact = Decimal(repr(rate)) if rate is not None else Decimal("nan")
    if not exact.is_finite():
        remedy = "supply funding_rate observations for every funding instant"
        raise DataError(f"{position.symbol} has no funding rate", value=rate, remedy=remedy)
    with localcontext(_EXACT):
        return -position.qty * mark * exact


def apply_funding(portfolio: Portfolio, symbol: str, amount: Decimal) -> Portfolio:
    """The book after a funding payment in quote units (negative: paid)."""
    with localcontext(_EXACT):
        cash = {**portfolio.cash, portfolio.quote: portfolio.cash.get(portfolio.quote, _ZERO) + amount}
        before = portfolio.positions.get(symbol) or Position(symbol=symbol)
        after = replace(before, funding=before.funding + amount)
    return replace(portfolio, cash=cash, positions={**portfolio.positions, symbol: after})


def unrealised(position: Position, mark: Decimal) -> Decimal:
    """Gain of what is open at that mark, quote units, before fees."""
    with localcontext(_EXACT):
        return position.qty * mark - position.cost


def margin(portfolio: Portfolio, marks: Mapping[str, Decimal], instruments: Mapping[str, Instrument]) -> Margin:
    """Collateral of the account under cross margin: spot is paid in full, a perpetual binds notional / max_leverage.

    Raises: KeyError if an open position has no mark or no instrument.
    """
    with localcontext(_ROUNDED):
        equity = portfolio.cash.get(portfolio.quote, _ZERO)
        spot = initial = maintenance = _ZERO
        for symbol, position in portfolio.positions.items():
            if not position.qty:
                continue
            value, instrument = position.qty * marks[symbol], instruments[symbol]
            equity += value
            if instrument.kind is InstrumentKind.SPOT:
                spot += value
            else:
                initial += abs(value) / instrument.max_leverage
                maintenance += abs(value) * instrument.maintenance_margin
        return Margin(equity, initial, maintenance, equity - spot - initial)


def liquidation_price(
    symbol: str, portfolio: Portfolio, marks: Mapping[str, Decimal], instruments: Mapping[str, Instrument]
) -> Decimal | None:
    """Price of this perpetual at which equity equals maintenance margin, other marks as given; None if there is none.

    Solves cash + others + qty x P = maintenance of others + rate x |qty| x P for P.
    """
    position = portfolio.positions.get(symbol)
    if position is None or not position.qty or instruments[symbol].kind is InstrumentKind.SPOT:
        return None
    others = {s: p for s, p in portfolio.positions.items() if s != symbol}
    rest = margin(replace(portfolio, positions=others), marks, instruments)
    with localcontext(_ROUNDED):
        slope = position.qty - instruments[symbol].maintenance_margin * abs(position.qty)
        if not slope:
            return None
        price = (rest.maintenance - rest.equity) / slope
    return price if price > 0 else None
