"""What the engine has come to believe beside features: regimes, depth, returns of all markets, and who has earned what.

Everything here is made of the events so far and of nothing else, so a replay rebuilds it. It is only kept where some
part of the pipeline looks at it.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from seakeep.core.beliefs import FeatureFrame, Regime, Sentiment, Signal
from seakeep.core.market import Bar, Float64, OrderBook
from seakeep.core.units import HOUR_MS
from seakeep.engine.pipeline import Pipeline
from seakeep.features.frame import LiveFeatures
from seakeep.strategy.alphas import Scene
from seakeep.strategy.learning import Learner, payoff
from seakeep.strategy.paper import Paper
from seakeep.strategy.selection import Moment, Selector

__all__ = ["Outlook", "outlook_of"]

_BURST = 24
"""Bars that are wild when they move more than the usual of all that are kept."""


class _Round(msgspec.Struct, frozen=True):
    """The votes of an instant on each market: its regime, log price and usual move, and each voice's score."""

    bar: int
    markets: dict[str, tuple[str, float, float, dict[str, float]]]


class Outlook:
    """The beliefs of one running engine; `sentiment` is the engine's own, by symbol."""

    def __init__(self, pipeline: Pipeline, sentiment: Mapping[str, Sentiment]) -> None:
        self.pipeline, self.sentiment = pipeline, sentiment
        self.symbols = tuple(sorted(pipeline.instruments))
        self.depth: dict[str, OrderBook] = {}
        self.regimes: dict[str, Regime] = {}
        self.since: dict[str, int] = {}
        learns = pipeline.weighting.method != "static"
        self.learner = Learner(pipeline.voices, pipeline.weighting) if learns else None
        chooser = pipeline.strategy if isinstance(pipeline.strategy, Selector) else None
        self.paper = None if chooser is None else Paper(chooser, pipeline.thresholds, pipeline.bars_per_year)
        self._column = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._kept = pipeline.returns_kept + 1
        self._logs = np.full((2 * self._kept, len(self.symbols)), np.nan)
        self._end = self._kept
        self._bar = 0
        self._returns: Float64 | None = None
        self._round: _Round | None = None
        model, symbols = pipeline.regimes, self.symbols
        self._features: dict[str, LiveFeatures] = {}
        if model is not None:
            specs, rows = model.features, model.lookback
            self._features = {symbol: LiveFeatures(pipeline.interval, specs, rows) for symbol in symbols}

    def push(self, bars: Sequence[Bar], ts: int, *, trading: bool) -> None:
        """Take in the bars of an instant; regimes and records are only kept while `trading`."""
        if not bars:
            return
        if self._end == len(self._logs):
            self._logs[: self._kept] = self._logs[self._kept :]
            self._end = self._kept
        row = self._logs[self._end]
        row[:] = np.nan
        for bar in bars:
            row[self._column[bar.symbol]] = math.log(bar.close) if bar.close > 0 else math.nan
        self._end, self._bar, self._returns = self._end + 1, self._bar + 1, None
        for bar in bars if self._features else ():
            self._tell(bar, ts, trading=trading)
        if trading and self.learner is not None:
            self._settle()

    def _tell(self, bar: Bar, ts: int, *, trading: bool) -> None:
        """The regime of a market, told once an hour, or at each longer bar."""
        features, model = self._features[bar.symbol], self.pipeline.regimes
        features.push(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)
        if not trading or model is None or ts % max(HOUR_MS, self.pipeline.bar_ms):
            return
        stamps, values = features.rows()
        now = model.now(FeatureFrame(bar.symbol, stamps, features.names, values))
        before = self.regimes.get(bar.symbol)
        if before is None or before.label != now.label:
            self.since[bar.symbol] = ts
        self.regimes[bar.symbol] = now

    def price(self, symbol: str) -> float:
        """The newest close of a market; NaN without a bar at this instant."""
        return math.exp(float(self._logs[self._end - 1, self._column[symbol]]))

    def label(self, symbol: str) -> str:
        """The regime of a market; unknown where none has been told."""
        regime = self.regimes.get(symbol)
        return "unknown" if regime is None else regime.label

    @property
    def returns(self) -> Float64:
        """Log returns (n, k) of the kept bars, NaN where a market has none."""
        if self._returns is None:
            self._returns = np.diff(self._logs[self._end - self._kept : self._end], axis=0)
        return self._returns

    def scene(self, symbol: str, ts: int) -> Scene:
        """What is known of that market."""
        return Scene(
            symbol=symbol,
            ts=ts,
            returns=self.returns,
            column=self._column[symbol],
            regime=self.regimes.get(symbol),
            since=self.since.get(symbol, ts),
            sentiment=self.sentiment.get(symbol),
            book=self.depth.get(symbol),
        )

    def usual(self, symbol: str) -> float | None:
        """Root mean square log return of a bar of that market; None with too few bars."""
        own = self.returns[:, self._column[symbol]]
        own = own[~np.isnan(own)]
        return float(np.sqrt(np.mean(own * own))) if len(own) >= _BURST else None

    def wild(self, symbol: str) -> bool | None:
        """Whether the latest bars move more than usual; None where not known."""
        usual, latest = self.usual(symbol), self.returns[-_BURST:, self._column[symbol]]
        if usual is None or np.isnan(latest).any():
            return None
        return bool(latest @ latest > _BURST * usual * usual)

    def together(self, symbols: Sequence[str]) -> Float64:
        """Returns (n, k) of these markets on the bars that all of them have."""
        table = self.returns[:, [self._column[symbol] for symbol in symbols]]
        return np.asarray(table[~np.isnan(table).any(axis=1)])

    def vote(self, votes: Mapping[str, Sequence[Signal]]) -> None:
        """Open a round of what was said of each market, unless one is open."""
        if self.learner is None or self._round is not None:
            return
        markets = {}
        for symbol, signals in votes.items():
            usual, price = self.usual(symbol), float(self._logs[self._end - 1, self._column[symbol]])
            if signals and usual and not math.isnan(price):
                scores = {signal.source: signal.score for signal in signals}
                markets[symbol] = (self.label(symbol), price, usual, scores)
        if markets:
            self._round = _Round(self._bar, markets)

    def _settle(self) -> None:
        """Close the round when its bars have passed; a market without a price then is left out."""
        params, opened = self.pipeline.weighting, self._round
        if opened is None or self.learner is None or self._bar < opened.bar + params.horizon:
            return
        paid = []
        for symbol, (label, price, usual, scores) in opened.markets.items():
            moved = float(self._logs[self._end - 1, self._column[symbol]]) - price
            if not math.isnan(moved):
                full = params.reach * usual * math.sqrt(params.horizon)
                paid.append((label, {voice: payoff(score, moved, full) for voice, score in scores.items()}))
        self.learner.settle(paid)
        self._round = None

    def moment(self, symbols: Sequence[str], ts: int) -> Moment:
        """The market as a whole: the regime of most of these markets, whether most are wild, the mean tone."""
        labels = [self.label(symbol) for symbol in symbols]
        wild = [w for w in (self.wild(symbol) for symbol in symbols) if w is not None]
        tones = [self.sentiment[s].score for s in symbols if s in self.sentiment]
        tones = [tone for tone in tones if not math.isnan(tone)]
        most = max(dict.fromkeys(labels), key=labels.count, default="unknown")
        mean = sum(tones) / len(tones) if tones else None
        return Moment(ts, most, 2 * sum(wild) > len(wild) if wild else None, mean)


def outlook_of(pipeline: Pipeline, sentiment: Mapping[str, Sentiment]) -> Outlook | None:
    """The outlook of a pipeline; None where no part would look at it."""
    looked_at = pipeline.alphas or pipeline.regimes is not None or pipeline.returns_kept
    return Outlook(pipeline, sentiment) if looked_at else None
