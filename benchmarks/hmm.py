"""A hidden Markov chain of normal states against hmmlearn: python benchmarks/hmm.py

Both climb from the same start for the same number of sweeps, in turn in one process on one thread (the algebra
libraries of a peer would spin on others and be counted as ours); printed are the median processor
time of ours for a row and a sweep, the median of the rounds' ratios, and how far the log-likelihoods are apart. Goals:
at most 80 ns a row and sweep with three states of one column, at least 10 times faster than hmmlearn.
"""

import logging
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from hmmlearn.hmm import GaussianHMM
from threadpoolctl import threadpool_limits

from seakeep.core.market import Float64
from seakeep.stats.hmm import HmmFit, HmmSettings, fit_hmm

ROWS, SWEEPS, ROUNDS = 5_000, 20, 9


def sample(k: int, d: int) -> Float64:
    """Rows of k states that last fifty rows each and differ little in their deviations, so that no climb ends early."""
    rng = np.random.default_rng(3)
    states = np.repeat(rng.integers(0, k, ROWS // 50), 50)
    deviations = np.geomspace(0.8, 1.6, k)[states, None]
    return np.asarray(deviations * rng.standard_normal((ROWS, d)))


def first(x: Float64, k: int) -> HmmFit:
    """A rough start, the same for both."""
    d = x.shape[1]
    covariances = np.geomspace(0.25, 2.5, k)[:, None, None] * np.eye(d)
    transition = np.full((k, k), 0.1 / (k - 1)) + np.eye(k) * (0.9 - 0.1 / (k - 1))
    even = np.full(k, 1 / k)
    means = np.repeat(0.1 * np.linspace(-1, 1, k)[:, None], d, axis=1)
    return HmmFit(means, covariances, transition, even, even, 0.0, 0.0, 0, True, len(x), "full")


def ours(x: Float64, start: HmmFit) -> HmmFit:
    """The fit after the sweeps, or earlier where they raise nothing any more."""
    return fit_hmm(x, len(start.means), 0, start, HmmSettings(iterations=SWEEPS, tolerance=1e-300))


def theirs(x: Float64, start: HmmFit, sweeps: int) -> float:
    """Log-likelihood at the last of so many sweeps by hmmlearn."""
    peer = GaussianHMM(
        len(start.means), "full", n_iter=sweeps, tol=-np.inf, init_params="", covars_prior=0.0, covars_weight=0.0
    )
    peer.means_, peer.covars_ = start.means.copy(), start.covariances.copy()
    peer.transmat_, peer.startprob_ = start.transition.copy(), start.start.copy()
    return float(peer.fit(x).monitor_.history[-1])


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call."""
    begun = time.process_time()
    call()
    return time.process_time() - begun


def compare(k: int, d: int) -> str:
    """A line of the table."""
    x = sample(k, d)
    start = first(x, k)
    fit = ours(x, start)
    sweeps = fit.iterations
    apart = fit.log_likelihood - theirs(x, start, sweeps)
    rounds = [(seconds(lambda: ours(x, start)), seconds(lambda: theirs(x, start, sweeps))) for _ in range(ROUNDS)]
    mine, peer = (1e9 * statistics.median(column) / ROWS / sweeps for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    return f"{k} states, {d} columns{mine:10.1f}{peer:12.0f}{ratio:10.1f}{apart:14.1e}"


@threadpool_limits.wrap(limits=1)
def main() -> None:
    """Print a line per shape."""
    warnings.simplefilter("ignore")
    logging.disable()
    print(f"{'ns a row and sweep':19}{'ours':>10}{'hmmlearn':>12}{'ratio':>10}{'apart':>14}")
    for k, d in ((2, 1), (3, 1), (4, 1), (2, 3), (3, 3)):
        print(compare(k, d))


if __name__ == "__main__":
    main()
