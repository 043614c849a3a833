"""Why a decision was taken, or was not: the run is rebuilt up to that instant and asked.

A run in the ledger is replayed from its journal, and every record must repeat itself; a backtest, which left none, is
run again on the bars it was made with, and its fills must.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from seakeep.app.bootstrap import Session, prepare, sim_broker
from seakeep.app.funnel import Aftermath, Moment, Stage, funnel, silent
from seakeep.app.hearing import fingerprints
from seakeep.app.places import ledger_location, results
from seakeep.app.sections import Settings
from seakeep.app.settings import config_path, load
from seakeep.backtest.driver import Records
from seakeep.backtest.result import digest
from seakeep.backtest.saving import load_summary
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, DataError, IntegrityError, ModelError
from seakeep.core.events import Event, Filled, Record, Slice
from seakeep.core.market import Float64
from seakeep.core.orders import Fill, Order
from seakeep.core.registry import nearest
from seakeep.core.units import iso
from seakeep.core.verdicts import Decision, RiskVerdict
from seakeep.data.parts import from_frame
from seakeep.engine.engine import Engine
from seakeep.engine.replay import Entry, replay
from seakeep.engine.run import run
from seakeep.features.frame import build
from seakeep.ledger.journal import Ledger
from seakeep.models.attribution import attribute, over_windows, shapley
from seakeep.models.importance import group_of
from seakeep.strategy import Strategy
from seakeep.strategy.explain import (
    USUAL,
    Part,
    Reasons,
    SelectedStrategy,
    TradingSignal,
    Voice,
    divide,
    sentences,
    trading_signal,
)

__all__ = ["Explained", "Journal", "explain", "explain_not", "journal_of", "latest_reasons", "reasons_of"]

_PAST = 2_000
"""Bars before the moment that stand for what an input usually is."""


class Explained(msgspec.Struct, frozen=True):
    """One symbol at one instant of a run: what became of it, and why.

    `stopped_by` names the stage that was not passed, "" if all were.
    """

    run_id: str
    symbol: str
    time: str
    stages: tuple[Stage, ...]
    stopped_by: str
    reasons: Reasons
    text: tuple[str, ...]
    signal: TradingSignal
    decision: Decision | None
    verdict: RiskVerdict | None
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]


@dataclass(frozen=True)
class Journal:
    """A run that can be rebuilt: its session, and its entries after a sequence number."""

    session: Session
    read: Callable[[int], Iterator[Entry]]

    def entries(self, after_seq: int = 0) -> Iterator[Entry]:
        """The entries after that one, in order."""
        return self.read(after_seq)

    @property
    def run_id(self) -> str:
        """The run."""
        return self.session.pipeline.run_id


def journal_of(userdir: Path, named: str = "") -> Journal:
    """The run of that name, or whose name begins that of a decision, order or fill; without a name the newest.

    The ledger is asked first, then the saved results. Raises: ConfigError if there is none; DataError if the bars of a
    backtest have changed.
    """
    settings = load(config_path(userdir, None), {}, {}).settings
    kept = _kept(settings, userdir)
    names = [name for name in kept if not named or named == name or named.startswith(f"{name}-")]
    if names:
        name = max(names, key=len) if named else names[-1]
        session = prepare(Settings.model_validate_json(kept[name]), userdir, name)
        return Journal(session, lambda after: _entries(settings, userdir, name, after))
    folders = sorted(results(userdir).glob("*/summary.json"), key=lambda path: path.stat().st_mtime)
    saved = {path.parent.name: path.parent for path in folders}
    names = [name for name in saved if not named or named == name or named.startswith(f"{name}-")]
    if not names:
        known = [*kept, *saved]
        remedy = nearest(named, known) if known else "make one with: seakeep backtest, or seakeep trade"
        raise ConfigError("no run has that decision, order or fill", value=named or None, remedy=remedy)
    return _again(saved[max(names, key=len) if named else names[-1]], userdir)


def _kept(settings: Settings, userdir: Path) -> dict[str, str]:
    """Runs of the ledger and the settings they were started with; none if there is no ledger."""
    place = ledger_location(settings, userdir)
    if isinstance(place, Path) and not place.exists():
        return {}
    with Ledger.open(place, readonly=True) as ledger:
        return {run.run_id: run.config for run in ledger.runs() if run.head_seq}


def _entries(settings: Settings, userdir: Path, name: str, after_seq: int) -> Iterator[Entry]:
    with Ledger.open(ledger_location(settings, userdir), readonly=True) as ledger:
        yield from ledger.entries(name, after_seq)


class _Tape:
    """A journal in memory, entry by entry."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.records = Records()

    def write(self, event: Event, records: Sequence[Record]) -> None:
        self.entries.append((len(self.entries) + 1, event, tuple(records)))
        self.records.add(event, records)

    def commit(self) -> None:
        """It lives in memory."""


