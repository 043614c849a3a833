"""Small cases for the gate's tests: an account, its markets, and what is asked."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from seakeep.core.account import Portfolio
from seakeep.core.market import Float64, Instrument, InstrumentKind
from seakeep.core.verdicts import Decision, RiskSnapshot
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case, History, MarketFacts
from seakeep.risk.limits import Limits
from seakeep.risk.measures import history_from

LOOSE = Limits.static()


def perpetual(symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol, base=symbol.partition("/")[0], quote="U", kind=InstrumentKind.PERPETUAL, max_leverage=Decimal(50)
    )


def ask(symbol: str, target: float) -> Decision:
    return Decision(f"d-{symbol}", "s", symbol, 0, target, 1.0, 1.0, (("s", 1.0),))


def facts(symbol: str, **known: float) -> MarketFacts:
    usual = {"mark": 100.0, "seen": 0, "age_bars": 0.0, "volume_1h": 1e12, "volume_24h": 24e12}
    return MarketFacts(symbol=symbol, **(usual | known))  # type: ignore[arg-type]


def account(equity: float = 1000.0, **exposure: float) -> RiskSnapshot:
    gross = sum(abs(w) for w in exposure.values())
    return RiskSnapshot(0, equity, 0.0, 0.0, gross, tuple(exposure.items()))


def history(symbols: Sequence[str], returns: Float64, limits: Limits = LOOSE) -> History:
    return history_from(tuple(symbols), returns, limits)


def independent(symbols: Sequence[str], days: int = 250, std: float = 0.02, seed: int = 7) -> History:
    return history(symbols, np.random.default_rng(seed).normal(0.0, std, (days, len(symbols))))


def case(
    decisions: Sequence[Decision],
    snapshot: RiskSnapshot | None = None,
    limits: Limits = LOOSE,
    breaker: BreakerState = BreakerState.NORMAL,
    *,
    stops: Mapping[str, float] | None = None,
    **parts: object,
) -> Case:
    seen = account() if snapshot is None else snapshot
    held = dict(seen.exposure)
    symbols = [d.symbol for d in decisions] + list(held)
    instruments = {s: perpetual(s) for s in symbols}
    candidates = tuple(
        Candidate(
            decision=d,
            instrument=instruments[d.symbol],
            held=held.get(d.symbol, 0.0),
            mark=100.0,
            stop=(stops or {}).get(d.symbol),
        )
        for d in decisions
    )
    chosen: dict[str, object] = {
        "markets": {s: facts(s) for s in symbols},
        "portfolio": Portfolio(quote="U", cash={"U": Decimal(1000)}),
        "instruments": instruments,
    }
    return Case(
        snapshot=seen,
        candidates=candidates,
        limits=limits,
        breaker=breaker,
        **(chosen | parts),  # type: ignore[arg-type]
    )
