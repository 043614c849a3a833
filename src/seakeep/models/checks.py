"""The four laws of experts, and what else one promises, as a function that reports what is broken."""

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.features.checks import Violation, lookback_law, prefix_law, seed_law, shape_law
from seakeep.models.base import Expert
from seakeep.models.folding import fresh, part_of

__all__ = ["check"]


def check(name: str, expert: Expert, frame: FeatureFrame, y: Float64, seed: int = 1) -> list[Violation]:
    """What `expert` breaks once it is fitted on these rows (n, k) and log returns (n,), of one symbol.

    prefix, lookback, shape and seed as in `features.checks`; beside these "deviation" (a mean comes with a positive
    one), "memory" (what its state was restored from predicts the same bits), "confidence" and "scale" (in 0 .. 1; not
    negative). Raises: NotEnoughHistory.
    """
    n = len(frame)
    expert = fresh(expert).fit(frame, y, seed)
    warm = int(np.isfinite(frame.values).all(axis=1).argmax()) + expert.lookback - 1
    cuts = [cut for cut in (n // 3, n // 2, n - 1) if cut >= expert.lookback]

    def over(start: int, stop: int) -> Float64:
        return expert.predict(part_of(frame, np.arange(start, stop)))

    return [
        *prefix_law(name, over, n, cuts),
        *lookback_law(name, over, n, expert.lookback, cuts),
        *shape_law(name, over, n, warm),
        *seed_law(name, lambda seed: fresh(expert).fit(frame, y, seed).predict(frame), seed),
        *_promises(name, expert, frame),
    ]


def _promises(name: str, expert: Expert, frame: FeatureFrame) -> list[Violation]:
    told = expert.predict(frame)
    again = fresh(expert).restore(expert.state()).predict(frame)
    broken = {
        "deviation": np.isfinite(told[:, 0]) & ~(told[:, 1] > 0),
        "memory": ((told != again) & ~(np.isnan(told) & np.isnan(again))).any(axis=1),
    }
    found = [Violation(law, name, int(np.argmax(rows)), 0.0, 1.0) for law, rows in broken.items() if rows.any()]
    if not 0 <= expert.confidence <= 1:
        found.append(Violation("confidence", name, -1, 1.0, expert.confidence))
    if not expert.scale >= 0:
        found.append(Violation("scale", name, -1, 0.0, expert.scale))
    return found
