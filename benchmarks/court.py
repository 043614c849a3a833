"""Tail risk against its peers and its goals: python benchmarks/court.py

Fits (500 Student t returns; the 50 worst of 500) against scipy.stats, GARCH forecasts of a day (500 returns of a
GARCH) against arch: process CPU time, in turn, medians of the rounds. Goals: the court on 5 years x 8 models under
30 s, and the snapshot of 20 assets x 1,000 days with one candidate order under 5 ms.
"""

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from arch import arch_model
from scipy import stats
from threadpoolctl import threadpool_limits

from seakeep.risk.candidates import CANDIDATES
from seakeep.risk.court import CourtSettings, hold_court
from seakeep.risk.snapshot import tail_snapshot
from seakeep.stats.evt import fit_tail
from seakeep.stats.laws import fit_law
from seakeep.stats.student import fit_student

ROUNDS = 9
COURT_S, SNAPSHOT_MS = 30.0, 5.0


def cpu(work: Callable[[], object], times: int) -> float:
    """Seconds of process CPU for one call."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def compare(name: str, ours: Callable[[], object], peer: Callable[[], object], label: str) -> None:
    """Print both medians and the median of their ratio."""
    ours()
    peer()
    rounds = [(cpu(ours, 20), cpu(peer, 1)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    print(f"{name:28} {mine * 1e3:8.3f} ms  {label} {other * 1e3:8.2f} ms  {ratio:6.1f} x")


def storms(n: int) -> np.ndarray:
    """Returns (n,) of a GARCH(1,1) with t errors."""
    rng, out, h = np.random.default_rng(4), np.empty(n), 9e-4
    for t in range(n):
        out[t] = np.sqrt(h) * rng.standard_t(6) * np.sqrt(4 / 6)
        h = 2e-5 + 0.1 * out[t] ** 2 + 0.88 * h
    return out


def goal(name: str, found: float, limit: float, unit: str) -> None:
    """Print a figure, its limit and how far inside it is."""
    met = "met" if found <= limit else "MISSED"
    print(f"{name:28} {found:8.3f} {unit:2}  goal {limit:g} {unit}: {met}, {limit / found:.0f} x inside")


@threadpool_limits.wrap(limits=1)
def main() -> None:
    """Print every case with its ratio or its goal."""
    warnings.simplefilter("ignore")
    x = stats.t.rvs(4, scale=0.03, size=500, random_state=1)
    beyond = np.sort(-x)[-50:] - np.sort(-x)[-51]
    compare("Student t fit, 500", lambda: fit_student(x), lambda: stats.t.fit(x), "scipy.stats.t.fit")
    compare("Pareto tail with errors, 50", lambda: fit_tail(-x), lambda: stats.genpareto.fit(beyond, floc=0), "scipy")
    storm = storms(500)
    garch = arch_model(100 * storm, rescale=False)
    compare(
        "filtered VaR of a day, 500",
        lambda: fit_law(storm, "filtered").tail(0.99),
        lambda: garch.fit(disp="off").forecast(horizon=1),
        "arch",
    )
    table = np.random.default_rng(2).standard_t(4, (1000, 20)) * 0.03
    weights, order = np.full(20, 0.05), 0.05 * np.eye(20)[3]
    tail_snapshot(table, weights, order)
    each = 1e3 * statistics.median(cpu(lambda: tail_snapshot(table, weights, order), 50) for _ in range(ROUNDS))
    goal("snapshot, 20 x 1,000, order", each, SNAPSHOT_MS, "ms")
    rules, models = CourtSettings(), list(CANDIDATES)
    history = np.random.default_rng(3).standard_t(4, 1825 + rules.window) * 0.03
    start = time.process_time()
    hold_court(history, models, rules)
    spent = time.process_time() - start
    goal(f"court, 5 years, {len(models)} models", spent, COURT_S, "s")


if __name__ == "__main__":
    main()
