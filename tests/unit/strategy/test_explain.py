"""Parts add up at every level, sentences carry the numbers, and the record has the shape other programs read."""

import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.beliefs import Sentiment
from seakeep.core.verdicts import Decision, Outcome, RiskVerdict, RuleHit
from seakeep.strategy.explain import (
    USUAL,
    Part,
    Reasons,
    SelectedStrategy,
    Voice,
    by_group,
    divide,
    sentences,
    trading_signal,
)

FINITE = st.floats(-1, 1, allow_nan=False)


def _reasons(*voices, silent=()):
    score = math.fsum(v.contribution for v in voices)
    return Reasons("BTC/USDT", 1_706_000_000_000, score, 0.8, voices, tuple(silent))


RSI = Voice("rsi", "momentum", 0.5, 0.9, 0.012, 0.03, 0.61, (Part("rsi:14", "momentum", 71.0, 0.5),), "linear, exact")
TONE = Voice("news", "sentiment", -0.1, 0.4, parts=(Part("tone", "social", -0.2, -0.1, 0.01),))


@given(contribution=FINITE, values=st.lists(FINITE, min_size=1, max_size=20), base=FINITE)
def test_divided_parts_add_up_to_the_contribution(contribution, values, base):
    parts = divide(contribution, values, base, [0.0] * len(values))
    assert math.isclose(math.fsum(p for p, _ in parts), contribution, rel_tol=1e-12, abs_tol=1e-15)
    assert len(parts) == len(values) + 1


def test_a_forecast_whose_parts_cancel_gives_all_to_what_is_usual():
    assert divide(0.3, [0.1, -0.1], 0.0, [0.0, 0.0]) == [(0.0, 0.0), (0.0, 0.0), (0.3, 0.0)]


def test_groups_add_up_to_the_score():
    reasons = _reasons(RSI, TONE)
    assert by_group(reasons) == (("momentum", 0.5), ("social", -0.1))
    assert math.fsum(v for _, v in by_group(reasons)) == reasons.score


def test_sentences_carry_the_numbers_and_name_who_was_against_and_who_was_silent():
    said = sentences(_reasons(RSI, TONE, silent=[("garch", "it has no direction")]))
    assert said[0] == "BTC/USDT at 2024-01-23T08:53:20Z: score +0.400, confidence 0.80."
    assert said[1].startswith("rsi (momentum) adds +0.500: it expects +1.20% within 3.00%, a rise with probability 61%")
    assert "tone at -0.2 -0.100 (+-0.020)" in said[2]
    assert said[3] == "Against it: news, -0.100 together."
    assert said[4] == "garch was silent: it has no direction."
    assert sentences(_reasons())[0].endswith("nobody had an opinion.")


def test_the_record_of_a_signal_has_every_field_and_invents_nothing():
    record = msgspec.to_builtins(trading_signal(_reasons(RSI, TONE), SelectedStrategy("trend", "technical")))
    assert list(record) == [
        "decision", "confidence", "reasoning", "risk_level", "key_indicators", "social_impact", "timestamp", "symbol",
        "model_version", "model_id", "selected_strategy", "explanation", "factor_weights",
    ]  # fmt: skip
    assert record["decision"] == "HOLD"
    assert record["factor_weights"]["technical_indicators"] == {"rsi:14": 0.5 / 0.6}
    assert record["factor_weights"]["social_metrics"] == {"tone": 0.1 / 0.6}
    unknown = ("risk_level", "social_impact", "model_id")
    assert [record[name] for name in unknown] == [None] * 3
    assert record["explanation"]["social_lead_lag"] is None


def test_the_risk_level_is_what_the_gate_did():
    decision = Decision("r-d1", "trend", "BTC/USDT", 1, 0.1, 0.4, 0.8, ())
    strategy, tone = SelectedStrategy("trend", "technical"), Sentiment("BTC/USDT", 1, 0.5, 12, 0.9)
    hit = RuleHit("max_weight", "block", 0.2, 0.1, "too large")
    levels = {}
    for outcome, hits in ((Outcome.APPROVED, ()), (Outcome.RESIZED, ()), (Outcome.REFUSED, (hit,))):
        signal = trading_signal(
            _reasons(RSI), strategy, decision, RiskVerdict("r-d1", "BTC/USDT", 1, outcome, 0.1, None, None, hits), tone
        )
        levels[outcome] = signal.risk_level
        assert signal.decision == "BUY"
        assert signal.social_impact == "sentiment +0.50 of 12 texts"
    assert levels == {Outcome.APPROVED: "LOW", Outcome.RESIZED: "MEDIUM", Outcome.REFUSED: "HIGH"}
    assert "max_weight: too large (0.2 against 0.1)" in signal.explanation.risk_assessment


def test_what_is_usual_is_no_indicator():
    voice = Voice("hmm", "ml", 0.2, 0.5, parts=(Part(USUAL, "ml", None, 0.2),))
    assert trading_signal(_reasons(voice), SelectedStrategy("trend", "technical")).key_indicators == ()
