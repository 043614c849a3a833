"""Random streams by counter: the draw of a lane, a block and a step is a pure function of the seed.

Paths are cut into blocks of `LANES`; block b owns its own stream, so the answer has the same bits for any number of
threads, and any block can be replayed alone. The default stream is Philox4x32-10 [1]_ with counter (lane, block,
step, purpose) and the seed as key; `fast` is xoshiro128++ [2]_, its state seeded per block by SplitMix64. Normals are
Box-Muller in float32 (tails to 5.9 sigma), Student t by Bailey's polar method [3]_ (cut at one in a million); log, exp,
sine and cosine are polynomials, which is what lets a loop over the lanes be vectorised. `normals` is the same stream
in NumPy and float64. The `source` of a kernel is a `Source`, or any named tuple with its fields.

.. [1] Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
.. [2] Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021).
.. [3] Bailey, "Polar generation of random variates with the t-distribution", Mathematics of Computation 62 (1994).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import float32, int32, uint32, uint64

from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64
from seakeep.montecarlo.bits import (
    add32,
    and32,
    as_float,
    as_int,
    as_word,
    or32,
    sar32,
    shl32,
    shr32,
    sub32,
    to_float,
    xor32,
)

__all__ = [
    "LANES",
    "Source",
    "exp_f32",
    "fill_normals",
    "fill_students",
    "fill_words",
    "log_f32",
    "normals",
    "philox",
    "seed_block",
    "sincos_f32",
    "unit_f32",
]

LANES = 256
"""Paths in a block."""


class Source(NamedTuple):
    """Where draws come from: the seed, the fast stream or Philox, and whether half the lanes mirror the others."""

    seed: np.uint64
    fast: bool = False
    mirror: bool = False


@kernel(fastmath=FUSED, inline=True)
def log_f32(x: Any) -> Any:
    """Natural logarithm of a positive float32, to 1e-7 relative."""
    bits = as_word(x)
    exponent = sar32(sub32(bits, uint32(0x3F3504F3)), uint32(23))
    s = as_float(sub32(bits, shl32(exponent, uint32(23)))) - float32(1.0)
    p = float32(7.0376836292e-2)
    p = p * s + float32(-1.1514610310e-1)
    p = p * s + float32(1.1676998740e-1)
    p = p * s + float32(-1.2420140846e-1)
    p = p * s + float32(1.4249322787e-1)
    p = p * s + float32(-1.6668057665e-1)
    p = p * s + float32(2.0000714765e-1)
    p = p * s + float32(-2.4999993993e-1)
    p = p * s + float32(3.3333331174e-1)
    z = s * s
    return to_float(as_int(exponent)) * float32(0.6931471805599453) + (s + (s * z * p - float32(0.5) * z))


@kernel(fastmath=FUSED, inline=True)
def _exp_parts(x: Any) -> Any:
    """2^n and e^r - 1 with x = n ln 2 + r, of a float32 held within [-87, 88]."""
    x = min(max(x, float32(-87.0)), float32(88.0))
    shifted = x * float32(1.44269504088896341) + float32(12582912.0)
    n = shifted - float32(12582912.0)
    r = (x - n * float32(0.693359375)) - n * float32(-2.12194440e-4)
    p = float32(1.9875691500e-4)
    p = p * r + float32(1.3981999507e-3)
    p = p * r + float32(8.3334519073e-3)
    p = p * r + float32(4.1665795894e-2)
    p = p * r + float32(1.6666665459e-1)
    p = p * r + float32(5.0000001201e-1)
    power = as_float(shl32(add32(as_word(shifted), uint32(127)), uint32(23)))
    return power, p * (r * r) + r


@kernel(fastmath=FUSED, inline=True)
def exp_f32(x: Any) -> Any:
    """Exponential of a float32, to 2e-7 relative; saturates below -87 and above 88."""
    power, rest = _exp_parts(x)
    return power * rest + power


@kernel(fastmath=FUSED, inline=True)
def sincos_f32(angle: Any) -> Any:
    """Sine and cosine of 2 pi angle / 2^32: the quadrant is the top bits, so nothing is lost in reducing it."""
    q = add32(angle, uint32(0x20000000))
    r = to_float(as_int(sub32(angle, and32(q, uint32(0xC0000000))))) * float32(1.462918079607987e-09)
    z = r * r
    s = ((float32(-1.9515295891e-4) * z + float32(8.3321608736e-3)) * z + float32(-1.6666654611e-1)) * z * r + r
    c = (float32(2.443315711809948e-5) * z + float32(-1.388731625493765e-3)) * z + float32(4.166664568298827e-2)
    c = c * (z * z) + (float32(1.0) - float32(0.5) * z)
    swap = and32(q, uint32(0x40000000)) != uint32(0)
    sign = uint32(0x80000000)
    a = as_word(c if swap else s)
    b = as_word(s if swap else c)
    return as_float(xor32(a, and32(q, sign))), as_float(xor32(b, and32(xor32(q, shl32(q, uint32(1))), sign)))


@kernel(fastmath=FUSED, inline=True)
def unit_f32(word: Any) -> Any:
    """Uniform float32 in (0, 1], never 0, from the upper 24 bits."""
    return to_float(as_int(shr32(word, uint32(8)))) * float32(5.9604644775390625e-08) + float32(2.98023223876953125e-08)


@kernel(fastmath=FUSED, inline=True)
def _box_muller(u: Any, v: Any) -> Any:
    r = math.sqrt(float32(-2.0) * log_f32(unit_f32(u)))
    a, b = sincos_f32(v)
    return r * a, r * b


@kernel(fastmath=FUSED, inline=True)
def _student(u: Any, v: Any, nu: Any) -> Any:
    """A Student t of nu degrees: cosine of one word times sqrt(nu (U^(-2/nu) - 1)) of the other, U cut at 1e-6."""
    power, rest = _exp_parts(float32(-2.0) / nu * log_f32(max(unit_f32(u), float32(1e-6))))
    a, _ = sincos_f32(v)
    return a * math.sqrt(nu * max((power - float32(1.0)) + power * rest, float32(0.0)))


@kernel(inline=True)
def _product(a: Any, b: Any) -> Any:
    both = uint64(a) * uint64(b)
    return uint32(both >> uint64(32)), uint32(both)


@kernel(inline=True)
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four random words of a counter (c0, c1, c2, c3) under the key (k0, k1): Philox4x32 with ten rounds."""
    for _ in range(10):
        high0, low0 = _product(c0, uint32(0xD2511F53))
        high1, low1 = _product(c2, uint32(0xCD9E8D57))
        c0, c1, c2, c3 = xor32(xor32(high1, c1), k0), low1, xor32(xor32(high0, c3), k1), low0
        k0, k1 = add32(k0, uint32(0x9E3779B9)), add32(k1, uint32(0xBB67AE85))
    return c0, c1, c2, c3


