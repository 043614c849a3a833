"""rules test, lint, coverage, diff; list-rules; risk check: answers and exit codes."""

import json

import pytest
from typer.testing import CliRunner

from seakeep.app.cli import app
from seakeep.core.errors import ConfigError, SchemaError
from seakeep.risk.rules.balance import shipped_book
from tests.unit.risk.rules.test_balance import position, request

RUNNER = CliRunner()


def run(*words, code=0, stdin=None):
    result = RUNNER.invoke(app, list(words), input=stdin, catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def strict(tmp_path):
    path = tmp_path / "strict.clp"
    path.write_text(shipped_book("crypto").text.replace("(test (> ?share ?limit))", "(test (> ?share (* 0.5 ?limit)))"))
    return str(path)


def test_shipped_books_pass_and_have_no_remarks():
    for name in ("crypto", "portfolio"):
        assert json.loads(run("rules", "test", name, "--json"))["failed"] == []
        assert json.loads(run("rules", "lint", name, "--json"))["remarks"] == []
        assert json.loads(run("rules", "coverage", name, "--json"))["silent"] == []


def test_a_book_whose_tests_fail_is_told_with_the_line_and_exit_code_1(strict):
    said = run("rules", "test", strict, code=1)
    assert "position-risk-limit-two expects silent, but the rule fired" in said
    assert "contradictory" in run("rules", "lint", strict, code=1)


def test_check_answers_a_request_from_a_file_or_stdin_and_7_means_refused(tmp_path):
    good, bad = json.dumps(request(position())), json.dumps(request(position(ot_pos_contractsize=9)))
    (tmp_path / "good.json").write_text(good)
    assert "verdict: APPROVED" in run("risk", "check", str(tmp_path / "good.json"))
    answer = json.loads(run("risk", "check", "-", "--json", "--trace", code=7, stdin=bad))
    assert answer["seakeep"]["verdict"] == "REFUSED"
    assert "position-oversized" in [firing["rule"] for firing in answer["seakeep"]["trace"]["fired"]]
    assert "would pass with B: ot_pos_contractsize 1" in run("risk", "check", "-", code=7, stdin=bad)
    with pytest.raises(SchemaError, match="not JSON"):
        run("risk", "check", "-", stdin="{")


def test_diff_replays_requests_of_a_file_and_says_what_changed(tmp_path, strict):
    lines = [
        request(position()),
        {"id": "won", "pnl": 5, "payload": request(position())},
        request(position(ot_pos_stop=250)),
    ]
    (tmp_path / "asked.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    said = json.loads(run("rules", "diff", "crypto", strict, "--records", str(tmp_path / "asked.jsonl"), "--json"))
    assert [changed["id"] for changed in said["comparison"]["newly_blocked"]] == ["asked.jsonl line 1", "won"]
    assert said["comparison"]["before"]["pnl"] == 5.0
    assert "position-risk-limit-two" in [clash["rule"] for clash in said["contradictory"]]
    assert "newly blocked  2 of 3" in run("rules", "diff", "crypto", strict, "--records", str(tmp_path / "asked.jsonl"))


def test_coverage_over_recorded_facts_names_the_rules_that_never_spoke(tmp_path):
    line = {"id": "a", "facts": ['(candidate (adds TRUE) (symbol "BTC/USDT"))', "(market (spread 0.5))"]}
    (tmp_path / "facts.jsonl").write_text(json.dumps(line) + "\n\n")
    said = json.loads(run("rules", "coverage", "portfolio", "--records", str(tmp_path / "facts.jsonl"), "--json"))
    assert (said["facts"], said["fired"]["wide_spread"]) == (1, 1)
    assert "ruin_likely" in said["silent"]


@pytest.mark.parametrize(
    "line", ["[", "3", '{"facts": 1}', '{"facts": ["(nope)"]}', '{"payload": 1}', '{"pnl": "x", "payload": {}}']
)
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    (tmp_path / "bad.jsonl").write_text("\n" + line)
    with pytest.raises(Exception, match=r"bad\.jsonl line 2"):
        run("rules", "coverage", "portfolio", "--records", str(tmp_path / "bad.jsonl"))


def test_books_of_different_facts_cannot_be_compared_and_unknown_ones_are_named():
    with pytest.raises(ConfigError, match="different facts"):
        run("rules", "diff", "crypto", "portfolio", "--records", "x")
    with pytest.raises(ConfigError, match="did you mean crypto"):
        run("rules", "test", "cripto")


def test_list_rules_shows_every_rule_of_every_book():
    rows = json.loads(run("list-rules", "--json"))
    assert len([row for row in rows if row["book"] == "crypto"]) == 27
    assert all(row["severity"] and row["tests"] >= 2 for row in rows)
