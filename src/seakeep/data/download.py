"""Bars of an exchange into the store, through ccxt: in pages, from where the store ends, closed bars only.

ccxt spaces its requests by itself; on top of that a refusal that a retry may cure is retried a bounded number of
times, after the pause the venue asks for (`Retry-After`) or one that doubles.
"""

import re
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError, DataError, RateLimited, SourceUnavailable, Transient
from seakeep.core.market import BarFrame, Instrument, InstrumentKind
from seakeep.core.registry import nearest
from seakeep.core.units import DAY_MS, interval_ms
from seakeep.data.store import ParquetStore
from seakeep.data.universe import split_symbol

__all__ = ["DownloadOptions", "Downloaded", "Request", "connect", "download", "instrument_of"]

T = TypeVar("T")
_DECIMAL_PLACES = 2  # ccxt.DECIMAL_PLACES


class DownloadOptions(Section):
    """How to ask, and how long to insist."""

    page: int = Field(1000, ge=2, le=5000, description="bars asked for at once")
    flush: int = Field(50_000, ge=1, description="bars held in memory before they are stored")
    attempts: int = Field(6, ge=1, le=20, description="tries of one request before giving up")
    first_wait_s: float = Field(1.0, gt=0, le=60, description="pause after the first failure; it doubles")
    max_wait_s: float = Field(60.0, gt=0, le=600, description="longest pause, also when the venue asks for more")
    default_days: int = Field(30, ge=1, description="days before now to begin at, when nothing is stored or asked for")


class Request(msgspec.Struct, frozen=True):
    """Bars that open in [start, end) ms; None is where the store ends, and now."""

    symbol: str
    interval: str
    start: int | None = None
    end: int | None = None


class Downloaded(msgspec.Struct, frozen=True):
    """What one download did: `received` closed bars from `start` on, of which `written` were new or changed."""

    symbol: str
    interval: str
    start: int
    received: int
    written: int


def connect(exchange: str, symbol: str, base_url: str | None = None) -> Any:
    """A ccxt client for that symbol's market; `base_url` is another server that speaks the exchange's language.

    Raises: ConfigError if ccxt is not installed, or knows no such exchange.
    """
    try:
        import ccxt
    except ImportError:
        raise ConfigError("downloading needs ccxt", remedy="pip install seakeep[live]") from None
    if exchange not in ccxt.exchanges:
        raise ConfigError("unknown exchange", value=exchange, remedy=nearest(exchange, ccxt.exchanges))
    options: dict[str, Any] = {}
    if exchange.startswith("binance"):
        kinds = ["linear"] if ":" in symbol else ["spot"]
        options = {"fetchMarkets": {"types": kinds}, "fetchCurrencies": False, "fetchMargins": False}
    client = getattr(ccxt, exchange)({"options": options, "enableRateLimit": True})
    if base_url is not None:
        client.urls["api"] = _rebased(client.urls["api"], base_url.rstrip("/"))
    return client


def _rebased(urls: Any, base_url: str) -> Any:
    if isinstance(urls, dict):
        return {key: _rebased(value, base_url) for key, value in urls.items()}
    return re.sub(r"^https?://[^/]+", base_url, urls)


