"""An epoch and a forecast of a network: python benchmarks/neural.py

LSTM of 64 units over 60 rows of 5 columns, 20,000 samples in batches of 256, as in the team's measurements of libraries
(there Keras on JAX took 6.8 to 7.2 s of wall time on two quiet cores, torch 3.7 to 4.1). Our step, with windows cut
from rows as it goes, and `fit` of the same Keras model on windows made beforehand take turns in one process; printed
are the medians of processor and wall time of an epoch, and of the rounds' ratios. Then a forecast of one row by our
arithmetic and by Keras's `predict_on_batch`, for each network; the goal is 0.5 ms.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from seakeep.models.deep import Schooling, keras_model, train
from seakeep.models.networks import KINDS, Shape, draw, forward, unpack

SHAPE = Shape(inputs=5, window=60, units=64)
SAMPLES, BATCH, ROUNDS, ONE_ROW = 20_000, 256, 3, 30


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Processor and wall time of one call."""
    busy, wall = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - busy, time.perf_counter() - wall


def epochs() -> None:
    """An epoch of ours beside one of Keras's."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((SAMPLES + 59, 5)), rng.standard_normal(SAMPLES)
    ends = np.arange(59, SAMPLES + 59)
    windows = x[ends[:, None] + np.arange(-59, 1)].astype(np.float32)
    model = keras_model("lstm", SHAPE, draw("lstm", SHAPE, 1))
    model.compile("adam", "mse")
    both, how = np.column_stack([y, y]).astype(np.float32), Schooling(1, 1, BATCH, 1e-3, 0.0)

    def ours(n: int = SAMPLES) -> None:
        train("lstm", SHAPE, x, ends[:n], y[:n], how, lambda _: 0.0, 1)

    def peer(n: int = SAMPLES) -> None:
        model.fit(windows[:n], both[:n], batch_size=BATCH, epochs=1, verbose=0)

    ours(BATCH)
    peer(BATCH)
    rounds = [(seconds(ours), seconds(peer)) for _ in range(ROUNDS)]
    print(f"{'an epoch':14}{'ours s':>10}{'keras s':>10}{'keras/ours':>12}")
    for i, name in enumerate(("processor", "wall")):
        mine, theirs = (statistics.median(pair[k][i] for pair in rounds) for k in (0, 1))
        ratio = statistics.median(b[i] / a[i] for a, b in rounds)
        print(f"{name:14}{mine:10.2f}{theirs:10.2f}{ratio:12.2f}")


def one_row(kind: str, shape: Shape) -> str:
    """A line: processor time of one forecast."""
    flat = draw(kind, shape, 1)
    weights, model = unpack(kind, shape, flat), keras_model(kind, shape, flat)
    x = np.random.default_rng(1).standard_normal((shape.window, shape.inputs))
    window, end = x[None].astype(np.float32), np.array([shape.window - 1])
    apart = np.abs(forward(kind, shape, weights, x, end) - model.predict_on_batch(window)).max()
    rounds = [
        (seconds(lambda: forward(kind, shape, weights, x, end))[0], seconds(lambda: model.predict_on_batch(window))[0])
        for _ in range(ONE_ROW)
    ]
    mine, theirs = (1e3 * statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    return f"{kind:12}{shape.window:4} x{shape.units:3}{mine:10.3f}{theirs:10.3f}{ratio:12.1f}{apart:12.1e}"


def main() -> None:
    """Print the tables."""
    epochs()
    print(f"\n{'one row':21}{'ours ms':>10}{'keras ms':>10}{'keras/ours':>12}{'apart':>12}")
    for shape in (Shape(5, 32, 16), SHAPE):
        for kind in KINDS:
            print(one_row(kind, shape))


if __name__ == "__main__":
    main()
