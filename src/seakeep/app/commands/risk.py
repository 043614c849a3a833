"""The risk desk: risk report, montecarlo, ruin, stress, sizing, var-backtest, volatility."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from seakeep.app.console import JsonFlag, emit, progress

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.risk.desk import Desk
    from seakeep.app.risk.holdings import Holdings
    from seakeep.backtest.pages.riskfindings import Findings
    from seakeep.risk.limits import Limits

__all__ = ["montecarlo", "register", "report", "ruin", "sizing", "stress", "var_backtest", "volatility"]


class Scaling(StrEnum):
    """How a horizon of several bars follows from one."""

    SQRT = "sqrt"
    SIMULATED = "simulated"


class Resample(StrEnum):
    """History drawn again, instead of a level."""

    IID = "iid"
    BLOCK = "block"
    STATIONARY = "stationary"
    ANALOGUES = "analogues"


class Form(StrEnum):
    """Shape of the answer."""

    TABLES = "tables"
    SEED = "seed"


Portfolio = Annotated[Path | None, typer.Argument(help="TOML, JSON or CSV: symbols with quantities or weights, cash.")]
RunId = Annotated[str | None, typer.Option("--run", help="Instead: what a run of the ledger holds; `latest` is one.")]
Symbols = Annotated[str | None, typer.Option("--symbols", "-s", help="Instead: BTC/USDT,ETH/USDT")]
Weights = Annotated[str | None, typer.Option("--weights", help="Their signed shares of equity: 0.6,0.3")]
Equity = Annotated[float | None, typer.Option("--equity", help="What the account is worth, with --weights.")]
Candidate = Annotated[str | None, typer.Option("--candidate", help="An order, before and after: BTC/USDT:0.05")]
Interval = Annotated[str, typer.Option("--interval", "-i", help="Bar length: 1h, 1d.")]
TimeRange = Annotated[str | None, typer.Option("--timerange", help="History: 20200101-20240601, 20200101-.")]
Confidence = Annotated[float, typer.Option("--confidence", help="Of VaR and CVaR: 0.95, 0.99.")]
Days = Annotated[int, typer.Option("--horizon", min=1, max=3650, help="Days ahead.")]
Level = Annotated[int, typer.Option("--level", min=1, max=5, help="1 GBM, 2 regimes, 3 GARCH, 4 assets, 5 news.")]
Scenario = Annotated[str, typer.Option("--scenario", help="base, bull, bear, ranging, volatile or crash.")]
Paths = Annotated[int, typer.Option("--paths", min=8192, max=20_000_000, help="Monte Carlo paths.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
Market = Annotated[str | None, typer.Option("--market", help="What betas are to; BTC in the quote if left out.")]
Html = Annotated[Path | None, typer.Option("--html", help="Also write one page with the pictures.")]
FormOption = Annotated[Form, typer.Option("--format", help="tables, or the JSON shapes of seed 003.")]
UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="Another ledger, with --run.")]
_HOME = Path("user_data")


class Named(NamedTuple):
    """The three ways to name a book, of which one is used."""

    portfolio: Path | None
    run: str | None
    symbols: str | None
    weights: str | None
    equity: float | None


class Bars(NamedTuple):
    """The history it is measured on."""

    interval: str
    timerange: str | None
    candidate: str | None


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    family = typer.Typer(help="How much can this book lose, how sure is that, and what carries it.")
    family.command("report")(report)
    family.command("montecarlo")(montecarlo)
    family.command("ruin")(ruin)
    family.command("stress")(stress)
    family.command("sizing")(sizing)
    family.command("var-backtest")(var_backtest)
    family.command("volatility")(volatility)
    app.add_typer(family, name="risk", no_args_is_help=True)


def report(
    portfolio: Portfolio = None,
    run: RunId = None,
    symbols: Symbols = None,
    weights: Weights = None,
    equity: Equity = None,
    candidate: Candidate = None,
    interval: Interval = "1d",
    timerange: TimeRange = None,
    confidence: Confidence = 0.95,
    var_horizon: Annotated[float, typer.Option("--var-horizon", help="Days of the VaR table.")] = 1.0,
    scaling: Annotated[Scaling, typer.Option("--scaling", help="Of a VaR over several bars.")] = Scaling.SIMULATED,
    horizon: Days = 30,
    level: Level = 4,
    scenario: Scenario = "base",
    paths: Paths = 100_000,
    seed: Seed = 1,
    market: Market = None,
    html: Html = None,
    form: FormOption = Form.TABLES,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Everything about one book: VaR and CVaR by every method, who carries it, the court, simulation, ruin, stress."""
    from seakeep.app.risk.levels import Asked
    from seakeep.app.risk.report import PARTS, Whole, full_report, tail_report
    from seakeep.app.risk.seedform import portfolio_risk

    named = Named(portfolio, run, symbols, weights, equity)
    desk = _desk(named, Bars(interval, timerange, candidate), userdir, database_url)
    asked = Asked(level=level, scenario=scenario, days=horizon, paths=paths, seed=seed, confidence=confidence)
    whole = Whole(simulated=asked, limits=_limits(userdir), days=var_horizon, scaling=scaling.value, market=market)
    if form is Form.SEED:
        data = portfolio_risk(desk, tail_report(desk, whole))
        emit(data, lambda console: None, as_json=True)
        return
    with progress("measuring", PARTS) as advance:
        findings = full_report(desk, whole, advance)
    _answer(findings, html, as_json=as_json)


