from decimal import Decimal
from functools import cache

import numpy as np
import pytest
from pydantic import ValidationError

from seakeep.core.errors import ConfigError
from seakeep.core.market import InstrumentKind
from seakeep.core.units import DAY_MS, HOUR_MS, interval_ms
from seakeep.data.feed import HistoricalFeed
from seakeep.data.synthetic import REGIMES, SyntheticParams, _garch, _shocks, generate

COLUMNS = ("ts", "open", "high", "low", "close", "volume")


@cache
def market(**changes):
    return generate(SyntheticParams(**changes))


def returns(frame):
    """Log return of each bar from its open."""
    return np.log(frame.close / frame.open)


def shocks(made, j):
    """Returns of symbol j in units of their true volatility (n,); bars with a jump are left out."""
    frame, truth = list(made.frames.values())[j], made.truth
    n = len(frame)
    scaled = (returns(frame) - truth.drift[:n, j]) / truth.volatility[:n, j]
    return np.where(truth.jumps[:n, j] == 0, scaled, np.nan)


def same_bars(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


@pytest.mark.parametrize("j", range(4))
def test_drift_and_volatility_are_the_true_ones(j):
    z = shocks(market(), j)
    z = z[np.isfinite(z)]
    squares = z * z
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(len(z)))
    assert squares.mean() == pytest.approx(1, abs=4 * squares.std() / np.sqrt(len(z)))
    # nothing of the clustering is left in what the true volatility has scaled
    assert abs(np.corrcoef(np.abs(z[1:]), np.abs(z[:-1]))[0, 1]) < 4 / np.sqrt(len(z))


@pytest.mark.parametrize(("i", "j"), [(0, 1), (0, 2), (1, 2)])
def test_symbols_are_correlated_as_the_truth_says(i, j):
    made = market()
    products = shocks(made, i) * shocks(made, j)
    known = np.isfinite(products)
    error = np.nanstd(products) / np.sqrt(known.sum())
    assert np.nanmean(products) == pytest.approx(made.truth.correlation(i, j)[known].mean(), abs=4 * error)
    assert made.truth.correlation(i, j).max() < 1


@pytest.mark.parametrize("j", range(4))
def test_returns_have_fat_tails_and_no_memory_but_their_size_has(j):
    frame, truth = list(market().frames.values())[j], market().truth
    r = returns(frame)[truth.jumps[: len(frame), j] == 0]  # jumps aside: the shocks alone must do it
    r = r - r.mean()
    assert np.mean(r**4) / np.mean(r**2) ** 2 > 4
    z, size = np.nan_to_num(shocks(market(), j)), np.abs(r) - np.abs(r).mean()
    for lag in (1, 2, 3, 12, 48):
        assert abs(np.corrcoef(z[lag:], z[:-lag])[0, 1]) < 4 / np.sqrt(len(r))
        assert np.dot(size[lag:], size[:-lag]) / np.dot(size, size) > 8 / np.sqrt(len(r))


def test_regimes_take_the_share_of_time_their_chain_gives_them():
    """The asymptotic variance of a share is Kemeny and Snell's, from the fundamental matrix."""
    truth = market(symbols=("BTC/USDT",), delisted=None, interval="1h", days=3650).truth
    share = np.bincount(truth.regimes, minlength=4) / len(truth.regimes)
    p, pi = truth.transition, truth.stationary
    fundamental = np.linalg.inv(np.eye(4) - p + pi)
    error = np.sqrt(pi * (2 * np.diag(fundamental) - 1 - pi) / len(truth.regimes))
    np.testing.assert_allclose(pi @ p, pi, atol=1e-12)
    assert (np.abs(share - pi) < 4 * error).all()
    assert len(REGIMES) == len(pi)


def test_regimes_follow_one_another_with_the_probabilities_of_the_chain():
    truth = market(symbols=("BTC/USDT",), delisted=None, interval="1h", days=3650).truth
    moves = np.zeros((4, 4))
    np.add.at(moves, (truth.regimes[:-1], truth.regimes[1:]), 1)
    visits, p = moves.sum(axis=1, keepdims=True), truth.transition
    assert (np.abs(moves - visits * p) <= 4 * np.sqrt(visits * p * (1 - p))).all()


def test_volatility_clusters_as_much_as_was_asked():
    """E[h] = 1 and E[h^2] = 1 / (1 - clustering), Bollerslev (1986) with the shocks' kurtosis."""
    params = SyntheticParams(days=365, interval="1m", tail=30, clustering=0.3, cluster_half_life_h=0.5)
    h = _shocks(params, params.bars, "test")[1] ** 2
    assert h.mean() == pytest.approx(1, rel=0.03)
    assert (h * h).mean() == pytest.approx(1 / 0.7, rel=0.06)
    z = np.random.default_rng(1).standard_normal(200)
    np.testing.assert_allclose(_garch(z, 0.1, 0.9), _garch.py_func(z, 0.1, 0.9), rtol=1e-12)


