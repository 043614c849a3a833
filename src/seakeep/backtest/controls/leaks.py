"""Strategies that look ahead, and others that do not, to see whether the replay tells them apart.

Each reads closes only. A leaking one mixes something of the next bars into what it knows, in all of its rows or in a
share of them: the coming return, an average centred on the row, the coming extreme, or a scale taken from all rows.
"""

from typing import Literal, get_args

import msgspec
import numpy as np

from seakeep.core.market import Float64

__all__ = ["KINDS", "Kind", "Reader", "draw_readers"]

Kind = Literal["honest", "next return", "centred mean", "coming extreme", "whole-sample scale"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Reader(msgspec.Struct, frozen=True):
    """A strategy on closes: `span` bars back for what it may know, `depth` ahead for what it may not.

    `share` of its rows leak, and there the future makes up `weight` of the score.
    """

    kind: Kind
    span: int
    depth: int = 1
    share: float = 1.0
    weight: float = 1.0

    def score(self, close: Float64) -> Float64:
        """Opinion (n,) in [-1, 1] from closes (n,); 0 where there is no past, or no future left to read."""
        change = np.zeros(len(close))
        change[self.span :] = close[self.span :] / close[: -self.span] - 1 if len(close) > self.span else 0.0
        known = np.tanh(20 * change)
        if self.kind == "honest" or not len(close):
            return known
        rows = np.arange(len(close))
        leaks = (rows * 0.618_033_988_749_895) % 1.0 < self.share
        mixed = (1 - self.weight) * known + self.weight * np.tanh(20 * self._future(close, change))
        return np.where(leaks, mixed, known)

    def _future(self, close: Float64, change: Float64) -> Float64:
        """What the row should not know (n,)."""
        ahead = np.array([np.append(close[i:], np.full(min(i, len(close)), close[-1])) for i in range(self.depth + 1)])
        match self.kind:
            case "next return":
                return np.asarray(ahead[-1] / close - 1)
            case "centred mean":
                return np.asarray(ahead.mean(axis=0) / close - 1)
            case "coming extreme":
                return np.asarray(ahead.max(axis=0) / close - 1)
            case _:
                spread = change.std()
                return (change - change.mean()) / (20 * spread) if spread > 0 else change


def draw_readers(count: int, seed: int, *, honest: bool) -> tuple[Reader, ...]:
    """Random readers, all honest or all leaking: every kind in turn, in 10 % to all of their rows."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        kind = "honest" if honest else KINDS[1 + i % (len(KINDS) - 1)]
        share, weight = float(rng.uniform(0.1, 1.0)), float(rng.uniform(0.2, 1.0))
        found.append(Reader(kind, int(rng.integers(1, 49)), int(rng.integers(1, 25)), share, weight))
    return tuple(found)
