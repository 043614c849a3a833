"""The questions the risk desk can be asked, each answered by the mathematics below for one book."""

import math
from dataclasses import replace
from itertools import combinations

import msgspec
import numpy as np

from seakeep.app.risk.desk import Desk, stored_bars
from seakeep.backtest.pages.riskfindings import (
    Correlations,
    Lead,
    Level,
    RuinOdds,
    Stresses,
    Survivors,
    Trial,
    Volatility,
    VolatilityModel,
)
from seakeep.core.errors import ConfigError, ConvergenceError, DataError, SeakeepError
from seakeep.core.market import Float64, Int64
from seakeep.core.units import YEAR_MS, interval_ms
from seakeep.risk.candidates import CANDIDATES
from seakeep.risk.court import CONFIDENCES, CourtSettings, Ruling, hold_court
from seakeep.risk.crises import CRISES, replay
from seakeep.risk.limits import Limits
from seakeep.risk.ruin import RuinParams, Stakes, breaker_odds, gbm_odds, ruin_odds, survival
from seakeep.risk.stress import Book, estimate_market, stress
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.dependence import lead_lag, shrink
from seakeep.stats.laws import Empirical, Extreme, Filtered, Law, Normal, StudentT, Weighted
from seakeep.stats.performance import LEVEL, Estimate
from seakeep.stats.quantiles import checked_confidence
from seakeep.stats.tails import METHODS, Z_LEVEL, Scaling, Tail, TailSettings, estimate
from seakeep.stats.volatility import GarchFit, ewma, fit_garch, rescale

__all__ = ["correlations", "court", "leads", "log_outcome", "ruin", "stresses", "survivable", "tails", "volatilities"]

_WORLDS = 200
_LAGS = 5
_SIZE = 0.05
"""How many bars one asset may lead another by, and how sure that must be."""
_CURVE_POINTS = 40
_CAPITALS = np.array([0.75, 1.0, 1.5, 2.0])


def log_outcome(desk: Desk) -> Float64:
    """Log returns (n,) of the book. Raises: DataError if some return would have taken all of it."""
    lowest = float(desk.outcome.min())
    if lowest <= -1:
        raise DataError(
            "this book would have lost all of its equity in one bar of the history",
            value=lowest,
            remedy="use level 4, a finer interval, or smaller positions",
        )
    return np.log1p(desk.outcome)


def tails(
    desk: Desk, confidence: float, bars: int, scaling: Scaling | None, seed: int
) -> tuple[tuple[Tail, ...], tuple[tuple[str, str], ...]]:
    """VaR and CVaR by every method, and (method, reason) of those that this history does not allow."""
    level, found, refused = checked_confidence(confidence), [], []
    settings = TailSettings(seed=seed)
    for method in METHODS:
        try:
            found.append(estimate(desk.outcome, level, method, horizon=bars, scaling=scaling, settings=settings))
        except SeakeepError as error:
            refused.append((method, str(error)))
    return tuple(found), tuple(refused)


def court(desk: Desk, rules: CourtSettings, most: int | None = None) -> Trial:
    """The court over the book's returns, the last `most` of them at most, and its figures for the bar to come."""
    x = desk.outcome if most is None else desk.outcome[-most:]
    ruling, trials = hold_court(x, settings=rules)
    trusted = next(trial for trial in trials if trial.model == ruling.trusted)
    days = len(x) - rules.window
    tomorrow = tuple(_tomorrow(x[-rules.window :], ruling, c, rules.seed) for c in CONFIDENCES)
    return Trial(ruling, CONFIDENCES, desk.measured.ts[-days:], x[-days:], trusted.var, tomorrow)


