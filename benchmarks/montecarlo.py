"""Monte Carlo against what one would write instead: python benchmarks/montecarlo.py

All of it runs in one process and in turn, one thread, process CPU time; printed are the median nanoseconds a path-step
(per asset), the median of the rounds' ratios to ours, and our share of what hand-written code reaches on this very
processor (benchmarks/limit.c, if there is a C compiler). Goals of the performance page: GBM 1.1 on the fast stream and
1.6 on Philox; 20x the NumPy array, 8x its step loop, 3x mkl_random, 10x JAX, 100x QuantLib, 85 % of the limit; GARCH
1.4, regimes 1.7, ten assets 1.6, bootstrap 2.2, each 70 % of its limit; VaR and CVaR of 1e6 x 10 assets x 10 steps in
0.22 s on one thread and 0.16 s on two, 14x NumPy, 85 % of it simulating. A peer that cannot be imported is named.
"""

import gc
import importlib.util
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from seakeep.montecarlo.bootstrap import bootstrap
from seakeep.montecarlo.garch import Garch, GarchParams
from seakeep.montecarlo.gbm import Gbm
from seakeep.montecarlo.multifactor import Multifactor
from seakeep.montecarlo.news import NewsJumps
from seakeep.montecarlo.paths import Model, Run, simulate
from seakeep.montecarlo.precise import simulate_precise
from seakeep.montecarlo.regime import Regimes
from seakeep.montecarlo.summary import summarise, tail

PATHS, STEPS, ASSETS, ROUNDS = 32_768, 252, 10, 7
MU, SIGMA = -0.00045, 0.03
COVARIANCE = (0.5 * np.ones((ASSETS, ASSETS)) + 0.5 * np.eye(ASSETS)) * SIGMA**2
RNG = np.random.default_rng(1)
HISTORY = RNG.standard_t(4, 2000) * 0.02
REGIMES = Regimes(
    np.array([1e-3, 0.0, -2e-3]),
    np.array([0.01, 0.02, 0.05]),
    np.array([[0.95, 0.04, 0.01], [0.05, 0.90, 0.05], [0.1, 0.2, 0.7]]),
    np.ones(3) / 3,
)
GBM = Gbm(0.0, SIGMA * 365**0.5)
GARCH = GarchParams(0.0, 1e-5, 0.08, 0.9)
PORTFOLIO = Multifactor.from_covariance(np.full(ASSETS, MU), COVARIANCE, np.ones(ASSETS) / ASSETS)
HEAVY = Multifactor.from_covariance(np.full(ASSETS, MU), COVARIANCE, np.ones(ASSETS) / ASSETS, nu=4.0)
LIMITED = {
    "L1 GBM": "gbm",
    "L2 three regimes": "regimes",
    "L3 GARCH": "garch",
    "L4 ten assets, end": "assets",
    "bootstrap": "bootstrap",
}
"""What of these the hand-written code has too."""
LEVELS: dict[str, tuple[Model, str]] = {
    "L1 GBM": (GBM, "path"),
    "L1 GBM, times too": (GBM, "times"),
    "L2 three regimes": (REGIMES, "path"),
    "L3 GARCH": (Garch(GARCH, 1e-4), "path"),
    "L3 GARCH, t errors": (Garch(GarchParams(0.0, 1e-5, 0.08, 0.9, 4.0), 1e-4), "path"),
    "L4 ten assets, end": (PORTFOLIO, "end"),
    "L4 ten assets, path": (PORTFOLIO, "path"),
    "L4 ten assets, t, path": (HEAVY, "path"),
    "L5 news jumps": (NewsJumps(MU, SIGMA, -4.0, -0.05, 0.05), "path"),
    "bootstrap": (bootstrap(HISTORY, "iid"), "path"),
    "stationary bootstrap": (bootstrap(HISTORY), "path"),
}


def numpy_array(n: int = 8192) -> None:
    """What one writes first, paths x steps arrays, for what ours leaves of a path: end, low and drawdown."""
    value = np.exp(np.cumsum(MU + SIGMA * RNG.standard_normal((n, STEPS)), axis=1))
    value[:, -1].mean()
    value.min(axis=1).mean()
    (1 - value / np.maximum.accumulate(value, axis=1)).max(axis=1).mean()


def numpy_ends(n: int = 8192) -> None:
    """The same for end and low alone."""
    value = np.exp(np.cumsum(MU + SIGMA * RNG.standard_normal((n, STEPS)), axis=1))
    value[:, -1].mean()
    value.min(axis=1).mean()


def numpy_loop(n: int = 8192, fast: Any = np.random.Generator(np.random.SFC64(1))) -> None:  # noqa: B008
    """Arrays of paths that stay in cache, on the fastest NumPy stream."""
    x, low, z = np.zeros(n), np.zeros(n), np.empty(n)
    for _ in range(STEPS):
        fast.standard_normal(out=z)
        z *= SIGMA
        z += MU
        x += z
        np.minimum(low, x, out=low)


