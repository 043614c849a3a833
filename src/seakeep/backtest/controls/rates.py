"""Planted controls: markets and strategies whose truth is known go through the same doors as everyone's.

Noise has nothing to find, so whoever finds something there is a false alarm; a planted edge should be found, as often
as its size and the length of the record allow; a planted leak should always be. The rates are the court's own power
and false-alarm rate, each with the exact interval of Clopper and Pearson.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import msgspec
import numpy as np
from pydantic import Field

from seakeep.backtest.controls.leaks import Reader, draw_readers
from seakeep.backtest.controls.noise import EDGE_FEATURE, NoiseParams, market
from seakeep.backtest.controls.planting import Plant, planted
from seakeep.backtest.controls.rulesearch import Rules, draw_rules, rule_returns, search
from seakeep.backtest.integrity.lookahead import Part, leak
from seakeep.backtest.sharpeline import judge
from seakeep.core.config import Section
from seakeep.core.market import BarFrame, Float64
from seakeep.core.units import YEAR_MS, interval_ms
from seakeep.features.frame import build
from seakeep.stats.overfitting import Search, groups
from seakeep.stats.performance import LEVEL, Estimate
from seakeep.stats.proportions import clopper_pearson
from seakeep.stats.returns import simple_returns
from seakeep.stats.spa import spa

__all__ = ["EDGES", "QUICK", "ControlParams", "Controls", "Rate", "run_controls", "steps"]

EDGES = (0.5, 1.0, 2.0)
_CALIBRATION = 2**31
_ROWS = 500
_FALSE_ALARMS = 0.05
_LEAKS_FOUND = 0.99
_POWER = 0.8
_YEARS = 16
"""What is asked: of the false alarms, of the leaks found, and of the largest edge on a record this long."""


class ControlParams(Section):
    """How much to plant."""

    markets: int = Field(200, ge=1, le=10_000, description="noise markets, a year of hourly bars each")
    strategies: int = Field(1000, ge=2, le=20_000, description="random strategies in every search")
    edge_markets: int = Field(100, ge=1, le=10_000, description="markets with an edge, for each size of it")
    edge_years: int = Field(_YEARS, ge=1, le=100, description="length of the daily history an edge is planted in")
    leaks: int = Field(400, ge=1, le=20_000, description="strategies that look ahead, and as many that do not")
    seed: int = Field(1, ge=0, lt=2**31, description="seed of everything random")


QUICK = ControlParams(markets=30, strategies=300, edge_markets=12, leaks=60)
"""Enough to see a broken court, in seconds."""


class Rate(msgspec.Struct, frozen=True):
    """How often something happened, with its interval, and what it must be; None where nothing is asked of it."""

    name: str
    share: Estimate
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the interval leaves room for what is asked."""
        return (self.at_most is None or self.share.low <= self.at_most) and (
            self.at_least is None or self.share.high >= self.at_least
        )


class Controls(msgspec.Struct, frozen=True):
    """The court's own record: the rates; of a noise search (means) how many `ideas` its strategies amount to, and the
    share of them that would pass `alone`, each judged as the only one."""

    rates: tuple[Rate, ...]
    strategies: int
    ideas: float
    alone: float

    @property
    def holds(self) -> bool:
        """Whether every rate is what is asked of it."""
        return all(rate.holds for rate in self.rates)


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """What the court said on one market: of one strategy alone, of the best of the search, and of all together."""

    single: bool
    uncounted: bool
    counted: bool
    family: bool
    ideas: int
    alone: float


def run_controls(
    params: ControlParams | None = None, seen: Callable[[int], None] | None = None, plant: Plant = planted
) -> Controls:
    """Plant, search, judge and count. Same parameters, same bits; `seen` is told of each market and strategy done.

    Every market goes through `plant` before it is used: by default it is imported and stored as any other.
    """
    asked = params or ControlParams()
    advance = seen or (lambda _: None)
    hours = NoiseParams()
    rules = draw_rules(asked.strategies, plant(market(hours, _CALIBRATION + asked.seed)), asked.seed)
    noise = [verdicts for _, verdicts in _searched(hours, rules, _seeds(asked, 0, asked.markets), (advance, plant))]
    rates = [_rate("noise, one strategy alone", (v.single for v in noise), at_most=_FALSE_ALARMS)]
    rates.append(_rate(f"noise, best of {len(rules):,}, not counted", (v.uncounted for v in noise)))
    rates += _family_rates("noise", rules, noise, {"at_most": _FALSE_ALARMS})
    for block, edge in enumerate(EDGES, 1):
        rates += _edge_rates(asked, rules, (edge, block), (advance, plant))
    rates += _leak_rates(asked, advance, plant)
    ideas, alone = (float(np.mean([getattr(v, name) for v in noise])) for name in ("ideas", "alone"))
    return Controls(tuple(rates), len(rules), ideas, alone)


