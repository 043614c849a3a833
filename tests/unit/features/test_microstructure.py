"""Estimates whose answer is known because the market was built to have it."""

import numpy as np
import pytest
from numpy.random import default_rng

from seakeep.core.market import Float64
from seakeep.features import microstructure as micro
from seakeep.features import volatility, volume


def fractional_noise(hurst: float, n: int) -> Float64:
    """Fractional Gaussian noise by circulant embedding (Davies and Harte 1987), unit variance."""
    k = np.arange(n + 1.0)
    covariance = 0.5 * ((k + 1) ** (2 * hurst) - 2 * k ** (2 * hurst) + np.abs(k - 1) ** (2 * hurst))
    spectrum = np.fft.fft(np.r_[covariance, covariance[-2:0:-1]]).real
    draws = default_rng(4).normal(size=(2, 2 * n))
    return np.fft.fft(np.sqrt(np.maximum(spectrum, 0) / (2 * n)) * (draws[0] + 1j * draws[1])).real[:n]


def test_a_price_that_bounces_between_bid_and_ask_shows_its_spread() -> None:
    spread = 0.004
    sides = default_rng(1).choice([-1.0, 1.0], 40_000)
    close = 100.0 * np.exp(np.cumsum(default_rng(2).normal(0.0, 1e-4, 40_000)) + sides * spread / 2)
    assert micro.roll_spread(close, 30_000)[-1] == pytest.approx(spread, rel=0.02)


def test_a_still_price_between_bid_and_ask_has_exactly_the_corwin_schultz_spread() -> None:
    high, low = np.full(30, 101.0), np.full(30, 99.0)
    assert micro.corwin_schultz(high, low, 20)[-1] == pytest.approx(2.0 * (101.0 - 99.0) / (101.0 + 99.0), rel=1e-12)


def test_impact_per_volume_is_recovered() -> None:
    rng = default_rng(3)
    traded, side = rng.gamma(2.0, 10.0, 200), rng.choice([-1.0, 1.0], 200)
    close = 50.0 * np.exp(np.cumsum(2e-5 * side * traded))
    assert micro.kyle_lambda(close, traded, 100)[-1] == pytest.approx(2e-5, rel=1e-9)
    assert micro.amihud(close, traded / close, 100)[-1] == pytest.approx(2e-5, rel=1e-9)
    money = np.full(200, 7.0) / close
    assert micro.amihud(close, money, 100)[-1] == pytest.approx(2e-5 * traded[-100:].mean() / 7.0, rel=1e-9)


def test_one_sided_volume_lies_between_a_straight_line_and_a_random_walk() -> None:
    rng = default_rng(5)
    walk, flat = np.cumsum(rng.normal(size=5_000)) + 1e3, np.full(5_000, 10.0)
    # for a normal walk |2 Phi(z) - 1| is uniform, so its mean is one half
    assert micro.volume_imbalance(walk, flat, 4_000)[-1] == pytest.approx(0.5, abs=0.02)
    assert micro.volume_imbalance(flat, flat, 50)[-1] == 0.0


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.7])
def test_the_exponent_of_fractional_noise_is_recovered(hurst: float) -> None:
    close = np.exp(np.cumsum(1e-3 * fractional_noise(hurst, 2**16)))
    assert micro.hurst(close, 60_000, 5)[-1] == pytest.approx(hurst, abs=0.02)
    assert micro.variance_ratio(close, 60_000, 5)[-1] == pytest.approx(5 ** (2 * hurst - 1), rel=0.05)
    assert micro.autocorrelation(close, 60_000)[-1] == pytest.approx(2 ** (2 * hurst - 1) - 1, abs=0.02)


def test_range_estimators_agree_on_a_finely_watched_random_walk() -> None:
    rng, steps, bars = default_rng(6), 1_000, 2_000
    path = np.cumsum(rng.normal(0.0, 0.01 / np.sqrt(steps), (bars, steps)).ravel()).reshape(bars, steps)
    opened = np.r_[0.0, path[:-1, -1]]
    high, low = np.maximum(path.max(1), opened), np.minimum(path.min(1), opened)
    o, h, lo, c = (np.exp(x) for x in (opened, high, low, path[:, -1]))
    for got in (
        volatility.parkinson(h, lo, 1_900),
        volatility.garman_klass(o, h, lo, c, 1_900),
        volatility.rogers_satchell(o, h, lo, c, 1_900),
        volatility.yang_zhang(o, h, lo, c, 1_900),
        volatility.return_std(c, 1_900),
        volatility.realised_vol(c, 1_900),
    ):
        assert got[-1] == pytest.approx(0.01, rel=0.05)


def test_bounded_volume_measures_reach_their_ends() -> None:
    close, traded = np.arange(1.0, 41.0), np.full(40, 3.0)
    assert volume.obv_slope(close, traded, 20)[-1] == 1.0
    assert volume.obv_slope(-close, traded, 20)[-1] == -1.0
    assert volume.cmf(close, close - 1.0, close, traded, 20)[-1] == 1.0
    assert volume.cmf(close, close - 1.0, close, 0.0 * traded, 20)[-1] == 0.0
    assert volume.volume_z(np.r_[np.zeros(19), 1.0], 20)[-1] == pytest.approx(np.sqrt(19.0))
    assert volume.eom(close, close - 2.0, traded, 5)[-1] == pytest.approx(2.0 / 3.0)
