"""The state of a run, rebuilt from its ledger alone, is the state that was running."""

from pathlib import Path

from seakeep.app.bootstrap import prepare, sim_broker
from seakeep.app.runs import run_id
from seakeep.engine.engine import Engine
from seakeep.engine.replay import replay
from seakeep.engine.run import run
from seakeep.ledger.journal import Ledger
from seakeep.ledger.queries import equity, positions
from tests.integration.desk import market, settings, stock


def test_the_journal_alone_rebuilds_the_state(tmp_path: Path) -> None:
    made = market(40)
    stock(tmp_path, made.frames.values(), made)
    chosen = settings()
    session = prepare(chosen, tmp_path, run_id("dry", chosen))
    running = Engine(session.pipeline)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.start_run(session.pipeline.run_id)
        run(running, session.feed(), sim_broker(session), ledger)
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        rebuilt = Engine(session.pipeline)
        replay(rebuilt, ledger.entries(session.pipeline.run_id))
        held = {p.symbol: p for p in positions(ledger, session.pipeline.run_id)}
        last = equity(ledger, session.pipeline.run_id)[-1]
    assert rebuilt.state.portfolio == running.state.portfolio
    assert rebuilt.state.sequence == running.state.sequence > 0
    assert {s: m.orders for s, m in rebuilt.state.markets.items()} == {
        s: m.orders for s, m in running.state.markets.items()
    }
    assert held == dict(running.state.portfolio.positions)
    assert last.equity == running.state.equity
