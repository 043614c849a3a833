"""The fused simulation: draw, model, scenario and statistics of a block of paths in one pass over the steps.

Memory is what the paths leave behind (end, low, drawdown, times), never paths x steps, unless paths are asked for.
Blocks of paths are dealt to threads; each owns its stream, so the bits do not depend on how many threads there are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec
import numba
import numpy as np

from seakeep.core.market import Float64
from seakeep.montecarlo.lanes import DROP, LOW, RECOVERY, ROWS, TERMINAL, UNDER, Float32, Job
from seakeep.montecarlo.scenarios import BASE, Overlay, Scenario, overlay
from seakeep.montecarlo.streams import LANES, Source

__all__ = ["BATCH", "Model", "Outcomes", "Run", "order", "replay", "simulate", "threads_of", "trace"]

BATCH = 32 * LANES
"""Paths come in multiples of this: 32 batches of whole blocks give every statistic its Monte Carlo error."""


_ROWS = {"end": LOW, "path": UNDER, "times": ROWS}


class Model(Protocol):
    """What a level must offer: the length of its step, its moments, and a kernel."""

    @property
    def interval(self) -> str: ...

    @property
    def additive(self) -> bool:
        """Whether the log value is the sum of the log returns: not with several assets, or one beside cash."""
        ...

    def means(self, steps: int) -> Float64:
        """Expected log return of each step (assets, steps)."""
        ...

    def spread(self) -> Float64:
        """Typical standard deviation of a step's log return (assets,)."""
        ...

    def launch(self, job: Job, blocks: int) -> None:
        """Simulate that many blocks."""
        ...


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How to simulate. `paths` is rounded up to a multiple of `BATCH`.

    `detail` is how much of a path is measured: its end, also its low and
    drawdown, also how long it stayed down; `antithetic` gives each path a mirror image; `fast` takes the
    xoshiro stream instead of Philox; `threads` 0 takes all Numba has.
    """

    steps: int
    paths: int = 100_000
    seed: int
    detail: Literal["end", "path", "times"] = "path"
    antithetic: bool = False
    fast: bool = False
    threads: int = 0

    def __post_init__(self) -> None:
        whole = all(isinstance(x, int) for x in (self.steps, self.paths, self.seed, self.threads))
        if not whole or self.steps < 1 or self.paths < 1 or self.threads < 0:
            raise ValueError(f"steps and paths must be whole and >= 1, threads >= 0, got {self}")
        if self.detail not in _ROWS:
            raise ValueError(f"detail must be one of {', '.join(_ROWS)}, got {self.detail!r}")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"the seed must be in [0, 2^64), got {self.seed}")

    @property
    def blocks(self) -> int:
        """Blocks of paths."""
        return -(-self.paths // BATCH) * (BATCH // LANES)

    @property
    def source(self) -> Source:
        """Where its draws come from."""
        return Source(np.uint64(self.seed), self.fast, self.antithetic)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What each path left (n,), relative to a start of 1; read-only float32.

    `value` at the end, `low` the lowest on the way, `drawdown` the largest (a positive fraction of the peak). With
    times: `under` the longest time below a peak, `recovery` the time from the trough of the largest drawdown back to
    its peak, in steps, infinite if it did not come back in time. `expected_log` is the exact mean of the log value,
    None for several assets.
    """

    run: Run
    interval: str
    scenario: str
    value: Float32
    low: Float32 | None
    drawdown: Float32 | None
    under: Float32 | None
    recovery: Float32 | None
    expected_log: float | None

    def __len__(self) -> int:
        return len(self.value)


