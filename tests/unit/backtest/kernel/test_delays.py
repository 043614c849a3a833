"""Delays by the compiled hash are those that the venue draws with the hash of the standard library."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.kernel import delays as module
from seakeep.backtest.kernel.delays import delays
from seakeep.brokers.latency import LatencyParams, delay_ms
from seakeep.core.errors import ConfigError

TEXT = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/: ", max_size=40)
STAMPS = st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=70)


@given(TEXT, TEXT, STAMPS, st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(0, 3_600_000))
def test_every_delay_is_that_of_the_venue(
    before: str, after: str, stamps: list[int], seed: int, low: int, more: int
) -> None:
    latency = LatencyParams(low_ms=low, high_ms=low + more)
    found = delays(latency, seed, (before, after), np.array(stamps, np.int64))
    assert found.tolist() == [delay_ms(latency, seed, f"{before}{ts}{after}") for ts in stamps]


def test_the_twin_in_python_hashes_as_the_standard_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_write", "_lay", "_compress", "_mix", "_turned"):
        monkeypatch.setattr(module, name, getattr(module, name).py_func)
    out = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        module._hash.py_func(np.frombuffer(b"7:X ", np.uint8), np.frombuffer(b" y", np.uint8), np.array([1234567]), out)
    assert out.tobytes() == blake2b(b"7:X 1234567 y", digest_size=8).digest()


def test_a_message_of_more_than_a_block_is_refused() -> None:
    with pytest.raises(ConfigError, match="symbol is too long"):
        delays(LatencyParams(), 1, ("X" * 110, ""), np.array([1]))
