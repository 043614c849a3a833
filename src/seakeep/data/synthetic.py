"""A seeded market whose truth is known: to try the system on, and to hold estimators to.

Log return of symbol i over bar t, every random part drawn from the seed and its own name alone:

    r[i, t] = beta[i] * F[t] + e[i, t] + jump[i, t],    F[t] = drift[s[t]] + sigma[s[t]] * sqrt(h[t]) * z[t]

s is a Markov chain of regimes shared by all; F the market factor; e a shock of the symbol's own with the same shape.
z is Student's t of unit variance, h a GARCH(1,1) of unit mean: big bars follow big bars, of either sign. Given the
regime, returns have no autocorrelation. Inside a bar the path is a Brownian motion of `_STEPS` steps that ends at the
close, and high and low are its extremes. News come at random; what they say is followed by a jump of that sign,
`news_lead_bars` bars later, with a probability that grows with how strongly they say it: rarely, as in life.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import floor, log, log10, sqrt
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError
from seakeep.core.jit import kernel
from seakeep.core.market import BarFrame, Float64, Instrument, InstrumentKind, Int64, NewsItem, Observation
from seakeep.core.units import DAY_MS, HOUR_MS, YEAR_MS, interval_ms
from seakeep.data.universe import split_symbol

__all__ = ["REGIMES", "SyntheticMarket", "SyntheticParams", "Truth", "generate"]

REGIMES = ("bull", "bear", "ranging", "volatile")
_DRIFT = np.array([2.0, -2.0, 0.0, -0.3])
"""Log drift of the factor in each regime, a year."""
_SCALE = np.array([0.85, 1.1, 0.7, 1.9])
"""Volatility in each regime as a multiple of the asset's own."""
_STAY_DAYS = np.array([10.0, 8.0, 8.0, 3.0])
_NEXT = np.array([[0.0, 0.25, 0.5, 0.25], [0.25, 0.0, 0.4, 0.35], [0.45, 0.3, 0.0, 0.25], [0.3, 0.35, 0.35, 0.0]])
"""Mean stay, and where a regime that ends goes."""

_STEPS = 16
_MAX_BARS = 1_000_000
_COLLAPSE_MS = 2 * DAY_MS
_COLLAPSE = log(0.08)
"""A symbol that is delisted loses 92 % at once, at a moment nothing announces, and trades on at three times its
volatility but without drift: a fall spread over hours would be money for whoever sells what falls.
"""
_FUNDING_MS = 8 * HOUR_MS
_FUNDING_SLOPE = 0.01
_FUNDING_BASE = 0.0001
_FUNDING_CAP = 0.0075


_SUBJECTS = ("network", "foundation", "wallet maker", "custody service", "mining pool", "payment arm", "developer fund")
_SAID = (
    ("halts withdrawals after a breach", "faces a fraud lawsuit", "reports heavy losses", "is hit by a ban"),
    ("warns of delays", "sees weak demand", "reports a decline in fees", "cuts its outlook"),
    ("publishes its monthly figures", "schedules a call", "moves to a new office", "updates its documents"),
    ("reports steady growth", "sees better demand", "recovers from an outage", "raises its outlook"),
    ("wins approval", "reports record inflows", "announces a major breakthrough", "posts a strong profit"),
)
"""What news say, from bad to good; a score in [-1, 1] picks the row by `_TONES`."""
_TONES = np.array([-0.6, -0.2, 0.2, 0.6])


@dataclass(frozen=True)
class _Asset:
    """What a symbol is: first price, beta, own volatility a year, turnover a day in quote units."""

    price: float
    beta: float
    own: float
    turnover: float


_KNOWN = {
    "BTC": _Asset(42_000, 1.0, 0.20, 1.5e9),
    "ETH": _Asset(2_300, 1.15, 0.35, 8e8),
    "SOL": _Asset(100, 1.4, 0.60, 2.5e8),
    "KLP": _Asset(3.2, 1.2, 0.75, 2e7),
}


