"""Compiled layers of the networks, row by row; every sum runs in one fixed order."""

import math

import numpy as np

from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64, Int64

__all__ = ["EPSILON", "attention", "bilstm", "convolve", "gru", "lstm", "transformer"]

Weights = tuple[Float64, ...]
EPSILON = 1e-5
"""Added to the variance that a layer is normalised by."""


@kernel
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


@kernel(fastmath=FUSED)
def _read(state: Float64, w: Float64, b: Float64, out: Float64) -> None:
    """out (k,) = state (u,) @ w (u, k) + b (k,)."""
    out[:] = b
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            out[j] += state[i] * w[i, j]


@kernel(fastmath=FUSED)
def _affine(x: Float64, w: Float64, b: Float64) -> Float64:
    """x (n, d) @ w (d, k) + b (k,)."""
    out = np.empty((len(x), len(b)))
    for t in range(len(x)):
        _read(x[t], w, b, out[t])
    return out


@kernel(fastmath=FUSED)
def convolve(x: Float64, w: Float64, b: Float64) -> Float64:
    """Positive part of x (n, d) convolved with w (k, d, f) over the last k rows (n, f); 0 in the first k - 1."""
    reach = w.shape[0]
    out = np.zeros((len(x), len(b)))
    for t in range(reach - 1, len(x)):
        out[t] = b
        for s in range(reach):
            for i in range(w.shape[1]):
                for j in range(w.shape[2]):
                    out[t, j] += x[t - reach + 1 + s, i] * w[s, i, j]
        for j in range(len(b)):
            out[t, j] = max(out[t, j], 0.0)
    return out


@kernel(fastmath=FUSED)
def _lstm_states(drive: Float64, begin: int, stride: int, wh: Float64, states: Float64) -> None:
    """Fill the states (steps, u), u even, of an LSTM whose driven rows (n, 4u) are read from `begin` by `stride`."""
    u = wh.shape[0]
    z, cell = np.empty(4 * u), np.zeros(u)
    for s in range(len(states)):
        z[:] = drive[begin + s * stride]
        if s > 0:
            for i in range(0, u, 2):
                for j in range(4 * u):
                    z[j] += states[s - 1, i] * wh[i, j] + states[s - 1, i + 1] * wh[i + 1, j]
        for j in range(u):
            cell[j] = _sigmoid(z[u + j]) * cell[j] + _sigmoid(z[j]) * math.tanh(z[2 * u + j])
            states[s, j] = _sigmoid(z[3 * u + j]) * math.tanh(cell[j])


@kernel(fastmath=FUSED)
def lstm(x: Float64, begins: Int64, steps: int, weights: Weights) -> Float64:
    """Outputs (m, 2) of an LSTM over the `steps` rows from each of `begins` (m,)."""
    wx, wh, b, wo, bo = weights
    drive, states, out = _affine(x, wx, b), np.empty((steps, wh.shape[0])), np.empty((len(begins), len(bo)))
    for m in range(len(begins)):
        _lstm_states(drive, begins[m], 1, wh, states)
        _read(states[-1], wo, bo, out[m])
    return out


@kernel(fastmath=FUSED)
def bilstm(x: Float64, begins: Int64, steps: int, weights: Weights) -> Float64:
    """Outputs (m, 2) of two LSTMs, one over the rows of the window, one over them from the newest to the oldest."""
    wx, wh, b, wx_back, wh_back, b_back, wo, bo = weights
    u = wh.shape[0]
    ahead, back, states = _affine(x, wx, b), _affine(x, wx_back, b_back), np.empty((steps, u))
    both, out = np.empty(2 * u), np.empty((len(begins), len(bo)))
    for m in range(len(begins)):
        _lstm_states(ahead, begins[m], 1, wh, states)
        both[:u] = states[-1]
        _lstm_states(back, begins[m] + steps - 1, -1, wh_back, states)
        both[u:] = states[-1]
        _read(both, wo, bo, out[m])
    return out


@kernel(fastmath=FUSED)
def gru(x: Float64, begins: Int64, steps: int, weights: Weights) -> Float64:
    """Outputs (m, 2) of a GRU over the `steps` rows from each of `begins` (m,); the gates' biases are b (2, 3u)."""
    wx, wh, b, wo, bo = weights
    u = wh.shape[0]
    drive, out = _affine(x, wx, b[0]), np.empty((len(begins), len(bo)))
    state, inner = np.empty(u), np.empty(3 * u)
    for m in range(len(begins)):
        state[:] = 0.0
        for t in range(begins[m], begins[m] + steps):
            _read(state, wh, b[1], inner)
            for j in range(u):
                keep = _sigmoid(drive[t, j] + inner[j])
                reset = _sigmoid(drive[t, u + j] + inner[u + j])
                fresh = math.tanh(drive[t, 2 * u + j] + reset * inner[2 * u + j])
                state[j] = keep * state[j] + (1.0 - keep) * fresh
        _read(state, wo, bo, out[m])
    return out


