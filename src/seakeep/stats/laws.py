"""The laws of one period's return that VaR is read from; each is fitted once and then asked at any confidence.

A law answers three things: `tail` (VaR and CVaR, positive losses), `quantile` (returns at given probabilities, which is
how a longer horizon is simulated), and `warnings` (where it stands outside the domain its authors gave it). The laws
with a likelihood also know the `errors` of their own tail.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from pydantic import Field
from scipy.special import ndtri, stdtrit

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError, ModelError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.registry import nearest
from seakeep.stats.evt import Pareto, fit_tail
from seakeep.stats.quantiles import (
    Rule,
    age_weights,
    cornish_fisher_domain,
    cornish_fisher_quantile,
    cornish_fisher_tail,
    empirical_tail,
    moments,
    normal_tail,
    student_tail,
    weighted_tail,
)
from seakeep.stats.student import Student, fit_student
from seakeep.stats.volatility import Garch, GarchFit, filter_garch, fit_garch

__all__ = [
    "LAWS",
    "RISKMETRICS",
    "CornishFisher",
    "Empirical",
    "Extreme",
    "Filtered",
    "Law",
    "LawSettings",
    "Likelihood",
    "Normal",
    "StudentT",
    "Weighted",
    "filtered",
    "fit_law",
    "law_named",
]

RISKMETRICS = Garch(omega=0.0, alpha=0.06, beta=0.94)
"""The exponentially weighted variance of RiskMetrics (1996): daily decay 0.94, no mean."""
FEW = 10
"""A historical tail of fewer losses is said to be thin."""


class LawSettings(Section):
    """Choices of the laws that have any."""

    rule: Literal["interpolated", "order"] = Field("interpolated", description="where a historical quantile lies")
    age_decay: float = Field(0.99, gt=0, lt=1, description="weight of a return against the one after it")
    tail_share: float = Field(0.10, gt=0, lt=0.5, description="share of losses the Pareto tail is fitted to")
    volatility: Literal["garch", "ewma"] = Field("garch", description="what filters the returns of the filtered law")


class Law(Protocol):
    """What every law answers."""

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR) over one period."""

    def quantile(self, probability: Float64) -> Float64:
        """Return at each probability (k,)."""

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """Where the answer is outside the law's domain or rests on little."""


class Likelihood(Law, Protocol):
    """A law fitted by likelihood knows the standard errors of its own tail."""

    def errors(self, confidence: float) -> tuple[float, float]:
        """Standard errors of (VaR, CVaR)."""


