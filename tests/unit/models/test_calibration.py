"""Probabilities come true as often as they say, intervals hold what they promise, and wide ones are not acted on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.calibration import CalibratedClassifierCV
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.models import calibration
from seakeep.models.calibration import Calibration, CalibrationParams, brier, fit_calibration
from seakeep.models.conformal import conformal_width, scores


def drawn(n: int, seed: int, boast: float = 1.0, tail: float = 1e6) -> tuple[Float64, Float64]:
    """Forecasts that claim `boast` times what they know, and returns with Student's errors."""
    rng = np.random.default_rng(seed)
    std = 0.01 * np.exp(rng.normal(0, 0.2, n))
    z = rng.normal(0, 0.5, n)
    y = std * (z + rng.standard_t(tail, n) * math.sqrt((tail - 2) / tail))
    return np.column_stack([boast * z * std, std]), y


def fitted(n: int = 4_000, seed: int = 1, boast: float = 1.0, **params: float) -> Calibration:
    return fit_calibration(*drawn(n, seed, boast), np.arange(n), 1, CalibrationParams(**params))


@pytest.mark.parametrize("boast", [0.3, 1.0, 5.0])
def test_a_boast_is_seen_through(boast: float) -> None:
    map_, (forecast, y) = fitted(boast=boast), drawn(20_000, 2, boast)
    p = map_.prob_up(forecast[:, 0], forecast[:, 1])
    edges = np.quantile(p, np.linspace(0, 1, 11)[1:-1])
    for part in range(10):
        rows = np.digitize(p, edges) == part
        # 4,000 rows teach it: the chance of a rise is known to about 2.5 points at best.
        assert abs(np.mean(y[rows] > 0) - p[rows].mean()) < 0.05
    assert map_.brier < map_.brier_base
    assert map_.brier <= map_.brier_normal + 0.001


def test_the_isotonic_map_is_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(0, 1, 500)
    up = rng.random(500) < 1 / (1 + np.exp(-z))
    grid = np.linspace(-3, 3, 400)
    want = IsotonicRegression(y_min=1 / 502, y_max=501 / 502, out_of_bounds="clip").fit(z, up).predict(grid)
    np.testing.assert_allclose(np.interp(grid, *calibration._isotonic(z, up)), want, atol=1e-12)


def test_the_few_furthest_out_do_not_speak_for_all_that_is_further_out() -> None:
    rng = np.random.default_rng(13)
    z, up = np.sort(rng.normal(0, 1, 6_000)), rng.random(6_000) < 0.5
    up[-5:] = True
    assert calibration._isotonic(z, up)[1][-1] > 0.99
    _, p = calibration._isotonic(z, up, 300)
    assert p[-1] <= max(np.mean(up[-rows:]) for rows in range(300, 6_001, 300))
    ties, _ = calibration._isotonic(np.repeat([0.0, 1.0], 50), rng.random(100) < 0.5, 20)
    assert set(ties) <= {0.0, 1.0}
    # Three symbols by the hour, labels of ten hours: thirty rows share one outcome.
    assert calibration._rows_of_one(np.repeat(np.arange(100), 3), np.full(300, 10)) == 30


def test_platts_map_is_scikit_learns_sigmoid() -> None:
    rng = np.random.default_rng(4)
    z = rng.normal(0.2, 1, 800)
    up = rng.random(800) < 1 / (1 + np.exp(-0.7 * z - 0.2))
    z[:2] = -4, 4
    knots, p = calibration._platt(z, up)
    fitted = LogisticRegression().fit(z[:, None], up)
    fitted.coef_, fitted.intercept_ = np.ones((1, 1)), np.zeros(1)
    peer = CalibratedClassifierCV(_frozen(fitted), method="sigmoid", ensemble=False).fit(z[:, None], up)
    np.testing.assert_allclose(p, peer.predict_proba(knots[:, None])[:, 1], atol=1e-4)


def _frozen(model: LogisticRegression) -> object:
    from sklearn.frozen import FrozenEstimator

    return FrozenEstimator(model)


def test_the_better_map_out_of_fold_is_taken() -> None:
    rng = np.random.default_rng(5)
    z = rng.normal(0, 1, 6_000)
    steps = np.where(rng.random(6_000) < np.where(z > 1, 0.95, 0.5), 1.0, -1.0)
    stepped = fit_calibration(np.column_stack([z, np.ones(6_000)]), steps, np.arange(6_000), 1)
    assert (stepped.method, fitted(400).method) == ("isotonic", "platt")
    assert stepped.prob_up(1.5, 1.0) == pytest.approx(0.95, abs=0.03)


def test_who_is_wrong_more_often_than_not_is_not_turned_around() -> None:
    forecast, y = drawn(2_000, 6)
    map_ = fit_calibration(forecast, -y, np.arange(2_000), 1)
    assert map_.prob_up(0.02, 0.01) == pytest.approx(map_.prob_up(-0.02, 0.01), abs=0.02)


