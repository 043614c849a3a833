"""A freqtrade class runs as it is: its columns become scores, its wishes become settings."""

import numpy as np
import pytest

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.strategy.decide import Blend, Thresholds, stance
from seakeep.strategy.freqtrade import COLUMNS, IStrategy, Parameter, adapt, asks, modules


def frame(close):
    values = np.column_stack([close, np.multiply(close, 1.01), np.multiply(close, 0.99), close, np.ones(len(close))])
    return FeatureFrame("BTC/USDT", np.arange(1, len(close) + 1) * 300_000, COLUMNS, values)


class Cross(IStrategy):
    timeframe = "15m"
    stoploss = -0.1
    minimal_roi = {"0": 0.04, "60": 0.01}  # noqa: RUF012
    lookback = 2
    level = Parameter(1, 200, default=100, space="buy")

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(2).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["mean"] > self.level.value, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["mean"] < 90, "exit_long"] = 1
        return dataframe


def test_entries_score_one_and_exits_end_only_their_own_side():
    scores = adapt(Cross)().score(frame([99, 103, 104, 80, 70]), {})
    np.testing.assert_array_equal(scores, [np.nan, 1, 1, np.nan, -0.3])
    leaving = Blend(-0.3, 1.0, (("Cross", -0.3),))
    held = [stance(leaving, side, Thresholds(), can_short=True) for side in (1, -1, 0)]
    assert held == [0, -1, 0]


def test_an_entry_and_an_exit_on_one_bar_is_no_entry():
    class Both(Cross):
        def populate_exit_trend(self, dataframe, metadata):
            dataframe["exit_long"] = 1
            return dataframe

    assert (adapt(Both)().score(frame([103, 104, 105]), {})[1:] == -0.3).all()


def test_a_hyperparameter_is_a_parameter_here():
    mine = adapt(Cross)
    assert mine().level == 100
    assert np.isnan(mine(level=150).score(frame([103, 104]), {})).all()


def test_the_older_columns_are_understood():
    class Old(IStrategy):
        lookback = 1

        def populate_buy_trend(self, dataframe, metadata):
            dataframe["buy"] = (dataframe["close"] > 100).astype(int)
            return dataframe

        def populate_sell_trend(self, dataframe, metadata):
            dataframe["sell"] = (dataframe["close"] < 90).astype(int)
            return dataframe

    scores = adapt(Old)().score(frame([101, 95, 80]), {})
    np.testing.assert_array_equal(scores, [1, np.nan, -0.3])


def test_what_it_asks_of_its_bot_is_listed():
    told = asks(Cross)
    assert (told["run.interval"], told["risk.stops.stop_loss"], told["risk.stops.take_profit"]) == ("15m", 0.1, 0.04)
    assert told["minimal_roi after 60 minutes"] is None


def test_what_signals_cannot_carry_is_refused():
    class Custom(Cross):
        def custom_stoploss(self, *args, **kwargs):
            return -0.02

    with pytest.raises(ConfigError, match="overrides custom_stoploss"):
        adapt(Custom)


def test_the_lent_modules_cross_as_theirs_do():
    import pandas as pd

    lent = vars(modules()["freqtrade.vendor.qtpylib.indicators"])
    up, flat = pd.Series([1.0, 2.0, 3.0]), pd.Series([2.0, 2.0, 2.0])
    assert lent["crossed_above"](up, flat).tolist() == [False, False, True]
    assert lent["crossed_below"](flat, up).tolist() == [False, False, True]
