"""The parameters of a conditional variance model: their meaning, their bounds, and the scale they are estimated in.

Estimation works on returns divided by their standard deviation, and on 1 / nu instead of nu, so that every likelihood
has the same shape whatever the bar and the unit; `Garch` always holds the parameters in the units of the returns.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np

from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.registry import nearest
from seakeep.stats.recursions import MEAN_ABS

__all__ = ["ERRORS", "MODELS", "Garch", "Specification", "specify"]

MODELS = ("garch", "gjr", "egarch")
ERRORS = ("normal", "t")
LEAST_VARIANCE = 1e-10
"""Smallest omega of GARCH and GJR, as a share of the variance of the returns."""
LEAST_NU, MOST_NU = 2.05, 500.0
"""Degrees of freedom: below, the variance hardly exists; above, t cannot be told from normal."""


class Garch(msgspec.Struct, frozen=True):
    """Parameters of a variance model, in the units of the returns and per bar; `nu` is inf for normal errors.

    With e = r - mu and z = e / sqrt(h):  garch  h' = omega + alpha e^2 + beta h;  gjr  adds gamma e^2 where e < 0;
    egarch  log h' = omega + alpha (|z| - sqrt(2 / pi)) + gamma z + beta log h.

    >>> round(Garch(omega=2e-6, alpha=0.13, beta=0.86).long_run_variance, 9)
    0.0002
    """

    omega: float
    alpha: float
    beta: float
    gamma: float = 0.0
    mu: float = 0.0
    nu: float = math.inf
    model: str = "garch"

    @property
    def errors(self) -> str:
        """Name of the error distribution, normal or t."""
        return "t" if math.isfinite(self.nu) else "normal"

    @property
    def persistence(self) -> float:
        """How much of a deviation of the variance (egarch: of its log) is left one bar later."""
        return self.beta if self.model == "egarch" else self.alpha + 0.5 * self.gamma + self.beta

    @property
    def settles(self) -> bool:
        """Whether the variance returns to a long-run level: a persistence below 1 by more than rounding."""
        return self.persistence < 1 - 1e-9

    @property
    def half_life(self) -> float:
        """Bars until half of a deviation is gone; inf if it never is."""
        p = self.persistence
        return 0.0 if p <= 0 else (math.log(0.5) / math.log(p) if self.settles else math.inf)

    @property
    def long_run_variance(self) -> float:
        """Unconditional variance of a bar's return; inf where it does not exist (persistence of 1; egarch with t)."""
        if not self.settles or (self.model == "egarch" and self.errors == "t"):
            return math.inf
        if self.model != "egarch":
            return self.omega / (1 - self.persistence)
        steps = math.ceil(math.log(1e-16) / math.log(max(abs(self.beta), 1e-16)))
        weights = np.asarray(self.beta ** np.arange(min(steps, 100_000) + 1), np.float64)
        return math.exp(self.omega / (1 - self.beta) + float(np.log(self.news_moment(weights)).sum()))

    def news_moment(self, weights: Float64) -> Float64:
        """E exp(w (alpha (|z| - sqrt(2 / pi)) + gamma z)) of a normal z, for weights w (k,): Nelson (1991)."""
        up, down = weights * (self.gamma + self.alpha), weights * (self.gamma - self.alpha)
        chance = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in (*up, *-down)]).reshape(2, -1)
        moment = np.exp(0.5 * up**2) * chance[0] + np.exp(0.5 * down**2) * chance[1]
        return np.asarray(np.exp(-weights * self.alpha * MEAN_ABS) * moment)

    def update(self, variance: float, ret: float) -> float:
        """Variance of the next bar, from the variance and the return of this one.

        >>> Garch(omega=2e-6, alpha=0.13, beta=0.86).update(0.016**2, 0.01)
        0.00023516
        """
        e = ret - self.mu
        if self.model == "egarch":
            z = e / math.sqrt(variance)
            news = self.alpha * (abs(z) - MEAN_ABS) + self.gamma * z
            return math.exp(self.omega + news + self.beta * math.log(variance))
        return self.omega + (self.alpha + self.gamma * (e < 0)) * e * e + self.beta * variance


