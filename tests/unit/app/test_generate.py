import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from seakeep.app.commands import generate
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame
from seakeep.data.news import read_news
from seakeep.data.store import ParquetStore
from seakeep.data.synthetic import SyntheticParams
from seakeep.data.synthetic import generate as make

SMALL = ("--days", "8", "--interval", "1h")


def run(userdir, *options):
    app = typer.Typer()
    generate.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["generate-data", *SMALL, "--userdir", str(userdir), *options])
    if result.exception:
        raise result.exception
    return result.stdout


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_store_holds_the_market_its_instruments_and_its_truth(tmp_path):
    answer = json.loads(run(tmp_path, "--seed", "5", "--json"))
    made, store = make(SyntheticParams(days=8, interval="1h", seed=5)), ParquetStore(tmp_path / "data")
    for symbol, frame in made.frames.items():
        np.testing.assert_array_equal(store.read(symbol, "1h").close, frame.close)
        assert store.instrument(symbol) == made.instruments[symbol]
    head, *bars = lines(tmp_path / "data/synthetic/truth.jsonl")
    news = lines(tmp_path / "data/synthetic/news.jsonl")
    assert head["delisted_at"] == made.truth.delisted_at
    assert [bar["volatility"][0] for bar in bars] == made.truth.volatility[:, 0].tolist()
    assert [item["title"] for item in news] == [item.title for item in made.news]
    assert read_news(tmp_path / "data") == made.news
    assert [row["bars"] for row in answer["bars"]] == [192, 192, 192, 144]


def test_the_same_market_twice_changes_nothing(tmp_path):
    run(tmp_path)
    before = ParquetStore(tmp_path / "data").entries()
    assert "BTC/USDT" in run(tmp_path)
    assert ParquetStore(tmp_path / "data").entries() == before


@pytest.mark.parametrize("options", [("--seed", "2"), ("--days", "9"), ("--interval", "30m")])
def test_another_market_is_not_mixed_into_the_bars_that_are_there(tmp_path, options):
    run(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match="already holds other BTC/USDT bars"):
        run(tmp_path, *options)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_real_bars_are_never_overwritten(tmp_path):
    store = ParquetStore(tmp_path / "data")
    store.write(BarFrame.from_rows("SOL/USDT", "1d", [(0, 1.0, 2.0, 1.0, 2.0, 3.0)]))
    with pytest.raises(DataError, match=r"already holds other SOL/USDT bars \(1d\)"):
        run(tmp_path)
    assert [entry.symbol for entry in store.entries()] == ["SOL/USDT"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--days", "0"), r"--days: .* greater than 0 \(got 0\)"),
        (("--symbols", "BTC/USDT,,"), "not a symbol"),
        (("--delisted", "XRP/USDT"), "delisted must be one of the symbols"),
        (("--interval", "0m"), "not an interval"),
    ],
)
def test_hostile_options_are_named_and_nothing_is_written(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, *options)
    assert not list(tmp_path.iterdir())


def test_who_is_delisted_can_be_chosen(tmp_path):
    none = json.loads(run(tmp_path / "a", "--symbols", "BTC/USDT,ETH/USDT", "--json"))
    ether = json.loads(run(tmp_path / "b", "--symbols", "BTC/USDT,ETH/USDT", "--delisted", "ETH/USDT", "--json"))
    assert [row["delisted"] for row in none["bars"]] == [False, False]
    assert [row["delisted"] for row in ether["bars"]] == [False, True]
