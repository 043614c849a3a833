"""The runs a person asks for: a backtest in memory, a dry run through the ledger, and the report of either."""

import hashlib
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

import msgspec
from markupsafe import Markup

from seakeep import __version__
from seakeep.app.bootstrap import Session, prepare, sim_broker
from seakeep.app.console import note
from seakeep.app.hearing import fingerprints
from seakeep.app.models.beliefs import pinned
from seakeep.app.places import ledger_location, results
from seakeep.app.search.studies import count
from seakeep.app.sections import Settings
from seakeep.backtest.driver import Records, assemble, backtest, check_books
from seakeep.backtest.pages.report import render
from seakeep.backtest.result import Result, digest
from seakeep.backtest.saving import save
from seakeep.brokers.executor import Approvals, Charter, SealedBroker
from seakeep.core.errors import ConfigError
from seakeep.core.events import Control, Event, Slice
from seakeep.core.ports import Broker, Feed
from seakeep.core.units import iso
from seakeep.data.parts import from_frame
from seakeep.engine.engine import Engine
from seakeep.engine.replay import market_events
from seakeep.engine.run import run
from seakeep.ledger import queries
from seakeep.ledger.inbox import Watch
from seakeep.ledger.journal import Ledger
from seakeep.risk.case import RuleBook

__all__ = [
    "RULING", "counted", "dry_run", "journaled", "kept_ruling", "manifest", "pace_of", "run_backtest", "run_id",
    "run_session", "write_report",
]  # fmt: skip

RULING = "integrity.json"
"""File of a result that holds what the court said of it."""
_PAGE = "report.html"
_NOTHING = Markup("")
_SHAPERS = ("numpy", "numba", "msgspec", "pyarrow")
"""Libraries whose version can change a number."""

_KINDS = {"bars": "bars", "news": "news items", "observations": "readings", "books": "order books"}
"""Parts of a slice, and what a person calls them."""

_LOOK_S = 0.02
"""Least time between two looks into the inbox."""
_NAP_S = 0.2
"""The longest a slow run sleeps without looking into the inbox."""

Seen = Callable[[int], None]
Asked = Callable[[], tuple[Control, ...]]


def run_id(kind: str, settings: Settings) -> str:
    """Name of a run: the same settings always give the same name, so that asking again takes it up again.

    Where a dry run ends is not part of it: more data continue the same run.
    """
    parts = settings.of_a_run()
    if kind == "dry":
        parts["run"]["timerange"] = (settings.run.timerange or "").partition("-")[0]
    text = msgspec.json.encode(parts, order="sorted")
    return f"{kind}-{hashlib.sha256(text).hexdigest()[:10]}"


def run_backtest(settings: Settings, userdir: Path, seen: Seen | None = None) -> Result:
    """History through the loop, in memory."""
    settings = pinned(settings, userdir)
    return counted(run_session(prepare(settings, userdir, run_id("backtest", settings)), seen), settings, userdir)


def counted(result: Result, settings: Settings, userdir: Path, source: str = "api") -> Result:
    """The result with its trial counted, and its Sharpe ratio judged beside all that was tried on the same bars."""
    return replace(result, judged=count(result, settings.strategy.params, userdir, source))


def run_session(session: Session, seen: Seen | None = None) -> Result:
    """The bars of a prepared session through the loop, in memory."""
    return backtest(session.pipeline, session.feed(), sim_broker(session), session.traded, manifest(session), seen)


def dry_run(settings: Settings, userdir: Path, speed: str = "max", seen: Seen | None = None) -> Result:
    """The same loop against stored bars, every step in the ledger; a run that was cut off is taken up again.

    What the ledger holds is run again and must repeat itself, then the bars that came after are traded.
    Raises: IntegrityError if it does not repeat, or if our book and the venue's disagree.
    """
    pace, settings = pace_of(speed), pinned(settings, userdir)
    session = prepare(settings, userdir, run_id("dry", settings))
    broker, name = sim_broker(session), session.pipeline.run_id
    with Ledger.open(ledger_location(settings, userdir)) as ledger:
        if name not in {info.run_id for info in ledger.runs()}:
            ledger.start_run(name, settings.model_dump_json())
        engine = Engine(replace(session.pipeline, rule_book=journaled(session, ledger, userdir)))
        ledger.resume(name, after_seq=0)

        def durably(ts: int) -> None:
            if pace:
                ledger.commit()
            if seen is not None:
                seen(ts)

        approvals, venue = _sealed(engine, broker, ledger)
        with Watch(ledger.engine, name) as inbox:
            events = _continued(market_events(ledger.entries(name)), session, pace, inbox)
            run(engine, events, venue, approvals, durably)
        check_books(engine.state.portfolio, broker.snapshot()[0])
        return counted(_from_ledger(ledger, session), settings, userdir, "trade")


def _sealed(engine: Engine, broker: Broker, ledger: Ledger) -> tuple[Approvals, SealedBroker]:
    """Journal and venue with a door between them that only orders under the gate's seal pass; its key is the run's."""
    chosen, state = engine.pipeline, engine.state
    charter = Charter(run_id=chosen.run_id, key=os.urandom(32), limits=chosen.limits, ratchet=chosen.ratchet)
    approvals = Approvals(ledger, charter, lambda: (state.portfolio, state.limits))
    return approvals, SealedBroker(broker, charter, approvals.take)


def journaled(session: Session, ledger: Ledger, userdir: Path) -> RuleBook | None:
    """The run's rule book, in the versions its journal was judged by. Raises: IntegrityError if one is missing."""
    book = session.pipeline.rule_book
    if book is None:
        return None
    from seakeep.app.gate.bookversions import JournaledRules
    from seakeep.risk.rules.portfolio import PortfolioRules

    if not isinstance(book, PortfolioRules):
        return book
    told = queries.verdicts(ledger, session.pipeline.run_id)
    return JournaledRules(book, told, userdir, session.settings.risk.rules)


