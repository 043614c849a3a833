"""Artefacts hold plain values and nothing else: what is packed and what is unpacked."""

import numpy as np
import pytest

from seakeep.app.models.artefacts import pack, unpack


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
