"""The networks in Keras on JAX, and how they learn: Adam with decay on the Gaussian likelihood, stopped in time.

Keras and JAX are the optional extra `deep` and are imported inside functions: asking a trained network needs neither.
"""

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np

from seakeep.core.errors import ConfigError, ConvergenceError
from seakeep.core.market import Float64, Int64
from seakeep.models.layers import EPSILON
from seakeep.models.networks import HEADS, KERNEL, Shape, draw, layout, positions, unpack

__all__ = ["EXTRA", "FLOOR", "Schooling", "absent", "keras_model", "require", "train"]

EXTRA = "deep"
FLOOR = 0.05
"""Least standard deviation a network may claim, in deviations of the usual return over the horizon."""

Loss = Callable[[Float64], float]


class Schooling(msgspec.Struct, frozen=True):
    """How long and how fast to learn: `patience` epochs without gain end it."""

    epochs: int
    patience: int
    batch: int
    rate: float
    decay: float


def absent() -> str:
    """What to install before a network can be trained; empty if it is there."""
    there = all(find_spec(name) for name in ("keras", "jax"))
    return "" if there else f"needs the extra {EXTRA}: pip install 'seakeep[{EXTRA}]'"


def require() -> None:
    """Raises: ConfigError saying what to install, if a network cannot be trained here."""
    if why := absent():
        raise ConfigError("a neural expert cannot be trained here", remedy=f"it {why}")


def _keras() -> Any:
    require()
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "jax"
    import keras

    if (backend := keras.backend.backend()) != "jax":
        raise ConfigError("Keras is in use on another backend", value=backend, remedy="set KERAS_BACKEND=jax")
    return keras


def keras_model(kind: str, shape: Shape, weights: Float64 | None = None) -> Any:
    """The network as a Keras model, windows (b, window, inputs) to outputs (b, 2).

    Raises: ConfigError without the extra.
    """
    keras = _keras()
    rows = keras.Input((shape.window, shape.inputs))
    read = _BODIES[kind](keras.layers, rows, shape)
    model = keras.Model(rows, keras.layers.Dense(2, kernel_initializer="zeros", name="head")(read))
    if weights is not None:
        arrays = iter(unpack(kind, shape, weights))
        for name, parts in layout(kind, shape):
            model.get_layer(name).set_weights([next(arrays) for _ in parts])
    return model


def _lstm(layers: Any, units: int, name: str = "recurrent", **how: bool) -> Any:
    zeros = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    return layers.LSTM(units, name=name, seed=0, **zeros, **how)


def _dense(layers: Any, units: int, name: str, activation: str | None = None, *, bias: bool = True) -> Any:
    return layers.Dense(units, activation, use_bias=bias, kernel_initializer="zeros", name=name)


def _gru(layers: Any, rows: Any, shape: Shape) -> Any:
    zeros = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    return layers.GRU(shape.units, name="recurrent", seed=0, **zeros)(rows)


def _bilstm(layers: Any, rows: Any, shape: Shape) -> Any:
    ahead, back = _lstm(layers, shape.units, "forward"), _lstm(layers, shape.units, "backward", go_backwards=True)
    return layers.Concatenate()([ahead(rows), back(rows)])


def _cnn_lstm(layers: Any, rows: Any, shape: Shape) -> Any:
    convolution = layers.Conv1D(shape.units, KERNEL, activation="relu", kernel_initializer="zeros", name="convolution")
    return _lstm(layers, shape.units)(convolution(rows))


def _attention(layers: Any, rows: Any, shape: Shape) -> Any:
    states = _lstm(layers, shape.units, return_sequences=True)(rows)
    energy = _dense(layers, shape.units, "energy", "tanh")(states)
    scores = layers.Softmax(axis=1)(_dense(layers, 1, "score", bias=False)(energy))
    return layers.Flatten()(layers.Dot(axes=1)([scores, states]))