def montecarlo(
    portfolio: Portfolio = None,
    run: RunId = None,
    symbols: Symbols = None,
    weights: Weights = None,
    equity: Equity = None,
    candidate: Candidate = None,
    interval: Interval = "1d",
    timerange: TimeRange = None,
    confidence: Confidence = 0.95,
    horizon: Days = 30,
    level: Level = 4,
    resample: Annotated[Resample | None, typer.Option("--resample", help="Draw history again instead.")] = None,
    scenario: Scenario = "base",
    news: Annotated[
        Path | None, typer.Option("--news", help="Scored news for level 5: .parquet, .csv, .jsonl.")
    ] = None,
    paths: Paths = 100_000,
    seed: Seed = 1,
    html: Html = None,
    form: FormOption = Form.TABLES,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Simulate the book's future by a fitted level, or history drawn again; each figure with its Monte Carlo error."""
    from seakeep.app.headlines import read_news
    from seakeep.app.risk.levels import Asked, simulation
    from seakeep.app.risk.seedform import monte_carlo
    from seakeep.backtest.pages.riskfindings import Findings

    named = Named(portfolio, run, symbols, weights, equity)
    desk = _desk(named, Bars(interval, timerange, candidate), userdir, database_url)
    asked = Asked(
        level=level,
        resample=resample.value if resample else None,
        scenario=scenario,
        days=horizon,
        paths=paths,
        seed=seed,
        confidence=confidence,
        news=read_news(news) if news else None,
    )
    if form is Form.SEED:
        emit(monte_carlo(desk, asked), lambda console: None, as_json=True)
        return
    _answer(Findings(measured=desk.measured, simulation=simulation(desk, asked)), html, as_json=as_json)


def ruin(
    portfolio: Portfolio = None,
    run: RunId = None,
    symbols: Symbols = None,
    weights: Weights = None,
    equity: Equity = None,
    candidate: Candidate = None,
    interval: Interval = "1d",
    timerange: TimeRange = None,
    horizon: Days = 365,
    floor: Annotated[float, typer.Option("--floor", help="Share of today's equity below which it is over.")] = 0.5,
    paths: Paths = 100_000,
    seed: Seed = 1,
    html: Html = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Odds of losses and drawdowns by horizon, of survival by capital, and that the breaker trips; with intervals."""
    from seakeep.app.risk.work import ruin as odds
    from seakeep.backtest.pages.riskfindings import Findings

    named = Named(portfolio, run, symbols, weights, equity)
    desk = _desk(named, Bars(interval, timerange, candidate), userdir, database_url)
    found = odds(desk, horizon, paths, seed, _limits(userdir), floor)
    _answer(Findings(measured=desk.measured, ruin=found), html, as_json=as_json)


def stress(
    portfolio: Portfolio = None,
    run: RunId = None,
    symbols: Symbols = None,
    weights: Weights = None,
    equity: Equity = None,
    candidate: Candidate = None,
    timerange: TimeRange = None,
    market: Market = None,
    html: Html = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """What crashes, crises and outages take from the book, by position, before and after a candidate order."""
    from seakeep.app.risk.work import stresses
    from seakeep.backtest.pages.riskfindings import Findings

    named = Named(portfolio, run, symbols, weights, equity)
    desk = _desk(named, Bars("1d", timerange, candidate), userdir, database_url)
    _answer(Findings(measured=desk.measured, stresses=stresses(desk, market)), html, as_json=as_json)


def sizing(
    portfolio: Portfolio = None,
    run: RunId = None,
    symbols: Symbols = None,
    weights: Weights = None,
    equity: Equity = None,
    interval: Interval = "1d",
    timerange: TimeRange = None,
    fraction: Annotated[float, typer.Option("--fraction", help="Share of Kelly that is taken.")] = 0.25,
    target: Annotated[float, typer.Option("--target", help="Volatility a year that is wanted.")] = 0.20,
    drawdown: Annotated[float, typer.Option("--drawdown", help="Fall from the peak that must stay unlikely.")] = 0.20,
    probability: Annotated[float, typer.Option("--probability", help="How likely it may be.")] = 0.10,
    horizon: Days = 90,
    paths: Paths = 100_000,
    seed: Seed = 1,
    html: Html = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """How large the book may be: Kelly less its estimation error, bounded by drawdown, at a volatility; with errors."""
    from seakeep.app.risk.sizing import Sized, sizes
    from seakeep.backtest.pages.riskfindings import Findings

    asked = Sized(
        fraction=fraction,
        target=target,
        drawdown=drawdown,
        probability=probability,
        days=horizon,
        paths=paths,
        seed=seed,
    )
    named = Named(portfolio, run, symbols, weights, equity)
    desk = _desk(named, Bars(interval, timerange, None), userdir, database_url)
    found, missing = sizes(desk, asked)
    _answer(Findings(measured=desk.measured, sizing=found, missing=missing), html, as_json=as_json)


def var_backtest(
    portfolio: Portfolio = None,
    run: RunId = None,
    symbols: Symbols = None,
    weights: Weights = None,
    equity: Equity = None,
    interval: Interval = "1d",
    timerange: TimeRange = None,
    window: Annotated[int, typer.Option("--window", help="Bars a forecast may look back.")] = 500,
    refit: Annotated[int, typer.Option("--refit", help="Bars between refits.")] = 7,
    seed: Seed = 1,
    html: Html = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold court: every VaR model forecasts the history bar by bar and is judged at 95 % and 99 %; one is trusted."""
    from pydantic import ValidationError

    from seakeep.app.risk.work import court
    from seakeep.backtest.pages.riskfindings import Findings
    from seakeep.core.errors import ConfigError
    from seakeep.risk.court import CourtSettings

    try:
        rules = CourtSettings(window=window, refit=refit, seed=seed)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"--{first['loc'][0]}: {first['msg']}", value=first["input"]) from None
    named = Named(portfolio, run, symbols, weights, equity)
    desk = _desk(named, Bars(interval, timerange, None), userdir, database_url)
    _answer(Findings(measured=desk.measured, trial=court(desk, rules)), html, as_json=as_json)


def volatility(
    portfolio: Portfolio = None,
    run: RunId = None,
    symbols: Symbols = None,
    weights: Weights = None,
    equity: Equity = None,
    interval: Interval = "1d",
    timerange: TimeRange = None,
    horizon: Days = 30,
    html: Html = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """EWMA, GARCH, GJR and EGARCH of the book and of each asset: now, ahead and in the long run, with their errors."""
    from seakeep.app.risk.work import volatilities
    from seakeep.backtest.pages.riskfindings import Findings

    named = Named(portfolio, run, symbols, weights, equity)
    desk = _desk(named, Bars(interval, timerange, None), userdir, database_url)
    _answer(Findings(measured=desk.measured, volatility=volatilities(desk, desk.bars(horizon))), html, as_json=as_json)


def _desk(named: Named, bars: Bars, userdir: Path, database_url: str | None) -> "Desk":
    """The book on its history. Raises: ConfigError unless exactly one book is named."""
    from seakeep.app.risk.desk import History, open_desk

    history = History(userdir, bars.interval, bars.timerange, bars.candidate)
    return open_desk(_holdings(named, userdir, database_url), history)


def _holdings(named: Named, userdir: Path, database_url: str | None) -> "Holdings":
    from seakeep.app.risk.holdings import from_words, read_holdings
    from seakeep.core.errors import ConfigError

    ways = {"PORTFOLIO": named.portfolio, "--run": named.run, "--symbols": named.symbols}
    given = [way for way, value in ways.items() if value is not None]
    if len(given) != 1:
        remedy = "name a portfolio file, or a --run of the ledger, or --symbols with --weights"
        raise ConfigError("exactly one book is needed", value=" and ".join(given) or None, remedy=remedy)
    if named.symbols is None and (named.weights is not None or named.equity is not None):
        raise ConfigError(f"--weights and --equity go with --symbols, not with {given[0]}", remedy="leave them out")
    if named.portfolio is not None:
        return read_holdings(named.portfolio)
    if named.symbols is not None:
        return from_words(named.symbols, named.weights, named.equity)
    from seakeep.app.commands.ledger import chosen_run, open_ledger
    from seakeep.app.runbook import from_run

    with open_ledger(userdir, database_url) as ledger:
        return from_run(ledger, chosen_run(ledger, "" if named.run == "latest" else str(named.run)).run_id)


def _limits(userdir: Path) -> "Limits":
    """The limits of the user's own settings."""
    from seakeep.app.settings import config_path, load

    return load(config_path(userdir, None), os.environ, {}).settings.risk.limits


def _answer(findings: "Findings", html: Path | None, *, as_json: bool) -> None:
    """Print the findings, and write their page if that is asked."""
    from seakeep.backtest.pages.riskfindings import as_data

    data = as_data(findings)
    if html is not None:
        from seakeep.backtest.pages.riskpage import render

        data["page"] = str(_written(html, render(findings)))

    def show(console: "Console") -> None:
        from seakeep.backtest.pages.riskterminal import risk_tables

        console.print(*risk_tables(findings), sep="\n")
        if html is not None:
            console.print(f"[bold]page[/]  {html}", soft_wrap=True)

    emit(data, show, as_json=as_json)


def _written(path: Path, text: str) -> Path:
    from seakeep.core.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--html: cannot write {path}: {error.strerror}", remedy="name another file") from None
    return path
