"""The accounting of the threshold strategy, derived by hand: 100 of balance, 7 x, a tenth as margin, 0.05 % a side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.threshold import MAX_RUNS, ThresholdParams, combinations, simulate
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame

HOUR = 3_600_000
PLAIN = ThresholdParams()


def bars(*rows):
    """Bars from (high, low, close); the open does not matter here."""
    return BarFrame.from_rows("BTC/USDT", "1h", [(i * HOUR, c, h, low, c, 1.0) for i, (h, low, c) in enumerate(rows)])


def run(rows, opinions, params=PLAIN):
    p = np.full(len(rows), 0.5)
    p[: len(opinions)] = opinions
    return simulate(bars(*rows), p, params)


def only(result):
    (trade,) = result.trades
    return trade


def test_a_long_ends_at_the_close_beyond_its_target():
    # limit 99.9, quantity 0.1 x 100 x 7 / 100 = 0.7; 0.77 gained, 0.034965 + 0.03535 in fees, margin 9.99
    result = run([(100, 100, 100), (100.5, 99.5, 100), (101.2, 99.95, 101)], [0.6])
    assert only(result).reason == "target"
    assert only(result).pnl == pytest.approx(0.699685)
    assert only(result).realised == pytest.approx(0.699685 / 9.99)
    assert result.equity.tolist() == pytest.approx([100, 100.035035, 100.699685])


def test_a_short_is_the_mirror_image_at_its_own_limit():
    # limit 100.1; 0.77 gained, 0.035035 + 0.03465 in fees, margin 10.01
    result = run([(100, 100, 100), (100.5, 99.5, 100), (100.2, 98.9, 99)], [0.4])
    assert (only(result).side, only(result).entry_price) == ("SHORT", pytest.approx(100.1))
    assert only(result).pnl == pytest.approx(0.700315)


def test_the_opposite_opinion_ends_a_position_at_the_close():
    # 0.21 gained, 0.034965 + 0.03507 in fees
    result = run([(100, 100, 100), (100.5, 99.5, 100), (100.3, 99.9, 100.2)], [0.6, 0.5, 0.3])
    assert only(result).reason == "opinion"
    assert only(result).pnl == pytest.approx(0.139965)


def test_a_touch_of_the_limit_is_not_enough():
    result = run([(100, 100, 100), (101, 100 * (1 - 0.001), 100)], [0.6])
    assert result.trades == ()
    assert result.equity.tolist() == [100, 100]


def test_the_candle_that_formed_the_opinion_cannot_fill_its_order():
    assert run([(100, 90, 100), (101, 99.95, 100)], [0.6]).trades == ()


def test_a_liquidation_takes_the_margin_and_the_entry_fee():
    # 0.7 x (85 - 99.9) is more than the margin of 9.99; the entry cost 0.034965
    result = run([(100, 100, 100), (100.5, 99.5, 100), (100, 85, 86)], [0.6])
    assert (only(result).kind, only(result).realised) == ("liquidated", -1)
    assert only(result).exit_price == pytest.approx(99.9 * (1 - 1 / 7 + 0.004))
    assert result.equity[-1] == pytest.approx(100 - 9.99 - 0.034965)


def test_a_short_at_ten_thousand_with_seven_times_leverage_is_liquidated_at_11388_57():
    params = ThresholdParams(limit_offset=0.0)
    result = run([(1e4, 1e4, 1e4), (10_001, 9_990, 1e4), (11_500, 1e4, 11_000)], [0.4], params)
    assert only(result).exit_price == pytest.approx(11_388.57, abs=0.005)


def test_a_bar_that_fills_and_goes_on_to_the_liquidation_price_liquidates():
    # the price must pass the limit on its way to 85, so the position was open when it got there
    result = run([(100, 100, 100), (100.5, 85, 100)], [0.6])
    assert only(result).reason == "liquidation"
    assert only(result).entry_ts == only(result).exit_ts


def test_a_second_entry_takes_its_share_of_the_balance_that_is_free():
    # 0.7, then 0.1 x (100 - 9.99) x 7 / 99.8 = 0.631332665; both at 99.9
    rows = [(100, 100, 100), (100.5, 99.5, 100), (100, 99.5, 99.8), (101.5, 99.9, 101)]
    trade = only(run(rows, [0.6, 0.6], ThresholdParams(pyramid_max=2)))
    assert trade.qty == pytest.approx(1.331332665)
    assert trade.pnl == pytest.approx(1.3307336, abs=1e-6)
    assert only(run(rows, [0.6, 0.6])).qty == pytest.approx(0.7)


def test_best_and_worst_are_what_the_extremes_would_have_given():
    # worst at 99: -0.63 - 0.034965 - 0.03465; best at 103: 2.17 - 0.034965 - 0.03605
    trade = only(run([(100, 100, 100), (104, 99.5, 100), (103, 99.0, 101)], [0.6]))
    assert trade.worst == pytest.approx(-0.699615 / 9.99)
    assert trade.best == pytest.approx(2.098985 / 9.99)


def test_what_is_open_at_the_end_is_closed_there():
    result = run([(100, 100, 100), (100.5, 99.5, 100), (100.3, 99.9, 100.2)], [0.6])
    assert only(result).reason == "end"
    assert result.equity[-1] == pytest.approx(100 + 0.21 - 0.034965 - 0.03507)


@given(st.lists(st.tuples(st.floats(-0.04, 0.04), st.floats(0, 0.2), st.floats(0, 1)), min_size=2, max_size=60))
def test_the_final_balance_is_the_first_one_and_every_profit(steps):
    closes = 100 * np.exp(np.cumsum([move for move, _, _ in steps]))
    rows = [(c * (1 + w / 2), c * (1 - w / 2), c) for c, (_, w, _) in zip(closes.tolist(), steps, strict=True)]
    result = run(rows, [p for _, _, p in steps], ThresholdParams(pyramid_max=3, threshold=0.02))
    assert result.equity[-1] == pytest.approx(100 + sum(trade.pnl for trade in result.trades))
    assert all(trade.worst <= trade.realised <= trade.best for trade in result.trades)


def test_a_dearer_fee_never_helps():
    rng = np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, 400)))
    rows = [(c * 1.003, c * 0.997, c) for c in closes.tolist()]
    opinions = rng.random(400)
    cheap, dear = (run(rows, opinions, ThresholdParams(fee=fee)).equity[-1] for fee in (0.0, 0.001))
    assert dear < cheap


def test_bad_probabilities_are_named():
    with pytest.raises(DataError, match="row 1: a probability"):
        run([(1, 1, 1), (1, 1, 1)], [0.5, 1.5])
    with pytest.raises(ValueError, match="as many probabilities"):
        simulate(bars((1, 1, 1)), np.zeros(2), PLAIN)
    with pytest.raises(DataError, match="no bars"):
        simulate(bars(), np.zeros(0), PLAIN)


def test_lists_of_parameters_are_crossed_and_bounded():
    made = combinations(PLAIN, [0.04, 0.08, 0.04], [7], [], [1, 2])
    assert [p.name for p in made] == [f"T{t}-L7O0.1P{k}" for t in (0.04, 0.08) for k in (1, 2)]
    with pytest.raises(ConfigError, match="too many combinations"):
        combinations(PLAIN, np.linspace(0, 0.4, MAX_RUNS + 1).tolist(), [], [], [])
    with pytest.raises(ConfigError, match="leverage"):
        combinations(PLAIN, [], [-1.0], [], [])
