"""Scenarios: what is done to the paths of any model to make a bull, a bear, a ranging, a volatile or a crashing market.

A scenario transforms each log return r of a model whose expected log return is m and whose annual volatility is s:

    r -> m' + volatility (r - m) + shock,    m' = clip(m, floor, cap) + sigmas s + (1 - volatility^2) s^2 / 2 per year,

the last term so that a change of volatility leaves the expected value where it was, and `pull` draws the log value back
toward its start with a half-life. Drift is counted in the asset's own volatility:
1.25 a year is what 2018 and 2022 took from bitcoin. Bear keeps volatility as it is, so with the same seed each of its
paths lies below the base path at every step: it is never better than base. Shorts gain in it, as they should.
"""

import math
from typing import NamedTuple

import msgspec
import numpy as np

from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.registry import nearest
from seakeep.core.units import DAY_MS, YEAR_MS, interval_ms

__all__ = ["BASE", "SCENARIOS", "Overlay", "Scenario", "overlay", "scenario"]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A transformation of paths; the defaults change nothing.

    `floor` and `cap` bound the annual log drift, `sigmas` adds annual volatilities to it, `volatility` multiplies
    deviations from the mean, `half_life_days` pulls the price back to its start (0: not), `shock` is a fall (a
    positive fraction) spread over the first `shock_days`.
    """

    name: str
    says: str
    floor: float = -math.inf
    cap: float = math.inf
    sigmas: float = 0.0
    volatility: float = 1.0
    half_life_days: float = 0.0
    shock: float = 0.0
    shock_days: float = 1.0

    def __post_init__(self) -> None:
        sound = self.floor <= self.cap and self.volatility >= 0 and self.half_life_days >= 0
        if not (sound and 0 <= self.shock < 1 and self.shock_days > 0 and math.isfinite(self.sigmas)):
            raise ValueError(
                f"scenario {self.name}: floor <= cap, volatility and half_life_days >= 0, shock in [0, 1), "
                f"shock_days > 0, got {self}"
            )


BASE = Scenario(name="base", says="the model as it was fitted")
SCENARIOS = {
    s.name: s
    for s in (
        BASE,
        Scenario(name="bull", says="drift at least zero, plus 1.25 volatilities a year", floor=0.0, sigmas=1.25),
        Scenario(name="bear", says="drift at most zero, less 1.25 volatilities a year", cap=0.0, sigmas=-1.25),
        Scenario(
            name="ranging",
            says="no drift, 0.7 of the volatility, pulled back to the start with a half-life of ten days",
            floor=0.0,
            cap=0.0,
            volatility=0.7,
            half_life_days=10.0,
        ),
        Scenario(name="volatile", says="twice the volatility, the same expected value", volatility=2.0),
        Scenario(
            name="crash",
            says="a fall of 30 % over the first two days, 2.5 times the volatility, drift at most zero",
            cap=0.0,
            volatility=2.5,
            shock=0.30,
            shock_days=2.0,
        ),
    )
}
"""The documented six."""


class Overlay(NamedTuple):
    """A scenario in steps of a model: x -> pull x + tilt + factor r. `tilt` (assets, steps), the others (steps,)."""

    tilt: Float64
    factor: Float64
    pull: Float64


def scenario(name: str) -> Scenario:
    """The scenario of that name. Raises: ConfigError naming the nearest known ones."""
    if name not in SCENARIOS:
        raise ConfigError("unknown scenario", value=name, remedy=nearest(name, list(SCENARIOS)))
    return SCENARIOS[name]


def overlay(scene: Scenario, means: Float64, spread: Float64, interval: str) -> Overlay:
    """The scenario for a model with expected log returns (assets, steps) and deviations (assets,) of a step."""
    dt, steps = interval_ms(interval) / YEAR_MS, means.shape[1]
    drift = np.clip(means, scene.floor * dt, scene.cap * dt) + scene.sigmas * spread[:, None] * math.sqrt(dt)
    drift = drift + (1 - scene.volatility**2) * spread[:, None] ** 2 / 2
    tilt = drift - scene.volatility * means
    if scene.shock:
        span = min(steps, max(1, round(scene.shock_days * DAY_MS / interval_ms(interval))))
        tilt[:, :span] += math.log1p(-scene.shock) / span
    half_life = scene.half_life_days * DAY_MS / interval_ms(interval)
    pull = 0.5 ** (1 / half_life) if half_life else 1.0
    return Overlay(tilt, np.full(steps, scene.volatility), np.full(steps, pull))
