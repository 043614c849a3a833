"""How long an opinion stays right: the information coefficient of every signal by horizon, and its half-life.

IC(h) is the rank correlation of a score with the return of one single bar, the h-th after it; unlike the correlation
with the return over h bars it does not keep counting the early bars, so skill that fades halves on this curve when it
halves. Skill is tested against the best decaying curve that noise would offer, so looking at many horizons is paid for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.curvefits import decaying, fit
from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.core.config import Section
from seakeep.core.errors import ConvergenceError, NotEnoughHistory
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.engine.pipeline import Pipeline
from seakeep.features.frame import build
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.performance import Estimate

__all__ = ["Decay", "DecayParams", "Scores", "decay", "decay_check", "scores", "self_half_life"]

MIN_ROWS = 200


class DecayParams(Section):
    """At which horizons a signal is held against what followed, and how sure the answer must be."""

    horizons: tuple[int, ...] = Field((1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48, 72, 96), min_length=3, description="bars")
    samples: int = Field(1000, ge=100, le=100_000, description="bootstrap samples")
    significance: float = Field(0.05, gt=0, lt=0.5, description="chance of calling noise skill")


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Opinions of one source on every bar of some symbols, known at its close: for each symbol times, scores in
    [-1, 1] (NaN abstains) and closes, (n,) each. `group` is its type."""

    source: str
    group: str
    ts: tuple[Int64, ...]
    score: tuple[Float64, ...]
    close: tuple[Float64, ...]


class Decay(msgspec.Struct, frozen=True):
    """Skill of a source by horizon in bars: `ic` with 95 % ends; the fitted IC one bar ahead; half-life in bars.

    `p_value` is the chance that noise fits a decaying curve as well. `skilled`: it does not, and the score points the
    right way. Without skill the half-life is NaN: nothing that could fade was seen.
    """

    source: str
    group: str
    horizons: tuple[int, ...]
    ic: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    skill: Estimate
    half_life: Estimate
    self_half_life: float
    p_value: float
    skilled: bool

    @property
    def says(self) -> str:
        """The finding in words."""
        if self.p_value != self.p_value:
            return f"{self.source}: too little to judge"
        if self.skilled:
            return f"{self.source}: {_halves(self.half_life, self.horizons[-1], 'bars')}"
        wrong = self.skill.high < 0
        return f"{self.source}: {'points the wrong way' if wrong else 'no measurable skill'} (p = {self.p_value:.2g})"


def _halves(life: Estimate, seen: float, unit: str) -> str:
    """A half-life in words; beyond four times the longest horizon nothing is known of it."""
    if math.isinf(life.value) or life.value > 4 * seen:
        least = f", its half-life is at least {life.low:.3g}" if 0 < life.low < math.inf else ""
        return f"skill does not fade within the {seen:.3g} {unit} looked at{least}"
    if math.isnan(life.value):
        return "skill follows no curve that fades"
    high = f"{life.high:.3g}" if math.isfinite(life.high) else f"more than {4 * seen:.3g}"
    low = f"{life.low:.3g}" if life.low > 0 else "less than can be told"
    return f"skill halves in {life.value:.3g} {unit} ({low} to {high})"


def scores(pipeline: Pipeline, frames: Sequence[BarFrame]) -> tuple[Scores, ...]:
    """What every source of the pipeline thought at each bar from `trade_from` on: strategy first, then experts.

    A type with several sources is there once more as their mean, named "all <type>".
    """
    columns: dict[tuple[str, str], list[Float64]] = {}
    for bars in frames:
        frame, first = build(bars, pipeline.specs), int(np.searchsorted(bars.known_at, pipeline.trade_from))
        forecasts = {name: expert.predict(frame) for name, expert in pipeline.experts.items()}
        own = np.asarray(pipeline.strategy.score(frame, forecasts), np.float64)
        columns.setdefault((pipeline.strategy_name, pipeline.strategy.group), []).append(own[first:])
        for name, expert in pipeline.experts.items():
            if expert.scale > 0:
                opinion = np.clip(forecasts[name][:, 0] / (2.0 * expert.scale), -1.0, 1.0)
                columns.setdefault((name, expert.group), []).append(opinion[first:])
    for group in dict.fromkeys(group for _, group in columns):
        members = [parts for (_, other), parts in columns.items() if other == group]
        if len(members) > 1:
            means = [np.mean(np.nan_to_num(np.stack(parts)), axis=0) for parts in zip(*members, strict=True)]
            columns[f"all {group}", group] = means
    traded = [bars.between(pipeline.trade_from - pipeline.bar_ms, None) for bars in frames]
    ts, close = tuple(bars.known_at for bars in traded), tuple(bars.close for bars in traded)
    return tuple(Scores(source, group, ts, tuple(parts), close) for (source, group), parts in columns.items())


