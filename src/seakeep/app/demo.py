"""The demonstration: a synthetic market, traded on paper through the ledger, verified, and reported. Offline."""

from pathlib import Path

from seakeep.app.console import note, progress
from seakeep.app.places import bar_store, ledger_location
from seakeep.app.runs import dry_run, run_backtest, write_report
from seakeep.app.settings import Settings, load
from seakeep.backtest.result import Result, digest
from seakeep.core.errors import IntegrityError
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.ledger.journal import Ledger

__all__ = ["run_demo"]

_TRAIN_DAYS = 30


def run_demo(userdir: Path, days: int, seed: int) -> tuple[Result, Path]:
    """Generate, trade, verify, backtest, report; says on stderr what it does.

    Raises: IntegrityError if the ledger does not verify, or the backtest traded differently from the dry run.
    """
    settings = _settings(seed)
    note(f"1/5 generating {days + _TRAIN_DAYS} days of 5-minute bars, 4 symbols, seed {seed}")
    market = generate(SyntheticParams(days=days + _TRAIN_DAYS, seed=seed))
    store = bar_store(settings, userdir)
    for frame in market.frames.values():
        store.set_instrument(market.instruments[frame.symbol])
        store.write(frame)
    settings = settings.model_copy(
        update={"run": settings.run.model_copy(update={"symbols": tuple(sorted(market.frames))})}
    )
    note("2/5 trading on paper: every event, decision, verdict, order and fill goes to the ledger")
    with progress("trade", days * 288) as advance:
        result = dry_run(settings, userdir, seen=lambda _: advance(1))
    note("3/5 verifying the ledger: hash chain, read models, balances")
    with Ledger.open(ledger_location(settings, userdir)) as ledger:
        faults = ledger.verify(result.run_id).faults
    if faults:
        raise IntegrityError(f"entry {faults[0].seq} of the ledger: {faults[0].what}")
    note("4/5 backtesting the same days: the same lines of code must make the same trades")
    with progress("backtest", days * 288) as advance:
        again = run_backtest(settings, userdir, lambda _: advance(1))
    if digest(again.fills) != digest(result.fills):
        raise IntegrityError("the backtest and the dry run of the same days traded differently")
    note(f"    equal, to the cent: {len(result.fills)} fills")
    note("5/5 writing the report")
    return result, write_report(result, userdir)


def _settings(seed: int) -> Settings:
    options = {
        "run.interval": "5m",
        "run.seed": seed,
        "run.train": f"{_TRAIN_DAYS}d",
        "experts.ma": {},
        "experts.rsi": {},
        "experts.volatility": {},
        "risk.sizing.method": "volatility",
    }
    return load(None, {}, options).settings