@kernel(inline=True)
def _rotate(x: Any, by: Any) -> Any:
    return or32(shl32(x, uint32(by)), shr32(x, uint32(32 - by)))


@kernel(inline=True)
def _xoshiro(s0: Any, s1: Any, s2: Any, s3: Any) -> Any:
    word, t = add32(_rotate(add32(s0, s3), 7), s0), shl32(s1, uint32(9))
    s2, s3 = xor32(s2, s0), xor32(s3, s1)
    return word, xor32(s0, s3), xor32(s1, s2), xor32(s2, t), _rotate(s3, 11)


@kernel
def _splitmix(state: Any) -> Any:
    state = state + uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return state, z ^ (z >> uint64(31))


@kernel
def seed_block(source: Any, block: Any) -> Any:
    """State (4, LANES) of the fast stream at the start of a block; Philox has none and leaves it empty."""
    state = np.empty((4, LANES), np.uint32)
    if source.fast:
        s = uint64(source.seed) * uint64(0x9E3779B97F4A7C15) ^ uint64(block) * uint64(0xD1342543DE82EF95)
        for j in range(LANES):
            s, z = _splitmix(s)
            state[0, j], state[1, j] = uint32(z), uint32(z >> uint64(32))
            s, z = _splitmix(s)
            state[2, j], state[3, j] = uint32(z), uint32(z >> uint64(32))
    return state