def steps(params: ControlParams) -> int:
    """How many steps `run_controls` tells of, for a progress bar."""
    return params.markets + len(EDGES) * params.edge_markets + 2 * params.leaks


def _family_rates(what: str, rules: Rules, verdicts: Sequence[_Verdicts], limits: Mapping[str, float]) -> list[Rate]:
    best = f"{what}, best of {len(rules):,}"
    return [
        _rate(f"{best}, deflated", (v.counted for v in verdicts), **limits),
        _rate(f"{best}, superior ability", (v.family for v in verdicts), **limits),
    ]


def _edge_rates(
    asked: ControlParams, rules: Rules, edge: tuple[float, int], doors: tuple[Callable[[int], None], Plant]
) -> list[Rate]:
    """How often an edge passes when its rule was named beforehand, and when it had to be searched for."""
    size, block = edge
    params = NoiseParams(bars=365 * asked.edge_years, interval="1d", sharpe=size)
    seeds = _seeds(asked, block, asked.edge_markets)
    told = [
        (judge(_edge_returns(bars), params.interval).passes, verdicts)
        for bars, verdicts in _searched(params, rules, seeds, doors)
    ]
    must = {"at_least": _POWER} if size == max(EDGES) and asked.edge_years >= _YEARS else {}
    label = f"edge {size:g}, {asked.edge_years} years"
    alone = _rate(f"{label}, named beforehand", (named for named, _ in told), **must)
    return [alone, *_family_rates(label, rules, [verdicts for _, verdicts in told], must)]


def _edge_returns(bars: BarFrame) -> Float64:
    """Returns of who follows the planted rule."""
    stance = np.sign(build(bars, [EDGE_FEATURE]).values[1:-1, 0])
    return np.asarray(stance * simple_returns(bars.close)[1:])


def _leak_rates(asked: ControlParams, advance: Callable[[int], None], plant: Plant) -> list[Rate]:
    """How many strategies the integrity court's prefix replay calls leaking: of those that are, and of those not."""
    bars = plant(market(NoiseParams(bars=400), _CALIBRATION + asked.seed + 1))
    leaking, honest = (
        [_leaks(reader, bars, advance) for reader in draw_readers(asked.leaks, asked.seed, honest=truth)]
        for truth in (False, True)
    )
    return [
        _rate("planted leaks found", leaking, at_least=_LEAKS_FOUND),
        _rate("honest strategies accused", honest, at_most=1 - _LEAKS_FOUND),
    ]


def _leaks(reader: Reader, bars: BarFrame, advance: Callable[[int], None]) -> bool:
    def over(start: int, stop: int) -> Float64:
        return reader.score(bars.close[start:stop])

    advance(1)
    return leak(Part(reader.kind, bars.symbol, bars.ts, 1, reader.span, over)) is not None


def _searched(
    params: NoiseParams, rules: Rules, seeds: Iterable[int], doors: tuple[Callable[[int], None], Plant]
) -> Iterator[tuple[BarFrame, _Verdicts]]:
    """One market after the other, as it is read, with what the court says of the search on it."""
    advance, plant = doors
    for seed in seeds:
        bars = plant(market(params, seed))
        yield bars, _verdicts(bars, rules, seed)
        advance(1)


def _verdicts(bars: BarFrame, rules: Rules, seed: int) -> _Verdicts:
    found, interval = search(bars, rules), bars.interval
    table = _pooled(found.daily)
    ideas = len(np.unique(groups(table)))
    variance = float(found.ratios.var(ddof=1)) * YEAR_MS / interval_ms(interval)
    best = rule_returns(bars, rules, int(found.ratios.argmax()))
    return _Verdicts(
        single=judge(rule_returns(bars, rules, seed % len(rules)), interval).passes,
        uncounted=judge(best, interval).passes,
        counted=judge(best, interval, Search(len(rules), float(ideas), variance)).passes,
        family=spa(table, samples=399, seed=seed).consistent <= _FALSE_ALARMS,
        ideas=ideas,
        alone=float((found.ratios * math.sqrt(len(best)) > NormalDist().inv_cdf(LEVEL)).mean()),
    )


def _pooled(daily: Float64) -> Float64:
    """Returns of some days each, at most `_ROWS` rows: the same means, and a bootstrap that costs less."""
    width = -(-len(daily) // _ROWS)
    return np.add.reduceat(daily, np.arange(0, len(daily), width), axis=0)


def _seeds(asked: ControlParams, block: int, count: int) -> range:
    """Seeds of one kind of market; kinds do not share any."""
    first = (asked.seed * 7 + block) * 10_000
    return range(first, first + count)


def _rate(name: str, happened: Iterable[bool], *, at_most: float | None = None, at_least: float | None = None) -> Rate:
    outcomes = list(happened)
    return Rate(name, clopper_pearson(sum(outcomes), len(outcomes)), at_most, at_least)
