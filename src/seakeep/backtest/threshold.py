"""A threshold strategy on the probability that the price rises: leverage, pyramiding, a target, isolated margin.

This keeps the accounting of an earlier system, in which traders of that kind think: an opinion p is formed at each
close; beyond 0.5 + threshold a buy limit is placed a little below the close, below 0.5 - threshold a sell limit a
little above; a position is closed at a close that lies `target` away from its entry, or by the opposite opinion; it
is liquidated when the worst price of a bar leaves less of its margin than `liquidation_bump`. Where that system erred
this one does not: at most one order rests and a newer one replaces it, a liquidation costs the entry fee too, it ends
at the same distance for longs and shorts, and the account is marked to market at every close.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import msgspec
import numpy as np
from pydantic import Field, ValidationError

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame, Float64

__all__ = ["MAX_RUNS", "ThresholdParams", "ThresholdRun", "ThresholdTrade", "changed", "combinations", "simulate"]

MAX_RUNS = 1_000
"""Combinations of parameters in one go, at most."""


class ThresholdParams(Section):
    """What one run is made of; shares are fractions, fees and offsets are fractions of the price."""

    leverage: float = Field(7.0, ge=1, le=125, description="notional over margin")
    order_size: float = Field(0.1, gt=0, le=1, description="share of the free balance that one entry takes as margin")
    pyramid_max: int = Field(1, ge=1, le=100, description="entries a position may have")
    threshold: float = Field(0.08, ge=0, lt=0.5, description="how far p must lie from 0.5 before an order is placed")
    target: float = Field(0.01, gt=0, le=10, description="distance from the entry at which a close ends the position")
    liquidation_bump: float = Field(0.004, ge=0, lt=1, description="share of the margin left at which it is closed")
    fee: float = Field(0.0005, ge=0, lt=0.1, description="fee a side")
    limit_offset: float = Field(0.001, ge=0, lt=1, description="distance of the limit from the close")
    initial_balance: float = Field(100.0, gt=0, description="balance at the start, in quote units")

    @property
    def name(self) -> str:
        """Short name: T0.08-L7O0.1P1."""
        return f"T{self.threshold:g}-L{self.leverage:g}O{self.order_size:g}P{self.pyramid_max}"


class ThresholdTrade(msgspec.Struct, frozen=True):
    """One position from its first entry to its end. `realised`, `best` and `worst` are shares of its margin, fees
    included; -1 is a liquidation. Stamps are closes, UTC ms; `reason` is target, opinion, liquidation or end."""

    side: str
    entry_price: float
    exit_price: float
    entry_ts: int
    exit_ts: int
    qty: float
    realised: float
    best: float
    worst: float
    pnl: float
    reason: str

    @property
    def kind(self) -> str:
        """liquidated, loss, even (within 0.1 % of the margin) or profit."""
        if self.reason == "liquidation":
            return "liquidated"
        return "loss" if self.realised < -0.001 else "profit" if self.realised > 0.001 else "even"


@dataclass(frozen=True, eq=False)
class ThresholdRun:
    """One run: its trades, and the account marked at every close, `equity` (n,) in quote units."""

    params: ThresholdParams
    trades: tuple[ThresholdTrade, ...]
    equity: Float64


@dataclass
class _Position:
    """An open position; `side` +1 or -1, `entry` its mean entry price, `fees` what its entries cost."""

    side: int
    ts: int
    qty: float = 0.0
    entry: float = 0.0
    margin: float = 0.0
    fees: float = 0.0
    entries: int = 0
    best: float = -np.inf
    worst: float = np.inf

    def add(self, qty: float, price: float, params: ThresholdParams) -> None:
        self.entry = (self.entry * self.qty + price * qty) / (self.qty + qty)
        self.qty += qty
        self.margin += qty * price / params.leverage
        self.fees += qty * price * params.fee
        self.entries += 1

    def gain(self, price: float, fee: float) -> float:
        """Profit in quote units if it ended at that price, all fees paid."""
        return self.side * (price - self.entry) * self.qty - self.fees - fee * price * self.qty

    def watch(self, *prices: float, fee: float) -> None:
        """Remember the best and the worst share of the margin these prices would have given."""
        shares = [self.gain(price, fee) / self.margin for price in prices]
        self.best, self.worst = max(self.best, *shares), min(self.worst, *shares)


@dataclass
class _Account:
    params: ThresholdParams
    balance: float
    position: _Position | None = None
    resting: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        self.trades: list[ThresholdTrade] = []

    def fill(self, ts: int, low: float, high: float, close: float) -> bool:
        """Fill the resting order if the price went through it; whether it did."""
        if self.resting is None:
            return False
        side, limit = self.resting
        if not (low < limit if side > 0 else high > limit):
            return False
        self.resting = None
        free = self.balance - (self.position.margin if self.position else 0.0)
        if free <= 0:
            return False
        if self.position is None:
            self.position = _Position(side, ts)
        qty = self.params.order_size * free * self.params.leverage / close
        self.position.add(qty, limit, self.params)
        return True

    def liquidate(self, ts: int, worst: float) -> None:
        """End the position if the worst price left too little of its margin; the margin and the entry fees are gone."""
        held, params = self.position, self.params
        if held is None or held.gain(worst, params.fee) / held.margin >= -1 + params.liquidation_bump:
            return
        price = held.entry * (1 - held.side * (1 / params.leverage - params.liquidation_bump))
        self._end(ts, price, -held.margin - held.fees, -1.0, "liquidation")

    def close(self, ts: int, price: float, reason: str) -> None:
        """End the position at that price."""
        if self.position is not None:
            gain = self.position.gain(price, self.params.fee)
            self._end(ts, price, gain, gain / self.position.margin, reason)

    def _end(self, ts: int, price: float, pnl: float, realised: float, reason: str) -> None:
        held = self.position
        if held is None:
            return
        self.balance += pnl
        side = "LONG" if held.side > 0 else "SHORT"
        worst = min(held.worst, realised)
        self.trades.append(
            ThresholdTrade(
                side, held.entry, price, held.ts, ts, held.qty, realised, max(held.best, realised), worst, pnl, reason
            )
        )
        self.position = None

    def decide(self, ts: int, close: float, p: float) -> None:
        """What the opinion of this close does: end at the target, turn, place an order."""
        params, held = self.params, self.position
        if held is not None and abs(close / held.entry - 1) >= params.target:
            self.close(ts, close, "target")
        side = 1 if p > 0.5 + params.threshold else -1 if p < 0.5 - params.threshold else 0
        if not side:
            return
        if self.position is not None and self.position.side != side:
            self.close(ts, close, "opinion")
        if self.position is None or self.position.entries < params.pyramid_max:
            self.resting = (side, close * (1 - side * params.limit_offset))
        else:
            self.resting = None

    def marked(self, close: float) -> float:
        """Equity at that price, the fee of leaving not yet paid."""
        return self.balance + (self.position.gain(close, 0.0) if self.position else 0.0)


def simulate(bars: BarFrame, prob_up: Float64, params: ThresholdParams) -> ThresholdRun:
    """Run the strategy over bars with the probability (n,) formed at each close; NaN is no opinion.

    An order meets the next bar at the earliest. On the bar that fills it only the prices that must have come after
    the fill count: the price went through the limit to reach the bar's worst one. A position that is still open at the
    end is closed there, with reason "end".

    Raises: DataError for a probability outside [0, 1]; ValueError if the lengths differ.
    """
    p = _opinions(bars, prob_up)
    account = _Account(params, params.initial_balance)
    equity = np.empty(len(bars))
    columns = (bars.known_at, bars.high, bars.low, bars.close, p)
    for i, (ts, high, low, close, opinion) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        filled = account.fill(ts, low, high, close)
        held = account.position
        if held is not None:
            worst, best = (low, high) if held.side > 0 else (high, low)
            held.watch(worst, close if filled else best, fee=params.fee)
            account.liquidate(ts, worst)
        account.decide(ts, close, opinion)
        equity[i] = account.marked(close)
        if account.balance <= 0 and account.position is None:
            equity[i:] = max(account.balance, 0.0)
            break
    else:
        account.close(int(bars.known_at[-1]), float(bars.close[-1]), "end")
        equity[-1] = account.balance
    equity.flags.writeable = False
    return ThresholdRun(params, tuple(account.trades), equity)


def _opinions(bars: BarFrame, prob_up: Float64) -> Float64:
    if prob_up.shape != (len(bars),):
        raise ValueError(f"{len(bars)} bars need as many probabilities, got shape {prob_up.shape}")
    if not len(bars):
        raise DataError("there are no bars to run on", remedy="import some with: seakeep import-data")
    p = np.where(np.isnan(prob_up), 0.5, prob_up)
    outside = np.flatnonzero((p < 0) | (p > 1))
    if len(outside):
        row = int(outside[0])
        raise DataError(f"row {row}: a probability lies in [0, 1]", value=float(p[row]), remedy="correct the file")
    return p


def combinations(
    base: ThresholdParams,
    thresholds: Sequence[float],
    leverages: Sequence[float],
    order_sizes: Sequence[float],
    pyramid_maxes: Sequence[int],
) -> tuple[ThresholdParams, ...]:
    """Every combination of the lists on top of `base`; an empty list keeps the base's value.

    Raises: ConfigError for more than `MAX_RUNS`, or for a value out of bounds.
    """
    lists = (
        list(dict.fromkeys(thresholds)) or [base.threshold],
        list(dict.fromkeys(leverages)) or [base.leverage],
        list(dict.fromkeys(order_sizes)) or [base.order_size],
        list(dict.fromkeys(pyramid_maxes)) or [base.pyramid_max],
    )
    count = math.prod(len(values) for values in lists)
    if count > MAX_RUNS:
        raise ConfigError("too many combinations", value=count, remedy=f"at most {MAX_RUNS}: shorten a list")
    return tuple(
        changed(base, {"threshold": t, "leverage": lev, "order_size": size, "pyramid_max": most})
        for t, lev, size, most in product(*lists)
    )


def changed(base: ThresholdParams, values: Mapping[str, object]) -> ThresholdParams:
    """`base` with some values replaced. Raises: ConfigError naming the one that is out of bounds."""
    try:
        return ThresholdParams.model_validate({**base.model_dump(), **values})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{first['loc'][0]}: {first['msg'].lower()}", value=first["input"]) from None
