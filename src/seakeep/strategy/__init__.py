"""Floor 3: decisions. Strategies score features, signals are blended, a stance is taken; built-ins are listed here."""

from seakeep.strategy import crossasset, depth, divergence, extremes, reversion, selection, trend
from seakeep.strategy.alphas import SIGNALS, Alpha
from seakeep.strategy.base import STRATEGIES, Strategy

__all__ = [
    "SIGNALS",
    "STRATEGIES",
    "Alpha",
    "Strategy",
    "crossasset",
    "depth",
    "divergence",
    "extremes",
    "reversion",
    "selection",
    "trend",
]
