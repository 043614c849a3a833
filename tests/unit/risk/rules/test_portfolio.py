"""A case becomes facts with nothing invented, and the portfolio book answers the gate's port."""

from decimal import Decimal

import numpy as np
import pytest

from seakeep.core.account import Portfolio, Position
from seakeep.core.beliefs import Sentiment
from seakeep.core.errors import RuleBookError
from seakeep.core.market import Instrument
from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case, History, MarketFacts, ModelHealth
from seakeep.risk.limits import Limits
from seakeep.risk.review import review
from seakeep.risk.rules.balance import shipped_judge
from seakeep.risk.rules.book import read_book
from seakeep.risk.rules.environment import WarmBook
from seakeep.risk.rules.portfolio import PortfolioRules, case_rows, decision_rows
from seakeep.risk.rules.vocabulary import PORTFOLIO

BTC, ETH = (Instrument(symbol=f"{base}/USDT", base=base, quote="USDT") for base in ("BTC", "ETH"))


def snapshot(**known):
    base = {"ts": 0, "equity": 10_000.0, "drawdown": 0.0, "daily_loss": 0.0, "gross": 0.05}
    return RiskSnapshot(**base | {"exposure": (("ETH/USDT", 0.05),)} | known)


def candidate(target=0.1, held=0.0, stop=None, targets=(), instrument=BTC):
    decision = Decision("d1", "trend", instrument.symbol, 0, target, 0.7, 0.8, ())
    return Candidate(decision=decision, instrument=instrument, held=held, mark=100.0, stop=stop, targets=targets)


def case(*candidates, **known):
    base = {
        "snapshot": snapshot(),
        "candidates": candidates or (candidate(),),
        "limits": Limits(),
        "breaker": BreakerState.NORMAL,
        "instruments": {"BTC/USDT": BTC, "ETH/USDT": ETH},
        "markets": {},
        "portfolio": Portfolio(quote="USDT", cash={"USDT": Decimal(10_000)}),
    }
    return Case(**base | known)


def market(**known):
    return {"BTC/USDT": MarketFacts(symbol="BTC/USDT", mark=100.0, seen=0, age_bars=0.0, **known)}


def slots(rows, template, n=0):
    names = [slot.name for slot in PORTFOLIO.templates[template].slots]
    return dict(zip(names, [values for name, values in rows if name == template][n], strict=True))


def rules(asked):
    return [[hit.rule for hit in hits] for hits in PortfolioRules(shipped_judge("portfolio")).judge(asked)]


def test_facts_of_a_candidate_follow_from_its_prices():
    fact = slots(case_rows(case(candidate(0.1, stop=95.0, targets=((110.0, 1.0),)))), "candidate")
    assert fact["stop-distance"] == pytest.approx(0.05)
    assert fact["reward-risk"] == pytest.approx(2.0)
    assert fact["loss-at-stop"] == pytest.approx(0.005)
    assert (fact["side"], fact["adds"], fact["flips"], fact["margined"]) == ("BUY", "TRUE", "FALSE", "FALSE")


def test_what_is_not_known_stays_nil():
    rows = case_rows(case(candidate(float("nan"))))
    assert {name for name, _ in rows} == {"account", "candidate", "position"}
    assert slots(rows, "account")["cvar"] is None
    assert slots(rows, "candidate")["target"] is None


def test_shares_of_volume_count_what_was_already_traded():
    fact = slots(case_rows(case(markets=market(volume_1h=20_000.0, volume_24h=100_000.0, traded_1h=1_000.0))), "market")
    assert (fact["share-1h"], fact["share-24h"]) == (0.1, 0.01)


def test_correlations_are_those_of_numpy_and_need_thirty_days():
    returns = np.random.default_rng(1).normal(size=(40, 2))
    returns[3, 0] = np.nan
    history = History(("BTC/USDT", "ETH/USDT"), returns)
    known = returns[np.isfinite(returns).all(axis=1)]
    fact = slots(case_rows(case(history=history)), "pair")
    assert fact["correlation"] == pytest.approx(np.corrcoef(known.T)[0, 1], abs=1e-12)
    short = case_rows(case(history=History(history.symbols, returns[:20])))
    assert slots(short, "pair")["correlation"] is None


