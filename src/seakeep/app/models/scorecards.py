"""Scorecards a person asks for: walk each expert forward over stored bars, judge it, and write the page."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from markupsafe import Markup
from pydantic import Field

from seakeep.app.models.regimes import study
from seakeep.app.places import configured_store, results
from seakeep.backtest.pages.regimechart import regime_chart
from seakeep.backtest.pages.scorepage import Sheet, render, says
from seakeep.backtest.saving import publish
from seakeep.backtest.scorecard import score, walk_forward
from seakeep.core.config import Section
from seakeep.core.errors import ModelError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.core.registry import build
from seakeep.core.units import iso
from seakeep.models import EXPERTS, Expert
from seakeep.models.folding import part_of
from seakeep.models.importance import Importance, Pruning, TreeImportance, permutation, prune, tree_importance
from seakeep.models.ml import LearningExpert
from seakeep.models.training import Panel, panel
from seakeep.models.trees import FlatTrees

__all__ = ["Asked", "Scored", "as_json", "scorecards"]

_ENUMERABLE = 40
"""Experts with more features are not shuffled."""


class Asked(Section):
    """What a scorecard is made with."""

    horizon: int = Field(48, ge=1, le=100_000, description="bars ahead")
    blocks: int = Field(5, ge=1, le=50, description="blocks of time that are forecast one after the other")
    seed: int = Field(1, ge=0, description="seed of the fits")
    prune: bool = Field(True, description="test the expert without the inputs that are not shown to help")
    regimes: bool = Field(True, description="draw the prices coloured by regime")


@dataclass(frozen=True)
class Scored:
    """The sheets, the experts that could not be judged and why, and the page."""

    sheets: tuple[Sheet, ...]
    failures: tuple[tuple[str, str], ...]
    page: Path


def scorecards(
    userdir: Path,
    names: Sequence[str],
    symbols: Sequence[str],
    interval: str,
    asked: Asked,
    seen: Callable[[int], None],
) -> Scored:
    """Judge the experts on the stored bars of these symbols, and write report.html and scorecard.json.

    An expert that fails is listed, and does not stop the rest. Raises: DataError or ConfigError for bars or names that
    are not there; NotEnoughHistory if no expert can be judged.
    """
    store = configured_store(userdir)
    for name in names:
        EXPERTS[name]
    history = [store.read(symbol, interval) for symbol in symbols]
    sheets, failures = [], []
    for name in names:
        try:
            sheets.append(_sheet(name, history, asked))
        except ModelError as error:
            failures.append((name, str(error)))
        seen(1)
    if not sheets:
        raise NotEnoughHistory(f"no expert can be judged: {failures[0][1]}", remedy="import more bars")
    first, last = min(int(b.ts[0]) for b in history), max(int(b.known_at[-1]) for b in history)
    what = f"{', '.join(symbols)}: {sum(map(len, history)):,} {interval} bars, {iso(first)[:10]} to {iso(last)[:10]}"
    files = {
        "report.html": render(sheets, what, _regimes(history, asked) if asked.regimes else ()),
        "scorecard.json": msgspec.json.format(msgspec.json.encode(as_json(sheets), enc_hook=str)).decode() + "\n",
    }
    folder = results(userdir) / f"scorecard-{hashlib.sha256(files['report.html'].encode()).hexdigest()[:10]}"
    publish(folder, files)
    return Scored(tuple(sheets), tuple(failures), folder / "report.html")


def _sheet(name: str, history: Sequence[BarFrame], asked: Asked) -> Sheet:
    expert = build(EXPERTS, name, {"horizon": asked.horizon})
    rows = panel(history, expert)
    walk = walk_forward(expert, rows, asked.seed, asked.blocks)
    newest_first = sorted(history, key=lambda bars: -int(bars.ts[0]))
    stop = len(newest_first[0])
    return Sheet(
        name=name,
        group=expert.group,
        horizon=asked.horizon,
        card=score(walk, rows),
        bars=newest_first[0],
        said=walk.said[:stop],
        importance=_importance(walk.experts, [test for _, test in walk.folds], rows, asked.seed),
        trees=_trees(walk.experts[-1]),
        pruning=_pruning(expert, rows, asked),
    )


def _trees(expert: Expert) -> tuple[TreeImportance, ...]:
    if isinstance(expert, LearningExpert) and isinstance(expert.function_, FlatTrees):
        return tree_importance(expert.function_, expert.inputs)
    return ()


def _pruning(expert: Expert, rows: Panel, asked: Asked) -> Pruning | None:
    if not (asked.prune and isinstance(expert, LearningExpert)):
        return None
    return prune(expert, rows.frame, rows.y, asked.seed)


def _importance(experts: Sequence[Expert], tests: Sequence[np.ndarray], rows: Panel, seed: int) -> Importance | None:
    """On the walk's own folds; None for an expert whose inputs are too many to shuffle one by one."""
    if len(experts[0].features) > _ENUMERABLE:
        return None
    pieces = [(e, part_of(rows.frame, test), rows.y[test]) for e, test in zip(experts, tests, strict=True)]
    try:
        return permutation(pieces, seed, repeats=2)
    except NotEnoughHistory:
        return None


def _regimes(history: Sequence[BarFrame], asked: Asked) -> list[tuple[str, Markup]]:
    """Prices coloured by regime; none where the history is too short for one."""
    try:
        views, _ = study(history, "vote", 0.5, asked.seed)
    except ModelError:
        return []
    return [(view.bars.symbol, regime_chart(view.bars, view.table)) for view in views]


def as_json(sheets: Sequence[Sheet]) -> list[dict[str, object]]:
    """The figures, ready for JSON: a number that is not known is null."""
    return [_figures(sheet) for sheet in sheets]


def _figures(sheet: Sheet) -> dict[str, object]:
    card, found = sheet.card, sheet.importance
    return {
        "expert": sheet.name,
        "group": sheet.group,
        "horizon": sheet.horizon,
        "says": says(sheet),
        "rows": card.rows,
        "instants": card.instants,
        "skill": card.skill,
        "accuracy": {"value": card.accuracy, "low": card.accuracy_low, "high": card.accuracy_high, "n": card.calls},
        "against": card.against,
        "brier": card.brier,
        "brier_base": card.brier_base,
        "coverage": card.coverage,
        "confidence": card.confidence,
        "reliability": card.reliability,
        "by_certainty": card.certainty,
        "importance": None
        if found is None
        else {
            "inputs": [
                {"name": n, "group": g, "value": float(v), "error": float(e)}
                for n, g, v, e in zip(found.names, found.groups, found.value, found.error, strict=True)
            ],
            "groups": dict(found.by_group()),
            "stability": found.stability,
            "spare": found.spare,
        },
        "trees": sheet.trees,
        "pruning": None if sheet.pruning is None else {"verdict": sheet.pruning.verdict, **_builtins(sheet.pruning)},
    }


def _builtins(struct: msgspec.Struct) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(struct)
    return found