@pytest.mark.parametrize("tail", [3.0, 1e6])
def test_intervals_cover_what_they_promise_whatever_the_tails(tail: float) -> None:
    covered, trials = 0, 0
    for seed in range(40):
        forecast, y = drawn(700, 100 + seed, tail=tail)
        map_ = fit_calibration(forecast[:500], y[:500], np.arange(500), 1)
        low, high = map_.interval(forecast[500:, 0], forecast[500:, 1])
        covered += int(((y[500:] >= low) & (y[500:] <= high)).sum())
        trials += 200
    # Beside the draw of the test rows, each of the 40 widths is itself uncertain by sqrt(0.9 x 0.1 / 500).
    spread = math.sqrt(0.9 * 0.1 * (1 / trials + 1 / (40 * 500)))
    assert abs(covered / trials - 0.9) < 3 * spread + 1 / 500


@given(st.lists(st.floats(0, 1e6), min_size=20, max_size=200), st.sampled_from([0.8, 0.9, 0.95]))
def test_the_width_holds_its_share_of_the_rows_it_came_from(found: list[float], level: float) -> None:
    width = conformal_width(np.array(found), level)
    assert np.mean(np.array(found) <= width) >= level
    assert width in found


def test_the_rank_of_the_width_is_that_of_the_theorem() -> None:
    # Of 19 exchangeable scores and a new one, the new one is among the 18 smallest of 20 with chance 0.9.
    assert conformal_width(np.arange(1.0, 20.0), 0.9) == 18.0
    with pytest.raises(NotEnoughHistory, match="9 rows"):
        conformal_width(np.ones(8), 0.9)
    with pytest.raises(ValueError, match="level"):
        conformal_width(np.ones(8), 1.0)


def test_it_abstains_where_the_interval_is_wide_or_missing() -> None:
    map_ = fitted(wide=2.0)
    usual = map_.widest / 2
    mean, std = np.array([0.0, 0.0, np.nan, 0.0, 0.0]), np.array([usual, 2.1 * usual, usual, 0.0, np.nan])
    assert map_.abstains(mean, std).tolist() == [False, True, True, True, True]
    assert [map_.abstains(float(m), float(s)) for m, s in zip(mean, std, strict=True)] == [
        False,
        True,
        True,
        True,
        True,
    ]
    assert np.isnan(map_.prob_up(mean, std)).tolist() == [False, False, True, True, True]
    assert math.isnan(map_.prob_up(math.nan, 1.0))
    assert math.isnan(map_.prob_up(0.0, 0.0))


def test_one_and_many_are_answered_alike() -> None:
    map_, (forecast, _) = fitted(), drawn(50, 7)
    p = map_.prob_up(forecast[:, 0], forecast[:, 1])
    assert p.tolist() == [map_.prob_up(m, s) for m, s in forecast.tolist()]
    assert (np.diff(p[np.argsort(forecast[:, 0] / forecast[:, 1])]) >= 0).all()


def test_one_class_only_gives_one_probability() -> None:
    forecast, y = drawn(300, 8)
    map_ = fit_calibration(forecast, np.abs(y) + 1e-9, np.arange(300), 1)
    assert map_.prob_up(0.0, 0.01) > 0.98
    assert map_.prob_up(0.0, 0.01) < 1.0


def test_forecasts_that_never_vary_get_the_share_of_rises() -> None:
    forecast, y = drawn(500, 9)
    forecast[:, 0], forecast[:, 1] = 0.0, 0.01
    map_ = fit_calibration(forecast, y, np.arange(500), 1)
    assert map_.prob_up(0.0, 0.01) == pytest.approx(np.mean(y > 0), abs=0.003)


def test_what_was_stored_answers_the_same() -> None:
    map_ = fitted()
    again = Calibration.restored(map_.state())
    assert again.prob_up(0.003, 0.01) == map_.prob_up(0.003, 0.01)
    with pytest.raises(ValueError, match="calibration has"):
        Calibration.restored({"z": map_.z})
    with pytest.raises(ValueError, match="knots that rise"):
        Calibration.restored({**map_.state(), "p": map_.p[::-1].copy()})


def test_too_little_or_nothing_is_said() -> None:
    forecast, y = drawn(99, 10)
    with pytest.raises(NotEnoughHistory, match="100 forecasts"):
        fit_calibration(forecast, y, np.arange(99), 1)
    with pytest.raises(NotEnoughHistory):
        fit_calibration(np.full((500, 2), np.nan), np.ones(500), np.arange(500), 1)
    assert len(scores(np.array([np.nan]), np.ones(1), np.ones(1))) == 0


def test_the_coverage_it_reports_is_within_its_binomial_error() -> None:
    n = 4_000
    low, high = binom.ppf([0.0005, 0.9995], n, 0.9) / n
    assert low < fitted(n).covered < high
    assert brier(np.array([0.5]), np.array([True])) == 0.25