def test_bars_follow_one_path_and_its_extremes():
    for frame in market().frames.values():
        assert (frame.low <= np.minimum(frame.open, frame.close)).all()
        assert (frame.high >= np.maximum(frame.open, frame.close)).all()
        assert (frame.low > 0).all()
        assert (frame.open[1:] == frame.close[:-1]).all()
        assert (np.diff(frame.ts) == interval_ms("5m")).all()


def test_the_range_of_a_bar_measures_its_volatility():
    """Parkinson (1980): E[(ln H/L)^2] = 4 ln 2 sigma^2 if watched all the time, somewhat less at 16 points."""
    made = market()
    frame, truth = made.frames["BTC/USDT"], made.truth
    calm = truth.jumps[:, 0] == 0
    parkinson = np.log(frame.high / frame.low)[calm] ** 2 / (4 * np.log(2))
    assert 0.7 < parkinson.sum() / (truth.volatility[calm, 0] ** 2).sum() < 1


def test_prices_and_volumes_are_multiples_of_tick_and_lot():
    made = market()
    for symbol, frame in made.frames.items():
        instrument = made.instruments[symbol]
        for value in (*frame.close[::500], *frame.high[::500]):
            assert Decimal(repr(float(value))) % instrument.tick == 0
        for value in frame.volume[::500]:
            assert Decimal(repr(float(value))) % instrument.lot == 0


def test_a_delisted_symbol_collapses_and_is_gone():
    made = market()
    frame, end = made.frames["KLP/USDT"], made.truth.delisted_at["KLP/USDT"]
    assert end == frame.known_at[-1] == frame.ts[0] + 90 * DAY_MS
    assert frame.close[-1] < 0.3 * frame.close[-1 - 2 * 288]
    assert np.isnan(made.truth.drift[len(frame) :, 3]).all()
    late = [bar.symbol for part in HistoricalFeed(list(made.frames.values()), start_after=end) for bar in part.bars]
    assert set(late) == {"BTC/USDT", "ETH/USDT", "SOL/USDT"}
    assert len(made.truth.delisted_at) == 1


def test_a_collapse_is_no_gift_to_whoever_sells_what_falls():
    """Raw returns, drift and all: in its last days a bar is as likely to fall as to rise, whatever fell before."""
    falls, follows, held = [], [], []
    for seed in range(30):
        frame = market(seed=seed, symbols=("KLP/USDT",), days=20).frames["KLP/USDT"]
        r = returns(frame)[-576:]
        falls.append(np.sign(r))
        follows.append(np.sign(r[1:]) * np.sign(r[:-1]))
        hours = np.log(frame.close[-1] / frame.open[-576]) - r.min()
        held.append(hours / np.sqrt((r**2).sum() - r.min() ** 2))
    for signs in (np.concatenate(falls), np.concatenate(follows)):
        assert abs(signs.mean()) < 4 / np.sqrt(len(signs))
    assert abs(np.mean(held)) < 4 / np.sqrt(len(held))


def test_news_lead_jumps_by_the_lag_and_by_no_other():
    """E[score x jump] = follow E[score^2] size sqrt(2 / pi), a bar's return at any other lag has no part of it."""
    params = {"symbols": ("BTC/USDT",), "delisted": None, "days": 365, "news_per_day": 20.0, "jumps_per_month": 0.0}
    made = market(**params)
    r, scores = returns(made.frames["BTC/USDT"]), made.truth.news_scores
    rows = np.searchsorted(made.truth.ts, [item.known_at for item in made.news], "right") - 1
    for lag in range(12):
        inside = rows + lag < len(r)
        gain = scores[inside] * r[rows[inside] + lag]
        expected = 0.2 / 3 * 0.012 * np.sqrt(2 / np.pi) if lag == 6 else 0
        assert gain.mean() == pytest.approx(expected, abs=4 * gain.std() / np.sqrt(len(gain)))
    assert len(made.news) == pytest.approx(20 * 365, abs=4 * np.sqrt(20 * 365))


def test_news_sound_as_good_as_they_are():
    made = market()
    assert [item.known_at for item in made.news] == sorted(item.known_at for item in made.news)
    assert all(item.ts <= item.known_at for item in made.news)
    scored = list(zip(made.news, made.truth.news_scores, strict=True))
    assert max(score for item, score in scored if "lawsuit" in item.title) <= -0.6
    assert min(score for item, score in scored if "approval" in item.title) >= 0.6


