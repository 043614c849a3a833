"""A seal fits one order, one book, one set of limits, one time and one use."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.account import Position
from seakeep.core.errors import InvalidOrder
from seakeep.core.orders import Order, OrderType, Side
from seakeep.risk.seal import BookView, Terms, open_sealed, seal

KEY = bytes(range(32))
BOOK = BookView("r", (Position(symbol="A/U", qty=Decimal(5)),), (), "NORMAL").digest
TERMS = Terms(BOOK, "v1", 1000, "n1")


class Remembered(set[object]):
    """What was used, while the test lasts."""

    def use(self, nonce: str, expires_ts: int, now: int) -> bool:
        new = nonce not in self
        self.add(nonce)
        return new


def order(qty: str = "1.5") -> Order:
    return Order(
        id="o", parent_id="p", decision_id="d", symbol="A/U", venue="sim", side=Side.BUY, type=OrderType.MARKET,
        qty=Decimal(qty), ts=1,
    )  # fmt: skip


def opened(
    token: bytes, *, now: int = 999, book: str = BOOK, limits: str = "v1", spent: Remembered | None = None
) -> Order:
    return open_sealed(token, KEY, now=now, book=book, limits=limits, spent=Remembered() if spent is None else spent)


@given(st.decimals("0.00000001", "1e12", allow_nan=False, places=8), st.text(min_size=1, max_size=20))
def test_what_is_sealed_opens_as_it_was(qty: Decimal, nonce: str) -> None:
    sealed = msgspec.structs.replace(order(), qty=qty)
    assert opened(seal(sealed, Terms(BOOK, "v1", 1000, nonce), KEY)) == sealed


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_opens(at: int, mask: int) -> None:
    token = bytearray(seal(order(), TERMS, KEY))
    token[at % len(token)] ^= mask
    with pytest.raises(InvalidOrder, match="does not fit"):
        opened(bytes(token))


@given(st.binary(max_size=400))
def test_what_was_never_sealed_does_not_open(token: bytes) -> None:
    with pytest.raises(InvalidOrder):
        opened(token)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"now": 1000}, "expired"), ({"limits": "v2"}, "limits have changed"), ({"book": "other"}, "book has changed")],
)
def test_what_has_gone_stale_does_not_open(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidOrder, match=said):
        opened(seal(order(), TERMS, KEY), **changes)  # type: ignore[arg-type]


def test_a_seal_opens_once_and_a_refusal_uses_nothing_up() -> None:
    token, spent = seal(order(), TERMS, KEY), Remembered()
    with pytest.raises(InvalidOrder, match="book"):
        opened(token, book="other", spent=spent)
    opened(token, spent=spent)
    with pytest.raises(InvalidOrder, match="used before"):
        opened(token, spent=spent)


def test_another_key_does_not_open_and_a_short_one_is_no_key() -> None:
    with pytest.raises(InvalidOrder, match="does not fit"):
        open_sealed(seal(order(), TERMS, bytes(32)), KEY, now=0, book=BOOK, limits="v1", spent=Remembered())
    with pytest.raises(ValueError, match="32 bytes"):
        seal(order(), TERMS, b"short")


def test_the_digest_of_a_book_is_that_of_its_state_and_not_of_its_order() -> None:
    a, b = Position(symbol="A/U", qty=Decimal(1)), Position(symbol="B/U", qty=Decimal(2))
    one = BookView("r", (a, b), (order(),), "NORMAL", ("x", "y"))
    assert one.digest == BookView("r", (b, a), (order(),), "NORMAL", ("y", "x")).digest
    changed: list[dict[str, object]] = [
        {"run_id": "s"}, {"positions": (a,)}, {"orders": ()}, {"standing": "HALTED"}, {"carried_out": ("x",)},
    ]  # fmt: skip
    assert len({msgspec.structs.replace(one, **change).digest for change in changed} | {one.digest}) == 6
