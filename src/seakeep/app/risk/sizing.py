"""How large a book may be, by four rules side by side on the same history, each with its error."""

import math
from collections.abc import Callable

import msgspec
import numpy as np

from seakeep.app.risk.desk import Desk
from seakeep.app.risk.work import survivable
from seakeep.backtest.pages.riskfindings import SizedPosition, SizingRule
from seakeep.core.errors import ConfigError, DataError, ModelError
from seakeep.core.units import YEAR_MS, interval_ms
from seakeep.risk.bounded import bounded_fraction
from seakeep.risk.kelly import kelly_portfolio
from seakeep.risk.ruin import RuinParams
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.performance import Estimate

__all__ = ["Sized", "sizes"]

_WORLDS, _FUTURES = 200, 100
"""Histories that might have been ours; futures that must meet the drawdown for its odds to be told."""


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: the share of Kelly taken, the yearly volatility wanted, and the drawdown that may happen within
    `days` with no more than `probability`."""

    fraction: float = 0.25
    target: float = 0.20
    drawdown: float = 0.20
    probability: float = 0.10
    days: int = 90
    paths: int = 100_000
    seed: int = 1

    def __post_init__(self) -> None:
        ends = {"fraction": 1.0, "target": 10.0, "drawdown": 1.0, "probability": 1.0}
        for name, most in ends.items():
            value, whole = getattr(self, name), name in ("fraction", "target")
            if not (0 < value < most or (whole and value == most)):
                remedy = f"write a number above 0 and {'at most' if whole else 'below'} {most:g}"
                raise ConfigError(f"--{name} is out of its bounds", value=value, remedy=remedy)
        if self.probability * self.paths < _FUTURES:
            remedy = f"take {math.ceil(_FUTURES / self.probability):,} of them"
            raise ConfigError(f"--paths are too few to tell a --probability of {self.probability:g}", remedy=remedy)


def sizes(desk: Desk, asked: Sized) -> tuple[tuple[SizingRule, ...], tuple[tuple[str, str], ...]]:
    """The rules that this history allows, and (rule, reason) of those it does not.

    Raises: ConfigError for a horizon that is no whole number of bars.
    """
    rules: dict[str, Callable[[Desk, Sized], SizingRule]] = {
        "Kelly, book": _book_kelly,
        "Kelly, assets": _asset_kelly,
        "drawdown bound": _bounded,
        "volatility target": _volatility,
    }
    if np.count_nonzero(desk.measured.weights) == 1:
        del rules["Kelly, assets"]
    found, refused = [], []
    for name, rule in rules.items():
        try:
            found.append(msgspec.structs.replace(rule(desk, asked), rule=name))
        except (ModelError, DataError) as error:
            refused.append((name, str(error)))
    return tuple(found), tuple(refused)


def _scaled(desk: Desk, share: Estimate, says: str, warnings: tuple[str, ...] = ()) -> SizingRule:
    """A rule that keeps the proportions of the book."""
    pairs, positions = zip(desk.measured.symbols, desk.measured.weights.tolist(), strict=True), []
    for symbol, w in pairs:
        low, high = sorted((w * share.low, w * share.high))
        if w:
            positions.append(SizedPosition(symbol, Estimate(w * share.value, low, high, share.n)))
    return SizingRule(rule="", says=says, share=share, positions=tuple(positions), warnings=warnings)


def _book_kelly(desk: Desk, asked: Sized) -> SizingRule:
    found = kelly_portfolio(desk.outcome, seed=asked.seed, fraction=asked.fraction)
    share = Estimate(float(found.weights[0]), float(found.low[0]), float(found.high[0]), found.n)
    says = f"{asked.fraction:g} of Kelly; full Kelly {found.full[0]:.2f} x the book, haircut {found.haircut:.2f}"
    return _scaled(desk, share, says, found.warnings)


def _asset_kelly(desk: Desk, asked: Sized) -> SizingRule:
    held = np.flatnonzero(desk.measured.weights)
    found = kelly_portfolio(desk.table[:, held], seed=asked.seed, fraction=asked.fraction)
    ends = zip(held.tolist(), found.weights.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    positions = tuple(SizedPosition(desk.measured.symbols[i], Estimate(w, lo, hi, found.n)) for i, w, lo, hi in ends)
    says = f"{asked.fraction:g} of Kelly over {len(held)} assets, haircut {found.haircut:.2f}; proportions change"
    return SizingRule(rule="", says=says, share=None, positions=positions, warnings=found.warnings)


def _bounded(desk: Desk, asked: Sized) -> SizingRule:
    params = RuinParams(worlds=_WORLDS, paths=max(50, asked.paths // _WORLDS))
    outcome, horizon = survivable(desk.outcome), desk.bars(asked.days)
    found = bounded_fraction(outcome, asked.drawdown, asked.probability, horizon, params, seed=asked.seed)
    odds, error = found.odds, f"Monte Carlo error {found.error:.3f} x the book"
    says = (
        f"a drawdown of {asked.drawdown:.0%} within {asked.days} days has odds of {odds.value:.1%} "
        f"({odds.low:.1%} to {odds.high:.1%}); {error}"
    )
    return _scaled(desk, Estimate(found.value, found.low, found.high, found.n), says, found.warnings)


def _volatility(desk: Desk, asked: Sized) -> SizingRule:
    year, x = (YEAR_MS / interval_ms(desk.measured.interval)) ** 0.5, desk.outcome
    drawn = resample(lambda rows: float(x[rows].std(ddof=1)), len(x), seed=asked.seed)[:, 0]
    low, high = percentile_interval(asked.target / (drawn * year))
    deviation = float(x.std(ddof=1)) * year
    says = f"{asked.target:.1%} a year; the book as it is moves by {deviation:.1%}"
    return _scaled(desk, Estimate(asked.target / deviation, low, high, len(x)), says)