def test_volume_rises_with_the_move_and_falls_at_night_and_on_weekends():
    frame = market().frames["BTC/USDT"]
    volume, size = np.log(frame.volume * frame.close), np.abs(returns(frame))
    hour, weekday = frame.ts % DAY_MS // HOUR_MS, frame.ts.astype("datetime64[ms]").astype(object)
    weekend = np.array([day.weekday() >= 5 for day in weekday])
    assert volume[size > np.quantile(size, 0.9)].mean() > volume[size < np.quantile(size, 0.5)].mean() + 0.3
    assert volume[hour == 15].mean() > volume[hour == 3].mean() + 0.5
    assert volume[~weekend].mean() > volume[weekend].mean() + 0.2


def test_a_seed_fixes_every_bit_and_another_seed_changes_them():
    one, same, other = (generate(SyntheticParams(days=5, seed=seed)) for seed in (3, 3, 4))
    for symbol, frame in one.frames.items():
        assert same_bars(frame, same.frames[symbol])
        assert not same_bars(frame, other.frames[symbol])
    assert one.news == same.news
    assert (one.truth.regimes == same.truth.regimes).all()


def test_adding_a_symbol_changes_nothing_of_the_others():
    few = generate(SyntheticParams(symbols=("ETH/USDT", "XYZ/USDT"), delisted=None, days=10))
    many = generate(SyntheticParams(symbols=("BTC/USDT", "XYZ/USDT", "KLP/USDT", "ETH/USDT"), days=10))
    for symbol, frame in few.frames.items():
        assert same_bars(frame, many.frames[symbol])
        assert [n for n in few.news if symbol in n.symbols] == [n for n in many.news if symbol in n.symbols]


def test_a_perpetual_pays_funding_every_eight_hours_and_more_after_a_rise():
    made = market(symbols=("BTC/USDT:USDT", "ETH/USDT"), delisted=None)
    ts, rates = np.array([(o.ts, o.value) for o in made.observations]).T
    frame = made.frames["BTC/USDT:USDT"]
    rise = np.log(frame.close[95::96] / frame.open[::96])
    assert made.instruments["BTC/USDT:USDT"].kind is InstrumentKind.PERPETUAL
    assert {o.symbol for o in made.observations} == {"BTC/USDT:USDT"}
    assert all(o.known_at == o.ts and o.name == "funding_rate" for o in made.observations)
    np.testing.assert_array_equal(ts, frame.ts[0] + 8 * HOUR_MS * np.arange(1, 361))
    assert np.corrcoef(rates, rise)[0, 1] > 0.5
    assert np.abs(rates).max() <= 0.0075


@pytest.mark.parametrize("interval", ["1s", "1m", "15m", "4h", "1d"])
def test_any_interval_up_to_a_day_has_the_volatility_of_its_years(interval):
    days = {"1s": 2, "1m": 100, "1d": 3650}.get(interval, 365)
    params = {"symbols": ("BTC/USDT", "ETH/USDT:USDT"), "delisted": None, "days": days, "interval": interval}
    made = market(**params)
    assert all(len(frame) == days * DAY_MS // interval_ms(interval) for frame in made.frames.values())
    assert 0.2 < np.sqrt((made.truth.volatility[:, 0] ** 2).sum() * 365 / days) < 1.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"symbols": ()}, "at least 1 item"),
        ({"symbols": ("BTC/USDT", "BTC/USDT"), "delisted": None}, "each symbol can be made once"),
        ({"symbols": ("../../etc",), "delisted": None}, "not a symbol"),
        ({"symbols": ("BTC/USDT",)}, "delisted must be one of the symbols"),
        ({"interval": "7 minutes"}, "not an interval"),
        ({"interval": "1w"}, "1w bars cannot be made"),
        ({"interval": "1s"}, "1s bars cannot be made"),
        ({"start": 1}, "start must be a multiple of 5m"),
        ({"days": 0}, "greater than 0"),
        ({"days": 10**9}, "less than or equal to 3650"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"tail": 4.0}, "greater than 4"),
        ({"volatility": float("nan")}, "finite number"),
        ({"clustering": 0.9}, "less than 0.9"),
        ({"volatilty": 1.0}, "Extra inputs are not permitted"),
    ],
)
def test_hostile_parameters_are_refused(wrong, message):
    with pytest.raises((ValidationError, ConfigError), match=message):
        SyntheticParams(**wrong)


def test_extreme_but_allowed_parameters_still_make_finite_bars():
    wild = SyntheticParams(
        days=30, volatility=5, tail=4.1, clustering=0.89, jump_size=0.5, jumps_per_month=1000, news_per_day=500
    )
    calm = SyntheticParams(days=1, interval="12h", jumps_per_month=0, news_per_day=0, clustering=0)
    for params in (wild, calm):
        made = generate(params)
        assert all(np.isfinite(getattr(f, name)).all() for f in made.frames.values() for name in COLUMNS)
        assert sum(len(part.bars) for part in HistoricalFeed(list(made.frames.values()))) > 0
