"""The training service: every configured expert is trained, validated and, if it is better, made champion.

An expert is trained alone, in a process of its own where there are several, and kept as soon as it is done: a run that
was cut off takes up where it stopped, since a version of the same data, code, parameters and seed is not made twice.
"""

import hashlib
import inspect
import math
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields, replace
from functools import cached_property
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

import msgspec
import numpy as np

from seakeep import __version__
from seakeep.app.models.artefacts import Parts
from seakeep.app.models.store import Loaded, ModelStore, Version, regime_slot
from seakeep.app.places import bar_store
from seakeep.app.sections import Params, Settings
from seakeep.core.errors import ConfigError, DataError, LedgerError, ModelError, NotEnoughHistory, SeakeepError
from seakeep.core.market import BarFrame
from seakeep.core.registry import build
from seakeep.core.units import interval_ms
from seakeep.data.parts import from_frame
from seakeep.models import EXPERTS, REGIMES, Expert
from seakeep.models.base import Learnt
from seakeep.models.card import Card
from seakeep.models.comparison import Comparison, measure
from seakeep.models.drift import reference, without_level
from seakeep.models.neural import deep_experts
from seakeep.models.regimes import RegimeModel
from seakeep.models.training import Panel, Validated, challenge, panel, pooled, validate

__all__ = [
    "PANEL",
    "Failure",
    "Plan",
    "Trained",
    "Training",
    "asked_experts",
    "model_store",
    "part_name",
    "plan",
    "train",
]

PANEL = ("ma", "rsi", "volatility", "forest", "boosting", "svm", "arima", "garch", "hmm")
"""The experts that are trained when the settings name none."""

_LEAST_BARS = 500


class Failure(msgspec.Struct, frozen=True):
    """What could not be trained, an asset or an expert, and why."""

    what: str
    why: str


class Trained(msgspec.Struct, frozen=True):
    """What became of one expert: its version, and whether it is `new`, and champion, and why."""

    expert: str
    version: str
    champion: bool
    new: bool
    why: str


