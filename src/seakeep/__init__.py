"""Seakeep: risk-first crypto trading.

What a notebook wants is here by name and loaded when it is first touched: `from seakeep import fit_garch` costs what
that needs and no more. `dir(seakeep)` lists it; docs/how-to/notebook.md shows it at work.
"""

from importlib import import_module
from typing import Any

__all__ = [
    "Asked",
    "Book",
    "CourtSettings",
    "GarchParams",
    "GarchPaths",
    "Gbm",
    "Multifactor",
    "ParquetStore",
    "Regimes",
    "Result",
    "RuinParams",
    "Run",
    "__version__",
    "bootstrap",
    "bounded_fraction",
    "components",
    "estimate_market",
    "ewma",
    "expected_max_drawdown",
    "filter_probs",
    "fit_garch",
    "fit_gbm",
    "fit_hmm",
    "fit_multifactor",
    "fit_regimes",
    "greeks",
    "hold_court",
    "implied_volatility",
    "incremental",
    "indicators",
    "kelly_portfolio",
    "kupiec",
    "lead_lag",
    "load_settings",
    "log_returns",
    "max_drawdown",
    "min_cvar",
    "optimize",
    "read_portfolio",
    "risk_parity",
    "ruin_odds",
    "run_backtest",
    "scenario",
    "shrink",
    "simple_returns",
    "simulate",
    "stress",
    "summarise",
    "survival",
    "tail_risk",
    "tail_snapshot",
]

__version__ = "0.1.0"

_HOMES: dict[str, str | dict[str, str]] = {
    "app.risk.holdings": {"read_portfolio": "read_holdings"},
    "app.runs": "run_backtest",
    "app.search.optimizer": "Asked optimize",
    "app.settings": {"load_settings": "load"},
    "backtest.result": "Result",
    "data.store": "ParquetStore",
    "features.frame": {"indicators": "build"},
    "montecarlo.bootstrap": "bootstrap",
    "montecarlo.garch": {"GarchParams": "GarchParams", "GarchPaths": "Garch"},
    "montecarlo.gbm": "Gbm fit_gbm",
    "montecarlo.multifactor": "Multifactor fit_multifactor",
    "montecarlo.paths": "Run simulate",
    "montecarlo.regime": "Regimes fit_regimes",
    "montecarlo.scenarios": "scenario",
    "montecarlo.summary": "summarise",
    "risk.allocation": "min_cvar risk_parity",
    "risk.bounded": "bounded_fraction",
    "risk.court": "CourtSettings hold_court",
    "risk.kelly": "kelly_portfolio",
    "risk.ruin": "RuinParams ruin_odds survival",
    "risk.snapshot": "tail_snapshot",
    "risk.stress": "Book estimate_market stress",
    "stats.components": "components incremental",
    "stats.coverage": "kupiec",
    "stats.dependence": "lead_lag shrink",
    "stats.hmm": "filter_probs fit_hmm",
    "stats.options": "greeks implied_volatility",
    "stats.recovery": "expected_max_drawdown",
    "stats.returns": "log_returns max_drawdown simple_returns",
    "stats.tails": {"tail_risk": "estimate"},
    "stats.volatility": "ewma fit_garch",
}
"""Names by module; a table where the name here is another than there."""
_PLACES = {
    name: (module, there)
    for module, names in _HOMES.items()
    for name, there in (names if isinstance(names, dict) else {n: n for n in names.split()}).items()
}


def __getattr__(name: str) -> Any:
    """The name from where it lives, kept here from then on."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _PLACES[name]
    found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), there)
    return found


def __dir__() -> list[str]:
    """Everything there is to import."""
    return sorted(__all__)
