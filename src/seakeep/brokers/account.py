"""The account at the simulated venue: funds, funding, margin calls. Its book is its own, so ours can be held to it."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

from seakeep.brokers.book import Market, exact
from seakeep.core.account import Portfolio, Position
from seakeep.core.errors import DataError
from seakeep.core.events import Funded
from seakeep.core.market import InstrumentKind, Observation
from seakeep.core.orders import Fill, Liquidity, Side
from seakeep.core.units import iso
from seakeep.execution.accounting import apply_fill, apply_funding, funding_amount, liquidation_price, margin

__all__ = ["Account"]

_FUNDING_SLACK_MS = 5_000
"""Venues stamp and publish a funding payment some milliseconds off its instant."""

_NEAR = 1.001
"""A margin this close to its limit, in floats, is worked out in Decimal."""


class Account:
    """Cash and positions at the venue under cross margin."""

    def __init__(self, portfolio: Portfolio, markets: Mapping[str, Market]) -> None:
        self.portfolio, self.markets = portfolio, markets
        self._instruments = {symbol: market.instrument for symbol, market in markets.items()}
        self.margined = False

    def position(self, symbol: str) -> Position:
        """What is held of that symbol."""
        return self.portfolio.positions.get(symbol) or Position(symbol=symbol)

    def settle(self, fill: Fill) -> None:
        """Book a fill."""
        self.portfolio = apply_fill(self.portfolio, fill)
        market, after = self.markets[fill.symbol], float(self.position(fill.symbol).qty)
        if not market.qty or market.qty * after < 0:
            market.since = fill.ts
        market.qty = after
        self.margined = any(m.margined for m in self.markets.values())

    def shortfall(self, fill: Fill) -> str:
        """Why the account could not carry this fill; empty if it can. What only reduces is always carried."""
        held = self.position(fill.symbol).qty
        after = held + fill.qty * fill.side.sign
        if held * after >= 0 and abs(after) <= abs(held):
            return ""
        market = self.markets[fill.symbol]
        if after < 0 and market.instrument.kind is InstrumentKind.SPOT:
            return f"spot cannot be sold short: {fill.qty} is more than the {held} held"
        marks = {**self._marks(), fill.symbol: fill.mid}
        now = margin(self.portfolio, marks, self._instruments).free
        left = margin(apply_fill(self.portfolio, fill), marks, self._instruments).free
        if left >= 0:
            return ""
        needs = f"{fill.side} {fill.qty} at {fill.price} needs {now - left:.2f} {self.portfolio.quote}"
        return f"insufficient funds: {needs}, free is {now:.2f}"

    def _marks(self) -> dict[str, Decimal]:
        """The last open of everything held: inside a bar no later price is known to come first."""
        return {s: exact(m.bar.open) for s, m in self.markets.items() if m.qty and m.bar is not None}

    def fund(self, observation: Observation, ts: int) -> Funded | None:
        """Pay or receive funding; None if the observation is not new or nothing is held. Raises: DataError."""
        market = self.markets.get(observation.symbol or "")
        if observation.name != "funding_rate" or market is None or observation.ts <= market.funded_ts:
            return None
        market.funded_ts = observation.ts
        if not market.margined or market.bar is None:
            return None
        symbol, mark = market.instrument.symbol, exact(market.bar.close)
        amount = funding_amount(self.position(symbol), mark, observation.value)
        self.portfolio = apply_funding(self.portfolio, symbol, amount)
        return Funded(ts, symbol, observation.value, amount)

    def require_funding(self, now: int, interval_ms: int) -> None:
        """Hold every open perpetual to the last funding instant before now.

        Raises: DataError if it was held over that instant and no rate was seen; a missing rate is not zero.
        """
        instant = (now - 1 - _FUNDING_SLACK_MS) // interval_ms * interval_ms
        for symbol, market in self.markets.items():
            if market.margined and market.since < instant and market.funded_ts < instant - _FUNDING_SLACK_MS:
                remedy = "supply funding_rate observations, or trade the spot market"
                raise DataError(f"{symbol}: held at {iso(instant)} with no funding rate", remedy=remedy)

    def margin_calls(self, ts: int) -> Iterator[Fill]:
        """Close perpetuals, the largest first, while equity is below maintenance at the worst prices of the bars.

        A position goes at the worse of its liquidation price and the open, plus the costs of a taker.
        """
        while self.margined and self._may_fail():
            marks = {s: _worst(m, ts) for s, m in self.markets.items() if m.qty}
            state = margin(self.portfolio, marks, self._instruments)
            if state.equity >= state.maintenance:
                return
            fill = self._closing(max(self._perpetuals(), key=lambda m: abs(m.qty) * float(_worst(m, ts))), marks, ts)
            self.settle(fill)
            yield fill

    def _perpetuals(self) -> Iterator[Market]:
        return (market for market in self.markets.values() if market.margined)

    def _may_fail(self) -> bool:
        """The margin test in floats, a little too strict: what passes here passes in Decimal."""
        equity, maintenance = float(self.portfolio.cash[self.portfolio.quote]), 0.0
        for market in self.markets.values():
            if market.qty and market.bar is not None:
                price = market.bar.low if market.qty > 0 else market.bar.high
                equity += market.qty * price
                if market.margined:
                    maintenance += abs(market.qty) * price * float(market.instrument.maintenance_margin)
        return not equity > maintenance * _NEAR

    def _closing(self, market: Market, marks: Mapping[str, Decimal], ts: int) -> Fill:
        symbol, qty = market.instrument.symbol, self.position(market.instrument.symbol).qty
        side = Side.SELL if qty > 0 else Side.BUY
        limit = liquidation_price(symbol, self.portfolio, marks, self._instruments)
        trigger = float(marks[symbol] if limit is None else limit)
        start = _start(market, ts)
        mid = min(trigger, start) if qty > 0 else max(trigger, start)
        price = market.taker(mid, side.sign, abs(market.qty))
        return Fill(
            id=f"liquidation-{symbol}-{ts}",
            order_id="",
            symbol=symbol,
            ts=ts,
            side=side,
            price=price,
            qty=abs(qty),
            fee=abs(qty) * price * market.instrument.taker_fee,
            fee_asset=self.portfolio.quote,
            liquidity=Liquidity.TAKER,
            mid=exact(mid),
        )


def _start(market: Market, ts: int) -> float:
    """Where the price was when this slice began: the bar's open, or the last close if no bar came."""
    if market.bar is None:
        return math.nan
    return market.bar.open if market.bar.close_time == ts else market.bar.close


def _worst(market: Market, ts: int) -> Decimal:
    """The price in this slice that hurts most: the low of what we are long, the high of what we are short."""
    if market.bar is None:
        return Decimal("nan")
    if market.bar.close_time != ts:
        return exact(market.bar.close)
    return exact(market.bar.low if market.qty > 0 else market.bar.high)
