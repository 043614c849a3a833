"""What a run hears beside its bars: news, readings of sentiment, order books; and whether anybody listened."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from markupsafe import Markup

from seakeep.app.places import bar_store
from seakeep.app.sections import Settings
from seakeep.backtest.result import Result
from seakeep.core.market import BarFrame, Instrument, NewsItem, Observation
from seakeep.core.registry import build
from seakeep.core.units import iso
from seakeep.data.depth import BookSeen, read_books
from seakeep.data.news import read_news
from seakeep.data.observations import read_observations
from seakeep.data.readings import CONFIDENCE, SCORE, TEXTS
from seakeep.models.sentiment import concerned
from seakeep.strategy import SIGNALS

__all__ = ["Hearing", "fingerprints", "heard", "hearing_line", "hearing_of", "hearing_section"]

_TONES = (SCORE, TEXTS, CONFIDENCE)
_DEPTH = "book_imbalance"
_SECTION = Markup(
    '<section class="long"><h2>What the run heard beside its bars</h2><p class="lead">{}</p>'
    '<ul class="why">{}</ul></section>'
)


class Hearing(msgspec.Struct, frozen=True):
    """What was there for a run to hear, and in how many of its `decisions` each voice that needs it was heard.

    `silence` says in words what is missing.
    """

    news: int
    readings: int
    books: int
    last_news: str
    decisions: int
    voices: dict[str, int]
    silence: tuple[str, ...]


def heard(
    root: Path, settings: Settings, instruments: Mapping[str, Instrument], frames: Sequence[BarFrame]
) -> tuple[tuple[Observation, ...], tuple[NewsItem, ...], tuple[BookSeen, ...]]:
    """What the store has for these instruments within their bars: observations, news and order books.

    `data.news` and `data.books` can leave out what is only listened to; funding is paid in any case.
    """
    spans = {f.symbol: (int(f.ts[0]), int(f.known_at[-1])) for f in frames}
    first, last = min(a for a, _ in spans.values()), max(b for _, b in spans.values())
    observations = read_observations(root, spans)
    if not settings.data.news:
        observations = tuple(o for o in observations if o.name not in _TONES)
    traded = tuple(instruments.values())
    stored = read_news(root, first, last) if settings.data.news else ()
    news = tuple(item for item in stored if concerned(item, traded))
    return observations, news, read_books(root, spans) if settings.data.books else ()


def fingerprints(
    observations: Sequence[Observation], news: Sequence[NewsItem], books: Sequence[BookSeen]
) -> dict[str, dict[str, object]]:
    """What a run hears beside its bars, in figures: how many of each kind that is there, and their hash.

    Another wording, time or order book is another hash; the store keeps one order, however they were imported.
    """
    kinds = {"observations": observations, "news": news, "books": books}
    return {kind: {"items": len(told), "hash": _hash(told)} for kind, told in kinds.items() if told}


def _hash(told: Iterable[msgspec.Struct]) -> str:
    state = hashlib.blake2b(digest_size=20)
    for one in told:
        state.update(msgspec.json.encode(one) + b"\n")
    return state.hexdigest()


def hearing_of(settings: Settings, userdir: Path, result: Result) -> Hearing:
    """What a finished run had to hear, from its first traded bar on, and who was heard."""
    store = bar_store(settings, userdir)
    instruments = {symbol: store.instrument(symbol) for symbol in result.bars}
    frames = [frame for frame in result.bars.values() if len(frame)]
    observations, news, books = heard(store.root, settings, instruments, frames)
    asked = [d.contributions for d in result.decisions if any(value for _, value in d.contributions)]
    needing = {name: part for name in settings.strategy.signals if (part := _needs(settings, name))}
    voices = {name: sum(name in dict(parts) for parts in asked) for name in needing}
    readings = sum(o.name == SCORE for o in observations)
    lacking = _lacking(settings, len(news) + readings, len(books))
    silence = [f"{name}: {lacking[what]}" for name, what in needing.items() if what in lacking]
    if settings.risk.overlay.enabled and "news" in lacking:
        silence.append(f"sizes cannot follow sentiment: {lacking['news']}")
    newest = iso(news[-1].known_at) if news else ""
    return Hearing(len(news), readings, len(books), newest, len(asked), voices, tuple(silence))


def _lacking(settings: Settings, news: int, books: int) -> dict[str, str]:
    """Which of news and order books were not there, and why."""
    data = settings.data
    found = {"news": (news, data.news, "data.news"), "order books": (books, data.books, "data.books")}
    return {
        what: f"no {what} in these days" if on else f"{key} is switched off"
        for what, (count, on, key) in found.items()
        if not count
    }


def _needs(settings: Settings, name: str) -> str:
    """What a signal cannot do without; "" if bars are enough."""
    if name == _DEPTH:
        return "order books"
    return "news" if build(SIGNALS, name, settings.strategy.signals[name]).group == "sentiment" else ""


def hearing_line(hearing: Hearing) -> str:
    """The same in one line."""
    lines = [_there(hearing), *(f"{name} in {n:,} of {hearing.decisions:,} decisions" for name, n in _loud(hearing))]
    return "; ".join([*lines, *hearing.silence])


def hearing_section(hearing: Hearing) -> Markup:
    """The section of the report; it says so where nothing was there to be heard."""
    lines = [f"{name} was heard in {n:,} of {hearing.decisions:,} decisions." for name, n in _loud(hearing)]
    lines += [f"Not heard: {reason}." for reason in hearing.silence]
    items = Markup("").join(Markup("<li>{}</li>").format(line) for line in lines)
    return _SECTION.format(f"{_there(hearing).capitalize()}.", items)


def _there(hearing: Hearing) -> str:
    kinds = {"news items": hearing.news, "readings of sentiment": hearing.readings, "order books": hearing.books}
    there = [f"{count:,} {what}" for what, count in kinds.items() if count]
    return f"bars, {', '.join(there)}" if there else "bars only: no news, no readings of sentiment, no order books"


def _loud(hearing: Hearing) -> list[tuple[str, int]]:
    """Those for whom there was something to hear."""
    silent = {reason.partition(":")[0] for reason in hearing.silence}
    return [(name, n) for name, n in hearing.voices.items() if name not in silent]
