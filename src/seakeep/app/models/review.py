"""How champions do on bars that came after them: their live record, drift, and a failing one taken down."""

from pathlib import Path

import msgspec
import numpy as np

from seakeep.app.models.store import ModelStore, Outcome, Version
from seakeep.app.models.trainer import Failure, Plan, model_store, part_name
from seakeep.core.errors import SeakeepError
from seakeep.core.registry import build
from seakeep.core.units import interval_ms
from seakeep.models import EXPERTS
from seakeep.models.comparison import measure
from seakeep.models.drift import Drift, drift, shifts
from seakeep.models.folding import part_of
from seakeep.models.training import Panel, out_of_sample, panel

__all__ = ["Review", "retrain_reason", "review"]


class Review(msgspec.Struct, frozen=True):
    """What became of one champion: how far the world moved, and why it is to be trained again or was taken down."""

    version: str
    expert: str
    outcome: Outcome
    drift: Drift
    demoted: bool
    retrain: str
    successor: str = ""


def review(plan: Plan, userdir: Path, now_ms: int) -> tuple[tuple[Review, ...], tuple[Failure, ...]]:
    """Judge the champion of each planned expert on rows it had not seen; one whose error has drifted is demoted."""
    store, found, failures = model_store(userdir), [], []
    slots = {
        (part_name(name), plan.settings.run.interval, build(EXPERTS, part_name(name), params).horizon): name
        for name, params in plan.experts.items()
    }
    for slot, name in slots.items():
        version = store.champion(slot)
        if version is None:
            continue
        try:
            found.append(_reviewed(plan, store, version, name, now_ms))
        except SeakeepError as error:
            failures.append(Failure(version.id, str(error)))
    return tuple(found), tuple(failures)


def _reviewed(plan: Plan, store: ModelStore, version: Version, name: str, now_ms: int) -> Review:
    loaded, params = store.load(version), plan.settings.training.drift
    rows = panel(plan.history, loaded.expert)
    outcome = _outcome(loaded.version, *out_of_sample(loaded.expert, rows, version.card.seen_until))
    if outcome.metrics.rows:
        store.record(outcome)
    newest = rows.frame.ts > plan.seen_until - interval_ms(params.window)
    psi = shifts(loaded.reference, part_of(rows.frame, np.flatnonzero(newest)))
    least = params.least_horizons * loaded.expert.horizon * len(plan.history)
    moved = drift(psi, version.card.metrics, outcome.metrics, least)
    failing = moved.error_ratio > params.demote_ratio
    why = retrain_reason(moved, params.psi, params.retrain_ratio)
    successor = store.demote(version.id, why, now_ms) if failing else None
    after = successor.id if successor else ""
    return Review(version.id, name, outcome, moved, failing, why, after)


def _outcome(version: Version, said: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", rows: Panel) -> Outcome:
    ts = rows.frame.ts
    metrics = measure(ts, said, rows.y, rows.naive, rows.horizon_ms)
    seen = version.card.seen_until
    return Outcome(version.id, seen, int(ts.max()) if len(ts) else seen, metrics)


def retrain_reason(moved: Drift, psi: float, ratio: float) -> str:
    """Why drift asks for training, the error first; empty if it does not."""
    if moved.error_ratio > ratio:
        return f"its relative error is {moved.error_ratio:.2f} times that of validation"
    shifted = moved.shifted(psi)
    if not shifted:
        return ""
    worst, of = shifted[0], len(moved.shifts)
    return (
        f"{len(shifted)} of {of} features have shifted, {worst.name} most: {worst.psi:.2f}, usually {worst.usual:.2f}"
    )
