"""Market regimes: what a model of them promises, and the table it answers with.

A model looks at points an hour apart (a bar apart where bars are longer). Its probabilities at a row rest on that row
and earlier ones: filtered, never smoothed. Labels come from each state's own statistics, so they cannot swap. A label
is told once it has led for `dwell` points in a row; where evidence is thin the label is "unknown".
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self, dataclass_transform

import numpy as np

from seakeep.core.beliefs import FeatureFrame, Regime
from seakeep.core.errors import NotEnoughHistory, NotFitted
from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64
from seakeep.core.registry import Registry
from seakeep.core.units import HOUR_MS, interval_ms, iso
from seakeep.models.base import Learnt, learnt, take_over
from seakeep.models.segments import complete, first_rows

__all__ = ["LABELS", "REGIMES", "RegimeModel", "RegimeTable", "as_record"]

LABELS = ("bull", "bear", "ranging", "volatile", "unknown")
"""The labels, in the order of the columns of `RegimeTable.probs`."""
UNKNOWN = LABELS.index("unknown")


@dataclass(frozen=True, slots=True, eq=False)
class RegimeTable:
    """Regimes of n rows: `ts` (n,) when each is known, `probs` (n, 5) over `LABELS`, `codes` (n,), `confidence` (n,).

    `codes` index `LABELS`; `confidence` is the probability of the label that is told.
    """

    ts: Int64
    probs: Float64
    codes: Int64
    confidence: Float64

    def __len__(self) -> int:
        return len(self.ts)

    def __iter__(self) -> Iterator[Regime]:
        return (self.regime(row) for row in range(len(self)))

    def regime(self, row: int = -1) -> Regime:
        """The regime of one row, by default the last. Raises: IndexError if there is no such row."""
        probs = tuple(zip(LABELS, self.probs[row].tolist(), strict=True))
        return Regime(int(self.ts[row]), LABELS[self.codes[row]], probs, float(self.confidence[row]))

    def rows(self, start: int) -> "RegimeTable":
        """The table from row `start` on."""
        return RegimeTable(self.ts[start:], self.probs[start:], self.codes[start:], self.confidence[start:])

    def shares(self) -> dict[str, float]:
        """Share of the rows that carry each label; NaN without rows."""
        counts = np.bincount(self.codes, minlength=len(LABELS))
        return dict(zip(LABELS, (counts / len(self) if len(self) else counts * np.nan).tolist(), strict=True))

    def stays(self) -> dict[str, Float64]:
        """Lengths in rows (m,) of the runs of each label; the run that still lasts counts as long as it has."""
        edges = np.flatnonzero(np.append(True, np.diff(self.codes) != 0)[: len(self)])
        lengths = np.diff(np.append(edges, len(self))).astype(np.float64)
        return {label: lengths[self.codes[edges] == code] for code, label in enumerate(LABELS)}


def as_record(regime: Regime, asked_ms: int | None = None) -> dict[str, object]:
    """The record of one detection as dashboards of the field read it: regime, confidence, probs, timestamp, data_end.

    `asked_ms` is when it was asked for, by default when its last bar became known.
    """
    probs = {label: round(p, 6) for label, p in sorted(regime.probs, key=lambda pair: -pair[1])}
    return {
        "regime": regime.label,
        "confidence": round(regime.confidence, 6),
        "probs": probs,
        "timestamp": iso(regime.ts if asked_ms is None else asked_ms),
        "data_end": iso(regime.ts),
    }


@dataclass_transform(kw_only_default=True)
@dataclass(kw_only=True)
class RegimeModel(ABC):
    """A model of regimes: annotated class attributes are its keyword parameters, what it learns ends in `_`."""

    interval: str = "1h"
    """Interval of the bars the frames are made of."""
    dwell: int = 6
    """Points a label must lead in a row before it is told, and so the least time it stays."""
    memory: int = 48
    """Points after which a label that led no more is forgotten."""
    least: float = 0.3
    """Probability below which the likeliest label is not told."""

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True)(cls)

    @property
    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """The feature specs it needs."""

    @property
    @abstractmethod
    def points(self) -> int:
        """Points its probabilities at one row rest on."""

    @abstractmethod
    def fit(self, frame: FeatureFrame, seed: int) -> Self:
        """Learn from features (n, k) of one symbol or several, one after the other.

        Raises: NotEnoughHistory.
        """

    @abstractmethod
    def beliefs(self, frame: FeatureFrame, rows: Int64) -> Float64:
        """Probabilities (m, 5) over `LABELS` at these rows (m,); NaN where the model cannot say. Raises: NotFitted."""

    def state(self) -> dict[str, Learnt]:
        """What it has learnt, as plain arrays and scalars by name; empty before `fit`."""
        return learnt(self)

    def restore(self, state: Mapping[str, Learnt]) -> Self:
        """Take over what another of its kind and parameters has learnt; it then tells the same bits.

        Raises: ValueError for a name that is not that of something learnt.
        """
        take_over(self, state)
        return self

    @cached_property
    def stride(self) -> int:
        """Rows from one point to the next."""
        return max(1, HOUR_MS // interval_ms(self.interval))

    @cached_property
    def lookback(self) -> int:
        """Rows its last label needs."""
        return (self.points + self.memory + self.dwell - 2) * self.stride + 1

    def spec(self, name: str) -> str:
        """A feature spec computed on points instead of bars."""
        return name if self.stride == 1 else f"{name}@1h"

    def classify(self, frame: FeatureFrame) -> RegimeTable:
        """The regime of every row, each from it and earlier rows alone. Raises: NotFitted."""
        probs = self._told(frame, np.arange(len(frame)))
        tops, first = _leading(probs, self.least), first_rows(frame.ts)
        return self._table(frame.ts, probs, _settle(tops, first, self.stride, self.dwell, self.memory))

    def now(self, frame: FeatureFrame) -> Regime:
        """The regime of the last row: what `classify` says of it, without the others.

        Raises: NotFitted, NotEnoughHistory if there is no row.
        """
        if not len(frame):
            raise NotEnoughHistory("no row to tell the regime of", remedy="push bars first")
        first = int(first_rows(frame.ts)[-1])
        rows = np.arange(len(frame) - 1, first - 1, -self.stride)[: self.memory + self.dwell - 1][::-1]
        probs = self._told(frame, rows)
        codes = _settle(_leading(probs, self.least), np.zeros(len(rows), np.int64), 1, self.dwell, self.memory)
        return self._table(frame.ts[rows], probs, codes).regime()

    @cached_property
    def _bar_ms(self) -> int:
        return interval_ms(self.interval)

    def _told(self, frame: FeatureFrame, rows: Int64) -> Float64:
        """Beliefs with all weight on "unknown" where there are none."""
        probs = self.beliefs(frame, rows)
        blind = ~np.isfinite(probs).all(axis=1)
        blind |= ~complete(frame.ts, rows, (self.points - 1) * self.stride + 1, self._bar_ms)
        probs[blind] = np.eye(len(LABELS))[UNKNOWN]
        return probs

    def _table(self, ts: Int64, probs: Float64, codes: Int64) -> RegimeTable:
        confidence = np.take_along_axis(probs, codes[:, None], axis=1)[:, 0]
        for column in (probs, codes, confidence):
            column.flags.writeable = False
        return RegimeTable(ts, probs, codes, confidence)

    def _needs(self, name: str) -> None:
        """Raises: NotFitted unless `fit` has set the attribute of that name."""
        if not hasattr(self, name):
            raise NotFitted(f"{type(self).__name__} must be fitted before it classifies")


def _leading(probs: Float64, least: float) -> Int64:
    """The likeliest label of each row (n,); unknown where it is not likely enough."""
    tops = probs.argmax(axis=1)
    return np.where(np.take_along_axis(probs, tops[:, None], axis=1)[:, 0] >= least, tops, UNKNOWN)


@kernel
def _settle(tops: Int64, first: Int64, stride: int, dwell: int, memory: int) -> Int64:
    """The label told at each row (n,): the one that last led `dwell` points in a row, unknown if the row itself is."""
    codes = np.full(len(tops), UNKNOWN)
    for i in range(len(tops)):
        run, led = 0, UNKNOWN
        for j in range(i, max(first[i], i - (memory + dwell - 1) * stride + 1) - 1, -stride):
            if tops[i] == UNKNOWN:
                break
            run = run + 1 if tops[j] == led else 1
            led = tops[j]
            if run == dwell and led != UNKNOWN:
                codes[i] = led
                break
    return codes


REGIMES: Registry[type[RegimeModel]] = Registry("regime model")
