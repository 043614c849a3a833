"""Does a CVaR forecast hold beyond VaR? Acerbi and Szekely's Z1 and Z2, McNeil and Frey's test, and a joint score.

Z is zero when the forecast is right and negative when it is too small. Its law under the hypothesis is simulated: days
are independent and losses beyond VaR are those of Student's t, whose degrees of freedom hardly matter for Z2 [1]_.

.. [1] Acerbi and Szekely, "Backtesting expected shortfall", Risk (December 2014).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.stats.coverage import NO_FAILURES, Coverage, failures
from seakeep.stats.quantiles import checked_confidence, student_tail

__all__ = ["NullLaw", "acerbi_szekely", "joint_score", "mcneil_frey", "null_law"]


@dataclass(frozen=True, slots=True, eq=False)
class NullLaw:
    """Simulated Z1 and Z2 (simulations,), ascending, of n right forecasts; Z1 only of samples with a failure."""

    z1: Float64
    z2: Float64
    confidence: float
    n: int

    def p_value(self, statistic: float, which: str) -> float:
        """Share of simulated values at or below the statistic, never below 1 / (simulations + 1)."""
        values = self.z1 if which == "z1" else self.z2
        return (1 + int(np.searchsorted(values, statistic, "right"))) / (1 + len(values))


def null_law(n: int, confidence: float, nu: float = 5.0, simulations: int = 20_000, seed: int = 0) -> NullLaw:
    """Z1 and Z2 of n days whose losses have a Student t law with `nu` > 1 degrees of freedom. Same seed, same bits.

    Raises: ValueError for fewer than 1 day, 100 simulations or nu <= 1.
    """
    p = 1 - checked_confidence(confidence)
    if n < 1 or simulations < 100 or not nu > 1:
        raise ValueError(f"need n >= 1, simulations >= 100, nu > 1; got {n}, {simulations}, {nu}")
    rng = np.random.default_rng(seed)
    counts = rng.binomial(n, p, simulations)
    _, shortfall = student_tail(0.0, 1.0, nu, confidence)
    severities = stdtrit(nu, p * (1 - rng.random(int(counts.sum())))) / shortfall
    edges = np.append(0, np.cumsum(counts))
    running = np.append(0.0, np.cumsum(severities))
    sums = running[edges[1:]] - running[edges[:-1]]
    some = counts > 0
    return NullLaw(np.sort(sums[some] / counts[some] + 1), np.sort(sums / (n * p) + 1), confidence, n)


def acerbi_szekely(
    returns: Float64, var: Float64, cvar: Float64, confidence: float, law: NullLaw | None = None
) -> tuple[Coverage, Coverage]:
    """(Z1, Z2) of returns (n,) against VaR and CVaR forecasts (n,), positive losses known before each return.

    p-values are one-sided: small means risk was underestimated. `law` saves the simulation when many forecasts of the
    same length and confidence are judged.

    Raises: ValueError if a CVaR is not positive or `law` is of another length or confidence.
    """
    hits = failures(returns, var)
    n, x = len(hits), int(hits.sum())
    p = 1 - checked_confidence(confidence)
    if cvar.shape != var.shape or not (cvar > 0).all():
        raise ValueError("CVaR must be positive and as long as VaR")
    null = law or null_law(n, confidence)
    if (null.n, null.confidence) != (n, confidence):
        raise ValueError(f"the law is of {null.n} days at {null.confidence:g}, the forecast of {n} at {confidence:g}")
    severity = float((returns[hits] / cvar[hits]).sum())
    second = severity / (n * p) + 1
    if x == 0:
        first = Coverage("z1", math.nan, math.nan, 0, x, n, (NO_FAILURES,))
    else:
        first = Coverage("z1", severity / x + 1, null.p_value(severity / x + 1, "z1"), 0, x, n)
    return first, Coverage("z2", second, null.p_value(second, "z2"), 0, x, n)


def mcneil_frey(returns: Float64, var: Float64, cvar: Float64) -> Coverage:
    """Whether losses beyond VaR exceed CVaR on average: one-sided test of mean zero, normal (McNeil and Frey, 2000).

    Raises: NotEnoughHistory below 3 failures.
    """
    hits = failures(returns, var)
    excess = -cvar[hits] - returns[hits]
    if len(excess) < 3:
        raise NotEnoughHistory("the test of shortfall residuals needs at least 3 failures", value=len(excess))
    statistic = float(excess.mean() / (excess.std(ddof=1) / math.sqrt(len(excess))))
    return Coverage("mcneil_frey", statistic, float(ndtr(-statistic)), 0, len(excess), len(hits))


def joint_score(returns: Float64, var: Float64, cvar: Float64, confidence: float) -> Float64:
    """Score (n,) that is least, on average, for the true pair of VaR and CVaR; a smaller mean is a better forecast.

    Fissler and Ziegel's consistent score of degree 0 (Patton, Ziegel and Chen, Journal of Econometrics 211, 2019), so
    its differences do not depend on the unit of the returns. Raises: ValueError if a CVaR is not positive.
    """
    if not (cvar > 0).all():
        raise ValueError("CVaR must be positive")
    hits, p = failures(returns, var), 1 - checked_confidence(confidence)
    return np.asarray(hits * (-var - returns) / (p * cvar) + var / cvar + np.log(cvar) - 1)
