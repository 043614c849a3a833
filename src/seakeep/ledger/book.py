"""The account recomputed from the journal's fills, by the rules of `execution.accounting`."""

from collections.abc import Sequence
from decimal import Decimal

from seakeep.core.account import Portfolio
from seakeep.core.errors import IntegrityError
from seakeep.core.events import Event, Filled, Funded, Liquidated, Record, Slice
from seakeep.core.verdicts import RiskSnapshot
from seakeep.execution.accounting import apply_fill, apply_funding

__all__ = ["Book"]

_TOLERANCE = 1e-9
"""Of gross value: the snapshot was added up in floats, in another order."""


class Book:
    """Cash and holdings as fills and funding make them; each snapshot's equity must be theirs at the last closes.

    The starting cash is the equity of the first snapshot, which comes before the first fill. Where that is not so, or
    one symbol has bars of several intervals (which of them marks it is the run's choice), equity is not checked.
    """

    def __init__(self) -> None:
        self._start: Decimal | None = None
        self._portfolio: Portfolio | None = None
        self._cash = 0.0
        self._held: dict[str, float] = {}
        self._marks: dict[str, float] = {}
        self._intervals: dict[str, str] = {}
        self._skipped = ""
        self._checked = 0

    @property
    def verdict(self) -> str:
        """What was checked, for the report."""
        return (
            f"equity not checked: {self._skipped}"
            if self._skipped
            else f"{self._checked} snapshots agree with the fills"
        )

    def take(self, event: Event, records: Sequence[Record]) -> str | None:
        """Follow one entry; what does not add up, or None."""
        if self._skipped:
            return None
        try:
            self._follow(event)
        except IntegrityError as error:
            self._skipped = "the fills do not make a book"
            return str(error)
        snapshots = [record for record in records if isinstance(record, RiskSnapshot)]
        return next((what for snapshot in snapshots if (what := self._differs(snapshot)) is not None), None)

    def _follow(self, event: Event) -> None:
        if isinstance(event, Slice):
            for bar in event.bars:
                self._marks[bar.symbol] = bar.close
                if self._intervals.setdefault(bar.symbol, bar.interval) != bar.interval:
                    self._skipped = f"{bar.symbol} has bars of several intervals"
        elif isinstance(event, Filled | Liquidated):
            if (portfolio := self._opened(event.fill.symbol)) is not None:
                self._keep(apply_fill(portfolio, event.fill))
        elif isinstance(event, Funded) and (portfolio := self._opened(event.symbol)) is not None:
            self._keep(apply_funding(portfolio, event.symbol, event.amount))

    def _opened(self, symbol: str) -> Portfolio | None:
        """The account, opened with the first snapshot's equity in this symbol's quote asset."""
        quote = symbol.partition("/")[2].partition(":")[0]
        if self._portfolio is None and self._start is not None:
            self._portfolio = Portfolio(quote=quote, cash={quote: self._start})
        if self._portfolio is None:
            self._skipped = "no snapshot comes before the first fill"
        elif self._portfolio.quote != quote:
            self._skipped = f"{symbol} is not quoted in {self._portfolio.quote}"
        return None if self._skipped else self._portfolio

    def _keep(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio
        self._cash = float(portfolio.cash[portfolio.quote])
        self._held = {symbol: float(p.qty) for symbol, p in portfolio.positions.items() if p.qty}

    def _differs(self, snapshot: RiskSnapshot) -> str | None:
        if self._start is None:
            self._start = Decimal(repr(snapshot.equity))
            self._cash = snapshot.equity
        unmarked = next((symbol for symbol in self._held if symbol not in self._marks), None)
        if unmarked is not None:
            self._skipped = f"{unmarked} is held and has no bar"
            return None
        values = [qty * self._marks[symbol] for symbol, qty in self._held.items()]
        equity = self._cash + sum(values)
        self._checked += 1
        scale = abs(self._cash) + sum(abs(value) for value in values)
        if abs(equity - snapshot.equity) <= _TOLERANCE * scale:
            return None
        return f"equity is {snapshot.equity!r} in the snapshot, fills and closes make {equity!r}"
