"""The threshold runs a person asks for: where the probabilities come from, every combination, the files."""

import csv
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from seakeep.app.places import results
from seakeep.app.search.studies import earned, trial_ledger
from seakeep.backtest.certainty import Certainty, by_certainty, first_touch
from seakeep.backtest.pages.thresholdpage import figures, render
from seakeep.backtest.saving import publish
from seakeep.backtest.threshold import ThresholdParams, ThresholdRun, simulate
from seakeep.backtest.trials import Evaluation, evaluation
from seakeep.core.errors import DataError, NotEnoughHistory, SchemaError
from seakeep.core.market import BarFrame, Float64
from seakeep.core.registry import build
from seakeep.core.units import interval_ms, iso
from seakeep.data.parts import from_frame
from seakeep.features.frame import build as build_features
from seakeep.models import EXPERTS
from seakeep.models.training import fit_experts

__all__ = ["Opinions", "Study", "from_expert", "from_file", "study"]

_SQRT2 = math.sqrt(2.0)
_TRADE_COLUMNS = (
    "Side", "Entry price", "Exit price", "Entry time", "Exit time", "Amount", "PNLrealised", "PNLmax", "PNLmin"
)  # fmt: skip


@dataclass(frozen=True)
class Opinions:
    """Bars, the probability (n,) formed at the close of each (NaN: none), and where it comes from."""

    bars: BarFrame
    prob_up: Float64
    source: str


@dataclass(frozen=True)
class Study:
    """Runs over the same opinions, their accuracy, and the page; how many runs were new to the trial ledger."""

    runs: tuple[ThresholdRun, ...]
    certainty: Certainty
    page: Path
    counted: int


