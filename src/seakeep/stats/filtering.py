"""Filters that run over a fixed window before each row, so that a row's answer needs that window and nothing else."""

import numpy as np

from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64, Int64

__all__ = ["arma_states", "filter_windows", "garch_variances", "scaled_densities"]


@kernel(fastmath=FUSED)
def scaled_densities(x: Float64, means: Float64, deviations: Float64) -> Float64:
    """Density (n, k) of each row of x (n, d) in each state of independent normals (k, d), over the largest of its row.

    A row with a NaN gives NaN.
    """
    n, k = len(x), len(means)
    out = np.empty((n, k))
    constants = np.empty(k)
    for j in range(k):
        constants[j] = -np.log(deviations[j]).sum()
    for t in range(n):
        top = -np.inf
        for j in range(k):
            total = constants[j]
            for a in range(x.shape[1]):
                z = (x[t, a] - means[j, a]) / deviations[j, a]
                total -= 0.5 * z * z
            out[t, j] = total
            top = max(top, total)
        for j in range(k):
            out[t, j] = np.exp(out[t, j] - top)
    return out


@kernel(fastmath=FUSED)
def filter_windows(density: Float64, transition: Float64, start: Float64, rows: Int64, gap: int, steps: int) -> Float64:
    """Probability of each state (m, k) at `rows` (m,), filtered over `steps` rows, `gap` apart, from odds `start` (k,).

    NaN where the window begins before the first row or holds a NaN.
    """
    k = len(start)
    out = np.full((len(rows), k), np.nan)
    alpha, before = np.empty(k), np.empty(k)
    for m in range(len(rows)):
        first = rows[m] - gap * (steps - 1)
        if first < 0:
            continue
        before[:] = start
        for t in range(first, rows[m] + 1, gap):
            total = 0.0
            for j in range(k):
                alpha[j] = before[j] * density[t, j]
                total += alpha[j]
            for j in range(k):
                alpha[j] /= total
            for j in range(k):
                ahead = 0.0
                for i in range(k):
                    ahead += alpha[i] * transition[i, j]
                before[j] = ahead
        out[m] = alpha
    return out


@kernel
def garch_variances(x: Float64, first: Int64, params: Float64, level: float, window: int) -> Float64:
    """Variance of the bar after each row (n,): GARCH run over the last `window` rows of x (n,) from variance `level`.

    `params` (4,) are omega, alpha, beta and the coefficient of the row before in the mean; `first` (n,) is where the
    row's series begins: NaN before `window + 1` rows, or where one is NaN.
    """
    omega, alpha, beta, phi = params
    out = np.full(len(x), np.nan)
    for i in range(len(x)):
        if i - window < first[i]:
            continue
        variance = level
        for t in range(i - window + 1, i + 1):
            e = x[t] - phi * x[t - 1]
            variance = omega + alpha * e * e + beta * variance
        out[i] = variance
    return out


@kernel
def arma_states(x: Float64, first: Int64, phi: Float64, theta: Float64, window: int) -> Float64:
    """What an ARMA forecast rests on at each row (n, 4): x, x before, the shock, the shock before.

    `phi` (2,) and `theta` (2,); shocks are run over the last `window` rows from shocks of zero. NaN before `window`
    rows after `first` (n,), or where one is NaN.
    """
    out = np.full((len(x), 4), np.nan)
    for i in range(len(x)):
        if i - window + 1 < first[i]:
            continue
        before, earlier, shock, older = 0.0, 0.0, 0.0, 0.0
        for t in range(i - window + 1, i + 1):
            e = x[t] - phi[0] * before - phi[1] * earlier - theta[0] * shock - theta[1] * older
            earlier, before, older, shock = before, x[t], shock, e
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = before, earlier, shock, older
        if np.isnan(shock):
            out[i] = np.nan
    return out
