"""Names, neighbours, and parameters checked against their defaults."""

from dataclasses import dataclass

import pytest

from seakeep.core.errors import ConfigError
from seakeep.core.registry import Registry, build


@dataclass(kw_only=True)
class Part:
    size: int = 3
    share: float = 0.5


def registry() -> Registry[type[Part]]:
    parts: Registry[type[Part]] = Registry("part")
    parts.add("piston", Part)
    return parts


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean piston"):
        registry()["pistom"]


def test_a_name_cannot_be_taken_twice() -> None:
    parts = registry()
    parts.add("piston", Part)
    with pytest.raises(ValueError, match="already registered"):
        parts.add("piston", type("Other", (Part,), {}))


def test_parameters_are_checked_against_their_defaults() -> None:
    assert build(registry(), "piston", {"size": 4, "share": 1}) == Part(size=4, share=1.0)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"sice": 1}, "did you mean size"),
        ({"size": 1.5}, "must be int"),
        ({"size": True}, "must be int"),
        ({"share": "x"}, "must be float"),
    ],
)
def test_a_wrong_parameter_is_named(params: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build(registry(), "piston", params)