class SyntheticParams(Section):
    """What market to make."""

    symbols: tuple[str, ...] = Field(
        ("BTC/USDT", "ETH/USDT", "SOL/USDT", "KLP/USDT"), min_length=1, max_length=200, description="symbols to make"
    )
    interval: str = Field("5m", description="length of a bar, at most 1d")
    days: int = Field(120, gt=0, le=3650, description="how much history")
    start: int = Field(1_704_067_200_000, ge=0, lt=2**42, description="open of the first bar, UTC ms")
    seed: int = Field(1, ge=0, lt=2**63, description="seed of everything random")
    delisted: str | None = Field("KLP/USDT", description="the symbol that collapses and is delisted, if any")
    delisted_after: float = Field(0.75, gt=0, lt=1, description="share of the history after which it is delisted")
    volatility: float = Field(0.5, gt=0, le=5, description="volatility of the market factor, a year")
    tail: float = Field(6.0, gt=4, le=1000, description="degrees of freedom of the shocks; small: fat tails")
    clustering: float = Field(0.25, ge=0, lt=0.9, description="how far volatility clusters: 1 - 1 / E[h^2]; 0: not")
    cluster_half_life_h: float = Field(12.0, gt=0, le=8760, description="half-life of a burst of volatility, hours")
    jumps_per_month: float = Field(3.0, ge=0, le=1000, description="jumps nobody announced, per symbol")
    jump_size: float = Field(0.012, ge=0, le=0.5, description="standard deviation of a jump, log return")
    news_per_day: float = Field(3.0, ge=0, le=500, description="news items per symbol")
    news_lead_bars: int = Field(6, ge=1, le=10_000, description="bars between a news item and the jump it leads to")
    news_follow: float = Field(0.2, ge=0, le=1, description="chance that the strongest news are followed by a jump")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        bar_ms = interval_ms(self.interval)
        if bar_ms > DAY_MS or not 2 <= self.bars <= _MAX_BARS:
            message = f"{self.days} days of {self.interval} bars cannot be made"
            raise ConfigError(message, remedy=f"choose from 2 to {_MAX_BARS} bars of at most a day")
        if self.start % bar_ms:
            raise ConfigError(f"start must be a multiple of {self.interval}", value=self.start)
        for symbol in self.symbols:
            split_symbol(symbol)
        if len(set(self.symbols)) < len(self.symbols):
            raise ConfigError("each symbol can be made once", value=", ".join(self.symbols))
        if self.delisted is not None and self.delisted not in self.symbols:
            raise ConfigError("delisted must be one of the symbols", value=self.delisted, remedy="or leave it out")
        return self

    @property
    def bars(self) -> int:
        """Bars of a symbol that is not delisted."""
        return self.days * DAY_MS // interval_ms(self.interval)


@dataclass(frozen=True, eq=False)
class Truth:
    """What nobody in the market knows. k symbols in the order of the frames; NaN once a symbol is delisted.

    `ts` (n,) bar opens; `regimes` (n,) indices into `REGIMES`; `transition` (4, 4) from row to column, per bar;
    `betas` (k,); `drift` and `volatility` (n, k): mean and standard deviation of a bar's log return, jumps aside, given
    all before it; `factor_volatility` (n,): the same of the market factor; `jumps` (n, k) log returns, 0 where none;
    `news_scores` (m,) in [-1, 1], one for each news item; `delisted_at`: close of the last bar, UTC ms.
    """

    ts: Int64
    regimes: Int64
    transition: Float64
    betas: Float64
    drift: Float64
    volatility: Float64
    factor_volatility: Float64
    jumps: Float64
    news_scores: Float64
    delisted_at: Mapping[str, int]

    @property
    def stationary(self) -> Float64:
        """Long-run share of each regime (4,)."""
        return _stationary(self.transition)

    def correlation(self, i: int, j: int) -> Float64:
        """Correlation (n,) of the log returns of two symbols in each bar, jumps aside."""
        shared = self.betas[i] * self.betas[j] * self.factor_volatility**2
        return np.asarray(shared / (self.volatility[:, i] * self.volatility[:, j]))


@dataclass(frozen=True, eq=False)
class SyntheticMarket:
    """Bars and instruments by symbol, news and funding rates in the order they become known, and the truth."""

    frames: Mapping[str, BarFrame]
    instruments: Mapping[str, Instrument]
    news: tuple[NewsItem, ...]
    observations: tuple[Observation, ...]
    truth: Truth


