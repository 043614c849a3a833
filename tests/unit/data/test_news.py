"""News in from every kind of file, merged, and out again; what is no news is named with its line."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seakeep.core.errors import ConfigError, DataError, SchemaError
from seakeep.core.market import NewsItem
from seakeep.core.units import parse_time
from seakeep.data.news import news_from, read_news, write_news

SENTIMENT = Path(__file__).parents[3] / "../shared/data/sentiment"
NOON = parse_time("2024-05-01T12:00:00Z")
ROWS = [
    {"published": "2024-05-01T12:00:00Z", "title": 'ETF, "approved"', "body": "Two\nlines", "symbols": "BTC|ETH"},
    {"published": "2024-05-01T14:30:00+02:00", "title": "Halving", "body": "", "symbols": ""},
]


def sheet(path: Path, rows: list[dict[str, str]] = ROWS) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_all_formats_hold_the_same_news(tmp_path: Path) -> None:
    paths = [sheet(tmp_path / "a.csv"), tmp_path / "a.jsonl", tmp_path / "a.json", tmp_path / "a.parquet"]
    paths[1].write_text("\n".join(map(json.dumps, ROWS)))
    paths[2].write_text(json.dumps(ROWS))
    pq.write_table(pa.Table.from_pylist(ROWS), paths[3])
    for path in paths:
        first, second = news_from(path).items
        assert first == NewsItem(path.name, 'ETF, "approved"', "Two lines", ("BTC", "ETH"), "", NOON, NOON)
        assert second.known_at == parse_time("2024-05-01T12:30:00Z")


def test_a_text_is_known_when_its_column_says_so_else_after_the_delay(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"ts":{NOON},"title":"a","known_at":{NOON + 9}}}\n{{"ts":{NOON // 1000},"title":"b"}}\n')
    assert {n.title: n.known_at - NOON for n in news_from(path, delay_ms=60_000).items} == {"a": 9, "b": 60_000}


def test_an_import_can_be_repeated_and_parts_may_overlap(tmp_path: Path) -> None:
    items = [NewsItem("w", f"n{i}", "", (), "", NOON + i, NOON + i) for i in range(6)]
    assert write_news(tmp_path, items[3:]) == 3
    assert write_news(tmp_path, items[:4]) == 3
    assert write_news(tmp_path, items) == 0
    assert read_news(tmp_path) == tuple(items)
    assert read_news(tmp_path, NOON + 1, NOON + 2) == tuple(items[1:3])


def test_repeated_rows_are_counted_once(tmp_path: Path) -> None:
    read = news_from(sheet(tmp_path / "a.csv", ROWS + ROWS[:1]))
    assert (read.rows, read.repeated, len(read.items)) == (3, 1, 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"title":"x"}', "line 2: the time of publication must be a time"),
        ('{"ts":"soon","title":"x"}', "line 2: the time of publication"),
        ('{"ts":1e300,"title":"x"}', "line 2: the time of publication"),
        ('{"ts":-1,"title":"x"}', "line 2: the time of publication"),
        ('{"ts":1714564800000}', "line 2: there is no text"),
        ('{"ts":1714564800000,"title":7}', "line 2: the title must be a text"),
        ('{"ts":1714564800000,"title":"x","known_at":1714564799999}', "known before it was published"),
        ('{"ts":1714564800000,"title":"x","url":"javascript:alert(1)"}', "the url must begin with"),
        ('{"ts":1714564800000,"title":"x","symbols":["../etc"]}', "not a symbol or an asset"),
        ("[1]", "line 2 is no JSON object"),
        ('{"ts":1714564800000,"title":"x"', "line 2 is no JSON object"),
    ],
)
def test_what_is_no_news_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"ts":{NOON},"title":"good"}}\n{line}\n')
    with pytest.raises(SchemaError, match=said):
        news_from(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no rows"),
        ("ts,title\n", "holds no rows"),
        (f"ts,title\n{NOON},a\n{NOON},a,b\n", "line 3 has 3 columns, not 2"),
        (f'ts,title\n{NOON},"a\nb"\n{NOON}\n', "line 4 has 1 columns, not 2"),
        (f'ts,title\n{NOON},"never closed\n', "line 2"),
        ("ts,ts\n1,2\n", "two columns have one name"),
        ("ts,title\n1,\xff\n", "line 2 is not UTF-8"),
    ],
)
def test_a_broken_table_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SchemaError, match=said):
        news_from(path)


def test_control_characters_and_endless_texts_do_not_come_in(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"ts": NOON, "title": "\x1b[31mred\x00\u202e  x", "body": "long " * 20_000}))
    (item,) = news_from(path).items
    assert item.title == "[31mred x"
    assert len(item.body) == 20_000


def test_columns_can_be_named_and_wrong_names_are_told(tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.csv", [{"When": "2024-05-01", "What": "Up"}])
    assert news_from(path, {"time": "When", "title": "What"}).items[0].title == "Up"
    with pytest.raises(ConfigError, match="did you mean title"):
        news_from(path, {"titel": "What"})
    with pytest.raises(SchemaError, match="no such column"):
        news_from(path, {"title": "Whet", "time": "When"})
    with pytest.raises(ConfigError, match="unknown file ending"):
        news_from(tmp_path / "a.exe")
    with pytest.raises(ConfigError, match="no such file"):
        news_from(tmp_path / "b.csv")


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    write_news(tmp_path, [NewsItem("w", "a", "", (), "", NOON, NOON)])
    (tmp_path / "news/news.jsonl").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        read_news(tmp_path)
    with pytest.raises(DataError, match="is damaged"):
        write_news(tmp_path, [NewsItem("w", "b", "", (), "", NOON, NOON)])


def test_the_news_of_july_2025_come_in_whole() -> None:
    path = SENTIMENT / "btc_news_2025-07.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} is not in ../shared/data/sentiment")
    read = news_from(path)
    assert read.rows == len(pq.read_table(path)) == 3421
    stamps = pq.read_table(path)["ts"].cast(pa.int64()).to_pylist()
    assert read.repeated == 0
    assert [n.known_at for n in read.items] == sorted(stamps)