@dataclass(frozen=True, slots=True, eq=False)
class Empirical:
    """The observed returns (n,), ascending, each as likely as any other."""

    ordered: Float64
    rule: Rule = "interpolated"

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR). Raises: NotEnoughHistory if not one loss beyond VaR is expected."""
        _expect_a_loss(len(self.ordered), confidence)
        return empirical_tail(self.ordered, confidence, self.rule)

    def quantile(self, probability: Float64) -> Float64:
        """Observed return at each probability (k,)."""
        return self.ordered[np.minimum((probability * len(self.ordered)).astype(np.int64), len(self.ordered) - 1)]

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """Says when few losses lie beyond VaR."""
        return _thin(len(self.ordered) * (1 - confidence))


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """The observed returns (n,), oldest first, with weights (n,) that favour the recent ones."""

    returns: Float64
    weights: Float64

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR). Raises: NotEnoughHistory if the weights hold not one loss beyond VaR."""
        _expect_a_loss(self.count, confidence)
        return weighted_tail(self.returns, self.weights, confidence)

    def quantile(self, probability: Float64) -> Float64:
        """Observed return at each probability (k,)."""
        order = np.argsort(self.returns)
        rows = np.searchsorted(np.cumsum(self.weights[order]), probability)
        return self.returns[order[np.minimum(rows, len(order) - 1)]]

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """Says when the weights leave few losses beyond VaR."""
        return _thin(self.count * (1 - confidence))

    @property
    def count(self) -> float:
        """Number of equal observations that would know as much (Kish, 1965)."""
        return float(1 / (self.weights @ self.weights))


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """A normal return fitted to n observations."""

    mean: float
    std: float
    n: int

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR)."""
        return normal_tail(self.mean, self.std, confidence)

    def errors(self, confidence: float) -> tuple[float, float]:
        """Standard errors: s sqrt((1 + k^2 / 2) / n), k the multiple of s in the figure."""
        multiples = np.array(normal_tail(0.0, 1.0, confidence))
        low, high = self.std * np.sqrt((1 + multiples**2 / 2) / self.n)
        return float(low), float(high)

    def quantile(self, probability: Float64) -> Float64:
        """Return at each probability (k,)."""
        return np.asarray(self.mean + self.std * ndtri(probability))

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """None: whether returns are normal is for the coverage tests to say."""
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class StudentT:
    """A Student t return."""

    fit: Student

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR)."""
        return student_tail(self.fit.location, self.fit.scale, self.fit.nu, confidence)

    def errors(self, confidence: float) -> tuple[float, float]:
        """Standard errors by the delta method over location, log scale and 1 / nu."""
        at = np.array([self.fit.location, math.log(self.fit.scale), 1 / self.fit.nu])
        slopes = np.empty((3, 2))
        for i, step in enumerate((1e-6, 1e-5, 1e-5)):
            up, down = at.copy(), at.copy()
            up[i], down[i] = at[i] + step, at[i] - step
            ends = [np.array(student_tail(p[0], math.exp(p[1]), 1 / p[2], confidence)) for p in (up, down)]
            slopes[i] = (ends[0] - ends[1]) / (2 * step)
        cover = np.array(self.fit.covariance).reshape(3, 3)
        low, high = np.sqrt(np.einsum("ik,ij,jk->k", slopes, cover, slopes))
        return float(low), float(high)

    def quantile(self, probability: Float64) -> Float64:
        """Return at each probability (k,)."""
        return np.asarray(self.fit.location + self.fit.scale * stdtrit(self.fit.nu, probability))

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """Says when the degrees of freedom met an edge, or leave no variance."""
        found = []
        if self.fit.at_edge:
            found.append(f"degrees of freedom met their limit at {self.fit.nu:.3g}; their error is not in the interval")
        if self.fit.nu <= 2:
            found.append(f"{self.fit.nu:.3g} degrees of freedom: the fitted law has no variance")
        return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class CornishFisher:
    """A normal return bent to the observed skewness and excess kurtosis."""

    mean: float
    std: float
    skew: float
    excess: float

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR), the modified ones."""
        return cornish_fisher_tail(self.mean, self.std, self.skew, self.excess, confidence)

    def quantile(self, probability: Float64) -> Float64:
        """Return at each probability (k,). Raises: ModelError outside the domain, where it would not rise."""
        if self.outside:
            raise ModelError(f"{self.outside}, so nothing can be drawn from it", remedy="use another method")
        return np.asarray(self.mean + self.std * cornish_fisher_quantile(ndtri(probability), self.skew, self.excess))

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """Says when the expansion is no law at these moments, and when CVaR had to be held at VaR."""
        found = [self.outside] if self.outside else []
        var, cvar = self.tail(confidence)
        if cvar <= var:
            found.append("the expansion put CVaR below VaR; it is held at VaR")
        return tuple(found)

    @property
    def outside(self) -> str:
        """Why these moments leave the domain; empty inside it."""
        if cornish_fisher_domain(self.skew, self.excess):
            return ""
        return f"skewness {self.skew:.2f} and excess kurtosis {self.excess:.2f} are outside the Cornish-Fisher domain"


@dataclass(frozen=True, slots=True, eq=False)
class Extreme:
    """A generalised Pareto tail on losses; above the threshold the observed returns."""

    pareto: Pareto
    ordered: Float64

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR). Raises: ConfigError below the threshold."""
        return self.pareto.tail(confidence)

    def errors(self, confidence: float) -> tuple[float, float]:
        """Standard errors by the delta method over shape, scale and the share beyond the threshold."""
        return self.pareto.errors(confidence)

    def quantile(self, probability: Float64) -> Float64:
        """Return at each probability (k,)."""
        out = Empirical(self.ordered).quantile(probability)
        deep = probability < self.pareto.share
        rate = np.log(self.pareto.share / np.maximum(probability[deep], 1e-300))
        xi = self.pareto.xi
        beyond = np.expm1(xi * rate) / xi if abs(xi) > 1e-9 else rate
        out[deep] = -self.pareto.threshold - self.pareto.beta * beyond
        return out

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """Says when the shape leaves no finite mean or no standard errors."""
        xi = self.pareto.xi
        if xi >= 1:
            return (f"tail shape {xi:.2f}: losses beyond VaR have no finite mean",)
        return (f"tail shape {xi:.2f}: no standard errors below -0.5",) if xi <= -0.5 else ()


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """Residuals (n,) of a variance model under a law of their own, scaled to the next period's deviation `sigma`."""

    params: Garch
    sigma: float
    residuals: Float64
    law: Law
    notes: tuple[str, ...] = ()

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR) of the next period: -mean + sigma x the tail of the residuals."""
        var, cvar = self.law.tail(confidence)
        return self.sigma * var - self.params.mu, self.sigma * cvar - self.params.mu

    def quantile(self, probability: Float64) -> Float64:
        """Return of the next period at each probability (k,)."""
        return np.asarray(self.params.mu + self.sigma * self.law.quantile(probability))

    def warnings(self, confidence: float) -> tuple[str, ...]:
        """Those of the variance model and of the law of the residuals."""
        return (*self.notes, *self.law.warnings(confidence))


def _expect_a_loss(n: float, confidence: float) -> None:
    if n * (1 - confidence) < 1 - 1e-9:
        need = math.ceil(round(1 / (1 - confidence), 6))
        raise NotEnoughHistory(
            f"confidence {confidence:g} needs at least {need} equally weighted returns", value=round(n, 1)
        )


def _thin(losses: float) -> tuple[str, ...]:
    return (f"only {losses:.1f} observed losses lie beyond VaR",) if losses < FEW else ()


def filtered(fit: GarchFit, law: Callable[[Float64], Law]) -> Filtered:
    """The law of the period after a fitted or filtered variance model, with `law` made of its residuals."""
    return Filtered(fit.params, math.sqrt(fit.next_variance), fit.residuals, law(fit.residuals), fit.warnings)


def _filtered(returns: Float64, settings: LawSettings) -> Filtered:
    if settings.volatility == "garch":
        fit = fit_garch(returns, errors="normal", presample="sample")
    else:
        fit = filter_garch(returns, RISKMETRICS, "sample")
    return filtered(fit, lambda residuals: Empirical(np.sort(residuals), settings.rule))


def _normal(returns: Float64, settings: LawSettings) -> Normal:
    return Normal(float(returns.mean()), float(returns.std(ddof=1)), len(returns))


LAWS: Mapping[str, tuple[int, Callable[[Float64, LawSettings], Law]]] = {
    "historical": (20, lambda returns, settings: Empirical(np.sort(returns), settings.rule)),
    "age_weighted": (20, lambda returns, settings: Weighted(returns, age_weights(len(returns), settings.age_decay))),
    "normal": (20, _normal),
    "student_t": (50, lambda returns, settings: StudentT(fit_student(returns))),
    "cornish_fisher": (50, lambda returns, settings: CornishFisher(*moments(returns))),
    "evt": (100, lambda returns, settings: Extreme(fit_tail(-returns, settings.tail_share), np.sort(returns))),
    "filtered": (100, _filtered),
}
"""Each method: the fewest returns it accepts, and its fit."""


def law_named(method: str) -> tuple[int, Callable[[Float64, LawSettings], Law]]:
    """The fewest returns the method accepts, and its fit. Raises: ConfigError for an unknown method."""
    if method not in LAWS:
        raise ConfigError("unknown VaR method", value=method, remedy=nearest(method, list(LAWS)))
    return LAWS[method]


def fit_law(returns: Float64, method: str, settings: LawSettings | None = None) -> Law:
    """The law of that name, fitted to checked returns (n,). Raises: ConfigError for an unknown method."""
    return law_named(method)[1](returns, settings or LawSettings())
