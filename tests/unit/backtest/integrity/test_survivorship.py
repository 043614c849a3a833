"""The delisted are looked for in the store, and the price of leaving them out is told."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.integrity.survivorship import Listing, delisted, survivorship
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.result import Result
from seakeep.core.units import DAY_MS, HOUR_MS
from tests.unit.backtest.factory import START, make

RUN = make(bars=40 * 24)
LAST = int(RUN.curves.ts[-1])
ALIVE = [Listing(symbol, START, LAST) for symbol in RUN.symbols]


def returning(growth: float) -> Rerun:
    """Reruns that end with this return, and say which symbols they were asked for."""

    def rerun(variation: Variation) -> Result:
        equity = RUN.curves.equity.copy()
        equity[-1] = RUN.initial_cash * (1 + growth)
        return replace(RUN, curves=replace(RUN.curves, equity=equity), symbols=variation.symbols or RUN.symbols)

    return rerun


def test_a_store_without_the_dead_cannot_tell() -> None:
    check = survivorship(RUN, returning(0.0), ALIVE)
    assert check.status == "not judged"
    gone_before = Listing("OLD/USDT", START - 90 * DAY_MS, START - DAY_MS)
    other_quote = Listing("LUNA/BTC", START, START + 9 * DAY_MS)
    assert survivorship(RUN, returning(0.0), [*ALIVE, gone_before, other_quote]).status == "not judged"


def test_leaving_out_the_dead_warns_and_fails_if_they_take_the_profit() -> None:
    dead = Listing("LUNA/USDT", START, START + 20 * DAY_MS)
    equity = RUN.curves.equity.copy()
    equity[-1] = 1.2 * RUN.initial_cash
    winner = replace(RUN, curves=replace(RUN.curves, equity=equity))
    mild, ruinous = (survivorship(winner, returning(g), [*ALIVE, dead]) for g in (0.15, -0.3))
    assert (mild.status, ruinous.status) == ("warn", "fail")
    assert "LUNA/USDT" in mild.reason
    assert abs(float(dict(mild.figures)["delta, %"]) - 5.0) < 1e-9


def test_keeping_the_dead_passes_and_shows_what_survivors_would() -> None:
    listings = [ALIVE[0], Listing(RUN.symbols[1], START, START + 20 * DAY_MS)]
    asked: list[Variation] = []

    def rerun(variation: Variation) -> Result:
        asked.append(variation)
        return returning(0.5)(variation)

    check = survivorship(RUN, rerun, listings)
    assert check.status == "pass"
    assert asked == [Variation(symbols=(RUN.symbols[0],))]
    assert "+50.00%" in check.reason


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 100), st.integers(1, 100))
def test_what_traded_in_the_run_and_ended_before_it_is_delisted(first: int, days: int, start: int, run: int) -> None:
    one = Listing("A/USDT", first * DAY_MS, (first + days) * DAY_MS)
    begin, end = start * DAY_MS, (start + run) * DAY_MS
    traded = any(begin <= ts < end for ts in range(one.first, one.last + 1, 12 * HOUR_MS))
    assert bool(delisted([one], begin, end)) == (traded and one.last < end - 2 * DAY_MS)
