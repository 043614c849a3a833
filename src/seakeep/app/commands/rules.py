"""Rule books: rules test, lint, coverage, diff, trace; list-rules; and risk check, the stateless door on a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.table import Table

    from seakeep.risk.rules.balance import Assessment
    from seakeep.risk.rules.findings import Judge, Trace
    from seakeep.risk.rules.replay import Comparison, Effect, Recorded

__all__ = ["check", "coverage", "diff", "lint", "list_rules", "register", "try_tests"]

BookName = Annotated[str, typer.Argument(metavar="BOOK", help="A book of `list-rules`, or a .clp file.")]
UserDir = Annotated[Path, typer.Option("--userdir", help="Folder whose rules/ holds your own books.")]
Records = Annotated[Path | None, typer.Option("--records", help="Recorded decisions: a file of JSON lines.")]
RunId = Annotated[str | None, typer.Option("--run", help="Decisions of a run of the ledger; `latest` is one.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="Another ledger, with --run.")]
_HOME = Path("user_data")
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the family `rules`, `list-rules`, and `risk check` to the family `risk` if it is there."""
    family = typer.Typer(help="Rule books: test, check and compare them.", no_args_is_help=True)
    family.command("test")(try_tests)
    family.command("lint")(lint)
    family.command("coverage")(coverage)
    family.command("diff")(diff)
    app.add_typer(family, name="rules")
    app.command("list-rules")(list_rules)
    for group in app.registered_groups:
        if group.name == "risk" and group.typer_instance is not None:
            group.typer_instance.command("check")(check)


def try_tests(book: BookName, userdir: UserDir = _HOME, as_json: JsonFlag = False) -> None:
    """Run the tests that the rules of a book bring; exit code 1 if one fails."""
    from seakeep.risk.rules.trials import run_tests

    judge = _judge(book, userdir)
    trials = run_tests(judge)
    failed = [trial for trial in trials if not trial.ok]
    data = {"book": judge.book.version, "tests": len(trials), "failed": failed}

    def show(console: "Console") -> None:
        for trial in failed:
            line = f"{judge.book.file} line {trial.line}: {trial.rule} expects {trial.expected}, but {trial.why}"
            console.print(line, style="red", markup=False, soft_wrap=True)
        console.print(f"{len(trials) - len(failed)} of {len(trials)} tests passed ({judge.book.version})", markup=False)

    emit(data, show, as_json=as_json)
    if failed or not trials:
        raise typer.Exit(Exit.ERROR)


def lint(book: BookName, userdir: UserDir = _HOME, as_json: JsonFlag = False) -> None:
    """Look for missing headers and tests, unreachable and contradictory rules; exit code 1 if there is an error."""
    from seakeep.risk.rules.clash import clashes
    from seakeep.risk.rules.lint import Remark
    from seakeep.risk.rules.lint import lint as remarks_of

    judge = _judge(book, userdir)
    found = list(remarks_of(judge.book))
    for clash in clashes(judge):
        what = f"{clash.other} speaks too, on {' '.join(clash.facts)}"
        found.append(Remark(clash.line, clash.rule, "contradictory", what))

    def show(console: "Console") -> None:
        for remark in sorted(found):
            line = f"{judge.book.file} line {remark.line}: {remark.level}: {remark.rule}: {remark.kind}: {remark.what}"
            console.print(line, style="red" if remark.level == "error" else "yellow", markup=False, soft_wrap=True)
        console.print(f"{len(judge.book.rules)} rules, {len(found)} remarks ({judge.book.version})", markup=False)

    emit({"book": judge.book.version, "rules": len(judge.book.rules), "remarks": sorted(found)}, show, as_json=as_json)
    if any(remark.level == "error" for remark in found):
        raise typer.Exit(Exit.ERROR)


