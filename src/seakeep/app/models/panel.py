"""What the panel of a finished dry run believed: its votes, the regimes of its bars, and why it decided as it did."""

from pathlib import Path

from markupsafe import Markup

from seakeep.app.bootstrap import Session, prepare
from seakeep.app.explain import Journal, latest_reasons
from seakeep.app.models.beliefs import pinned
from seakeep.app.places import ledger_location
from seakeep.app.sections import Settings
from seakeep.backtest.pages.panelsection import panel_section
from seakeep.backtest.result import Result
from seakeep.features.frame import build
from seakeep.ledger.journal import Ledger
from seakeep.models.regimes import RegimeTable

__all__ = ["panel_of"]


def panel_of(settings: Settings, userdir: Path, result: Result) -> Markup:
    """The section of the report, from one replay of the run."""
    session = prepare(pinned(settings, userdir), userdir, result.run_id)
    with Ledger.open(ledger_location(settings, userdir)) as ledger:
        reasons = latest_reasons(Journal(session, lambda after: ledger.entries(result.run_id, after)))
    return panel_section(result, reasons, _regimes(session, result))


def _regimes(session: Session, result: Result) -> dict[str, RegimeTable]:
    """What every bar of the result was called, from that bar and those before it."""
    model = session.pipeline.regimes
    if model is None:
        return {}
    told = {frame.symbol: model.classify(build(frame, model.features)) for frame in session.frames}
    return {symbol: told[symbol].rows(len(told[symbol]) - len(bars)) for symbol, bars in result.bars.items()}