def _again(folder: Path, userdir: Path) -> Journal:
    """A saved backtest, run again. Raises: DataError if its bars or its fills are not what they were."""
    summary = load_summary(folder)
    manifest = summary.get("manifest")
    if not isinstance(manifest, dict) or "settings" not in manifest:
        raise DataError(f"{folder.name} keeps no settings to run it again with", remedy="explain another run")
    session = prepare(Settings.model_validate(manifest["settings"]), userdir, folder.name)
    changed = _changed(manifest, session)
    if changed:
        raise DataError(f"{', '.join(changed)} changed since {folder.name}", remedy="run it again")
    tape = _Tape()
    run(Engine(session.pipeline), session.feed(), sim_broker(session), tape)
    if digest(tape.records.fills) != summary.get("digest"):
        raise DataError(f"{folder.name} does not repeat itself", remedy="it was made by another release: run it again")
    return Journal(session, lambda after: iter(tape.entries[after:]))


def _changed(manifest: dict[str, Any], session: Session) -> list[str]:
    """What the session has otherwise than the manifest says: bars by symbol, and what is heard beside them by kind."""
    bars = {f.symbol: from_frame(f).digest() for f in session.frames}
    found = [f"the bars of {s}" for s, kept in sorted(manifest.get("data", {}).items()) if kept["hash"] != bars.get(s)]
    heard = fingerprints(session.observations, session.news, session.books)
    before = manifest.get("heard", heard)
    return found + [f"the {kind}" for kind in sorted({*before, *heard}) if before.get(kind) != heard.get(kind)]


def explain(userdir: Path, named: str, seed: int = 0) -> Explained:
    """Why a decision was taken, by the id of the decision, its verdict, an order or a fill.

    Raises: ConfigError if there is no such id.
    """
    journal = journal_of(userdir, named)
    for seq, event, records in journal.entries():
        symbol = _names(named, event, records)
        if symbol is not None:
            decided = _decided_at(journal, named, seq, event, records)
            return _told(_moment(journal, decided, symbol), journal, seed)
    raise ConfigError(f"run {journal.run_id} has no such id", value=named, remedy="see: seakeep ledger export")


def explain_not(userdir: Path, symbol: str, ts: int, run_id: str = "", seed: int = 0) -> Explained:
    """What became of a symbol at the newest slice known at `ts` (UTC ms): the funnel to where it stopped.

    Raises: ConfigError if the run does not trade the symbol, or was not running then.
    """
    journal = journal_of(userdir, run_id)
    known = list(journal.session.pipeline.instruments)
    if symbol not in known:
        raise ConfigError(f"run {journal.run_id} does not trade it", value=symbol, remedy=nearest(symbol, known))
    found, last = None, None
    for seq, event, _ in journal.entries():
        if not isinstance(event, Slice) or not event.bars:
            continue
        last = event.ts
        if event.ts > ts:
            break
        found = seq, event.ts
    if found is None or last is None or ts - found[1] >= journal.session.pipeline.bar_ms:
        until = "nothing" if last is None else iso(last if found is None else found[1])
        remedy = f"near it, the run has a slice at {until}"
        raise ConfigError(f"run {journal.run_id} has no slice then", value=iso(ts), remedy=remedy)
    return _told(_moment(journal, found[0], symbol), journal, seed)


def _names(named: str, event: Event, records: Sequence[Record]) -> str | None:
    """The symbol that an entry speaks of under that id."""
    if isinstance(event, Filled) and event.fill.id == named:
        return event.fill.symbol
    for record in records:
        ids = (getattr(record, "id", ""), getattr(record, "decision_id", "") if isinstance(record, RiskVerdict) else "")
        if named in ids and isinstance(record, Decision | Order | RiskVerdict):
            return record.symbol
    return None


