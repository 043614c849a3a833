"""`threshold`: a threshold strategy on the probability that the price rises, over lists of parameters."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import JsonFlag, emit

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.search.thresholds import Opinions, Study

__all__ = ["register"]

_HOME = Path("user_data")
UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data and results.")]
Symbol = Annotated[str, typer.Option("--symbol", "-s", help="One symbol of list-data.")]
Interval = Annotated[str, typer.Option("--interval", "-i", help="Bar length.")]
File = Annotated[Path | None, typer.Option("--probabilities", help="CSV with the columns ts (bar open, ms), prob_up.")]
ExpertName = Annotated[str | None, typer.Option("--expert", help="An expert of list-experts, instead of a file.")]
Numbers = Annotated[str, typer.Option(help="One or more, separated by commas.")]


def register(app: typer.Typer) -> None:
    """Add the command of this family."""
    app.command("threshold")(threshold)


def threshold(
    symbol: Symbol = "BTC/USDT",
    interval: Interval = "1h",
    userdir: UserDir = _HOME,
    probabilities: File = None,
    expert: ExpertName = None,
    train: Annotated[str, typer.Option(help="How much history an expert is fitted on.")] = "180d",
    thresholds: Numbers = "0.04,0.06,0.08,0.1,0.12,0.16",
    leverages: Numbers = "7",
    order_sizes: Numbers = "0.1",
    pyramid_maxes: Numbers = "1",
    target: Annotated[float, typer.Option(help="Distance from the entry that ends a position.")] = 0.01,
    liquidation_bump: Annotated[float, typer.Option(help="Share of the margin left at which it is closed.")] = 0.004,
    fee: Annotated[float, typer.Option(help="Fee a side, as a fraction.")] = 0.0005,
    horizon: Annotated[int, typer.Option(min=1, max=10_000, help="Bars an opinion has to come true.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the expert.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Trade on probabilities beyond a threshold, for every combination of the lists, and judge them by certainty."""
    from dataclasses import asdict

    from seakeep.app.places import configured_store
    from seakeep.app.search.thresholds import from_expert, from_file, study
    from seakeep.backtest.pages.thresholdpage import figures
    from seakeep.backtest.threshold import ThresholdParams, changed, combinations
    from seakeep.core.errors import ConfigError

    if (probabilities is None) == (expert is None):
        raise ConfigError("name either --probabilities FILE or --expert NAME", value=expert)
    base = changed(ThresholdParams(), {"target": target, "liquidation_bump": liquidation_bump, "fee": fee})
    lists = (_numbers("--thresholds", thresholds), _numbers("--leverages", leverages))
    sizes, most = _numbers("--order-sizes", order_sizes), _numbers("--pyramid-maxes", pyramid_maxes)
    sets = combinations(base, *lists, sizes, [int(value) for value in most])
    bars = configured_store(userdir).read(symbol, interval)
    opinions = from_file(bars, probabilities) if probabilities else from_expert(bars, expert or "", train, seed)
    done = study(opinions, sets, horizon, userdir)
    rows = [asdict(figures(run)) for run in done.runs]
    emit(
        {
            "source": opinions.source,
            "runs": rows,
            "new_trials": done.counted,
            "accuracy": done.certainty.both,
            "report": str(done.page),
        },
        lambda console: _show(console, opinions, done),
        as_json=as_json,
    )


def _numbers(option: str, text: str) -> list[float]:
    from seakeep.core.errors import ConfigError

    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(f"{option} must be numbers", value=text, remedy="0.04,0.08,0.12") from None


def _show(console: "Console", opinions: "Opinions", done: "Study") -> None:
    from rich.table import Table

    from seakeep.backtest.notation import percent, plain
    from seakeep.backtest.pages.thresholdpage import figures

    bars = opinions.bars
    console.print(f"[bold]{bars.symbol}[/], {len(bars):,} {bars.interval} bars, {opinions.source}", soft_wrap=True)
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("parameters", "gain", "drawdown", "trades", "won", "liquidated", "profit factor"):
        table.add_column(name, justify="left" if name == "parameters" else "right")
    for run in done.runs:
        row = figures(run)
        numbers = (percent(row.gain, 1, signed=True), percent(row.max_drawdown, 1), str(row.trades))
        table.add_row(row.name, *numbers, percent(row.win_rate, 1), str(row.liquidated), plain(row.profit_factor))
    console.print(table)
    told = done.certainty.both[0]
    between = f"{percent(told.low, 1)} to {percent(told.high, 1)}"
    console.print(f"opinions right {percent(told.accuracy, 1)} of {told.n:,} (95 % interval {between})")
    console.print(f"{done.counted} of {len(done.runs)} runs are new to the trial ledger (seakeep trials)")
    console.print(f"[bold]report[/]  {done.page}", soft_wrap=True)
