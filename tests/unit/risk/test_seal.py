"""A seal fits one order, one book, one set of limits, one time and one use."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.account import Portfolio, Position
from seakeep.core.errors import InvalidOrder
from seakeep.core.orders import Order, OrderType, Side
from seakeep.risk.seal import Nonces, Terms, book_hash, open_sealed, seal

KEY = bytes(range(32))
BOOK = book_hash(Portfolio(quote="U", cash={"U": Decimal(5)}))
TERMS = Terms(BOOK, "v1", 1000, "n1")


def order(qty: str = "1.5") -> Order:
    return Order(
        id="o", parent_id="p", decision_id="d", symbol="A/U", venue="sim", side=Side.BUY, type=OrderType.MARKET,
        qty=Decimal(qty), ts=1,
    )  # fmt: skip


def opened(
    token: bytes, *, now: int = 999, book: str = BOOK, limits: str = "v1", nonces: Nonces | None = None
) -> Order:
    return open_sealed(token, KEY, now=now, book=book, limits=limits, nonces=nonces or Nonces())


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
    token, nonces = seal(order(), TERMS, KEY), Nonces()
    with pytest.raises(InvalidOrder, match="book"):
        opened(token, book="other", nonces=nonces)
    opened(token, nonces=nonces)
    with pytest.raises(InvalidOrder, match="used before"):
        opened(token, nonces=nonces)


def test_another_key_does_not_open_and_a_short_one_is_no_key() -> None:
    with pytest.raises(InvalidOrder, match="does not fit"):
        open_sealed(seal(order(), TERMS, bytes(32)), KEY, now=0, book=BOOK, limits="v1", nonces=Nonces())
    with pytest.raises(ValueError, match="32 bytes"):
        seal(order(), TERMS, b"short")


def test_nonces_are_forgotten_only_when_they_have_expired() -> None:
    nonces = Nonces()
    assert all(nonces.use(str(i), i + 10, i) for i in range(20_000))
    assert nonces.count < 2_500
    assert not nonces.use("19999", 20_009, 20_000)


def test_the_hash_of_a_book_does_not_depend_on_the_order_it_is_kept_in() -> None:
    a, b = Position(symbol="A/U", qty=Decimal(1)), Position(symbol="B/U", qty=Decimal(2))
    one = Portfolio(quote="U", cash={"U": Decimal(1), "A": Decimal(2)}, positions={"A/U": a, "B/U": b})
    two = Portfolio(quote="U", cash={"A": Decimal(2), "U": Decimal(1)}, positions={"B/U": b, "A/U": a})
    more = msgspec.structs.replace(one, cash={"U": Decimal(1), "A": Decimal("2.1")})
    assert book_hash(one) == book_hash(two) != book_hash(more)
