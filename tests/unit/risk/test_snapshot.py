import numpy as np
import pytest

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.risk.snapshot import tail_snapshot
from seakeep.stats.components import components, incremental
from seakeep.stats.quantiles import empirical_tail


def returns(n=1000, k=5, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_t(4, (n, k)) * 0.02 + 0.02 * rng.standard_t(4, (n, 1))


WEIGHTS = np.array([0.3, 0.2, 0.1, 0.0, -0.1])
ORDER = np.array([0.0, 0.0, 0.0, 0.1, 0.0])


def test_the_totals_are_those_of_the_book_as_one_series():
    found = tail_snapshot(returns(), WEIGHTS)
    var, cvar = empirical_tail(np.sort(returns() @ WEIGHTS), 0.95)
    assert (found.var.value, found.cvar.value) == pytest.approx((var, cvar), rel=1e-12)
    assert found.cvar_component.sum() == pytest.approx(cvar, rel=1e-12)
    assert found.var_component.sum() == pytest.approx(var, rel=1e-12)
    assert found.cvar_component[4] < 0


def test_the_change_by_an_order_is_the_difference_of_two_books():
    found = tail_snapshot(returns(), WEIGHTS, ORDER).order
    before, after = (tail_snapshot(returns(), w) for w in (WEIGHTS, WEIGHTS + ORDER))
    assert found.cvar_change.value == pytest.approx(after.cvar.value - before.cvar.value, rel=1e-9)
    assert found.var_change == pytest.approx(after.var.value - before.var.value, rel=1e-9)
    small = tail_snapshot(returns(), WEIGHTS, ORDER * 1e-6).order
    assert small.cvar_change.value / 1e-7 == pytest.approx(small.marginal_cvar, rel=1e-4)


def test_intervals_are_about_those_of_the_bootstrap():
    found = tail_snapshot(returns(), WEIGHTS, ORDER)
    slow = components(returns(), WEIGHTS)
    change = incremental(returns(), WEIGHTS, ORDER).cvar
    for quick, sampled in ((found.cvar, slow.cvar), (found.order.cvar_change, change)):
        assert quick.high - quick.low == pytest.approx(sampled.high - sampled.low, rel=0.35)


def test_an_empty_book_risks_nothing_and_its_first_order_everything_it_is():
    found = tail_snapshot(returns(), np.zeros(5), ORDER)
    alone = tail_snapshot(returns(), ORDER)
    assert (found.var.value, found.cvar.value) == (0.0, 0.0)
    assert found.order.cvar_change.value == pytest.approx(alone.cvar.value, rel=1e-12)
    assert found.order.cvar_change.low == pytest.approx(alone.cvar.low, rel=0.05)
    assert found.order.marginal_cvar is None


def test_an_order_that_closes_the_book_takes_all_its_risk_away():
    found = tail_snapshot(returns(), WEIGHTS, -WEIGHTS)
    assert found.order.cvar_change.value == pytest.approx(-found.cvar.value, rel=1e-12)
    assert found.order.var_change == pytest.approx(-found.var.value, rel=1e-12)


def test_bad_input_is_refused_by_name():
    with pytest.raises(NotEnoughHistory, match="at least 50 rows"):
        tail_snapshot(returns(30), WEIGHTS)
    with pytest.raises(DataError, match="not a finite number"):
        tail_snapshot(np.where(returns() > 0.1, np.nan, returns()), WEIGHTS)
    with pytest.raises(DataError, match="an order is a finite weight"):
        tail_snapshot(returns(), WEIGHTS, np.zeros(5))
    with pytest.raises(ConfigError, match="confidence"):
        tail_snapshot(returns(), WEIGHTS, None, 1.0)
    with pytest.raises(ValueError, match="weights"):
        tail_snapshot(returns(), WEIGHTS[:3])
