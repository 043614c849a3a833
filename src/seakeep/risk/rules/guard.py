"""What a rule book may say. CLIPS can run shell commands and open files, so a book is read before CLIPS sees it.

Two nets: every list must begin with a word that is known to be harmless, and no name of any other CLIPS function may
stand anywhere, not even where it could only be handed to an allowed one.
"""

from functools import cache

from seakeep.core.errors import RuleBookError
from seakeep.core.registry import nearest
from seakeep.risk.rules.syntax import Atom, Form, atoms, heads
from seakeep.risk.rules.vocabulary import Vocabulary

__all__ = ["CONSTRUCTS", "FUNCTIONS", "check", "clips_functions", "plain_text"]

MOST_BYTES = 1_000_000
CONSTRUCTS = frozenset({"defrule", "deftemplate", "deffunction", "defglobal", "deffacts"})
_FUNCTIONS = (
    "+ - * / div mod ** abs min max sqrt exp log log10 round integer float pi "
    "= <> < <= > >= eq neq and or not if while loop-for-count return break switch "
    "bind create$ length$ nth$ member$ subseq$ first$ rest$ insert$ delete$ progn progn$ foreach "
    "str-cat sym-cat str-compare str-index sub-string str-length upcase lowcase "
    "numberp floatp integerp symbolp stringp lexemep multifieldp evenp oddp assert retract modify duplicate "
    "any-factp find-fact find-all-facts do-for-fact do-for-all-facts delayed-do-for-all-facts"
)
FUNCTIONS = frozenset(_FUNCTIONS.split())
"""Functions a rule may call: arithmetic, comparison, control, text, facts. None reaches outside or remembers."""

_WORDS = "declare salience test exists forall logical slot multislot type default range allowed-symbols case"
_SYNTAX = frozenset(_WORDS.split())


@cache
def clips_functions() -> frozenset[str]:
    """Names of every function this build of CLIPS has."""
    from clips._clips import ffi, lib

    environment = lib.CreateEnvironment()
    lib.DefinePythonFunction(environment)
    value = ffi.new("CLIPSValue *")
    lib.Eval(environment, b"(get-function-list)", value)
    fields = value.multifieldValue
    first = ffi.cast("CLIPSValue *", ffi.addressof(fields.contents))
    names = [ffi.string((first + i).lexemeValue.contents).decode() for i in range(fields.length)]
    lib.DestroyEnvironment(environment)
    return frozenset(names)


def plain_text(text: str, file: str) -> str:
    """The text with Unix line ends. CLIPS ends a comment at a carriage return and a word at a control character.

    Raises: RuleBookError if it is too large or holds any other control character.
    """
    text = text.replace("\r\n", "\n")
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise RuleBookError(f"{file} is larger than {MOST_BYTES:,} bytes", value=len(text), remedy="split it")
    for number, line in enumerate(text.split("\n"), start=1):
        odd = next((c for c in line if not c.isprintable() and c != "\t"), None)
        if odd is not None:
            raise RuleBookError(f"{file} line {number}: a control character", value=odd, remedy="delete it")
    return text


def check(constructs: tuple[Form, ...], vocabulary: Vocabulary, file: str) -> None:
    """Look through every construct of a book.

    Raises: RuleBookError naming file and line, the word, and what is allowed.
    """
    own = _own(constructs, vocabulary, file)
    slots = {slot.name for template in vocabulary.templates.values() for slot in template.slots}
    known = FUNCTIONS | _SYNTAX | CONSTRUCTS | slots | own | set(vocabulary.templates)
    banned = clips_functions() - known
    for form in constructs:
        if form.head not in CONSTRUCTS:
            remedy = f"a book is made of {', '.join(sorted(CONSTRUCTS))}"
            raise RuleBookError(f"{file} line {form.line}: no such construct here", value=form.head, remedy=remedy)
        for atom in atoms(form):
            if atom.text.lstrip(":=") in banned:
                remedy = "a rule may compute, compare and assert findings, nothing else"
                raise RuleBookError(f"{file} line {atom.line}: {atom.text} is not allowed in a book", remedy=remedy)
        _known_heads(form, known, file)


def _own(constructs: tuple[Form, ...], vocabulary: Vocabulary, file: str) -> set[str]:
    """Names the book itself defines: templates with their slots, and functions."""
    names: set[str] = set()
    for form in constructs:
        if form.head not in ("deftemplate", "deffunction") or len(form.items) < 2:
            continue
        inner = [item for item in form.items if isinstance(item, Form) and item.head in ("slot", "multislot")]
        named = [form.items[1], *(item.items[1] for item in inner if len(item.items) > 1)]
        for atom in named:
            if not isinstance(atom, Atom) or atom.text in clips_functions() or atom.text in vocabulary.templates:
                name = atom.text if isinstance(atom, Atom) else "(...)"
                raise RuleBookError(f"{file} line {form.line}: {name} is taken by CLIPS or by the facts, use another")
            names.add(atom.text)
    return names


def _known_heads(form: Form, known: set[str] | frozenset[str], file: str) -> None:
    for head in heads(form):
        if head.text not in known and not head.text.startswith(("?", "$?", '"')) and not _number(head.text):
            remedy = nearest(head.text, sorted(known))
            raise RuleBookError(f"{file} line {head.line}: unknown word", value=head.text, remedy=remedy)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
