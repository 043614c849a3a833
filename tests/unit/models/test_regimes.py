"""Regimes: rules as written, labels that cannot swap, filtered, late by at most a stated delay, honest when unsure."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConvergenceError, NotEnoughHistory, NotFitted
from seakeep.core.market import BarFrame
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.features.frame import build
from seakeep.models.clusters import anchor
from seakeep.models.regimeperformance import by_regime
from seakeep.models.regimerules import RegimeRules
from seakeep.models.regimes import LABELS, REGIMES, as_record

HOUR = 3_600_000
LEARNT = ("kmeans", "gmm", "hmm", "vote")


def bars(returns, interval="1h", step=HOUR):
    close = 100 * np.exp(np.cumsum(returns))
    return BarFrame("A/B", interval, step * np.arange(len(close)), *([close] * 4), np.ones(len(close)))


def framed(model, returns, **shape):
    return build(bars(returns, **shape), model.features)


def cut(frame, start, stop):
    return FeatureFrame(frame.symbol, frame.ts[start:stop], frame.names, frame.values[start:stop])


def noise(n, scale=0.005, seed=1):
    return scale * np.random.default_rng(seed).standard_normal(n)


@pytest.fixture(scope="module")
def market():
    return generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=200, interval="1h", seed=1))


@pytest.mark.parametrize(
    ("returns", "label"),
    [
        (0.002 + noise(80, 0.0005), "bull"),
        (-0.002 + noise(80, 0.0005), "bear"),
        (np.resize([0.0005, -0.0005], 80), "ranging"),
        (noise(80, 0.02), "volatile"),
    ],
)
def test_the_first_rule_that_matches_names_the_regime(returns, label):
    rules = RegimeRules(interval="1h")
    assert LABELS[rules.matched(framed(rules, returns), np.array([79]))[0]] == label
    assert rules.matched(framed(rules, returns), np.array([20])).tolist() == [-1]


def test_rules_see_the_same_hours_through_bars_of_five_minutes():
    hourly, rules = 0.002 + noise(100, 0.0005), RegimeRules(interval="5m")
    fine = framed(rules, np.repeat(hourly / 12, 12), interval="5m", step=HOUR // 12)
    coarse = RegimeRules(interval="1h")
    wanted = coarse.matched(framed(coarse, hourly), np.arange(70, 100))
    assert rules.matched(fine, 12 * np.arange(70, 100) + 11).tolist() == wanted.tolist()


@given(st.permutations(range(5)), st.integers(0, 2**32))
def test_no_order_of_the_states_swaps_what_they_are_called(order, seed):
    rng = np.random.default_rng(seed)
    means, shares = rng.standard_normal((5, 2)), rng.dirichlet(np.ones(5))
    np.testing.assert_allclose(anchor(means[order], shares[order]), anchor(means, shares)[order], rtol=1e-12)


@pytest.mark.parametrize("name", LEARNT)
def test_the_seed_never_turns_a_rise_into_a_fall(name):
    drift = np.repeat(np.resize([0.002, -0.002, 0.0], 12), 200)
    for seed in range(3):
        model = REGIMES[name](interval="1h")
        frame = framed(model, drift + noise(2_400))
        codes = model.fit(frame, seed).classify(frame).codes
        assert not (codes[drift > 0] == LABELS.index("bear"))[600:].mean() > 0.2
        assert (codes[(drift > 0) & (np.arange(2_400) % 200 > 100)] == 0).mean() > 0.6
        assert (codes[(drift < 0) & (np.arange(2_400) % 200 > 100)] == 1).mean() > 0.6


@pytest.mark.parametrize("name", LEARNT)
def test_the_future_and_the_distant_past_change_nothing(name, market):
    model = REGIMES[name](interval="1h")
    frame = build(market.frames["BTC/USDT"], model.features)
    whole = model.fit(cut(frame, 0, 3_000), 1).classify(frame)
    part = model.classify(cut(frame, 0, 3_700))
    np.testing.assert_array_equal(part.probs, whole.probs[:3_700])
    np.testing.assert_array_equal(part.codes, whole.codes[:3_700])
    window = cut(frame, 4_000 - model.lookback, 4_000)
    now, wanted = model.now(window), whole.regime(3_999)
    assert (now.label, now.confidence) == (wanted.label, pytest.approx(wanted.confidence, rel=1e-9))
    assert model.classify(window).regime().label == now.label


def test_a_label_stays_as_long_as_its_dwell(market):
    model = REGIMES["vote"](interval="1h")
    frame = build(market.frames["BTC/USDT"], model.features)
    codes = model.fit(frame, 1).classify(frame).codes
    turns = np.flatnonzero(np.diff(codes) != 0) + 1
    stays = [b - a for a, b in pairwise(turns) if 4 not in codes[[a - 1, a, b]]]
    assert len(stays) > 20
    assert min(stays) >= model.dwell


def test_confidence_comes_true_about_as_often_as_it_says():
    told, right = [], []
    for seed in range(101, 105):
        params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=360, interval="1h", seed=seed)
        made = generate(params)
        model = REGIMES["vote"](interval="1h")
        frame, half = build(made.frames["BTC/USDT"], model.features), 4_320
        table = model.fit(cut(frame, 0, half), 1).classify(frame)
        known = np.flatnonzero(table.codes != 4)
        known = known[known >= half]
        told.append(table.confidence[known])
        right.append(table.codes[known] == made.truth.regimes[known])
    confidence, came = np.concatenate(told), np.concatenate(right)
    assert confidence.mean() == pytest.approx(came.mean(), abs=0.06)
    assert came.mean() > 0.36
    for low, high in ((0.3, 0.4), (0.4, 0.5), (0.5, 0.7)):
        chosen = (confidence >= low) & (confidence < high)
        assert confidence[chosen].mean() == pytest.approx(came[chosen].mean(), abs=0.12)


@pytest.mark.parametrize("name", LEARNT)
def test_a_break_of_the_volatility_is_noticed_within_two_days(name):
    returns = np.append(noise(2_400) * np.repeat(np.resize([1.0, 1.0, 2.0], 12), 200), 4 * noise(60, seed=3))
    model = REGIMES[name](interval="1h")
    frame = framed(model, returns)
    codes = model.fit(cut(frame, 0, 2_400), 1).classify(frame).codes
    noticed = np.flatnonzero(np.isin(codes[2_400:], (3, 4)))
    assert len(noticed)
    assert noticed[0] < 48


@pytest.mark.parametrize("name", LEARNT)
def test_little_evidence_is_called_unknown(name, market):
    model = REGIMES[name](interval="1h")
    with pytest.raises(NotFitted):
        model.classify(build(market.frames["BTC/USDT"].rows(0, 100), model.features))
    with pytest.raises(NotEnoughHistory):
        model.fit(build(market.frames["BTC/USDT"].rows(0, 300), model.features), 1)
    frame = build(market.frames["BTC/USDT"], model.features)
    model.fit(frame, 1)
    assert {one.label for one in model.classify(cut(frame, 0, 40))} == {"unknown"}
    assert len(model.classify(cut(frame, 0, 0))) == 0
    still = FeatureFrame("A/B", frame.ts[:900], frame.names, np.zeros((900, len(frame.names))))
    assert model.now(still).label == "unknown"
    assert model.now(still).probs[-1][1] >= 0.75


@pytest.mark.parametrize("name", ["rules", *LEARNT])
def test_what_was_learnt_can_be_handed_on_to_the_bit(name, market):
    model = REGIMES[name](interval="1h")
    frame = build(market.frames["BTC/USDT"], model.features)
    told = model.fit(cut(frame, 0, 3_000), 1).classify(frame)
    heir = REGIMES[name](interval="1h").restore(model.state())
    again = heir.classify(frame)
    np.testing.assert_array_equal(again.probs, told.probs)
    np.testing.assert_array_equal(again.codes, told.codes)
    assert sorted(heir.state()) == sorted(model.state())


def test_a_vote_that_left_a_member_out_hands_on_the_others(market, monkeypatch):
    def shrinks(self, frame, seed):
        raise ConvergenceError("its states shrink to points")

    model = REGIMES["vote"](interval="1h")
    monkeypatch.setattr(type(model.members[2]), "fit", shrinks)
    frame = build(market.frames["BTC/USDT"], model.features)
    model.fit(frame, 1)
    heir = REGIMES["vote"](interval="1h").restore(model.state())
    assert model.state()["heard"] == "0 1 3"
    np.testing.assert_array_equal(heir.classify(frame).probs, model.classify(frame).probs)


@pytest.mark.parametrize("state", [{"heard": ""}, {"heard": "0 9"}, {"heard": "1", "1.means": 1.0}, {"heard": "x"}])
def test_a_state_that_no_vote_has_learnt_is_refused(state):
    with pytest.raises(ValueError, match=r"no members|learns nothing|invalid"):
        REGIMES["vote"](interval="1h").restore(state)


def test_hours_that_are_missing_are_no_evidence(market):
    model = REGIMES["hmm"](interval="1h")
    frame = build(market.frames["BTC/USDT"], model.features)
    whole = model.fit(frame, 1).now(cut(frame, 3_000, 4_000))
    late = np.append(frame.ts[3_000:3_990], frame.ts[3_990:4_000] + 30 * HOUR)
    holed = FeatureFrame("A/B", late, frame.names, frame.values[3_000:4_000])
    assert whole.probs[-1][1] < 1.0
    assert model.now(holed).label == "unknown"


def test_the_record_has_the_fields_dashboards_read(market):
    model = REGIMES["rules"](interval="1h")
    frame = build(market.frames["BTC/USDT"], model.features)
    record = as_record(model.now(frame), int(frame.ts[-1]) + 500)
    assert list(record) == ["regime", "confidence", "probs", "timestamp", "data_end"]
    assert sum(record["probs"].values()) == pytest.approx(1.0, abs=1e-5)
    assert record["timestamp"].endswith(".500Z")


def test_returns_by_regime_add_up_to_all_of_them():
    codes, returns = np.resize([0, 0, 1, 3], 400), noise(400)
    rows = by_regime(codes, returns, 8_760)
    assert [row.label for row in rows] == ["bull", "bear", "volatile"]
    assert sum(row.mean * row.bars for row in rows) == pytest.approx(returns.sum() * 8_760)
    assert rows[0].sharpe == pytest.approx(returns[codes == 0].mean() / returns[codes == 0].std(ddof=1) * 8_760**0.5)
    assert np.isnan(by_regime(codes[:8], returns[:8], 1)[0].mean)
