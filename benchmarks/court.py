"""Tail risk against its peers and its goals: python benchmarks/court.py

Fits (500 Student t returns; the 50 worst of 500) against scipy.stats, GARCH forecasts of a day against arch: process CPU
time, in turn, medians of the rounds. Goals: the court on 5 years x 8 models under 30 s, and the snapshot of 20 assets x
1,000 days with one candidate order under 5 ms.
"""

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from arch import arch_model
from scipy import stats

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


def main() -> None:
    """Print every case with its ratio or its goal."""
    warnings.simplefilter("ignore")
    x = stats.t.rvs(4, scale=0.03, size=500, random_state=1)
    beyond = np.sort(-x)[-50:] - np.sort(-x)[-51]
    compare("Student t fit, 500", lambda: fit_student(x), lambda: stats.t.fit(x), "scipy.stats.t.fit")
    compare("Pareto tail with errors, 50", lambda: fit_tail(-x), lambda: stats.genpareto.fit(beyond, floc=0), "scipy")
    garch = arch_model(100 * x, rescale=False)
    compare(
        "filtered VaR of a day, 500",
        lambda: fit_law(x, "filtered").tail(0.99),
        lambda: garch.fit(disp="off").forecast(horizon=1),
        "arch",
    )
    table = np.random.default_rng(2).standard_t(4, (1000, 20)) * 0.03
    weights, order = np.full(20, 0.05), 0.05 * np.eye(20)[3]
    tail_snapshot(table, weights, order)
    each = 1e3 * statistics.median(cpu(lambda: tail_snapshot(table, weights, order), 50) for _ in range(ROUNDS))
    met = "met" if each <= SNAPSHOT_MS else "MISSED"
    print(
        f"{'snapshot, 20 x 1,000, order':28} {each:8.3f} ms  goal {SNAPSHOT_MS:g} ms: {met}, {SNAPSHOT_MS / each:.0f} x inside"
    )
    rules, models = CourtSettings(), list(CANDIDATES)
    history = np.random.default_rng(3).standard_t(4, 1825 + rules.window) * 0.03
    start = time.process_time()
    hold_court(history, models, rules)
    spent = time.process_time() - start
    met = "met" if spent <= COURT_S else "MISSED"
    print(
        f"{f'court, 5 years, {len(models)} models':28} {spent:8.2f} s   goal {COURT_S:g} s: {met}, {COURT_S / spent:.0f} x inside"
    )


if __name__ == "__main__":
    main()
