"""Runs side by side: what is the same differs by nothing, what is better by something."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from seakeep.backtest.comparison import SavedRun, _holm, compare, contrast, load_run
from seakeep.backtest.saving import save
from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.units import HOUR_MS
from seakeep.stats.performance import measure
from seakeep.stats.returns import max_drawdown
from tests.unit.backtest.factory import make

N = 24 * 120


def noise(seed: int) -> Float64:
    return np.random.default_rng(seed).normal(0, 0.004, N)


def run(name: str, returns: Float64, first: int = 0) -> SavedRun:
    ts = HOUR_MS * (1 + first + np.arange(len(returns) + 1, dtype=np.int64))
    equity = 1e4 * np.append(1.0, np.cumprod(1 + returns))
    return SavedRun(name, "s", ("BTC/USDT",), "1h", "USDT", measure(ts, equity), ts, equity)


def test_a_run_does_not_differ_from_itself() -> None:
    one = run("a", noise(1))
    for found in contrast(one, one).differences:
        assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_figures_over_the_shared_time_are_those_of_measure() -> None:
    one, other = run("a", noise(1)), run("b", noise(2))
    table = {found.metric: found for found in contrast(one, other).differences}
    for name in ("sharpe", "cagr", "volatility", "max_drawdown", "sortino", "calmar"):
        assert table[name].first == pytest.approx(one.metrics[name].value, rel=1e-9)
        assert table[name].other == pytest.approx(other.metrics[name].value, rel=1e-9)


def test_an_edge_over_the_same_noise_is_found_and_turns_with_the_order() -> None:
    good, plain = run("good", noise(3) + 0.0004), run("plain", noise(3))
    there = {d.metric: d for d in contrast(good, plain).differences}
    back = {d.metric: d for d in contrast(plain, good).differences}
    for name in ("sharpe", "cagr"):
        assert there[name].p_value < 0.01
        assert there[name].low > 0
        assert back[name].difference == pytest.approx(-there[name].difference)
        assert back[name].p_value == there[name].p_value
    assert there["volatility"].p_value > 0.05


def test_independent_noise_is_seldom_a_difference() -> None:
    found = [contrast(run("a", noise(i)), run("b", noise(900 + i)), samples=99).differences for i in range(40)]
    for column in range(6):
        assert sum(row[column].p_value <= 0.05 for row in found) <= 8


def test_runs_of_different_lengths_are_compared_where_they_overlap_and_it_is_said() -> None:
    long, late = run("long", noise(1)), run("late", noise(1)[24 * 40 :], first=24 * 40)
    found = contrast(long, late)
    assert found.bars == len(late.ts)
    assert found.notes == (f"long: {24 * 40:,} of {N + 1:,} bars are not in the other run and are left out",)
    assert all(d.difference == pytest.approx(0, abs=1e-9) for d in found.differences)
    fall = next(d for d in found.differences if d.metric == "max_drawdown")
    assert fall.first == pytest.approx(max_drawdown(long.equity[24 * 40 :]))


def test_several_runs_are_held_to_the_first_with_holms_correction() -> None:
    runs = [run("base", noise(1)), *(run(f"r{i}", noise(2 + i) + 0.0003 * i) for i in range(3))]
    found = compare(runs)
    ps = [one.differences[1].p_value for one in found.contrasts]
    adjusted = [one.differences[1].p_adjusted for one in found.contrasts]
    assert adjusted == pytest.approx(multipletests(ps, method="holm")[1].tolist())
    assert _holm(np.array([0.01, math.nan, 0.03])).tolist()[::2] == pytest.approx([0.02, 0.03])


def test_runs_that_share_too_little_or_lost_everything_are_refused() -> None:
    with pytest.raises(NotEnoughHistory, match="share fewer than 30 days"):
        contrast(run("a", noise(1)), run("b", noise(1), first=10 * N))
    with pytest.raises(DataError, match="not positive"):
        contrast(run("a", noise(1)), run("b", np.append(noise(1)[:-1], -1.5)))
    with pytest.raises(ValueError, match="two runs"):
        compare([run("a", noise(1))])


def test_a_saved_run_comes_back_and_one_that_was_changed_does_not(tmp_path: Path) -> None:
    result = make()
    save(result, tmp_path / "run-1")
    back = load_run(tmp_path / "run-1")
    assert back.equity.tobytes() == result.curves.equity.tobytes()
    assert back.ts.tolist() == result.curves.ts.tolist()
    assert back.metrics["sharpe"] == result.metrics["sharpe"]
    table = tmp_path / "run-1/equity.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"0")
    with pytest.raises(DataError, match=r"no equity curve|not what was saved"):
        load_run(tmp_path / "run-1")


def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save(make(), tmp_path / "run-1")
    manifest = tmp_path / "run-1/manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["files"]["equity.parquet"] = "0" * 64
    manifest.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(DataError, match="not what was saved"):
        load_run(tmp_path / "run-1")
    (tmp_path / "run-1/summary.json").write_text('{"metrics": []}', encoding="utf-8")
    manifest.unlink()
    with pytest.raises(DataError, match="no equity curve"):
        load_run(tmp_path / "run-1")
