"""What a strategy earned in each regime, as the regime was told when the position was held."""

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from seakeep.core.market import Float64, Int64
from seakeep.models.regimes import LABELS

__all__ = ["RegimePerformance", "by_regime"]


class RegimePerformance(msgspec.Struct, frozen=True):
    """Returns of the bars that followed a label: how many, their share, mean and volatility a year, Sharpe, wins.

    `low` and `high` hold the true mean a year with 95 % confidence; NaN where fewer than 30 bars say nothing.
    """

    label: str
    bars: int
    share: float
    mean: float
    low: float
    high: float
    volatility: float
    sharpe: float
    win_rate: float


_LEAST = 30


def by_regime(codes: Int64, returns: Float64, periods: float) -> tuple[RegimePerformance, ...]:
    """A row for each label that came up: log `returns` (n,) of bars whose regime `codes` (n,) was known before.

    `periods` are the bars of a year. A return that is NaN is left out.

    >>> by_regime(np.zeros(40, int), np.full(40, 0.01), 365)[0].label
    'bull'

    Raises: ValueError if the lengths differ.
    """
    if len(codes) != len(returns):
        raise ValueError(f"{len(codes)} regimes and {len(returns)} returns do not belong together")
    return tuple(_rows(codes, returns, periods))


def _rows(codes: Int64, returns: Float64, periods: float) -> Iterator[RegimePerformance]:
    seen = np.isfinite(returns)
    for code, label in enumerate(LABELS):
        own = returns[seen & (codes == code)]
        if not len(own):
            continue
        mean, spread = float(own.mean()), float(own.std(ddof=1)) if len(own) > 1 else math.nan
        enough = len(own) >= _LEAST
        error = spread / math.sqrt(len(own)) if enough else math.nan
        moved = own[own != 0]
        yield RegimePerformance(
            label,
            len(own),
            len(own) / int(seen.sum()),
            mean * periods if enough else math.nan,
            (mean - 1.96 * error) * periods,
            (mean + 1.96 * error) * periods,
            spread * math.sqrt(periods) if enough else math.nan,
            mean / spread * math.sqrt(periods) if enough and spread > 0 else math.nan,
            float((moved > 0).mean()) if enough and len(moved) else math.nan,
        )
