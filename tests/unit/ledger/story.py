"""A seeded run that adds up: what the ledger's tests write."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from seakeep.core.account import Portfolio
from seakeep.core.events import Control, Event, Filled, Funded, Record, Slice
from seakeep.core.market import Bar
from seakeep.core.orders import Fill, Liquidity, Order, OrderType, Side, Status
from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot, RiskVerdict, RuleHit
from seakeep.execution.accounting import apply_fill, apply_funding

SYMBOL = "BTC/USDT:USDT"
START_MS = 1_700_000_000_000
STEP_MS = 300_000

Kept = tuple[Event, tuple[Record, ...]]


def story(steps: int, seed: int = 7) -> list[Kept]:
    """Entries of a run of `steps` bars: every third decides and trades, every tenth pays funding."""
    return list(_story(steps, np.random.default_rng(seed)))


def _story(steps: int, rng: np.random.Generator) -> Iterator[Kept]:
    book = Portfolio(quote="USDT", cash={"USDT": Decimal(10_000)})
    price = 100.0
    yield Control(START_MS, "resume", "Übung ☂ \x00 start"), ()
    for i in range(1, steps + 1):
        ts, price = START_MS + i * STEP_MS, price * float(np.exp(rng.normal(0, 0.01)))
        decided = _decided(i, ts, price) if i % 3 == 0 else ()
        bar = Bar(SYMBOL, "5m", ts - STEP_MS, ts, price, price * 1.01, price * 0.99, price, float(rng.uniform(1, 9)))
        yield Slice(ts, (bar,)), (_snapshot(ts, book, price), *decided)
        if decided:
            fill = _fill(i, ts, price, int(rng.integers(-300, 300)) or 1)
            book = apply_fill(book, fill)
            yield Filled(ts + 1, fill), ()
        if i % 10 == 0:
            amount = Decimal(int(rng.integers(-100, 100))) / 100
            book = apply_funding(book, SYMBOL, amount)
            yield Funded(ts + 2, SYMBOL, 0.0001, amount), ()


def _snapshot(ts: int, book: Portfolio, price: float) -> RiskSnapshot:
    value = sum(float(p.qty) for p in book.positions.values()) * price
    equity = float(book.cash["USDT"]) + value
    return RiskSnapshot(ts, equity, 0.0, 0.0, abs(value) / equity, ((SYMBOL, value / equity),), cvar=0.05)


def _decided(i: int, ts: int, price: float) -> tuple[Record, ...]:
    hit = RuleHit("max_weight", "warn", 0.2, 0.1, "cut to the limit")
    verdict = RiskVerdict(f"r-d{i}", SYMBOL, ts, Outcome.RESIZED, 0.1, price * 0.9, None, (hit,), flip="a smaller wish")
    order = Order(
        id=f"r-o{i}",
        parent_id=f"r-p{i}",
        decision_id=f"r-d{i}",
        symbol=SYMBOL,
        venue="sim",
        side=Side.BUY,
        type=OrderType.LIMIT,
        qty=Decimal("0.100"),
        ts=ts,
        price=Decimal(repr(round(price, 2))),
        reduce_only=i % 2 == 0,
        status=Status.SUBMITTED,
    )
    return Decision(f"r-d{i}", "trend", SYMBOL, ts, 0.2, 0.7, 0.9, (("ma", 0.4), ("rsi", 0.3))), verdict, order


def _fill(i: int, ts: int, price: float, lots: int) -> Fill:
    at = Decimal(repr(round(price, 2)))
    return Fill(
        id=f"f{i}",
        order_id=f"r-o{i}",
        symbol=SYMBOL,
        ts=ts + 1,
        side=Side.BUY if lots > 0 else Side.SELL,
        price=at,
        qty=Decimal(abs(lots)) / 1000,
        fee=Decimal("0.0123"),
        fee_asset="USDT",
        liquidity=Liquidity.TAKER,
        mid=at,
    )
