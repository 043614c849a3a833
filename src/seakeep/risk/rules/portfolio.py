"""The portfolio book: a rule book over the gate's `Case`, and how a case becomes facts."""

import math
from typing import Any

import numpy as np

from seakeep.core.errors import RuleBookError
from seakeep.core.market import Float64
from seakeep.core.verdicts import Decision, RiskSnapshot, RuleHit
from seakeep.risk.case import Candidate, Case, MarketFacts, reduces
from seakeep.risk.rules.balance import fill
from seakeep.risk.rules.book import Book
from seakeep.risk.rules.findings import Fault, Finding, Judge
from seakeep.risk.rules.vocabulary import PORTFOLIO, Row, Rows, Value

__all__ = ["PortfolioRules", "candidate_rows", "case_rows", "decision_rows"]

LEAST_DAYS = 30
"""Days both symbols must have a return on before a correlation becomes a fact."""


class PortfolioRules:
    """A judge of portfolio facts as the gate's `RuleBook`."""

    def __init__(self, judge: Judge) -> None:
        """Raises: RuleBookError if the book speaks of other facts."""
        if judge.book.vocabulary.name != PORTFOLIO.name:
            remedy = f"it must begin with ;@facts {PORTFOLIO.name}"
            raise RuleBookError(f"{judge.book.file} is no book for the gate", value=judge.book.name, remedy=remedy)
        self._judge = judge

    @property
    def book(self) -> Book:
        """The book that judges now."""
        return self._judge.book

    @property
    def version(self) -> str:
        """Name and content hash of the book."""
        return self._judge.book.version

    def judge(self, case: Case) -> tuple[tuple[RuleHit, ...], ...]:
        """The hits of each candidate; one about no candidate in particular is told to all.

        A rule that failed or was stopped is itself a hit that blocks: the other rules still speak, and the verdict
        fails closed. A finding without numbers is 1 where 0 is allowed.
        """
        if not case.candidates:
            return ()
        found = self._judge.judge(case_rows(case))
        symbols = [candidate.symbol for candidate in case.candidates]
        hits: list[list[RuleHit]] = [[_fault(fault) for fault in found.faults] for _ in symbols]
        for finding in found.findings:
            for n in [finding.n] if 0 <= finding.n < len(symbols) else range(len(symbols)):
                hits[n].append(self._hit(finding, symbols[n]))
        return tuple(tuple(own) for own in hits)

    def _hit(self, finding: Finding, symbol: str) -> RuleHit:
        rule = self._judge.book.rules.get(finding.rule)
        value, limit = 1.0 if finding.value is None else finding.value, finding.limit or 0.0
        if rule is None:
            return RuleHit(finding.rule, "block", value, limit, "a finding of no rule in the book")
        words: dict[str, str | float | None] = {
            "name": symbol,
            "value": value,
            "limit": limit,
            "amount": finding.amount,
        }
        return RuleHit(rule.id, rule.severity or "block", value, limit, fill(rule.text or rule.id, words))


def _fault(fault: Fault) -> RuleHit:
    name = f"rule {fault.rule}" if fault.rule else "the rule book"
    return RuleHit("rule_book_fault", "block", 1.0, 0.0, f"{name} failed: {fault.what}")


def case_rows(case: Case) -> Rows:
    """Every fact of a case; a number that is not known, or not finite, is None."""
    facts = [_account(case), *_positions(case), *_orders(case)]
    for n, candidate in enumerate(case.candidates):
        facts.append(_candidate(n, candidate, case))
        market = case.markets.get(candidate.symbol)
        if market is not None:
            facts.append(_market(n, candidate, market, case.snapshot.equity))
        mood = case.sentiment.get(candidate.symbol)
        if mood is not None:
            facts.append(_fact("sentiment", n, mood.symbol, mood.score, mood.volume, mood.confidence))
        facts.extend(_fact("model", n, m.expert, m.share) for m in case.models if m.symbol == candidate.symbol)
    return facts + _pairs(case)


def candidate_rows(case: Case, n: int) -> Rows:
    """The facts of a case that bear on one candidate alone, as if nothing else were asked: it becomes number 0."""
    facts: Rows = []
    for template, values in case_rows(case):
        if PORTFOLIO.templates[template].slots[0].name != "n":
            facts.append((template, values))
        elif values[0] == n:
            facts.append((template, (0, *values[1:])))
    return facts


def _fact(template: str, *values: Any) -> tuple[str, tuple[Value, ...]]:
    return template, tuple(None if isinstance(v, float) and not math.isfinite(v) else v for v in values)