@dataclass(frozen=True, slots=True, eq=False)
class Specification:
    """A model and its errors as the estimator sees them: k free parameters in the order of `names`.

    `design` (6, k) makes the recursion's `theta` of them; they stay where `bounds` (m, k) free <= `limits` (m,).
    """

    model: str
    names: tuple[str, ...]
    design: Float64
    bounds: Float64
    limits: Float64

    @property
    def egarch(self) -> bool:
        """Whether the recursion runs in logs."""
        return self.model == "egarch"

    def free(self, garch: Garch, scale: float) -> Float64:
        """Free parameters (k,) for returns divided by `scale`."""
        values = msgspec.structs.asdict(garch)
        shift = 2 * math.log(scale)
        omega = garch.omega - (1 - garch.beta) * shift if self.egarch else garch.omega / scale**2
        values |= {"mu": garch.mu / scale, "omega": omega, "nu": 1 / garch.nu}
        return np.array([values[name] for name in self.names])

    def garch(self, free: Float64, scale: float) -> Garch:
        """The parameters in the units of the returns."""
        values = dict(zip(self.names, free.tolist(), strict=True))
        shift = 2 * math.log(scale)
        omega = values["omega"] + (1 - values["beta"]) * shift if self.egarch else values["omega"] * scale**2
        nu = 1 / values["nu"] if "nu" in values else math.inf
        return Garch(**{**values, "omega": omega, "mu": values["mu"] * scale, "nu": nu, "model": self.model})

    def holding_mean(self, free: Float64) -> tuple[Float64, Float64]:
        """The bounds and limits, and two more that keep mu where it is."""
        mean = np.eye(len(free))[:1]
        return np.vstack([self.bounds, mean, -mean]), np.concatenate([self.limits, free[:1], -free[:1]])

    def slopes(self, free: Float64, scale: float) -> Float64:
        """Slopes (k, k) of the parameters in units of the returns with respect to the free ones."""
        slopes = np.diag([scale, 1.0 if self.egarch else scale**2, *np.ones(len(free) - 2)])
        if self.egarch:
            slopes[1, self.names.index("beta")] = -2 * math.log(scale)
        if "nu" in self.names:
            slopes[-1, -1] = -1 / free[-1] ** 2
        return slopes

    def edges(self, free: Float64) -> tuple[str, ...]:
        """A sentence for each bound that holds the free parameters."""
        if (self.limits - self.bounds @ free).min() > 1e-5:
            return ()
        theta = self.design @ free
        eta = theta[5] if "nu" in self.names else 0.1
        tails = [(eta * MOST_NU < 1 + 1e-6, f"nu is at {MOST_NU:g}: the errors cannot be told from normal ones")]
        tails.append((eta * LEAST_NU > 1 - 1e-6, f"nu is at {LEAST_NU:g}: the errors have hardly a variance"))
        if self.egarch:
            zeros = [("alpha", theta[2]), ("beta", theta[4])]
            ends = [(value < 1e-9, f"{name} is at its bound of zero") for name, value in zeros]
            ends.append(
                (self.limits[2] - theta[4] < 1e-6, "beta is at its bound: the log variance returns to no level")
            )
        else:
            zeros = [("omega", theta[1] - LEAST_VARIANCE), ("beta", theta[4])]
            ends = [(value < 1e-9, f"{name} is at its bound of zero") for name, value in zeros]
            ends.append(
                (min(theta[2:4]) < 1e-9, "the response to a rise or a fall of the price is at its bound of zero")
            )
            ends.append((self.limits[4] - self.bounds[4] @ free < 1e-6, "the persistence is at its bound"))
        return tuple(text for is_held, text in ends + tails if is_held)

    def touched(self, free: Float64) -> Float64:
        """The bounds (t, k) that the free parameters lie on."""
        return self.bounds[self.limits - self.bounds @ free < 1e-9]


@lru_cache(maxsize=64)
def specify(model: str, errors: str, max_persistence: float = 1.0) -> Specification:
    """The specification of a model by name. Raises: ConfigError for an unknown name, ValueError for a bad bound."""
    for kind, name, known in (("volatility model", model, MODELS), ("error distribution", errors, ERRORS)):
        if name not in known:
            raise ConfigError(f"unknown {kind}", value=name, remedy=nearest(name, known))
    if not 0 < max_persistence <= 2:
        raise ValueError(f"max_persistence must be in (0, 2], got {max_persistence}")
    names = ("mu", "omega", "alpha", *(() if model == "garch" else ("gamma",)), "beta", "nu")
    tied = {"garch": ("alpha",), "gjr": ("alpha", "gamma"), "egarch": ("gamma",)}[model]
    made_of = (("mu",), ("omega",), ("alpha",), tied, ("beta",), ("nu",))
    design = np.array([[float(name in parts) for name in names] for parts in made_of])
    rows = np.array(_BOUNDS["egarch" if model == "egarch" else "garch"] + _BOUNDS["t"])
    rows[:, -1] *= np.where(rows[:, :-1].any(axis=1) & (rows[:, 4] > 0), max_persistence, 1.0)
    if errors == "normal":
        design, names, rows = design[:, :-1], names[:-1], rows[:-2]
    return Specification(model, names, np.ascontiguousarray(design), rows[:, :-1] @ design, rows[:, -1].copy())


_BOUNDS: dict[str, list[list[float]]] = {
    "garch": [
        [0, -1, 0, 0, 0, 0, -LEAST_VARIANCE],
        [0, 0, -1, 0, 0, 0, 0],
        [0, 0, 0, -1, 0, 0, 0],
        [0, 0, 0, 0, -1, 0, 0],
        [0, 0, 0.5, 0.5, 1, 0, 1],
    ],
    "egarch": [[0, 0, -1, 0, 0, 0, 0], [0, 0, 0, 0, -1, 0, 0], [0, 0, 0, 0, 1, 0, 1]],
    "t": [[0, 0, 0, 0, 0, -1, -1 / MOST_NU], [0, 0, 0, 0, 0, 1, 1 / LEAST_NU]],
}
"""Rows (mu, omega, a, b, beta, eta, limit); the limit of a row with beta > 0 is times the largest persistence.

An egarch with alpha < 0, where calm raises the variance, cannot be filtered: small changes of the parameters end in
other paths of the variance (Straumann and Mikosch, Annals of Statistics 34, 2006), and its likelihood has no peak.
"""
