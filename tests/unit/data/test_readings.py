"""Readings of sentiment: their scale, when they are known, and what is refused."""

from pathlib import Path

import pytest

from seakeep.core.errors import ConfigError, SchemaError
from seakeep.core.units import DAY_MS, HOUR_MS, parse_time
from seakeep.data.observations import read_observations, write_observations
from seakeep.data.readings import ReadingTerms, readings_from

SHARED = Path(__file__).parents[3] / "../shared/data"
MAY = parse_time("20240501")
INDEX = ReadingTerms(low=0, high=100, known_after_ms=DAY_MS, confidence=0.5)


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["date,value,count", *lines]))
    return path


def test_an_index_from_0_to_100_becomes_a_score_known_after_its_day(tmp_path: Path) -> None:
    path = table(tmp_path / "fng.csv", "2024-05-02,75,3", "2024-05-01,0,9")
    found = readings_from(path, INDEX)
    scores = [(o.ts - MAY, o.known_at - MAY, o.value) for o in found if o.name == "sentiment"]
    assert scores == [(0, DAY_MS, -1.0), (DAY_MS, 2 * DAY_MS, 0.5)]
    assert {(o.name, o.symbol) for o in found} >= {("sentiment_confidence", None), ("sentiment", None)}


def test_readings_of_the_whole_market_are_stored_beside_those_of_a_symbol(tmp_path: Path) -> None:
    path = table(tmp_path / "fng.csv", "2024-05-01,50,1")
    everybody, own = (
        readings_from(path, INDEX),
        readings_from(path, ReadingTerms(symbol="X/Y", low=0, high=100, known_after_ms=0)),
    )
    assert write_observations(tmp_path, [*everybody, *own]) == 5
    kept = read_observations(tmp_path, {"X/Y": (MAY, MAY + DAY_MS)})
    assert [(o.symbol, o.known_at - MAY) for o in kept] == [("X/Y", 0)] * 2 + [(None, DAY_MS)] * 3
    assert read_observations(tmp_path, {"Z/Y": (MAY, MAY)}) == ()


def test_when_a_reading_is_known_is_never_guessed(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "2024-05-01,1,1")
    with pytest.raises(SchemaError, match=r"line 2 does not say when .* --known-after"):
        readings_from(path, ReadingTerms())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2024-05-02,101,1", r"line 3: the score must be in \[0, 100\]"),
        ("2024-05-02,nan,1", "line 3: the score must be a finite number"),
        ("2024-05-02,,1", "line 3: the score must be a finite number"),
        ("2024-05-02,5,-1", "line 3: the volume must be >= 0"),
        ("#bitcoin,5,1", "line 3: the time must be a time"),
        ("2024-05-01,6,1", "line 3: two readings of one time"),
    ],
)
def test_what_is_no_reading_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        readings_from(table(tmp_path / "a.csv", "2024-05-01,1,1", line), INDEX)


def test_terms_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "2024-05-01,1,1")
    with pytest.raises(ConfigError, match="from low to high"):
        readings_from(path, ReadingTerms(low=1, high=0))
    with pytest.raises(ConfigError, match="--confidence"):
        readings_from(path, ReadingTerms(confidence=float("nan")))


def test_real_readings_come_in_and_the_dirty_file_is_refused_at_its_line() -> None:
    clean, dirty = SHARED / "sentiment/fear_greed.parquet", SHARED / "raw/twitterSentiment_hourly.csv"
    for path in (clean, dirty):
        if not path.exists():
            pytest.skip(f"{path.name} is not in ../shared/data")
    found = [o for o in readings_from(clean, INDEX) if o.name == "sentiment"]
    assert (len(found), found[0].ts) == (2734, parse_time("20180201"))
    with pytest.raises(SchemaError, match="line 1982: the time must be a time"):
        readings_from(dirty, ReadingTerms(known_after_ms=HOUR_MS))
