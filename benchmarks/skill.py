"""Skill of every registered expert on real hourly bars: purged walk-forward, intervals, naive baselines.

    python benchmarks/skill.py DATA [--experts ma,rsi] [--horizon 24] [--blocks 5] [--keep FOLDER] \
        [--to docs/explanation/skill.md]

DATA is a folder with ohlcv/<set>/<SYMBOL>.parquet of columns ts, open, high, low, close, volume. Each asset counts
once, with its longest file. Rows whose price changes its meaning (a reused ticker) end the series there.

The networks take hours. --keep writes each expert's figures to FOLDER as they are done and reads those already there,
so that a run that was cut off goes on and the page is made of all of them. Empty FOLDER after a change of an expert.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from pyarrow import parquet

from seakeep.backtest.scorecard import NAIVE, Scorecard, score, walk_forward
from seakeep.core.errors import ModelError
from seakeep.core.market import BarFrame
from seakeep.core.registry import build
from seakeep.core.units import iso
from seakeep.models import EXPERTS
from seakeep.models.training import Panel, panel

SETS = ("1h", "1h_early", "1h_delisted")
REUSED = {"LUNAUSDT": "2022-05-13T00", "FTTUSDT": "2022-11-15T04", "USDCUSDT": "2022-09-26T03"}
"""Tickers whose later bars are of another coin, or come after a suspension."""
LEAST = 5_000


def main() -> None:
    """Print the table, and write the page if asked."""
    args = _arguments()
    history = list(_bars(args.data, args.newest))
    names = args.experts.split(",") if args.experts else list(EXPERTS)
    print(f"{len(history)} assets, {sum(map(len, history)):,} bars, horizon {args.horizon}", file=sys.stderr)
    found = []
    for name in names:
        before = time.process_time()
        try:
            card, own = _measured(name, history, args)
        except ModelError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        found.append((name, card, own))
        print(f"{_row(name, card)}  {time.process_time() - before:.0f} s", file=sys.stderr, flush=True)
    page = _page(found, history, args)
    print(page)
    if args.to:
        args.to.write_text(page, encoding="utf-8")


def _measured(name: str, history: list[BarFrame], args: argparse.Namespace) -> tuple[Scorecard, dict[str, float]]:
    """The figures of one expert and those by asset, kept ones if there are."""
    kept = args.keep and args.keep / f"{name}-{args.horizon}-{args.blocks}-{args.seed}-{args.newest}.json"
    if kept and kept.exists():
        card, own = json.loads(kept.read_text(encoding="utf-8"))
        return msgspec.convert(card, Scorecard), own
    expert = build(EXPERTS, name, {"horizon": args.horizon})
    rows = panel(history, expert)
    walk = walk_forward(expert, rows, args.seed, args.blocks)
    card, own = score(walk, rows), _by_asset(rows, walk.said, history)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([msgspec.to_builtins(card), own]), encoding="utf-8")
    return card, own


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--experts", default="")
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--newest", type=int, default=0, help="only so many newest bars of each asset")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--to", type=Path)
    return parser.parse_args()


def _bars(data: Path, newest: int) -> Iterator[BarFrame]:
    """The longest series of each asset."""
    longest: dict[str, BarFrame] = {}
    for name in SETS:
        for path in sorted((data / "ohlcv" / name).glob("*.parquet")):
            bars = _read(path, newest)
            if len(bars) > len(longest.get(path.stem, ())) and len(bars) >= LEAST:
                longest[path.stem] = bars
    return iter(longest.values())


def _read(path: Path, newest: int) -> BarFrame:
    table = parquet.read_table(path, columns=["ts", "open", "high", "low", "close", "volume"])
    ts = table["ts"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    end = REUSED.get(path.stem)
    stop = len(ts) if end is None else int(np.searchsorted(ts, np.datetime64(end, "ms").astype(np.int64)))
    first = max(0, stop - newest) if newest else 0
    columns = [
        np.ascontiguousarray(table[n].to_numpy()[first:stop], np.float64)
        for n in ("open", "high", "low", "close", "volume")
    ]
    return BarFrame(f"{path.stem[:-4]}/USDT", "1h", ts[first:stop].copy(), *columns)


def _by_asset(rows: Panel, said: np.ndarray, history: list[BarFrame]) -> dict[str, float]:
    """Information coefficient by asset: correlation of mean and outcome in deviations."""
    found, stop = {}, 0
    for bars in sorted(history, key=lambda bars: -int(bars.ts[0])):
        start, stop = stop, stop + len(bars)
        mean, y = said[start:stop, 0], rows.y[start:stop] / rows.naive[start:stop]
        seen = np.isfinite(mean) & np.isfinite(y)
        moves = seen.any() and mean[seen].std() > 0
        found[bars.symbol] = float(np.corrcoef(mean[seen], y[seen])[0, 1]) if moves else math.nan
    return found


def _row(name: str, card: Scorecard) -> str:
    skill = card.skill
    cells = [
        name,
        _between(skill.ic, skill.low, skill.high, "{:+.3f}"),
        _between(card.accuracy, card.accuracy_low, card.accuracy_high, "{:.1%}"),
        *(_between(a.gain, a.low, a.high, "{:+.2%}") for a in card.against),
        f"{card.brier:.4f} / {card.brier_base:.4f}" if math.isfinite(card.brier) else "none",
        f"{card.coverage:.1%}",
        f"{float(np.mean(card.confidence)):.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _between(value: float, low: float, high: float, form: str) -> str:
    if not math.isfinite(value):
        return "none"
    return (
        f"{form.format(value)} ({form.format(low)} to {form.format(high)})"
        if math.isfinite(low)
        else form.format(value)
    )


def _page(
    found: list[tuple[str, Scorecard, dict[str, float]]], history: list[BarFrame], args: argparse.Namespace
) -> str:
    symbols = [bars.symbol for bars in history]
    first, last = min(int(b.ts[0]) for b in history), max(int(b.known_at[-1]) for b in history)
    head = (
        "Expert", "IC (95 %)", "Direction right (95 %)", *(f"Saved: {name}" for name in NAIVE), "Brier / base",
        "90 % holds", "Confidence",
    )  # fmt: skip
    opening = f"""# What the experts know

