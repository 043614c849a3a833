"""Monte Carlo for one book: a level fitted to its history, or the history drawn again, and what the paths say.

Levels 1, 2, 3 and 5 are fitted to the book's own returns, so its weights are kept by rebalancing; level 4 is fitted to
the assets, which are bought and held.
"""

import math
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from seakeep.app.headlines import News
from seakeep.app.risk.desk import Desk
from seakeep.app.risk.work import log_outcome
from seakeep.backtest.pages.riskfindings import Simulation
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, YEAR_MS, interval_ms, iso
from seakeep.montecarlo.bootstrap import bootstrap
from seakeep.montecarlo.garch import Garch, GarchParams
from seakeep.montecarlo.gbm import fit_gbm
from seakeep.montecarlo.multifactor import fit_multifactor
from seakeep.montecarlo.news import NewsState, analogues, fit_news, news_state
from seakeep.montecarlo.paths import Model, Outcomes, Run, simulate
from seakeep.montecarlo.regime import fit_regimes
from seakeep.montecarlo.scenarios import Scenario, scenario
from seakeep.montecarlo.summary import Summary, fan, summarise
from seakeep.stats.volatility import ewma, fit_garch

__all__ = ["Asked", "Fitted", "fit_level", "run_level", "simulation"]

STOPS = (0.9, 0.8, 0.7)
_BINS = 60
_HALF_LIFE_MS = 2 * DAY_MS
_STALE_MS = 7 * DAY_MS
_WINDOWS = 50
_MIN_COVERED = 100