def _decided_at(journal: Journal, named: str, seq: int, event: Event, records: Sequence[Record]) -> int:
    """The entry of the slice in which the decision behind that id was taken."""
    if any(isinstance(r, Decision) and r.id == named for r in records):
        return seq
    order_id = event.fill.order_id if isinstance(event, Filled) and event.fill.id == named else named
    decision_id = named
    for at, _, caused in journal.entries():
        for record in caused:
            if isinstance(record, Order) and record.id == order_id:
                decision_id = record.decision_id
        if any(isinstance(r, Decision) and r.id == decision_id for r in caused):
            return at
    raise ConfigError("nothing was decided under that id", value=named)


def _moment(journal: Journal, seq: int, symbol: str) -> Moment:
    """The run rebuilt to that entry. Raises: IntegrityError if it does not repeat itself."""
    entries = journal.entries()
    before = list(takewhile(lambda entry: entry[0] < seq, entries)) if seq > 1 else []
    _, event, records = next(journal.entries(seq - 1))
    if not isinstance(event, Slice):
        raise IntegrityError(f"entry {seq} holds a decision, and is no slice")

    def rebuilt() -> Engine:
        engine = Engine(journal.session.pipeline)
        replay(engine, before)
        return engine

    moment = Moment.of(rebuilt, event, symbol)
    if list(moment.records) != list(records):
        raise IntegrityError(f"entry {seq} does not replay", remedy="restore the configuration and release it had")
    moment.after = _aftermath(moment, journal.entries(seq))
    return moment


def _aftermath(moment: Moment, later: Iterator[Entry]) -> Aftermath:
    """The orders of the decision as they ended, and their fills."""
    orders = {order.id: order for order in moment.orders}
    fills: list[Fill] = []
    if not orders:
        return Aftermath()
    for _, event, records in later:
        if isinstance(event, Filled) and event.fill.order_id in orders:
            fills.append(event.fill)
        orders |= {r.id: r for r in records if isinstance(r, Order) and r.id in orders}
    return Aftermath(tuple(orders.values()), tuple(fills))


def _told(moment: Moment, journal: Journal, seed: int) -> Explained:
    stages = funnel(moment)
    stopped = "" if all(stage.passed for stage in stages) else stages[-1].name
    reasons = reasons_of(moment, journal.session, seed)
    state, opinion = moment.engine.state, moment.opinion
    chosen = opinion.strategy if opinion is not None and opinion.strategy else moment.pipeline.strategy_name
    regime = opinion.regime if opinion is not None and opinion.regime != "unknown" else None
    strategy = SelectedStrategy(chosen, _rule_of(moment).group, market_regime=regime)
    signal = trading_signal(reasons, strategy, moment.decision, moment.verdict, state.sentiment.get(moment.symbol))
    return Explained(
        run_id=journal.run_id,
        symbol=moment.symbol,
        time=iso(moment.event.ts),
        stages=stages,
        stopped_by=stopped,
        reasons=reasons,
        text=sentences(reasons),
        signal=signal,
        decision=moment.decision,
        verdict=moment.verdict,
        orders=moment.after.orders,
        fills=moment.after.fills,
    )


def reasons_of(moment: Moment, session: Session, seed: int = 0) -> Reasons:
    """The score of the moment, from the blend down to the inputs of each voice; each level adds up to the next."""
    opinion = moment.opinion
    if opinion is None:
        return Reasons(moment.symbol, moment.event.ts, 0.0, 0.0, (), ())
    view, frame = opinion.view, moment.frame
    past = _past(session, frame)
    voices = tuple(_voice(moment, source, part, frame, past, seed) for source, part in view.contributions)
    return Reasons(moment.symbol, moment.event.ts, view.score, view.confidence, voices, tuple(silent(moment)))


def _past(session: Session, frame: FeatureFrame) -> FeatureFrame:
    """Features of the bars before the moment."""
    bars = next(f for f in session.frames if f.symbol == frame.symbol)
    stop = int(np.searchsorted(bars.known_at, frame.ts[-1]))
    return build(bars.rows(max(0, stop - _PAST), stop), frame.names)


