"""What we believe: features, forecasts, regimes, sentiment, signals."""

from dataclasses import dataclass

import msgspec

from seakeep.core.market import Float64, Int64

__all__ = ["FeatureFrame", "Forecast", "Regime", "Sentiment", "Signal"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFrame:
    """Features of one symbol: `names` (k,), `ts` (n,) the instant each row is known, `values` (n, k) float64.

    A NaN says the indicator is still warming up. `frame["rsi:14"]` is that column (n,).
    """

    symbol: str
    ts: Int64
    names: tuple[str, ...]
    values: Float64

    def __getitem__(self, name: str) -> Float64:
        """Column (n,) of that spec. Raises: KeyError naming the columns there are."""
        try:
            column: Float64 = self.values[:, self.names.index(name)]
        except ValueError:
            raise KeyError(f"no feature {name!r} in this frame; it has {', '.join(self.names)}") from None
        return column

    def __len__(self) -> int:
        return len(self.ts)


class Forecast(msgspec.Struct, frozen=True):
    """An expert's opinion of the log return over `horizon_ms`; confidence in [0, 1], 0 abstains."""

    expert: str
    version: str
    symbol: str
    ts: int
    horizon_ms: int
    mean: float
    std: float
    prob_up: float
    confidence: float


class Regime(msgspec.Struct, frozen=True):
    """State of the market: bull, bear, ranging, volatile or unknown, with the probability of each."""

    ts: int
    label: str
    probs: tuple[tuple[str, float], ...]
    confidence: float


class Sentiment(msgspec.Struct, frozen=True):
    """Tone of text about one symbol in [-1, 1]; volume is how many texts, confidence in [0, 1]."""

    symbol: str
    ts: int
    score: float
    volume: float
    confidence: float


class Signal(msgspec.Struct, frozen=True, gc=False):
    """A directed opinion in [-1, 1]; `group` is what the blend weighs (technical, momentum, ...)."""

    source: str
    group: str
    symbol: str
    ts: int
    score: float
    confidence: float
    half_life_ms: int
