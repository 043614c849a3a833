"""The risk page: one HTML file with the pictures of a book's risk, that needs no network, no server and no script.

A section appears for each part of the findings that is there. Everything that comes from outside is escaped by the
template engine, and the page's own content policy forbids any script.
"""

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
from markupsafe import Markup

from seakeep.backtest import notation
from seakeep.backtest.pages import riskcharts
from seakeep.backtest.pages.report import Card, pages
from seakeep.backtest.pages.riskfindings import Correlations, Findings, Trial, Volatility
from seakeep.core.market import Int64
from seakeep.montecarlo.summary import Figure
from seakeep.stats.performance import Estimate

__all__ = ["render"]

_STOP = 0.2
TESTS = {
    "kupiec": "Kupiec",
    "independence": "Independence",
    "weibull_duration": "Duration",
    "dynamic_quantile": "DQ",
    "z2": "Z2 (CVaR)",
}


class Judged(msgspec.Struct, frozen=True):
    """A row of the court's table; `p_values` in the order of `TESTS`, and whether each one rejects."""

    model: str
    stands: bool
    confidence: float
    failures: int
    expected: float
    p_values: tuple[tuple[str, bool], ...]
    mean_var: float
    reason: str


class Cell(msgspec.Struct, frozen=True):
    """A correlation: text, its interval, its shade in percent and side."""

    text: str
    interval: str
    shade: float
    side: str


def render(findings: Findings) -> str:
    """The page as text (UTF-8)."""
    environment = pages()
    environment.filters |= {"between": _between, "figure": _figure, "gain": _gain}
    return environment.get_template("risk.html").render(
        found=findings,
        measured=findings.measured,
        cards=list(_cards(findings)),
        cautions=list(_cautions(findings)),
        charts=dict(_charts(findings)),
        judged=list(_judged(findings.trial)) if findings.trial else [],
        tests=list(TESTS.values()),
        heat=_heat(findings.correlations) if findings.correlations else [],
        held=_held(findings),
    )


def _held(findings: Findings) -> list[int]:
    """Rows of the positions, those that carry most first."""
    weights = findings.measured.weights
    size = findings.components.cvar_component if findings.components else np.abs(weights)
    return [int(i) for i in np.argsort(-size, kind="stable") if weights[i]]


def _between(estimate: Estimate, digits: int = 2) -> str:
    return f"{notation.percent(estimate.low, digits)} to {notation.percent(estimate.high, digits)}"


def _figure(found: Figure | None, digits: int = 2) -> str:
    if found is None:
        return notation.UNKNOWN
    return f"{notation.percent(found.value, digits)} ± {notation.percent(found.error, digits)}"


def _gain(found: Figure) -> str:
    return f"{notation.percent(found.value - 1, signed=True)} ± {notation.percent(found.error)}"


def _cards(findings: Findings) -> Iterator[Card]:
    measured, trial, simulated = findings.measured, findings.trial, findings.simulation
    worth = notation.UNKNOWN if measured.equity is None else notation.money(measured.equity)
    gross = notation.percent(float(np.abs(measured.weights).sum()), 0)
    yield Card(f"Equity, {measured.quote}", worth, f"{gross} of it in positions")
    if trial:
        var, cvar = trial.tomorrow[0]
        level = notation.percent(trial.confidences[0], 0)
        yield Card(f"VaR {level}, next bar", notation.percent(var.value), f"{_between(var)}, by {trial.ruling.trusted}")
        yield Card(f"CVaR {level}, next bar", notation.percent(cvar.value), _between(cvar))
    elif findings.components:
        found = findings.components
        level = notation.percent(found.confidence, 0)
        yield Card(f"VaR {level}", notation.percent(found.var.value), f"{_between(found.var)}, {found.method}")
        yield Card(f"CVaR {level}", notation.percent(found.cvar.value), _between(found.cvar))
    if simulated:
        share, figure = simulated.summary.cvar[0]
        name = f"CVaR {notation.percent(share, 0)}, {simulated.days:g} days"
        yield Card(name, notation.percent(figure.value), f"± {notation.percent(figure.error)}, simulated")
    if findings.ruin:
        odds = findings.ruin.breaker
        name = f"Breaker trips, {odds.horizon} days"
        ends = f"{notation.percent(odds.either.low, 0)} to {notation.percent(odds.either.high, 0)}"
        yield Card(name, notation.percent(odds.either.value, 0), ends, "bad" if odds.either.value > 0.5 else "")
    elif findings.stresses:
        worst = max(findings.stresses.losses, key=lambda row: row.loss)
        yield Card("Worst stress", notation.percent(worst.loss), worst.stress.replace("_", " "), "bad")


