"""A small store of daily bars with a known truth, and everything the risk desk finds out on it."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from seakeep.app.risk.desk import History, open_desk
from seakeep.app.risk.holdings import Holdings
from seakeep.app.risk.levels import Asked
from seakeep.app.risk.report import Whole, full_report
from seakeep.backtest.pages.riskfindings import Findings
from seakeep.core.market import BarFrame, Float64
from seakeep.core.units import DAY_MS
from seakeep.data.store import ParquetStore
from seakeep.risk.limits import Limits

START = 1_577_836_800_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
DAYS = 1120


def returns(days: int = DAYS, seed: int = 3) -> Float64:
    """Daily log returns (days, 3) of one market factor, 4 % a day together, with calm and wild weeks."""
    rng = np.random.default_rng(seed)
    wild = np.repeat(rng.choice([0.6, 1.6], size=days // 7 + 1), 7)[:days, None]
    market, own = rng.standard_t(6, (days, 1)) * 0.02, rng.normal(0, 0.02, (days, 3))
    return (market * np.array([1.0, 1.2, 0.8]) + own) * wild


def fill(userdir: Path, days: int = DAYS) -> ParquetStore:
    """A user folder whose store holds these bars, a bar more than there are returns."""
    store, logs = ParquetStore(userdir / "data"), returns(days)
    for column, symbol in enumerate(SYMBOLS):
        close = 100 * np.exp(np.append(0.0, logs[:, column].cumsum()))
        rows = [(START + i * DAY_MS, c, c * 1.01, c * 0.99, c, 1e6) for i, c in enumerate(close.tolist())]
        store.write(BarFrame.from_rows(symbol, "1d", rows))
    return store


@cache
def findings(source: str = "book.toml", days: int = DAYS) -> Findings:
    """The whole report on a long, a hedge and a candidate order."""
    with TemporaryDirectory() as folder:
        fill(Path(folder), days)
        weights = {"BTC/USDT": 0.5, "ETH/USDT": 0.4, "XRP/USDT": -0.2}
        held = Holdings(source=source, quote="USDT", weights=weights, equity=10_000.0)
        desk = open_desk(held, History(Path(folder), candidate="XRP/USDT:0.1"))
        return full_report(desk, Whole(simulated=Asked(paths=8192, level=4), limits=Limits()))
