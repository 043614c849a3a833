"""From headlines to sentiment: a lexicon gives each text a tone, and tones fade by half-life.

The lexicon counts words that the news of this market use for gains and losses, turned round after a negation and
raised or lowered by the words before them. It is a ruler and not a reader: irony and hearsay pass it by. Any other
scorer with the same `tone` may take its place.

References: Hutto and Gilbert, "VADER: a parsimonious rule-based model for sentiment analysis of social media text",
ICWSM (2014), for negation, degree words and the form of the score; the word list is our own.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from pydantic import Field

from seakeep.core.beliefs import Sentiment
from seakeep.core.config import Section
from seakeep.core.market import Instrument, NewsItem
from seakeep.core.units import HOUR_MS

__all__ = ["Crowd", "CrowdParams", "Lexicon", "Scorer", "concerned"]

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_TICKER = re.compile(r"\b[A-Z0-9]{2,10}\b")
_LONGEST = 20_000
"""Characters of a text that are read."""
_REACH = 3
"""Words after a negation that it turns round."""
_SOFT = 3.0

_STRONG_UP = """surge surges surged surging soar soars soared soaring skyrocket skyrockets skyrocketed moon
breakthrough boom booming record approved approval approves landmark rockets"""
_UP = """gain gains gained rise rises rose rising rally rallies rallied climb climbs climbed jump jumps jumped
high highs higher bullish bull bulls upgrade upgraded upgrades adoption adopt adopts adopted
partnership partners partner launch launches launched growth grow grows grew win wins won profit
profits profitable positive strong stronger strength support supports supported recover recovers
recovered recovery rebound rebounds rebounded outperform outperforms beat beats inflow inflows
accumulate accumulates accumulation buy buys buying bought optimism optimistic boost boosts boosted
expand expands expanded expansion milestone success successful secure secured raises raised funding
invest invests invested investment integrate integrates integrated integration innovation reward
rewards benefit benefits best good great legal legalize legalizes upside breakout uptrend demand
greenlight embraces embrace listed lists"""
_DOWN = """fall falls fell falling drop drops dropped decline declines declined lose loses lost loss losses low
lows lower bearish bear bears downgrade downgraded downgrades slump slumps slumped slide slides slid
dip dips dipped weak weaker weakness fear fears feared worry worries worried concern concerns risk
risks risky warn warns warned warning sell sells selling sold selloff outflow outflows negative ban
bans banned restrict restricts restricted restriction delay delays delayed reject rejects rejected
rejection deny denies denied lawsuit lawsuits sue sues sued charge charges charged fine fined probe
probes investigate investigates investigation investigated volatile uncertainty pressure struggle
struggles layoffs cuts cut halt halts halted suspend suspends suspended outage freeze freezes frozen
crackdown illegal downside breakdown downtrend liquidation liquidations liquidated missing vulnerable
vulnerability exploit exploits dump dumps bad worse worst problem problems trouble fails fail failed
failure stolen"""
_STRONG_DOWN = """crash crashes crashed crashing plunge plunges plunged plunging collapse collapses collapsed bankrupt
bankruptcy insolvent insolvency hack hacks hacked hacker hackers scam scams fraud fraudulent theft
steal steals arrested arrest guilty plummet plummets plummeted tumble tumbles tumbled panic crisis
capitulation ponzi contagion meltdown bloodbath rug"""
_TURNS = frozenset(
    (
        "not",
        "no",
        "never",
        "neither",
        "nor",
        "without",
        "cannot",
        "can't",
        "won't",
        "don't",
        "doesn't",
        "didn't",
        "isn't",
    )
)
_DEGREES = {"very": 1.3, "sharply": 1.5, "massive": 1.5, "huge": 1.4, "heavily": 1.3, "slightly": 0.6, "somewhat": 0.7}
_NAMES = {"bitcoin": "BTC", "ethereum": "ETH", "ether": "ETH", "solana": "SOL", "cardano": "ADA", "ripple": "XRP"}


class Scorer(Protocol):
    """Anything that gives a text a tone."""

    def tone(self, item: NewsItem) -> float | None:
        """Tone in [-1, 1]; None where the text says nothing either way."""
        ...


class Lexicon:
    """Words with a polarity: 2 for strong ones, 1 for others, negative for losses."""

    def __init__(self) -> None:
        groups = ((_STRONG_UP, 2.0), (_UP, 1.0), (_DOWN, -1.0), (_STRONG_DOWN, -2.0))
        self.polarity = {word: value for words, value in groups for word in words.split()}

    def tone(self, item: NewsItem) -> float | None:
        """s / sqrt(s^2 + 3) of the summed polarity s of title and body; None where no known word stands.

        >>> item = NewsItem("x", "Bitcoin does not crash", "", (), "", 0, 0)
        >>> round(Lexicon().tone(item), 3), Lexicon().tone(NewsItem("x", "What is a block?", "", (), "", 0, 0))
        (0.756, None)
        """
        words = _WORD.findall(f"{item.title}. {item.body}"[:_LONGEST].lower().replace("\u2019", "'"))
        found, total = 0, 0.0
        for i, word in enumerate(words):
            value = self.polarity.get(word)
            if value is None:
                continue
            before = words[max(0, i - _REACH) : i]
            turned = any(earlier in _TURNS for earlier in before)
            degree = _DEGREES.get(before[-1], 1.0) if before else 1.0
            total += (-value if turned else value) * degree
            found += 1
        return total / math.sqrt(total * total + _SOFT) if found else None


class CrowdParams(Section):
    """How the tones of texts become a sentiment."""

    half_life_ms: int = Field(6 * HOUR_MS, gt=0, description="time in which a text loses half of its weight")


class _Mood(NamedTuple):
    """Faded count of texts, of those with a tone, and their faded sum of tones, at `ts`."""

    ts: int
    texts: float
    heard: float
    total: float


class Crowd:
    """The sentiment of each symbol from the news so far. One neutral text is always among them."""

    def __init__(self, scorer: Scorer, params: CrowdParams | None = None) -> None:
        self.scorer, self.params = scorer, params or CrowdParams()
        self._moods: dict[str, _Mood] = {}

    def hear(self, item: NewsItem, symbols: Iterable[str], ts: int) -> list[Sentiment]:
        """Take in one text at `ts`; the sentiment it leaves of each symbol it is about.

        score = faded sum of tones / (1 + faded count of texts with a tone), confidence = that count over 1 + it.

        Raises: ValueError if the scorer gives a tone outside [-1, 1].
        """
        tone = self.scorer.tone(item)
        if tone is not None and not abs(tone) <= 1.0:
            raise ValueError(f"a tone must be in [-1, 1], got {tone} for {item.title[:80]!r}")
        return [self._hear(symbol, tone, ts) for symbol in symbols]

    def _hear(self, symbol: str, tone: float | None, ts: int) -> Sentiment:
        last, texts, heard, total = self._moods.get(symbol, _Mood(ts, 0.0, 0.0, 0.0))
        left = 2.0 ** -(max(0, ts - last) / self.params.half_life_ms)
        heard, total = heard * left + (tone is not None), total * left + (tone or 0.0)
        self._moods[symbol] = mood = _Mood(ts, texts * left + 1.0, heard, total)
        return Sentiment(symbol, ts, total / (1.0 + heard), mood.texts, heard / (1.0 + heard))


def concerned(item: NewsItem, instruments: Sequence[Instrument]) -> list[str]:
    """The symbols a text is about: those it names, else those its title names, else all.

    A name is a symbol or a base asset. A text that names assets of which none is traded here is about none of them.

    >>> eth = Instrument(symbol="ETH/USDT", base="ETH", quote="USDT")
    >>> concerned(NewsItem("x", "Ethereum rises", "", (), "", 0, 0), [eth])
    ['ETH/USDT']
    """
    named = {name.partition("/")[0].upper() for name in item.symbols}
    if not named:
        title = item.title[:_LONGEST]
        bases = {instrument.base for instrument in instruments}
        named = {_NAMES[word] for word in _WORD.findall(title.lower()) if word in _NAMES}
        named |= bases.intersection(_TICKER.findall(title))
    return [i.symbol for i in instruments if not named or i.base in named]
