"""Downloading from a server on loopback that speaks Binance's spot API, faults included."""

import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from seakeep.core.errors import ConfigError, RateLimited, SourceUnavailable
from seakeep.core.units import HOUR_MS
from seakeep.data.download import DownloadOptions, Request, connect, download, instrument_of
from seakeep.data.store import ParquetStore

pytest.importorskip("ccxt", reason="ccxt (extra `live`) is not installed")

LISTED = 1_700_006_400_000
EXCHANGE_INFO = {
    "timezone": "UTC",
    "rateLimits": [],
    "symbols": [
        {
            "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
            "baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True, "permissions": ["SPOT"],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
                {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
            ],
        }
    ],
}  # fmt: skip


def kline(ts: int) -> list:
    price = 30_000 + ts // HOUR_MS % 977
    text = f"{price}.10", f"{price + 5}.00", f"{price - 5}.00", f"{price}.90", "12.5"
    return [ts, *text, ts + HOUR_MS - 1, "1", 7, "1", "1", "0"]


class Venue(ThreadingHTTPServer):
    """Serves bars from LISTED on, the open one too; each entry of `faults` spoils one klines request.

    The first list of its symbols is always cut short.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.faults: list[str] = []
        self.asked: list[int] = []
        self.greeted = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Venue

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.endswith("/exchangeInfo"):
            self.server.greeted += 1
            return self.reply(200, json.dumps(EXCHANGE_INFO)[: 90 if self.server.greeted == 1 else None])
        query = parse_qs(url.query)
        since, limit = int(query["startTime"][0]), int(query["limit"][0])
        self.server.asked.append(since)
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault == "reset":
            self.connection.close()
            return None
        if fault.startswith("429"):
            return self.reply(429, '{"code":-1003,"msg":"Too many requests."}', {"Retry-After": fault[4:]})
        first = max(-(-since // HOUR_MS) * HOUR_MS, LISTED)
        body = json.dumps([kline(t) for t in range(first, int(time.time() * 1000), HOUR_MS)[:limit]])
        return self.reply(
            200, body[: len(body) // 2] if fault == "truncated" else "<html>" if fault == "html" else body
        )

    def reply(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        pass

    def finish(self) -> None:
        if not self.wfile.closed and self.connection.fileno() >= 0:
            super().finish()


@pytest.fixture
def venue() -> Iterator[Venue]:
    server = Venue()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(venue: Venue, store: ParquetStore, hours=(0, 250), **options):
    client = connect("binance", "BTC/USDT", venue.url)
    client.enableRateLimit = False
    client.session.trust_env = False
    start, end = (None if h is None else LISTED + h * HOUR_MS for h in hours)
    quick = DownloadOptions(**{"page": 100, "first_wait_s": 0.01, "max_wait_s": 2, **options})
    return download(client, store, Request("BTC/USDT", "1h", start, end), quick)


def test_pages_join_into_the_bars_the_venue_has_and_its_rules_are_kept(venue, tmp_path):
    store = ParquetStore(tmp_path)
    assert fetch(venue, store).written == 250
    held = store.read("BTC/USDT", "1h")
    assert held.ts.tolist() == [LISTED + i * HOUR_MS for i in range(250)]
    assert held.close.tolist() == [float(kline(t)[4]) for t in held.ts.tolist()]
    rules = store.instrument("BTC/USDT")
    assert (rules.tick, rules.lot, rules.min_notional, rules.venue) == (
        Decimal("0.01"),
        Decimal("0.00001"),
        5,
        "binance",
    )
    assert rules.taker_fee == Decimal("0.001")


def test_a_second_run_goes_on_at_the_bar_after_the_last(venue, tmp_path):
    store = ParquetStore(tmp_path)
    fetch(venue, store, (0, 150))
    venue.asked.clear()
    assert fetch(venue, store, (0, 250)).received == 100
    assert venue.asked[0] == LISTED + 150 * HOUR_MS
    assert fetch(venue, store, (0, 250)).received == 0
    assert len(store.read("BTC/USDT", "1h")) == 250


def test_the_bar_that_is_still_open_is_never_stored(venue, tmp_path):
    store = ParquetStore(tmp_path)
    now = int(time.time() * 1000)
    done = fetch(venue, store, ((now - LISTED) // HOUR_MS - 5, None))
    assert done.received >= 4
    assert store.read("BTC/USDT", "1h").known_at[-1] <= time.time() * 1000


@pytest.mark.parametrize("faults", [["429 0"], ["reset"], ["truncated"], ["html"], ["reset", "429 0", "truncated"]])
def test_a_passing_fault_costs_time_but_no_bar(venue, tmp_path, faults):
    store, venue.faults = ParquetStore(tmp_path), ["", *faults]
    assert fetch(venue, store).written == 250
    assert np.array_equal(np.diff(store.read("BTC/USDT", "1h").ts), np.full(249, HOUR_MS))
    assert len(venue.asked) == 3 + len(faults)


def test_the_pause_the_venue_asks_for_is_kept_and_one_too_long_ends_it(venue, tmp_path):
    venue.faults = ["429 1"]
    began = time.monotonic()
    fetch(venue, ParquetStore(tmp_path))
    assert time.monotonic() - began >= 1.0
    venue.faults = ["", "429 3600"]
    with pytest.raises(RateLimited, match="asks to slow down"):
        fetch(venue, ParquetStore(tmp_path / "new"))
    assert len(ParquetStore(tmp_path / "new").read("BTC/USDT", "1h")) == 100


@pytest.mark.parametrize(
    ("fault", "error"), [("reset", SourceUnavailable), ("truncated", SourceUnavailable), ("429 0", RateLimited)]
)
def test_a_lasting_fault_ends_after_the_attempts_and_what_arrived_is_stored(venue, tmp_path, fault, error):
    store, venue.faults = ParquetStore(tmp_path), ["", "", *[fault] * 3]
    with pytest.raises(error, match="binance"):
        fetch(venue, store, attempts=3)
    assert len(venue.asked) == 5
    assert len(store.read("BTC/USDT", "1h")) == 200
    assert fetch(venue, store).received == 50


def test_before_the_listing_there_is_nothing_and_the_search_moves_on(venue, tmp_path):
    store = ParquetStore(tmp_path)
    assert fetch(venue, store, (-300, 20)).received == 20


def test_what_the_exchange_does_not_have_is_named_with_the_nearest(venue, tmp_path):
    client = connect("binance", "BTC/USDT", venue.url)
    for request, says in (
        (Request("BTC/USD", "1h"), "did you mean BTC/USDT"),
        (Request("BTC/USDT", "7m"), "it has 1s"),
    ):
        with pytest.raises(ConfigError, match=says):
            download(client, ParquetStore(tmp_path), request, DownloadOptions(first_wait_s=0.01))
    with pytest.raises(ConfigError, match="did you mean binance"):
        connect("binnance", "BTC/USDT")


def test_only_contracts_of_one_unit_that_settle_in_the_quote_are_taken():
    swap = {
        "symbol": "BTC/USDT:USDT", "swap": True, "linear": True, "contractSize": 1.0, "maker": 0.0002, "taker": 0.0005,
        "precision": {"price": 1, "amount": 3}, "limits": {"leverage": {"max": 125}, "cost": {"min": 100}},
    }  # fmt: skip
    rules = instrument_of(swap, "v", in_decimals=True)
    assert (rules.tick, rules.lot, rules.max_leverage) == (Decimal("0.1"), Decimal("0.001"), 125)
    with pytest.raises(ConfigError, match="contracts of more or less than one unit"):
        instrument_of({**swap, "contractSize": 0.01}, "v")
    with pytest.raises(ConfigError, match="only spot and linear"):
        instrument_of({**swap, "linear": False}, "v")
