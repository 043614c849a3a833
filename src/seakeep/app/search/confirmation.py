"""The winner of a search, run again by the driver in a process of its own.

Twice: on the terms it was ranked on, where every fill and the last cent must be those of the kernel, and through the
whole gate, which is what a person is shown. Both are plain runs of `seakeep backtest` with a settings file that stays
beside the study, so that anyone can make them again.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from seakeep.app.bootstrap import prepare
from seakeep.app.places import results
from seakeep.app.search.candidates import Bench, kernel_params
from seakeep.app.sections import Settings
from seakeep.app.settings import ALIASES
from seakeep.backtest.result import digest
from seakeep.backtest.saving import load_equity
from seakeep.core.errors import ModelError
from seakeep.core.market import Float64, Int64
from seakeep.core.orders import Fill
from seakeep.core.units import iso

__all__ = ["Confirmed", "confirm", "first_difference", "settings_text"]

_CENT = 0.005


@dataclass(frozen=True, eq=False)
class Confirmed:
    """Both runs of the winner: whether kernel and driver agree (None: the driver ranked), and the run people see.

    `difference` says where they part; `equity` (n,) at `ts` (n,) and `summary` are of the run through the whole gate.
    """

    agrees: bool | None
    difference: str
    kernel_equity: float
    driver_equity: float
    fills: int
    summary: Mapping[str, Any]
    ts: Int64
    equity: Float64
    page: Path


def confirm(settings: Settings, terms: Settings | None, userdir: Path, stem: Path) -> Confirmed:
    """Run the winner again in processes of its own; `terms` are those the kernel ranked it on, None if it did not.

    Both settings name the winner and when it begins. Their files are `stem` with .toml and .ranked.toml behind it.
    Raises: ModelError if a process fails.
    """
    told = _backtest(settings, userdir, stem.with_name(f"{stem.name}.toml"))
    run = results(userdir) / told["run_id"]
    ts, equity = load_equity(run)
    agrees, difference, ours, theirs, fills = None, "", float("nan"), float("nan"), int(told["fills"])
    if terms is not None:
        ranked = stem.with_name(f"{stem.name}.ranked.toml")
        agrees, difference, ours, theirs, fills = _parity(terms, userdir, ranked)
    return Confirmed(agrees, difference, ours, theirs, fills, told, ts, equity, run / "report.html")


def _parity(terms: Settings, userdir: Path, path: Path) -> tuple[bool, str, float, float, int]:
    """Kernel and driver on the very same bars and terms: whether they agree, where not, both equities, fills."""
    session = prepare(terms, userdir, "optimize")
    run = Bench(session, 1 << 28).by_kernel({})
    made = run.trades(kernel_params(session, terms))
    told = _backtest(terms, userdir, path)
    difference = "" if digest(made) == told["digest"] else first_difference(made, results(userdir) / told["run_id"])
    ours, theirs = float(run.metrics["equity"]), float(told["final_equity"])
    if not difference and abs(ours - theirs) >= _CENT:
        difference = f"the fills are the same, yet the kernel ends with {ours:.2f} and the driver with {theirs:.2f}"
    return not difference, difference, ours, theirs, len(made)


def _backtest(settings: Settings, userdir: Path, path: Path) -> dict[str, Any]:
    """What `seakeep backtest` says of these settings, in a new process. Raises: ModelError with what it said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(settings_text(settings), encoding="utf-8")
    words = [sys.executable, "-m", "seakeep.app.cli", "backtest", "--userdir", str(userdir), "--config", str(path)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SEAKEEP__") and k not in ALIASES}
    done = subprocess.run([*words, "--no-integrity", "--json"], env=clean, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise ModelError(f"the driver could not run the winner; it said: {said[0]}", remedy=" ".join(words[2:]))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def first_difference(made: Sequence[Fill], folder: Path) -> str:
    """The first fill of the kernel that is not the driver's, by time and symbol, or the first that is missing."""
    with (folder / "fills.csv").open(encoding="utf-8", newline="") as file:
        theirs = sorted(
            _line(row["ts"], row["symbol"], row["side"], row["price"], row["qty"]) for row in csv.DictReader(file)
        )
    ours = sorted(_line(iso(f.ts), f.symbol, str(f.side), str(f.price), str(f.qty)) for f in made)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if mine != other:
            return f"fill {number}: the kernel says {' '.join(mine)}, the driver {' '.join(other)}"
    if len(ours) != len(theirs):
        who, rest = ("kernel", ours) if len(ours) > len(theirs) else ("driver", theirs)
        return (
            f"fill {min(len(ours), len(theirs)) + 1}: only the {who} has {' '.join(rest[min(len(ours), len(theirs))])}"
        )
    return "the fills differ in their fees or liquidity only"


def _line(ts: str, symbol: str, side: str, price: str, qty: str) -> tuple[str, ...]:
    return (ts, symbol, side, *(f"{Decimal(x).normalize():f}" for x in (price, qty)))


def settings_text(settings: Settings) -> str:
    """Settings as a TOML file that gives them again; what is not part of a run, and what is not set, is left out."""
    tree = settings.of_a_run()
    return "# The winner of a search: seakeep backtest --config with this file makes the run again.\n" + "".join(
        _section((), tree)
    )


def _section(above: tuple[str, ...], tree: Mapping[str, Any]) -> list[str]:
    plain = {key: value for key, value in tree.items() if not isinstance(value, Mapping) and value is not None}
    inner = {key: value for key, value in tree.items() if isinstance(value, Mapping)}
    lines = [f"\n[{'.'.join(map(json.dumps, above))}]\n"] if above and (plain or not inner) else []
    lines += [f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in plain.items()]
    for key, value in inner.items():
        lines += _section((*above, key), value)
    return lines
