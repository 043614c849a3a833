"""Each level changes when its own factor changes, and only then."""

from collections.abc import Callable

import numpy as np
import pytest

from seakeep.core.market import Float64
from seakeep.montecarlo.bootstrap import bootstrap
from seakeep.montecarlo.garch import Garch, GarchParams, next_variance
from seakeep.montecarlo.gbm import fit_gbm
from seakeep.montecarlo.multifactor import fit_multifactor
from seakeep.montecarlo.news import NewsState, fit_news
from seakeep.montecarlo.paths import Model, Run, simulate
from seakeep.montecarlo.regime import fit_regimes
from tests.unit.montecarlo.test_news import HALF_LIFE, market

PARAMS = GarchParams(0.0, 1e-6, 0.08, 0.9, 5.0)
RETURNS, STATE = market(1200)
OTHER = 0.5 * RETURNS + 0.01 * np.random.default_rng(8).standard_normal(1200)
NOW = (4.0, -0.5)
LAST = -1 - int(np.argmax(np.abs(RETURNS)))


def levels(returns: Float64, other: Float64, state: NewsState, now: tuple[float, float]) -> dict[str, Model]:
    """The five levels as the same history fits them."""
    return {
        "gbm": fit_gbm(returns),
        "regime": fit_regimes(returns)[0],
        "garch": Garch(PARAMS, next_variance(PARAMS, returns)),
        "multifactor": fit_multifactor(np.column_stack([returns, other]), [0.5, 0.5]),
        "news": fit_news(returns, state, now, half_life_ms=HALF_LIFE)[0],
        "history": bootstrap(returns, "iid"),
    }


def changed(*history: object) -> set[str]:
    """Levels whose outcomes differ from those of the original history by more than rounding."""
    run = Run(steps=20, paths=1, seed=1)
    base, now = levels(RETURNS, OTHER, STATE, NOW), levels(*history)  # type: ignore[arg-type]
    values = {name: (simulate(base[name], run).value, simulate(now[name], run).value) for name in base}
    return {name for name, (old, new) in values.items() if np.abs(old - new).max() > 2e-5}


def reordered(column: Float64) -> Float64:
    return np.sort(column)


FACTORS: dict[str, tuple[Callable[[], tuple[object, ...]], set[str]]] = {
    "nothing": (lambda: (RETURNS, OTHER, STATE, NOW), set()),
    "what is written now": (lambda: (RETURNS, OTHER, STATE, (0.5, 0.5)), {"news"}),
    "how news went with returns": (
        lambda: (RETURNS, OTHER, NewsState(STATE.attention[::-1], STATE.tone[::-1]), NOW),
        {"news"},
    ),
    "how assets move together": (lambda: (RETURNS, OTHER[::-1], STATE, NOW), {"multifactor"}),
    "the order of returns": (
        lambda: (reordered(RETURNS), reordered(OTHER), STATE, NOW),
        {"regime", "garch", "multifactor", "news"},
    ),
    "the last returns": (
        lambda: (np.roll(RETURNS, LAST), np.roll(OTHER, LAST), STATE, NOW),
        {"regime", "garch", "news"},
    ),
    "the size of returns": (
        lambda: (1.5 * RETURNS, 1.5 * OTHER, STATE, NOW),
        {"gbm", "regime", "garch", "multifactor", "news", "history"},
    ),
}


@pytest.mark.parametrize("factor", FACTORS)
def test_levels_react_to_their_own_factor_and_to_no_other(factor: str) -> None:
    history, wanted = FACTORS[factor]
    assert changed(*history()) == wanted
