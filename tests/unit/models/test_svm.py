"""The radial machine is scikit-learn's."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from seakeep.core.errors import ModelError
from seakeep.models.svm import RadialMachine, SvmExpert, radial_sum


def test_it_forecasts_what_scikit_learn_does() -> None:
    rng = np.random.default_rng(1)
    x, new = rng.uniform(-1, 3, (400, 5)), rng.uniform(-1, 3, (300, 5))
    u = np.sin(2 * x[:, 0]) + 0.3 * rng.standard_normal(400)
    machine = SvmExpert(cost=0.7, tube=0.2, reach=1.3).learn(x, u, 1)
    scaler = StandardScaler().fit(x)
    peer = SVR(C=0.7, epsilon=0.2, gamma=1 / (1.3**2 * 5)).fit(scaler.transform(x), u)
    np.testing.assert_allclose(machine.predict(new), peer.predict(scaler.transform(new)), rtol=0, atol=1e-9)


def test_the_python_twin_sums_the_same() -> None:
    rng = np.random.default_rng(2)
    x, support, weights = rng.normal(size=(4, 3)), rng.normal(size=(3, 9)), rng.normal(size=9)
    np.testing.assert_allclose(radial_sum.py_func(x, support, weights, 0.4), radial_sum(x, support, weights, 0.4))


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="no support vector machine"):
        RadialMachine(np.zeros(2), np.ones(2), np.zeros((3, 1)), np.zeros(1), 1.0, 0.0)


def test_a_constant_input_does_no_harm() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=200), np.full(200, 7.0)])
    assert np.isfinite(SvmExpert().learn(x, x[:, 0], 1).predict(x)).all()
