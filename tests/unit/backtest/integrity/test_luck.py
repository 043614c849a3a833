"""Luck is ruled by the deflated Sharpe ratio: what was tried counts against what is shown."""

import numpy as np
import pytest

from seakeep.backtest.integrity.luck import luck
from seakeep.backtest.sharpeline import judge
from seakeep.stats.overfitting import Search


def returns(annual_sharpe: float, n: int = 8760) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Hourly returns with exactly this annual Sharpe ratio."""
    noise = np.random.default_rng(5).normal(0, 1, n)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    return 0.001 * (noise + annual_sharpe / np.sqrt(8760))


@pytest.mark.parametrize(("sharpe", "status"), [(3.0, "pass"), (1.0, "warn"), (-0.5, "fail"), (-3.0, "fail")])
def test_a_lone_trial_is_ruled_by_its_own_error(sharpe: float, status: str) -> None:
    assert luck(judge(returns(sharpe), "1h")).status == status


def test_many_trials_turn_the_same_ratio_into_luck() -> None:
    lone, best = (judge(returns(3.0), "1h", search) for search in (None, Search(1000, 1000.0, 1.0)))
    # The best of 1000 worthless ideas whose annual ratios deviate by 1 shows 3.26 (Bailey and Lopez de Prado 2014).
    assert dict(luck(best).figures)["Sharpe that luck alone would show"] == pytest.approx(3.26, abs=0.01)
    assert (luck(lone).status, luck(best).status) == ("pass", "fail")
    assert "the best of 1000 trials" in luck(best).reason


def test_too_few_returns_are_not_judged() -> None:
    check = luck(judge(returns(3.0, 20), "1h"))
    assert (check.status, check.reason) == ("not judged", "20 returns say nothing about skill")
