"""Kelly across assets: against the closed form, never negative, less than each asset alone where they move together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.risk.kelly import continuous_kelly
from seakeep.risk.sizing import Sizing, portfolio_weights

WHOLE = Sizing(method="kelly_portfolio", kelly_fraction=1.0, max_kelly=10.0)


def shrunk(n: int, k: int) -> float:
    return (n - k - 1) * (n - k - 4) / (n * (n - 2))


@given(st.floats(0.001, 0.005), st.floats(0.001, 0.005), st.floats(-0.9, 0.9))
def test_where_no_weight_is_negative_it_is_the_closed_form_scaled_for_the_estimated_covariance(
    a: float, b: float, rho: float
) -> None:
    covariance = 0.1**2 * np.array([[1, rho], [rho, 1]])
    drift = np.array([a, b])
    free = np.array(continuous_kelly(drift, covariance).weights)
    found = portfolio_weights(drift, covariance, 240, WHOLE)
    assert (found >= 0).all()
    if (free > 0).all():
        assert found == pytest.approx(shrunk(240, 2) * free, rel=1e-6)
    else:
        best = int(np.argmax(drift))
        assert found[best] == pytest.approx(shrunk(240, 2) * drift[best] / 0.1**2, rel=1e-6)


def test_two_that_move_as_one_get_together_what_one_would_get() -> None:
    twins = 0.1**2 * np.array([[1, 0.999999], [0.999999, 1]])
    both = portfolio_weights(np.array([0.004, 0.004]), twins, 10**6, WHOLE)
    alone = portfolio_weights(np.array([0.004]), twins[:1, :1], 10**6, WHOLE)
    assert both.sum() == pytest.approx(alone[0], rel=1e-4)


def test_fraction_and_cut_apply_to_each_weight() -> None:
    drift, covariance = np.array([0.05, 0.0001]), 0.1**2 * np.eye(2)
    sizing = Sizing(method="kelly_portfolio", kelly_fraction=0.25, max_kelly=0.5)
    first, second = portfolio_weights(drift, covariance, 240, sizing)
    assert first == 0.125
    assert second == pytest.approx(0.25 * shrunk(240, 2) * 0.01)
    assert portfolio_weights(np.array([-0.01, -0.02]), covariance, 240, sizing).tolist() == [0.0, 0.0]


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(NotEnoughHistory, match="more than 6 returns"):
        portfolio_weights(np.ones(2), np.eye(2), 6, WHOLE)
    with pytest.raises(DataError, match="positive definite"):
        portfolio_weights(np.ones(2), np.ones((2, 2)), 240, WHOLE)
