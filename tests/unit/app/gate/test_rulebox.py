"""Books in a child without rights: what it may not do, what happens when it hangs, and reloading while it runs."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from seakeep.app.gate.rulebox import BoxedBook, HotBook, book_file, judge_of, user_books
from seakeep.core.errors import ConfigError, RuleBookError
from seakeep.risk.rules.balance import assess, shipped_book, shipped_judge
from seakeep.risk.rules.book import read_book
from seakeep.risk.rules.budget import RuleBudget
from seakeep.risk.rules.measured import facts_of

HEAD = ";@book mine\n;@facts balance\n"
FULL = "\n;@id {0}\n;@severity block\n;@text t\n;@test (position (weight 0.3)) => fires\n;@test (position) => silent\n"
RULE = "(defrule {0} (position (n ?n) (weight ?w&~nil)) (test (> ?w {1})) => (assert (finding (rule {0}) (n ?n))))"
ASKED = {"ot_pos_weight": 0.3, "ot_risk_check": True, "ot_pos_controlled": True}
QUICK = RuleBudget(seconds=0.4)


def facts(**fields):
    return facts_of({"position-data": [ASKED | fields]})


def boxed(*rules):
    return BoxedBook(read_book(HEAD + "\n".join(rules), "mine.clp"), QUICK)


def spoken(found):
    return sorted(finding.rule for finding in found.findings)


def test_a_boxed_book_says_what_it_says_in_this_process():
    rows = facts(ot_pos_opening=100, ot_pos_stop=110, ot_pos_direction="BUY")
    with BoxedBook(shipped_book("crypto"), QUICK) as box:
        assert box.judge(rows, trace=True) == shipped_judge("crypto").judge(rows, trace=True)
        assert assess({"position-data": [ASKED]}, box).book == shipped_book("crypto").version


def test_a_rule_that_loops_is_stopped_named_and_left_out_and_the_others_speak():
    spin = "(defrule spin (declare (salience 9)) (position) => (while (eq 1 1) (bind ?x 1)))"
    with boxed(RULE.format("a", 0.2), spin) as box:
        for _ in range(2):
            found = box.judge(facts())
            assert spoken(found) == ["a"]
            assert [(fault.rule, "0.4 s" in fault.what) for fault in found.faults] == [("spin", True)]


def test_a_rule_that_eats_memory_takes_only_its_own_process_with_it():
    eat = '(defrule eat (position) => (bind ?x "ab") (while (eq 1 1) (bind ?x (str-cat ?x ?x))))'
    with BoxedBook(read_book(HEAD + RULE.format("a", 0.2) + eat, "m.clp"), RuleBudget(seconds=5, memory_mb=200)) as box:
        found = box.judge(facts())
        assert spoken(found) == ["a"]
        assert [fault.rule for fault in found.faults] == ["eat"]


def test_matching_that_never_ends_is_a_fault_of_the_book_and_it_answers_again_after():
    slow = "(deffunction f (?w) (while (> ?w 0.5) (bind ?y 1)) ?w)"
    slow += "(defrule s (position (weight ?w&~nil)) (test (f ?w)) => )"
    with boxed(RULE.format("a", 0.2), slow) as box:
        found = box.judge(facts(ot_pos_weight=0.7))
        assert (found.findings, [fault.rule for fault in found.faults]) == ((), [""])
        assert spoken(box.judge(facts())) == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not bound all of these")
def test_the_child_may_not_open_write_connect_or_start_anything():
    tries = """
import os, socket, subprocess
from seakeep.app.gate.rulework import drop_rights
kept = drop_rights(512)
done = []
for name, act in {
    "read": lambda: open("/etc/hostname"),
    "write": lambda: open(os.path.join(os.path.expanduser("~"), "rulework_was_here"), "w"),
    "connect": lambda: socket.socket(),
    "start": lambda: os.fork(),
    "root": lambda: os.geteuid() == 0 and os.setuid(0),
    "more": lambda: __import__("resource").setrlimit(__import__("resource").RLIMIT_NOFILE, (64, 64)),
}.items():
    try:
        result = act()
        if name != "root" or result:
            done.append(name)
    except (OSError, ValueError):
        pass
print(kept, done)
"""
    said = subprocess.run([sys.executable, "-c", tries], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "() []"


def test_the_child_sees_no_environment_and_no_files_of_ours():
    with boxed(RULE.format("a", 0.2)) as box:
        root = Path("/proc") / str(box._child._process.pid)
        if not root.exists():
            pytest.skip("no /proc on this machine")
        assert len(list((root / "fd").iterdir())) == 3
        assert (root / "environ").read_bytes() in (b"", b"LC_CTYPE=C.UTF-8\0")
        assert "(deleted)" in str((root / "cwd").readlink())


def written(tmp_path, text):
    path = tmp_path / "rules" / "mine.clp"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + text)
    return path


def test_a_changed_file_is_taken_only_when_it_compiles_and_passes_its_own_tests(tmp_path):
    path = written(tmp_path, FULL.format("a") + RULE.format("a", 0.2))
    book = judge_of("mine", tmp_path, QUICK)
    assert isinstance(book, HotBook)
    first = book.book.version
    for text, why in (
        (FULL.format("a") + RULE.format("a", 0.2) + ")", "line 9: a ) without"),
        (FULL.format("a") + RULE.format("a", "?zz"), "line 9: does not compile"),
        (FULL.format("a") + RULE.format("a", 0.9), "line 7: test of a expects fires"),
        ('(defrule a => (system "x"))', "system is not allowed"),
    ):
        written(tmp_path, text)
        assert spoken(book.judge(facts())) == ["a"]
        assert why in book.refused
        assert book.book.version == first
    written(tmp_path, FULL.format("b") + RULE.format("b", 0.25))
    assert spoken(book.judge(facts())) == ["b"]
    assert (book.refused, book.book.version != first) == ("", True)
    path.unlink()
    assert spoken(book.judge(facts())) == ["b"]
    assert "cannot be read" in book.refused
    book.close()


def test_books_are_found_by_name_and_nothing_outside_their_folder_is(tmp_path):
    written(tmp_path, FULL.format("a") + RULE.format("a", 0.2))
    (tmp_path / "secret.clp").write_text(HEAD)
    assert user_books(tmp_path) == ("mine",)
    assert judge_of("risk_model_crypto", tmp_path).book.name == "crypto"
    for name in ("../secret", "secret", "mine.clp", "", "/etc/passwd", "a\0b", "mien"):
        with pytest.raises(ConfigError, match=r"unknown rule book"):
            book_file(name, tmp_path)


def test_the_first_version_must_be_usable(tmp_path):
    written(tmp_path, FULL.format("a") + RULE.format("a", 0.9))
    start = time.monotonic()
    with pytest.raises(RuleBookError, match="test of a"):
        judge_of("mine", tmp_path, QUICK)
    assert time.monotonic() - start < 10
