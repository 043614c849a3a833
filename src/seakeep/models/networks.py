"""Six small networks over windows of rows: their weights, and what they say, without the library that trains them.

Weights are those of the Keras layers of the same names, in Keras's order, one after the other in a flat array. Each row
is computed alone and always in the same order, so what a network says of a row has the same bits whatever rows are
beside it. After Hochreiter and Schmidhuber (1997), Cho et al. (2014), Bahdanau et al. (2015), Vaswani et al. (2017).
"""

import math

import msgspec
import numpy as np

from seakeep.core.market import Float64, Int64
from seakeep.models import layers

__all__ = ["HEADS", "KERNEL", "KINDS", "Layout", "Shape", "draw", "forward", "layout", "size", "unpack"]

KINDS = ("lstm", "gru", "bilstm", "cnn_lstm", "attention", "transformer")
HEADS, KERNEL = 2, 3
"""Heads of the transformer, rows that the convolution sees."""

Layout = tuple[tuple[str, tuple[tuple[int, ...], ...]], ...]


class Shape(msgspec.Struct, frozen=True):
    """Columns of a row, rows of a window, and width of the layers (even)."""

    inputs: int
    window: int
    units: int


def layout(kind: str, shape: Shape) -> Layout:
    """Layers of a network and the shapes of their weights. Raises: ValueError for an unknown kind."""
    d, u = shape.inputs, shape.units
    h, k = HEADS, u // HEADS
    one = ("recurrent", _lstm(d, u))
    parts: dict[str, Layout] = {
        "lstm": (one,),
        "gru": (("recurrent", ((d, 3 * u), (u, 3 * u), (2, 3 * u))),),
        "bilstm": (("forward", _lstm(d, u)), ("backward", _lstm(d, u))),
        "cnn_lstm": (("convolution", ((KERNEL, d, u), (u,))), ("recurrent", _lstm(u, u))),
        "attention": (one, ("energy", ((u, u), (u,))), ("score", ((u, 1),))),
        "transformer": (
            ("embedding", ((d, u), (u,))),
            ("heads", (((u, h, k), (h, k)) * 3 + ((h, k, u), (u,)))),
            ("norm_heads", ((u,), (u,))),
            ("widen", ((u, 2 * u), (2 * u,))),
            ("narrow", ((2 * u, u), (u,))),
            ("norm_out", ((u,), (u,))),
        ),
    }
    if kind not in parts:
        raise ValueError(f"no network of kind {kind!r}; there are {', '.join(KINDS)}")
    return (*parts[kind], ("head", ((2 * u if kind == "bilstm" else u, 2), (2,))))


def _lstm(d: int, u: int) -> tuple[tuple[int, ...], ...]:
    return (d, 4 * u), (u, 4 * u), (4 * u,)


def size(kind: str, shape: Shape) -> int:
    """How many weights a network has.

    >>> size("lstm", Shape(5, 60, 64))
    18050
    """
    return sum(math.prod(weight) for _, weights in layout(kind, shape) for weight in weights)


def unpack(kind: str, shape: Shape, flat: Float64) -> tuple[Float64, ...]:
    """The flat weights as one array each, in order. Raises: ValueError if there are more or fewer than it has."""
    shapes = [weight for _, weights in layout(kind, shape) for weight in weights]
    if flat.shape != (size(kind, shape),):
        raise ValueError(f"a network {kind} of {shape} has {size(kind, shape)} weights, not {flat.shape}")
    parts = np.split(flat, np.cumsum([math.prod(one) for one in shapes])[:-1])
    return tuple(np.ascontiguousarray(part, np.float64).reshape(one) for part, one in zip(parts, shapes, strict=True))


def draw(kind: str, shape: Shape, seed: int) -> Float64:
    """First weights (size,): Glorot's uniform ones, orthogonal between states, zero biases, one to remember by."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    return np.concatenate(
        [
            _first(layer, place, weight, rng).ravel()
            for layer, weights in layout(kind, shape)
            for place, weight in enumerate(weights)
        ]
    )


def _first(layer: str, place: int, shape: tuple[int, ...], rng: np.random.Generator) -> Float64:
    if layer.startswith("norm"):
        return np.full(shape, 1.0 - place)
    recurrent = layer in {"recurrent", "forward", "backward"}
    if recurrent and place == 1:
        u, wide = shape
        return np.concatenate([np.linalg.qr(rng.standard_normal((u, u)))[0] for _ in range(wide // u)], axis=1)
    if place % 2 or (place == 2 and recurrent):
        bias = np.zeros(shape)
        if recurrent and len(shape) == 1:
            bias[shape[0] // 4 : shape[0] // 2] = 1.0
        return bias
    fan_in, fan_out = math.prod(shape[:-1]), shape[-1]
    if layer == "heads":
        fan_in = fan_out = shape[0] if place < 6 else shape[-1]
    limit = math.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def positions(window: int, units: int) -> Float64:
    """Sines and cosines (window, units) that tell the rows of a window apart."""
    row, column = np.arange(window)[:, None], np.arange(units)[None, :]
    angle = row / 10_000.0 ** (2 * (column // 2) / units)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))


def forward(kind: str, shape: Shape, weights: tuple[Float64, ...], x: Float64, ends: Int64) -> Float64:
    """The two outputs (m, 2) of a network for the windows of x (n, inputs) that end at rows `ends` (m,)."""
    begins = ends - (shape.window - 1)
    if kind == "transformer":
        return np.asarray(layers.transformer(x, begins, positions(shape.window, shape.units), weights))
    if kind == "cnn_lstm":
        seen = layers.convolve(x, weights[0], weights[1])
        return np.asarray(layers.lstm(seen, begins + KERNEL - 1, shape.window - KERNEL + 1, weights[2:]))
    run = {"lstm": layers.lstm, "gru": layers.gru, "bilstm": layers.bilstm, "attention": layers.attention}[kind]
    return np.asarray(run(x, begins, shape.window, weights))
