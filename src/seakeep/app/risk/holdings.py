"""What is held, read strictly: a portfolio file (TOML, JSON, CSV), words of the command line, or a run of the ledger.

    quote = "USDT"                      symbol,quantity
    cash = 2500.0                       BTC/USDT,0.05
    [quantities]                        ETH/USDT,-0.4
    "BTC/USDT" = 0.05                   USDT,2500

Instead of quantities a file may hold weights, signed shares of equity (`[weights]`, or a column `weight`); what they
leave is cash. Anything that is not exactly this is refused, by the name of the field.
"""

import csv
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec

from seakeep.core.errors import ConfigError

__all__ = ["Holdings", "from_words", "parse_order", "quote_of", "read_holdings"]

_SYMBOL = re.compile(r"[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?")
_LARGEST = 1_000_000
_MOST_GROSS = 20.0
_FORMS = "write TOML, JSON or CSV: symbols with quantities or weights, see docs/how-to/risk.md"


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """Signed `quantities`, or signed `weights` of equity, by symbol; one of the two is empty.

    `cash` (beside quantities) and `equity` are in the quote asset; with weights alone no amount is known, and equity is
    None. `drawdown` is the loss from the account's peak and `as_of` (UTC ms) when it was so, where they are known;
    `notes` are what a reader must know of where this comes from.
    """

    source: str
    quote: str
    quantities: dict[str, float] = {}
    weights: dict[str, float] = {}
    cash: float = 0.0
    equity: float | None = None
    drawdown: float = 0.0
    as_of: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = self.quantities or self.weights
        if bool(self.quantities) == bool(self.weights):
            remedy = "write one position at least, as a quantity or as a weight, not both"
            raise ConfigError(f"{self.source} must hold quantities or weights", value=sorted(named), remedy=remedy)
        kind = "quantities" if self.quantities else "weights"
        for symbol, amount in named.items():
            _check_symbol(self.source, symbol, self.quote)
            _check_number(f"{self.source}: {kind}.{symbol}", amount)
        if not any(named.values()):
            raise ConfigError(f"{self.source}: every position is zero", remedy="a book that holds nothing has no risk")
        _check_number(f"{self.source}: cash", self.cash)
        if self.equity is not None:
            _check_number(f"{self.source}: equity", self.equity, positive=True)
        gross = math.fsum(map(abs, self.weights.values()))
        if gross > _MOST_GROSS:
            remedy = "weights are fractions: write 0.25 for 25 %"
            raise ConfigError(f"{self.source}: weights add up to over {_MOST_GROSS:g}", value=gross, remedy=remedy)
        if self.quantities and self.equity is not None:
            remedy = "it follows from quantities, cash and prices: leave it out"
            raise ConfigError(f"{self.source}: equity", value=self.equity, remedy=remedy)
        if self.weights and self.cash:
            raise ConfigError(f"{self.source}: cash", value=self.cash, remedy="weights leave the cash; write equity")

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is held, sorted; positions of zero are left out."""
        return tuple(sorted(symbol for symbol, amount in (self.quantities or self.weights).items() if amount))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    quote: str | None = None
    cash: float = 0.0
    equity: float | None = None
    quantities: dict[str, float] = {}
    weights: dict[str, float] = {}


def quote_of(symbol: str) -> str:
    """The asset a symbol is priced in.

    >>> quote_of("ETH/BTC"), quote_of("BTC/USDT:USDT")
    ('BTC', 'USDT')
    """
    return symbol.partition("/")[2].partition(":")[0]


def read_holdings(path: Path) -> Holdings:
    """The portfolio in a file; its suffix says the form.

    Raises: ConfigError naming the file, the field and the remedy.
    """
    readers: dict[str, Callable[[str, str], _File]] = {".toml": _toml, ".json": _json, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise ConfigError("not a portfolio file", value=str(path), remedy=_FORMS)
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError("the portfolio file is over 1 MB", value=str(path), remedy=_FORMS)
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"cannot read the portfolio {path}: {what}", remedy="name a readable file") from None
    found = readers[path.suffix.lower()](text, path.name)
    return _checked(found, path.name)


def from_words(symbols: str, weights: str | None, equity: float | None) -> Holdings:
    """`--symbols BTC/USDT,ETH/USDT --weights 0.6,0.3`; equal weights that add up to one if none are given.

    Raises: ConfigError if they cannot be read or do not match.
    """
    names = [name.strip() for name in symbols.split(",") if name.strip()]
    if len(set(names)) < len(names) or not names:
        raise ConfigError("--symbols must name each symbol once", value=symbols, remedy="write BTC/USDT,ETH/USDT")
    shares = [1 / len(names)] * len(names) if weights is None else [_float("--weights", w) for w in weights.split(",")]
    if len(shares) != len(names):
        raise ConfigError("--weights must give one weight for each symbol", value=weights, remedy="write 0.6,0.3")
    return _checked(_File(weights=dict(zip(names, shares, strict=True)), equity=equity), "--symbols")


def parse_order(text: str, quote: str) -> tuple[str, float]:
    """Symbol and signed share of equity of a candidate order.

    >>> parse_order("BTC/USDT:0.05", "USDT"), parse_order("BTC/USDT:USDT:-0.1", "USDT")
    (('BTC/USDT', 0.05), ('BTC/USDT:USDT', -0.1))

    Raises: ConfigError if it cannot be read or is zero.
    """
    symbol, colon, share = text.strip().rpartition(":")
    remedy = "write BTC/USDT:0.05 for 5 % of equity more"
    if not colon or "/" not in symbol:
        raise ConfigError("--candidate must be a symbol and a share of equity", value=text, remedy=remedy)
    _check_symbol("--candidate", symbol, quote)
    weight = _float("--candidate", share)
    if not weight or abs(weight) > _MOST_GROSS:
        raise ConfigError("--candidate must be a share of equity", value=text, remedy=remedy)
    return symbol, weight


def _checked(found: _File, source: str) -> Holdings:
    named = [*found.quantities, *found.weights]
    for symbol in named:
        if not _SYMBOL.fullmatch(symbol):
            _check_symbol(source, symbol, "")
    quote = found.quote or (quote_of(named[0]) if named else "")
    return Holdings(
        source=source,
        quote=quote,
        quantities=found.quantities,
        weights=found.weights,
        cash=found.cash,
        equity=found.equity,
    )


def _check_symbol(source: str, symbol: str, quote: str) -> None:
    if not _SYMBOL.fullmatch(symbol):
        raise ConfigError(f"{source}: not a symbol", value=symbol, remedy="write BTC/USDT or BTC/USDT:USDT")
    if quote_of(symbol) != quote:
        remedy = "one book has one quote asset: split the portfolio"
        raise ConfigError(f"{source}: {symbol} is not priced in {quote}", value=quote_of(symbol), remedy=remedy)


def _check_number(name: str, value: float, *, positive: bool = False) -> None:
    if not math.isfinite(value) or (positive and value <= 0):
        needed = "a positive number" if positive else "a finite number"
        raise ConfigError(f"{name} must be {needed}", value=value, remedy="correct it")


def _float(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{name} must be a finite number", value=text.strip(), remedy="correct it")
    return value


def _toml(text: str, source: str) -> _File:
    try:
        return _file(tomllib.loads(text), source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not TOML: {error}", remedy=_FORMS) from None


def _json(text: str, source: str) -> _File:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return _once(pairs, source)

    try:
        return _file(json.loads(text, object_pairs_hook=once), source)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source} is not JSON: {error}", remedy=_FORMS) from None


def _file(tree: object, source: str) -> _File:
    amounts = [tree.get(kind) for kind in ("quantities", "weights")] if isinstance(tree, dict) else []
    for named in amounts:
        for symbol, amount in named.items() if isinstance(named, dict) else ():
            if not isinstance(amount, int | float) or isinstance(amount, bool):
                raise ConfigError(f"{source}: the amount of {symbol} must be a number", value=amount, remedy=_FORMS)
    try:
        return msgspec.convert(tree, _File)
    except (msgspec.ValidationError, OverflowError) as error:
        raise ConfigError(f"{source}: {error}", remedy=_FORMS) from None


def _once(pairs: Iterable[tuple[str, Any]], source: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ConfigError(f"{source} names {key} twice", remedy="keep one of them")
        found[key] = value
    return found


def _csv(text: str, source: str) -> _File:
    rows = [row for row in csv.reader(StringIO(text)) if any(cell.strip() for cell in row)]
    head = tuple(cell.strip().lower() for cell in rows[0]) if rows else ()
    if head not in (("symbol", "quantity"), ("symbol", "weight")):
        raise ConfigError(f"{source}: the first line must be symbol,quantity or symbol,weight", value=",".join(head))
    pairs = []
    for line, row in enumerate(rows[1:], 2):
        if len(row) != 2:
            raise ConfigError(f"{source} line {line} must have two cells", value=",".join(row), remedy=_FORMS)
        pairs.append((row[0].strip(), _float(f"{source} line {line}: {head[1]}", row[1])))
    return _with_cash(_once(pairs, source), head[1], source)


def _with_cash(named: Mapping[str, float], kind: str, source: str) -> _File:
    """A row of the quote asset itself is the cash."""
    held = {symbol: amount for symbol, amount in named.items() if "/" in symbol}
    cash = {asset: amount for asset, amount in named.items() if asset not in held}
    quote = quote_of(next(iter(held))) if held else None
    if set(cash) - {quote}:
        raise ConfigError(f"{source}: not a symbol", value=min(set(cash) - {quote}), remedy="write BTC/USDT")
    if kind == "weight":
        total = math.fsum(named.values())
        if cash and abs(total - 1) > 1e-6:
            raise ConfigError(f"{source}: weights and cash must add up to 1", value=total, remedy="leave the cash out")
        return _File(quote=quote, weights=held)
    return _File(quote=quote, quantities=held, cash=cash.get(quote or "", 0.0))
