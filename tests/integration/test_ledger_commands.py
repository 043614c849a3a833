"""The ledger's commands, as a person types them."""

import csv
import json
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from sqlalchemy import update
from typer.testing import CliRunner, Result

from seakeep.app.commands import ledger as commands
from seakeep.core.errors import LedgerError
from seakeep.core.events import Filled
from seakeep.execution.trips import round_trips
from seakeep.ledger import queries
from seakeep.ledger.journal import Ledger
from seakeep.ledger.tables import MODELS
from tests.unit.ledger.story import START_MS, STEP_MS, SYMBOL, story

STORY = story(120)


def run(*words: object) -> Result:
    app = typer.Typer()
    commands.register(app)
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def userdir(tmp_path: Path) -> Path:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.start_run("older").commit()
        ledger.start_run("dry-1", "{}")
        for event, records in STORY:
            ledger.write(event, records)
    return tmp_path


def test_runs_are_listed_with_their_heads(userdir: Path) -> None:
    rows = json.loads(run("ledger", "runs", "--userdir", userdir, "--json").stdout)
    assert [(row["run_id"], row["entries"]) for row in rows] == [("older", 0), ("dry-1", len(STORY))]
    assert rows[1]["first"] == "2023-11-14T22:13:20Z"
    assert "dry-1" in run("ledger", "runs", "--userdir", userdir).stdout


def test_verify_says_intact_and_exits_with_zero(userdir: Path) -> None:
    done = run("ledger", "verify", "--userdir", userdir)
    assert done.exit_code == 0
    assert f"intact dry-1  {len(STORY)} entries hold; 120 snapshots agree with the fills" in done.stdout


def test_verify_names_a_changed_fill_and_exits_with_eight(userdir: Path) -> None:
    fills = MODELS["fills"].table
    with Ledger.open(userdir / "ledger.db") as ledger, ledger.engine.begin() as connection:
        connection.execute(update(fills).where(fills.c.id == "f6").values(price="1"))
    seq = next(i for i, (event, _) in enumerate(STORY, 1) if isinstance(event, Filled) and event.fill.id == "f6")
    done = run("ledger", "verify", "dry-1", "--userdir", userdir)
    assert done.exit_code == 8
    assert f"entry {seq}, fills: price is '1', the journal says '" in done.stdout
    [report] = json.loads(run("ledger", "verify", "dry-1", "--userdir", userdir, "--json").stdout)
    assert [(fault["seq"], fault["table"]) for fault in report["faults"]] == [(seq, "fills")]


def test_show_trades_lists_the_round_trips_of_the_newest_run(userdir: Path) -> None:
    shown = json.loads(run("show-trades", "--userdir", userdir, "--json").stdout)
    trips = round_trips(event.fill for event, _ in STORY if isinstance(event, Filled))
    assert [Decimal(trade["pnl"]) for trade in shown["trades"]] == [trip.pnl for trip in trips]
    assert Decimal(shown["pnl"]) == sum(trip.pnl for trip in trips)
    with Ledger.open(userdir / "ledger.db", readonly=True) as ledger:
        [position] = queries.positions(ledger, "dry-1")
    assert shown["open"] == ({SYMBOL: str(position.qty)} if position.qty else {})
    assert f"{len(trips)} round trips" in run("show-trades", "--userdir", userdir).stdout


def test_show_trades_is_bounded_by_exit_time_and_symbol(userdir: Path) -> None:
    end = START_MS + 30 * STEP_MS
    shown = json.loads(run("show-trades", "--userdir", userdir, "--json", "--timerange", f"-{end}").stdout)
    assert shown["trades"]
    assert all(trade["exit_ts"] < end for trade in shown["trades"])
    assert json.loads(run("show-trades", "--userdir", userdir, "--json", "-s", "ETH/USDT").stdout)["trades"] == []


def test_csv_and_parquet_hold_the_same_fills(userdir: Path) -> None:
    fills = [event.fill for event, _ in STORY if isinstance(event, Filled)]
    for form in ("csv", "parquet"):
        assert run("ledger", "export", "--userdir", userdir, "--format", form).exit_code == 0
    folder = userdir / "exports" / "dry-1"
    with (folder / "fills.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["id"], Decimal(row["price"]), Decimal(row["qty"])) for row in rows] == [
        (fill.id, fill.price, fill.qty) for fill in fills
    ]
    table = pq.read_table(folder / "fills.parquet")
    assert table["price"].to_pylist() == [row["price"] for row in rows]
    assert sorted(path.name for path in folder.glob("*.csv")) == sorted(f"{name}.csv" for name in MODELS)


def test_a_stranger_can_check_the_chain_of_the_exported_journal(userdir: Path) -> None:
    done = run("ledger", "export", "--userdir", userdir, "--format", "jsonl", "--to", userdir / "out", "--json")
    [path] = json.loads(done.stdout)
    previous = sha256(b"dry-1|{}").hexdigest()
    for seq, line in enumerate(Path(path).read_bytes().splitlines(), 1):
        entry = json.loads(line)
        payload = line[line.index(b'"payload":') + len(b'"payload":') : line.index(b',"prev_hash":"')]
        assert entry["prev_hash"] == previous
        previous = sha256(f"dry-1|{seq}|{previous}|".encode() + payload).hexdigest()
        assert entry["hash"] == previous
    assert seq == len(STORY)


def test_what_is_not_there_is_told_with_exit_code_two(userdir: Path) -> None:
    for words in (("ledger", "verify", "nope"), ("show-trades", "nope"), ("ledger", "export", "nope")):
        done = run(*words, "--userdir", userdir)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "no run 'nope' in this ledger; runs: older, dry-1" in done.stderr
    done = run("ledger", "runs", "--userdir", userdir / "none")
    assert done.exit_code == 2
    assert not (userdir / "none").exists()


def test_an_export_that_cannot_be_written_leaves_nothing_behind(userdir: Path) -> None:
    (userdir / "exports").touch()
    done = run("ledger", "export", "--userdir", userdir)
    assert isinstance(done.exception, LedgerError)
    assert "name another folder with --to" in str(done.exception)