def _flag(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _account(case: Case) -> tuple[str, tuple[Value, ...]]:
    s = case.snapshot
    net = float(sum(weight for _, weight in s.exposure))
    losses = (s.equity, s.drawdown, s.daily_loss, s.gross, net)
    tails = (s.var, s.cvar, s.volatility, s.correlated_exposure, s.p_ruin)
    return _fact("account", *losses, *tails, str(case.breaker), case.limit_share)


def _positions(case: Case) -> Rows:
    return [_fact("position", s, weight, _flag(case.margined(s))) for s, weight in case.snapshot.exposure]


def _orders(case: Case) -> Rows:
    counts: dict[str, int] = {}
    for order in case.orders:
        counts[order.symbol] = counts.get(order.symbol, 0) + 1
    return [_fact("orders", symbol, float(count)) for symbol, count in counts.items()]


def _candidate(n: int, candidate: Candidate, case: Case) -> tuple[str, tuple[Value, ...]]:
    decision, mark = candidate.decision, candidate.mark
    stop = abs(mark - candidate.stop) / mark if candidate.stop is not None and mark > 0 else None
    take = abs(candidate.take_profit - mark) / mark if candidate.take_profit is not None and mark > 0 else None
    words = (
        decision.symbol,
        decision.strategy,
        decision.regime,
        "BUY" if decision.target > candidate.held else "SELL",
        _flag(not candidate.reduces),
        _flag(candidate.held * decision.target < 0),
        _flag(case.margined(decision.symbol)),
    )
    numbers = (
        decision.target,
        candidate.held,
        abs(decision.target - candidate.base),
        decision.score,
        decision.confidence,
        stop,
        take,
        take / stop if take is not None and stop else None,
        abs(decision.target) * stop if stop is not None else None,
        _pnl(candidate, case),
    )
    return _fact("candidate", n, *words, *numbers)


def _pnl(candidate: Candidate, case: Case) -> float | None:
    """Unrealised result of what is held, as a share of what it cost."""
    held = case.portfolio.positions.get(candidate.symbol)
    if held is None or not held.cost:
        return None
    return (float(held.qty) * candidate.mark - float(held.cost)) / abs(float(held.cost))


def _market(n: int, candidate: Candidate, market: MarketFacts, equity: float) -> tuple[str, tuple[Value, ...]]:
    order = abs(candidate.decision.target - candidate.base) * equity
    hour = (market.traded_1h + order) / market.volume_1h if market.volume_1h else None
    day = order / market.volume_24h if market.volume_24h else None
    volumes = (market.age_bars, market.volume_1h, market.volume_24h, market.traded_1h, hour, day)
    return _fact("market", n, market.symbol, *volumes, market.volatility, market.atr, market.spread)


def _pairs(case: Case) -> Rows:
    """The correlation of each candidate's daily returns with those of everything else that is held."""
    if case.history is None:
        return []
    place = {symbol: column for column, symbol in enumerate(case.history.symbols)}
    table = _correlations(case.history.returns)
    facts: Rows = []
    for n, candidate in enumerate(case.candidates):
        own = place.get(candidate.symbol)
        for symbol, weight in case.snapshot.exposure:
            other = place.get(symbol)
            if symbol != candidate.symbol and own is not None and other is not None:
                same = _flag(weight * candidate.decision.target > 0)
                facts.append(_fact("pair", n, symbol, float(table[own, other]), weight, same))
    return facts


def _correlations(returns: Float64) -> Float64:
    """Correlations (k, k) of returns (n, k), each over the rows both have; NaN below `LEAST_DAYS` of them."""
    known = np.isfinite(returns)
    counts = known.sum(axis=0)
    means = np.where(known, returns, 0.0).sum(axis=0) / np.maximum(counts, 1)
    x, m = np.where(known, returns - means, 0.0), known.astype(np.float64)
    both, sums, squares = m.T @ m, x.T @ m, (x * x).T @ m
    spread = both * squares - sums * sums
    with np.errstate(divide="ignore", invalid="ignore"):
        table = (both * (x.T @ x) - sums * sums.T) / np.sqrt(spread * spread.T)
    moves = spread > 1e-20 * both * both
    return np.where((both >= LEAST_DAYS) & moves & moves.T, table, np.nan)


def decision_rows(decision: Decision, snapshot: RiskSnapshot) -> Rows:
    """The facts that a ledger's read models keep of one decision: the account and the candidate, no market."""
    held, s = dict(snapshot.exposure).get(decision.symbol, 0.0), snapshot
    account = {
        "equity": s.equity,
        "drawdown": s.drawdown,
        "daily-loss": s.daily_loss,
        "gross": s.gross,
        "net": float(sum(weight for _, weight in s.exposure)),
        "var": s.var,
        "cvar": s.cvar,
        "volatility": s.volatility,
        "correlated": s.correlated_exposure,
        "p-ruin": s.p_ruin,
        "breaker": s.breaker,
    }
    base = held if held * decision.target > 0 else 0.0
    candidate = {
        "n": 0,
        "symbol": decision.symbol,
        "strategy": decision.strategy,
        "regime": decision.regime,
        "side": "BUY" if decision.target > held else "SELL",
        "adds": _flag(not reduces(held, decision.target)),
        "flips": _flag(held * decision.target < 0),
        "margined": _flag(":" in decision.symbol),
        "target": decision.target,
        "held": held,
        "added": abs(decision.target - base),
        "score": decision.score,
        "confidence": decision.confidence,
    }
    weights = [_named("position", {"symbol": symbol, "weight": weight}) for symbol, weight in s.exposure]
    return [_named("account", account), _named("candidate", candidate), *weights]


def _named(template: str, values: dict[str, Any]) -> Row:
    return _fact(template, *(values.get(slot.name) for slot in PORTFOLIO.templates[template].slots))
