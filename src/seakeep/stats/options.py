"""European options: Black-Scholes-Merton and Black-76 prices, Greeks and implied volatility.

Rates and volatilities are a year's, continuously compounded; times to expiry are in years of 365 days. Greeks are raw:
per 1 of the underlying, per 1.00 of volatility or rate, theta per year. Every argument may be a number or an array,
and they broadcast together.

References: Black and Scholes, Journal of Political Economy 81 (1973); Merton, Bell Journal of Economics 4 (1973);
Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976).
"""

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy.special import ndtr

from seakeep.core.errors import ConfigError, DataError
from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.core.registry import nearest

__all__ = ["Greeks", "Option", "black76", "black76_greeks", "black_scholes", "greeks", "implied_volatility"]

Number: TypeAlias = float | Float64

KINDS = ("call", "put")
MOST_VOLATILITY = 100.0
"""Largest implied volatility looked for: 10,000 % a year."""


@dataclass(frozen=True, slots=True)
class Option:
    """A European call or put: `strike` in quote units, `years` to expiry.

    Raises: ConfigError for another kind, ValueError unless strike and years are positive.
    """

    kind: str
    strike: Number
    years: Number

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError("unknown kind of option", value=self.kind, remedy=nearest(self.kind, KINDS))
        _positive(strike=self.strike, years=self.years)

    @property
    def sign(self) -> float:
        """1 for a call, -1 for a put."""
        return 1.0 if self.kind == "call" else -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Greeks:
    """Slopes of a price; `delta` and `gamma` by the spot (Black-76: by the forward), `theta` per year of waiting.

    `vanna` is the slope of delta, `volga` that of vega, by the volatility; `rho` and `dividend_rho` by the rates.
    """

    price: Float64
    delta: Float64
    gamma: Float64
    vega: Float64
    theta: Float64
    rho: Float64
    dividend_rho: Float64
    vanna: Float64
    volga: Float64


def black_scholes(
    option: Option, spot: Number, volatility: Number, rate: Number = 0.0, dividend: Number = 0.0
) -> Float64:
    """Price of an option on a spot that pays `dividend` a year (a coin's yield, or the rate of the other currency).

    >>> black_scholes(Option("call", 40, 0.5), 42, 0.20, 0.10).round(4).item()
    4.7594

    Raises: ValueError unless spot and volatility are positive and the rates finite.
    """
    return greeks(option, spot, volatility, rate, dividend).price


def black76(option: Option, forward: Number, volatility: Number, rate: Number = 0.0) -> Float64:
    """Price of an option on a forward or a future, paid now.

    >>> black76(Option("put", 20, 4 / 12), 20, 0.25, 0.09).round(4).item()
    1.1166

    Raises: ValueError unless forward and volatility are positive and the rate finite.
    """
    return greeks(option, forward, volatility, rate, rate).price


def black76_greeks(option: Option, forward: Number, volatility: Number, rate: Number = 0.0) -> Greeks:
    """Price and slopes of an option on a forward: `rho` moves the discount only, `dividend_rho` is zero."""
    found = greeks(option, forward, volatility, rate, rate)
    return replace(found, rho=-np.asarray(option.years) * found.price, dividend_rho=np.zeros_like(found.price))


def greeks(option: Option, spot: Number, volatility: Number, rate: Number = 0.0, dividend: Number = 0.0) -> Greeks:
    """Price and slopes of an option on a spot that pays `dividend` a year.

    Raises: ValueError unless spot and volatility are positive and the rates finite.
    """
    _positive(spot=spot, volatility=volatility)
    _finite(rate=rate, dividend=dividend)
    sign, strike, years = option.sign, np.asarray(option.strike, np.float64), np.asarray(option.years, np.float64)
    root = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate - dividend) * years) / root + 0.5 * root
    d2 = d1 - root
    yielded, discount = np.exp(-dividend * years), np.exp(-rate * years)
    asset, money = sign * spot * yielded * ndtr(sign * d1), sign * strike * discount * ndtr(sign * d2)
    density = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    vega = spot * yielded * density * np.sqrt(years)
    columns = (
        np.maximum(asset - money, 0.0),
        sign * yielded * ndtr(sign * d1),
        yielded * density / (spot * root),
        vega,
        dividend * asset - rate * money - 0.5 * vega * volatility / years,
        years * money,
        -years * asset,
        -yielded * density * d2 / volatility,
        vega * d1 * d2 / volatility,
    )
    return Greeks(*(np.asarray(column, np.float64) for column in np.broadcast_arrays(*columns)))


