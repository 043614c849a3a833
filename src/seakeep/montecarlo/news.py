"""Level 5: paths conditioned on the news. Its factor is what has been written, and how it sounds.

Two numbers say where the stream of news stands at an instant: `attention`, how much was written lately, and `tone`,
how it sounds on average; both fade with a half-life and use only what was known by then. From history it is estimated
how they move the chance of a jump (logistic regression) and the drift (least squares, each slope shrunk by how sure it
is); paths then start from the state of the news now, and its effect fades as news do. Without slopes this is Merton's
jump diffusion [1]_.

.. [1] Merton, "Option pricing when underlying stock returns are discontinuous", Journal of Financial Economics 3
   (1976).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import float32, prange
from numpy.typing import ArrayLike

from seakeep.core.errors import ConvergenceError, DataError, NotEnoughHistory
from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64, Int64, NewsItem
from seakeep.core.units import interval_ms
from seakeep.montecarlo.lanes import Job, follow, open_lanes, settle
from seakeep.montecarlo.sample import checked_returns
from seakeep.montecarlo.streams import LANES, fill_normals, fill_words, seed_block, unit_f32

__all__ = ["JUMP", "NewsFit", "NewsJumps", "NewsState", "analogues", "fit_news", "news_state"]

_MOST = 6
_LEAST_JUMPS = 8

JUMP = 3.0
"""Robust deviations from which a return is a jump. Of jumps of three to five deviations put among normal returns it
finds seven in ten, and takes less than one ordinary day a year for one; at 4 it finds four in ten. Returns with heavy
tails or moving volatility make it call more days jumps: three a year under GARCH, ten under a t of 4 degrees."""


@kernel(fastmath=FUSED)
def _jump(cuts: Any, drift: Any, shape: Any, words: Any, z: Any, extra: Any) -> None:
    """Log return of one step in place of z: drift, diffusion and a Poisson number of jumps.

    `cuts` (6,) are the Poisson probabilities of at most 0 .. 5 jumps, `shape` deviation, jump mean, jump deviation.
    """
    sd, jump_mean, jump_sd, one, zero = shape[0], shape[1], shape[2], float32(1.0), float32(0.0)
    c0, c1, c2, c3, c4, c5 = cuts[0], cuts[1], cuts[2], cuts[3], cuts[4], cuts[5]
    for j in range(LANES):
        u = unit_f32(words[j])
        count = (one if u > c0 else zero) + (one if u > c1 else zero) + (one if u > c2 else zero)
        count += (one if u > c3 else zero) + (one if u > c4 else zero) + (one if u > c5 else zero)
        z[j] = drift + sd * z[j] + (count * jump_mean + math.sqrt(count) * (jump_sd * extra[j]))


@kernel
def _block(job: Any, cuts: Any, drift: Any, shape: Any, b: Any) -> None:
    stream, z, paths = seed_block(job, job.first + b), np.empty((4, LANES), np.float32), open_lanes(0.0)
    extra, words = np.empty((4, LANES), np.float32), np.empty((4, LANES), np.uint32)
    for t in range(0, job.steps, 4):
        fill_normals(job, job.first + b, 2 * t, stream, z)
        fill_normals(job, job.first + b, 2 * t + 4, stream, extra)
        fill_words(job, job.first + b, t, 1, stream, words)
        for k in range(4):
            _jump(cuts[t + k], drift[t + k], shape, words[k], z[k], extra[k])
        follow(job, t, b * LANES, z, paths)
    settle(job, b * LANES, paths)


@kernel(parallel=True)
def _blocks(job: Any, cuts: Any, drift: Any, shape: Any, blocks: Any) -> None:
    for b in prange(blocks):
        _block(job, cuts, drift, shape, b)


class NewsState(NamedTuple):
    """Where the news stood at some instants (n,): `attention` log(1 + faded count), `tone` faded mean in [-1, 1]."""

    attention: Float64
    tone: Float64


def news_state(
    items: Sequence[NewsItem], score: Callable[[NewsItem], float], at: ArrayLike, half_life_ms: int
) -> NewsState:
    """State of the news at ascending instants `at` (n,), of the items known by then; `score` is a tone in [-1, 1].

    One neutral item is added to the tone, so that a single headline is not the mood of a market.

    Raises: ValueError if the half-life is not positive or instants are not ascending; DataError if a score is not a
    number in [-1, 1].
    """
    instants = np.asarray(at, np.int64)
    if half_life_ms <= 0 or (np.diff(instants) < 0).any():
        raise ValueError(f"instants must ascend and the half-life be positive, got {half_life_ms} ms")
    ordered = sorted(items, key=lambda item: item.known_at)
    known = np.array([item.known_at for item in ordered], np.int64)
    tones = np.array([score(item) for item in ordered], np.float64)
    if not (np.abs(tones) <= 1).all():
        worst = int(np.argmin(np.abs(tones) <= 1))
        raise DataError(f"the score of {ordered[worst].title!r} is not in [-1, 1]", value=float(tones[worst]))
    attention, tone = np.empty(len(instants)), np.empty(len(instants))
    count, total, used, last = 0.0, 0.0, 0, int(instants[0]) if len(instants) else 0
    for row, now in enumerate(instants.tolist()):
        fade = 0.5 ** ((now - last) / half_life_ms)
        stop = int(np.searchsorted(known, now, "right"))
        weights = 0.5 ** ((now - known[used:stop]) / half_life_ms)
        count, total = count * fade + weights.sum(), total * fade + weights @ tones[used:stop]
        attention[row], tone[row] = math.log1p(count), total / (1 + count)
        used, last = stop, now
    return NewsState(attention, tone)


class NewsFit(NamedTuple):
    """What history says, each slope with its standard error, of the state in standard deviations: jumps seen, odds of
    a jump by attention and by tone, drift by tone before it was shrunk; and the number of returns."""

    jumps: int
    attention: tuple[float, float]
    tone: tuple[float, float]
    drift: tuple[float, float]
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class NewsJumps:
    """A jump diffusion that news bend.

    A step's log return is mean + tilt tone + sd z + the sum of a Poisson number of normal jumps; their number has
    intensity exp(base + slopes . (attention, tone)). `state` is attention and tone now in standard deviations of
    their history, (0, 0) ordinary; it fades by `fade` a step.
    """

    mean: float
    sd: float
    base: float
    jump_mean: float
    jump_sd: float
    tilt: float = 0.0
    slopes: tuple[float, float] = (0.0, 0.0)
    state: tuple[float, float] = (0.0, 0.0)
    fade: float = 1.0
    interval: str = "1d"

    def __post_init__(self) -> None:
        numbers = (self.mean, self.sd, self.jump_mean, self.jump_sd, self.tilt, *self.slopes, *self.state)
        if not all(map(math.isfinite, numbers)) or not (self.sd > 0 and self.jump_sd >= 0 and 0 <= self.fade <= 1):
            raise ValueError(f"numbers must be finite, sd > 0, jump_sd >= 0 and fade in [0, 1], got {self}")

    @property
    def additive(self) -> bool:
        """The log value is the sum of the log returns."""
        return True

    def _faded(self, steps: int) -> Float64:
        return np.asarray(self.fade ** np.arange(steps))

    def intensity(self, steps: int) -> Float64:
        """Expected number of jumps in each step (steps,)."""
        lean = self.slopes[0] * self.state[0] + self.slopes[1] * self.state[1]
        return np.asarray(np.exp(self.base + lean * self._faded(steps)))

    def drift(self, steps: int) -> Float64:
        """Expected log return of each step without its jumps (steps,)."""
        return self.mean + self.tilt * self.state[1] * self._faded(steps)

    def means(self, steps: int) -> Float64:
        """Expected log return of each step (1, steps)."""
        return (self.drift(steps) + self.intensity(steps) * self.jump_mean)[None]

    def spread(self) -> Float64:
        """Standard deviation of a step in ordinary times (1,)."""
        jumps = math.exp(self.base) * (self.jump_mean**2 + self.jump_sd**2)
        return np.array([math.sqrt(self.sd**2 + jumps)])

    def launch(self, job: Job, blocks: int) -> None:
        """Simulate `blocks` blocks as `job` says. Raises: ValueError above one jump a step: take shorter steps."""
        padded, intensity = len(job.factor), self.intensity(job.steps)
        if intensity.max() > 1:
            raise ValueError(f"at most one jump a step is expected, got {intensity.max():.3g}; take shorter steps")
        cuts, drift = np.ones((padded, _MOST), np.float32), np.zeros(padded, np.float32)
        orders = np.arange(_MOST)
        terms = intensity[:, None] ** orders / np.array([math.factorial(k) for k in orders])
        cuts[: job.steps] = np.exp(-intensity)[:, None] * np.cumsum(terms, axis=1)
        drift[: job.steps] = self.drift(job.steps)
        _blocks(job, cuts, drift, np.array([self.sd, self.jump_mean, self.jump_sd], np.float32), blocks)


def fit_news(
    returns: ArrayLike,
    state: NewsState,
    now: tuple[float, float],
    *,
    half_life_ms: int,
    interval: str = "1d",
    threshold: float = JUMP,
) -> tuple[NewsJumps, NewsFit]:
    """Jump diffusion of log returns (n,), bent by the state of the news at each bar's open (n,) and `now`.

    A jump is a return further from the median than `threshold` robust deviations (1.4826 x the median absolute one).

    Raises: NotEnoughHistory below 250 returns or 8 jumps; DataError if returns or news do not vary; ConvergenceError if
    the odds do not settle; ValueError if lengths differ.
    """
    sample = checked_returns(returns, 250)
    centre = float(np.median(sample))
    width = 1.4826 * float(np.median(np.abs(sample - centre)))
    jumped = np.abs(sample - centre) > threshold * width
    if jumped.sum() < _LEAST_JUMPS:
        remedy = "take a longer history or a lower threshold"
        raise NotEnoughHistory(f"the fit needs {_LEAST_JUMPS} jumps", value=int(jumped.sum()), remedy=remedy)
    table, position = _standardised(state, now, len(sample))
    (base, by_attention, by_tone), errors = _logistic(table, jumped)
    calm = ~jumped
    mean, tilt, tilt_error = _slope(table[calm, 1], sample[calm])
    fit = NewsFit(int(jumped.sum()), (by_attention, errors[1]), (by_tone, errors[2]), (tilt, tilt_error), len(sample))
    leaps = sample[jumped] - centre
    model = NewsJumps(
        mean,
        float(sample[calm].std(ddof=2)),
        base,
        float(leaps.mean()),
        float(leaps.std(ddof=1)),
        _shrunk(tilt, tilt_error),
        (_shrunk(by_attention, errors[1]), _shrunk(by_tone, errors[2])),
        position,
        0.5 ** (interval_ms(interval) / half_life_ms),
        interval,
    )
    return model, fit


def _standardised(state: NewsState, now: tuple[float, float], n: int) -> tuple[Float64, tuple[float, float]]:
    """State (n, 2) and the present one in standard deviations."""
    table = np.column_stack([state.attention, state.tone])
    if len(table) != n:
        raise ValueError(f"one state of the news a return is needed, got {len(table)} for {n}")
    centre, width = table.mean(axis=0), table.std(axis=0)
    if not (width > 0).all():
        remedy = "take the news of the same period as the returns"
        raise DataError("attention or tone of the news does not vary", value=width.tolist(), remedy=remedy)
    position = ((np.array(now) - centre) / width).tolist()
    return (table - centre) / width, (position[0], position[1])


def _shrunk(slope: float, error: float) -> float:
    """Positive-part James-Stein: a slope no larger than its error becomes zero."""
    return slope * max(0.0, 1 - (error / slope) ** 2) if slope else 0.0


def _slope(x: Float64, y: Float64) -> tuple[float, float, float]:
    """Intercept, slope and its standard error by least squares."""
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    intercept = float(y.mean() - slope * x.mean())
    rest = y - intercept - slope * x
    return intercept, slope, math.sqrt(float(rest @ rest) / (len(y) - 2) / float(centred @ centred))


def _logistic(table: Float64, hit: Any) -> tuple[tuple[float, float, float], list[float]]:
    """Log-intensity and its slopes by Newton's method with a standard normal prior on the slopes, and their errors."""
    x, prior = np.column_stack([np.ones(len(table)), table]), np.diag([1e-6, 1.0, 1.0])
    rate = float(np.mean(hit))
    beta = np.array([math.log(rate / (1 - rate)), 0.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        curve = (x * (p * (1 - p))[:, None]).T @ x + prior
        step = np.linalg.solve(curve, x.T @ (hit - p) - prior @ beta)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    else:
        raise ConvergenceError("the odds of a jump did not settle in 50 steps", value=beta.tolist())
    base, by_attention, by_tone = beta.tolist()
    return (base, by_attention, by_tone), np.sqrt(np.diag(np.linalg.inv(curve))).tolist()


def analogues(states: ArrayLike, now: ArrayLike, length: int, count: int) -> tuple[Int64, Float64]:
    """Rows (count,) of history whose state resembles `now` most, with `length` returns after them, and how far each is.

    `states` (n, features) is known at each bar's open, before its return; distance is Mahalanobis [1]_. The rows are
    `starts` for `bootstrap.bootstrap(returns, "block", length=length, starts=...)`.

    .. [1] Lorenz, "Atmospheric predictability as revealed by naturally occurring analogues", Journal of the
       Atmospheric Sciences 26 (1969).

    Raises: NotEnoughHistory if there are fewer than `count` windows; DataError if a state is not finite or the features
    repeat each other; ValueError for wrong shapes.
    """
    table, here = np.atleast_2d(np.asarray(states, np.float64)), np.asarray(now, np.float64)
    if here.shape != table.shape[1:] or length < 1 or count < 1:
        raise ValueError(f"states (n, features) and now (features,) are needed, got {table.shape} and {here.shape}")
    if not (np.isfinite(table).all() and np.isfinite(here).all()):
        raise DataError("a state is not a finite number", remedy="drop the rows that warm up")
    windows = len(table) - length + 1
    if windows < max(count, 2 * table.shape[1]):
        raise NotEnoughHistory(f"{count} windows of {length} returns are needed", value=windows)
    covariance = np.atleast_2d(np.cov(table.T))
    if np.linalg.matrix_rank(covariance) < len(here):
        raise DataError("the features of the state repeat each other or do not vary", remedy="drop one")
    apart = table[:windows] - here
    distance = np.sqrt((apart * np.linalg.solve(covariance, apart.T).T).sum(axis=1))
    nearest = np.argsort(distance, kind="stable")[:count]
    return nearest, distance[nearest]
