"""A user folder with a run that holds something, and the applications on it."""

import shutil
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from seakeep.app.web.api import api
from seakeep.app.web.book import assess_with
from seakeep.app.web.door import Door
from seakeep.app.web.edge import Edge
from seakeep.app.web.identity import Identity
from seakeep.app.web.settings import WebSettings
from seakeep.app.web.state import State
from seakeep.app.web.tokens import Scope
from seakeep.core.events import Event, Filled, Record, Slice
from seakeep.core.market import BarFrame
from seakeep.core.orders import Fill, Liquidity, Side
from seakeep.core.verdicts import Outcome, RiskVerdict, RuleHit
from seakeep.data.feed import HistoricalFeed
from seakeep.ledger.journal import Ledger
from seakeep.risk.measures import measure
from tests.integration.desk import SYMBOLS, market, settings, stock
from tests.unit.app.web.client import Quiet

DAYS = 220
BOUGHT = {"BTC/USDT": 600, "ETH/USDT": 300}
SETTINGS = settings(run__interval="1d")
SECRET = "a secret of enough letters"


class Site:
    """The API on a user folder, and a token of each scope."""

    def __init__(self, home: Path, web: WebSettings, env: dict[str, str]) -> None:
        self.home, self.identity, self.log = home, Identity(web, home, env), Quiet()
        self.state = State.open(SETTINGS, web, self.identity, home, env)
        self.app = api(self.state, self.log)

    def bearer(self, scope: str, name: str = "bot") -> dict[str, str]:
        """An Authorization header."""
        known = {token.name for token in self.identity.tokens.all()}
        name = next(f"{name}{n}" for n in range(1_000) if f"{name}{n}" not in known)
        return {"authorization": f"Bearer {self.identity.tokens.mint(name, Scope(scope), 1)}"}


@pytest.fixture(scope="session")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market of daily bars, and a run that bought two coins on its tenth day and holds them still."""
    home = tmp_path_factory.mktemp("traded")
    made = market(days=DAYS, interval="1d")
    stock(home, made.frames.values(), made)
    with Ledger.open(home / "ledger.db") as ledger:
        ledger.start_run("dry-desk", SETTINGS.model_dump_json())
        for event, records in story(made.frames):
            ledger.write(event, records)
    with Ledger.open(home / "ledger.db", readonly=True) as ledger:
        assert ledger.verify("dry-desk").ok
    return home


def story(frames: Mapping[str, BarFrame]) -> Iterator[tuple[Event, tuple[Record, ...]]]:
    """Slices with snapshots of the account they make, and the fills in between."""
    cash, peak, day_open = 10_000.0, 10_000.0, 10_000.0
    held: dict[str, float] = {}
    for n, event in enumerate(HistoricalFeed(tuple(frames.values()), ())):
        assert isinstance(event, Slice)
        ts, closes = event.ts, {bar.symbol: bar.close for bar in event.bars}
        equity = cash + sum(qty * closes[s] for s, qty in held.items())
        peak = max(peak, equity)
        values = {symbol: qty * closes[symbol] for symbol, qty in held.items()}
        snapshot = measure(ts, equity, peak, day_open, values)
        day_open = equity
        yield event, (snapshot, *(_judged(n, s, ts) for s in SYMBOLS if n % 10 == 9))
        if n == 9:
            for k, (symbol, value) in enumerate(BOUGHT.items()):
                price = Decimal(repr(closes[symbol]))
                qty = (Decimal(value) / price).quantize(Decimal("0.0001"))
                held[symbol], cash = float(qty), cash - float(qty * price)
                yield Filled(ts + k, _fill(k, symbol, ts, price, qty)), ()


def _judged(n: int, symbol: str, ts: int) -> RiskVerdict:
    outcome = Outcome.APPROVED if n == 9 else Outcome.REFUSED
    hits = () if n == 9 else (RuleHit("max_weight", "block", 0.2, 0.1, "too large"),)
    return RiskVerdict(f"dry-desk-d{n}-{symbol}", symbol, ts, outcome, 0.05, None, None, hits)


def _fill(k: int, symbol: str, ts: int, price: Decimal, qty: Decimal) -> Fill:
    return Fill(
        id=f"f{k}",
        order_id=f"o{k}",
        symbol=symbol,
        ts=ts,
        side=Side.BUY,
        price=price,
        qty=qty,
        fee=Decimal(0),
        fee_asset="USDT",
        liquidity=Liquidity.TAKER,
        mid=price,
    )


@pytest.fixture
def home(traded: Path, tmp_path: Path) -> Path:
    """A copy to write into."""
    return shutil.copytree(traded, tmp_path / "home")


@pytest.fixture
def site(home: Path) -> Site:
    return Site(home, WebSettings(), {"SEAKEEP_WEB_SECRET": SECRET})


@pytest.fixture(scope="session")
def shared(traded: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One site for tests that only read."""
    home = shutil.copytree(traded, tmp_path_factory.mktemp("shared") / "home")
    return Site(home, WebSettings(rate=1e6), {})


def a_door(userdir: Path) -> Edge:
    """The door of /risks on a user folder."""
    web = WebSettings()
    made = Door(assess_with(userdir), web)
    made.edge = Edge(made, web, Identity(web, userdir, {}), Quiet(), 1e6)
    return made.edge


@pytest.fixture
def door(tmp_path: Path) -> Edge:
    return a_door(tmp_path)
