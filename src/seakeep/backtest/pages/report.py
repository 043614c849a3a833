"""The tear sheet: one HTML page that needs no network, no server and no script to be read.

Everything that comes from outside (names, messages, settings) is escaped by the template engine, and the page's own
content policy forbids any script but the one it was written with.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cache

import msgspec
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seakeep.backtest import notation
from seakeep.backtest.integrity.band import Band
from seakeep.backtest.integrity.court import Integrity
from seakeep.backtest.pages import charts, sharpetable
from seakeep.backtest.pages.cautions import cautions
from seakeep.backtest.pages.figures import METRICS, Year, by_symbol, figures, interval, monthly
from seakeep.backtest.pages.integritypage import headline, rows, scope
from seakeep.backtest.pages.trail import funnel, judged, reasons
from seakeep.backtest.result import Result, digest
from seakeep.core.orders import Side
from seakeep.core.units import interval_ms
from seakeep.stats.performance import LEVEL
from seakeep.stats.returns import drawdown

__all__ = ["SHOWN_DECISIONS", "SHOWN_TRADES", "Card", "pages", "render"]

SHOWN_DECISIONS = 200
SHOWN_TRADES = 400
_LONG_TEXT = 300
_NOTHING = Markup("")


class Card(msgspec.Struct, frozen=True):
    """A headline figure; `tone` is good, bad or empty."""

    label: str
    value: str
    note: str
    tone: str = ""


@cache
def pages() -> Environment:
    """The template engine of every page: escapes what comes from outside, knows the notation as filters."""
    environment = Environment(
        loader=PackageLoader("seakeep.backtest.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("compact", "day", "duration", "money", "percent", "plain", "price", "stamp")
    environment.filters |= {name: getattr(notation, name) for name in names}
    return environment


def render(result: Result, court: Integrity | None = None, panel: Markup = _NOTHING) -> str:
    """The page as text (UTF-8); `court` is what the integrity court said, `panel` what the experts believed."""
    environment = pages()
    script = environment.get_template("report.js").render()
    return environment.get_template("report.html").render(
        result=result,
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        cards=_cards(result, court),
        court=court,
        panel_section=panel,
        court_scope=scope(court) if court else "",
        court_rows=rows(court) if court else [],
        court_headline=headline(court.band) if court and court.band else "",
        cautions=cautions(result),
        figures=figures(result),
        sharpe_rows=sharpetable.rows(result.judged) if result.judged else (),
        sharpe_says=sharpetable.says(result.judged) if result.judged else "",
        by_symbol=by_symbol(result),
        years=(years := _years(result)),
        months=[m for m in range(12) if any(year.months[m].text for year in years)],
        charts=_charts(result),
        prices=[_price(result, symbol) for symbol in result.symbols],
        shown_trades=list(reversed(result.trips[-SHOWN_TRADES:])),
        buy=Side.BUY,
        funnel=funnel(result),
        reasons=reasons(result.verdicts, result.orders),
        judged=judged(result, SHOWN_DECISIONS),
        digest=digest(result.fills),
        manifest=_sections(result.manifest),
        level=LEVEL,
    )


def _years(result: Result) -> list[Year]:
    account = result.curves
    return monthly(account.ts, account.equity, result.benchmark, result.initial_cash)


def _cards(result: Result, court: Integrity | None = None) -> list[Card]:
    final, first = float(result.curves.equity[-1]), result.initial_cash
    ours, held = final / first - 1, float(result.benchmark[-1]) / first - 1
    worst, worst_held = (float(drawdown(curve).max()) for curve in (result.curves.equity, result.benchmark))
    paid = result.costs
    return [
        *([_graded(court)] if court else []),
        Card("Final equity", notation.money(final), f"from {notation.money(first)} {result.quote}"),
        _return(ours, held, court.band if court else None),
        Card("Max drawdown", notation.percent(worst), f"buy-and-hold {notation.percent(worst_held)}"),
        _sharpe(result),
        Card("Round trips", f"{len(result.trips):,}", _record(result)),
        Card("Costs", notation.money(paid.total), f"{notation.percent(paid.total / first)} of initial cash"),
    ]


def _graded(court: Integrity) -> Card:
    letter = court.grade.letter
    tone = "good" if letter in "AB" else "bad" if letter in "DF" else ""
    return Card("Integrity" if court.whole else "Integrity, so far", letter, scope(court), tone)


def _return(ours: float, held: float, found: Band | None) -> Card:
    """The lower edge of the fill band where there is one: what fills may have given is no headline."""
    other = f"buy-and-hold {notation.percent(held, signed=True)}"
    if found is None:
        return Card("Return", notation.percent(ours, signed=True), other, _tone(ours))
    low, high = found.lower.total_return, found.upper.total_return
    middle = notation.percent(found.expected.total_return, signed=True)
    reach = f"expected {middle}, at most {notation.percent(high, signed=True)}; {other}"
    return Card("Return, at least", notation.percent(low, signed=True), reach, _tone(low))


def _tone(number: float) -> str:
    return "good" if number > 0 else "bad" if number < 0 else ""


def _sharpe(result: Result) -> Card:
    sharpe = result.metrics.get("sharpe")
    if sharpe is None:
        return Card("Sharpe", notation.UNKNOWN, "not estimated")
    return Card(
        "Sharpe",
        notation.plain(sharpe.value),
        interval(sharpe, METRICS["sharpe"].form) or "no interval: too few returns",
    )


def _record(result: Result) -> str:
    won = sum(trip.pnl > 0 for trip in result.trips)
    return f"{won:,} won, {len(result.trips) - won:,} lost" if result.trips else "none was closed"


def _charts(result: Result) -> Mapping[str, Markup]:
    account, paid = result.curves, result.costs
    net = float(account.equity[-1]) - result.initial_cash
    parts = [("Fees", paid.fees), ("Spread, impact", paid.slippage), ("Funding", paid.funding)]
    drawn = {
        "equity": charts.equity_chart(account.ts, account.equity, result.benchmark, drawdown(account.equity)),
        "exposure": charts.exposure_chart(account.ts, account.exposure, result.symbols),
        "costs": charts.costs_chart(net + paid.total, parts, result.quote),
    }
    if result.trips:
        drawn["pnl"] = charts.pnl_chart(np.array([t.pnl for t in result.trips], np.float64), result.quote)
    return drawn


class PricePanel(msgspec.Struct, frozen=True):
    """One symbol's chart (None: it had no bars), its round trips, and how many of them are marked."""

    symbol: str
    chart: Markup | None
    trips: int
    marked: int


