"""Half-lives of planted signals, and noise that has none."""

import json
import math
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from seakeep.backtest.integrity.decay import DecayParams, Scores, decay, decay_check, self_half_life
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.units import HOUR_MS
from seakeep.stats.performance import Estimate
from tests.unit.backtest.planted import Holder, frame, scene

LH = Path(__file__).parents[5] / "shared/reference/alpha_decay/ar1_half_life_lh.json"
QUICK = DecayParams(samples=300)


def planted(half_life: float, strength: float, seed: int, n: int = 24 * 400) -> Scores:
    """News that come at random and move the price by ever less: IC(h) = strength x 0.5 ^ ((h - 1) / half-life)."""
    rng = np.random.default_rng(seed)
    news, noise = rng.normal(size=n), rng.normal(size=n)
    effect = strength * 0.5 ** (np.arange(200) / half_life)
    moves = np.convolve(np.append(0.0, news), effect)[:n] + noise * np.sqrt(1 - (effect**2).sum())
    ts = HOUR_MS * np.arange(1, n + 1)
    return Scores("news", "technical", (ts,), (np.tanh(news),), (100 * np.exp(np.cumsum(0.01 * moves)),))


@pytest.mark.parametrize("half_life", [3.0, 8.0, 20.0])
def test_the_half_life_of_a_planted_signal_is_found(half_life: float) -> None:
    found = decay(planted(half_life, 0.15, 5), QUICK, seed=1)
    assert found.skilled
    assert found.half_life.low < half_life < found.half_life.high
    assert found.half_life.value == pytest.approx(half_life, rel=0.35)
    assert found.skill.value == pytest.approx(0.15, abs=0.03)
    assert found.skill.low < found.skill.value < found.skill.high
    assert found.says.startswith("news: skill halves in")


def test_noise_has_no_half_life() -> None:
    """200 sources of noise at 5 % each: 4 standard errors around 10."""
    quick = DecayParams(samples=100, horizons=(1, 2, 4, 8, 16))
    found = [decay(planted(5.0, 0.0, seed, 24 * 60), quick, seed=seed) for seed in range(200)]
    called = sum(one.p_value <= 0.05 for one in found)
    assert called <= 22
    silent = next(one for one in found if one.p_value > 0.05)
    assert np.isnan(silent.half_life.value)
    assert "no measurable skill" in silent.says


def test_a_signal_that_is_turned_around_points_the_wrong_way() -> None:
    right = planted(8.0, 0.15, 5)
    wrong = decay(replace(right, score=(-right.score[0],)), QUICK, seed=1)
    assert not wrong.skilled
    assert wrong.p_value <= 0.05
    assert wrong.skill.high < 0
    assert "the wrong way" in wrong.says


def test_more_of_the_same_noise_in_the_score_never_adds_skill() -> None:
    signal, noise = planted(8.0, 0.15, 5), np.random.default_rng(9).normal(size=24 * 400)
    skills = [
        decay(replace(signal, score=(signal.score[0] + size * noise,)), QUICK).skill.value for size in (0, 0.5, 1, 2, 8)
    ]
    assert skills == sorted(skills, reverse=True)


def test_a_second_symbol_without_skill_halves_the_pooled_one() -> None:
    good, bad = planted(8.0, 0.15, 5), planted(8.0, 0.0, 6)
    both = Scores("both", "technical", good.ts + bad.ts, good.score + bad.score, good.close + bad.close)
    assert decay(both, QUICK).ic[0] == pytest.approx((decay(good, QUICK).ic[0] + decay(bad, QUICK).ic[0]) / 2)


def test_the_half_life_of_a_series_is_the_published_one() -> None:
    if not LH.exists():
        pytest.skip("reference case ar1_half_life_lh is not here")
    told = json.loads(LH.read_text(encoding="utf-8"))
    series = np.array(told["inputs"]["series"], np.float64)
    assert self_half_life(series) == pytest.approx(told["expected"]["half_life_ols_discrete"], abs=1e-6)
    assert np.isnan(self_half_life(np.ones(50)))
    assert self_half_life(np.arange(50.0)) == np.inf


def test_a_source_that_always_says_the_same_is_not_judged() -> None:
    session, _ = scene(Holder(), frame(100 + np.sin(np.arange(24 * 40))))
    found = decay_check(session.pipeline, session.frames)
    assert found.status == "not judged"
    assert "200 opinions" in found.reason


def test_a_short_history_is_refused() -> None:
    with pytest.raises(NotEnoughHistory, match="30 days"):
        decay(planted(5.0, 0.1, 1, 24 * 20), DecayParams(horizons=(1, 2, 3)))
    with pytest.raises(NotEnoughHistory, match="200 opinions"):
        decay(planted(5.0, 0.1, 1, 50), QUICK)


def test_what_does_not_fade_within_the_horizons_is_said_in_words() -> None:
    found = decay(planted(20.0, 0.15, 5), QUICK, seed=1)
    assert found.skilled
    assert "inf" not in found.says
    endless = msgspec.structs.replace(found, half_life=Estimate(math.inf, 70.0, math.inf))
    assert endless.says.endswith("does not fade within the 96 bars looked at, its half-life is at least 70")
    open_end = msgspec.structs.replace(found, half_life=Estimate(40.0, 0.0, math.inf))
    assert "40 bars (less than can be told to more than" in open_end.says
