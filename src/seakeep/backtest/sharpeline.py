"""A Sharpe ratio with everything that must stand beside it: its error, the search behind it, what it would take."""

import math
from statistics import NormalDist

import msgspec

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.units import YEAR_MS, interval_ms
from seakeep.stats.cscv import cscv
from seakeep.stats.overfitting import Search, SharpeSample, deflated_sharpe, min_track_record, sharpe_sample
from seakeep.stats.performance import LEVEL, MIN_RETURNS, Estimate

__all__ = ["FEW_IDEAS", "SharpeLine", "judge"]

FEW_IDEAS = 10
"""Fewer ideas than this do not show how far Sharpe ratios spread; what luck alone spreads them stands in."""
_BLOCKS = 16


class SharpeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A Sharpe ratio that can be believed as far as it says.

    `sharpe` is annual, with its interval; `psr` the probability that the true one is above 0 if nothing else was tried,
    `dsr` the same given the search; `luck` the annual ratio that the best of that many worthless ideas is expected to
    show; `needed_ms` the record that would settle it at `LEVEL` (infinite: none would), `record_ms` the one there is;
    `pbo` the probability of backtest overfitting, `family` of how many strategies (NaN and 0: no family was given).
    """

    sharpe: Estimate
    psr: float
    dsr: float
    luck: float
    needed_ms: float
    record_ms: float
    search: Search
    pbo: float = math.nan
    family: int = 0

    @property
    def passes(self) -> bool:
        """Whether skill is shown: the deflated Sharpe ratio is at least `LEVEL`. What is not known does not pass."""
        return self.dsr >= LEVEL


def judge(returns: Float64, interval: str, search: Search | None = None, family: Float64 | None = None) -> SharpeLine:
    """The Sharpe ratio of returns (n,), one a bar of `interval`, beside the search that led to it.

    Without a search it is taken for the only trial. `family` (m, k) holds the returns of all k strategies it was chosen
    from, for the probability of backtest overfitting. Below 30 returns nothing is known.

    Raises: ValueError if a return is not a finite number.
    """
    tried = search or Search()
    year = YEAR_MS / interval_ms(interval)
    sample = sharpe_sample(returns)
    if sample.n < MIN_RETURNS:
        sample = SharpeSample(math.nan, sample.n)
    variance = _spread(tried, year, sample.n)
    luck = msgspec.structs.replace(tried, variance=variance).best_of_luck
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * sample.error
    ends = ((sample.ratio - half) * math.sqrt(year), (sample.ratio + half) * math.sqrt(year))
    return SharpeLine(
        sharpe=Estimate(sample.ratio * math.sqrt(year), *ends, sample.n),
        psr=sample.above(),
        dsr=deflated_sharpe(sample, tried.effective, variance / year),
        luck=luck,
        needed_ms=min_track_record(sample, luck / math.sqrt(year)) * interval_ms(interval),
        record_ms=sample.n * interval_ms(interval),
        search=tried,
        pbo=math.nan if family is None else _pbo(family),
        family=0 if family is None else family.shape[1],
    )


def _spread(tried: Search, year: float, n: int) -> float:
    """Variance of the annual ratios of the ideas; at least what chance gives n returns where few ideas show it."""
    chance = year / n if n and 1 < tried.effective < FEW_IDEAS else 0.0
    return max(tried.variance, chance)


def _pbo(family: Float64) -> float:
    try:
        return cscv(family, _BLOCKS).pbo if family.shape[1] > 1 else math.nan
    except NotEnoughHistory:
        return math.nan