@kernel(inline=True)
def fill_words(source: Any, block: Any, step: Any, purpose: Any, state: Any, words: Any) -> None:
    """Four words per lane into `words` (4, LANES) uint32; mirrored lanes get the complement, which is 1 - u."""
    width = LANES // 2 if source.mirror else LANES
    if source.fast:
        for j in range(width):
            words[0, j], a, b, c, d = _xoshiro(state[0, j], state[1, j], state[2, j], state[3, j])
            words[1, j], a, b, c, d = _xoshiro(a, b, c, d)
            words[2, j], a, b, c, d = _xoshiro(a, b, c, d)
            words[3, j], state[0, j], state[1, j], state[2, j], state[3, j] = _xoshiro(a, b, c, d)
    else:
        k0, k1 = uint32(source.seed), uint32(source.seed >> uint64(32))
        b, t, p = uint32(block), uint32(step), uint32(purpose)
        for j in range(width):
            words[0, j], words[1, j], words[2, j], words[3, j] = philox(uint32(j), b, t, p, k0, k1)
    if source.mirror:
        for i in range(4):
            for j in range(width):
                words[i, width + j] = xor32(words[i, j], uint32(0xFFFFFFFF))


@kernel(fastmath=FUSED, inline=True)
def fill_normals(source: Any, block: Any, step: Any, state: Any, z: Any) -> None:
    """Four standard normals per lane into `z` (4, LANES) float32: steps step .. step + 3; mirrored lanes get -z."""
    width = LANES // 2 if source.mirror else LANES
    fill_words(source, block, step, 0, state, z.view(np.uint32))
    for j in range(width):
        z[0, j], z[1, j] = _box_muller(as_word(z[0, j]), as_word(z[1, j]))
        z[2, j], z[3, j] = _box_muller(as_word(z[2, j]), as_word(z[3, j]))
    if source.mirror:
        for i in range(4):
            for j in range(width):
                z[i, width + j] = -z[i, j]


@kernel(fastmath=FUSED)
def fill_students(source: Any, block: Any, step: Any, state: Any, words: Any, nu: Any, z: Any) -> None:
    """Four Student t per lane (not scaled to unit variance) into `z` (4, LANES); `words` (4, LANES) is scratch."""
    width = LANES // 2 if source.mirror else LANES
    nu = float32(nu)
    for half in range(2):
        fill_words(source, block, step, int32(half), state, words)
        for j in range(width):
            z[2 * half, j] = _student(words[0, j], words[1, j], nu)
            z[2 * half + 1, j] = _student(words[2, j], words[3, j], nu)
    if source.mirror:
        for i in range(4):
            for j in range(width):
                z[i, width + j] = -z[i, j]


def normals(seed: int, block: int, steps: int) -> Float64:
    """The Philox normals of one block in float64 (steps, LANES), by NumPy's own logarithm and cosine: a check.

    >>> normals(1, 0, 5).shape
    (5, 256)
    """
    groups = -(-steps // 4)
    counter = np.zeros((4, groups, LANES), np.uint64)
    counter[0], counter[1], counter[2] = np.arange(LANES), block, 4 * np.arange(groups)[:, None]
    u0, v0, u1, v1 = _philox_array(counter, seed)
    pairs = []
    for u, v in ((u0, v0), (u1, v1)):
        radius = np.sqrt(-2 * np.log(((u >> np.uint64(8)) + 0.5) / 2**24))
        pairs += [radius * np.sin(v * (math.tau / 2**32)), radius * np.cos(v * (math.tau / 2**32))]
    return np.stack(pairs, axis=1).reshape(4 * groups, LANES)[:steps]


def _philox_array(counter: Any, seed: int) -> Any:
    """Philox4x32-10 of counters (4, ...) held in uint64."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    c0, c1, c2, c3 = counter
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ np.uint64(k0), p1 & low, (p0 >> shift) ^ c3 ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3
