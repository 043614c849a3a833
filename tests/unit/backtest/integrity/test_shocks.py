"""What shocks do to bars: closed forms, and nothing outside their window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.integrity.shocks import Breakdown, Drought, FlashCrash, Outage
from seakeep.core.market import BarFrame
from seakeep.core.units import HOUR_MS
from tests.unit.backtest.planted import START, frame


def market(seed: int, symbol: str = "BTC/USDT", n: int = 400) -> BarFrame:
    return frame(100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, n))), symbol, wick=0.002)


AT = START + 100 * HOUR_MS
PAIR = (market(1), market(2, "ETH/USDT"))


@given(st.floats(0.01, 0.9), st.floats(0.5, 48), st.floats(0, 1), st.integers(-50, 500))
def test_a_crash_leaves_valid_bars_and_the_past_alone(drop: float, hours: float, lasting: float, row: int) -> None:
    at = START + row * HOUR_MS
    for before, after in zip(PAIR, FlashCrash(at, drop, hours, lasting)(PAIR), strict=True):
        assert (after.low <= np.minimum(after.open, after.close)).all()
        assert (after.high >= np.maximum(after.open, after.close)).all()
        assert (after.low > 0).all()
        past = before.ts < at
        assert (after.close[past] == before.close[past]).all()
        assert (after.volume == before.volume).all()


def test_a_crash_falls_by_the_drop_and_comes_back_to_what_lasts() -> None:
    crashed = FlashCrash(AT, 0.30, 6.0, 1 / 3)(PAIR)[0]
    kept = crashed.close / PAIR[0].close
    assert kept[99] == 1
    assert kept[100] == pytest.approx(0.70)
    assert kept[103] == pytest.approx(0.80)
    assert kept[106:].tolist() == pytest.approx([0.90] * 294)
    assert crashed.open[101] / PAIR[0].open[101] == pytest.approx(0.70)


def test_a_drought_thins_the_volume_of_its_hours_only() -> None:
    thin = Drought(AT, 24.0, 10.0)(PAIR)[1]
    ratio = thin.volume / PAIR[1].volume
    assert np.flatnonzero(ratio < 1).tolist() == list(range(100, 124))
    assert ratio[100] == pytest.approx(0.1)
    assert (thin.close == PAIR[1].close).all()


def test_an_outage_takes_its_bars_away_and_nothing_else() -> None:
    left = Outage(AT, 12.0)(PAIR)[0]
    gone = np.setdiff1d(PAIR[0].ts, left.ts)
    assert gone.tolist() == [AT + i * HOUR_MS for i in range(12)]
    assert (left.close[100:] == PAIR[0].close[112:]).all()


@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_correlation_goes_to_one_and_every_volatility_stays(sign: int) -> None:
    after = Breakdown(AT, 72.0, sign)(PAIR)
    inside = slice(100, 172)
    moves = np.array([np.diff(np.log(bars.close), prepend=np.nan)[inside] for bars in after])
    before = np.array([np.diff(np.log(bars.close), prepend=np.nan)[inside] for bars in PAIR])
    assert np.corrcoef(moves)[0, 1] == pytest.approx(1.0, abs=1e-12)
    assert moves.std(axis=1).tolist() == pytest.approx(before.std(axis=1).tolist())
    assert sign * moves.sum() >= 0
    for old, new in zip(PAIR, after, strict=True):
        later = np.diff(np.log(new.close))[172:] - np.diff(np.log(old.close))[172:]
        assert np.abs(later).max() < 1e-12
        assert (new.low <= np.minimum(new.open, new.close)).all()
        assert (new.high >= np.maximum(new.open, new.close)).all()
        assert (new.close[:100] == old.close[:100]).all()


def test_one_symbol_has_nothing_to_correlate_with() -> None:
    assert Breakdown(AT)(PAIR[:1]) == PAIR[:1]


def test_a_crash_that_is_none_is_refused() -> None:
    for wrong in ({"drop": 0.0}, {"drop": 1.0}, {"hours": 0.0}, {"lasting": 1.5}):
        with pytest.raises(ValueError, match="a crash needs"):
            FlashCrash(AT, **wrong)
