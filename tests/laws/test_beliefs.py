"""Every registered expert and strategy obeys the four laws on rows of a synthetic market, and survives the disk."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from seakeep.app.models.artefacts import pack, unpack
from seakeep.app.models.trainer import PANEL
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64
from seakeep.core.registry import Registry
from seakeep.core.registry import build as build_part
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.features import checks
from seakeep.features.frame import build
from seakeep.features.labels import forward_return
from seakeep.models import EXPERTS, Expert
from seakeep.models.training import panel
from seakeep.strategy import STRATEGIES

SYMBOL = "BTC/USDT"
CUTS = (700, 1111, 1999)
QUICK = {"forest": {"trees": 15, "folds": 2}, "boosting": {"trees": 15, "folds": 2}, "svm": {"rows": 500, "folds": 2}}
"""Parameters that make a fit quick; the laws hold for any."""


def market(seed: int = 3) -> BarFrame:
    made = generate(SyntheticParams(symbols=(SYMBOL,), delisted=None, interval="1h", days=100, seed=seed))
    return made.frames[SYMBOL].rows(0, 2_000)


def fitted(name: str, seed: int, bars: BarFrame) -> tuple[Expert, FeatureFrame]:
    expert = build_part(EXPERTS, name, QUICK.get(name, {}))
    frame = build(bars, expert.features)
    return expert.fit(frame, forward_return(bars.close, expert.horizon), seed), frame


def part_of(frame: FeatureFrame, start: int, stop: int) -> FeatureFrame:
    return FeatureFrame(frame.symbol, frame.ts[start:stop], frame.names, frame.values[start:stop])


def built_in(parts: Registry[type[Any]]) -> list[str]:
    """Names of the parts that come with Seakeep; other tests register some of their own."""
    return [name for name in parts if parts[name].__module__.startswith("seakeep.")]


NEURAL = [name for name in built_in(EXPERTS) if EXPERTS[name].__module__ == "seakeep.models.neural"]


@pytest.mark.parametrize("name", [name for name in built_in(EXPERTS) if name not in NEURAL])
def test_every_expert_obeys_the_four_laws(name: str) -> None:
    hold_to_the_laws(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL)
def test_every_network_obeys_the_four_laws(name: str) -> None:
    hold_to_the_laws(name)


def hold_to_the_laws(name: str) -> None:
    expert, frame = fitted(name, 1, market())

    def over(start: int, stop: int) -> Float64:
        return expert.predict(part_of(frame, start, stop))

    warm = int(np.isfinite(frame.values).all(axis=1).argmax()) + expert.lookback - 1
    broken = [
        *checks.prefix_law(name, over, len(frame), CUTS),
        *checks.lookback_law(name, over, len(frame), expert.lookback, CUTS),
        *checks.shape_law(name, over, len(frame), warm),
        *checks.seed_law(name, lambda seed: fitted(name, seed, market())[0].predict(frame), 5),
    ]
    assert broken == []


@pytest.mark.parametrize("name", [name for name in PANEL if name in EXPERTS])
def test_a_restored_expert_predicts_the_same_bits(name: str) -> None:
    made = generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=70, seed=6))
    expert = build_part(EXPERTS, name, {})
    rows = panel(tuple(made.frames.values()), expert)
    expert.fit(rows.frame, rows.y, 1)
    content = pack({"expert": expert.state()})
    back = build_part(EXPERTS, name, {}).restore(unpack(content)["expert"])
    assert np.array_equal(back.predict(rows.frame), expert.predict(rows.frame), equal_nan=True)
    assert (back.confidence, back.scale) == (expert.confidence, expert.scale)
    assert pack({"expert": back.state()}) == content


@pytest.mark.parametrize("name", built_in(STRATEGIES))
def test_every_strategy_obeys_the_four_laws(name: str) -> None:
    strategy = STRATEGIES[name]()
    frame = build(market(), strategy.features)
    nobody: Mapping[str, Float64] = {}

    def over(start: int, stop: int) -> Float64:
        return strategy.score(part_of(frame, start, stop), nobody)

    warm = int(np.isfinite(frame.values).all(axis=1).argmax())
    broken = [
        *checks.prefix_law(name, over, len(frame), CUTS),
        *checks.lookback_law(name, over, len(frame), strategy.lookback, CUTS),
        *checks.shape_law(name, over, len(frame), warm),
        *checks.seed_law(name, lambda seed: strategy.score(build(market(seed), strategy.features), nobody), 5),
    ]
    assert broken == []
    assert np.nanmax(np.abs(over(0, len(frame)))) <= 1.0