Every registered expert on {len(history)} assets of real hourly bars, {sum(map(len, history)):,} bars from
{iso(first)[:10]} to {iso(last)[:10]}, asked {args.horizon} hours ahead: purged walk-forward, with 95 % intervals.
Written by `python benchmarks/skill.py DATA --horizon {args.horizon} --blocks {args.blocks}`, seed {args.seed}.

How it was measured: time is cut into {args.blocks + 1} blocks. Each but the first is forecast by a copy that was fitted
on the rows of all assets whose outcome was known before it began. No parameter was tuned on these bars; but that arima,
garch and hmm shrink their means by purged folds, and that a step of a calibration rests on 20 outcomes, was decided
after an earlier table of them. Labels overlap and assets move together, so an instant counts once, and intervals come
from sums over blocks of five horizons. Costs are not part of it: this is skill, not profit.

How to read it: IC is the rank correlation of mean forecast and outcome. "Saved" is the share of the loss (mean CRPS) of
a naive forecast that the expert saves; below zero it is worse than the naive one. Zero mean, last sign and historical
mean are given the expert's own deviation, so they say what its mean is worth; recent deviation is zero mean with the
deviation of the last 96 bars, and says what the whole forecast is worth. Brier is of the calibrated probability of a
rise, base that of the plain share of rises so far. Confidence is what the expert said it deserved, from purged folds of
its training rows alone (the networks: from the newest of them, kept aside); the mean over the blocks.
"""
    lines = [
        opening,
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *(_row(name, card) for name, card, _ in found),
        "",
        *_reading(found),
        "",
        "## By asset",
        "",
        "Correlation of the mean forecast and the outcome, in deviations. One asset has too few independent outcomes",
        "for an interval worth printing: differences between assets are mostly luck.",
        "",
        "| Expert | " + " | ".join(symbols) + " |",
        "|" + "---|" * (len(symbols) + 1),
        *(_asset_row(name, own, symbols) for name, _, own in found if any(map(math.isfinite, own.values()))),
    ]
    return "\n".join(lines) + "\n"


def _asset_row(name: str, own: dict[str, float], symbols: list[str]) -> str:
    return f"| {name} | " + " | ".join("none" if math.isnan(own[s]) else f"{own[s]:+.3f}" for s in symbols) + " |"


def _reading(found: list[tuple[str, Scorecard, dict[str, float]]]) -> list[str]:
    sure = [name for name, card, _ in found if card.skill.low > 0]
    mean, whole = ([name for name, card, _ in found if card.against[i].low > 0] for i in (0, 3))
    right = [name for name, card, _ in found if card.accuracy_low > 0.5]
    wrong = [name for name, card, _ in found if card.accuracy_high < 0.5]
    told = [(name, card.brier - card.brier_base) for name, card, _ in found if math.isfinite(card.brier)]
    below, worst = [name for name, behind in told if behind < 0], max(told, key=lambda pair: pair[1])[0] if told else ""
    loud = [name for name, card, _ in found if np.mean(card.confidence) > 0.5 and not card.skill.low > 0]
    return [
        f"- Direction: the interval of the IC lies above zero for {_list(sure)}, of {len(found)} experts; by luck",
        "  alone one in forty would.",
        f"- Right more often than not, beyond doubt: {_list(right)}; less often: {_list(wrong)}. A sign alone says",
        "  little: what counts is the loss.",
        f"- Mean: {_list(mean)} save loss beyond doubt against saying nothing of the direction.",
        f"- Whole forecast: {_list(whole)} save loss beyond doubt against the deviation of recent bars; what is saved",
        "  there is saved by the deviation.",
        f"- Probability of a rise: the Brier score is below that of the plain share of rises for {_list(below)}, and",
        f"  furthest above it for {worst or 'none'}. A map from forecast to probability is learnt from what earlier",
        "  copies said; where a later copy is far more outspoken than they were, the map is at its end.",
        f"- More confident than these rows bear out: {_list(loud)}.",
    ]


def _list(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


if __name__ == "__main__":
    main()
