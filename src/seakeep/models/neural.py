"""Neural experts: six networks over the last rows, and the mixture of them. Training them takes the extra `deep`.

Inputs and outcome are measured in the deviation of recent returns, so that symbols and times of all sizes can be
pooled; a network says mean and deviation of the outcome. It learns on the oldest rows, stops by newer ones, and what
its direction deserves is judged on the newest, with no label reaching from one part into the next.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.config import Section
from seakeep.core.errors import ConfigError, NotFitted
from seakeep.core.market import Float64, Int64
from seakeep.core.registry import build
from seakeep.core.units import interval_ms
from seakeep.features import scaling
from seakeep.models.base import EXPERTS, Expert, Learnt
from seakeep.models.deep import EXTRA, FLOOR, Schooling, absent, require, train
from seakeep.models.networks import KINDS, Shape, forward, size, unpack
from seakeep.models.sequences import bar_length, split_in_time, window_ends
from seakeep.models.skill import measure

__all__ = [
    "AttentionExpert",
    "BiLstmExpert",
    "CnnLstmExpert",
    "DeepEnsembleExpert",
    "DeepParams",
    "GruExpert",
    "LstmExpert",
    "NetworkExpert",
    "TransformerExpert",
    "deep_experts",
    "missing",
    "trainable",
]

_FURTHEST = 8.0
"""Inputs and outcomes further out, in deviations, are taken to be this far."""


_BOUNDS = {
    "horizon": (1, 100_000),
    "unit": (13, 10_000),
    "window": (4, 1_024),
    "units": (2, 512),
    "epochs": (1, 10_000),
    "patience": (1, 10_000),
    "batch": (1, 100_000),
    "rate": (1e-6, 1),
    "decay": (0, 1),
    "rows": (150, 10_000_000),
    "tail": (0.05, 0.9),
}
"""Where each parameter must lie."""


class NetworkExpert(Expert):
    """What all neural experts share; `kinds` are the networks whose mixture it says."""

    extra: ClassVar[str] = EXTRA
    """The optional extra that `fit` needs; `restore` and `predict` do not."""
    kinds: ClassVar[tuple[str, ...]] = ()

    unit: int = 96
    """Bars of the deviation that returns are measured in; more than the 12 of the short one."""
    window: int = 32
    """Rows that a network reads."""
    units: int = 16
    """Width of its layers, even."""
    epochs: int = 30
    """Most passes over the rows."""
    patience: int = 6
    """Passes without gain after which it stops."""
    batch: int = 256
    """Rows of a step."""
    rate: float = 2e-3
    """Size of a step."""
    decay: float = 0.01
    """How fast weights that nothing needs shrink."""
    rows: int = 20_000
    """Rows that are used, evenly spread."""
    tail: float = 0.3
    """Share of them, the newest, that it stops by and is judged on, half each."""

    def __post_init__(self) -> None:
        """Raises: ConfigError naming the parameter that is out of bounds."""
        for key, (least, most) in _BOUNDS.items():
            value = getattr(self, key)
            if not least <= value <= most:
                raise ConfigError(f"{type(self).__name__}: {key} must be in {least:g} .. {most:g}", value=value)
        if self.units % 2:
            raise ConfigError(f"{type(self).__name__}: units must be even", value=self.units)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Return, short and long deviation, place in its band, direction and size of the volume."""
        return (
            "log_return:1",
            "return_std:12",
            f"return_std:{self.unit}",
            "bb_position:20",
            "obv_slope:20",
            "volume_z:20",
        )

    @property
    def lookback(self) -> int:  # type: ignore[override]
        """The window."""
        return self.window

    @property
    def shape(self) -> Shape:
        """Shape of its networks."""
        return Shape(len(self.features) - 1, self.window, self.units)

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn from features (n, 6) and forward log returns (n,), pooled or not; rows with a NaN are left out.

        Raises: ConfigError without the extra; NotEnoughHistory; ConvergenceError.
        """
        require()
        x, unit = self._inputs(frame)
        bar_ms = bar_length(frame.ts)
        told = np.divide(y, unit, out=np.full(len(y), np.nan), where=unit > 0)
        ends = window_ends(frame.ts, x, self.window, bar_ms)
        parts = split_in_time(frame.ts, ends[np.isfinite(told[ends])], self.horizon, self.tail, self.rows)
        scaler = scaling.fit(x[parts.learn])
        x, told = _bounded(scaler.apply(x)), _bounded(told)
        learnt = [self._learn(kind, x, told, parts.learn, parts.stop, seed) for kind in self.kinds]
        self.bar_ms_, self.centre_, self.spread_ = bar_ms, scaler.centre, scaler.scale
        self.weights_ = np.concatenate([weights for weights, _ in learnt])
        self.corrections_ = np.array([correction for _, correction in learnt])
        self._networks = self._unpacked(self.weights_)
        self.scale_ = _rms(self._said(x, parts.learn)[:, 0] * unit[parts.learn])
        judged = parts.judge
        alone = ((judged[:0], np.arange(len(judged))),)
        skill = measure(self._said(x, judged)[:, 0], told[judged], frame.ts[judged], alone, self.horizon * bar_ms)
        self.confidence_ = skill.confidence
        return self

    def _learn(
        self, kind: str, x: Float64, y: Float64, learn: Int64, stop: Int64, seed: int
    ) -> tuple[Float64, tuple[float, float]]:
        """Weights of a network, and what the rows it stopped by make of its means and of its deviations: factors."""
        how = Schooling(self.epochs, self.patience, self.batch, self.rate, self.decay)

        def said(weights: Float64) -> Float64:
            return _moments(forward(kind, self.shape, unpack(kind, self.shape, weights), x, stop))

        weights = train(kind, self.shape, x, learn, y[learn], how, lambda flat: _likelihood(said(flat), y[stop]), seed)
        mean, std = said(weights).T
        power = float(mean @ mean)
        shrink = min(1.0, max(0.0, float(mean @ y[stop]) / power)) if power > 0 else 0.0
        return weights, (shrink, _rms((y[stop] - shrink * mean) / std))

    def predict(self, frame: FeatureFrame) -> Float64:
        """Mean and deviation (n, 2); NaN where the window reaches over a NaN, a hole in time or another symbol."""
        if not hasattr(self, "weights_"):
            raise NotFitted(f"{type(self).__name__} must be fitted before it predicts")
        out = np.full((len(frame), 2), np.nan)
        x, unit = self._inputs(frame)
        ends = window_ends(frame.ts, x, self.window, self.bar_ms_)
        if len(ends):
            x = _bounded(scaling.Scaler(self.centre_, self.spread_).apply(x))
            out[ends] = self._said(x, ends) * unit[ends, None]
        return out

    def _inputs(self, frame: FeatureFrame) -> tuple[Float64, Float64]:
        """Inputs (n, 5), NaN where one is missing, and the usual return over the horizon (n,)."""
        ret, short, unit, *others = (frame[name] for name in self.features)
        moves = np.full((len(frame), 2), np.nan)
        with np.errstate(divide="ignore"):
            np.divide(np.column_stack([ret, short]), unit[:, None], out=moves, where=(unit > 0)[:, None])
            moves[:, 1] = np.log(moves[:, 1])
        x = np.column_stack([moves, *others])
        return np.where(np.isinf(x), np.nan, x), unit * np.sqrt(self.horizon)

    def _said(self, x: Float64, ends: Int64) -> Float64:
        """Mean and deviation (m, 2) of the mixture of the networks, in usual returns."""
        mean, square = np.zeros(len(ends)), np.zeros(len(ends))
        for kind, weights, correction in zip(self.kinds, self._networks, self.corrections_, strict=True):
            one = _moments(forward(kind, self.shape, weights, x, ends)) * correction
            mean += one[:, 0] / len(self.kinds)
            square += (one[:, 1] ** 2 + one[:, 0] ** 2) / len(self.kinds)
        return np.stack([mean, np.sqrt(np.maximum(square - mean**2, FLOOR**2))], axis=1)

    def _unpacked(self, flat: Float64) -> list[tuple[Float64, ...]]:
        sizes = [size(kind, self.shape) for kind in self.kinds]
        if flat.shape != (sum(sizes),):
            raise ValueError(f"{type(self).__name__} of {self.shape} has {sum(sizes)} weights, not {flat.shape}")
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        return [unpack(kind, self.shape, part) for kind, part in zip(self.kinds, parts, strict=True)]

    def restore(self, state: Mapping[str, Learnt]) -> Self:
        """Take over what another of its parameters has learnt; the networks are rebuilt without Keras.

        Raises: ValueError if a part is missing, unknown, of another shape or not finite.
        """
        d, k = self.shape.inputs, len(self.kinds)
        sizes: dict[str, tuple[int, ...]] = {"centre_": (d,), "spread_": (d,), "corrections_": (k, 2), "bar_ms_": ()}
        sizes |= {"scale_": (), "confidence_": (), "weights_": (sum(size(kind, self.shape) for kind in self.kinds),)}
        if set(state) != set(sizes):
            raise ValueError(f"{type(self).__name__} has learnt {sorted(sizes)}, not {sorted(state)}")
        for key, shape in sizes.items():
            value = np.asarray(state[key])
            if value.shape != shape or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
                raise ValueError(f"{type(self).__name__}.{key} must be finite and of shape {shape}, not {value.shape}")
        super().restore(state)
        self._networks = self._unpacked(self.weights_)
        return self

    @property
    def confidence(self) -> float:
        """How far its skill on rows it had not seen may be believed."""
        return self.confidence_

    @property
    def scale(self) -> float:
        """Root mean square of its mean forecasts on the rows it learnt from."""
        return self.scale_


@EXPERTS.register("lstm")
class LstmExpert(NetworkExpert):
    """Long short-term memory over the window."""

    kinds: ClassVar[tuple[str, ...]] = ("lstm",)


@EXPERTS.register("gru")
class GruExpert(NetworkExpert):
    """Gated recurrent unit over the window."""

    kinds: ClassVar[tuple[str, ...]] = ("gru",)


@EXPERTS.register("bilstm")
class BiLstmExpert(NetworkExpert):
    """Two LSTMs over the window: one forwards, one backwards."""

    kinds: ClassVar[tuple[str, ...]] = ("bilstm",)


@EXPERTS.register("cnn_lstm")
class CnnLstmExpert(NetworkExpert):
    """A convolution over three rows, and an LSTM over what it finds."""

    kinds: ClassVar[tuple[str, ...]] = ("cnn_lstm",)


@EXPERTS.register("attention")
class AttentionExpert(NetworkExpert):
    """An LSTM whose states are weighed by learnt attention."""

    kinds: ClassVar[tuple[str, ...]] = ("attention",)


@EXPERTS.register("transformer")
class TransformerExpert(NetworkExpert):
    """A transformer block that reads the window from its newest row."""

    kinds: ClassVar[tuple[str, ...]] = ("transformer",)


@EXPERTS.register("deep_ensemble")
class DeepEnsembleExpert(NetworkExpert):
    """All six networks as one: the mixture of what they say, so where they differ it is unsure."""

    kinds: ClassVar[tuple[str, ...]] = KINDS


class DeepParams(Section):
    """Which networks are asked how far ahead, and what happens where they cannot be trained."""

    use: tuple[str, ...] = Field(
        (), description="of lstm, gru, bilstm, cnn_lstm, attention, transformer, deep_ensemble"
    )
    horizons: tuple[str, ...] = Field(("1h", "4h", "24h"), min_length=1, description="how far ahead each looks")
    optional: bool = Field(True, description="go on without experts whose extra is not installed, and say so")


def deep_experts(params: DeepParams, interval: str) -> dict[str, Expert]:
    """An expert for each network and horizon, such as "lstm@4h", for bars of `interval`.

    >>> deep_experts(DeepParams(use=("gru",), horizons=("4h",)), "5m")["gru@4h"].horizon
    48

    Raises: ConfigError for an unknown network, or a horizon that is not a whole number of bars.
    """
    bar_ms, found = interval_ms(interval), {}
    for horizon in params.horizons if params.use else ():
        bars, over = divmod(interval_ms(horizon), bar_ms)
        if over:
            raise ConfigError(f"deep.horizons: {horizon} is not a whole number of bars of {interval}")
        for name in params.use:
            if not issubclass(EXPERTS[name], NetworkExpert):
                raise ConfigError("deep.use names an expert that is no network", value=name)
            found[f"{name}@{horizon}"] = build(EXPERTS, name, {"horizon": bars})
    return found


def missing(part: Expert | type[Expert]) -> str:
    """What has to be installed before this expert can be trained; empty if nothing."""
    return absent() if getattr(part, "extra", "") else ""


def trainable(experts: Mapping[str, Expert], *, optional: bool) -> tuple[dict[str, Expert], dict[str, str]]:
    """The experts that can be trained here, and of the others what they need, by name.

    Raises: ConfigError naming the others, unless they are `optional`.
    """
    lacking = {name: why for name, expert in experts.items() if (why := missing(expert))}
    if lacking and not optional:
        names, why = ", ".join(lacking), next(iter(lacking.values()))
        raise ConfigError(f"experts that cannot be trained here: {names}", remedy=f"each {why}; or set deep.optional")
    return {name: expert for name, expert in experts.items() if name not in lacking}, lacking


def _moments(out: Float64) -> Float64:
    """Outputs (m, 2) of a network as mean and deviation."""
    return np.stack([out[:, 0], np.logaddexp(0.0, out[:, 1]) + FLOOR], axis=1)


def _likelihood(said: Float64, y: Float64) -> float:
    """Mean negative log-likelihood of outcomes (m,), without the constant."""
    mean, std = said.T
    return float(np.mean(np.log(std) + 0.5 * ((y - mean) / std) ** 2))


def _bounded(x: Float64) -> Float64:
    return np.clip(x, -_FURTHEST, _FURTHEST)


def _rms(x: Float64) -> float:
    return float(np.sqrt(np.mean(x * x)))
