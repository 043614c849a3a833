"""The ledger in files other programs read: its tables as CSV or Parquet, its journal as JSON lines."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from seakeep.core.errors import LedgerError
from seakeep.ledger.db import reading
from seakeep.ledger.journal import Ledger
from seakeep.ledger.runs import RunInfo
from seakeep.ledger.tables import JOURNAL, MODELS, of_run

__all__ = ["FORMATS", "export"]


def export(ledger: Ledger, run_id: str, folder: Path, form: str) -> tuple[Path, ...]:
    """Write a run into `folder`, one file per table (csv, parquet) or the whole journal (jsonl); returns the files.

    Amounts stay text, to their last digit. A line of the journal holds its hashes, so that others can check the chain:
    hash = SHA-256 of run_id|seq|prev_hash|payload, the payload byte for byte as it stands in the line.

    Raises: LedgerError if there is no such run, or a file cannot be written.
    """
    run = ledger.run(run_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(FORMATS[form](ledger, run, folder))
    except OSError as error:
        remedy = "free some space, or name another folder with --to"
        raise LedgerError(f"the export cannot be written: {error}", remedy=remedy) from error


def _jsonl(ledger: Ledger, run: RunInfo, folder: Path) -> Iterator[Path]:
    path = folder / "journal.jsonl"
    with reading(ledger.engine) as connection, _whole(path) as stream:
        for row in connection.execute(of_run(JOURNAL, run.number).execution_options(yield_per=500)):
            line = {"run_id": run.run_id, **row._asdict(), "prev_hash": row.prev_hash.hex(), "hash": row.hash.hex()}
            stream.write(msgspec.json.encode(line | {"payload": msgspec.Raw(row.payload)}) + b"\n")
    yield path


def _csv(ledger: Ledger, run: RunInfo, folder: Path) -> Iterator[Path]:
    for name in MODELS:
        path = folder / f"{name}.csv"
        with reading(ledger.engine) as connection, _whole(path, text=True) as stream:
            result = connection.execute(of_run(MODELS[name].table, run.number))
            writer = csv.writer(stream)
            writer.writerow(result.keys())
            writer.writerows(result)
        yield path


def _parquet(ledger: Ledger, run: RunInfo, folder: Path) -> Iterator[Path]:
    import pyarrow as pa
    from pyarrow import parquet

    types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    for name in MODELS:
        path, query = folder / f"{name}.parquet", of_run(MODELS[name].table, run.number)
        schema = pa.schema([(c.name, types.get(c.type.python_type, pa.string())) for c in query.selected_columns])
        with reading(ledger.engine) as connection, _whole(path) as stream:
            rows = connection.execute(query).all()
            columns = zip(*rows, strict=True) if rows else [()] * len(schema)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), stream)
        yield path


FORMATS: dict[str, Callable[[Ledger, RunInfo, Path], Iterator[Path]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
"""Ways to write a run."""


@contextmanager
def _whole(path: Path, *, text: bool = False) -> Iterator[Any]:
    """A stream that becomes the file when it is complete, and leaves nothing when it is not."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") if text else draft.open("wb") as stream:
            yield stream
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