def _transformer(layers: Any, rows: Any, shape: Shape) -> Any:
    from keras import ops

    u = shape.units
    places = positions(shape.window, u).astype(np.float32)
    embedded = _dense(layers, u, "embedding")(rows) + ops.convert_to_tensor(places)
    newest = embedded[:, -1:, :]
    heads = layers.MultiHeadAttention(HEADS, u // HEADS, kernel_initializer="zeros", name="heads", seed=0)
    mixed = layers.LayerNormalization(epsilon=EPSILON, name="norm_heads")(newest + heads(newest, embedded))
    passed = _dense(layers, u, "narrow")(_dense(layers, 2 * u, "widen", "relu")(mixed))
    return layers.Flatten()(layers.LayerNormalization(epsilon=EPSILON, name="norm_out")(mixed + passed))


_BODIES: dict[str, Callable[[Any, Any, Shape], Any]] = {
    "lstm": lambda layers, rows, shape: _lstm(layers, shape.units)(rows),
    "gru": _gru,
    "bilstm": _bilstm,
    "cnn_lstm": _cnn_lstm,
    "attention": _attention,
    "transformer": _transformer,
}


@lru_cache(maxsize=32)
def _step(kind: str, shape: Shape) -> Any:
    """A compiled step of learning: (weights, moments, count, rate, decay, x, y) to (weights, moments)."""
    import jax
    import jax.numpy as jnp

    model = keras_model(kind, shape)
    rest = [variable.value for variable in model.non_trainable_variables]
    ours = [id(variable) for name, _ in layout(kind, shape) for variable in model.get_layer(name).trainable_variables]
    order = [ours.index(id(variable)) for variable in model.trainable_variables]

    def loss(weights: Any, x: Any, y: Any) -> Any:
        out, _ = model.stateless_call([weights[i] for i in order], rest, x, training=True)
        std = jax.nn.softplus(out[:, 1]) + FLOOR
        return jnp.mean(jnp.log(std) + 0.5 * ((y - out[:, 0]) / std) ** 2)

    @jax.jit
    def step(weights: Any, moments: Any, count: Any, rate: Any, decay: Any, x: Any, y: Any) -> Any:
        slopes = jax.grad(loss)(weights, x, y)
        first = [0.9 * m + 0.1 * g for m, g in zip(moments[0], slopes, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(moments[1], slopes, strict=True)]
        by, over = 1 - 0.9**count, 1 - 0.999**count
        moved = [m / by / (jnp.sqrt(v / over) + 1e-7) for m, v in zip(first, second, strict=True)]
        return [w - rate * (move + decay * w) for w, move in zip(weights, moved, strict=True)], (first, second)

    return step


def train(
    kind: str, shape: Shape, x: Float64, ends: Int64, y: Float64, how: Schooling, judge: Loss, seed: int
) -> Float64:
    """Weights (size,) that were best on rows it did not learn from, by `judge(weights)`.

    Windows of x (n, inputs) end at rows `ends` (m,), what followed them is y (m,). The same seed gives the same bits.

    Raises: ConfigError without the extra.
    """
    _keras()
    import jax

    with jax.default_device(jax.devices("cpu")[0]):
        return _learn(kind, shape, x.astype(np.float32), ends, y.astype(np.float32), how, judge, seed)


def _learn(kind: str, shape: Shape, x: Any, ends: Int64, y: Any, how: Schooling, judge: Loss, seed: int) -> Float64:
    rng = np.random.default_rng([seed, len(ends)])
    step, batch = _step(kind, shape), min(how.batch, len(ends))
    weights = [part.astype(np.float32) for part in unpack(kind, shape, draw(kind, shape, seed))]
    moments = tuple([np.zeros_like(part) for part in weights] for _ in range(2))
    window = np.arange(1 - shape.window, 1)
    best, least, last, count = None, np.inf, 0, 0.0
    for epoch in range(how.epochs):
        order = rng.permutation(len(ends))
        for start in range(0, len(ends) - batch + 1, batch):
            rows, count = order[start : start + batch], count + 1.0
            seen = x[ends[rows, None] + window]
            weights, moments = step(weights, moments, count, how.rate, how.decay, seen, y[rows])
        flat = np.concatenate([np.asarray(part, np.float64).ravel() for part in weights])
        if (loss := judge(flat)) < least:
            best, least, last = flat, loss, epoch
        if epoch - last >= how.patience:
            break
    if best is None:
        raise ConvergenceError(f"network {kind} did not learn", value=how.rate, remedy="choose a smaller rate")
    return best
