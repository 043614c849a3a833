"""Floor 1: features, arrays in, arrays out. The built-in indicators are the five family modules listed here."""

from seakeep.features import microstructure, momentum, trend, volatility, volume
from seakeep.features.base import INDICATORS, Indicator, indicator
from seakeep.features.frame import LiveFeatures, build, lookback, resample

__all__ = [
    "INDICATORS",
    "Indicator",
    "LiveFeatures",
    "build",
    "indicator",
    "lookback",
    "microstructure",
    "momentum",
    "resample",
    "trend",
    "volatility",
    "volume",
]