@kernel(fastmath=FUSED)
def _softmax(scores: Float64) -> None:
    """Turn scores (t,) into shares that add up to one."""
    top, total = scores[0], 0.0
    for t in range(1, len(scores)):
        top = max(top, scores[t])
    for t in range(len(scores)):
        scores[t] = math.exp(scores[t] - top)
        total += scores[t]
    for t in range(len(scores)):
        scores[t] /= total


@kernel(fastmath=FUSED)
def _weigh(shares: Float64, states: Float64, out: Float64) -> None:
    """out (u,) = shares (t,) @ states (t, u)."""
    out[:] = 0.0
    for t in range(len(shares)):
        for j in range(len(out)):
            out[j] += shares[t] * states[t, j]


@kernel(fastmath=FUSED)
def attention(x: Float64, begins: Int64, steps: int, weights: Weights) -> Float64:
    """Outputs (m, 2) of an LSTM whose states are weighed by what they hold: softmax(tanh(states @ we + be) @ ws)."""
    wx, wh, b, we, be, ws, wo, bo = weights
    u = wh.shape[0]
    drive, states, out = _affine(x, wx, b), np.empty((steps, u)), np.empty((len(begins), len(bo)))
    energy, scores, context = np.empty(u), np.empty(steps), np.empty(u)
    for m in range(len(begins)):
        _lstm_states(drive, begins[m], 1, wh, states)
        for t in range(steps):
            _read(states[t], we, be, energy)
            scores[t] = 0.0
            for j in range(u):
                scores[t] += math.tanh(energy[j]) * ws[j, 0]
        _softmax(scores)
        _weigh(scores, states, context)
        _read(context, wo, bo, out[m])
    return out


@kernel(fastmath=FUSED)
def _normalise(x: Float64, gain: Float64, bias: Float64) -> None:
    """Bring x (u,) to mean zero and variance one, then stretch and shift it."""
    mean, variance = 0.0, 0.0
    for j in range(len(x)):
        mean += x[j]
    mean /= len(x)
    for j in range(len(x)):
        variance += (x[j] - mean) ** 2
    unit = 1.0 / math.sqrt(variance / len(x) + EPSILON)
    for j in range(len(x)):
        x[j] = (x[j] - mean) * unit * gain[j] + bias[j]


@kernel(fastmath=FUSED)
def _heads(
    rows: Float64, wq: Float64, bq: Float64, wk: Float64, wv: Float64, bv: Float64, wo: Float64, out: Float64
) -> None:
    """Add to out (u,) what the newest of rows (t, u) takes from all of them through each head.

    The query is carried back through the keys' weights, (u,), so that a row costs u products and not u^2; the keys'
    biases shift all scores alike and fall out.
    """
    u, heads, width = wq.shape
    asked, scores, taken = np.empty(u), np.empty(len(rows)), np.empty(u)
    for h in range(heads):
        asked[:] = 0.0
        for k in range(width):
            query = bq[h, k]
            for i in range(u):
                query += rows[-1, i] * wq[i, h, k]
            for i in range(u):
                asked[i] += query * wk[i, h, k] / math.sqrt(width)
        for t in range(len(rows)):
            scores[t] = 0.0
            for i in range(u):
                scores[t] += rows[t, i] * asked[i]
        _softmax(scores)
        _weigh(scores, rows, taken)
        for k in range(width):
            value = bv[h, k]
            for i in range(u):
                value += taken[i] * wv[i, h, k]
            for j in range(u):
                out[j] += value * wo[h, k, j]


@kernel(fastmath=FUSED)
def transformer(x: Float64, begins: Int64, places: Float64, weights: Weights) -> Float64:
    """Outputs (m, 2) of a block of attention and two layers, read at the newest row of each window.

    `places` (steps, u) tell the rows apart.
    """
    we, be, wq, bq, wk, _, wv, bv, wm, bm, gain, shift, w1, b1, w2, b2, gain_out, shift_out, wo, bo = weights
    steps, u = places.shape
    embedded, rows = _affine(x, we, be), np.empty((steps, u))
    mixed, wide, narrow, out = np.empty(u), np.empty(len(b1)), np.empty(u), np.empty((len(begins), len(bo)))
    for m in range(len(begins)):
        for t in range(steps):
            for j in range(u):
                rows[t, j] = embedded[begins[m] + t, j] + places[t, j]
        for j in range(u):
            mixed[j] = bm[j] + rows[-1, j]
        _heads(rows, wq, bq, wk, wv, bv, wm, mixed)
        _normalise(mixed, gain, shift)
        _read(mixed, w1, b1, wide)
        for j in range(len(wide)):
            wide[j] = max(wide[j], 0.0)
        _read(wide, w2, b2, narrow)
        for j in range(u):
            narrow[j] += mixed[j]
        _normalise(narrow, gain_out, shift_out)
        _read(narrow, wo, bo, out[m])
    return out