Resample = Literal["iid", "block", "stationary", "analogues"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate: a level 1 to 5, or with `resample` the history itself; `news` are needed by level 5."""

    level: int = 4
    resample: Resample | None = None
    scenario: str = "base"
    days: int = 30
    paths: int = 100_000
    seed: int = 1
    confidence: float = 0.95
    news: News | None = None


class Fitted(msgspec.Struct, frozen=True):
    """A model, what it is in words, and what to know of the fit."""

    model: Model
    says: str
    notes: tuple[str, ...] = ()


def simulation(desk: Desk, asked: Asked) -> Simulation:
    """Fit, simulate and sum up; with a candidate order a second time, on the same random numbers, with it filled.

    Raises: ConfigError for an unknown level or scenario, ModelError or DataError if the history does not allow it.
    """
    scene, fitted = scenario(asked.scenario), fit_level(desk, asked)
    run, outcomes, summary = run_level(desk, fitted, asked, scene)
    after = desk.after()
    changed = None if after is None else run_level(after, fit_level(after, asked), asked, scene)[2]
    gains = outcomes.value.astype(np.float64) - 1
    low, high = np.quantile(gains, (0.0005, 0.995))
    counts, edges = np.histogram(np.clip(gains, low, high), bins=_BINS)
    notes = (*fitted.notes, f"scenario {scene.name}: {scene.says}")
    band = fan(fitted.model, run, scene)
    return Simulation(fitted.says, asked.days, summary, band, edges, counts.astype(np.int64), changed, notes)


def run_level(desk: Desk, fitted: Fitted, asked: Asked, scene: Scenario) -> tuple[Run, Outcomes, Summary]:
    """Simulate a fitted level and sum it up."""
    run = Run(steps=desk.bars(asked.days), paths=asked.paths, seed=asked.seed, detail="times")
    outcomes = simulate(fitted.model, run, scene)
    levels = tuple(sorted({0.95, 0.99, asked.confidence}))
    return run, outcomes, summarise(outcomes, model=fitted.says, levels=levels, stops=STOPS)


def fit_level(desk: Desk, asked: Asked) -> Fitted:
    """The level that is asked for, fitted to this book. Raises: ConfigError for an unknown one."""
    if asked.resample is not None:
        return _resampled(desk, asked.resample, desk.bars(asked.days))
    fits = {1: _gbm, 2: _regimes, 3: _garch, 4: _multifactor}
    if asked.level == 5:
        return _news(desk, asked.news)
    if asked.level not in fits:
        raise ConfigError("--level must be 1 to 5", value=asked.level, remedy="4 simulates the assets together")
    return fits[asked.level](desk)


def _drift(x: Float64, step: int) -> str:
    """The mean is the least certain number of all."""
    year = YEAR_MS / step
    mean, error = float(x.mean()) * year, float(x.std(ddof=1)) * year / math.sqrt(len(x))
    return f"the drift of the history, {mean:+.0%} ± {error:.0%} a year in logs, is in the paths; scenarios change it"


def _gbm(desk: Desk) -> Fitted:
    x, interval = log_outcome(desk), desk.measured.interval
    model = fit_gbm(x, interval)
    says = f"level 1, geometric Brownian motion: volatility {model.volatility:.1%} a year"
    return Fitted(model, says, (_drift(x, interval_ms(interval)),))


def _regimes(desk: Desk) -> Fitted:
    x, interval = log_outcome(desk), desk.measured.interval
    model, chain = fit_regimes(x, 2, interval)
    year = math.sqrt(YEAR_MS / interval_ms(interval))
    calm, wild = (f"{sd * year:.0%}" for sd in model.sd)
    now, stay = model.now[1], np.diag(model.transition)
    lasting = " and ".join(f"{1 / (1 - p):.0f}" for p in stay)
    says = (
        f"level 2, two regimes of {calm} and {wild} volatility a year, {lasting} bars long; {now:.0%} the wild one now"
    )
    return Fitted(model, says, (_drift(x, interval_ms(interval)), f"{chain.iterations} sweeps, {chain.n:,} returns"))


def _garch(desk: Desk) -> Fitted:
    x, interval = log_outcome(desk), desk.measured.interval
    fit = fit_garch(x, "garch", "t")
    p = fit.params
    model = Garch(GarchParams(p.mu, p.omega, p.alpha, p.beta, p.nu), fit.next_variance, interval)
    now = math.sqrt(fit.next_variance * YEAR_MS / interval_ms(interval))
    says = f"level 3, GARCH(1,1) with t errors: {now:.1%} volatility a year now, persistence {p.persistence:.3f}"
    return Fitted(model, says, (_drift(x, interval_ms(interval)), *fit.warnings))


def _multifactor(desk: Desk) -> Fitted:
    measured = desk.measured
    held = np.flatnonzero(measured.weights)
    x = np.log1p(desk.table[:, held])
    model = fit_multifactor(x, measured.weights[held], interval=measured.interval)
    says = (
        f"level 4, {len(held)} assets together, multivariate t of {model.nu or math.inf:.1f} degrees, bought and held"
    )
    return Fitted(model, says, (_drift(log_value(desk), interval_ms(measured.interval)),))


def log_value(desk: Desk) -> Float64:
    """Log returns of the book where it has them, else its simple returns."""
    return np.log1p(desk.outcome) if desk.outcome.min() > -1 else desk.outcome


def _news(desk: Desk, news: News | None) -> Fitted:
    if news is None:
        raise ConfigError("level 5 needs news", remedy="name a file of scored news with --news")
    interval, x = desk.measured.interval, log_outcome(desk)
    first, last, end = news.items[0].ts, news.items[-1].ts, int(desk.measured.ts[-1])
    covered = (desk.opened >= first) & (desk.opened <= last + _STALE_MS)
    if covered.sum() < _MIN_COVERED:
        span = f"{iso(first)[:10]} to {iso(last)[:10]}"
        raise NotEnoughHistory(
            f"the news are of {span}: {covered.sum()} returns of this history have news before them",
            remedy=f"at least {_MIN_COVERED} are needed: widen --timerange or name other news",
        )
    *states, here = _states(news, np.append(desk.opened[covered], end))
    state = _filled(covered, states)
    model, fit = fit_news(x, state, here, half_life_ms=_HALF_LIFE_MS, interval=interval)
    slopes = {"jumps by attention": fit.attention, "jumps by tone": fit.tone, "drift by tone": fit.drift}
    measured = ", ".join(f"{name} {slope:+.2g} ± {error:.1g}" for name, (slope, error) in slopes.items())
    said = [f"{covered.sum():,} of {fit.n:,} returns have news before them; {fit.jumps} jumps; slopes: {measured}"]
    if end - last > _STALE_MS:
        said.append(f"the newest item is of {iso(last)}: by {iso(end)} the news have faded")
    if news.unscored:
        said.append(f"{news.unscored:,} rows without a time or a score were left out")
    yearly = YEAR_MS / interval_ms(interval)
    says = f"level 5, jumps ({model.intensity(1)[0] * yearly:.1f} a year now) and drift conditioned on the news"
    return Fitted(model, says, (_drift(x, interval_ms(interval)), *said))


def _states(news: News, at: Int64) -> list[tuple[float, float]]:
    """(attention, tone) at each instant."""
    state = news_state(news.items, news.score(), at, _HALF_LIFE_MS)
    return list(zip(state.attention.tolist(), state.tone.tolist(), strict=True))


def _filled(covered: NDArray[np.bool_], states: list[tuple[float, float]]) -> NewsState:
    """The state at every return; where no news were kept it is the mean of the others, which says nothing."""
    known = np.array(states)
    table = np.tile(known.mean(axis=0), (len(covered), 1))
    table[covered] = known
    return NewsState(table[:, 0], table[:, 1])


def _resampled(desk: Desk, method: Resample, bars: int) -> Fitted:
    x, interval = log_outcome(desk), desk.measured.interval
    note = _drift(x, interval_ms(interval))
    if method == "analogues":
        starts, length = _similar(x, bars)
        model = bootstrap(x, "block", length=length, starts=starts, interval=interval)
        says = f"{len(starts)} past windows of {length} bars that resemble now"
        few = f"the horizon is one window: only {len(starts)} outcomes are possible, which the ± does not hold"
        return Fitted(model, says, (note, few) if bars <= length else (note,))
    model = bootstrap(x, method, interval=interval)
    kind = "single returns" if method == "iid" else f"{method} blocks of {model.length:.0f} bars"
    return Fitted(model, f"history drawn again, {kind}", (note, f"no bar is worse than {np.expm1(x.min()):.2%}"))


def _similar(x: Float64, bars: int) -> tuple[Int64, int]:
    """Starts of the past windows whose volatility and 20-bar trend were most like today's."""
    length, trend = min(bars, 5), np.convolve(x, np.ones(20), "valid")
    sigma = ewma(x)
    level = np.log(np.append(sigma.sigma, math.sqrt(sigma.next_variance)))[20:]
    table = np.column_stack([level, trend / np.exp(level) / math.sqrt(20)])
    rows, _ = analogues(table[:-1], table[-1], length, _WINDOWS)
    return rows + 20, length
