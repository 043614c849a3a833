"""The predict path of the panel against the libraries it was learnt by: python benchmarks/predict.py

First, for each of the nine experts of the panel and of whatever else is registered and can be fitted here, the median
processor time of its newest forecast for one asset and for a slice of a hundred, on one thread, and the sum over the
nine. Then the calls of scikit-learn and XGBoost that the flat arrays replace, in turn in one process with ours, and the
median of the rounds' ratios. Goals: the nine experts at most 1 ms for an asset and 0.1 s for a hundred.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np
import xgboost
from sklearn.ensemble import RandomForestRegressor
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.features.frame import LiveFeatures, build
from seakeep.features.labels import forward_return
from seakeep.models import EXPERTS, Expert
from seakeep.models.forest import BoostingExpert, ForestExpert
from seakeep.models.svm import SvmExpert
from seakeep.models.trees import from_forest, from_xgboost

PANEL = ("ma", "rsi", "volatility", "forest", "boosting", "svm", "arima", "garch", "hmm")
ASSETS, ROUNDS, CALLS = 100, 15, 20


def market() -> BarFrame:
    """A month of five-minute bars."""
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="5m", days=30, seed=1)
    return generate(params).frames["BTC/USDT"]


def newest(frame: FeatureFrame, rows: int, assets: int) -> FeatureFrame:
    """What the engine hands an expert: the last rows of each asset, pooled."""
    return FeatureFrame("*", np.tile(frame.ts[-rows:], assets), frame.names, np.tile(frame.values[-rows:], (assets, 1)))


def microseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """Median processor time of a call."""
    call()
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(calls):
            call()
        taken.append((time.process_time() - begun) / calls)
    return 1e6 * statistics.median(taken)


def fitted(name: str, bars: BarFrame) -> tuple[Expert, FeatureFrame]:
    """An expert that has learnt from the bars, and their features."""
    expert = EXPERTS[name]()
    frame = build(bars, expert.features)
    return expert.fit(frame, forward_return(bars.close, expert.horizon), 1), frame


def panel(names: Iterable[str], bars: BarFrame) -> None:
    """A line per expert, and the sum of the panel's."""
    print(f"{'microseconds':14}{'one asset':>12}{f'{ASSETS} assets':>14}{'features':>12}")
    sums = np.zeros(2)
    for name in names:
        expert, frame = fitted(name, bars)
        one, all_ = (newest(frame, expert.lookback, assets) for assets in (1, ASSETS))
        taken = [microseconds(lambda: expert.predict(one)), microseconds(lambda: expert.predict(all_), 2)]  # noqa: B023
        sums += taken if name in PANEL else 0.0
        print(f"{name:14}{taken[0]:12.1f}{taken[1]:14.0f}{live(expert.features, bars):12.0f}")
    specs = dict.fromkeys(spec for name in PANEL if name in EXPERTS for spec in EXPERTS[name]().features)
    features = live(tuple(specs), bars)
    print(f"{'panel':14}{sums[0]:12.1f}{sums[1]:14.0f}{features:12.0f}  (shared features, one row, counted once)")
    print(f"one asset {(sums[0] + features) / 1e3:.3f} ms (goal 1), {ASSETS} assets ", end="")
    print(f"{(sums[1] + ASSETS * features) / 1e3:.1f} ms (goal 100)")


def live(features: tuple[str, ...], bars: BarFrame) -> float:
    """Microseconds to push a bar and read its features, for one asset."""
    state = LiveFeatures("5m", features)
    columns = (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume)
    rows = list(zip(*(column[-4_000:].tolist() for column in columns), strict=True))
    for row in rows[:3_000]:
        state.push(*row)
    ahead = iter(rows[3_000:])

    def step() -> None:
        state.push(*next(ahead))
        state.rows()

    return microseconds(step)


def libraries() -> None:
    """A line per library: one row asked of it and of ours."""
    rng = np.random.default_rng(1)
    x, u = rng.normal(size=(4_000, 16)), rng.normal(size=4_000)
    row = x[:1].copy()
    forest = RandomForestRegressor(60, max_depth=6, min_samples_leaf=0.01, max_features=0.35, random_state=1).fit(x, u)
    settings = {"max_depth": 3, "eta": 0.04, "base_score": 0.0, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(x, u), 120)
    ours = SvmExpert()
    machine, radial = (
        SVR(C=0.1, epsilon=0.5, gamma=1 / 36).fit(x[:2_000], u[:2_000]),
        ours.learn(x[:2_000], u[:2_000], 1),
    )
    flat, boosted = from_forest(forest), from_xgboost(booster)
    pairs: dict[str, tuple[Callable[[], Float64], Callable[[], Float64]]] = {
        ForestExpert.__name__: (lambda: flat.predict(row), lambda: forest.predict(row)),
        BoostingExpert.__name__: (lambda: boosted.predict(row), lambda: booster.inplace_predict(row)),
        SvmExpert.__name__: (lambda: radial.predict(row), lambda: machine.predict(row)),
    }
    print(f"\n{'one row':18}{'ours us':>10}{'library us':>12}{'ratio':>9}")
    for name, (mine, theirs) in pairs.items():
        rounds = [(microseconds(mine, 5), microseconds(theirs, 2)) for _ in range(3)]
        a, b = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:18}{a:10.1f}{b:12.1f}{statistics.median(t / m for m, t in rounds):9.0f}")


@threadpool_limits.wrap(limits=1)
def main() -> None:
    """Print both tables; names on the command line restrict the first."""
    wanted = sys.argv[1:] or [*(name for name in PANEL if name in EXPERTS), "anomaly"]
    panel(wanted, market())
    libraries()


if __name__ == "__main__":
    main()