def implied_volatility(
    option: Option, price: Number, spot: Number, rate: Number = 0.0, dividend: Number = 0.0
) -> Float64:
    """Volatility at which the option costs `price`; for Black-76 pass the forward as spot and dividend = rate.

    The out-of-the-money option of the same strike is solved for, in the log of its price, by Newton steps inside a
    bracket. Digits that the price's rounding has destroyed cannot come back: deep in the money the answer is as good
    as the time value that the price still holds.

    >>> implied_volatility(Option("call", 20, 0.25), 1.875, 21, 0.10).round(4).item()
    0.2345

    Raises: ValueError unless spot and price are positive and the rates finite; DataError if a price is not strictly
    inside the bounds without arbitrage (its discounted intrinsic value; the spot of a call or the strike of a put).
    """
    _positive(spot=spot, price=price)
    _finite(rate=rate, dividend=dividend)
    years, sign = np.asarray(option.years, np.float64), option.sign
    asset, money = spot * np.exp(-dividend * years), option.strike * np.exp(-rate * years)
    columns = np.broadcast_arrays(price, asset, money, years)
    cost, asset, money, years = (np.array(column, np.float64).ravel() for column in columns)
    least, most = np.maximum(sign * (asset - money), 0.0), asset if sign > 0 else money
    outside = ~((cost > least) & (cost < most))
    if outside.any():
        row = int(np.argmax(outside))
        bounds = f"({least[row]:.10g}, {most[row]:.10g})"
        raise DataError(f"the price of the {option.kind} in row {row} must be inside {bounds}", value=float(cost[row]))
    total = _total_volatilities((cost - least) / np.sqrt(asset * money), np.abs(np.log(asset / money)))
    if not np.isfinite(total).all() or (total > MOST_VOLATILITY * np.sqrt(years)).any():
        row = int(np.argmax(~(total <= MOST_VOLATILITY * np.sqrt(years))))
        raise DataError(
            f"no volatility up to {MOST_VOLATILITY:g} explains the price in row {row}", value=float(cost[row])
        )
    return np.asarray((total / np.sqrt(years)).reshape(columns[0].shape))


@kernel
def _time_value(distance: float, total: float) -> float:
    """Out-of-the-money price over sqrt(asset money), at log distance >= 0 and total volatility."""
    high, low = -distance / total + 0.5 * total, -distance / total - 0.5 * total
    near = math.exp(-0.5 * distance) * 0.5 * math.erfc(-high / math.sqrt(2.0))
    return near - math.exp(0.5 * distance) * 0.5 * math.erfc(-low / math.sqrt(2.0))


@kernel
def _total_volatilities(values: Float64, distances: Float64) -> Float64:
    """Total volatilities sigma sqrt(T) (n,) of normalised time values; NaN where none is found."""
    out = np.full(len(values), np.nan)
    for i in range(len(values)):
        low, high = 0.0, 1.0
        while _time_value(distances[i], high) < values[i] and high < 1e3:
            low, high = high, 2.0 * high
        total, goal = 0.5 * (low + high), math.log(values[i])
        for _ in range(200):
            worth = _time_value(distances[i], total)
            low, high = (total, high) if worth < values[i] else (low, total)
            ahead = -distances[i] / total + 0.5 * total
            slope = math.exp(-0.5 * (ahead * ahead + distances[i])) / math.sqrt(2.0 * math.pi)
            step = (goal - math.log(worth)) * worth / slope if worth > 0.0 and slope > 0.0 else math.nan
            guess = total + step
            if not (low < guess < high):
                guess = 0.5 * (low + high)
            moved = abs(guess - total)
            total = guess
            if moved <= 1e-15 * total or (high - low) <= 4e-16 * high:
                break
        if total < 999.0:
            out[i] = total
    return out


def _positive(**values: Number) -> None:
    for name, value in values.items():
        column = np.asarray(value, np.float64)
        if not ((column > 0) & np.isfinite(column)).all():
            raise ValueError(f"{name} must be a positive number, got {value}")


def _finite(**values: Number) -> None:
    for name, value in values.items():
        if not np.isfinite(np.asarray(value, np.float64)).all():
            raise ValueError(f"{name} must be a finite number, got {value}")