def _cautions(findings: Findings) -> Iterator[str]:
    yield from findings.measured.cautions
    yield from (f"{name} is missing: {why}" for name, why in findings.missing)
    yield from (f"{method} VaR was not estimated: {why}" for method, why in findings.refused)
    if findings.simulation:
        yield from findings.simulation.summary.warnings
    if findings.components:
        yield from findings.components.warnings
    if findings.correlations:
        yield from findings.correlations.warnings
    yield from (f"{rule.rule}: {warning}" for rule in findings.sizing for warning in rule.warnings)


def _charts(findings: Findings) -> Iterator[tuple[str, Markup]]:
    measured = findings.measured
    if findings.components:
        yield "components", riskcharts.components_chart(findings.components, measured.symbols)
    if findings.trial:
        yield from _exceedances(findings.trial)
    if findings.simulation:
        found = findings.simulation
        level, var = found.summary.var[0]
        name = notation.percent(level, 0)
        marks = [(f"VaR {name}", var.value), (f"CVaR {name}", found.summary.cvar[0][1].value)]
        yield "fan", riskcharts.fan_chart(found.fan, found.days, _STOP)
        yield "losses", riskcharts.loss_chart(found.edges, found.counts, marks)
    if findings.ruin:
        curves, unit = findings.ruin.survivors.curves, measured.quote if measured.equity else "x today's equity"
        yield "survival", riskcharts.survival_chart(curves, findings.ruin.per_day, unit)
    if findings.volatility:
        book = findings.volatility[0]
        yield "volatility", _volatility(measured.ts, book)


def _volatility(ts: Int64, book: Volatility) -> Markup:
    return riskcharts.volatility_chart(ts[-len(book.path) :], book.path, book.best)


def _exceedances(trial: Trial) -> Iterator[tuple[str, Markup]]:
    for i, confidence in enumerate(trial.confidences):
        name = f"{notation.percent(confidence, 0)} VaR of {trial.ruling.trusted}"
        chart = riskcharts.exceedance_chart(trial.ts, trial.returns, trial.var[:, i], trial.failed[i], name)
        yield f"exceedances{i}", chart


def _judged(trial: Trial) -> Iterator[Judged]:
    ruling = trial.ruling
    reasons: Mapping[str, str] = dict(ruling.reasons)
    ranked = list(reasons)
    for j in sorted(ruling.judgements, key=lambda j: (ranked.index(j.model), j.confidence)):
        yield Judged(
            j.model,
            j.model not in ruling.demoted,
            j.confidence,
            j.failures,
            j.expected,
            tuple((_p_value(j.p_value(test)), test in j.against) for test in TESTS),
            j.mean_var,
            reasons[j.model],
        )


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else notation.plain(value, 3)


def _heat(found: Correlations) -> list[list[Cell]]:
    return [
        [
            Cell(
                notation.plain(float(found.matrix[i, j])),
                f"{notation.plain(float(found.low[i, j]))} to {notation.plain(float(found.high[i, j]))}",
                8 + 55 * abs(float(found.matrix[i, j])),
                "with" if found.matrix[i, j] > 0 else "against",
            )
            for j in range(len(found.symbols))
        ]
        for i in range(len(found.symbols))
    ]