def _voice(
    moment: Moment, source: str, contribution: float, frame: FeatureFrame, past: FeatureFrame, seed: int
) -> Voice:
    expert = moment.pipeline.experts.get(source)
    if expert is None and source == moment.pipeline.strategy_name:
        return _rule(moment, contribution, frame, past, seed)
    if expert is None:
        return Voice(source, source, contribution, 1.0, method="one number: it is not divided")
    mean, std = expert.predict(frame)[-1].tolist()
    calibration = moment.pipeline.calibrations.get(source)
    if calibration is not None:
        up = calibration.prob_up(mean, std)
    else:
        up = 0.5 * math.erfc(-mean / (std * math.sqrt(2))) if std > 0 else None
    try:
        told = attribute(expert, frame, past, seed)
    except ModelError as error:
        return Voice(source, expert.group, contribution, expert.confidence, mean, std, up, (), f"not divided: {error}")
    shares = divide(contribution, told.values.tolist(), told.base, told.errors.tolist())
    parts = _parts(told.names, told.inputs, shares, expert.group)
    return Voice(source, expert.group, contribution, expert.confidence, mean, std, up, parts, told.method)


def _rule(moment: Moment, contribution: float, frame: FeatureFrame, past: FeatureFrame, seed: int) -> Voice:
    """The strategy's own score, divided over the features it reads; what experts said to it is left as it was."""
    name, strategy = moment.pipeline.strategy_name, _rule_of(moment)
    reach = slice(len(frame) - strategy.lookback, None)
    columns = [frame.names.index(spec) for spec in strategy.features]
    stamps = frame.ts[reach]
    told = {key: expert.predict(frame)[reach] for key, expert in moment.pipeline.experts.items()}

    def ask(windows: Float64) -> Float64:
        frames = (FeatureFrame(frame.symbol, stamps, strategy.features, window) for window in windows)
        return np.array([strategy.score(one, told)[-1] for one in frames])

    now, before = (
        FeatureFrame(f.symbol, f.ts[r], strategy.features, f.values[r][:, columns])
        for f, r in ((frame, reach), (past, slice(None)))
    )
    try:
        base, values, errors = shapley(over_windows(ask, now, before), len(columns), seed)
    except ModelError as error:
        return Voice(name, strategy.group, contribution, 1.0, method=f"not divided: {error}")
    shares = divide(contribution, values.tolist(), base, errors.tolist())
    parts = _parts(strategy.features, now.values[-1], shares, strategy.group)
    method = "a rule, sampled" if errors.any() else "a rule, enumerated"
    return Voice(name, strategy.group, contribution, 1.0, parts=parts, method=method)


def _rule_of(moment: Moment) -> Strategy:
    """The strategy that spoke: of a selector the member it had chosen."""
    outlook, opinion = moment.engine.state.outlook, moment.opinion
    if outlook is None or outlook.paper is None or opinion is None:
        return moment.pipeline.strategy
    return outlook.paper.members[opinion.strategy]


def _parts(
    names: Sequence[str], inputs: Float64, shares: Sequence[tuple[float, float]], group: str
) -> tuple[Part, ...]:
    """A part for each input, and the usual one, which belongs to the voice's own group."""
    named = [*zip(names, inputs.tolist(), strict=True), (USUAL, None)]
    return tuple(
        Part(name, group if name == USUAL else group_of(name), value, part, error)
        for (name, value), (part, error) in zip(named, shares, strict=True)
        if name != USUAL or part
    )


def latest_reasons(journal: Journal, last: int = 12, seed: int = 0) -> dict[str, Reasons]:
    """The reasons of the newest decisions that asked someone, by id, from one replay of the run."""
    asked = [
        (seq, record)
        for seq, event, records in journal.entries()
        for record in records
        if isinstance(event, Slice) and isinstance(record, Decision) and any(v for _, v in record.contributions)
    ][-last:]
    wanted: dict[int, list[Decision]] = {}
    for seq, record in asked:
        wanted.setdefault(seq, []).append(record)
    engine = Engine(journal.session.pipeline)
    found: dict[str, Reasons] = {}
    for entry in journal.entries():
        replay(engine, [entry])
        seq, event, records = entry
        if not isinstance(event, Slice):
            continue
        for decision in wanted.pop(seq, ()):
            market = engine.state.markets[decision.symbol]
            moment = Moment(
                engine, lambda: engine, event, decision.symbol, market.held, engine.state.portfolio, records
            )
            found[decision.id] = reasons_of(moment, journal.session, seed)
        if not wanted:
            break
    return found
