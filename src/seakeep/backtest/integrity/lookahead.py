"""Whether the past knows the future: every feature, expert and strategy replayed on prefixes of its history.

A part that looks ahead gives a row another value once later bars are there. Each is computed on the whole history and
on many beginnings of it; the first row that differs is named. `replay` does the same to the whole run, and `warm_up`
asks the opposite: whether a row needs more of the past than its part admits to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from seakeep.backtest.integrity.judgement import Check
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.notation import stamp
from seakeep.backtest.result import Result
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.orders import Fill
from seakeep.features.checks import Rows, lookback_law
from seakeep.features.frame import build, lookback
from seakeep.models import Expert
from seakeep.strategy import Strategy

__all__ = ["Leak", "Part", "leak", "look_ahead", "parts", "replay", "warm_up"]

RTOL = 1e-9
"""A difference below this share of the value, or of the typical value, is the rounding of a sum."""

_MANY, _FEW = 40, 6
"""Beginnings of each kind that are tried: few of an expert, whose forecasts are dear."""


@dataclass(frozen=True, eq=False)
class Part:
    """Something with an output for each bar of a symbol.

    `ts` (n,) are the bars' opens, `lookback` the rows its last value needs, `warm` its first row with values, `tries`
    how many beginnings are compared after the warm-up, and again over the rest.
    """

    name: str
    symbol: str
    ts: Int64
    lookback: int
    warm: int
    over: Rows
    tries: int = _MANY


class Leak(msgspec.Struct, frozen=True):
    """A part whose value at the bar `ts` was `before`, and became `after` when later bars were added."""

    name: str
    symbol: str
    ts: int
    before: float
    after: float


def parts(
    frames: Sequence[BarFrame], strategy_name: str, strategy: Strategy, experts: Mapping[str, Expert]
) -> Iterator[Part]:
    """Every feature, every fitted expert and the strategy over the bars of every symbol."""
    specs = tuple(dict.fromkeys((*strategy.features, *(spec for e in experts.values() for spec in e.features))))
    for bars in frames:
        frame = build(bars, specs)
        warm = _warm(frame.values)
        for j, spec in enumerate(specs):
            own = _warm(frame.values[:, j : j + 1])
            rows = lookback([spec], bars.interval)
            yield Part(f"feature {spec}", bars.symbol, bars.ts, rows, own, _feature(bars, spec))
        for name, expert in experts.items():
            over = _forecasts(frame, expert)
            yield Part(f"expert {name}", bars.symbol, bars.ts, expert.lookback, warm, over, _FEW)
        over = _scores(strategy_name, frame, strategy, experts)
        yield Part(f"strategy {strategy_name}", bars.symbol, bars.ts, strategy.lookback, warm, over)


def _warm(values: Float64) -> int:
    """First row where all columns are known; n if there is none."""
    known = np.isfinite(values).all(axis=1)
    return int(known.argmax()) if known.any() else len(values)


def _feature(bars: BarFrame, spec: str) -> Rows:
    return lambda start, stop: build(bars.rows(start, stop), [spec]).values


def _rows(frame: FeatureFrame, start: int, stop: int) -> FeatureFrame:
    return FeatureFrame(frame.symbol, frame.ts[start:stop], frame.names, frame.values[start:stop])


def _forecasts(frame: FeatureFrame, expert: Expert) -> Rows:
    return lambda start, stop: expert.predict(_rows(frame, start, stop))


def _scores(name: str, frame: FeatureFrame, strategy: Strategy, experts: Mapping[str, Expert]) -> Rows:
    """The strategy's scores over rows. Raises: ConfigError if it fails, or does not give one score for each row."""
    beliefs = {key: expert.predict(frame) for key, expert in experts.items()}

    def over(start: int, stop: int) -> Float64:
        where = f"strategy {name} on rows {start} to {stop} of {frame.symbol}"
        heard = {key: table[start:stop] for key, table in beliefs.items()}
        try:
            scores = np.asarray(strategy.score(_rows(frame, start, stop), heard), np.float64)
        except Exception as error:
            raise ConfigError(f"{where} failed: {type(error).__name__}: {error}") from error
        if scores.shape != (stop - start,):
            raise ConfigError(f"{where} must give one score for each row", value=scores.shape)
        return scores

    return over


def leak(part: Part) -> Leak | None:
    """The first bar whose value changes when later bars are added; None if the past stays what it was.

    The beginnings right after the warm-up are all tried, so a part that always looks ahead is named at its first bar.
    """
    n = len(part.ts)
    whole = _table(part.over(0, n))
    tolerance = RTOL * np.maximum(np.abs(whole), _typical(whole))
    found: tuple[int, int, float] | None = None
    for cut in _cuts(part):
        before = _table(part.over(0, cut))
        after = whole[:cut]
        same = (np.abs(before - after) <= tolerance[:cut]) | (before == after) | (np.isnan(before) & np.isnan(after))
        if not same.all() and (found is None or int(np.argmin(same.all(axis=1))) < found[0]):
            row, column = (int(i) for i in np.argwhere(~same)[0])
            found = row, column, float(before[row, column])
    if found is None:
        return None
    row, column, value = found
    return Leak(part.name, part.symbol, int(part.ts[row]), value, float(whole[row, column]))


