"""The random streams against published vectors, and their polynomials against the mathematical library."""

import numba
import numpy as np
import pytest
from scipy import stats

from seakeep.core.jit import FUSED, kernel
from seakeep.montecarlo import streams
from seakeep.montecarlo.streams import (
    LANES,
    Source,
    fill_normals,
    fill_students,
    fill_words,
    normals,
    philox,
    seed_block,
)

ONE = np.uint64(1)


@numba.njit
def philox_words(c, k):
    return philox(c[0], c[1], c[2], c[3], k[0], k[1])


@numba.njit
def over(function, xs, out):
    for i in range(len(xs)):
        out[i] = function(xs[i])
    return out


def drawn(source: Source, fill, steps: int = 400) -> np.ndarray:
    """`steps` x 4 draws of the lanes of block 0."""
    state, parts = seed_block(source, 0), []
    for t in range(0, 4 * steps, 4):
        z = np.empty((4, LANES), np.float32)
        fill(source, 0, t, state, z)
        parts.append(z)
    return np.concatenate(parts).astype(float)


def students(nu: float):
    words = np.empty((4, LANES), np.uint32)
    return lambda source, block, t, state, z: fill_students(source, block, t, state, words, nu, z)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, words) -> None:
    found = philox_words(np.array(counter, np.uint32), np.array(key, np.uint32))
    assert tuple(int(word) for word in found) == words


def test_the_fast_stream_is_xoshiro128_plus_plus() -> None:
    state = np.repeat(np.array([[1], [2], [3], [4]], np.uint32), LANES, axis=1)
    words = np.empty((4, LANES), np.uint32)
    fill_words(Source(ONE, fast=True), 0, 0, 0, state, words)
    assert words[:, 7].tolist() == [641, 1573767, 3222811527, 3517856514]


def test_float32_normals_are_the_float64_ones_of_numpy() -> None:
    ours = drawn(Source(np.uint64(2**40 + 9)), fill_normals, 100)
    assert np.abs(ours - normals(2**40 + 9, 0, 400)).max() < 2e-4
    assert np.abs(ours - normals(2**40 + 9, 0, 400)).mean() < 2e-7


@pytest.mark.parametrize("fast", [False, True])
def test_normals_are_normal_and_lanes_and_steps_do_not_depend_on_each_other(fast: bool) -> None:
    z = drawn(Source(ONE, fast=fast), fill_normals, 1000)
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.01
    assert abs(stats.kurtosis(z.ravel())) < 4 * np.sqrt(24 / z.size)
    assert abs(np.corrcoef(z[:-1].ravel(), z[1:].ravel())[0, 1]) < 4 / np.sqrt(z.size)
    assert abs(np.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1]) < 4 / np.sqrt(z.size)


@pytest.mark.parametrize("nu", [2.2, 4.0, 12.0])
def test_student_draws_follow_the_law_of_scipy(nu: float) -> None:
    t = drawn(Source(ONE), students(nu)).ravel()
    assert stats.kstest(t, stats.t(nu).cdf).pvalue > 0.01
    assert (np.abs(t) > stats.t(nu).isf(0.0005)).mean() == pytest.approx(0.001, abs=4 * np.sqrt(0.001 / t.size))


def test_mirrored_lanes_are_the_negative_or_the_complement() -> None:
    z = drawn(Source(ONE, mirror=True), fill_normals, 3)
    assert (z[:, LANES // 2 :] == -z[:, : LANES // 2]).all()
    words = np.empty((4, LANES), np.uint32)
    fill_words(Source(ONE, mirror=True), 0, 0, 1, np.empty((4, LANES), np.uint32), words)
    assert (words[:, LANES // 2 :] == ~words[:, : LANES // 2]).all()


def test_the_seed_the_block_and_the_step_each_change_the_draw() -> None:
    found = set()
    for seed, block, step in [(1, 0, 0), (2, 0, 0), (1 + 2**32, 0, 0), (1, 1, 0), (1, 0, 4)]:
        z = np.empty((4, LANES), np.float32)
        fill_normals(Source(np.uint64(seed)), block, step, seed_block(Source(ONE), 0), z)
        found.add(z.tobytes())
    assert len(found) == 5


def test_polynomials_are_as_good_as_float32() -> None:
    x = np.exp(np.linspace(-17, 17, 20_001)).astype(np.float32)
    error = over(streams.log_f32, x, np.empty_like(x)) - np.log(x.astype(float))
    assert np.abs(error / np.maximum(1, np.abs(np.log(x)))).max() < 2e-7
    y = np.linspace(-80, 80, 20_001).astype(np.float32)
    assert np.abs(over(streams.exp_f32, y, np.empty_like(y)) / np.exp(y.astype(float)) - 1).max() < 3e-7


def test_a_kernel_keeps_its_twin_and_refuses_flags_that_reorder_sums() -> None:
    doubled = kernel(fastmath=FUSED)(lambda x: 2 * x)
    assert doubled(1.5) == doubled.py_func(1.5) == 3.0
    with pytest.raises(ValueError, match="reassoc"):
        kernel(fastmath=frozenset({"reassoc"}))