def coverage(
    book: BookName,
    records: Records = None,
    run: RunId = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Count how often each rule speaks: over the book's own tests, or over recorded decisions."""
    from seakeep.risk.rules.measured import facts_of
    from seakeep.risk.rules.trials import coverage as count

    judge = _judge(book, userdir)
    if records is None and run is None:
        rows = (list(example.rows) for rule in judge.book.rules.values() for example in rule.examples)
    else:
        recorded = _recorded(judge, records, run, userdir, database_url)
        rows = (facts_of(d.payload) if d.payload is not None else list(d.rows) for d in recorded)
    counted = count(judge, rows)

    def show(console: "Console") -> None:
        table = _table("rule", "speaks", "share", right="speaks share")
        for rule, times in counted.fired.items():
            share = f"{times / counted.decisions:.1%}" if counted.decisions else "-"
            table.add_row(rule, f"{times:,}", share, style=None if times else "yellow")
        console.print(table)
        silent = f"; never: {', '.join(counted.silent)}" if counted.silent else ""
        console.print(f"{counted.decisions:,} sets of facts ({judge.book.version}){silent}", markup=False)

    data = {"book": judge.book.version, "facts": counted.decisions, "fired": counted.fired, "silent": counted.silent}
    emit(data, show, as_json=as_json)


def diff(
    old: Annotated[str, typer.Argument(help="The book in use: a name of `list-rules`, or a .clp file.")],
    new: Annotated[str, typer.Argument(help="The book that would replace it.")],
    records: Records = None,
    run: RunId = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Replay recorded decisions under two books: newly blocked, newly allowed, and what that does to the results."""
    from seakeep.core.errors import ConfigError
    from seakeep.risk.rules.clash import clashes
    from seakeep.risk.rules.lint import lint as remarks_of
    from seakeep.risk.rules.replay import compare

    first, second = _judge(old, userdir), _judge(new, userdir)
    if first.book.vocabulary.name != second.book.vocabulary.name:
        speaks = f"{first.book.vocabulary.name} and {second.book.vocabulary.name}"
        raise ConfigError("the two books speak of different facts", value=speaks)
    found = compare(first, second, _recorded(second, records, run, userdir, database_url))
    remarks = [r for r in remarks_of(second.book) if r.kind in ("unreachable", "contradictory")]
    clashing = clashes(second)
    data = {"comparison": found, "remarks": remarks, "contradictory": clashing}

    def show(console: "Console") -> None:
        _comparison(console, found)
        for remark in remarks:
            console.print(f"{remark.kind}: {remark.rule} (line {remark.line}): {remark.what}", markup=False)
        for clash in clashing:
            console.print(f"contradictory: {clash.rule} and {clash.other} on {' '.join(clash.facts)}", markup=False)

    emit(data, show, as_json=as_json)


def list_rules(userdir: UserDir = _HOME, as_json: JsonFlag = False) -> None:
    """Rule books, yours included, and their rules."""
    from seakeep.app.gate.rulebox import book_file, read_file, user_books
    from seakeep.core.errors import RuleBookError
    from seakeep.risk.rules.balance import shipped_book, shipped_books

    rows: list[dict[str, Any]] = []
    books = [("shipped", shipped_book(name)) for name in shipped_books()]
    for name in user_books(userdir):
        try:
            books.append(("yours", read_file(book_file(name, userdir))))
        except RuleBookError as error:
            note(f"warning: {error}")
    for origin, book in books:
        for rule in book.rules.values():
            about = {"book": book.name, "origin": origin, "facts": book.vocabulary.name}
            rows.append({**about, "rule": rule.id, "severity": rule.severity, "tests": len(rule.examples)})

    def show(console: "Console") -> None:
        table = _table("book", "origin", "facts", "rule", "severity", "tests", right="tests")
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        console.print(table)

    emit(rows, show, as_json=as_json)


def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A request of the risk endpoint in JSON; - is stdin.")],
    book: Annotated[str, typer.Option("--book", help="A book of `list-rules`, or a .clp file.")] = "crypto",
    trace: Annotated[bool, typer.Option("--trace", help="Also what fired, and how far every rule came.")] = False,
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Judge a request about positions as `POST /risks` does; exit code 7 if the orders in it are refused."""
    import time

    from seakeep.core.errors import SchemaError
    from seakeep.core.verdicts import Outcome
    from seakeep.risk.rules.balance import assess

    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SchemaError(f"{file} cannot be read: {error.strerror}") from None
    answer = assess(body, _judge(book, userdir), trace=trace)
    data = answer.answer(time.time())
    if trace:
        data["seakeep"]["trace"] = answer.trace

    def show(console: "Console") -> None:
        _assessment(console, answer)
        if answer.trace is not None:
            _trace(console, answer.trace)

    emit(data, show, as_json=as_json)
    if answer.verdict is Outcome.REFUSED:
        raise typer.Exit(Exit.BLOCKED)


def _judge(name: str, userdir: Path) -> "Judge":
    """The book of that name or in that file, without asking whether its own tests pass."""
    from seakeep.app.gate.rulebox import BoxedBook, book_file, read_file
    from seakeep.risk.rules.balance import shipped_books, shipped_judge
    from seakeep.risk.rules.budget import RuleBudget

    if name in shipped_books():
        return shipped_judge(name)
    path = Path(name) if name.endswith(".clp") else book_file(name, userdir)
    return BoxedBook(read_file(path), RuleBudget())


def _recorded(
    judge: "Judge", records: Path | None, run: str | None, userdir: Path, database_url: str | None
) -> "Iterable[Recorded]":
    from seakeep.app.gate.rulerecords import from_file, from_run
    from seakeep.core.errors import ConfigError

    if (records is None) == (run is None):
        raise ConfigError("name the decisions to replay", remedy="give either --records FILE or --run RUN")
    if records is not None:
        return from_file(records, judge.book.vocabulary)
    if judge.book.vocabulary.name != "portfolio":
        raise ConfigError("a run holds portfolio facts", value=judge.book.name, remedy="replay requests with --records")
    from seakeep.app.commands.ledger import chosen_run, open_ledger

    with open_ledger(userdir, database_url) as ledger:
        return from_run(ledger, chosen_run(ledger, "" if run == "latest" else str(run)).run_id, userdir)


def _table(*columns: str, right: str = "") -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right.split() else "left")
    return table


def _assessment(console: "Console", answer: "Assessment") -> None:
    from rich.text import Text

    styles = {"block": "bold red", "warn": "yellow", "info": "default"}
    for risk in answer.risks:
        head = Text(f"{risk.severity:5} ", styles.get(risk.severity, "default"))
        console.print(head + Text(f"{risk.code}: {risk.text}"), soft_wrap=True)
    for left in answer.unjudged:
        about = f"{left.deal}: " if left.deal else ""
        console.print(Text("not judged: ", "yellow") + Text(f"{about}{left.check}: {left.why}"), soft_wrap=True)
    for fault in answer.faults:
        console.print(Text(f"rule failed: {fault.rule}: {fault.what}", "bold red"), soft_wrap=True)
    for change in answer.flip:
        about = f"{change.deal}: " if change.deal else ""
        console.print(f"would pass with {about}{change.field} {change.value:.10g}", markup=False, soft_wrap=True)
    console.print(f"verdict: {answer.verdict or 'no order is asked for'} ({answer.book})", markup=False)


def _trace(console: "Console", trace: "Trace") -> None:
    for firing in trace.fired:
        console.print(f"fired {firing.rule} on {', '.join(firing.facts)}", markup=False, soft_wrap=True)
    table = _table("rule", "facts a pattern", "combinations")
    for match in trace.matches:
        table.add_row(match.rule, " ".join(map(str, match.patterns)), " ".join(map(str, match.partial)))
    console.print(table)


def _comparison(console: "Console", found: "Comparison") -> None:
    for title, changed in (("newly blocked", found.newly_blocked), ("newly allowed", found.newly_allowed)):
        console.print(f"[bold]{title}[/]  {len(changed):,} of {found.decisions:,} decisions")
        for each in changed[:_SHOWN]:
            result = "not known" if each.pnl is None else f"{each.pnl:+,.2f}"
            console.print(f"  {each.id}  {', '.join(each.rules)}  result {result}", markup=False, soft_wrap=True)
        if len(changed) > _SHOWN:
            console.print(f"  and {len(changed) - _SHOWN:,} more (all with --json)")
    table = _table("passes under", "results", "unknown", "sum", "CVaR 95 %", "drawdown", right="results unknown sum")
    for name, effect in ((found.old, found.before), (found.new, found.after)):
        table.add_row(name, *_effect(effect))
    console.print(table)
    rules = _table("rule that changed", "old", "new", right="old new")
    for rule, (before, after) in found.fired.items():
        if before != after:
            rules.add_row(rule, f"{before:,}", f"{after:,}")
    if rules.row_count:
        console.print(rules)
    if found.missing:
        console.print(
            f"no recorded decision had these facts, so rules about them said nothing: {', '.join(found.missing)}"
        )
    for fault in found.faults:
        console.print(f"rule failed: {fault}", style="red", markup=False)


def _effect(effect: "Effect") -> tuple[str, ...]:
    cvar = "-" if effect.cvar is None else f"{effect.cvar:,.2f}"
    return f"{effect.n:,}", f"{effect.unknown:,}", f"{effect.pnl:+,.2f}", cvar, f"{effect.drawdown:,.2f}"
