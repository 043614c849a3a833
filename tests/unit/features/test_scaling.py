"""Scalers know the training rows and nothing else."""

import numpy as np
import pytest

from seakeep.core.errors import NotEnoughHistory
from seakeep.features.scaling import fit

TRAIN = np.array([[1.0, 10.0, 5.0], [2.0, np.nan, 5.0], [3.0, 30.0, 5.0], [4.0, 20.0, 5.0], [5.0, 40.0, 5.0]])


def test_each_kind_maps_its_training_rows_where_it_says() -> None:
    standard = fit(TRAIN).apply(TRAIN)
    np.testing.assert_allclose(np.nanmean(standard, axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(np.nanstd(standard, axis=0), [1.0, 1.0, 0.0])
    unit = fit(TRAIN, "minmax").apply(TRAIN)
    assert np.nanmin(unit, axis=0).tolist() == [0.0, 0.0, 0.0]
    assert np.nanmax(unit, axis=0).tolist() == [1.0, 1.0, 0.0]
    robust = fit(TRAIN, "robust")
    assert robust.centre.tolist() == [3.0, 25.0, 5.0]
    assert robust.scale.tolist() == [2.0, 15.0, 1.0]


def test_applying_to_new_rows_learns_nothing_from_them() -> None:
    scaler = fit(TRAIN)
    alone = scaler.apply(np.array([[100.0, 100.0, 100.0]]))
    beside = scaler.apply(np.array([[100.0, 100.0, 100.0], [-1e9, np.nan, 1e9]]))
    np.testing.assert_array_equal(beside[0], alone[0])
    assert np.isnan(beside[1, 1])


def test_a_column_without_a_number_is_refused() -> None:
    with pytest.raises(NotEnoughHistory, match="column 1"):
        fit(np.array([[1.0, np.nan]]))
    with pytest.raises(NotEnoughHistory, match="column 0"):
        fit(np.empty((0, 2)))
    with pytest.raises(ValueError, match="there are standard"):
        fit(TRAIN, "zscore")