def test_the_unrealised_result_is_a_share_of_the_cost():
    held = Position(symbol="BTC/USDT", qty=Decimal(2), cost=Decimal(250))
    book = Portfolio(quote="USDT", cash={}, positions={"BTC/USDT": held})
    asked = case(candidate(0.1, held=0.02), portfolio=book)
    assert slots(case_rows(asked), "candidate")["pnl"] == pytest.approx(-0.2)
    assert rules(asked) == [["adding_to_a_loser"]]


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        ({"markets": market(spread=0.02)}, "wide_spread"),
        ({"markets": market(volatility=0.2)}, "wild_market"),
        ({"snapshot": snapshot(p_ruin=0.02)}, "ruin_likely"),
        ({"sentiment": {"BTC/USDT": Sentiment("BTC/USDT", 0, -0.9, 10, 0.9)}}, "against_the_mood"),
        ({"models": (ModelHealth("ma", "BTC/USDT", 0.1),)}, "experts_silent"),
    ],
)
def test_circumstances_reach_the_rules_and_never_stop_a_reduction(known, rule):
    assert rules(case(**known)) == [[rule]]
    assert rules(case(candidate(0.05, held=0.1), **known)) == [[]]


def test_each_candidate_gets_its_own_hits_with_numbers_and_words():
    asked = case(candidate(0.02, instrument=ETH), candidate(0.1), markets=market(volatility=0.2))
    calm, wild = PortfolioRules(shipped_judge("portfolio")).judge(asked)
    assert calm == ()
    assert [(hit.severity, hit.value, hit.limit) for hit in wild] == [("resize", 2.0, 0.05)]
    assert "BTC/USDT" in wild[0].message


def test_the_gate_takes_the_book_at_its_word():
    book = PortfolioRules(shipped_judge("portfolio"))
    refused = review(case(markets=market(spread=0.02)), book)[0]
    assert refused.outcome is Outcome.REFUSED
    assert "wide_spread" in [hit.rule for hit in refused.hits]
    closing = review(case(candidate(0.0, held=0.1), markets=market(spread=0.02)), book)[0]
    assert (closing.outcome, closing.target) == (Outcome.APPROVED, 0.0)


def test_a_rule_that_fails_blocks_every_candidate_and_the_others_still_speak():
    text = ";@book x\n;@facts portfolio\n;@id ok\n;@severity info\n;@text fine {name}\n"
    text += "(defrule ok (declare (salience -1)) (candidate (n ?n)) => (assert (finding (rule ok) (n ?n))))\n"
    text += "(defrule bad (account (equity ?e)) => (bind ?x (/ ?e 0)))"
    judged = PortfolioRules(WarmBook(read_book(text, "x.clp"))).judge(case(candidate(), candidate(instrument=ETH)))
    assert [[(hit.rule, hit.severity) for hit in hits] for hits in judged] == [
        [("rule_book_fault", "block"), ("ok", "info")]
    ] * 2
    assert "bad" in judged[0][0].message


def test_a_book_of_other_facts_is_refused_and_the_version_names_its_content():
    with pytest.raises(RuleBookError, match=r"no book for the gate.*crypto"):
        PortfolioRules(shipped_judge("crypto"))
    assert PortfolioRules(shipped_judge("portfolio")).version.startswith("portfolio@")


def test_a_recorded_decision_gives_the_facts_the_ledger_keeps():
    asked = candidate(-0.05, held=0.05, instrument=ETH)
    rows = decision_rows(asked.decision, snapshot(cvar=0.03))
    live = case_rows(case(asked, snapshot=snapshot(cvar=0.03)))
    for name in ("held", "target", "adds", "flips", "side", "added"):
        assert slots(rows, "candidate")[name] == slots(live, "candidate")[name]
    assert slots(rows, "account")["cvar"] == 0.03
