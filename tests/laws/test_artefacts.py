"""What an expert has learnt survives the disk: packed, unpacked and restored it predicts the same bits."""

import numpy as np
import pytest

from seakeep.app.artefacts import pack, unpack
from seakeep.app.trainer import PANEL
from seakeep.core.registry import build
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.models import EXPERTS
from seakeep.models.training import panel


@pytest.mark.parametrize("name", [name for name in PANEL if name in EXPERTS])
def test_a_restored_expert_predicts_the_same_bits(name: str) -> None:
    made = generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=70, seed=6))
    expert = build(EXPERTS, name, {})
    rows = panel(tuple(made.frames.values()), expert)
    expert.fit(rows.frame, rows.y, 1)
    content = pack({"expert": expert.state()})
    back = build(EXPERTS, name, {}).restore(unpack(content)["expert"])
    assert np.array_equal(back.predict(rows.frame), expert.predict(rows.frame), equal_nan=True)
    assert (back.confidence, back.scale) == (expert.confidence, expert.scale)
    assert pack({"expert": back.state()}) == content


def test_only_plain_values_are_packed_and_only_archives_of_them_unpacked() -> None:
    with pytest.raises(TypeError, match=r"expert\.trees_ is an array of object"):
        pack({"expert": {"trees_": np.array([{}])}})
    for content in (b"", b"PK\x03\x04", pack({"expert": {"x_": np.arange(9.0)}})[:80]):
        with pytest.raises(ValueError, match="not an artefact"):
            unpack(content)
    kept = {"expert": {"x_": np.arange(3), "y_": float("nan"), "z_": "a\nb", "n_": 2**70, "none_": np.empty((0, 2))}}
    found = unpack(pack(kept))["expert"]
    assert [str(found[key]) for key in ("y_", "z_", "n_")] == ["nan", "a\nb", str(2**70)]
    assert np.array_equal(found["none_"], kept["expert"]["none_"])  # type: ignore[arg-type]
