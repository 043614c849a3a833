"""A share of independent trials, and the exact interval that holds the true one."""

from scipy.special import betaincinv

from seakeep.stats.performance import LEVEL, Estimate

__all__ = ["clopper_pearson"]


def clopper_pearson(successes: int, n: int, level: float = LEVEL) -> Estimate:
    """Share of successes in n independent trials with Clopper and Pearson's exact interval [1]_; NaN without trials.

    The interval never covers less often than it says, however few the trials.

    >>> found = clopper_pearson(10, 100)
    >>> round(found.low, 4), round(found.high, 4)
    (0.049, 0.1762)

    Raises: ValueError if successes are not in 0 .. n, or the level not in (0, 1).

    .. [1] Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934).
    """
    if not 0 <= successes <= n or not 0 < level < 1:
        raise ValueError(f"need 0 <= successes <= n and a level in (0, 1), got {successes}, {n} and {level}")
    if not n:
        return Estimate(float("nan"))
    tail = (1 - level) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Estimate(successes / n, low, high, n)
