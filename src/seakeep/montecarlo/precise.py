"""The first level once more in float64, from 64-bit uniforms: the check of what float32 costs.

Same counters, other draws: two words make a uniform, so normals reach 8.5 sigma instead of 5.9. The logarithm is
fdlibm's, sine and cosine its kernel polynomials on an angle whose quadrant is read off the top bits.
"""

import math
from typing import Any

import numpy as np
from numba import float64, prange, uint32, uint64

from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64
from seakeep.montecarlo.bits import as_double, as_long
from seakeep.montecarlo.gbm import Gbm
from seakeep.montecarlo.paths import Run, threads_of
from seakeep.montecarlo.streams import LANES, fill_words, seed_block

__all__ = ["simulate_precise"]


@kernel(fastmath=FUSED, inline=True)
def _log(x: Any) -> Any:
    bits = as_long(x)
    m = as_double((bits & uint64(0x000FFFFFFFFFFFFF)) | uint64(0x3FF0000000000000))
    k = as_double((bits >> uint64(52)) | uint64(0x4330000000000000)) - 4503599627371519.0
    big = m > 1.4142135623730951
    m, k = 0.5 * m if big else m, k + 1.0 if big else k
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
    even = 0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)
    even = z * (0.6666666666666735130 + w * even)
    half = 0.5 * f * f
    return k * 0.6931471805599453 - ((half - s * (half + odd + even)) - f)


@kernel(fastmath=FUSED, inline=True)
def _sincos(angle: Any) -> Any:
    """Sine and cosine of 2 pi angle / 2^64."""
    q = angle + uint64(0x2000000000000000)
    d = (q & uint64(0x3FFFFFFFFFFFFFFF)) >> uint64(10)
    r = (as_double(d | uint64(0x4330000000000000)) - 6755399441055744.0) * (1.5707963267948966 / 4503599627370496.0)
    z = r * r
    s = 2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)
    s = 8.33333333332248946124e-03 + z * (-1.98412698298579493134e-04 + z * s)
    s = r + z * r * (-1.66666666666666324348e-01 + z * s)
    c = -2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)
    c = -1.38888888888741095749e-03 + z * (2.48015872894767294178e-05 + z * c)
    c = 1.0 - 0.5 * z + z * z * (4.16666666666666019037e-02 + z * c)
    swap = (q & uint64(0x4000000000000000)) != uint64(0)
    sign = uint64(0x8000000000000000)
    a, b = as_long(c if swap else s), as_long(s if swap else c)
    return as_double(a ^ (q & sign)), as_double(b ^ ((q ^ (q << uint64(1))) & sign))


@kernel(fastmath=FUSED)
def _walk(mean: Any, sd: Any, words: Any, left: Any, x: Any, low: Any) -> None:
    """Two steps of every lane, or one if that is all that is left."""
    w0, w1, w2, w3, last = words[0], words[1], words[2], words[3], float64(0.0 if left == 1 else 1.0)
    for j in range(LANES):
        u = (uint64(w0[j]) << uint64(32)) | uint64(w1[j])
        v = (uint64(w2[j]) << uint64(32)) | uint64(w3[j])
        radius = math.sqrt(-2.0 * _log(2.0 - as_double((u >> uint64(12)) | uint64(0x3FF0000000000000))))
        a, b = _sincos(v)
        y = x[j] + (mean + sd * (radius * a))
        lowest = min(low[j], y)
        y = y + last * (mean + sd * (radius * b))
        x[j], low[j] = y, min(lowest, y)


@kernel
def _block(source: Any, steps: Any, mean: Any, sd: Any, out: Any, b: Any) -> None:
    stream, words = seed_block(source, b), np.empty((4, LANES), np.uint32)
    x, low = np.zeros(LANES), np.zeros(LANES)
    for t in range(0, steps, 2):
        fill_words(source, b, t, uint32(3), stream, words)
        _walk(mean, sd, words, steps - t, x, low)
    out[0, b * LANES : (b + 1) * LANES] = x
    out[1, b * LANES : (b + 1) * LANES] = low


@kernel(parallel=True)
def _blocks(source: Any, steps: Any, mean: Any, sd: Any, out: Any, blocks: Any) -> None:
    for b in prange(blocks):
        _block(source, steps, mean, sd, out, b)


def simulate_precise(model: Gbm, run: Run) -> Float64:
    """End value and lowest value (2, paths) of the first level, in float64; antithetic runs mirror the uniforms.

    >>> values = simulate_precise(Gbm(0.0, 0.8), Run(steps=30, paths=100_000, seed=1))
    >>> bool(abs(values[0].mean() - 1) < 0.01)
    True
    """
    out = np.empty((2, run.blocks * LANES))
    mean, sd = float(model.means(1)[0, 0]), float(model.spread()[0])
    with threads_of(run.threads):
        _blocks(run.source, run.steps, mean, sd, out, run.blocks)
    return np.exp(out, out=out)