def _cuts(part: Part) -> list[int]:
    """Lengths of the beginnings, ascending, each at least 1 and shorter than n."""
    n = len(part.ts)
    first = max(min(part.warm + 1, n - 1), 1)
    dense = range(first, min(first + part.tries, n))
    return sorted({*dense, *np.linspace(first, n - 1, part.tries).astype(int).tolist()} if n > 1 else set())


def _table(values: Float64) -> Float64:
    return np.asarray(values, np.float64).reshape(len(values), -1)


def _typical(columns: Float64) -> Float64:
    """Median absolute value of each column (k,), 0 where there is none."""
    seen = [column[np.isfinite(column)] for column in np.abs(columns.T)]
    return np.array([np.median(column) if len(column) else 0.0 for column in seen])


def look_ahead(
    frames: Sequence[BarFrame], strategy_name: str, strategy: Strategy, experts: Mapping[str, Expert]
) -> Check:
    """Prefix replay of every feature, expert and strategy; the first leak in time is named. It is fatal."""
    name = "look-ahead"
    try:
        tried = list(parts(frames, strategy_name, strategy, experts))
        found = [one for part in tried if (one := leak(part)) is not None]
    except ConfigError as error:
        return Check(name=name, status="fail", reason=str(error), fatal=True)
    figures = (("parts replayed", float(len(tried))), ("parts that look ahead", float(len(found))))
    if not any(_cuts(part) for part in tried):
        return Check(name=name, status="not judged", reason="there is one bar: it has no future", fatal=True)
    if not found:
        reason = f"{len(tried)} features, experts and strategies give the past the same values whatever follows"
        return Check(name=name, status="pass", reason=reason, figures=figures, fatal=True)
    first = min(found, key=lambda one: (one.ts, one.name))
    reason = (
        f"{first.name} looks ahead: at the {first.symbol} bar of {stamp(first.ts)} it gave {first.before:g}, "
        f"and {first.after:g} once later bars were known"
    )
    named = tuple((f"{one.name}, {one.symbol}", stamp(one.ts)) for one in found)
    return Check(name=name, status="fail", reason=reason, figures=figures + named, fatal=True)


def warm_up(frames: Sequence[BarFrame], strategy_name: str, strategy: Strategy, experts: Mapping[str, Expert]) -> Check:
    """Whether every part's last value needs no more rows than its lookback, which is all a live run keeps."""
    name, judged, short, broken = "warm-up", 0, [], []
    for part in parts(frames, strategy_name, strategy, experts):
        n, needed = len(part.ts), max(part.lookback, 1)
        if n < needed or part.warm >= n:
            short.append(part)
            continue
        judged += 1
        cuts = np.unique(np.linspace(max(needed, min(part.warm + needed, n)), n, part.tries).astype(int)).tolist()
        broken += [(part, found) for found in lookback_law(part.name, part.over, n, needed, cuts)[:1]]
    figures = (("parts tried", float(judged)), ("parts too short to try", float(len(short))))
    if broken:
        part, found = broken[0]
        reason = (
            f"{part.name} needs more than the {part.lookback} bars it says: at the {part.symbol} bar of "
            f"{stamp(int(part.ts[found.row]))} they give {found.got:g}, the whole history {found.expected:g}"
        )
        return Check(name=name, status="fail", reason=reason, figures=figures)
    if not judged:
        reason = f"the bars are too few: {short[0].name} needs {short[0].lookback}"
        return Check(name=name, status="not judged", reason=reason, figures=figures)
    if short:
        reason = f"{short[0].name} of {short[0].symbol} needs {short[0].lookback} bars, more than there are"
        return Check(name=name, status="warn", reason=reason, figures=figures)
    reason = f"{judged} features, experts and strategies need no more bars than they say"
    return Check(name=name, status="pass", reason=reason, figures=figures)


def replay(result: Result, rerun: Rerun) -> Check:
    """The whole run on the first two thirds of the bars must make the trades that the run made there. It is fatal."""
    ts = result.curves.ts
    cut = int(ts[len(ts) * 2 // 3])
    if len(ts) < 3:
        return Check(name="replay", status="not judged", reason="there are fewer than three bars", fatal=True)
    known = [_deal(fill) for fill in result.fills if fill.ts < cut]
    again = [_deal(fill) for fill in rerun(Variation(timerange=(None, cut))).fills if fill.ts < cut]
    figures = (("trades compared", float(len(known))),)
    differing = [pair for pair in zip(known, again, strict=False) if pair[0] != pair[1]]
    if differing or len(known) != len(again):
        ours = differing[0][0] if differing else max(known, again, key=len)[min(len(known), len(again))]
        reason = f"without the bars after {stamp(cut)} the run trades differently from {stamp(ours[0])} on"
        return Check(name="replay", status="fail", reason=reason, figures=figures, fatal=True)
    if not known:
        reason = f"there was no trade before {stamp(cut)}"
        return Check(name="replay", status="not judged", reason=reason, figures=figures, fatal=True)
    reason = f"without the bars after {stamp(cut)} the run makes the same {len(known)} trades before it"
    return Check(name="replay", status="pass", reason=reason, figures=figures, fatal=True)


def _deal(fill: Fill) -> tuple[int, str, str, str, str]:
    return fill.ts, fill.symbol, str(fill.side), str(fill.price), str(fill.qty)
