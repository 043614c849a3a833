"""What a bad day does to the book: by position, before and after a candidate order.

Every stress is a pure function of a `Book` (cash and the signed value of each position) and a `Market` (how assets
move, given or estimated), registered in `STRESSES`. Losses are in quote units and as fractions of equity, positive; a
gain is a negative loss, so a hedge shows as one. Where a number was estimated its error comes with it; what a stress
needs and the market does not know is an error that names the asset, never a zero.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec
import numpy as np

from seakeep.core.account import Portfolio
from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import BarFrame, Float64
from seakeep.core.registry import Registry, nearest
from seakeep.core.units import DAY_MS, interval_ms

__all__ = [
    "ORIGINAL_SHOCKS",
    "STRESSES",
    "Book",
    "Market",
    "PositionLoss",
    "StressChange",
    "StressLoss",
    "correlation_to_one",
    "crash",
    "depeg",
    "equity_of",
    "estimate_market",
    "exchange_outage",
    "funding_spike",
    "liquidity_crisis",
    "original_shock",
    "spot_of",
    "stress",
    "stress_order",
]

MIN_RETURNS = 30
_Z = 1.959963984540054
"""Half width of a 95 % interval in standard errors."""


class Book(msgspec.Struct, frozen=True):
    """Cash in the quote and the signed value of every position, both in quote units; equity is their sum."""

    quote: str
    cash: float
    values: tuple[tuple[str, float], ...]

    @property
    def equity(self) -> float:
        """Cash plus the value of all positions."""
        return self.cash + sum(value for _, value in self.values)

    @classmethod
    def of(cls, portfolio: Portfolio, marks: Mapping[str, Decimal]) -> "Book":
        """The book of a portfolio at these marks. Raises: DataError if an open position has no positive mark."""
        values = []
        for symbol, position in sorted(portfolio.positions.items()):
            mark = marks.get(symbol)
            if position.qty and (mark is None or not mark > 0):
                raise DataError(f"{symbol} is held and has no positive mark", value=mark, remedy="pass its price")
            if position.qty and mark is not None:
                values.append((symbol, float(position.qty * mark)))
        return cls(portfolio.quote, float(portfolio.cash.get(portfolio.quote, Decimal(0))), tuple(values))

    @classmethod
    def of_weights(cls, weights: Mapping[str, float], equity: float = 1.0, quote: str = "USDT") -> "Book":
        """The book of signed weights of equity; what they leave is cash."""
        values = tuple((symbol, weight * equity) for symbol, weight in sorted(weights.items()) if weight)
        return cls(quote, equity - sum(value for _, value in values), values)

    def after(self, symbol: str, value: float) -> "Book":
        """The book once an order of that signed value (a sale is negative) is filled at the mark."""
        held = dict(self.values)
        held[symbol] = held.get(symbol, 0.0) + value
        return Book(self.quote, self.cash - value, tuple((s, v) for s, v in sorted(held.items()) if v))


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """How assets move: beta (k,) to the market, covariance (k, k) of daily log returns, daily volume (k,) in quote.

    `beta_covariance` (k, k) is what is not known of the betas and `n` the days they rest on, zeros and 0 if given.
    """

    symbols: tuple[str, ...]
    beta: Float64
    covariance: Float64
    volume: Float64
    beta_covariance: Float64
    n: int = 0

    def __post_init__(self) -> None:
        k = len(self.symbols)
        shapes = {"beta": (k,), "covariance": (k, k), "volume": (k,), "beta_covariance": (k, k)}
        for name, shape in shapes.items():
            column = getattr(self, name)
            if column.shape != shape or (name != "volume" and not np.isfinite(column).all()):
                raise DataError(f"{name} of {k} assets must be finite numbers of shape {shape}", value=column.tolist())

    def rows(self, book: Book) -> list[int]:
        """Row of each position. Raises: DataError naming an asset that is not here."""
        known = {symbol: row for row, symbol in enumerate(self.symbols)}
        for symbol, _ in book.values:
            if spot_of(symbol, known) not in known:
                remedy = nearest(symbol, list(known)) if known else "give it a beta, a covariance and a volume"
                raise DataError(f"the market knows nothing of {symbol}", remedy=remedy)
        return [known[spot_of(symbol, known)] for symbol, _ in book.values]


class PositionLoss(msgspec.Struct, frozen=True):
    """What a position loses, in quote units; a gain is negative."""

    symbol: str
    value: float
    loss: float


class StressLoss(msgspec.Struct, frozen=True):
    """What a stress takes: of equity as a fraction, with its 95 % interval, and by position in quote units.

    `positions` and `cash_loss` add up to `loss` x `equity`. Where nothing was estimated `n` is 0 and the interval is
    the number itself.
    """

    stress: str
    loss: float
    low: float
    high: float
    equity: float
    cash_loss: float
    positions: tuple[PositionLoss, ...]
    n: int
    method: str
    warnings: tuple[str, ...] = ()


class StressChange(msgspec.Struct, frozen=True):
    """A stress before and after a candidate order, and what the order adds to it."""

    stress: str
    before: StressLoss
    after: StressLoss
    added: float


def estimate_market(frames: Mapping[str, BarFrame], market: str) -> Market:
    """Betas to `market`, covariance and volume from daily bars, on the days all have; returns over a gap are left out.

    Raises: ConfigError if `market` is not among them; DataError for bars that are not daily, a price that is not
    positive, or an asset that never moves; NotEnoughHistory below 30 common returns.
    """
    if market not in frames:
        raise ConfigError("no bars of the market", value=market, remedy=nearest(market, list(frames)))
    symbols = tuple(sorted(frames))
    returns, volume = _common_returns([frames[symbol] for symbol in symbols])
    centred = returns - returns.mean(axis=0)
    n, driver = len(returns), centred[:, symbols.index(market)]
    square = float(driver @ driver)
    beta = centred.T @ driver / square
    residual = centred - np.outer(driver, beta)
    unknown = residual.T @ residual / (n - 2) / square
    return Market(symbols, beta, centred.T @ centred / (n - 1), volume, unknown, n)


def _common_returns(frames: Sequence[BarFrame]) -> tuple[Float64, Float64]:
    """Log returns (n, k) on the days all frames have with the day before, and mean volume (k,) in quote units."""
    common = frames[0].ts
    for frame in frames:
        if interval_ms(frame.interval) != DAY_MS:
            raise DataError(f"{frame.symbol} has {frame.interval} bars", remedy="pass daily bars")
        if not (np.isfinite(frame.close).all() and (frame.close > 0).all()):
            raise DataError(f"{frame.symbol} has a close that is not a positive number", remedy="fix or drop the row")
        common = np.intersect1d(common, frame.ts)
    follows = np.flatnonzero(np.diff(common) == DAY_MS)
    if len(follows) < MIN_RETURNS:
        names = ", ".join(frame.symbol for frame in frames)
        raise NotEnoughHistory(f"{names} need {MIN_RETURNS} daily returns in common", value=len(follows))
    rows = [np.searchsorted(frame.ts, common) for frame in frames]
    logs = np.log(np.column_stack([frame.close[row] for frame, row in zip(frames, rows, strict=True)]))
    returns = (logs[1:] - logs[:-1])[follows]
    for column, frame in zip(returns.T, frames, strict=True):
        if column.min() == column.max():
            raise DataError(f"{frame.symbol} never moves, so it has no beta", value=float(column[0]))
    traded = [(frame.volume * frame.close)[row].mean() for frame, row in zip(frames, rows, strict=True)]
    return returns, np.array(traded, np.float64)


Stress = Callable[[Book, Market], StressLoss]
STRESSES: Registry[Stress] = Registry("stress", "stresses")


def stress(book: Book, market: Market, names: Sequence[str] = ()) -> tuple[StressLoss, ...]:
    """Every registered stress, or those named, on the book. Raises: ConfigError for an unknown name, DataError."""
    return tuple(STRESSES[name](book, market) for name in (names or tuple(STRESSES)))


def stress_order(
    book: Book, symbol: str, value: float, market: Market, names: Sequence[str] = ()
) -> tuple[StressChange, ...]:
    """Every stress before and after an order of that signed value in quote units."""
    if not math.isfinite(value):
        raise ValueError(f"the value of the order in {symbol} must be finite, got {value}")
    pairs = zip(stress(book, market, names), stress(book.after(symbol, value), market, names), strict=True)
    return tuple(StressChange(old.stress, old, new, new.loss - old.loss) for old, new in pairs)


def crash(book: Book, market: Market, drop: float = 0.30, name: str = "flash_crash") -> StressLoss:
    """The market falls by `drop` at once and each asset by its beta times that, never by more than all of its price.

    >>> lone = Market(("A/USDT",), np.ones(1), np.eye(1), np.ones(1), np.zeros((1, 1)))
    >>> crash(Book.of_weights({"A/USDT": 0.5}), lone).loss
    0.15

    Raises: ValueError unless 0 < drop < 1; DataError for an asset without a beta.
    """
    rows, values, _ = _positions(book, market)
    falls = np.minimum(_fraction("drop", drop) * market.beta[rows], 1.0)
    error = drop * math.sqrt(max(0.0, float(values @ market.beta_covariance[np.ix_(rows, rows)] @ values)))
    return _result(name, book, values * falls, _Basis("beta to the market", market.n, error))


def liquidity_crisis(
    book: Book, market: Market, drop: float = 0.30, depth: float = 0.2, impact: float = 0.15
) -> StressLoss:
    """A crash, and then the book is sold into a market that trades only `depth` of its usual volume.

    Selling costs impact x daily volatility x sqrt(value / volume), at most the whole value, on top of the fall; shorts
    are bought back at the same cost.

    Raises: as `crash`; DataError for an asset whose volume is not known.
    """
    fallen = crash(book, market, drop, "liquidity_crisis")
    rows, values, symbols = _positions(book, market)
    volume = market.volume[rows] * _fraction("depth", depth)
    if not (volume > 0).all():
        at = int(np.argmin(volume > 0))
        raise DataError(f"the volume of {symbols[at]} is not known", remedy="pass its daily volume in quote units")
    sizes = np.abs(values - np.array([position.loss for position in fallen.positions]))
    share = np.minimum(impact * np.sqrt(np.diag(market.covariance)[rows]) * np.sqrt(sizes / volume), 1.0)
    losses = np.array([position.loss for position in fallen.positions]) + sizes * share
    error = (fallen.high - fallen.low) / (2 * _Z) * book.equity
    basis = _Basis("beta to the market, square-root impact", market.n, error)
    return _result("liquidity_crisis", book, losses, basis)


def correlation_to_one(book: Book, market: Market, sigmas: float = 3.0, days: float = 1.0) -> StressLoss:
    """All assets move together, each by `sigmas` of its own deviation over `days`, in the direction that hurts.

    Diversification is gone; only an opposite position still offsets.
    """
    rows, values, _ = _positions(book, market)
    moves = np.expm1(-_positive("sigmas", sigmas) * np.sqrt(np.diag(market.covariance)[rows] * _positive("days", days)))
    down, up = -values * moves, values * moves / (1 + moves)
    losses = down if down.sum() >= up.sum() else up
    return _result("correlation_to_one", book, losses, _sampled("own deviations, correlation 1", losses, market.n))


def exchange_outage(book: Book, market: Market, hours: float = 12.0, sigmas: float = 3.0) -> StressLoss:
    """Nothing can be traded for `hours` while the book moves against us by `sigmas` of its own deviation.

    Positions carry their share of the portfolio's deviation (v_i (C v)_i / sigma), so a hedge carries a negative one.
    Stops and the breaker do not help: they need the exchange.
    """
    rows, values, _ = _positions(book, market)
    reach = _positive("sigmas", sigmas) * math.sqrt(_positive("hours", hours) / 24)
    pulls = market.covariance[np.ix_(rows, rows)] @ values
    deviation = math.sqrt(max(0.0, float(values @ pulls)))
    losses = reach * values * pulls / deviation if deviation > 0 else np.zeros(len(values))
    return _result("exchange_outage", book, losses, _sampled("covariance, no trading", losses, market.n))


def depeg(book: Book, market: Market, drop: float = 0.10, coin: str = "") -> StressLoss:
    """A stablecoin (the quote of the book if not named) falls by `drop` against the dollar; equity is in dollars.

    Cash in it and positions of it lose; what is quoted in it keeps its dollar price; debt in it shrinks. `market` is
    not used: the fall is the assumption.
    """
    _fraction("drop", drop)
    fallen = coin or book.quote
    losses = np.array([value * drop if symbol.partition("/")[0] == fallen else 0.0 for symbol, value in book.values])
    cash = book.cash * drop if fallen == book.quote else 0.0
    exposed = cash or losses.any()
    warnings = () if exposed else (f"the book holds no {fallen}",)
    return _result("stablecoin_depeg", book, losses, _Basis("assumed fall", warnings=warnings), cash)


def funding_spike(book: Book, market: Market, rate: float = 0.003, payments: int = 9) -> StressLoss:
    """Perpetuals pay `rate` of their value `payments` times, on the side that hurts this book the more.

    Nine payments are three days of eight hours. Spot positions pay nothing. `market` is not used.
    """
    _fraction("rate", rate)
    _positive("payments", payments)
    perpetual = np.array([value if ":" in symbol else 0.0 for symbol, value in book.values])
    losses = perpetual * rate * payments
    losses = losses if losses.sum() >= 0 else -losses
    warnings = () if perpetual.any() else ("the book holds no perpetual",)
    return _result("funding_spike", book, losses, _Basis("assumed rate", warnings=warnings))


STRESSES.add("flash_crash", crash)
STRESSES.add("liquidity_crisis", liquidity_crisis)
STRESSES.add("correlation_to_one", correlation_to_one)
STRESSES.add("exchange_outage", exchange_outage)
STRESSES.add("stablecoin_depeg", depeg)
STRESSES.add("funding_spike", funding_spike)

ORIGINAL_SHOCKS: dict[str, dict[str, float]] = {
    "crypto_crash": {"BTC": 0.50, "ETH": 0.60},
    "flash_crash": {"BTC": 0.20, "ETH": 0.25},
    "market_correction": {"BTC": 0.15, "ETH": 0.18},
    "liquidity_crisis": {"BTC": 0.30, "ETH": 0.35},
}
"""The table of an earlier system, falls by base asset; cash keeps its value."""


def original_shock(book: Book, name: str) -> StressLoss:
    """One row of `ORIGINAL_SHOCKS` on the book. Raises: ConfigError, DataError for an asset the table lacks."""
    if name not in ORIGINAL_SHOCKS:
        raise ConfigError("unknown shock", value=name, remedy=nearest(name, list(ORIGINAL_SHOCKS)))
    table = ORIGINAL_SHOCKS[name]
    missing = [symbol for symbol, _ in book.values if symbol.partition("/")[0] not in table]
    if missing:
        raise DataError(f"the table has no shock for {', '.join(missing)}", remedy="use `stress` with betas")
    losses = np.array([value * table[symbol.partition("/")[0]] for symbol, value in book.values])
    return _result(name, book, losses, _Basis("fixed table"))


def spot_of(symbol: str, known: Mapping[str, object]) -> str:
    """The symbol itself if it is known, else the spot market of a perpetual."""
    return symbol if symbol in known else symbol.partition(":")[0]


def equity_of(book: Book) -> float:
    """What the book is worth. Raises: DataError if that is not a positive number."""
    if not (math.isfinite(book.equity) and book.equity > 0):
        raise DataError("a stress needs a positive equity", value=book.equity, remedy="check cash and marks")
    return book.equity


def _positions(book: Book, market: Market) -> tuple[list[int], Float64, list[str]]:
    return market.rows(book), np.array([v for _, v in book.values], np.float64), [s for s, _ in book.values]


def _fraction(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name} must be in (0, 1), got {value}")
    return value


def _positive(name: str, value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be > 0, got {value}")
    return value


class _Basis(msgspec.Struct, frozen=True):
    """What a loss rests on: its standard error in quote units, observations, method."""

    method: str
    n: int = 0
    error: float = 0.0
    warnings: tuple[str, ...] = ()


def _sampled(method: str, losses: Float64, n: int) -> _Basis:
    """With the error a deviation of n normal returns has: itself / sqrt(2 n), all of it taken as common."""
    return _Basis(method, n, abs(float(losses.sum())) / math.sqrt(2 * n) if n else 0.0)


def _result(name: str, book: Book, losses: Float64, basis: _Basis, cash: float = 0.0) -> StressLoss:
    equity = equity_of(book)
    loss, half = (float(losses.sum()) + cash) / equity, _Z * basis.error / equity
    parts = tuple(PositionLoss(s, v, float(part)) for (s, v), part in zip(book.values, losses, strict=True))
    return StressLoss(name, loss, loss - half, loss + half, equity, cash, parts, basis.n, basis.method, basis.warnings)