def from_file(bars: BarFrame, path: Path) -> Opinions:
    """Opinions from a CSV file with the columns ts (UTC ms of the bar's open) and prob_up.

    Raises: SchemaError naming the line; DataError if no row belongs to these bars.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _rows(csv.DictReader(file), path.name)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SchemaError(f"{path} cannot be read: {error}", remedy="a CSV file with the columns ts, prob_up") from None
    where = {ts: i for i, ts in enumerate(bars.ts.tolist())}
    p = np.full(len(bars), np.nan)
    for ts, value in rows.items():
        if ts in where:
            p[where[ts]] = value
    if not np.isfinite(p).any():
        raise DataError(f"{path.name}: no row belongs to a bar of {bars.symbol}", remedy="ts is the bar's open, UTC ms")
    return Opinions(bars, p, f"{path.name}, {int(np.isfinite(p).sum()):,} of {len(bars):,} bars")


def _rows(reader: "csv.DictReader[str]", name: str) -> dict[int, float]:
    if not {"ts", "prob_up"} <= set(reader.fieldnames or ()):
        raise SchemaError(f"{name}: needs the columns ts and prob_up", value=reader.fieldnames, remedy="add a header")
    rows: dict[int, float] = {}
    for row in reader:
        line = f"{name} line {reader.line_num}"
        try:
            ts, p = int(row["ts"]), float(row["prob_up"])
        except (TypeError, ValueError):
            raise SchemaError(f"{line}: not a number", value=row, remedy="ts in ms and prob_up in [0, 1]") from None
        if not 0 <= p <= 1:
            raise SchemaError(f"{line}: prob_up must lie in [0, 1]", value=p, remedy="correct the row or drop it")
        if ts in rows:
            raise SchemaError(f"{line}: this bar has an opinion already", value=ts, remedy="keep one row a bar")
        rows[ts] = p
    return rows


def from_expert(bars: BarFrame, name: str, train: str, seed: int) -> Opinions:
    """Opinions of a registered expert, fitted on the first `train` of the bars and asked about the rest.

    Raises: NotEnoughHistory if nothing is left to ask about, or the fit needs more.
    """
    expert = build(EXPERTS, name, {})
    split = int(np.searchsorted(bars.ts, bars.ts[0] + interval_ms(train))) if len(bars) else 0
    if split >= len(bars):
        raise NotEnoughHistory(f"training takes {train} and the bars are {len(bars)}", remedy="import more bars")
    fit_experts({name: expert}, [bars.rows(0, split)], seed)
    mean, std = expert.predict(build_features(bars, expert.features))[split:].T
    known = np.isfinite(mean) & (std > 0)
    p = np.full(len(bars) - split, np.nan)
    p[known] = [0.5 * math.erfc(-m / (s * _SQRT2)) for m, s in zip(mean[known], std[known], strict=True)]
    told = f"expert {name}, fitted before {iso(int(bars.ts[split]))}"
    return Opinions(bars.rows(split, len(bars)), p, told)


def study(opinions: Opinions, sets: Sequence[ThresholdParams], horizon: int, userdir: Path) -> Study:
    """Run every set of parameters, judge the opinions by certainty, and write the folder under results/.

    Every run is in the trial ledger before any is shown. Raises: LedgerError if it cannot be counted.
    Files: report.html, statistics.json, and for each run its trades.csv and comment.txt in a folder of its name.
    """
    opinions = _spoken(opinions, horizon)
    bars, p = opinions.bars, opinions.prob_up
    runs = tuple(simulate(bars, p, params) for params in sets)
    counted = trial_ledger(userdir).record([trial for run in runs if (trial := _trial(run, opinions)) is not None])
    certainty = by_certainty(p, first_touch(bars, sets[0].target, horizon))
    table = [msgspec.to_builtins(figures(run)) for run in runs]
    files = {
        "report.html": render(bars, p, runs, certainty, opinions.source),
        "statistics.json": msgspec.json.format(msgspec.json.encode(table)).decode() + "\n",
    }
    base, _, quote = bars.symbol.partition("/")
    for run in runs:
        folder = f"{base}{quote.partition(':')[0]}{bars.interval}-{run.params.name}"
        files[f"{folder}/trades.csv"] = _trades(run)
        files[f"{folder}/comment.txt"] = _comment(run, opinions)
    name = hashlib.sha256(files["report.html"].encode()).hexdigest()[:10]
    folder_path = results(userdir) / f"threshold-{name}"
    publish(folder_path, files)
    return Study(runs, certainty, folder_path / "report.html", counted)


def _spoken(opinions: Opinions, horizon: int) -> Opinions:
    """From the first opinion to `horizon` bars after the last: beyond, nothing is decided or judged."""
    told = np.flatnonzero(np.isfinite(opinions.prob_up))
    if not len(told):
        return opinions
    start, stop = int(told[0]), min(int(told[-1]) + horizon + 1, len(opinions.bars))
    return Opinions(opinions.bars.rows(start, stop), opinions.prob_up[start:stop], opinions.source)


def _trial(run: ThresholdRun, opinions: Opinions) -> Evaluation | None:
    """A run as an evaluation: its parameters, whose opinions, and what the account earned; None without a return."""
    bars = opinions.bars
    curve = earned(bars.known_at, run.equity)
    if not len(curve.ts):
        return None
    told = {**run.params.model_dump(), "opinions": opinions.source}
    where = ((bars.symbol,), bars.interval, from_frame(bars).digest())
    return evaluation("threshold", told, where, curve.ts, curve.returns, source="threshold")


def _trades(run: ThresholdRun) -> str:
    lines = [",".join(_TRADE_COLUMNS)]
    for t in run.trades:
        numbers = (t.qty, t.realised, t.best, t.worst)
        times = f"{iso(t.entry_ts)},{iso(t.exit_ts)}"
        lines.append(f"{t.side},{t.entry_price!r},{t.exit_price!r},{times}," + ",".join(map(repr, numbers)))
    return "\n".join(lines) + "\n"


def _comment(run: ThresholdRun, opinions: Opinions) -> str:
    told = figures(run)
    parts = [f"{key} = {value}" for key, value in (run.params.model_dump() | msgspec.to_builtins(told)).items()]
    return (
        "\n".join([f"bars = {opinions.bars.symbol} {opinions.bars.interval}", f"opinions = {opinions.source}", *parts])
        + "\n"
    )
