import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import NotEnoughHistory
from seakeep.stats.cscv import cscv


def table(series, case):
    columns = series(case["inputs"]["series_file"])
    return np.column_stack(list(columns.values()))


@pytest.mark.parametrize(("name", "rate"), [("pbo_cscv_r_pbo_unit_test", 0.000119048), ("pbo_cscv_true_signal", 0.0)])
def test_every_choice_is_that_of_the_r_package(reference, series, name, rate):
    """What the R package prints as the slope is the intercept of its line of inside on outside."""
    case = reference("overfitting", name)
    returns = table(series, case)
    for blocks, expected in case["expected"].items():
        found = cscv(returns, int(blocks), rate)
        shown = len(expected["selected_strategy_1based"])
        assert len(found.chosen) == expected["n_combinations"]
        assert (found.chosen[:shown] + 1).tolist() == expected["selected_strategy_1based"]
        assert found.rank[:shown].tolist() == expected["oos_rank_of_selected"]
        assert found.pbo == pytest.approx(expected["pbo_rank_over_N_plus_1"], abs=1e-6)
        level = np.polyfit(found.outside, found.inside, 1)[1]
        assert level == pytest.approx(expected["degradation_slope"], abs=1e-4)


def test_noise_is_overfitted_about_half_the_time():
    rng = np.random.default_rng(1)
    found = [cscv(rng.standard_normal((160, 20)), 8).pbo for _ in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=3 * np.std(found) / np.sqrt(60))


def test_where_no_strategy_earns_anything_what_one_half_gains_the_other_lacks():
    noise = np.random.default_rng(2).standard_normal((64, 12))
    found = cscv(noise - noise.mean(axis=0), 8)
    assert found.slope < 0
    assert found.pbo == found.loss == 1.0
    assert found.outside == pytest.approx(-found.inside, abs=0.2)


@given(st.integers(0, 1000))
def test_the_order_of_strategies_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    returns, order = rng.standard_normal((40, 6)), rng.permutation(6)
    here, there = cscv(returns, 6), cscv(returns[:, order], 6)
    assert here.logits == pytest.approx(there.logits)
    assert order[there.chosen].tolist() == here.chosen.tolist()


def test_equal_strategies_share_their_rank():
    one = np.random.default_rng(3).standard_normal((40, 1))
    found = cscv(np.hstack([one, one, one]), 4)
    assert found.rank.tolist() == [2.0] * 6
    assert found.pbo == 1.0


def test_a_strategy_that_never_trades_is_neither_good_nor_bad():
    losing = np.random.default_rng(4).normal(-1.0, 0.1, (40, 1))
    found = cscv(np.hstack([losing, np.zeros((40, 1))]), 4)
    assert found.chosen.tolist() == [1] * 6
    assert found.loss == 0.0


@pytest.mark.parametrize("blocks", [1, 3, 22])
def test_a_wrong_number_of_blocks_is_refused(blocks):
    with pytest.raises(ValueError, match="even number"):
        cscv(np.ones((100, 2)), blocks)


def test_a_history_too_short_for_its_blocks_is_refused():
    with pytest.raises(NotEnoughHistory, match="32 are needed"):
        cscv(np.ones((20, 2)))