def _continued(kept: Iterator[Event], session: Session, pace: float, inbox: Watch) -> Iterator[Event]:
    """What the journal holds, at once; then the bars that came after it, at their pace, and what people ask."""
    last_ts, held = None, Counter[str]()
    for event in kept:
        last_ts = event.ts
        held.update(_holds(event))
        inbox.taken += isinstance(event, Control)
        yield event
    if last_ts is not None:
        _say_late(held, session.feed(), last_ts)
    yield from paced(session.feed(last_ts), pace, _looking(inbox), last_ts)


def _holds(event: Event) -> dict[str, int]:
    """How much of each kind a slice brings."""
    return {kind: len(getattr(event, kind)) for kind in _KINDS} if isinstance(event, Slice) else {}


def _say_late(held: Counter[str], feed: Feed, last_ts: int) -> None:
    """Warn of what is stored by now of the time that the journal, which holds so much of each kind, has been over."""
    stored = Counter[str]()
    for event in takewhile(lambda event: event.ts <= last_ts, feed):
        stored.update(_holds(event))
    late = [f"{stored[kind] - held[kind]} {words}" for kind, words in _KINDS.items() if stored[kind] > held[kind]]
    if late:
        what = f"warning: {', '.join(late)} came into the store late"
        note(f"{what}: the run is at {iso(last_ts)} already and leaves them out")


def _looking(inbox: Watch) -> Asked:
    """The inbox, looked into now and then: a fast run has slices closer together than a person's word is urgent."""
    looked = -_LOOK_S

    def asked() -> tuple[Control, ...]:
        nonlocal looked
        now = time.monotonic()
        if now - looked < _LOOK_S:
            return ()
        looked = now
        return inbox.new()

    return asked


def _from_ledger(ledger: Ledger, session: Session) -> Result:
    records = Records()
    for _, event, caused in ledger.entries(session.pipeline.run_id):
        records.add(event, caused)
    return assemble(session.pipeline, records, session.traded, manifest(session))


def pace_of(speed: str) -> float:
    """How many times faster than real; 0 does not wait at all. Raises: ConfigError.

    >>> pace_of("max"), pace_of("real"), pace_of("60")
    (0.0, 1.0, 60.0)
    """
    try:
        pace = {"max": 0.0, "real": 1.0}.get(speed) or float(speed.replace("max", "0"))
    except ValueError:
        pace = -1.0
    if not 0 <= pace < float("inf") or (pace == 0 and speed != "max"):
        raise ConfigError("--speed must be max, real or a number", value=speed, remedy="60 is sixty times real time")
    return pace


def paced(feed: Feed, pace: float, asked: Asked = tuple, last_ts: int | None = None) -> Iterator[Event]:
    """The feed, slowed down to `pace` times real time; what is `asked` meanwhile comes at the time it has reached."""
    before = None
    for event in feed:
        now = last_ts if last_ts is not None else event.ts - 1
        wait = (event.ts - before) / 1000 / pace if pace and before is not None else 0.0
        yield from _waited(wait, now, asked)
        before = last_ts = event.ts
        yield event
    if last_ts is not None:
        yield from _waited(_LOOK_S, last_ts, asked)


def _waited(seconds: float, now: int, asked: Asked) -> Iterator[Event]:
    """Sleep that long, and pass on what is asked meanwhile, stamped `now`."""
    until = time.monotonic() + seconds
    while True:
        yield from (msgspec.structs.replace(control, ts=now) for control in asked())
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _NAP_S))


def manifest(session: Session) -> dict[str, object]:
    """What it takes to repeat the run: configuration, data, versions, seed."""
    return {
        "run_id": session.pipeline.run_id,
        "seed": session.settings.run.seed,
        "trade_from": session.pipeline.trade_from,
        "settings": session.settings.model_dump(mode="json"),
        "data": {f.symbol: {"bars": len(f), "hash": from_frame(f).digest()} for f in session.frames},
        "heard": fingerprints(session.observations, session.news, session.books),
        "experts": {
            name: {key: value for key, value in sorted(vars(expert).items()) if isinstance(value, int | float)}
            for name, expert in session.pipeline.experts.items()
        },
        "versions": {"seakeep": __version__, "python": platform.python_version()}
        | {name: version(name) for name in _SHAPERS},
    }


def write_report(result: Result, userdir: Path, panel: Markup = _NOTHING) -> Path:
    """Write the result's files and its tear sheet, with what was heard and believed, together; returns the page.

    The whole court's ruling on the same trades stays, with its page.
    """
    folder = results(userdir) / result.run_id
    save(result, folder, kept_ruling(result, folder) or {_PAGE: render(result, panel=panel)})
    return folder / _PAGE


def kept_ruling(result: Result, folder: Path) -> dict[str, str]:
    """The page and the ruling that are there, if the whole court made them of the same trades; nothing otherwise."""
    try:
        said = msgspec.json.decode((folder / RULING).read_bytes(), type=dict[str, object])
        trades = msgspec.json.decode((folder / "summary.json").read_bytes(), type=dict[str, object])["digest"]
        pages = {name: (folder / name).read_text(encoding="utf-8") for name in (_PAGE, RULING)}
    except (OSError, KeyError, ValueError):
        return {}
    if said.get("whole") is not True or trades != digest(result.fills):
        return {}
    note("the page keeps the ruling of the whole court, which was made of these same trades")
    return pages
