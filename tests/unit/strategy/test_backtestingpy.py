"""A backtesting.py class gives the same orders on the same bars through the adapter as in its own system."""

import warnings

import numpy as np
import pandas as pd
import pytest

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.strategy.backtestingpy import Bot, adapt, modules

COLUMNS = ("open", "high", "low", "close", "volume")


@pytest.fixture
def frame():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(11).normal(0, 0.01, 800)))
    opens = np.append(close[0], close[:-1])
    high, low = np.maximum(opens, close) * 1.001, np.minimum(opens, close) * 0.999
    values = np.column_stack([opens, high, low, close, np.ones(800)])
    return FeatureFrame("BTC/USDT", np.arange(1, 801) * 3_600_000, COLUMNS, values)


def sma(values, n):
    return pd.Series(values).rolling(n).mean()


def crossing(base, lib):
    class SmaCross(base):
        n1 = 10
        n2 = 30
        lookback = 31

        def init(self):
            self.fast = self.I(sma, self.data.Close, self.n1)
            self.slow = self.I(sma, self.data.Close, self.n2)

        def next(self):
            if lib.crossover(self.fast, self.slow):
                self.position.close()
                self.buy()
            elif lib.crossover(self.slow, self.fast) and self.position:
                self.position.close()

    return SmaCross


def test_every_trade_of_backtesting_py_is_a_score_on_the_bar_before(frame):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import backtesting
        from backtesting import lib

        their_class = crossing(backtesting.Strategy, lib)
        names = [name.title() for name in COLUMNS]
        bars = pd.DataFrame(dict(zip(names, frame.values.T, strict=True)), index=pd.to_datetime(frame.ts, unit="ms"))
        trades = backtesting.Backtest(bars, their_class, cash=1e9, finalize_trades=True).run()["_trades"]
    scores = adapt(their_class)().score(frame, {})
    assert len(trades) > 5
    assert (np.flatnonzero(scores == 1) + 1).tolist() == trades.EntryBar.tolist()
    closed = trades[trades.ExitBar < 799]
    assert (np.flatnonzero(scores == 0) + 1).tolist()[: len(closed)] == closed.ExitBar.tolist()


def test_it_runs_without_the_other_system_installed(frame):
    lent = modules()["backtesting.lib"]
    mine = adapt(crossing(Bot, lent))
    assert (mine.__name__, mine().n1, mine.lookback) == ("SmaCross", 10, 31)
    slower = mine(n1=5, n2=20).score(frame, {})
    assert not np.array_equal(slower, mine().score(frame, {}), equal_nan=True)


def test_the_past_of_a_replay_does_not_change_with_the_future(frame):
    mine = adapt(crossing(Bot, modules()["backtesting.lib"]))()
    head = FeatureFrame(frame.symbol, frame.ts[:300], frame.names, frame.values[:300])
    np.testing.assert_array_equal(mine.score(frame, {})[:300], mine.score(head, {}))


def test_an_order_that_is_no_stance_is_refused(frame):
    class Limit(Bot):
        def next(self):
            self.buy(limit=90.0)

    with pytest.raises(ConfigError, match="an order with limit"):
        adapt(Limit)().score(frame, {})
