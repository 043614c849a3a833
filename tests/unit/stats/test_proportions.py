import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from seakeep.stats.proportions import clopper_pearson


@given(st.integers(1, 500), st.data())
def test_interval_is_that_of_scipys_exact_test(n, data):
    k = data.draw(st.integers(0, n))
    theirs = binomtest(k, n).proportion_ci(0.95, "exact")
    found = clopper_pearson(k, n)
    assert (found.value, found.low, found.high) == pytest.approx((k / n, theirs.low, theirs.high), abs=1e-12)


def test_each_end_leaves_half_of_the_doubt():
    found = clopper_pearson(7, 40, 0.9)
    assert binom.sf(6, 40, found.low) == pytest.approx(0.05)
    assert binom.cdf(7, 40, found.high) == pytest.approx(0.05)


def test_no_success_in_n_is_the_rule_of_three():
    assert clopper_pearson(0, 1000, 0.9).high == pytest.approx(3 / 1000, rel=0.01)


@pytest.mark.parametrize("wrong", [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_impossible_counts_are_refused(wrong):
    with pytest.raises(ValueError, match="successes"):
        clopper_pearson(*wrong)