def numpy_garch(n: int = 8192) -> None:
    """GARCH step by step over arrays of paths."""
    x, h = np.zeros(n), np.full(n, 1e-4)
    for _ in range(STEPS):
        e = np.sqrt(h) * RNG.standard_normal(n)
        x += e
        h = 1e-5 + 0.08 * e * e + 0.9 * h


def numpy_portfolio(n: int = 2048, steps: int = STEPS) -> Any:
    """Ten correlated assets."""
    z = RNG.standard_normal((n, steps, ASSETS))
    return np.exp(np.cumsum(z @ np.linalg.cholesky(COVARIANCE).T + MU, axis=1)[:, -1]).mean(axis=1)


def mkl_random_loop() -> Callable[[], None]:
    """The step loop on Intel's generators."""
    import mkl_random

    source, n = mkl_random.MKLRandomState(1, brng="SFMT19937"), 8192

    def run() -> None:
        x, low = np.zeros(n), np.zeros(n)
        for _ in range(STEPS):
            z = source.standard_normal(n, method="ICDF")
            z *= SIGMA
            z += MU
            x += z
            np.minimum(low, x, out=low)

    return run


def jax_scan() -> Callable[[], None]:
    """A compiled scan over the steps, float32 as ours."""
    import jax
    import jax.numpy as jnp

    n = 8192

    def step(state: Any, key: Any) -> Any:
        x, low = state
        x = x + (MU + SIGMA * jax.random.normal(key, (n,), jnp.float32))
        return (x, jnp.minimum(low, x)), None

    @jax.jit
    def paths(key: Any) -> Any:
        return jax.lax.scan(step, (jnp.zeros(n), jnp.zeros(n)), jax.random.split(key, STEPS))[0]

    return lambda: jax.block_until_ready(paths(jax.random.key(1)))


def quantlib() -> Callable[[], None]:
    """QuantLib's own Monte Carlo engine, all of it in C++."""
    import QuantLib as ql  # noqa: N813

    def run() -> None:
        today = ql.Date(1, 1, 2024)
        ql.Settings.instance().evaluationDate = today
        flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, ql.Actual365Fixed()))
        vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.57, ql.Actual365Fixed()))
        process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(1.0)), flat, flat, vol)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, 1.0), ql.EuropeanExercise(today + 252))
        engine = ql.MCEuropeanEngine(process, "pseudorandom", timeSteps=STEPS, requiredSamples=1024, seed=1)
        option.setPricingEngine(engine)
        option.NPV()

    return run


PEERS: dict[str, tuple[Callable[[], object], int, str]] = {
    "NumPy array": (numpy_array, 8192 * STEPS, "L1 GBM"),
    "NumPy, no drawdown": (numpy_ends, 8192 * STEPS, "L1 GBM"),
    "NumPy SFC64 loop": (numpy_loop, 8192 * STEPS, "L1 GBM"),
    "NumPy GARCH loop": (numpy_garch, 8192 * STEPS, "L3 GARCH"),
    "NumPy ten assets": (numpy_portfolio, 2048 * STEPS * ASSETS, "L4 ten assets, end"),
}
LIBRARIES: dict[str, tuple[Callable[[], Callable[[], object]], int]] = {
    "mkl_random": (mkl_random_loop, 8192 * STEPS),
    "jax": (jax_scan, 8192 * STEPS),
    "QuantLib": (quantlib, 1024 * STEPS),
}
"""Peers that need a library of their own, by the name it is imported by."""


def peers() -> dict[str, tuple[Callable[[], object], int, str]]:
    """Those that can run here; the others are named."""
    found = dict(PEERS)
    for name, (make, work) in LIBRARIES.items():
        if importlib.util.find_spec(name):
            found[f"{name}, GBM"] = (make(), work, "L1 GBM")
        else:
            print(f"{name} is not installed: not compared")
    return found


def limits() -> dict[tuple[str, str], float]:
    """Nanoseconds by (stream, model) of hand-written code on this processor; empty without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        print("no C compiler: the limit of this processor is not measured")
        return {}
    source = Path(__file__).with_name("limit.c")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder, "limit"))
        subprocess.run([compiler, "-O3", "-march=native", "-ffast-math", str(source), "-o", program, "-lm"], check=True)
        lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return {(stream, model): float(ns) for stream, model, ns in (line.split() for line in lines)}


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Time of one call."""
    start = clock()
    call()
    return clock() - start


def contest(calls: dict[str, tuple[Callable[[], object], int]]) -> dict[str, list[float]]:
    """Nanoseconds per unit of work of each call in each round, in turn."""
    for call, _ in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, (call, work) in calls.items():
            taken[name].append(1e9 * seconds(call) / work)
    return taken