def generate(params: SyntheticParams) -> SyntheticMarket:
    """A market. Same parameters, same bits; a symbol's numbers do not depend on which others there are.

    >>> market = generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=1, interval="1h"))
    >>> len(market.frames["BTC/USDT"]), market.instruments["BTC/USDT"].tick
    (24, Decimal('0.1'))
    """
    factor = _factor(params)
    series = [_series(params, factor, symbol) for symbol in params.symbols]
    told = sorted((pair for one in series for pair in one.news), key=lambda pair: (pair[0].known_at, pair[0].symbols))
    funding = [o for one in series if one.perpetual for o in _funding(params, one.frame)]
    ended = [one for one in series if len(one.frame) < params.bars]
    truth = Truth(
        ts=factor.ts,
        regimes=factor.regimes,
        transition=factor.transition,
        betas=np.array([one.beta for one in series]),
        drift=_columns([one.drift for one in series], params.bars),
        volatility=_columns([one.volatility for one in series], params.bars),
        factor_volatility=factor.volatility,
        jumps=_columns([one.jumps for one in series], params.bars),
        news_scores=np.array([score for _, score in told], np.float64),
        delisted_at={one.frame.symbol: int(one.frame.known_at[-1]) for one in ended},
    )
    return SyntheticMarket(
        frames={one.frame.symbol: one.frame for one in series},
        instruments={one.frame.symbol: one.instrument for one in series},
        news=tuple(item for item, _ in told),
        observations=tuple(sorted(funding, key=lambda o: (o.known_at, o.symbol or ""))),
        truth=truth,
    )


@dataclass(frozen=True, eq=False)
class _Factor:
    """The market factor: per bar, and its log returns (n, _STEPS) inside the bars."""

    ts: Int64
    regimes: Int64
    transition: Float64
    drift: Float64
    volatility: Float64
    steps: Float64


@dataclass(frozen=True, eq=False)
class _Series:
    """One symbol."""

    frame: BarFrame
    instrument: Instrument
    beta: float
    drift: Float64
    volatility: Float64
    jumps: Float64
    news: list[tuple[NewsItem, float]]

    @property
    def perpetual(self) -> bool:
        return self.instrument.kind is InstrumentKind.PERPETUAL


def _rng(params: SyntheticParams, *purpose: str) -> np.random.Generator:
    """A stream of its own for each purpose, so that no draw moves another."""
    return np.random.default_rng([params.seed, *" ".join(purpose).encode()])


def _factor(params: SyntheticParams) -> _Factor:
    bar_ms = interval_ms(params.interval)
    transition = _transition(bar_ms)
    regimes = _regimes(transition, params.bars, _rng(params, "regimes"))
    steps, scale = _shocks(params, params.bars, "factor")
    years = bar_ms / YEAR_MS
    drift = _DRIFT[regimes] * years
    level = params.volatility * sqrt(years) * _SCALE[regimes]
    ts = params.start + bar_ms * np.arange(params.bars, dtype=np.int64)
    path = drift[:, None] / _STEPS + level[:, None] * steps
    return _Factor(ts, regimes, transition, drift, level * scale, path)


def _transition(bar_ms: int) -> Float64:
    leave = np.minimum(1.0, bar_ms / (_STAY_DAYS * DAY_MS))
    return np.asarray(np.diag(1 - leave) + leave[:, None] * _NEXT)


def _stationary(transition: Float64) -> Float64:
    """The distribution that a step of the chain leaves as it is."""
    k = len(transition)
    system = np.vstack([transition.T - np.eye(k), np.ones(k)])
    return np.asarray(np.linalg.lstsq(system, np.append(np.zeros(k), 1.0), rcond=None)[0])


def _regimes(transition: Float64, n: int, rng: np.random.Generator) -> Int64:
    """A path (n,) of the chain, stay by stay, begun in the long run."""
    state = int(np.searchsorted(np.cumsum(_stationary(transition)), rng.random()))
    stays: list[Int64] = []
    made = 0
    while made < n:
        stay = min(int(rng.geometric(1 - transition[state, state])), n - made)
        stays.append(np.full(stay, state, np.int64))
        made += stay
        state = int(rng.choice(len(_NEXT), p=_NEXT[state]))
    return np.concatenate(stays)