def simulate(model: Model, run: Run, scene: Scenario = BASE) -> Outcomes:
    """Simulate `run.paths` paths of the model under a scenario.

    >>> from seakeep.montecarlo.gbm import Gbm
    >>> outcomes = simulate(Gbm(0.0, 0.8), Run(steps=30, seed=1))
    >>> bool(abs(outcomes.value.mean() - 1) < 0.01)
    True
    """
    layer = overlay(scene, model.means(run.steps), model.spread(), model.interval)
    out = np.empty((_ROWS[run.detail], run.blocks * LANES), np.float32)
    job = order(run, layer, 0, out, np.empty((0, 0), np.float32), ())
    with threads_of(run.threads):
        model.launch(job, run.blocks)
    out.flags.writeable = False
    low, drawdown, under, recovery = (out[i] if i < len(out) else None for i in (LOW, DROP, UNDER, RECOVERY))
    expected = _expected_log(model, run, layer)
    return Outcomes(
        run, model.interval, scene.name, out[TERMINAL], low, drawdown, under, recovery, expected_log=expected
    )


def trace(model: Model, run: Run, scene: Scenario = BASE, *, at: tuple[int, ...] = ()) -> Float32:
    """Values of whole paths (paths, steps + 1), the first column 1; with `at` only those after these steps (1-based).

    Memory is 4 bytes for each value kept. Raises: ValueError if a step in `at` is outside 1 .. steps.
    """
    kept = _kept(model, run, scene, at or tuple(range(1, run.steps + 1)), 0, run.blocks)
    return kept[0 if not at else 1 :].T


def replay(model: Model, run: Run, path: int, scene: Scenario = BASE) -> Float32:
    """Values (steps + 1,) of one path of the run, the same bits, at the cost of its block alone.

    Raises: ValueError if the run has no such path.
    """
    if not 0 <= path < run.blocks * LANES:
        raise ValueError(f"the run has paths 0 to {run.blocks * LANES - 1}, got {path}")
    kept = _kept(model, run, scene, tuple(range(1, run.steps + 1)), path // LANES, 1)
    return np.ascontiguousarray(kept[:, path % LANES])


def _kept(model: Model, run: Run, scene: Scenario, at: tuple[int, ...], first: int, blocks: int) -> Float32:
    """Values (1 + len(at), paths), the first row 1."""
    if not all(1 <= t <= run.steps for t in at):
        raise ValueError(f"steps to keep must be in 1 .. {run.steps}, got {at}")
    layer = overlay(scene, model.means(run.steps), model.spread(), model.interval)
    kept = np.ones((1 + len(at), blocks * LANES), np.float32)
    out = np.empty((_ROWS[run.detail], blocks * LANES), np.float32)
    with threads_of(run.threads):
        model.launch(order(run, layer, first, out, kept, at), blocks)
    return kept


def order(run: Run, layer: Overlay, first: int, out: Float32, kept: Float32, at: tuple[int, ...]) -> Job:
    """The order that runs `run` through a kernel; `kept` takes the values after the steps `at`."""
    padded = -(-run.steps // 4) * 4
    tilt = np.zeros((len(layer.tilt), padded), np.float32)
    factor, pull, row = np.zeros(padded, np.float32), np.ones(padded, np.float32), np.full(padded, -1, np.int32)
    tilt[:, : run.steps], factor[: run.steps], pull[: run.steps] = layer.tilt, layer.factor, layer.pull
    row[np.array(at, np.int64) - 1] = 1 + np.arange(len(at), dtype=np.int32)
    detail = list(_ROWS).index(run.detail)
    return Job(*run.source, first, run.steps, detail, tilt, factor, pull, out, kept, row)


def _expected_log(model: Model, run: Run, layer: Overlay) -> float | None:
    """Exact mean of the log value at the end; None where the log is not a sum."""
    if not model.additive:
        return None
    level = 0.0
    for k, d, f, m in zip(layer.pull, layer.tilt[0], layer.factor, model.means(run.steps)[0], strict=True):
        level = k * level + d + f * m
    return float(level)


@contextmanager
def threads_of(wanted: int) -> Iterator[None]:
    """Numba uses that many threads inside, all it has for 0."""
    before = numba.get_num_threads()
    limit = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(min(wanted, limit) or before)
    try:
        yield
    finally:
        numba.set_num_threads(before)