def steps_contest() -> None:
    """Cost of a path-step of every level and of its peers."""
    calls: dict[str, tuple[Callable[[], object], int]] = {}
    for name, (model, detail) in LEVELS.items():
        for fast in (False, True):
            run = Run(steps=STEPS, paths=PATHS, seed=1, detail=detail, fast=fast, threads=1)  # type: ignore[arg-type]
            work = PATHS * STEPS * (ASSETS if "ten assets" in name else 1)
            calls[f"{name}{' fast' if fast else ''}"] = (lambda m=model, r=run: simulate(m, r), work)
    for fast in (False, True):
        run = Run(steps=STEPS, paths=PATHS, seed=1, fast=fast, threads=1)
        calls[f"L1 GBM in float64{' fast' if fast else ''}"] = (lambda r=run: simulate_precise(GBM, r), PATHS * STEPS)
    others, before = peers(), limits()
    calls.update({name: (call, work) for name, (call, work, _) in others.items()})
    taken, after = contest(calls), limits()
    limit = {key: min(before[key], after[key]) for key in before}
    print(f"{'ns per path-step and asset':32}{'Philox':>8}{'share':>8}{'fast':>8}{'share':>8}")
    for name in (*LEVELS, "L1 GBM in float64"):
        line = f"{name:32}"
        for key, stream in ((name, "philox"), (f"{name} fast", "xoshiro")):
            ours, best = statistics.median(taken[key]), limit.get((stream, LIMITED.get(name, "")))
            line += f"{ours:8.2f}" + (f"{best / ours:8.0%}" if best else " " * 8)
        print(line)
    for name, (_, _, ours_name) in others.items():
        ratios = [
            statistics.median(a / b for a, b in zip(taken[name], taken[key], strict=True))
            for key in (ours_name, f"{ours_name} fast")
        ]
        print(f"{name:20}{statistics.median(taken[name]):8.1f} ns: {ratios[0]:.1f}x ours ({ratios[1]:.1f}x fast)")


def risk_contest() -> None:
    """VaR and CVaR of 1e6 paths x 10 assets x 10 steps, end to end, with their errors."""

    def ours(threads: int, fast: bool = False) -> object:
        run = Run(steps=10, paths=1_000_000, seed=1, detail="end", fast=fast, threads=threads)
        return tail(simulate(PORTFOLIO, run).value)

    def numpy() -> object:
        values = numpy_portfolio(100_000, 10)
        return np.partition(values, 5_000)[:5_000].mean()

    def simulated(threads: int) -> object:
        return simulate(PORTFOLIO, Run(steps=10, paths=1_000_000, seed=1, detail="end", threads=threads))

    ours(2)
    rounds = [(seconds(lambda: ours(1)), seconds(lambda: ours(1, True)), 10 * seconds(numpy)) for _ in range(7)]
    one, fast, peer = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(n / o for o, _, n in rounds)
    print(f"VaR, CVaR of 1e6 x 10 x 10: {one:.3f} s ({fast:.3f} fast), NumPy {peer:.2f} s, {ratio:.1f}x ours")
    for threads in (1, 2):
        walls = [
            (seconds(lambda: ours(threads), time.perf_counter), seconds(lambda: simulated(threads), time.perf_counter))  # noqa: B023
            for _ in range(9)
        ]
        whole, kernel = (min(column) for column in zip(*walls, strict=True))
        word = "thread" if threads == 1 else "threads"
        print(f"  {threads} {word}, wall: {whole:.3f} s at best, {kernel / whole:.0%} of it simulating")


def memory() -> None:
    """What 1e6 paths x 252 steps x 10 assets take."""
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = Run(steps=STEPS, paths=1_000_000, seed=1)
    start = time.perf_counter()
    outcomes = simulate(HEAVY, run)
    wall = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    whole = len(outcomes) * STEPS * ASSETS * 4 / 2**30
    kept = len(outcomes) * 12 / 2**20
    print(f"1e6 paths x 252 steps x 10 assets, t: {wall:.1f} s wall, peak memory grew by {grown:.0f} MiB")
    print(f"  ({kept:.0f} MiB of results; all the paths would be {whole:.1f} GiB)")
    found = summarise(outcomes, stops=(0.7,))
    print(f"  VaR95 {found.var[0][1].value:.4f} +- {found.var[0][1].error:.4f}, {found.method}")


@threadpool_limits.wrap(limits=1)
def main() -> None:
    """Memory first, so that nothing else has set the peak."""
    small = Run(steps=4, paths=1, seed=1)
    simulate(HEAVY, small)
    memory()
    steps_contest()
    risk_contest()


if __name__ == "__main__":
    main()