def _shocks(params: SyntheticParams, n: int, *purpose: str) -> tuple[Float64, Float64]:
    """Steps (n, _STEPS) whose sums over a bar are sqrt(h) z, and sqrt(h) (n,)."""
    nu = params.tail
    mixture = (nu - 2) / _rng(params, *purpose, "tails").chisquare(nu, n)
    steps = _rng(params, *purpose, "steps").standard_normal((n, _STEPS)) * np.sqrt(mixture / _STEPS)[:, None]
    persistence = 0.5 ** (interval_ms(params.interval) / (params.cluster_half_life_h * HOUR_MS))
    kurtosis = 3 * (nu - 2) / (nu - 4)
    arch = min(persistence, sqrt(params.clustering * (1 - persistence**2) / (kurtosis - 1)))
    scale = np.sqrt(_garch(steps.sum(axis=1), arch, persistence))
    return steps * scale[:, None], scale


@kernel
def _garch(z: Float64, arch: float, persistence: float) -> Float64:
    """Variance (n,) of mean 1: h' = (1 - persistence) + arch h z^2 + (persistence - arch) h."""
    h = np.ones(len(z))
    for t in range(1, len(z)):
        h[t] = (1 - persistence) + (arch * z[t - 1] ** 2 + persistence - arch) * h[t - 1]
    return h


