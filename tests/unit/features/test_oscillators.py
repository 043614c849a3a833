"""What oscillators say where they have nothing to say, and what a hole in the data does."""

import numpy as np
import pytest

from seakeep.core.market import BarFrame
from seakeep.features import INDICATORS, build
from tests.unit.features.test_talib import bars_from

NEUTRAL = {"rsi": 50.0, "cmo": 0.0, "stoch_k": 50.0, "stochrsi": 50.0, "willr": -50.0, "mfi": 50.0, "cci": 0.0}
NEUTRAL |= {"bb_position": 0.5, "ultosc": 50.0, "bop": 0.0, "tsi": 0.0, "adx": 0.0, "macd": 0.0, "hurst": 0.5}
NEUTRAL |= {"variance_ratio": 1.0, "efficiency_ratio": 0.0, "volume_z": 0.0, "stddev": 0.0, "atr": 0.0}


def test_a_market_that_does_not_move_is_neither_overbought_nor_oversold() -> None:
    still, traded = np.full(500, 0.1 + 0.2), np.full(500, 1.0)
    frame = build(BarFrame("X", "1m", np.arange(500) * 60_000, still, still, still, still, traded), list(NEUTRAL))
    assert frame.values[-1].tolist() == pytest.approx(list(NEUTRAL.values()), abs=1e-12)


@pytest.mark.parametrize("name", INDICATORS)
def test_a_hole_in_the_data_is_forgotten_after_the_lookback(name: str) -> None:
    part, bars = INDICATORS[name], bars_from(9, 2_000)
    params = tuple(min(default, 9) if isinstance(default, int) else default for _, default in part.params)
    columns = {column: getattr(bars, column).copy() for column in part.inputs}
    whole = part.function(*columns.values(), *params)
    for column in columns.values():
        column[600] = np.nan
    holed = part.function(*columns.values(), *params)
    np.testing.assert_array_equal(holed[:600], whole[:600])
    if not part.anchored:
        assert np.isnan(holed[600])
        assert np.isfinite(holed[600 + part.lookback(params) :]).all()
        np.testing.assert_allclose(holed[-1], whole[-1], rtol=1e-7)
