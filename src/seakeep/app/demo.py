"""The demonstration: a synthetic market, traded on paper through the ledger, verified, and reported. Offline."""

import time
from pathlib import Path

from seakeep.app.console import note, progress
from seakeep.app.hearing import Hearing, hearing_of, hearing_section
from seakeep.app.models.panel import panel_of
from seakeep.app.models.trainer import PANEL, asked_experts, plan, train
from seakeep.app.places import bar_store, ledger_location
from seakeep.app.runs import dry_run, run_backtest, write_report
from seakeep.app.settings import Settings, load
from seakeep.backtest.result import Result, digest
from seakeep.core.errors import IntegrityError
from seakeep.core.units import DAY_MS
from seakeep.data.news import write_news
from seakeep.data.synthetic import SyntheticMarket, SyntheticParams, generate
from seakeep.ledger.journal import Ledger
from seakeep.models.deep import absent

__all__ = ["run_demo"]

_TRAIN_DAYS = 60
_INTERVAL = "30m"
_BARS = 48
"""Bars of a day."""


def run_demo(userdir: Path, days: int, seed: int) -> tuple[Result, Path, Hearing]:
    """Generate, train, trade, verify, backtest, report; says on stderr what it does.

    Raises: IntegrityError if the ledger does not verify, or the backtest traded differently from the dry run.
    """
    settings = _settings(seed)
    note(f"1/6 generating {days + _TRAIN_DAYS} days of 30-minute bars and news, 4 symbols, seed {seed}")
    market = generate(SyntheticParams(days=days + _TRAIN_DAYS, interval=_INTERVAL, seed=seed))
    settings = settings.model_copy(
        update={"run": settings.run.model_copy(update={"symbols": tuple(sorted(market.frames))})}
    )
    _train(settings, userdir, market)
    _store(settings, userdir, market, None)
    note("3/6 trading on paper: every event, decision, verdict, order and fill goes to the ledger")
    with progress("trade", days * _BARS) as advance:
        result = dry_run(settings, userdir, seen=lambda _: advance(1))
    note("4/6 verifying the ledger: hash chain, read models, balances")
    with Ledger.open(ledger_location(settings, userdir)) as ledger:
        faults = ledger.verify(result.run_id).faults
    if faults:
        raise IntegrityError(f"entry {faults[0].seq} of the ledger: {faults[0].what}")
    note("5/6 backtesting the same days: the same lines of code must make the same trades")
    with progress("backtest", days * _BARS) as advance:
        again = run_backtest(settings, userdir, lambda _: advance(1))
    if digest(again.fills) != digest(result.fills):
        raise IntegrityError("the backtest and the dry run of the same days traded differently")
    note(f"    equal, to the cent: {len(result.fills)} fills")
    note("6/6 writing the report, with what the panel believed and why")
    hearing = hearing_of(settings, userdir, result)
    page = write_report(result, userdir, hearing_section(hearing) + panel_of(settings, userdir, result))
    return result, page, hearing


def _store(settings: Settings, userdir: Path, market: SyntheticMarket, until: int | None) -> None:
    store = bar_store(settings, userdir)
    write_news(store.root, [item for item in market.news if until is None or item.known_at < until])
    for frame in market.frames.values():
        store.set_instrument(market.instruments[frame.symbol])
        store.write(frame.between(None, until))


def _train(settings: Settings, userdir: Path, market: SyntheticMarket) -> None:
    """Train the panel on the first days, before the others are there to be seen."""
    start = min(int(frame.ts[0]) for frame in market.frames.values())
    _store(settings, userdir, market, start + _TRAIN_DAYS * DAY_MS)
    todo = plan(settings, userdir, asked_experts(settings), "the demonstration")
    note(f"2/6 training {len(todo.experts)} experts on {_TRAIN_DAYS} days, judged on the last fifth of them")
    with progress("train", len(todo.experts)) as advance:
        done = train(todo, userdir, int(time.time() * 1000), workers=2, seen=lambda _: advance(1))
    for failure in done.failures:
        note(f"    {failure.what} is absent: {failure.why}")
    if why := absent():
        note(f"    the neural experts are absent: each {why}")


def _settings(seed: int) -> Settings:
    options = {
        "run.interval": _INTERVAL,
        "run.seed": seed,
        "run.train": f"{_TRAIN_DAYS}d",
        "training.lookback": f"{_TRAIN_DAYS}d",
        "models.use": "registry",
        "regime.model": "vote",
        "risk.sizing.method": "volatility",
        "strategy.signals.price_sentiment_divergence": {},
    }
    return load(None, {}, options | {f"experts.{name}": {} for name in PANEL}).settings
