"""Answers in the shapes of seed 003, for programs that already read them: its fields, right values.

Money is in the quote asset; what the shape calls percent (`var`, `cvar`, `pct_change`, `..._pct`) is in percent, VaR
and CVaR positive losses; `drift_factor` is the scenario's expected log return over that of the fitted model. Portfolio
VaR comes from the joint history or the joint paths, never from adding up assets.
"""

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from seakeep.app.risk.desk import Desk
from seakeep.app.risk.levels import Asked, fit_level, run_level
from seakeep.backtest.pages.riskfindings import Findings, plain
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.units import YEAR_MS, interval_ms, iso
from seakeep.montecarlo.paths import BATCH, trace
from seakeep.montecarlo.scenarios import SCENARIOS, scenario
from seakeep.montecarlo.summary import Summary
from seakeep.risk.allocation import risk_parity
from seakeep.stats.quantiles import empirical_tail

__all__ = ["monte_carlo", "portfolio_risk"]

_PATHS = 20
_MOST_VAR, _LEAST_DIVERSE = 0.05, 0.5


def monte_carlo(desk: Desk, asked: Asked) -> dict[str, Any]:
    """A Monte Carlo result for each asset held, and the portfolio's with every scenario.

    Raises: ConfigError without an equity, and as the simulation.
    """
    equity, measured = _equity(desk), desk.measured
    held = [i for i, weight in enumerate(measured.weights) if weight]
    results = {measured.symbols[i]: _asset(_alone(desk, i), asked) for i in held}
    fitted = fit_level(desk, asked)
    found = {name: run_level(desk, fitted, asked, scene)[2] for name, scene in SCENARIOS.items()}
    chosen = found[scenario(asked.scenario).name]
    return {"results": results, "portfolio": _portfolio(chosen, equity, asked, found)}


def _portfolio(chosen: Summary, equity: float, asked: Asked, found: dict[str, Summary]) -> dict[str, Any]:
    var, cvar = _tail(chosen, asked.confidence)
    return {
        "current_value": equity,
        "expected_value": equity * chosen.expected.value,
        "expected_change": 100 * (chosen.expected.value - 1),
        "var": 100 * var,
        "cvar": 100 * cvar,
        "var_loss_value": equity * var,
        "scenario_stats": {name: _scenario(summary, equity, asked.confidence) for name, summary in found.items()},
    }


def _scenario(summary: Summary, equity: float, confidence: float) -> dict[str, float]:
    var, cvar = _tail(summary, confidence)
    return {
        "expected_value": equity * summary.expected.value,
        "expected_change": 100 * (summary.expected.value - 1),
        "var": 100 * var,
        "cvar": 100 * cvar,
        "prob_profit": summary.profit.value,
    }


def _tail(summary: Summary, confidence: float) -> tuple[float, float]:
    return dict(summary.var)[confidence].value, dict(summary.cvar)[confidence].value


def _alone(desk: Desk, i: int) -> Desk:
    """The desk of one asset, held once with the whole equity."""
    measured, table = desk.measured, desk.table[:, [i]]
    book = replace(
        measured,
        symbols=(measured.symbols[i],),
        weights=np.ones(1),
        prices=measured.prices[[i]],
        returns=table[:, 0],
        order=None,
    )
    return replace(desk, measured=book, table=table)


def _asset(desk: Desk, asked: Asked) -> dict[str, Any]:
    scene, fitted = scenario(asked.scenario), fit_level(desk, asked)
    run, outcomes, summary = run_level(desk, fitted, asked, scene)
    start, measured = float(desk.measured.prices[0]), desk.measured
    logs = np.log1p(desk.outcome)
    year = YEAR_MS / interval_ms(measured.interval)
    sigma = float(logs.std(ddof=1)) * math.sqrt(year)
    few = msgspec.structs.replace(run, paths=BATCH, detail="end")
    sample = trace(fitted.model, few, scene)[:_PATHS].astype(np.float64) * start
    return {
        "symbol": measured.symbols[0],
        "initial_price": start,
        "time_horizon_days": asked.days,
        "num_simulations": summary.n,
        "mu": float(logs.mean()) * year + sigma**2 / 2,
        "sigma": sigma,
        "drift_factor": (outcomes.expected_log or 0.0) / float(fitted.model.means(run.steps).sum()),
        "volatility_factor": scene.volatility,
        "simulation_method": fitted.says,
        "scenario": scene.name,
        "timestamp": iso(int(measured.ts[-1])),
        "percentiles": {str(p): _price(start, figure.value) for p, figure in summary.percentiles},
        "expected": _price(start, summary.expected.value),
        "risk_metrics": _metrics(summary, outcomes.drawdown, asked.confidence),
        "paths": sample.tolist(),
    }


