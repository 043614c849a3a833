"""What `save` leaves on disk."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from seakeep.backtest.result import digest
from seakeep.backtest.saving import load_summary, save, summary
from seakeep.core.errors import DataError

from .factory import make


def test_every_form_tells_the_same_trades(tmp_path: Path) -> None:
    result = make()
    save(result, tmp_path / "run")
    fills = parquet.read_table(tmp_path / "run/fills.parquet").to_pylist()
    rows = list(csv.DictReader((tmp_path / "run/fills.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["price"] for row in rows] == [row["price"] for row in fills] == [str(f.price) for f in result.fills]
    trades = list(csv.DictReader((tmp_path / "run/trades.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["pnl"] for row in trades] == [str(trip.pnl) for trip in result.trips]
    assert load_summary(tmp_path / "run")["digest"] == digest(result.fills)


def test_the_manifest_hashes_every_file(tmp_path: Path) -> None:
    save(make(), tmp_path / "run")
    hashes = json.loads((tmp_path / "run/manifest.json").read_text(encoding="utf-8"))["files"]
    found = {path.name for path in (tmp_path / "run").iterdir()} - {"manifest.json"}
    assert hashes == {name: hashlib.sha256((tmp_path / "run" / name).read_bytes()).hexdigest() for name in found}


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(make(), tmp_path / name)
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_equity_keeps_its_bits_and_its_time_stamps(tmp_path: Path) -> None:
    result = make()
    save(result, tmp_path / "run")
    table = parquet.read_table(tmp_path / "run/equity.parquet")
    assert table["equity"].to_numpy().tobytes() == result.curves.equity.tobytes()
    assert str(table.schema.field("ts").type) == "timestamp[ms, tz=UTC]"
    assert table["ts"][0].as_py().isoformat() == "2024-01-01T01:00:00+00:00"


def test_a_run_without_trades_is_saved_and_unknown_figures_are_null(tmp_path: Path) -> None:
    save(make(bars=1, every=0), tmp_path / "run")
    text = (tmp_path / "run/summary.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail)["metrics"]["sharpe"]["value"] is None
    assert (tmp_path / "run/fills.csv").read_text(encoding="utf-8").startswith("id,order_id,symbol,ts,")


def test_saving_again_replaces_the_whole_folder(tmp_path: Path) -> None:
    save(make(), tmp_path / "run")
    (tmp_path / "run/stale.txt").write_text("old", encoding="utf-8")
    save(make(every=0), tmp_path / "run")
    assert not (tmp_path / "run/stale.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_result_that_cannot_be_written_leaves_the_earlier_one_whole(tmp_path: Path) -> None:
    save(make(), tmp_path / "run")
    before = (tmp_path / "run/manifest.json").read_bytes()
    unwritable = replace(make(every=0), manifest={"when": {1, 2}, "bad": float})
    (tmp_path / ".run.partial").write_text("a file where the new folder should be", encoding="utf-8")
    with pytest.raises(DataError, match="cannot write the result"):
        save(unwritable, tmp_path / "run")
    assert (tmp_path / "run/manifest.json").read_bytes() == before


def test_no_result_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run a backtest first"):
        load_summary(tmp_path)
    (tmp_path / "summary.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="no result in"):
        load_summary(tmp_path)


def test_the_summary_counts_what_the_result_holds() -> None:
    result = make()
    figures = summary(result)
    assert figures["round_trips"] == len(result.trips)
    assert figures["final_equity"] == pytest.approx(result.initial_cash * (1 + figures["total_return"]))
    assert (figures["start"], figures["end"]) == ("2024-01-01T01:00:00Z", "2024-01-11T00:00:00Z")