def _price(result: Result, symbol: str) -> PricePanel:
    bars = result.bars.get(symbol)
    trips = [trip for trip in result.trips if trip.symbol == symbol]
    chart = None
    if bars is not None and len(bars):
        start, end = int(result.curves.ts[0]), int(result.curves.ts[-1])
        chart = charts.price_chart(bars, trips, start - interval_ms(bars.interval), end)
    return PricePanel(symbol, chart, len(trips), min(len(trips), charts.MARKED))


def _sections(manifest: Mapping[str, object]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The manifest as titled tables: its plain entries first, then one table for each mapping in it."""
    loose = [(key, _short(item)) for key, item in manifest.items() if not isinstance(item, Mapping)]
    nested = [(key, list(_flat(item))) for key, item in manifest.items() if isinstance(item, Mapping)]
    return [("run", loose), *((name, rows) for name, rows in nested if rows)]


def _flat(tree: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    for key, item in tree.items():
        name = f"{above}{key}"
        if isinstance(item, Mapping):
            yield from _flat(item, f"{name}.")
        else:
            yield name, _short(item)


def _short(item: object) -> str:
    text = ", ".join(map(str, item)) if isinstance(item, list | tuple) else str(item)
    return text if len(text) <= _LONG_TEXT else f"{text[:_LONG_TEXT]} ..."