class Training(msgspec.Struct, frozen=True):
    """One pass over the experts."""

    trained: tuple[Trained, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Plan:
    """What to train: settings, the experts with their parameters, the bars, and what was wrong with other bars."""

    settings: Settings
    experts: dict[str, Params]
    history: tuple[BarFrame, ...]
    failures: tuple[Failure, ...]
    caused_by: str = "asked for"
    regimes: bool = True
    """Whether the regime model that the settings name is fitted too."""

    def only(self, names: Collection[str], caused_by: str) -> "Plan":
        """The same for these experts alone, and for another reason."""
        kept = {name: params for name, params in self.experts.items() if name in names}
        return replace(self, experts=kept, caused_by=caused_by, regimes=False)

    @cached_property
    def data(self) -> str:
        """Hash of the bars."""
        digests = [f"{bars.symbol} {bars.interval} {from_frame(bars).digest()}" for bars in self.history]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @property
    def seen_until(self) -> int:
        """When the newest bar became known."""
        return max(int(bars.known_at[-1]) for bars in self.history)


def model_store(userdir: Path) -> ModelStore:
    """The registry of models of the user folder."""
    return ModelStore(userdir / "models")


def asked_experts(settings: Settings, names: Sequence[str] = ()) -> dict[str, Params]:
    """These experts, else the configured ones, else the panel, with the parameters the settings give them.

    A name may say how far it looks: "gru@4h". Raises: ConfigError for an unknown name, or a horizon that is no bars.
    """
    configured = settings.experts | _networks(settings)
    found = {}
    for name in names or tuple(configured) or PANEL:
        EXPERTS[part_name(name)]
        found[name] = configured.get(name) or settings.experts.get(part_name(name), {}) | _ahead(name, settings)
    return found


def part_name(name: str) -> str:
    """The registered expert behind a name.

    >>> part_name("gru@4h"), part_name("ma")
    ('gru', 'ma')
    """
    return name.partition("@")[0]


def _networks(settings: Settings) -> dict[str, Params]:
    networks = deep_experts(settings.deep, settings.run.interval)
    return {name: {"horizon": expert.horizon} for name, expert in networks.items()}


def _ahead(name: str, settings: Settings) -> Params:
    _, at, horizon = name.partition("@")
    if not at:
        return {}
    bars, over = divmod(interval_ms(horizon), interval_ms(settings.run.interval))
    if over:
        raise ConfigError(f"the horizon of {name} is not a whole number of bars of {settings.run.interval}")
    return {"horizon": bars}


def plan(settings: Settings, userdir: Path, experts: dict[str, Params], caused_by: str = "asked for") -> Plan:
    """Read the newest bars of every symbol; a symbol that cannot be used is a failure among the others.

    Raises: NotEnoughHistory if none can be used.
    """
    store, interval = bar_store(settings, userdir), settings.run.interval
    good, bad = [], []
    for symbol in settings.run.symbols:
        try:
            good.append(_usable(store.read(symbol, interval)))
        except SeakeepError as error:
            bad.append(Failure(symbol, str(error)))
    if not good:
        raise NotEnoughHistory(f"no symbol can be trained on: {bad[0].why}", remedy="import bars first")
    end = max(int(bars.known_at[-1]) for bars in good)
    start = end - interval_ms(settings.training.lookback)
    recent = [bars.between(start, None) for bars in good]
    bad += [Failure(bars.symbol, f"{len(bars)} bars are too few") for bars in recent if len(bars) < _LEAST_BARS]
    history = tuple(bars for bars in recent if len(bars) >= _LEAST_BARS)
    if not history:
        remedy = "import newer bars, or train on a longer lookback"
        raise NotEnoughHistory(f"no symbol has {_LEAST_BARS} bars in {settings.training.lookback}", remedy=remedy)
    return Plan(settings, experts, history, tuple(bad), caused_by)


def _usable(bars: BarFrame) -> BarFrame:
    if len(bars) and np.ptp(bars.close) == 0:
        raise DataError(f"the price of {bars.symbol} never moves", value=float(bars.close[0]))
    return bars


def train(
    plan: Plan, userdir: Path, now_ms: int, workers: int = 1, seen: Callable[[str], None] | None = None
) -> Training:
    """Train what the plan names and has no version yet; what fails is listed, and stops nothing else.

    The regime model that the settings name is fitted on all of the bars, and its newest fit is champion.

    Raises: LedgerError or DataError if the registry cannot be written.
    """
    store = model_store(userdir)
    trained, failures = [], list(plan.failures)
    for found in _found(plan, userdir, workers):
        if isinstance(found, Failure):
            failures.append(found)
        else:
            trained.append(_keep(store, found, plan.settings.training.p_value, now_ms))
        if seen is not None:
            seen(found.what if isinstance(found, Failure) else found.name)
    order = list(plan.experts)
    trained.sort(key=lambda one: order.index(one.expert))
    if plan.regimes and plan.settings.regime.model is not None:
        try:
            trained.append(_fit_regimes(plan, store, plan.settings.regime.model, now_ms))
        except ModelError as error:
            failures.append(Failure(regime_slot(plan.settings.regime.model, "")[0], str(error)))
    return Training(tuple(trained), tuple(failures))


def _fit_regimes(plan: Plan, store: ModelStore, name: str, now_ms: int) -> Trained:
    """Keep a regime model fitted on these bars, if there is none yet."""
    settings, interval = plan.settings, plan.settings.run.interval
    model = build(REGIMES, name, {"interval": interval, **settings.regime.params})
    slot = regime_slot(name, interval)
    parts = (slot, _params(model), settings.run.seed, plan.data, _code(type(model)))
    key = hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()
    version, before = store.find(key), store.champion(slot)
    new = version is None
    if version is None:
        frame = pooled(plan.history, model.features)
        model.fit(frame, settings.run.seed)
        card = _regime_card(plan, model, slot[0], len(frame), before.id if before else "")
        version = store.add(card, {"regimes": model.state()}, key, now_ms)
    why = "the newest fit" if version.stage == "candidate" else f"it is {version.stage} already"
    if version.stage == "candidate":
        store.promote(version.id, why, now_ms)
    return Trained(slot[0], version.id, store[version.id].stage == "champion", new, why)


def _regime_card(plan: Plan, model: RegimeModel, name: str, rows: int, parent: str) -> Card:
    nothing = np.empty(0)
    return Card(
        expert=name,
        params=_params(model),
        interval=plan.settings.run.interval,
        symbols=tuple(bars.symbol for bars in plan.history),
        seed=plan.settings.run.seed,
        folds=0,
        trained_from=min(int(bars.known_at[0]) for bars in plan.history),
        trained_until=plan.seen_until,
        seen_until=plan.seen_until,
        rows=rows,
        data=plan.data,
        code=_code(type(model)),
        caused_by=plan.caused_by,
        metrics=measure(np.empty(0, np.int64), np.empty((0, 2)), nothing, nothing, 1),
        confidence=math.nan,
        coverage=math.nan,
        brier=math.nan,
        brier_base=math.nan,
        parent=parent,
    )


@dataclass(frozen=True)
class _Candidate:
    """What training sends back; without `parts` the version was there already."""

    name: str
    key: str
    card: Card
    parts: Parts | None


def _found(plan: Plan, userdir: Path, workers: int) -> Iterator[_Candidate | Failure]:
    if workers == 1 or len(plan.experts) == 1:
        return (_guarded(plan, userdir, name) for name in plan.experts)
    return _shared(plan, userdir, min(workers, len(plan.experts)))


def _guarded(plan: Plan, userdir: Path, name: str) -> _Candidate | Failure:
    """One expert; whatever goes wrong with it is its own failure."""
    try:
        return _candidate(plan, model_store(userdir), name)
    except SeakeepError as error:
        return Failure(name, str(error))
    except Exception as error:
        return Failure(name, f"{type(error).__name__}: {error}")


def _candidate(plan: Plan, store: ModelStore, name: str) -> _Candidate:
    settings = plan.settings
    expert = build(EXPERTS, part_name(name), plan.experts[name])
    key = _key(plan, name, expert)
    known = store.find(key)
    if known is not None:
        return _Candidate(name, key, known.card, None)
    rows = panel(plan.history, expert)
    made = validate(expert, rows, settings.run.seed, settings.training)
    champion = store.champion((part_name(name), settings.run.interval, expert.horizon))
    test = None if champion is None else _tested(plan, store.load(champion), made, rows)
    card = _card(plan, name, made, champion, test)
    window_ms = interval_ms(settings.training.drift.window)
    before = reference(rows.frame, without_level(plan.history[0], expert.features), window_ms)
    looks: dict[str, Learnt] = {
        "names": "\n".join(before.names),
        "edges": before.edges,
        "shares": before.shares,
        "usual": before.usual,
    }
    parts: Parts = {"expert": made.expert.state(), "calibration": made.calibration.state(), "reference": looks}
    return _Candidate(name, key, card, parts)


def _tested(plan: Plan, champion: Loaded, made: Validated, rows: Panel) -> Comparison | None:
    """The challenger against the champion, on rows that neither learnt from; None if those are too few."""
    since = max(made.trained_until, champion.version.card.trained_until)
    theirs = rows if champion.expert.features == made.expert.features else panel(plan.history, champion.expert)
    try:
        return challenge(champion.expert, made.expert, theirs, rows, since)
    except NotEnoughHistory:
        return None


def _card(plan: Plan, name: str, made: Validated, champion: Version | None, test: Comparison | None) -> Card:
    return Card(
        expert=part_name(name),
        params=_params(made.expert),
        interval=plan.settings.run.interval,
        symbols=tuple(bars.symbol for bars in plan.history),
        seed=plan.settings.run.seed,
        folds=plan.settings.training.folds,
        trained_from=min(int(bars.known_at[0]) for bars in plan.history),
        trained_until=made.trained_until,
        seen_until=plan.seen_until,
        rows=made.rows,
        data=plan.data,
        code=_code(type(made.expert)),
        caused_by=plan.caused_by,
        metrics=made.metrics,
        confidence=made.expert.confidence,
        coverage=made.calibration.covered,
        brier=made.calibration.brier,
        brier_base=made.calibration.brier_base,
        parent=champion.id if champion else "",
        test=test,
    )


def _params(part: Expert | RegimeModel) -> Params:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _key(plan: Plan, name: str, expert: Expert) -> str:
    """What makes it this version and no other."""
    training = plan.settings.training.model_dump(include={"lookback", "validation", "folds"})
    parts = (part_name(name), _params(expert), training, plan.settings.run.interval, plan.settings.run.seed)
    text = msgspec.json.encode((*parts, plan.data, _code(type(expert))), order="sorted")
    return hashlib.sha256(text).hexdigest()


def _code(kind: type) -> str:
    """The release, and the hash of the files that the part and the kinds it is made of are written in."""
    modules = dict.fromkeys(base.__module__ for base in kind.__mro__)
    sources = [inspect.getsource(sys.modules[name]) for name in modules if name not in sys.stdlib_module_names]
    return f"{__version__}+{hashlib.sha256(''.join(sources).encode()).hexdigest()[:10]}"


def _keep(store: ModelStore, found: _Candidate, p_value: float, now_ms: int) -> Trained:
    """Store a candidate, and promote it if its slot is empty or it beat the champion."""
    known = store.find(found.key)
    new = known is None
    if known is None and found.parts is None:
        raise LedgerError(f"version {found.key[:12]} of {found.name} went while it was trained")
    version = known or store.add(found.card, found.parts or {}, found.key, now_ms)
    champion, why = _judged(store, version, p_value, now_ms)
    return Trained(found.name, version.id, champion, new, why)


def _judged(store: ModelStore, version: Version, p_value: float, now_ms: int) -> tuple[bool, str]:
    """Whether it is champion now, and why."""
    champion, test = store.champion(version.slot), version.card.test
    won, why = False, ""
    if version.stage != "candidate":
        why = f"it is {version.stage} already"
    elif champion is None:
        won, why = True, "there was no champion"
    elif version.card.parent != champion.id or test is None:
        why = f"it could not be compared with {champion.id}"
    else:
        won = test.p_value < p_value
        why = f"{'better' if won else 'not better'} than {champion.id}: p = {test.p_value:.3g} over {test.n} instants"
    if won:
        store.promote(version.id, why, now_ms)
    return won or version.stage == "champion", why


_OPEN: list[tuple[Plan, Path]] = []
"""The plan of a worker process, made when it starts."""


def _start(settings: str, userdir: str, experts: dict[str, Params], caused_by: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _OPEN.append((plan(Settings.model_validate_json(settings), Path(userdir), experts, caused_by), Path(userdir)))


def _end_with_parent() -> None:
    """A killed parent takes its workers along."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(name: str) -> _Candidate | Failure:
    return _guarded(*_OPEN[0], name)


def _shared(plan: Plan, userdir: Path, workers: int) -> Iterator[_Candidate | Failure]:
    """The experts, shared out among processes, in the order in which they are done."""
    started = (plan.settings.model_dump_json(), str(userdir), plan.experts, plan.caused_by)
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, started) as pool:
        jobs = {pool.submit(_work, name): name for name in sorted(plan.experts, key=_cost, reverse=True)}
        for job in as_completed(jobs):
            try:
                yield job.result()
            except BrokenProcessPool:
                yield Failure(jobs[job], "its process died, perhaps for want of memory; try again with --workers 1")


def _cost(name: str) -> int:
    """The longest trainings begin first, so that the others fit in beside them."""
    return PANEL.index(name) if name in PANEL else len(PANEL)
