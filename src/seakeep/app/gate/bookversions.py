"""Every version of a rule book that a run was judged by: kept by its content, and heard again when the run is repeated.

A user's book may change while a run trades; each verdict in the journal names the version that spoke. A run that is
taken up again, or replayed, is judged by those versions, decision by decision, and by the newest from there on.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from seakeep.app.gate.rulebox import BoxedBook, read_file
from seakeep.core.errors import IntegrityError, RuleBookError
from seakeep.core.verdicts import RiskVerdict, RuleHit
from seakeep.risk.case import Case
from seakeep.risk.rules.book import Book
from seakeep.risk.rules.budget import RuleBudget
from seakeep.risk.rules.portfolio import PortfolioRules

__all__ = ["JournaledRules"]


class JournaledRules:
    """A rule book for the gate of one run, which remembers what the run's journal says it was judged by."""

    def __init__(
        self, present: PortfolioRules, told: Iterable[RiskVerdict], userdir: Path, budget: RuleBudget | None = None
    ) -> None:
        """`told` are the verdicts the run's journal holds.

        Raises: IntegrityError naming both versions if one that spoke is neither in use nor kept.
        """
        self._present, self._folder = present, userdir / "rules" / ".kept"
        self._told = {verdict.decision_id: verdict.book for verdict in told if verdict.book}
        self._heard, self._written = present, set[str]()
        spoke = sorted(set(self._told.values()))
        self._kept = {version: self._rules(version, budget or RuleBudget()) for version in spoke}

    @property
    def version(self) -> str:
        """The version that spoke last."""
        return self._heard.version

    def judge(self, case: Case) -> tuple[tuple[RuleHit, ...], ...]:
        """What the version says that the journal names for these decisions; the newest, where it names none."""
        named = self._told.get(case.candidates[0].decision.id, "") if case.candidates else ""
        self._heard = self._kept.get(named, self._present)
        hits = self._heard.judge(case)
        if self._heard is self._present and self.version not in self._written:
            self._keep(self._present.book)
            self._written.add(self.version)
        return hits

    def _hot(self, book: Book) -> bool:
        """Whether the book is a file of the user, which may change."""
        return Path(book.file).is_file()

    def _rules(self, version: str, budget: RuleBudget) -> PortfolioRules:
        """That version, and no other, whatever becomes of the file."""
        if version != self._present.version:
            return self._recall(version, budget)
        if not self._hot(self._present.book):
            return self._present
        self._keep(self._present.book)
        return self._recall(version, budget)

    def _recall(self, version: str, budget: RuleBudget) -> PortfolioRules:
        path = self._path(version)
        try:
            book = read_file(path)
        except RuleBookError:
            book = None
        if book is None or book.version != version:
            what = f"the run was judged by rule book {version}, which is not kept; in use is {self._present.version}"
            remedy = f"put that version back as {path}, or start a new run"
            raise IntegrityError(what, remedy=remedy)
        return PortfolioRules(BoxedBook(book, budget))

    def _keep(self, book: Book) -> None:
        """Write the text of a user's book, once, whole. Raises: OSError; the gate then adds nothing."""
        path = self._path(book.version)
        if path.exists() or not self._hot(book):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}")
        with made.open("w", encoding="utf-8") as file:
            file.write(book.text)
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)

    def _path(self, version: str) -> Path:
        return self._folder / f"{version.rpartition('@')[2]}.clp"
