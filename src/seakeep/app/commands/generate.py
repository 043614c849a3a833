"""`generate-data`: fill the bar store with a synthetic market, and keep its truth beside."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import JsonFlag, emit, progress
from seakeep.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.core.market import BarFrame
    from seakeep.data.store import ParquetStore
    from seakeep.data.synthetic import SyntheticMarket, SyntheticParams

__all__ = ["generate_data", "register", "save"]

_FOLDER = "synthetic"


def generate_data(
    days: Annotated[int, typer.Option("--days", help="How much history.")] = 120,
    interval: Annotated[str, typer.Option("--interval", "-i", help="Bar length, at most 1d.")] = "1h",
    symbols: Annotated[str | None, typer.Option("--symbols", "-s", help="BTC/USDT,ETH/USDT; default four.")] = None,
    delisted: Annotated[str | None, typer.Option("--delisted", help="The symbol that is delisted, or none.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same market.")] = 1,
    userdir: Annotated[Path, typer.Option("--userdir", help="Folder of your data.")] = Path("user_data"),
    as_json: JsonFlag = False,
) -> None:
    """Make a synthetic market with known truth: regimes, fat tails, jumps, news, a delisting."""
    from seakeep.app.places import configured_store
    from seakeep.data.synthetic import generate

    params = _params(days, interval, symbols, delisted, seed)
    market = generate(params)
    save(market, params, configured_store(userdir))
    rows = [_row(frame, market) for frame in market.frames.values()]
    emit({"seed": seed, "news": len(market.news), "bars": rows}, lambda out: _table(out, rows), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("generate-data")(generate_data)


def save(market: "SyntheticMarket", params: "SyntheticParams", store: "ParquetStore") -> None:
    """Write bars, instruments, funding rates and news to the store, and the truth about them to `synthetic/`.

    Raises: DataError, before anything is written, if the store holds other bars of one of the symbols.
    """
    from seakeep.data.news import write_news
    from seakeep.data.observations import write_observations

    for frame in market.frames.values():
        _refuse_mixture(store, frame)
    _lines(store.root / _FOLDER / "truth.jsonl", _truth(market, params))
    _lines(store.root / _FOLDER / "news.jsonl", _news(market))
    write_observations(store.root, market.observations)
    write_news(store.root, market.news)
    with progress("writing bars", len(market.frames)) as advance:
        for symbol, frame in market.frames.items():
            store.set_instrument(market.instruments[symbol])
            store.write(frame)
            advance(1)


def _params(days: int, interval: str, symbols: str | None, delisted: str | None, seed: int) -> "SyntheticParams":
    """The options as parameters; without --delisted it is the default one, if it is among the symbols."""
    from pydantic import ValidationError

    from seakeep.data.synthetic import SyntheticParams

    fields = SyntheticParams.model_fields
    named = fields["symbols"].default if symbols is None else tuple(s.strip() for s in symbols.split(","))
    usual = fields["delisted"].default
    ends = (usual if usual in named else None) if delisted is None else delisted
    try:
        return SyntheticParams(
            days=days, interval=interval, symbols=named, delisted=None if ends == "none" else ends, seed=seed
        )
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{'.'.join(str(part) for part in first['loc'][:1])}"
        raise ConfigError(f"{option}: {first['msg']}", value=first["input"]) from None


def _refuse_mixture(store: "ParquetStore", frame: "BarFrame") -> None:
    """A store must not hold half of one market and half of another, least of all of a real one."""
    held = [entry for entry in store.entries() if entry.symbol == frame.symbol]
    for entry in held:
        if entry.interval != frame.interval or not _same(store.read(entry.symbol, entry.interval), frame):
            message = f"{store.root} already holds other {frame.symbol} bars ({entry.interval}): they would be mixed"
            raise DataError(message, remedy="name another --userdir, or other --symbols")


def _same(held: "BarFrame", made: "BarFrame") -> bool:
    import numpy as np

    names = ("ts", "open", "high", "low", "close", "volume")
    return all(np.array_equal(getattr(held, name), getattr(made, name)) for name in names)


def _truth(market: "SyntheticMarket", params: "SyntheticParams") -> Iterable[dict[str, Any]]:
    """A line about the market, then a line for each bar."""
    from seakeep.data.synthetic import REGIMES

    truth = market.truth
    yield {
        "params": params.model_dump(),
        "symbols": list(market.frames),
        "betas": truth.betas.tolist(),
        "regimes": REGIMES,
        "transition": truth.transition.tolist(),
        "delisted_at": truth.delisted_at,
    }
    names = ("factor_volatility", "drift", "volatility", "jumps")
    columns = (getattr(truth, name).tolist() for name in names)
    for ts, regime, *values in zip(truth.ts.tolist(), truth.regimes.tolist(), *columns, strict=True):
        yield {"ts": ts, "regime": REGIMES[regime], **dict(zip(names, values, strict=True))}


def _news(market: "SyntheticMarket") -> Iterable[dict[str, Any]]:
    import msgspec

    for item, score in zip(market.news, market.truth.news_scores.tolist(), strict=True):
        yield {**msgspec.structs.asdict(item), "score": score}


def _lines(path: Path, rows: Iterable[Any]) -> None:
    """Write JSON lines, all or nothing."""
    import msgspec

    from seakeep.data.files import write_whole

    write_whole(path, msgspec.json.Encoder().encode_lines(rows))


def _row(frame: "BarFrame", market: "SyntheticMarket") -> dict[str, Any]:
    from seakeep.core.units import iso

    return {
        "symbol": frame.symbol,
        "interval": frame.interval,
        "bars": len(frame),
        "first": iso(int(frame.ts[0])),
        "last": iso(int(frame.ts[-1])),
        "first_price": float(frame.open[0]),
        "last_price": float(frame.close[-1]),
        "delisted": frame.symbol in market.truth.delisted_at,
    }


def _table(console: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("symbol", "bars", "first", "last", "open", "close", ""):
        table.add_column(title, justify="right" if title in {"bars", "open", "close"} else "left")
    for row in rows:
        bars, *prices = (f"{row[name]:,}" for name in ("bars", "first_price", "last_price"))
        dates = (row[name][:10] for name in ("first", "last"))
        table.add_row(
            row["symbol"], f"{bars} x {row['interval']}", *dates, *prices, "delisted" if row["delisted"] else ""
        )
    console.print(table)
