"""`seakeep regimes` as a person meets it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seakeep.app.cli import app
from seakeep.app.models.regimes import study
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.data.store import ParquetStore
from seakeep.data.synthetic import SyntheticParams, generate


@pytest.fixture(scope="module")
def market():
    return generate(SyntheticParams(symbols=("BTC/USDT", "ETH/USDT"), delisted=None, days=120, interval="1h")).frames


def test_the_record_of_each_symbol_and_the_page_are_told(tmp_path: Path, market):
    store = ParquetStore(tmp_path / "data")
    for bars in market.values():
        store.write(bars)
    page = tmp_path / "out" / "r.html"
    options = ["--userdir", str(tmp_path), "--model", "kmeans", "--html", str(page), "--json"]
    done = CliRunner().invoke(app, ["regimes", "-s", "BTC/USDT,ETH/USDT", *options], catch_exceptions=False)
    rows = json.loads(done.stdout)["regimes"]
    assert [row["symbol"] for row in rows] == ["BTC/USDT", "ETH/USDT"]
    assert all(sum(row["probs"].values()) == pytest.approx(1, abs=1e-5) for row in rows)
    assert all(sum(row["shares"].values()) == pytest.approx(1) for row in rows)
    assert "What holding it returned, by regime" in page.read_text()


def test_what_cannot_be_studied_says_what_to_do(market):
    bars = market["BTC/USDT"]
    with pytest.raises(ConfigError, match="did you mean hmm"):
        study([bars], "hmmm", 0.5, 1)
    with pytest.raises(NotEnoughHistory, match="longer history"):
        study([bars.rows(0, 400)], "kmeans", 0.5, 1)
    with pytest.raises(NotEnoughHistory, match="no bar after"):
        study([bars, market["ETH/USDT"].rows(0, 900)], "kmeans", 0.5, 1)
    with pytest.raises(ConfigError, match="at least one"):
        study([], "vote", 0.5, 1)
