"""No book may reach outside; what is refused is named with its line."""

import pytest

from seakeep.core.errors import RuleBookError
from seakeep.risk.rules.book import read_book
from seakeep.risk.rules.guard import CONSTRUCTS, FUNCTIONS, clips_functions
from seakeep.risk.rules.vocabulary import VOCABULARIES

HEAD = ";@book x\n;@facts balance\n"
_OUTSIDE = """
    system open close load load* batch batch* save
    bsave bload remove rename exit read readline printout
    println build eval funcall set-strategy dribble-on load-facts save-facts
    assert-string get-char undefrule clear reset run random seed
    time gensym with-open-file python-function chdir new send halt
"""
OUTSIDE = _OUTSIDE.split()


@pytest.mark.parametrize("word", OUTSIDE)
@pytest.mark.parametrize(
    "form",
    [
        '(defrule r => ({} "x"))',
        "(defrule r (person (balance ?b&:({} ?b))) => )",
        "(defglobal ?*g* = ({} 1))",
        "(deffunction f () ({} 1))",
        "(defrule r => (bind ?f {}))",
        "(deffunction {} () 1)",
        "(deftemplate t (slot {}))",
        "(deftemplate {} (slot a))",
        "(deftemplate t (slot a (default ({}))))",
        "(deffacts d (extra (text ({} 1))))",
    ],
)
def test_functions_that_reach_outside_may_stand_nowhere(word, form):
    with pytest.raises(RuleBookError, match=r"x\.clp line 3"):
        read_book(HEAD + form.format(word), "x.clp")


def test_everything_allowed_is_a_function_of_clips_and_no_fact_or_slot_is_one():
    assert clips_functions() >= FUNCTIONS
    for vocabulary in VOCABULARIES.values():
        words = {slot.name for template in vocabulary.templates.values() for slot in template.slots}
        assert not (words | set(vocabulary.templates)) & clips_functions()


def test_a_comment_ends_where_clips_ends_it():
    with pytest.raises(RuleBookError, match="line 3: a control character"):
        read_book(HEAD + '; harmless\r(defrule r => (system "x"))', "x.clp")
    assert read_book(HEAD + ';@id r\r\n(defrule r => ) ; (system "x")\r\n', "x.clp").constructs


@pytest.mark.parametrize("odd", ["\0", "\x01", "\x0b", "\x7f", "\x85", "\u2028", "\u00a0"])
def test_characters_that_only_one_reader_takes_for_a_space_are_refused(odd):
    with pytest.raises(RuleBookError, match="line 3: a control character"):
        read_book(HEAD + f'(defrule r => (eq{odd}system "x"))', "x.clp")


@pytest.mark.parametrize("word", ["defclass", "defmodule", "defmethod", "defgeneric", "definstances", "run"])
def test_only_five_constructs_are_known(word):
    assert word not in CONSTRUCTS
    with pytest.raises(RuleBookError, match="no such construct"):
        read_book(f"{HEAD}({word} x)", "x.clp")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("(defrule r =>", "line 3: a \\( that is never closed"),
        ("(defrule r => ))", "line 3: a \\) without its"),
        ('(defrule r => "x', "line 3: a text that is never closed"),
        ("(" * 200, "nest deeper"),
        ("stray", "not inside a construct"),
        (";@wrong x", "line 3: unknown header"),
        (";@severity block\n(defrule r => )", "without ;@id"),
        (";@id r\n;@severity grave\n(defrule r => )", "unknown severity"),
        (";@id r\n;@test (position (wieght 1)) => fires\n(defrule r => )", "no slot wieght; did you mean weight"),
        (";@id r\n;@test (position (side HOLD)) => fires\n(defrule r => )", "one of BUY, SELL"),
        (";@id r\n;@test (position (weight x)) => fires\n(defrule r => )", "must be a number"),
        (";@id r\n;@test (position) => maybe\n(defrule r => )", "not a test"),
        (";@id r\n(defrule other => )", "line 4: a defrule under ;@id r must begin so"),
        ("(defrule r (positon (n ?n)) => )", "unknown word .*did you mean position"),
    ],
)
def test_mistakes_are_named_with_their_line(body, said):
    with pytest.raises(RuleBookError, match=said):
        read_book(HEAD + body, "x.clp")


def test_a_book_must_say_what_it_is_and_which_facts_it_speaks_of():
    for text, said in (
        ("", ";@book is missing"),
        (";@book x\n", ";@facts is missing"),
        (";@book x\n;@facts y", "balance"),
    ):
        with pytest.raises(RuleBookError, match=said):
            read_book(text, "x.clp")
