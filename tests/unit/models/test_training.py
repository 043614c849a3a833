from dataclasses import replace

import numpy as np
import pytest

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.models import EXPERTS
from seakeep.models.classical import MovingAverageExpert, RsiExpert, VolatilityExpert
from seakeep.models.training import Panel, TrainingParams, challenge, out_of_sample, panel, validate

SYMBOLS = ("BTC/USDT", "ETH/USDT")


def history(days: int = 60) -> list[BarFrame]:
    made = generate(SyntheticParams(symbols=SYMBOLS, delisted=None, interval="1h", days=days, seed=4))
    return [made.frames["BTC/USDT"], made.frames["ETH/USDT"].rows(300, days * 24)]


def test_time_goes_back_where_one_symbol_ends_and_the_next_begins() -> None:
    bars = history()
    early = replace(bars[0].rows(0, 200), symbol="OLD/USDT")
    ts = panel([early, *bars], RsiExpert()).frame.ts
    assert (np.diff(ts) <= 0).sum() == 2
    assert len(ts) == 200 + 1_440 + 1_140


def test_what_came_after_the_split_changes_no_fit_and_no_calibration() -> None:
    rows = panel(history(), RsiExpert())
    made = validate(RsiExpert(), rows, 1, TrainingParams())
    late = rows.frame.ts + rows.horizon_ms > made.trained_until
    poisoned = Panel(rows.frame, np.where(late, 1e6, rows.y), rows.naive, rows.horizon_ms)
    again = validate(RsiExpert(), poisoned, 1, TrainingParams())
    assert again.expert.state() == made.expert.state()
    assert again.calibration.prob_up(0.01, 0.02) == made.calibration.prob_up(0.01, 0.02)
    assert again.metrics.loss > 1e4


def test_validation_counts_every_row_with_an_outcome_once() -> None:
    bars = history()
    made = validate(VolatilityExpert(), panel(bars, VolatilityExpert()), 1, TrainingParams(validation=0.25))
    last = int(bars[0].known_at[-1])
    share = (last - made.trained_until) / (last - int(bars[0].known_at[0]))
    assert share == pytest.approx(0.25, abs=1e-3)
    assert made.metrics.rows == sum(int((b.known_at[:-48] > made.trained_until).sum()) for b in bars)


def test_rows_out_of_sample_are_said_as_with_the_whole_history() -> None:
    expert = EXPERTS["hmm"]()
    rows = panel(history(), expert)
    fitted = expert.fit(rows.frame, rows.y, 1)
    since = int(np.quantile(rows.frame.ts, 0.8))
    said, judged = out_of_sample(fitted, rows, since)
    whole = fitted.predict(rows.frame)[rows.frame.ts > since]
    assert np.allclose(said, whole, rtol=1e-12, equal_nan=True)
    assert (judged.frame.ts > since).all()


def test_an_expert_is_no_better_than_itself_and_one_that_knows_the_scale_is_better_than_one_that_does_not() -> None:
    rows = panel(history(), VolatilityExpert())
    split = int(np.quantile(rows.frame.ts, 0.7))
    good = VolatilityExpert().fit(rows.frame, rows.y, 1)
    bad = VolatilityExpert().restore({"factor_": good.state()["factor_"] * 5.0})  # type: ignore[operator]
    assert challenge(good, good, rows, rows, split).p_value == 0.5
    assert challenge(bad, good, rows, rows, split).p_value < 0.01
    assert challenge(good, bad, rows, rows, split).p_value > 0.99


def test_a_comparison_needs_one_horizon_and_common_rows() -> None:
    rows = panel(history(), RsiExpert())
    fitted = RsiExpert().fit(rows.frame, rows.y, 1)
    with pytest.raises(ValueError, match="cannot be compared"):
        challenge(fitted, RsiExpert(horizon=24), rows, rows, 0)
    with pytest.raises(NotEnoughHistory, match="no row in common"):
        challenge(fitted, fitted, rows, rows, int(rows.frame.ts.max()))


def test_a_state_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="learns nothing called '__class__'"):
        RsiExpert().restore({"__class__": 1})
    expert = MovingAverageExpert()
    expert.slope_ = [1.0]  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"MovingAverageExpert\.slope_"):
        expert.state()