def download(
    client: Any,
    store: ParquetStore,
    request: Request,
    options: DownloadOptions | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Downloaded:
    """Fetch the closed bars of the request, and the trading rules; what is stored already is not asked for again.

    Raises: ConfigError for a symbol or interval the exchange does not have; RateLimited or SourceUnavailable once the
    attempts are used up (what arrived until then is stored).
    """
    options = options or DownloadOptions()
    store.set_instrument(_market(client, request, options))
    step = interval_ms(request.interval)
    now = int(time.time() * 1000)
    end = min(now if request.end is None else request.end, now - step + 1)
    start = since = _begin(store, request, now, options)
    rows: list[list[float]] = []
    received = written = 0

    def keep() -> int:
        stored = store.write(BarFrame.from_rows(request.symbol, request.interval, rows)) if rows else 0
        rows.clear()
        return stored

    try:
        while since < end:
            fresh = [row for row in _page(client, request, since, options) if since <= row[0] < end]
            rows += fresh
            received += len(fresh)
            since = int(fresh[-1][0]) + step if fresh else since + options.page * step
            advance(len(fresh))
            if len(rows) >= options.flush:
                written += keep()
    finally:
        written += keep()
    return Downloaded(request.symbol, request.interval, start, received, written)


def _begin(store: ParquetStore, request: Request, now: int, options: DownloadOptions) -> int:
    """After the last stored bar, unless bars before the first stored one are asked for."""
    step = interval_ms(request.interval)
    held = next((e for e in store.entries() if (e.symbol, e.interval) == (request.symbol, request.interval)), None)
    if held is not None and (request.start is None or request.start >= held.first):
        return max(held.last + step, request.start or 0)
    start = now - options.default_days * DAY_MS if request.start is None else request.start
    return -(-start // step) * step


def _page(client: Any, request: Request, since: int, options: DownloadOptions) -> list[list[float]]:
    def ask() -> list[list[float]]:
        rows = client.fetch_ohlcv(request.symbol, request.interval, since=since, limit=options.page)
        if any(None in row[:6] for row in rows):
            raise SourceUnavailable(f"{client.id} sent bars of {request.symbol} with holes", remedy="run it again")
        return sorted(row[:6] for row in rows)

    return _insist(client, ask, options)


def _market(client: Any, request: Request, options: DownloadOptions) -> Instrument:
    markets = _insist(client, client.load_markets, options)
    if request.symbol not in markets:
        remedy = nearest(request.symbol, list(markets))
        raise ConfigError(f"{client.id} has no such symbol", value=request.symbol, remedy=remedy)
    if request.interval not in client.timeframes:
        remedy = f"it has {', '.join(client.timeframes)}"
        raise ConfigError(f"{client.id} has no such interval", value=request.interval, remedy=remedy)
    return instrument_of(markets[request.symbol], client.id, in_decimals=client.precisionMode == _DECIMAL_PLACES)


def instrument_of(market: Any, venue: str, *, in_decimals: bool = False) -> Instrument:
    """The trading rules in a ccxt market; `in_decimals` if its precision counts digits instead of giving the step.

    Raises: ConfigError for what is neither spot nor a linear perpetual of one unit a contract.
    """
    symbol = market["symbol"]
    base, quote, kind = split_symbol(symbol)
    if not (market.get("spot") or (market.get("swap") and market.get("linear"))):
        raise ConfigError("only spot and linear perpetuals can be traded", value=symbol)
    if kind is InstrumentKind.PERPETUAL and market.get("contractSize", 1) != 1:
        raise ConfigError(f"{symbol} trades in contracts of more or less than one unit", value=market["contractSize"])

    def step(value: Any) -> Decimal:
        return Decimal(1).scaleb(-int(value)) if in_decimals else Decimal(str(value))

    limits = market.get("limits") or {}
    return Instrument(
        symbol=symbol,
        venue=venue,
        base=base,
        quote=quote,
        kind=kind,
        tick=step(market["precision"]["price"]),
        lot=step(market["precision"]["amount"]),
        min_notional=Decimal(str((limits.get("cost") or {}).get("min") or 0)),
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
        max_leverage=Decimal(str((limits.get("leverage") or {}).get("max") or 1)),
    )


def _insist(client: Any, call: Callable[[], T], options: DownloadOptions) -> T:
    """The call's answer; a transient failure is tried again, unless the venue asks for more patience than we have."""
    attempt = 1
    while True:
        try:
            return _mapped(client, call)
        except Transient:
            asked = _asked_wait(client)
            if attempt == options.attempts or asked > options.max_wait_s:
                raise
        time.sleep(max(asked, min(options.max_wait_s, options.first_wait_s * 2 ** (attempt - 1))))
        attempt += 1


def _mapped(client: Any, call: Callable[[], T]) -> T:
    """The one place where ccxt's exceptions become ours."""
    import ccxt

    client.enableLastJsonResponse, client.last_json_response = True, "nothing was asked"
    try:
        answer = call()
    except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
        raise RateLimited(f"{client.id} asks to slow down: {_short(error)}", remedy="wait, or ask for less") from error
    except ccxt.NetworkError as error:
        remedy = "see whether the network and the exchange are up, then run the same command again"
        raise SourceUnavailable(f"{client.id} cannot be reached: {_short(error)}", remedy=remedy) from error
    except ccxt.BaseError as error:
        raise DataError(f"{client.id} refused: {_short(error)}") from error
    if client.last_json_response is None:  # ccxt takes an answer that was cut short for one without bars
        raise SourceUnavailable(f"{client.id} sent an answer that is no JSON", remedy="run the same command again")
    return answer


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {error}"[:200].replace("\n", " ")


def _asked_wait(client: Any) -> float:
    headers = {str(k).lower(): v for k, v in (client.last_response_headers or {}).items()}
    try:
        return float(headers.get("retry-after", 0))
    except ValueError:
        return 0.0
