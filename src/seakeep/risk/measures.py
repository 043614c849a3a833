"""The account as numbers: one snapshot per slice."""

from collections.abc import Mapping

from seakeep.core.verdicts import RiskSnapshot

__all__ = ["measure"]


def measure(ts: int, equity: float, peak: float, day_open: float, values: Mapping[str, float]) -> RiskSnapshot:
    """Snapshot from equity, its peak, its value at 00:00 UTC, and the signed market value of each position.

    Losses are positive fractions. An equity that is not positive is a drawdown of 1 and unlimited exposure.

    >>> measure(0, 95.0, 100.0, 100.0, {"BTC/USDT": 19.0}).gross
    0.2
    """
    scale = 1.0 / equity if equity > 0 else float("inf")
    exposure = tuple((symbol, value * scale) for symbol, value in values.items() if value)
    return RiskSnapshot(
        ts,
        equity,
        1.0 - max(equity, 0.0) / peak,
        max(0.0, 1.0 - equity / day_open) if day_open > 0 else 1.0,
        sum(abs(weight) for _, weight in exposure),
        exposure,
    )
