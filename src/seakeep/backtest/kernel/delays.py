"""Delays that the venue of the driver would draw, for every instant, side and kind at once.

A delay is drawn by hashing its route (`brokers.latency.delay_ms`). A search needs nine for each row of its history, so
the hash, BLAKE2b with a digest of 8 bytes [1]_, is compiled here and works on several messages side by side.

.. [1] Saarinen and Aumasson, "The BLAKE2 Cryptographic Hash and Message Authentication Code", RFC 7693 (2015).
"""

import numpy as np
from numpy.typing import NDArray

from seakeep.brokers.latency import LatencyParams
from seakeep.core.errors import ConfigError
from seakeep.core.jit import kernel
from seakeep.core.market import Int64

__all__ = ["delays"]

_Words = NDArray[np.uint64]
_Bytes = NDArray[np.uint8]

_BLOCK = 128
_DIGITS = 20
_LANES = 32
"""Messages that are hashed side by side."""
_START = np.array(
    [
        *(0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1),
        *(0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179),
    ],
    np.uint64,
)
_DIGEST = np.uint64(0x01010008)
"""What tells the first word that there is no key and that the digest has 8 bytes."""
_ORDER = np.array(
    [
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
        (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
        (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
        (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
        (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
        (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
        (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
        (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
        (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
    ]
)
"""Words of the message in the order in which each round takes them; the last two rounds are the first two again."""
_MIXED = np.array(
    [
        *((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)),
        *((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)),
    ]
)
"""Words of the state that are mixed with one another: columns, then diagonals."""


def delays(latency: LatencyParams, seed: int, routes: tuple[str, str], stamps: Int64) -> Int64:
    """Delays (n,) in ms of what goes at these instants (n,) UTC ms; `routes` is what stands before and behind them.

    Raises: ConfigError if that is too long to be hashed in one piece.
    """
    before, after = (np.frombuffer(text.encode(), np.uint8) for text in (f"{seed}:{routes[0]}", routes[1]))
    if len(before) + len(after) + _DIGITS > _BLOCK:
        raise ConfigError("a symbol is too long", value=routes[0], remedy="use one of at most 60 characters")
    drawn = np.empty(len(stamps), np.uint64)
    _hash(before, after, np.ascontiguousarray(stamps), drawn)
    return latency.low_ms + (drawn.byteswap() % np.uint64(latency.high_ms - latency.low_ms + 1)).astype(np.int64)


@kernel
def _hash(before: _Bytes, after: _Bytes, stamps: Int64, out: _Words) -> None:
    """The first word (n,) of the hash of each message: `before`, the instant in decimal, `after`."""
    rows, digits = np.zeros((_LANES, _BLOCK), np.uint8), np.empty(_DIGITS, np.uint8)
    words, state, lengths = (
        np.empty((16, _LANES), np.uint64),
        np.empty((16, _LANES), np.uint64),
        np.zeros(_LANES, np.uint64),
    )
    for start in range(0, len(stamps), _LANES):
        count = min(_LANES, len(stamps) - start)
        for lane in range(count):
            lengths[lane] = _write(before, stamps[start + lane], after, digits, rows[lane])
        _lay(rows, words)
        _compress(words, lengths, state)
        for lane in range(count):
            out[start + lane] = _START[0] ^ _DIGEST ^ state[0, lane] ^ state[8, lane]


@kernel
def _write(before: _Bytes, stamp: int, after: _Bytes, digits: _Bytes, row: _Bytes) -> int:
    """Put one message into a row (128,) of bytes, nothing behind it; its length."""
    left, count = abs(stamp), 0
    while left > 0 or count == 0:
        digits[count] = 48 + left % 10
        left //= 10
        count += 1
    row[: len(before)] = before
    at = len(before)
    if stamp < 0:
        row[at] = 45
        at += 1
    for d in range(count):
        row[at + d] = digits[count - 1 - d]
    stop = at + count + len(after)
    row[at + count : stop] = after
    row[stop:] = 0
    return int(stop)


@kernel
def _lay(rows: _Bytes, words: _Words) -> None:
    """Rows (lanes, 128) of bytes as words (16, lanes)."""
    for lane in range(len(rows)):
        whole = rows[lane].view(np.uint64)
        for word in range(16):
            words[word, lane] = whole[word]


@kernel(inline=True)
def _turned(word: np.uint64, by: int) -> np.uint64:
    """A word rotated to the right."""
    return (word >> np.uint64(by)) | (word << np.uint64(64 - by))


@kernel
def _compress(words: _Words, lengths: _Words, state: _Words) -> None:
    """The state (16, lanes) after the twelve rounds over the only block of each message."""
    for lane in range(_LANES):
        for word in range(8):
            state[word, lane] = state[8 + word, lane] = _START[word]
        state[0, lane] ^= _DIGEST
        state[12, lane] ^= lengths[lane]
        state[14, lane] = ~state[14, lane]
    for turn in range(12):
        order = _ORDER[turn % 10]
        for g in range(8):
            _mix(state, _MIXED[g], words[order[2 * g]], words[order[2 * g + 1]])


@kernel(inline=True)
def _mix(state: _Words, at: Int64, x: _Words, y: _Words) -> None:
    """Mix two words of the messages (lanes,) into four of the state."""
    one, two, three, four = state[at[0]], state[at[1]], state[at[2]], state[at[3]]
    for lane in range(_LANES):
        a, b, c, d = one[lane], two[lane], three[lane], four[lane]
        a = a + b + x[lane]
        d = _turned(d ^ a, 32)
        c = c + d
        b = _turned(b ^ c, 24)
        a = a + b + y[lane]
        d = _turned(d ^ a, 16)
        c = c + d
        b = _turned(b ^ c, 63)
        one[lane], two[lane], three[lane], four[lane] = a, b, c, d
