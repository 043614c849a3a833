"""What the order book says: which side waits with more."""

from typing import ClassVar

from seakeep.core.units import MINUTE_MS
from seakeep.strategy.alphas import SIGNALS, Alpha, Reading, Scene, Silence

__all__ = ["BookImbalance"]


@SIGNALS.register("book_imbalance")
class BookImbalance(Alpha):
    """Quantity bid less quantity offered over their sum, on the best `levels` of both sides [1]_.

    Confidence is the share of those levels that the book shows on both sides. It needs order books in the feed; bars
    alone leave it silent.

    .. [1] Gould and Bonart, "Queue imbalance as a one-tick-ahead price predictor in a limit order book", Market
       Microstructure and Liquidity 2 (2016).
    """

    group: ClassVar[str] = "technical"

    levels: int = 5
    half_life_ms: int = 20 * MINUTE_MS

    @property
    def bars(self) -> int:
        """It reads no bar."""
        return 0

    def read(self, scene: Scene) -> Reading | Silence:
        """Silent without a book, or where its sides cross."""
        book = scene.book
        if book is None or not book.bids or not book.asks:
            return Silence("no order book")
        if not 0.0 < book.bids[0][0] < book.asks[0][0]:
            return Silence("the order book is crossed")
        bids, asks = ([qty for _, qty in side[: self.levels]] for side in (book.bids, book.asks))
        bid, ask = sum(bids), sum(asks)
        if not (min(*bids, *asks) >= 0.0 and 0.0 < bid + ask < float("inf")):
            return Silence("the order book holds no quantity")
        return Reading((bid - ask) / (bid + ask), min(len(bids), len(asks)) / self.levels, book.ts)
