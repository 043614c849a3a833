"""The court as a whole: it sits in one process or several with the same words, and shows them on the page."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from seakeep.app.integrity import examine, glance, open_case, write
from seakeep.backtest.integrity.court import COURT, QUICK, judge, verdict
from seakeep.backtest.integrity.judgement import Check, Plot, Series
from seakeep.backtest.pages.integritycharts import check_chart
from seakeep.backtest.pages.integritypage import headline, rows, scope
from seakeep.backtest.pages.report import render
from seakeep.backtest.pages.terminal import tables
from seakeep.core.errors import ConfigError, DataError, IntegrityError
from tests.unit.backtest.courtroom import market, stored
from tests.unit.backtest.factory import make
from tests.unit.backtest.pages.test_report import Page


def test_every_check_has_its_name(tmp_path: Path) -> None:
    case = open_case(stored(tmp_path, "court_honest", market(300)), tmp_path)
    assert [judge(case, name).name for name in QUICK] == list(QUICK)
    assert COURT.keys() >= set(QUICK)


@pytest.mark.parametrize("strategy", ["court_tomorrow", "court_short", "court_broken"])
def test_a_strategy_that_breaks_its_contract_is_an_f_without_a_run(strategy: str, tmp_path: Path) -> None:
    result, court = examine(stored(tmp_path, strategy, market(300)), tmp_path)
    assert result is None
    assert (court.grade.letter, court.whole) == ("F", False)
    assert court.checks[0].name == "look-ahead"
    if strategy == "court_tomorrow":
        assert "strategy court_tomorrow looks ahead: at the BTC/USDT bar of" in court.grade.reasons[0]


def test_a_mistake_of_the_person_is_no_ruling(tmp_path: Path) -> None:
    settings = stored(tmp_path, "court_honest", market(300), strategy__params={"speed": 3})
    with pytest.raises(ConfigError, match="no parameter 'speed'"):
        examine(settings, tmp_path)


def test_no_trades_leave_too_little_to_judge(tmp_path: Path) -> None:
    result, court = examine(stored(tmp_path, "court_silent", market(400)), tmp_path)
    assert result is not None
    assert not result.fills
    assert court.grade.letter in "DF"
    assert court.band is None
    statuses = {check.name: check.status for check in court.checks}
    assert {statuses[n] for n in ("replay", "fill band", "costs", "latency", "capacity")} == {"not judged"}


def test_one_bar_is_enough_for_an_answer(tmp_path: Path) -> None:
    settings = stored(tmp_path, "court_silent", market(2))
    result, court = examine(settings, tmp_path)
    assert result is not None
    assert court.grade.letter in "DF"


@pytest.mark.slow
def test_two_processes_say_the_same_as_one(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    settings = stored(
        tmp_path, "trend", market(900), market(900, "ETH/USDT", 2), strategy__params={"slow": 60, "full": 0.5}
    )
    one, two = (examine(settings, tmp_path, workers)[1] for workers in (1, 2))
    assert msgspec.json.encode(one) == msgspec.json.encode(two)
    assert one.whole


def test_failures_inside_a_check_are_told_apart(tmp_path: Path) -> None:
    case = open_case(stored(tmp_path, "court_honest", market(300)), tmp_path)

    def raising(error: Exception):  # type: ignore[no-untyped-def]
        def rerun(_: object) -> None:
            raise error

        return judge(replace(case, rerun=rerun), "costs")  # type: ignore[arg-type]

    assert raising(DataError("no bars")).status == "not judged"
    assert raising(ConfigError("strategy failed")).status == "fail"
    with pytest.raises(IntegrityError):
        raising(IntegrityError("books disagree"))


def test_the_glance_of_a_backtest_is_provisional_and_on_its_page(tmp_path: Path) -> None:
    case = open_case(stored(tmp_path, "court_honest", market(300)), tmp_path)
    court = glance(case)
    assert not court.whole
    assert [check.name for check in court.checks] == list(QUICK)
    page = Page(render(case.result, court))
    assert "Provisional grade" in page.text
    assert court.band is not None
    assert headline(court.band) in page.text
    assert "Return, at least" in page.text
    assert "seakeep integrity makes all" in scope(court)
    written = write(case.result, court, tmp_path)
    kept = msgspec.json.decode((written.parent / "integrity.json").read_bytes())
    assert kept["grade"]["letter"] == court.grade.letter


def test_a_quick_look_does_not_take_the_place_of_the_whole_ruling(tmp_path: Path) -> None:
    settings = stored(tmp_path, "court_honest", market(300))
    result, court = examine(settings, tmp_path)
    assert result is not None
    page = write(result, court, tmp_path)
    full = page.read_text()
    assert "seakeep integrity makes all" not in full
    case = open_case(settings, tmp_path)
    assert write(case.result, glance(case), tmp_path).read_text() == full
    assert msgspec.json.decode((page.parent / "integrity.json").read_bytes())["whole"] is True
    other = replace(case.result, fills=case.result.fills[:-1])
    assert "Provisional grade" in write(other, glance(case), tmp_path).read_text()


def test_a_strategy_without_numbers_is_not_judged_by_moving_them(tmp_path: Path) -> None:
    case = open_case(stored(tmp_path, "court_honest", market(300)), tmp_path)
    found = [judge(case, name) for name in ("walk-forward", "cross-validation", "overfitting")]
    assert {check.status for check in found} == {"not judged"}
    assert all("no parameter that is a number to vary" in check.reason for check in found)


def test_the_page_without_a_court_is_as_it_was() -> None:
    text = Page(render(make())).text
    assert "Integrity" not in text
    assert "Return, at least" not in text


def test_hostile_words_stay_words() -> None:
    bad = '<script>alert("x")</script>'
    plot = Plot(bad, (bad, "b"), (Series(bad, (0.1, float("nan"))), Series("two", (0.2, -0.1))))
    checks = [Check(name=bad, status="fail", reason=bad, figures=((bad, bad), ("x", float("nan"))), plot=plot)]
    html = render(make(), verdict(checks, None))
    assert bad not in html
    assert "&lt;script&gt;" in html
    Page(html)


def test_the_terminal_says_the_grade_and_every_reason() -> None:
    checks = [Check(name="costs", status="fail", reason="it [bold]bears[/] nothing")]
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(*tables(make(), verdict(checks, None)))
    assert "it [bold]bears[/] nothing" in captured.get()
    assert "provisional grade F" in captured.get()


@pytest.mark.parametrize(
    ("x", "values"),
    [
        (("a", "b"), (0.1, -0.2)),
        (tuple(f"p{i}" for i in range(20)), tuple(i / 10 for i in range(20))),
        ((1.0, 10.0, 100.0), (0.3, float("nan"), 0.1)),
        ((1.0,), (0.3,)),
        (("a",), (0.0,)),
    ],
)
def test_every_kind_of_plot_is_drawn(x: tuple[float | str, ...], values: tuple[float, ...]) -> None:
    plot = Plot("x", x, (Series("y", values),))
    drawn = check_chart(Check(name="c", status="pass", reason="r", plot=plot))
    assert drawn is not None
    Page(str(drawn))
    assert "nan" not in drawn
    shown = sum(str(drawn).count(tag) for tag in ("<rect", "<path"))
    assert shown >= sum(value == value for value in values) or "line" in drawn


def test_a_check_without_figures_has_no_chart() -> None:
    empty = Plot("x", ("a",), (Series("y", (float("nan"),)),))
    bare = [Check(name="a", status="pass", reason="r"), Check(name="b", status="pass", reason="r", plot=empty)]
    assert [row.chart for row in rows(verdict(bare, None))] == [None, None]