def _tomorrow(window: Float64, ruling: Ruling, confidence: float, seed: int) -> tuple[Estimate, Estimate]:
    """VaR and CVaR of the next bar by the trusted model. Their intervals: from the errors of a fitted law, else by
    bootstrap, of the residuals one by one or of the window in blocks; the filter is held."""
    candidate, n = CANDIDATES[ruling.trusted], len(window)
    law = candidate.law(candidate.refit(window, None), window)
    values = law.tail(confidence)
    inner, sigma = (law.law, law.sigma) if isinstance(law, Filtered) else (law, 1.0)
    if isinstance(inner, Normal | StudentT | Extreme):
        half = Z_LEVEL * sigma * np.array(inner.errors(confidence))
        ends = [(value - h, value + h) for value, h in zip(values, half.tolist(), strict=True)]
    else:
        block = 1.0 if isinstance(law, Filtered) else None
        drawn = resample(lambda rows: np.array(_redrawn(law, window, rows).tail(confidence)), n, block=block, seed=seed)
        ends = [percentile_interval(column, LEVEL) for column in drawn.T]
    var, cvar = (Estimate(value, *both, n) for value, both in zip(values, ends, strict=True))
    return var, cvar


def _redrawn(law: Law, window: Float64, rows: Int64) -> Law:
    """The law with other observations behind it."""
    if isinstance(law, Filtered):
        return replace(law, law=Empirical(np.sort(law.residuals[rows])))
    return replace(law, returns=window[rows]) if isinstance(law, Weighted) else Empirical(np.sort(window[rows]))


def correlations(desk: Desk) -> Correlations | None:
    """Correlation of the assets' log returns, shrunk to their average (Ledoit and Wolf); None for a single asset."""
    if len(desk.measured.symbols) < 2:
        return None
    found = shrink(np.log1p(desk.table))
    says = f"correlation of {found.n:,} log returns, {found.shrinkage:.1%} shrunk to the average"
    return Correlations(desk.measured.symbols, found.correlation, *found.interval(), says, found.warnings)


def leads(desk: Desk) -> tuple[Lead, ...]:
    """For each pair of assets whether one leads the other by up to `_LAGS` bars; the p-values are for all pairs
    together (Sidak), the most telling pair first."""
    x, symbols = np.log1p(desk.table), desk.measured.symbols
    pairs, found = list(combinations(range(len(symbols)), 2)), []
    for i, j in pairs:
        one = lead_lag(x[:, i], x[:, j], _LAGS)
        p = -math.expm1(len(pairs) * math.log1p(-min(one.p_value, 1 - 1e-12)))
        error = float(one.error[one.lags == one.lag][0])
        leader = "" if p >= _SIZE else symbols[i] if one.lag > 0 else symbols[j]
        found.append(Lead(symbols[i], symbols[j], one.lag, one.value, error, p, leader, one.n))
    return tuple(sorted(found, key=lambda lead: lead.p_value))


def volatilities(desk: Desk, bars: int, *, assets: bool = True) -> tuple[Volatility, ...]:
    """Every model on the log returns of the book and, if wanted, of each of its assets."""
    series = {"book": log_outcome(desk)}
    if assets and not (len(desk.measured.symbols) == 1 and desk.measured.weights[0] == 1):
        series |= dict(zip(desk.measured.symbols, np.log1p(desk.table).T, strict=True))
    step = interval_ms(desk.measured.interval)
    return tuple(_volatility(name, np.ascontiguousarray(x), bars, step) for name, x in series.items())


def _volatility(name: str, x: Float64, bars: int, step: int) -> Volatility:
    year = math.sqrt(YEAR_MS / step)
    average = ewma(x)
    now = math.sqrt(average.next_variance) * year
    level = Level(1, now, now * average.error)
    held = msgspec.structs.replace(level, bars=bars)
    models, fits = [VolatilityModel(model="ewma", now=level, ahead=held)], {}
    for kind in ("garch", "gjr", "egarch"):
        try:
            fits[kind] = fit_garch(x, kind, "t")
            models.append(_described(kind, fits[kind], bars, year))
        except ConvergenceError as error:
            models.append(VolatilityModel(model=kind, failed=str(error)))
    best = min(fits, key=lambda kind: fits[kind].aic, default="ewma")
    path = fits[best].sigma if fits else average.sigma
    return Volatility(name, tuple(models), best, np.asarray(rescale(path, step)), len(x))


