"""Bad days put into the market the run traded: what each costs in money and in drawdown, against the run as it was.

A shock strikes at moments drawn, by seed, among the bars at which the run held something, each in a rerun of its own.
"""

from dataclasses import dataclass

import numpy as np

from seakeep.backtest.integrity.disturbance import chosen, reshaped
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.units import HOUR_MS

__all__ = ["Breakdown", "Drought", "FlashCrash", "Outage"]

_Frames = tuple[BarFrame, ...]


def _within(frame: BarFrame, start: int, length_ms: int) -> slice:
    """Rows whose bars open in [start, start + length)."""
    first, stop = np.searchsorted(frame.ts, (start, start + length_ms))
    return slice(int(first), int(stop))


@dataclass(frozen=True)
class FlashCrash:
    """Every price falls by `drop` within the first bar from `at` on and comes back over `hours`, but for `lasting`.

    What is left of the fall h hours on is drop x (lasting + (1 - lasting) (1 - h / hours)).

    Raises: ValueError unless 0 < drop < 1, 0 <= lasting <= 1 and hours > 0.
    """

    at: int
    drop: float = 0.30
    hours: float = 6.0
    lasting: float = 1 / 3

    def __post_init__(self) -> None:
        if not (0 < self.drop < 1 and 0 <= self.lasting <= 1 and self.hours > 0):
            raise ValueError(f"a crash needs 0 < drop < 1, 0 <= lasting <= 1, hours > 0, got {self}")

    def __call__(self, frames: _Frames) -> _Frames:
        return tuple(self._of(frame) for frame in frames)

    def _of(self, frame: BarFrame) -> BarFrame:
        struck = frame.ts >= self.at
        if not struck.any():
            return frame
        gone = np.clip((frame.ts - frame.ts[struck][0]) / (self.hours * HOUR_MS), 0.0, 1.0)
        at_close = np.where(struck, 1 - self.drop * (self.lasting + (1 - self.lasting) * (1 - gone)), 1.0)
        at_open = np.append(1.0, at_close[:-1])
        return reshaped(
            frame,
            {
                "open": frame.open * at_open,
                "close": frame.close * at_close,
                "high": frame.high * np.maximum(at_open, at_close),
                "low": frame.low * np.minimum(at_open, at_close),
            },
        )


@dataclass(frozen=True)
class Drought:
    """A liquidity crisis: volume divided by `thinner` for `hours` from `at` on. The spread is `stress`'s to widen."""

    at: int
    hours: float = 24.0
    thinner: float = 10.0

    def __call__(self, frames: _Frames) -> _Frames:
        return tuple(self._of(frame) for frame in frames)

    def _of(self, frame: BarFrame) -> BarFrame:
        volume = frame.volume.copy()
        volume[_within(frame, self.at, round(self.hours * HOUR_MS))] /= self.thinner
        return reshaped(frame, {"volume": volume})


@dataclass(frozen=True)
class Outage:
    """No bars, and so no fills, of any symbol for `hours` from `at` on; the market moved on meanwhile."""

    at: int
    hours: float = 12.0

    def __call__(self, frames: _Frames) -> _Frames:
        return tuple(self._of(frame) for frame in frames)

    def _of(self, frame: BarFrame) -> BarFrame:
        kept = np.ones(len(frame), np.bool_)
        kept[_within(frame, self.at, round(self.hours * HOUR_MS))] = False
        return chosen(frame, kept)


@dataclass(frozen=True)
class Breakdown:
    """Correlation goes to one for `hours` from `at` on: every symbol makes the same moves, in sizes of its own.

    With `sign` +1 or -1 the common moves add up to a rise or a fall (turned around where they did not); 0 leaves them.
    The common move of a bar is the mean of the symbols' log returns there, each over its own deviation within the
    window, and scaled to deviation one; a symbol makes it times its own deviation, so that its volatility stays what
    it was. Wicks keep their size; after the window each market makes the returns it made, from where it now stands.
    """

    at: int
    hours: float = 72.0
    sign: int = 0

    def __call__(self, frames: _Frames) -> _Frames:
        rows = [_within(frame, self.at, round(self.hours * HOUR_MS)) for frame in frames]
        stamps = [set(frame.ts[part].tolist()) for frame, part in zip(frames, rows, strict=True)]
        shared = np.array(sorted(set.intersection(*stamps)), np.int64)
        if len(frames) < 2 or len(shared) < 3:
            return frames
        where = [np.searchsorted(frame.ts, shared) for frame in frames]
        moves = np.array(
            [np.log(f.close[i] / f.close[np.maximum(i - 1, 0)]) for f, i in zip(frames, where, strict=True)]
        )
        sizes = moves.std(axis=1)
        common = np.divide(moves, sizes[:, None], out=np.zeros_like(moves), where=sizes[:, None] > 0).mean(axis=0)
        spread = common.std()
        turned = -1.0 if self.sign * common.sum() < 0 else 1.0
        common = common * turned / spread if spread > 0 else common
        return tuple(
            self._of(frame, i, common * size - own)
            for frame, i, own, size in zip(frames, where, moves, sizes, strict=True)
        )

    @staticmethod
    def _of(frame: BarFrame, rows: Int64, extra: Float64) -> BarFrame:
        shift = np.zeros(len(frame))
        shift[rows] = extra
        at_close = np.exp(np.cumsum(shift))
        at_open = np.append(1.0, at_close[:-1])
        body = np.maximum(frame.open, frame.close), np.minimum(frame.open, frame.close)
        opened, closed = frame.open * at_open, frame.close * at_close
        return reshaped(
            frame,
            {
                "open": opened,
                "close": closed,
                "high": np.maximum(opened, closed) * frame.high / body[0],
                "low": np.minimum(opened, closed) * frame.low / body[1],
            },
        )
