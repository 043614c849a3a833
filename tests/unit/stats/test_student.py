import numpy as np
import pytest
from scipy import stats

from seakeep.core.errors import ConvergenceError
from seakeep.stats.laws import StudentT
from seakeep.stats.student import fit_student, student_loglik


@pytest.mark.parametrize(("nu", "n"), [(2.5, 500), (4, 500), (8, 2000)])
def test_the_fit_is_as_likely_as_that_of_scipy(nu, n):
    x = stats.t.rvs(nu, loc=0.001, scale=0.02, size=n, random_state=int(10 * nu))
    fit, (other, location, scale) = fit_student(x), stats.t.fit(x)
    assert fit.loglik == pytest.approx(stats.t.logpdf(x, fit.nu, fit.location, fit.scale).sum(), rel=1e-12)
    assert fit.loglik >= stats.t.logpdf(x, other, location, scale).sum() - 1e-6
    assert fit.nu == pytest.approx(other, rel=1e-2)


def test_the_compiled_twin_is_the_same_function():
    x = np.random.default_rng(1).standard_t(4, 50)
    assert student_loglik(x, 0.1, 0.9, 5.0) == pytest.approx(student_loglik.py_func(x, 0.1, 0.9, 5.0), rel=1e-14)


def test_errors_are_the_spread_of_repeated_fits():
    rng = np.random.default_rng(3)
    laws = [StudentT(fit_student(rng.standard_t(4, 1000))) for _ in range(300)]
    for which in (0, 1):
        spread = np.std([law.tail(0.99)[which] for law in laws])
        claimed = np.median([law.errors(0.99)[which] for law in laws])
        assert claimed == pytest.approx(spread, rel=0.15)


def test_normal_returns_meet_the_limit_and_it_is_said():
    law = StudentT(fit_student(stats.norm.ppf((np.arange(2000) + 0.5) / 2000)))
    assert law.fit.at_edge
    assert "met their limit" in law.warnings(0.99)[0]
    assert law.tail(0.99) == pytest.approx((2.3263, 2.6652), rel=0.02)
    assert np.isfinite(law.errors(0.99)).all()


def test_a_likelihood_without_a_maximum_is_refused():
    x = np.random.default_rng(1).standard_t(4, 400)
    x[:260] = 0.0
    with pytest.raises(ConvergenceError, match="many equal returns"):
        fit_student(x)
