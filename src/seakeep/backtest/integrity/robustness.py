"""Does the result survive small changes? Parameters, entry delay, price noise, lost bars, another order of days.

One score in [0, 1] from the Sharpe ratios S of daily returns:

    retained(v) = min(1, max(0, S(v) / S(base)))          for each variant v
    f(family)   = mean of retained(v) over its variants    parameters, entry delay, price noise, dropped bars
    f(bootstrap) = share of 1,000 block bootstraps of the equity curve that end above their start
    score       = (product of the m families' f) ** (1 / m)

It never rises when a variant does worse, nor when the same variants stand against a better base. The geometric mean
lets one family that breaks break the score. The interval comes from the same days drawn again for base and variants
together; a sample in which the base earns nothing scores 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

import msgspec
import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.daily import daily_returns, paired_samples, sharpes
from seakeep.backtest.integrity.disturbance import Dropped, Noise
from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.integrity.variation import Param, Rerun, Variation
from seakeep.backtest.result import Result
from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory, SeakeepError
from seakeep.core.market import Float64
from seakeep.stats.performance import Estimate
from seakeep.strategy import Strategy

__all__ = [
    "Robustness",
    "RobustnessParams",
    "Variant",
    "neighbours",
    "parameters",
    "robustness",
    "robustness_check",
    "score",
    "variants",
]


class RobustnessParams(Section):
    """How far things are moved, and what score is enough."""

    shift: float = Field(0.20, gt=0, lt=1, description="each parameter is moved up and down by this share")
    delays: tuple[int, ...] = Field((1, 2, 3, 4, 5), description="bars an entry comes late")
    noise: float = Field(0.001, ge=0, lt=0.5, description="largest change of a price, a fraction")
    noise_draws: int = Field(3, ge=0, le=100, description="markets with noise")
    dropped: tuple[float, ...] = Field((0.01, 0.05), description="shares of bars that are lost")
    samples: int = Field(1000, ge=100, le=100_000, description="bootstrap samples")
    enough: float = Field(0.7, gt=0, le=1, description="a score from here on passes, unless it may be poor")
    poor: float = Field(0.4, ge=0, le=1, description="a score below this fails")


class Variant(msgspec.Struct, frozen=True):
    """A change to try: the family it counts in, its name, and the variation that makes it."""

    family: str
    name: str
    variation: Variation


class Robustness(msgspec.Struct, frozen=True):
    """The score with its 95 % interval, every family's part, and what each variant kept of the base's Sharpe ratio."""

    score: Estimate
    base: float
    families: tuple[tuple[str, float], ...]
    retained: tuple[tuple[str, str, float, float], ...]
    """Family, name, Sharpe ratio, share of the base's."""


def parameters(strategy: Strategy) -> dict[str, Param]:
    """The parameters of a strategy with the values it runs with."""
    return {field.name: getattr(strategy, field.name) for field in fields(strategy)}  # type: ignore[arg-type]


def neighbours(params: Mapping[str, Param], shift: float) -> list[tuple[str, Param]]:
    """Each numeric parameter moved down and up by a share; whole numbers stay whole, at least one away.

    A parameter that is 0, true or false, or text has no neighbours.

    >>> neighbours({"fast": 50, "tiny": 2, "full": 4.0, "on": True}, 0.2)
    [('fast', 40), ('fast', 60), ('tiny', 1), ('tiny', 3), ('full', 3.2), ('full', 4.8)]
    """
    moved: list[tuple[str, Param]] = []
    for name, value in params.items():
        if isinstance(value, (bool, str)) or value == 0:
            continue
        for sign in (-1, 1):
            near = value * (1 + sign * shift)
            if isinstance(value, int):
                near = round(near) if round(near) != value else value + sign * (1 if value > 0 else -1)
            moved.append((name, near))
    return moved


def variants(current: Mapping[str, Param], params: RobustnessParams, seed: int) -> tuple[Variant, ...]:
    """Everything that is tried on a strategy with these parameters."""
    tried = [
        Variant("parameters", f"{name} {value:.6g}", Variation(params=((name, value),)))
        for name, value in neighbours(current, params.shift)
    ]
    tried += [
        Variant("entry delay", f"{bars} bar{'s' if bars > 1 else ''} late", Variation(entry_delay=bars))
        for bars in params.delays
    ]
    tried += [
        Variant("price noise", f"noise {i + 1}", Variation(bars=Noise(params.noise, seed + i)))
        for i in range(params.noise_draws)
    ]
    tried += [
        Variant("dropped bars", f"{share:.0%} lost", Variation(bars=Dropped(share, seed))) for share in params.dropped
    ]
    return tuple(tried)


def score(base: float, by_family: Mapping[str, Sequence[float]], surviving: float) -> float:
    """The score in [0, 1]: `base` and the variants' Sharpe ratios by family, and the share of bootstraps that earn.

    >>> score(2.0, {"parameters": [2.0, 1.0], "entry delay": [1.5]}, 0.96) == (0.75 * 0.75 * 0.96) ** (1 / 3)
    True
    >>> score(2.0, {"parameters": [2.0, 1.0], "entry delay": [-1.0]}, 0.96)
    0.0
    """
    if not base > 0:
        return 0.0
    kept = [sum(min(1.0, max(0.0, ratio / base)) for ratio in ratios) / len(ratios) for ratios in by_family.values()]
    return float(math.prod([*kept, surviving]) ** (1 / (len(kept) + 1)))


