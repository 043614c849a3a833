"""A small finished run to show: a seeded random walk, bought and sold on a fixed beat, judged by the real gate."""

from decimal import Decimal

import numpy as np

from seakeep.backtest.result import Result, buy_and_hold, curves
from seakeep.core.account import Portfolio
from seakeep.core.market import BarFrame, Instrument
from seakeep.core.orders import Fill, Liquidity, Order, OrderType, Side, Status
from seakeep.core.units import interval_ms
from seakeep.core.verdicts import Decision, RiskSnapshot
from seakeep.execution.trips import round_trips
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case, MarketFacts
from seakeep.risk.limits import Limits
from seakeep.risk.review import review
from seakeep.stats.performance import Trades, measure

START = 1_704_067_200_000
CASH = 10_000.0
LIMITS = Limits.static(max_weight=0.10, max_gross=1.0)


def before_the_gate(decision: Decision, snapshot: RiskSnapshot, mark: float) -> Case:
    """One decision in a market deep enough to take it."""
    base, _, quote = decision.symbol.partition("/")
    instrument = Instrument(symbol=decision.symbol, base=base, quote=quote)
    held = dict(snapshot.exposure).get(decision.symbol, 0.0)
    facts = MarketFacts(symbol=decision.symbol, mark=mark, seen=decision.ts, age_bars=0.0, volume_1h=1e9)
    return Case(
        snapshot=snapshot,
        candidates=(Candidate(decision=decision, instrument=instrument, held=held, mark=mark),),
        limits=LIMITS,
        breaker=BreakerState.NORMAL,
        instruments={decision.symbol: instrument},
        markets={decision.symbol: facts},
        portfolio=Portfolio(quote=quote, cash={quote: Decimal(int(CASH))}),
    )


def walk(symbol: str, bars: int, interval: str, seed: int = 1, drift: float = 0.0) -> BarFrame:
    """Bars of a random walk from 100."""
    steps = np.random.default_rng([seed, *symbol.encode()]).normal(drift, 0.002, bars)
    close = 100 * np.exp(np.cumsum(steps))
    first = np.append(100.0, close[:-1])
    high, low = np.maximum(first, close) * 1.001, np.minimum(first, close) * 0.999
    return BarFrame(
        symbol, interval, START + np.arange(bars) * interval_ms(interval), first, high, low, close, np.full(bars, 10.0)
    )


def make(
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT"),
    bars: int = 240,
    interval: str = "1h",
    every: int = 20,
    drift: float = 0.0,
    strategy: str = "beat",
) -> Result:
    """A run that opens and closes each symbol in turn; `every` 0 never trades."""
    frames = {symbol: walk(symbol, bars, interval, drift=drift) for symbol in symbols}
    decisions, verdicts, orders, fills, snapshots = [], [], [], [], []
    cash, held = CASH, dict.fromkeys(symbols, 0.0)
    for i, ts in enumerate(frames[symbols[0]].known_at.tolist()):
        marks = {symbol: float(frame.close[i]) for symbol, frame in frames.items()}
        equity = cash + sum(held[s] * marks[s] for s in symbols)
        weights = tuple((s, held[s] * marks[s] / equity) for s in symbols if held[s])
        gross = sum(abs(w) for _, w in weights)
        snapshot = RiskSnapshot(ts, equity, 0.0, 0.0, gross, weights)
        snapshots.append(snapshot)
        for j, symbol in enumerate(symbols):
            if not every or (i + 3 * j) % every:
                continue
            side = Side.SELL if held[symbol] else Side.BUY
            target, n = (0.0 if held[symbol] else 0.05 + 0.03 * (i // every % 4)), len(decisions) + 1
            parts = (("trend", 0.4), ("reversion", -0.1))
            decision = Decision(f"d{n}", strategy, symbol, ts, target, 0.3, 0.7, parts)
            (verdict,) = review(before_the_gate(decision, snapshot, marks[symbol]))
            decisions.append(decision)
            verdicts.append(verdict)
            mid = Decimal(repr(round(marks[symbol], 2)))
            price = mid + side.sign * Decimal("0.01")
            qty = Decimal(repr(round(abs(verdict.target) * equity / marks[symbol], 3)))
            qty = Decimal(repr(round(held[symbol], 3))) if held[symbol] else qty
            orders.append(
                Order(
                    id=f"o{n}",
                    parent_id=f"p{n}",
                    decision_id=decision.id,
                    symbol=symbol,
                    venue="sim",
                    side=side,
                    type=OrderType.MARKET,
                    qty=qty,
                    ts=ts,
                    status=Status.FILLED,
                    filled=qty,
                )
            )
            fills.append(
                Fill(
                    id=f"f{n}",
                    order_id=f"o{n}",
                    symbol=symbol,
                    ts=ts,
                    side=side,
                    price=price,
                    qty=qty,
                    fee=price * qty / 1000,
                    fee_asset="USDT",
                    liquidity=Liquidity.TAKER,
                    mid=mid,
                )
            )
            cash -= float(price * qty * side.sign + fills[-1].fee)
            held[symbol] += float(qty) * side.sign
            held[symbol] = 0.0 if abs(held[symbol]) < 1e-9 else held[symbol]
    account = curves(snapshots, symbols)
    trips = round_trips(fills)
    columns = (np.array([float(getattr(t, name)) for t in trips]) for name in ("pnl", "ret", "duration_ms"))
    benchmark = buy_and_hold(frames, account.ts, CASH)
    traded = float(sum(fill.price * fill.qty for fill in fills))
    return Result(
        run_id="run-1",
        strategy=strategy,
        symbols=symbols,
        interval=interval,
        quote="USDT",
        initial_cash=CASH,
        curves=account,
        benchmark=benchmark,
        fills=tuple(fills),
        orders=tuple(orders),
        decisions=tuple(decisions),
        verdicts=tuple(verdicts),
        trips=trips,
        bars=frames,
        metrics=measure(account.ts, account.equity, Trades(*columns), account.gross, traded),
        benchmark_metrics=measure(account.ts, benchmark),
        manifest={
            "run_id": "run-1",
            "seed": 1,
            "settings": {"run": {"symbols": list(symbols), "interval": interval}},
            "data": {s: {"bars": bars, "sha256": "0" * 64} for s in symbols},
            "versions": {"python": "3.13.1"},
        },
    )
