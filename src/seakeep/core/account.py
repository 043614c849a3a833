"""What we own, in Decimal. The rules that change it are in `execution.accounting`."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

__all__ = ["Portfolio", "Position"]


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Holding of one symbol: signed `qty`, signed `cost` of what is open (average price is cost / qty), quote units.

    `realised` excludes fees and funding; `fees` is what was paid, `funding` what was received (negative: paid).
    """

    symbol: str
    qty: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)


class Portfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Cash by asset and positions by symbol.

    Cash moves by price x quantity at every fill, of a perpetual too, so one identity holds for all:
    equity = cash + sum of qty x mark. The wallet balance a venue shows for a perpetual is cash + cost.
    """

    quote: str
    cash: dict[str, Decimal]
    positions: dict[str, Position] = {}

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Value in quote units. Raises: KeyError if an open position has no mark."""
        held = (p.qty * marks[s] for s, p in self.positions.items() if p.qty)
        return self.cash.get(self.quote, Decimal(0)) + sum(held, Decimal(0))
