"""Which strategy trades: its rating by the parts that are known, cool-down, improvement, the record on paper."""

import numpy as np
import pytest

from seakeep.core.errors import ConfigError
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.strategy.decide import Thresholds
from seakeep.strategy.paper import Paper, Seen
from seakeep.strategy.selection import PARTS, Moment, Record, Selection, Selector, rate

QUIET = Moment(ts=9 * HOUR_MS, regime="bull", wild=None, tone=None)
YEAR = 8760.0


def record(mean: float, n: int = 400, wins: int = 0, losses: int = 0, regime: str = "bull") -> Record:
    kept = Record()
    for value in np.random.default_rng(4).normal(mean, 0.01, n).tolist():
        kept.bar(value)
        kept.moment(value, regime, wild=None)
    for made in [0.02] * wins + [-0.02] * losses:
        kept.trade(made, 9 * HOUR_MS)
    return kept


def test_the_weights_are_those_of_the_mission_without_the_part_nobody_measures() -> None:
    # Seed 003: regime 0.30, record 0.25, profile 0.15, sentiment 0.15, volatility 0.10 (and importance 0.05).
    assert list(PARTS.values()) == [0.30, 0.25, 0.15, 0.15, 0.10]


def test_what_is_not_known_is_left_out_and_does_not_count_as_bad() -> None:
    assert rate(Record(), None, QUIET, "moderate", YEAR).total == 0.0
    only = rate(Record(), 0.5, Moment(QUIET.ts, "unknown", None, 0.8), "moderate", YEAR)
    assert only.parts == (("sentiment", 0.7),)
    assert only.total == pytest.approx(0.7)


def test_each_part_moves_the_rating_its_own_way() -> None:
    plain = record(0.001, wins=6, losses=4)
    base = rate(plain, 0.5, Moment(QUIET.ts, "bull", None, 0.0), "moderate", YEAR).total
    assert (
        rate(record(-0.001, wins=6, losses=4), 0.5, Moment(QUIET.ts, "bull", None, 0.0), "moderate", YEAR).total < base
    )
    assert rate(plain, 0.5, Moment(QUIET.ts, "bull", None, 0.9), "moderate", YEAR).total > base
    assert rate(plain, 0.5, Moment(QUIET.ts, "bull", None, -0.9), "moderate", YEAR).total < base
    tight, loose = (rate(plain, None, QUIET, profile, YEAR).total for profile in ("conservative", "aggressive"))
    assert tight <= loose


def test_an_hour_that_won_lifts_the_rating_by_a_tenth_at_most() -> None:
    nine, ten = (rate(record(0.001, wins=n), None, QUIET, "moderate", YEAR) for n in (9, 10))
    assert (nine.hour, ten.hour) == (1.0, 1.1)
    lost = rate(record(0.001, losses=10), None, QUIET, "moderate", YEAR)
    assert lost.hour == pytest.approx(0.9)
    elsewhere = Moment(15 * HOUR_MS, "bull", None, None)
    assert rate(record(0.001, wins=10), None, elsewhere, "moderate", YEAR).hour == 1.0


def chosen(first: Record, second: Record, ts: int, cooldown: int = 24) -> Selection:
    selection = Selection(Selector(cooldown_hours=cooldown), YEAR)
    selection.records = {"trend": first, "reversion": second}
    selection.review({}, Moment(0, "bull", None, None))
    selection.review({}, Moment(ts, "bull", None, None))
    return selection


def test_a_better_member_takes_over_after_the_cool_down_and_says_why() -> None:
    poor, good = record(-0.002, wins=3, losses=9), record(0.002, wins=11, losses=1)
    assert chosen(poor, good, DAY_MS - 1).active == "trend"
    after = chosen(poor, good, DAY_MS)
    assert after.active == "reversion"
    assert after.why.startswith("reversion rated")
    assert "took over from trend" in after.why
    assert after.switches == [(DAY_MS, after.why)]


def test_nobody_takes_over_by_a_hair_or_without_a_record() -> None:
    good, hair = record(0.002, wins=11, losses=1), record(0.00201, wins=11, losses=1)
    assert chosen(good, hair, DAY_MS).active == "trend"
    assert chosen(record(-0.002, wins=3, losses=9), record(0.002, wins=9), DAY_MS).active == "trend"


def test_a_record_on_paper_adds_up_to_what_the_prices_made_less_the_cost() -> None:
    paper = Paper(Selector(), Thresholds(), YEAR)
    prices, stances = [100.0, 110.0, 121.0, 121.0], [1.0, 1.0, 0.0, 0.0]
    for i, (price, score) in enumerate(zip(prices, stances, strict=True)):
        scores = {"trend": score, "reversion": float("nan")}
        paper.follow([Seen("A/U", price, "bull", None, 0.001, False, scores)], Moment(i * HOUR_MS, "bull", None, None))
    trend, reversion = paper.selection.records.values()
    assert (trend.trades, trend.wins) == (1, 1)
    assert trend.gained == pytest.approx(0.1 + 0.1 - 0.002)
    assert trend.equity == pytest.approx((1 - 0.001) * 1.1 * (1.1 - 0.001))
    assert (reversion.trades, reversion.equity) == (0, 1.0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"members": "trend"}, "two or more"),
        ({"members": "trend, selector"}, "two or more"),
        ({"members": "trend, nobody"}, "unknown strategy"),
        ({"profile": "reckless"}, "profile is not known"),
    ],
)
def test_a_selector_of_nothing_is_refused(params: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _ = Selector(**params).features  # type: ignore[arg-type]
