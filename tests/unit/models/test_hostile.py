"""Every built-in expert on history it cannot learn from, or hardly: it says so or answers soberly."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seakeep.core.errors import DataError, ModelError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.core.registry import build
from seakeep.core.units import DAY_MS
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.models import EXPERTS, Expert
from seakeep.models.neural import NetworkExpert
from seakeep.models.training import Panel, panel

QUICK: dict[str, dict[str, Any]] = {
    "forest": {"trees": 5, "folds": 2},
    "boosting": {"trees": 5, "folds": 2},
    "svm": {"rows": 300, "folds": 2},
}
FEW = {"window": 8, "units": 4, "epochs": 1, "rows": 400}
BUILT_IN = [name for name in EXPERTS if EXPERTS[name].__module__.startswith("seakeep.")]
SOBER = [name for name in BUILT_IN if not issubclass(EXPERTS[name], NetworkExpert)]


@pytest.fixture(scope="module")
def bars() -> BarFrame:
    made = generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=70, seed=4))
    return made.frames["BTC/USDT"]


def expert_of(name: str) -> Expert:
    quick = FEW if issubclass(EXPERTS[name], NetworkExpert) else QUICK.get(name, {})
    return build(EXPERTS, name, {"horizon": 4, **quick})


def priced(bars: BarFrame, close: np.ndarray) -> BarFrame:
    return replace(bars, open=close, high=close, low=close, close=close)


def sober(expert: Expert, rows: Panel) -> None:
    said = expert.predict(rows.frame)
    spoken = np.isfinite(said[:, 0])
    assert (said[spoken, 1] > 0).all()
    assert 0 <= expert.confidence <= 1
    assert expert.scale >= 0


@pytest.mark.parametrize("name", BUILT_IN)
def test_constant_prices_teach_nobody_a_direction(name: str, bars: BarFrame) -> None:
    expert = expert_of(name)
    rows = panel([priced(bars, np.full(len(bars), 100.0))], expert)
    try:
        expert.fit(rows.frame, rows.y, 1)
    except (ModelError, DataError):
        return
    sober(expert, rows)
    assert (expert.confidence, expert.scale) == (0.0, 0.0)


@pytest.mark.parametrize("name", BUILT_IN)
def test_ten_rows_are_too_few_and_the_need_is_said(name: str, bars: BarFrame) -> None:
    expert = expert_of(name)
    rows = panel([bars.rows(0, 10)], expert)
    with pytest.raises(NotEnoughHistory, match=r"\d"):
        expert.fit(rows.frame, rows.y, 1)


@pytest.mark.parametrize("name", SOBER)
def test_holes_are_neither_learnt_from_nor_spoken_of(name: str, bars: BarFrame) -> None:
    expert = expert_of(name)
    rows = panel([bars], expert)
    values = rows.frame.values.copy()
    values[700:710] = np.nan
    holed = replace(rows, frame=replace(rows.frame, values=values))
    expert.fit(holed.frame, np.where(np.arange(len(rows.y)) % 7 == 0, np.nan, rows.y), 1)
    sober(expert, holed)
    assert np.isnan(expert.predict(holed.frame)[700:710, 0]).all()
    assert np.isfinite(expert.predict(holed.frame)[-1]).all()


@pytest.mark.parametrize("name", SOBER)
def test_a_market_that_only_rises_gives_no_error(name: str, bars: BarFrame) -> None:
    expert = expert_of(name)
    steps = np.abs(np.random.default_rng(1).normal(0.002, 0.001, len(bars)))
    rows = panel([priced(bars, 100 * np.exp(np.cumsum(steps)))], expert)
    assert (rows.y[np.isfinite(rows.y)] > 0).all()
    sober(expert.fit(rows.frame, rows.y, 1), rows)


@pytest.mark.parametrize("name", SOBER)
def test_an_asset_listed_yesterday_is_learnt_with_the_others_and_told_of_when_warm(name: str, bars: BarFrame) -> None:
    expert = expert_of(name)
    newest = bars.between(int(bars.known_at[-1]) - DAY_MS, None)
    young = replace(newest, symbol="NEW/USDT")
    rows = panel([bars, young], expert)
    sober(expert.fit(rows.frame, rows.y, 1), rows)
    said = expert.predict(rows.frame)
    assert np.isnan(said[: len(young), 0]).all() == (np.isnan(rows.frame.values[: len(young)]).any(axis=1).all())
    assert np.isfinite(said[-1]).all()