def _price(start: float, value: float) -> dict[str, float]:
    return {"price": start * value, "pct_change": 100 * (value - 1)}


def _metrics(summary: Summary, drawdown: Any, confidence: float) -> dict[str, Any]:
    var, cvar = _tail(summary, confidence)
    falls = 100 * np.asarray(drawdown, np.float64)
    return {
        "var": 100 * var,
        "cvar": 100 * cvar,
        "prob_profit": summary.profit.value,
        "prob_loss": 1 - summary.profit.value,
        "max_drawdown": {"mean": float(falls.mean()), "median": float(np.median(falls)), "max": float(falls.max())},
    }


def portfolio_risk(desk: Desk, findings: Findings) -> dict[str, Any]:
    """Portfolio risk of one bar by historical simulation, correlations, equal-risk positions, and the alerts.

    Raises: ConfigError without an equity; NotEnoughHistory or DataError as the components.
    """
    equity, measured, found = _equity(desk), desk.measured, findings.components
    if found is None:
        raise ConfigError("the components of the book are needed")
    var, share = found.var.value, found.confidence
    matrix = np.ones((1, 1)) if findings.correlations is None else findings.correlations.matrix
    diversity = _diversity(matrix)
    alerts = []
    if var > _MOST_VAR:
        alerts.append({"type": "portfolio_var_exceeded", "value": 100 * var, "limit": 100 * _MOST_VAR})
    if diversity is not None and diversity < _LEAST_DIVERSE:
        alerts.append({"type": "poor_diversification", "value": diversity, "limit": _LEAST_DIVERSE})
    return {
        "timestamp": iso(int(measured.ts[-1])),
        "confidence": share,
        "portfolio_value": equity,
        "portfolio_var": equity * var,
        "portfolio_var_pct": 100 * var,
        "portfolio_cvar": equity * found.cvar.value,
        "portfolio_cvar_pct": 100 * found.cvar.value,
        "asset_var": {s: _standalone(desk, i, equity, share) for i, s in enumerate(measured.symbols)},
        "correlations": {
            s: dict(zip(measured.symbols, plain(row), strict=True))
            for s, row in zip(measured.symbols, matrix, strict=True)
        },
        "optimal_positions": _equal_risk(desk, equity),
        "diversification_score": diversity,
        "alerts": alerts,
    }


def _equity(desk: Desk) -> float:
    if desk.measured.equity is None:
        raise ConfigError("--format seed needs the value of the account", remedy="add --equity, or quantities and cash")
    return desk.measured.equity


def _standalone(desk: Desk, i: int, equity: float, confidence: float) -> dict[str, float]:
    """VaR and CVaR of a position alone, in money and in percent of its own value."""
    value = float(desk.measured.weights[i]) * equity
    returns = desk.table[:, i] if value >= 0 else -desk.table[:, i]
    var, cvar = empirical_tail(np.sort(returns), confidence)
    return {"var": abs(value) * var, "cvar": abs(value) * cvar, "var_pct": 100 * var, "cvar_pct": 100 * cvar}


def _diversity(matrix: Float64) -> float | None:
    """Mean of 1 - |correlation| over pairs; None for one asset, which has none."""
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    return float((1 - np.abs(pairs)).mean()) if len(pairs) else None


def _equal_risk(desk: Desk, equity: float) -> dict[str, float]:
    """Money in each asset so that every one carries the same risk, for what is invested now; the rest is cash."""
    measured = desk.measured
    invested = min(float(np.abs(measured.weights).sum()), 1.0) * equity
    shares = risk_parity(np.atleast_2d(np.cov(np.log1p(desk.table).T)))
    return {symbol: float(share) * invested for symbol, share in zip(measured.symbols, shares, strict=True)}
