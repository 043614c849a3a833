"""From an allowed verdict to the order that carries it out."""

import math
from decimal import Decimal

import msgspec

from seakeep.core.account import Portfolio
from seakeep.core.market import Instrument, InstrumentKind
from seakeep.core.orders import Side
from seakeep.core.units import as_float, quantise_down, quantise_up
from seakeep.core.verdicts import RiskVerdict

__all__ = ["HEADROOM", "ParentOrder", "Plan", "plan"]

HEADROOM = Decimal("0.01")
"""Share of the cash a spot purchase leaves for spread, impact and the move until it reaches the venue."""

_ZERO = Decimal(0)
_BUY, _SELL, _SPOT, _PERPETUAL = Side.BUY, Side.SELL, InstrumentKind.SPOT, InstrumentKind.PERPETUAL
_NEAR = 1e-9
_SPENT = float(1 - HEADROOM) * (1.0 - _NEAR)
"""What of the cash surely pays for a purchase, as floats count it."""


class ParentOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What one verdict asks of the market. Prices in quote units.

    `after` is the size of the holding once it is filled: what stop and targets stand for. `targets` take profit,
    nearest first: each a price and the quantity it closes; `take_profit` is the nearest.
    """

    id: str
    decision_id: str
    symbol: str
    venue: str
    ts: int
    side: Side
    qty: Decimal
    after: Decimal
    reduce_only: bool
    stop: Decimal | None = None
    take_profit: Decimal | None = None
    targets: tuple[tuple[Decimal, Decimal], ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """The order, or None and the reason there is none."""

    order: ParentOrder | None
    reason: str = ""


def plan(verdict: RiskVerdict, portfolio: Portfolio, instrument: Instrument, mark: float, equity: float) -> Plan:
    """The order that moves the holding to the verdict's target weight, quantised to the side that risks less.

    A reduction is never held back: a target of zero closes all of it, whatever lot and smallest notional say. An
    addition below the smallest notional is not made; a flip whose new side is too small only closes.

    Raises: TypeError unless the verdict is a RiskVerdict that allows an order; ValueError for another symbol, or a
    mark or equity that cannot size an order.
    """
    if not isinstance(verdict, RiskVerdict) or not verdict.allowed:
        raise TypeError(f"plan needs a verdict that allows an order, got {verdict!r}")
    if verdict.symbol != instrument.symbol:
        raise ValueError(f"verdict for {verdict.symbol} cannot be planned on {instrument.symbol}")
    mark, equity = float(mark), float(equity)
    position = portfolio.positions.get(verdict.symbol)
    held = position.qty if position else _ZERO
    wanted = _wanted(verdict.target, held, instrument, mark, equity)
    reduces = abs(wanted) <= abs(held) and wanted * held >= 0 if held else not wanted
    value = math.inf
    if reduces:
        qty = _reduction(held, wanted, instrument)
    else:
        qty, value = _addition(held, wanted, portfolio, instrument, mark)
    side = _BUY if wanted > held else _SELL
    if not qty:
        return Plan(None, _why_not(verdict.target, held, wanted, instrument))
    if not reduces and _too_small(qty, value, mark, instrument):
        return Plan(None, f"{qty * Decimal(repr(mark)):f} {instrument.quote} is below the smallest order")
    return Plan(_parent(verdict, instrument, held, side, qty, reduces))


def _wanted(target: float, held: Decimal, instrument: Instrument, mark: float, equity: float) -> Decimal:
    """Signed quantity to hold, whole lots toward zero; what cannot be held counts as zero."""
    if target == 0 or (target < 0 and instrument.kind is _SPOT):
        return _ZERO
    if not (math.isfinite(target) and math.isfinite(mark) and mark > 0 and math.isfinite(equity) and equity > 0):
        raise ValueError(f"{instrument.symbol}: cannot size target {target!r} at mark {mark!r} with equity {equity!r}")
    size = quantise_down(abs(target) * equity / mark, instrument.lot)
    wanted = size if target > 0 else -size
    flips = held and wanted * held < 0
    return _ZERO if flips and _too_small(size, float(size) * mark, mark, instrument) else wanted


def _too_small(qty: Decimal, value: float, mark: float, instrument: Instrument) -> bool:
    """Whether it is worth less than the venue takes; in Decimal where the float `value` is too near to tell."""
    least = as_float(instrument.min_notional)
    if abs(value - least) > _NEAR * least:
        return value < least
    return qty * Decimal(repr(mark)) < instrument.min_notional


def _reduction(held: Decimal, wanted: Decimal, instrument: Instrument) -> Decimal:
    return min(abs(held), quantise_up(abs(held - wanted), instrument.lot)) if wanted else abs(held)


def _addition(
    held: Decimal, wanted: Decimal, portfolio: Portfolio, instrument: Instrument, mark: float
) -> tuple[Decimal, float]:
    """Whole lots to add and their value; a spot purchase stays within the cash, in Decimal only where it might not."""
    qty = quantise_down(abs(wanted - held), instrument.lot) if held else abs(wanted)
    value = float(qty) * mark
    if instrument.kind is _PERPETUAL:
        return qty, value
    cash = portfolio.cash.get(portfolio.quote, _ZERO)
    if float(cash) * _SPENT > value * (1.0 + as_float(instrument.taker_fee)):
        return qty, value
    payable = max(cash, _ZERO) * (1 - HEADROOM) / (Decimal(repr(mark)) * (1 + instrument.taker_fee))
    qty = min(qty, quantise_down(payable, instrument.lot))
    return qty, float(qty) * mark


def _why_not(target: float, held: Decimal, wanted: Decimal, instrument: Instrument) -> str:
    if target < 0 and instrument.kind is _SPOT:
        return "spot cannot be sold short"
    if held == wanted:
        return "the holding is at its target already"
    return f"less than one lot of {instrument.lot} {instrument.base}, or no cash to buy it"


def _parent(
    verdict: RiskVerdict, instrument: Instrument, held: Decimal, side: Side, qty: Decimal, reduces: bool
) -> ParentOrder:
    """Protective prices go to the tick nearer the market: they act sooner, not later."""
    after, tick = abs(held + qty if side is _BUY else held - qty), instrument.tick
    stop_side, target_side = (quantise_up, quantise_down) if verdict.target > 0 else (quantise_down, quantise_up)
    stop = None if verdict.stop is None else stop_side(verdict.stop, tick)
    wanted = verdict.targets or (() if verdict.take_profit is None else ((verdict.take_profit, 1.0),))
    targets = (
        _rungs([(target_side(price, tick), share) for price, share in wanted], after, instrument) if wanted else ()
    )
    return ParentOrder(
        id=f"{verdict.decision_id}-p",
        decision_id=verdict.decision_id,
        symbol=verdict.symbol,
        venue=instrument.venue,
        ts=verdict.ts,
        side=side,
        qty=qty,
        after=after,
        reduce_only=reduces,
        stop=stop,
        take_profit=targets[0][0] if targets else None,
        targets=targets,
    )


def _rungs(
    wanted: list[tuple[Decimal, float]], qty: Decimal, instrument: Instrument
) -> tuple[tuple[Decimal, Decimal], ...]:
    """Each target with its share of the quantity in whole lots; shares that add up to 1 leave nothing over."""
    rungs, left, given = [], qty, 0.0
    for price, share in wanted:
        given += share
        part = left if given > 1.0 - 1e-9 else min(left, quantise_down(qty * Decimal(repr(share)), instrument.lot))
        if part > 0 and price > 0:
            rungs.append((price, part))
            left -= part
    return tuple(rungs)
