"""A result on disk: JSON, CSV and Parquet, and a manifest with the hash of each file.

The folder appears whole or not at all: everything is written beside it first, then takes its place.
"""

import csv
import hashlib
import io
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from seakeep.backtest.pages import sharpetable
from seakeep.backtest.result import Result, digest
from seakeep.core.errors import DataError
from seakeep.core.market import Float64, Int64
from seakeep.core.orders import Fill
from seakeep.core.units import iso
from seakeep.core.verdicts import Decision, RiskVerdict
from seakeep.stats.performance import Estimate
from seakeep.stats.returns import drawdown

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["load_summary", "publish", "save", "summary"]

Columns = dict[str, Sequence[object]]


def summary(result: Result) -> dict[str, object]:
    """The result in figures, ready for JSON: a number that is not known is null."""
    account = result.curves
    return {
        "run_id": result.run_id,
        "strategy": result.strategy,
        "symbols": result.symbols,
        "interval": result.interval,
        "quote": result.quote,
        "start": iso(int(account.ts[0])),
        "end": iso(int(account.ts[-1])),
        "initial_cash": result.initial_cash,
        "final_equity": float(account.equity[-1]),
        "total_return": float(account.equity[-1]) / result.initial_cash - 1,
        "buy_and_hold_return": float(result.benchmark[-1]) / result.initial_cash - 1,
        "round_trips": len(result.trips),
        "fills": len(result.fills),
        "digest": digest(result.fills),
        "metrics": _estimates(result.metrics),
        "buy_and_hold": _estimates(result.benchmark_metrics),
        "sharpe_line": sharpetable.as_json(result.judged) if result.judged else None,
        "costs": msgspec.to_builtins(result.costs) | {"total": result.costs.total},
        "manifest": result.manifest,
    }


def _estimates(metrics: Mapping[str, Estimate]) -> dict[str, object]:
    return {name: {"value": e.value, "low": e.low, "high": e.high, "n": e.n} for name, e in metrics.items()}


def save(result: Result, folder: Path, pages: Mapping[str, str] | None = None) -> None:
    """Write the result into `folder`, replacing an earlier one of the same name as a whole.

    `pages` are written beside the files, by name. Files: summary.json, trades.csv, fills.csv, equity.csv,
    equity.parquet, fills.parquet, decisions.parquet and manifest.json (configuration, data hashes, versions, and the
    SHA-256 of every file).
    Raises: DataError if the folder cannot be written; an earlier result is then still there.
    """
    _replace(folder, lambda fresh: _write(result, fresh, pages or {}))


def publish(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files, by their path inside `folder`, replacing an earlier folder of that name as a whole.

    Raises: DataError if the folder cannot be written; an earlier one is then still there.
    """

    def write(fresh: Path) -> None:
        for name, text in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_text(text, encoding="utf-8")

    _replace(folder, write)


def _replace(folder: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a new folder, and put it in the place of `folder`."""
    fresh, old = (folder.with_name(f".{folder.name}.{state}") for state in ("partial", "old"))
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        write(fresh)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise DataError(
            f"cannot write the result to {folder}: {error}", remedy="free space or another --userdir"
        ) from error


def _write(result: Result, folder: Path, pages: Mapping[str, str]) -> None:
    from pyarrow import parquet

    fills = _fills(result.fills)
    equity: Columns = {
        "ts": result.curves.ts.tolist(),
        "equity": result.curves.equity.tolist(),
        "drawdown": drawdown(result.curves.equity).tolist(),
        "gross": result.curves.gross.tolist(),
        "buy_and_hold": result.benchmark.tolist(),
    }
    decisions = _decisions(result.decisions, result.verdicts)
    for name, columns in (("equity", equity), ("fills", fills), ("decisions", decisions)):
        parquet.write_table(_table(columns), folder / f"{name}.parquet", compression="zstd")
    for name, columns in (("trades", _trades(result)), ("fills", fills), ("equity", equity)):
        (folder / f"{name}.csv").write_text(_csv(columns), encoding="utf-8")
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")
    (folder / "summary.json").write_bytes(_json(summary(result)))
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    (folder / "manifest.json").write_bytes(_json({**result.manifest, "files": hashes}))


def _json(data: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2) + b"\n"


def _table(columns: Columns) -> "pa.Table":
    import pyarrow as pa

    stamps = {"ts": pa.timestamp("ms", "UTC")}
    return pa.table({name: pa.array(values, stamps.get(name)) for name, values in columns.items()})


def _csv(columns: Columns) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    stamped = [
        [iso(int(str(v))) for v in values] if name.endswith("ts") else values for name, values in columns.items()
    ]
    writer.writerows(zip(*stamped, strict=True))
    return text.getvalue()


def _columns(rows: Iterable[object], names: Sequence[str]) -> Columns:
    rows = tuple(rows)
    return {name: [_cell(getattr(row, name)) for row in rows] for name in names}


def _cell(value: object) -> object:
    return value if isinstance(value, int | float) and not isinstance(value, np.generic) else str(value)


def _fills(fills: Iterable[Fill]) -> Columns:
    return _columns(fills, Fill.__struct_fields__)


def _trades(result: Result) -> Columns:
    names = ("entry_ts", "exit_ts", "symbol", "side", "qty", "entry_price", "exit_price", "fees", "pnl", "ret")
    return _columns(result.trips, names)


def _decisions(decisions: Sequence[Decision], verdicts: Sequence[RiskVerdict]) -> Columns:
    given = {verdict.decision_id: verdict for verdict in verdicts}
    answers = [given.get(decision.id) for decision in decisions]
    plain = ("id", "strategy", "symbol", "ts", "target", "score", "confidence", "regime")
    return _columns(decisions, plain) | {
        "contributions": [msgspec.json.encode(dict(d.contributions)).decode() for d in decisions],
        "outcome": [str(v.outcome) if v else None for v in answers],
        "allowed_target": [v.target if v else None for v in answers],
        "hits": [msgspec.json.encode(v.hits).decode() if v else None for v in answers],
    }


def load_summary(folder: Path) -> dict[str, object]:
    """What `save` wrote to summary.json. Raises: DataError if there is no readable result in the folder."""
    try:
        return msgspec.json.decode((folder / "summary.json").read_bytes(), type=dict[str, object])
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"no result in {folder}: {error}", remedy="run a backtest first, or name another run"
        ) from error


def load_equity(folder: Path) -> tuple[Int64, Float64]:
    """The equity curve that `save` wrote: times (n,) UTC ms and equity (n,), held against the hash in the manifest.

    Raises: DataError if it is not there, cannot be read, is not as it was saved, or its times do not ascend.
    """
    import pyarrow as pa
    from pyarrow import parquet

    remedy = "run the backtest again"
    try:
        raw = (folder / "equity.parquet").read_bytes()
        kept = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=dict[str, object]).get("files")
        table = parquet.read_table(pa.BufferReader(raw), columns=["ts", "equity"])
        ts, equity = (table[name].to_numpy() for name in ("ts", "equity"))
        ts, equity = ts.astype("datetime64[ms]").astype(np.int64), equity.astype(np.float64)
    except (OSError, msgspec.DecodeError, pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(f"no equity curve in {folder}: {error}", remedy=remedy) from error
    known = kept.get("equity.parquet") if isinstance(kept, dict) else None
    if known != hashlib.sha256(raw).hexdigest():
        raise DataError(f"{folder.name}/equity.parquet is not what was saved", value=known, remedy=remedy)
    if len(ts) < 1 or (np.diff(ts) <= 0).any():
        raise DataError(f"the times of {folder.name}/equity.parquet do not ascend", remedy=remedy)
    return ts, equity
