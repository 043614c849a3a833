"""Whether a trade is worth its cost: what the experts expect of it against the most its way in and out may cost."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from seakeep.core.config import Section

__all__ = ["CostGate", "expected_edge", "worth"]


class CostGate(Section):
    """No entry unless its expected log return exceeds the upper bound of its round trip's cost."""

    mode: Literal["off", "known", "required"] = Field(
        "known", description="off; known: where an expert expects something; required: also where none does"
    )
    multiple: float = Field(1.0, gt=0, le=100, description="times the cost that the expected return must exceed")


def expected_edge(expected: Sequence[tuple[float, float]], side: int) -> float | None:
    """Log return expected of holding `side`: the mean of (weight, expected log return) pairs; None without any.

    >>> expected_edge([(0.3, 0.01), (0.1, -0.01)], -1)
    -0.005
    """
    voice = sum([weight for weight, _ in expected])
    if not voice > 0:
        return None
    return side * sum([weight * mean for weight, mean in expected]) / voice


def worth(edge: float | None, cost: float | None, gate: CostGate) -> bool:
    """Whether an entry of that edge may pay that cost; what is not known only passes where it need not be known.

    >>> worth(0.004, 0.003, CostGate()), worth(0.004, 0.003, CostGate(multiple=2)), worth(None, 0.003, CostGate())
    (True, False, True)
    """
    if gate.mode == "off":
        return True
    if edge is None:
        return gate.mode == "known"
    return cost is not None and edge > gate.multiple * cost
