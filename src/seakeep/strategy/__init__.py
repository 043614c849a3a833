"""Floor 3: decisions. Strategies score features, signals are blended, a stance is taken; built-ins are listed here."""

from seakeep.strategy import reversion, trend
from seakeep.strategy.base import STRATEGIES, Strategy

__all__ = ["STRATEGIES", "Strategy", "reversion", "trend"]
