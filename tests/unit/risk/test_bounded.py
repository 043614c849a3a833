"""The largest share that keeps a drawdown unlikely."""

import numpy as np
import pytest

from seakeep.risk.bounded import bounded_fraction
from seakeep.risk.ruin import RuinParams, drawdown_odds, ruin_odds, share_odds
from seakeep.stats.recovery import drawdown_probability


def test_the_bounded_fraction_keeps_the_odds_and_a_tighter_bound_is_smaller():
    returns = np.random.default_rng(8).standard_t(4, 700) * 0.02 + 0.001
    params = RuinParams(worlds=60, paths=100)
    loose, tight = (bounded_fraction(returns, 0.2, p, 90, params, seed=3) for p in (0.10, 0.02))
    assert loose.odds.value == pytest.approx(0.10, abs=0.01)
    assert 0 < tight.value < loose.value
    assert loose.low <= loose.value <= loose.high
    same = bounded_fraction(returns * 2, 0.2, 0.10, 90, params, seed=3)
    assert same.value * 2 == pytest.approx(loose.value, rel=0.01)


def test_every_share_meets_the_futures_of_the_drawdown_odds():
    returns, params = np.random.default_rng(8).standard_t(4, 300) * 0.02, RuinParams(worlds=50, paths=60)
    shares = np.array([0.3, 1.0, 2.5])
    together = share_odds(returns, shares, 0.2, 60, params, seed=3)
    alone = [drawdown_odds(returns * f, 0.2, 60, params, seed=3) for f in shares]
    assert [p.value for p in together] == pytest.approx([p.value for p in alone], abs=1e-12)
    walked = ruin_odds(returns, params.model_copy(update={"horizons": (60,), "levels": (0.2,)}), seed=3)
    assert together[1].value == pytest.approx(walked.drawdown.value[0, 0], abs=1e-12)


def test_the_share_of_a_normal_walk_is_where_the_drawdown_law_meets_the_bound():
    returns = np.random.default_rng(2).normal(0, 0.01, 20_000)
    params = RuinParams(worlds=60, paths=300, block=1)
    found = bounded_fraction(returns, 0.2, 0.10, 120, params, seed=3)
    law = drawdown_probability(-np.log1p(-0.2), returns.mean() * found.value, 0.01 * found.value, 120)
    assert found.odds.value == pytest.approx(0.10, abs=0.003)
    assert float(law) == pytest.approx(0.10, abs=0.04)


def test_a_harmless_position_is_bounded_by_the_most_that_is_looked_at():
    returns = np.random.default_rng(2).normal(0.001, 1e-5, 300)
    found = bounded_fraction(returns, 0.5, 0.1, 30, RuinParams(worlds=50, paths=60), seed=1)
    assert found.value == found.low == found.high == 10
    assert "not met even at 10" in found.warnings[-1]