def _described(kind: str, fit: GarchFit, bars: int, year: float) -> VolatilityModel:
    term = fit.forecast(bars)
    notes = (*fit.warnings, *term.warnings)
    try:
        errors = fit.forecast_errors(bars) * year
    except ConvergenceError as error:
        errors, notes = np.full(bars, np.nan), (*notes, str(error))
    return VolatilityModel(
        model=kind,
        now=Level(1, float(term.per_bar[0]) * year, float(errors[0])),
        ahead=Level(bars, float(term.per_bar[-1]) * year, float(errors[-1])),
        long_run=math.sqrt(fit.params.long_run_variance) * year,
        persistence=fit.params.persistence,
        half_life=fit.params.half_life,
        nu=fit.params.nu,
        aic=fit.aic,
        warnings=notes,
    )


def ruin(desk: Desk, days: int, paths: int, seed: int, limits: Limits, floor: float = 0.5) -> RuinOdds:
    """Odds of loss, drawdown, survival and of the breaker over up to `days`; `floor` is the share of today's equity
    below which the book counts as ruined."""
    if not 0 <= floor < _CAPITALS.min():
        remedy = f"write 0.5; capitals from {_CAPITALS.min():g} of today's equity on are followed"
        raise ConfigError(f"--floor must be at least 0 and below {_CAPITALS.min():g}", value=floor, remedy=remedy)
    per_day, after = desk.per_day(), desk.after()
    asked = sorted({day for day in (30, 90) if day < days} | {days})
    params = RuinParams(
        horizons=tuple(day * per_day for day in asked), worlds=_WORLDS, paths=max(50, paths // _WORLDS), daily=per_day
    )
    returns, unit = survivable(desk.outcome), desk.measured.equity or 1.0
    grid = sorted({round(day) * per_day for day in np.linspace(1, days, min(days, _CURVE_POINTS)).tolist()})
    curve = params.model_copy(update={"horizons": tuple(grid)})
    lasting = survival(returns, _CAPITALS * unit, Stakes(floor=floor * unit), curve, seed=seed)
    return RuinOdds(
        per_day=per_day,
        ruin=ruin_odds(returns, params, seed=seed),
        after=ruin_odds(survivable(after.outcome), params, seed=seed) if after else None,
        closed=gbm_odds(returns, "drawdown", params, seed=seed),
        survivors=Survivors(floor * unit, lasting),
        breaker=breaker_odds(returns, limits, params, seed=seed, drawdown=desk.drawdown),
    )


def survivable(returns: Float64) -> Float64:
    """Returns (n,) of which none is below -1: a book that would have lost more than all is gone, not in debt."""
    return np.maximum(returns, -1.0)


def stresses(desk: Desk, market: str | None) -> Stresses:
    """Every stress and every crisis on the book, and on the book after the order, by daily bars.

    Betas and covariances are those of the history that was asked for; a crisis is replayed wherever it is stored.
    """
    measured = desk.measured
    driver = market or f"BTC/{measured.quote}"
    symbols = sorted({*measured.symbols, driver})
    stored = {symbol: stored_bars(desk.store, symbol, "1d") for symbol in symbols}
    first, last = int(desk.opened[0]), int(desk.opened[-1]) + 1
    known = estimate_market({symbol: frame.between(first, last) for symbol, frame in stored.items()}, driver)
    books, after = [_stressed(desk)], desk.after()
    if after:
        books.append(_stressed(after))
    losses = [stress(book, known) for book in books]
    replays = [tuple(replay(book, stored, crisis) for crisis in CRISES.values()) for book in books]
    return Stresses(driver, losses[0], replays[0], (*losses, ())[1], (*replays, ())[1])


def _stressed(desk: Desk) -> Book:
    measured = desk.measured
    weights = dict(zip(measured.symbols, measured.weights.tolist(), strict=True))
    return Book.of_weights(weights, measured.equity or 1.0, measured.quote)