def decay(opinions: Scores, params: DecayParams | None = None, *, seed: int = 0) -> Decay:
    """The decay of one source, pooled over its symbols; the bootstrap draws days, of all symbols at once.

    Raises: NotEnoughHistory below 200 opinions or 30 days, or if the source says the same all the time.
    """
    asked = params or DecayParams()
    days = _by_day(opinions, asked.horizons)
    h = len(asked.horizons)
    sums, counts = days[:, :h], days[:, h:]
    ic = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)

    def drawn_ic(rows: Int64) -> Float64:
        return np.asarray(sums[rows].sum(axis=0) / np.maximum(counts[rows].sum(axis=0), 1))

    drawn = resample(drawn_ic, len(days), samples=asked.samples, seed=seed)
    curves, lives = _curves(asked.horizons)
    power = np.abs(curves @ ic).max()
    noise = np.abs((drawn - ic) @ curves.T).max(axis=1)
    p_value = float((1 + np.count_nonzero(noise >= power)) / (1 + asked.samples))
    best = np.abs(drawn @ curves.T).argmax(axis=1)
    ahead = (
        (drawn * curves[best]).sum(axis=1)
        * curves[best, 0]
        * np.exp(-math.log(2) / lives[best] * (1 - asked.horizons[0]))
    )
    found, life = _fitted(np.array(asked.horizons, np.float64), ic, lives)
    n = int(counts[:, 0].sum())
    skill = Estimate(found, *percentile_interval(ahead), n)
    skilled = p_value <= asked.significance and found > 0
    half_life = Estimate(life, *_ends(lives[best], lives), n) if skilled else Estimate(math.nan, n=n)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    own = float(np.nanmedian([self_half_life(score) for score in opinions.score]))
    return Decay(
        source=opinions.source,
        group=opinions.group,
        horizons=asked.horizons,
        ic=tuple(ic.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        skill=skill,
        half_life=half_life,
        self_half_life=own,
        p_value=p_value,
        skilled=skilled,
    )


def _by_day(opinions: Scores, horizons: tuple[int, ...]) -> Float64:
    """Sums of score x return in standardised ranks, then how many, by day and horizon (d, 2 h)."""
    tables, days = [], []
    for ts, score, close in zip(opinions.ts, opinions.score, opinions.close, strict=True):
        if len(score) <= max(horizons):
            continue
        heard, moves = _standard_ranks(score), _standard_ranks(np.diff(np.log(close), prepend=np.nan))
        table = np.full((len(score), len(horizons)), np.nan)
        for j, h in enumerate(horizons):
            table[:-h, j] = heard[:-h] * moves[h:]
        tables.append(table)
        days.append((ts - 1) // DAY_MS)
    if not tables or sum(int(np.isfinite(table[:, 0]).sum()) for table in tables) < MIN_ROWS:
        raise NotEnoughHistory(f"decay needs {MIN_ROWS} opinions that vary, from more bars than the longest horizon")
    rows, (names, where) = np.concatenate(tables), np.unique(np.concatenate(days), return_inverse=True)
    if len(names) < 30:
        raise NotEnoughHistory("decay needs 30 days", value=len(names))
    known = np.isfinite(rows)
    out = np.zeros((len(names), 2 * len(horizons)))
    np.add.at(out, where, np.hstack([np.where(known, rows, 0.0), known]))
    return out


def _standard_ranks(values: Float64) -> Float64:
    """Ranks (n,) with mean 0 and deviation 1, NaN where the value is; all NaN if the values do not vary."""
    from scipy.stats import rankdata

    out, known = np.full(len(values), np.nan), np.isfinite(values)
    ranks = rankdata(values[known])
    if len(ranks) > 1 and ranks.std() > 0:
        out[known] = (ranks - ranks.mean()) / ranks.std()
    return out


def _curves(horizons: tuple[int, ...]) -> tuple[Float64, Float64]:
    """Decaying curves over the horizons (g, h), each of length 1, and their half-lives (g,)."""
    x = np.array(horizons, np.float64)
    lives = np.geomspace(x[0] / 4, x[-1] * 4, 160)
    table = np.array([decaying(x - x[0], math.log(2) / life) for life in lives])
    return table / np.sqrt((table**2).sum(axis=1, keepdims=True)), lives


def _fitted(x: Float64, ic: Float64, lives: Float64) -> tuple[float, float]:
    """IC one bar ahead and half-life in bars of the best curve; the nearest end where it lies outside `lives`."""
    try:
        found = fit(x, ic, decaying, math.log(2) / lives)
    except ConvergenceError:
        return float(ic[0]), math.nan
    life = math.log(2) / found.rate if found.rate > 0 else math.inf
    return found.scale * math.exp(-found.rate), life


def _ends(drawn: Float64, lives: Float64) -> tuple[float, float]:
    """95 % of the half-lives drawn; an end of the grid means beyond what the horizons can tell: 0 or infinite."""
    low, high = np.quantile(drawn, (0.025, 0.975))
    return (0.0 if low <= lives[0] else float(low)), (math.inf if high >= lives[-1] else float(high))


def self_half_life(score: Float64) -> float:
    """Bars in which a score (n,) falls half way back to its mean: -ln 2 / ln(1 + slope), the slope that of its change
    on its level; infinite if it does not fall back, 0 if it overshoots, NaN if it does not vary.

    References: Chan, "Algorithmic Trading" (2013), chapter 2, in its exact discrete form.
    """
    level, change = score[:-1], np.diff(score)
    known = np.isfinite(level) & np.isfinite(change)
    level, change = level[known], change[known]
    if len(level) < 3 or level.std() == 0:
        return math.nan
    slope = float(np.cov(level, change, bias=True)[0, 1] / level.var())
    if slope >= 0:
        return math.inf
    return -math.log(2) / math.log1p(slope) if slope > -1 else 0.0


def decay_check(
    pipeline: Pipeline, frames: Sequence[BarFrame], params: DecayParams | None = None, *, seed: int = 0
) -> Check:
    """How long the signals of a run stay right. Passes if one has skill that outlasts a bar."""
    found: list[Decay] = []
    silent: list[str] = []
    for opinions in scores(pipeline, frames):
        try:
            found.append(decay(opinions, params, seed=seed))
        except NotEnoughHistory as error:
            silent.append(f"{opinions.source}: {error}")
    if not found:
        return Check(name="alpha decay", status="not judged", reason="; ".join(silent))
    return _judged(found, silent, pipeline.bar_ms)


def _judged(found: Sequence[Decay], silent: Sequence[str], bar_ms: int) -> Check:
    skilled = [one for one in found if one.skilled]
    lasting = [one for one in skilled if one.half_life.value >= 1]
    wrong = [one for one in found if not one.skilled and one.skill.high < 0 and one.p_value <= 0.05]
    status: Status = "fail" if wrong and not skilled else "pass" if lasting else "warn"
    figures: list[tuple[str, float | str]] = []
    for one in found:
        figures += [(f"{one.source} ({one.group}) IC one bar ahead", one.skill.value), (f"{one.source} p", one.p_value)]
        if one.skilled:
            hours = bar_ms / HOUR_MS
            value, low, high = (hours * x for x in (one.half_life.value, one.half_life.low, one.half_life.high))
            life = _halves(Estimate(value, low, high, one.half_life.n), hours * one.horizons[-1], "hours")
            figures.append((f"{one.source} half-life", life))
    lines = tuple(Series(one.source, one.ic) for one in found)
    return Check(
        name="alpha decay",
        status=status,
        reason="; ".join([*(one.says for one in found), *silent]),
        figures=tuple(figures),
        plot=Plot("bars ahead", tuple(float(h) for h in found[0].horizons), lines, "ratio"),
    )