def _series(params: SyntheticParams, factor: _Factor, symbol: str) -> _Series:
    base, quote, kind = split_symbol(symbol)
    asset = _KNOWN.get(base) or _drawn(_rng(params, symbol, "asset"))
    n = max(2, int(params.bars * params.delisted_after)) if symbol == params.delisted else params.bars
    steps, scale = _shocks(params, n, symbol)
    own = asset.own * sqrt(interval_ms(params.interval) / YEAR_MS) * _SCALE[factor.regimes[:n]]
    news = _news(params, symbol, factor.ts[:n])
    jumps = _jumps(params, symbol, factor.ts[:n], news)
    if symbol == params.delisted:
        window = min(n // 2, _COLLAPSE_MS // interval_ms(params.interval))
        own[n - window :] *= 3
        jumps[n - window + _rng(params, symbol, "collapse").integers((window + 1) // 2)] += _COLLAPSE
    path = asset.beta * factor.steps[:n] + own[:, None] * steps
    path[np.arange(n), _rng(params, symbol, "moments").integers(0, _STEPS, n)] += jumps
    instrument = _instrument(symbol, base, quote, kind, asset.price)
    return _Series(
        frame=_bars(params, asset, instrument, factor.ts[:n], path),
        instrument=instrument,
        beta=asset.beta,
        drift=asset.beta * factor.drift[:n],
        volatility=np.hypot(asset.beta * factor.volatility[:n], own * scale),
        jumps=jumps,
        news=news,
    )


def _drawn(rng: np.random.Generator) -> _Asset:
    price, turnover = 10 ** rng.uniform(-1, 3), 10 ** rng.uniform(6.5, 8.5)
    return _Asset(float(f"{price:.3g}"), rng.uniform(0.8, 1.5), rng.uniform(0.3, 0.8), turnover)


def _instrument(symbol: str, base: str, quote: str, kind: InstrumentKind, price: float) -> Instrument:
    """A tick of a few millionths of the price, a lot worth less than a unit or so of the quote."""
    size = floor(log10(price))
    perpetual = kind is InstrumentKind.PERPETUAL
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        kind=kind,
        tick=Decimal(1).scaleb(size - 5),
        lot=Decimal(1).scaleb(-size - 1),
        max_leverage=Decimal(20 if perpetual else 1),
        maintenance_margin=Decimal("0.005") if perpetual else Decimal(0),
    )


def _bars(params: SyntheticParams, asset: _Asset, instrument: Instrument, ts: Int64, path: Float64) -> BarFrame:
    """Bars of the finer path (n, _STEPS) of log returns; each opens where the one before closed."""
    prices = _stepped(asset.price * np.exp(np.cumsum(path).reshape(path.shape)), instrument.tick)
    close = prices[:, -1].copy()
    opened = np.append(_stepped(np.array([asset.price]), instrument.tick), close[:-1])
    high = np.maximum(opened, prices.max(axis=1))
    low = np.minimum(opened, prices.min(axis=1))
    volume = _stepped(_volume(params, asset, instrument.symbol, ts, path.sum(axis=1)) / close, instrument.lot)
    return BarFrame(instrument.symbol, params.interval, ts, opened, high, low, close, volume)


def _stepped(values: Float64, step: Decimal) -> Float64:
    """The nearest multiple of a power of ten, and at least one."""
    exponent = step.as_tuple().exponent
    return np.maximum(np.round(values, -int(exponent)), float(step))


def _volume(params: SyntheticParams, asset: _Asset, symbol: str, ts: Int64, ret: Float64) -> Float64:
    """Turnover (n,) in quote units: more with big moves, in the afternoon (UTC) and from Monday to Friday."""
    days = interval_ms(params.interval) / DAY_MS
    typical = np.hypot(asset.beta * params.volatility, asset.own) * sqrt(days / 365)
    afternoon = np.cos(2 * np.pi * (ts % DAY_MS - 15 * HOUR_MS) / DAY_MS)
    weekend = (ts // DAY_MS + 3) % 7 >= 5
    noise = _rng(params, symbol, "volume").standard_normal(len(ts))
    level = 0.6 * np.log1p(np.abs(ret) / typical) + 0.35 * afternoon - 0.3 * weekend + 0.35 * noise
    return np.asarray(asset.turnover * days * np.exp(level))


def _news(params: SyntheticParams, symbol: str, ts: Int64) -> list[tuple[NewsItem, float]]:
    """What is said of a symbol, and how good it is; known within a minute, and before the last bar closes."""
    rng, bar_ms = _rng(params, symbol, "news"), interval_ms(params.interval)
    n = int(rng.poisson(params.news_per_day * len(ts) * bar_ms / DAY_MS))
    scores = rng.uniform(-1, 1, n)
    told = np.sort(rng.integers(ts[0], ts[-1] + bar_ms * 4 // 5, n))
    delays = rng.integers(0, min(bar_ms // 5, 60_000), n)
    words = rng.integers(0, (len(_SUBJECTS), len(_SAID[0])), (n, 2)).tolist()
    items = []
    for score, at, delay, (who, what) in zip(scores.tolist(), told.tolist(), delays.tolist(), words, strict=True):
        said = _SAID[int(np.searchsorted(_TONES, score))][what]
        title = f"{symbol.partition('/')[0]} {_SUBJECTS[who]} {said}"
        items.append((NewsItem("synthetic", title, "", (symbol,), "", at, at + delay), score))
    return items


def _jumps(params: SyntheticParams, symbol: str, ts: Int64, news: list[tuple[NewsItem, float]]) -> Float64:
    """Log jumps (n,): those that news led to, and those nobody announced."""
    rng, bar_ms = _rng(params, symbol, "jumps"), interval_ms(params.interval)
    jumps = np.zeros(len(ts))
    surprises = int(rng.poisson(params.jumps_per_month * len(ts) * bar_ms / (30 * DAY_MS)))
    np.add.at(jumps, rng.integers(0, len(ts), surprises), params.jump_size * rng.standard_normal(surprises))
    scores = np.array([score for _, score in news], np.float64)
    rows = np.array([item.known_at - params.start for item, _ in news], np.int64) // bar_ms + params.news_lead_bars
    sizes = np.sign(scores) * np.abs(params.jump_size * rng.standard_normal(len(news)))
    follows = (rng.random(len(news)) < params.news_follow * np.abs(scores)) & (rows < len(ts))
    np.add.at(jumps, rows[follows], sizes[follows])
    return jumps


def _funding(params: SyntheticParams, frame: BarFrame) -> list[Observation]:
    """Rates of a perpetual every 8 hours: longs pay more after a rise."""
    bar_ms, end = interval_ms(params.interval), int(frame.known_at[-1])
    instants = np.arange(params.start // _FUNDING_MS + 1, end // _FUNDING_MS + 1, dtype=np.int64) * _FUNDING_MS
    closed = (instants - params.start) // bar_ms
    prices = np.append(frame.open[0], frame.close)
    rise = np.log(prices[closed] / prices[np.maximum(0, closed - _FUNDING_MS // bar_ms)])
    noise = _rng(params, frame.symbol, "funding").standard_normal(len(instants))
    rates = np.clip(_FUNDING_BASE * (1 + 0.3 * noise) + _FUNDING_SLOPE * rise, -_FUNDING_CAP, _FUNDING_CAP)
    return [
        Observation("synthetic", "funding_rate", frame.symbol, ts, ts, rate)
        for ts, rate in zip(instants.tolist(), rates.round(8).tolist(), strict=True)
    ]


def _columns(columns: list[Float64], n: int) -> Float64:
    """Columns side by side (n, k), NaN below those that end early."""
    table = np.full((n, len(columns)), np.nan)
    for j, column in enumerate(columns):
        table[: len(column), j] = column
    return table