def robustness(
    returns: Float64, labels: Sequence[tuple[str, str]], periods: float, *, samples: int = 1000, seed: int = 0
) -> Robustness:
    """Score a base against its variants: daily returns (1 + v, d), the base first; (family, name) of each variant.

    Raises: ValueError if the labels are not one for each variant.
    """
    if len(labels) != len(returns) - 1:
        raise ValueError(f"{len(returns) - 1} variants need as many labels, got {len(labels)}")
    base, *ratios = sharpes(returns, periods).tolist()
    drawn = paired_samples(returns, samples=samples, seed=seed)
    surviving = float(np.mean([np.log1p(np.maximum(sample[0], -1 + 1e-15)).sum() > 0 for sample in drawn]))

    def scored(first: float, others: Sequence[float]) -> float:
        return score(first, _by_family(labels, others), surviving)

    values = [scored(first, others) for first, *others in (sharpes(sample, periods).tolist() for sample in drawn)]
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    value = scored(base, ratios)
    kept = [max(0.0, min(1.0, ratio / base)) if base > 0 else 0.0 for ratio in ratios]
    families = [(family, float(np.mean(part))) for family, part in _by_family(labels, kept).items()]
    rows = tuple((*label, ratio, share) for label, ratio, share in zip(labels, ratios, kept, strict=True))
    estimate = Estimate(value, min(low, value), max(high, value), returns.shape[1])
    return Robustness(estimate, base, (*families, ("bootstrap", surviving)), rows)


def _by_family(labels: Sequence[tuple[str, str]], values: Sequence[float]) -> dict[str, list[float]]:
    table: dict[str, list[float]] = {}
    for (family, _), value in zip(labels, values, strict=True):
        table.setdefault(family, []).append(value)
    return table


def robustness_check(
    result: Result, rerun: Rerun, current: Mapping[str, Param], params: RobustnessParams | None = None, *, seed: int = 0
) -> Check:
    """The robustness of a run; `current` are the strategy's parameters (see `parameters`)."""
    asked, name = params or RobustnessParams(), "robustness"
    if not result.trips:
        return Check(name=name, status="not judged", reason="no round trip was closed: nothing could break")
    try:
        alone, periods = daily_returns([result.curves])
    except NotEnoughHistory as error:
        return Check(name=name, status="not judged", reason=str(error))
    if not sharpes(alone, periods)[0] > 0:
        return Check(name=name, status="not judged", reason="the run does not earn: there is nothing to be robust")
    runs, labels, failed = _reruns(rerun, variants(current, asked, seed))
    if not runs:
        return Check(name=name, status="not judged", reason="; ".join(failed) or "nothing was asked to be varied")
    returns, periods = daily_returns([result.curves, *(run.curves for run in runs)])
    found = robustness(returns, labels, periods, samples=asked.samples, seed=seed)
    return _judged(found, asked, [*failed, *([] if neighbours(current, asked.shift) else ["no parameter to move"])])


def _reruns(rerun: Rerun, tried: Sequence[Variant]) -> tuple[list[Result], list[tuple[str, str]], list[str]]:
    """The runs that could be made, their labels, and why the others could not."""
    runs: list[Result] = []
    labels: list[tuple[str, str]] = []
    failed: list[str] = []
    for variant in tried:
        try:
            runs.append(rerun(variant.variation))
            labels.append((variant.family, variant.name))
        except SeakeepError as error:
            failed.append(f"{variant.name} could not be run: {error}")
    return runs, labels, failed


def _judged(found: Robustness, asked: RobustnessParams, notes: Sequence[str]) -> Check:
    value = found.score
    sure = value.value >= asked.enough and value.low >= asked.poor
    status: Status = "pass" if sure else "warn" if value.value >= asked.poor else "fail"
    weakest = min(found.families, key=lambda part: part[1])
    worst = min(found.retained, key=lambda row: row[3])
    reason = (
        f"score {value.value:.2f} ({value.low:.2f} to {value.high:.2f}); weakest is {weakest[0]}, which keeps "
        f"{weakest[1]:.0%}; worst single change: {worst[1]}, Sharpe {worst[2]:.2f} instead of {found.base:.2f}"
    )
    figures: list[tuple[str, float | str]] = [("score", value.value), ("low", value.low), ("high", value.high)]
    figures += [(f"{family} keeps", share) for family, share in found.families]
    figures += [
        (f"{family}: {name}", f"Sharpe {ratio:.2f}, keeps {share:.0%}") for family, name, ratio, share in found.retained
    ]
    names = tuple(name for _, name, _, _ in found.retained)
    plot = Plot("", names, (Series("kept of the Sharpe ratio", tuple(row[3] for row in found.retained)),))
    earning = dict(found.families)["bootstrap"]
    luck = [f"the run itself earns in only {earning:.0%} of bootstraps"] if earning < 0.975 else []
    full = "; ".join([reason, *luck, *notes])
    return Check(name="robustness", status=status, reason=full, figures=tuple(figures), plot=plot)
