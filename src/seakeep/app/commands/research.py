"""What keeps a researcher honest: `walk-forward`, `trials`, `controls`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seakeep.app.sections import Settings
    from seakeep.backtest.search.walkforward import Param

__all__ = ["controls", "parse_grid", "register", "trials", "walk_forward"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
Symbols = Annotated[str | None, typer.Option("--symbols", "-s", help="BTC/USDT,ETH/USDT")]
StrategyName = Annotated[str | None, typer.Option("--strategy", help="A strategy of list-strategies.")]
TimeRange = Annotated[str | None, typer.Option("--timerange", help="20240101-20240601, 20240101- or -20240601.")]
_HOME = Path("user_data")
_MAX_VALUES = 10_000


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("walk-forward")(walk_forward)
    app.command("trials")(trials)
    app.command("controls")(controls)


def walk_forward(
    more: Annotated[list[str] | None, typer.Argument(help="More parameters of the grid: slow=100:300:50")] = None,
    grid: Annotated[list[str] | None, typer.Option("--grid", help="fast=10:50:10, or fast=10,20,40")] = None,
    strategy: StrategyName = None,
    symbols: Symbols = None,
    interval: Annotated[str | None, typer.Option("--interval", "-i", help="Bar length: 1m, 5m, 1h, 1d.")] = None,
    timerange: TimeRange = None,
    train: Annotated[str, typer.Option("--train", help="What parameters are chosen on, in days: 182d.")] = "182d",
    test: Annotated[str, typer.Option("--test", help="What they are then judged on: 30d.")] = "30d",
    anchored: Annotated[bool, typer.Option("--anchored", help="Choose on everything so far, not the last.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes.")] = 1,
    userdir: UserDir = _HOME,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="TOML settings.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Choose parameters on the past, judge them on what follows, window by window."""
    from seakeep.app.search.studies import study
    from seakeep.backtest.pages import researchterminal as view
    from seakeep.backtest.search.folds import WalkForward
    from seakeep.core.units import interval_ms

    settings = _settings(userdir, config, (symbols, interval, strategy, timerange))
    values = parse_grid([*(grid or []), *(more or [])])
    scheme = WalkForward(train_ms=interval_ms(train), test_ms=interval_ms(test), anchored=anchored)
    with progress("walk-forward, runs", None) as advance:
        judged = study(settings, userdir, values, scheme, workers, advance)
    parts = (judged.study, judged.line, settings.run.interval)
    data = view.study_data(*parts) | {"new_trials": judged.counted}
    emit(data, lambda out: out.print(*view.study_view(*parts), sep="\n"), as_json=as_json)


def trials(
    strategy: StrategyName = None,
    symbols: Symbols = None,
    timerange: TimeRange = None,
    last: Annotated[int, typer.Option("--last", min=0, max=100_000, help="How many of the newest to list.")] = 20,
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """How much was tried: every evaluation so far, and the Sharpe ratio that luck alone would show by now."""
    from seakeep.app.search.studies import trial_ledger
    from seakeep.backtest.pages import researchterminal as view
    from seakeep.backtest.trials import Scope, as_search
    from seakeep.core.units import parse_timerange

    _must_exist(userdir)
    start, stop = parse_timerange(timerange) if timerange else (None, None)
    named = tuple(part.strip() for part in symbols.split(",")) if symbols else ()
    found = trial_ledger(userdir).trials(Scope(symbols=named, start=start, stop=stop, strategy=strategy or ""))
    search = as_search(found)
    shown = found[len(found) - min(last, len(found)) :]
    data = {
        "trials": len(found),
        "effective_trials": search.effective if found else 0,
        "variance": search.variance,
        "best_of_luck": search.best_of_luck,
        "listed": [view.trials_data(trial) for trial in shown],
    }
    emit(data, lambda out: out.print(*view.trials_view(data, shown), sep="\n"), as_json=as_json)


def controls(
    quick: Annotated[bool, typer.Option("--quick", help="Few of each: seconds instead of minutes.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of everything random.")] = 1,
    write: Annotated[Path | None, typer.Option("--write", help="Write the record as a page, Markdown.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge the court: how often it falls for noise, finds a planted edge, and finds a planted leak."""
    from seakeep.backtest.controls.rates import QUICK, ControlParams, run_controls, steps
    from seakeep.backtest.pages import researchterminal as view
    from seakeep.backtest.pages.controlspage import markdown

    params = (QUICK if quick else ControlParams()).model_copy(update={"seed": seed})
    with progress("controls", steps(params)) as advance:
        found = run_controls(params, advance)
    if write is not None:
        again = f"seakeep controls{' --quick' if quick else ''} --seed {seed} --write {write.name}"
        write.write_text(markdown(found, params, again), encoding="utf-8")
    emit(view.controls_data(found), lambda out: out.print(*view.controls_view(found), sep="\n"), as_json=as_json)
    if not found.holds:
        note("error: the court does not do what it says; see the rates that fail")
        raise typer.Exit(Exit.INTEGRITY)


def parse_grid(texts: "Sequence[str]") -> "dict[str, tuple[Param, ...]]":
    """Values by parameter of "fast=10:50:10" (both ends included) or "fast=10,20,40".

    >>> parse_grid(["fast=10:30:10 full=2.5,4"])
    {'fast': (10, 20, 30), 'full': (2.5, 4)}

    Raises: ConfigError naming the text and what is wrong with it.
    """
    from seakeep.core.errors import ConfigError

    grid: dict[str, tuple[Param, ...]] = {}
    for text in (part for given in texts for part in given.split()):
        name, equals, values = text.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError("not a parameter of a grid", value=text, remedy="write fast=10:50:10 or fast=10,20,40")
        if name in grid:
            raise ConfigError("a parameter is in the grid twice", value=name)
        grid[name] = _stepped(text, values) if ":" in values else tuple(_value(v) for v in values.split(",") if v)
    return grid


def _stepped(text: str, values: str) -> "tuple[Param, ...]":
    """Values of start:stop:step, both ends included, exact in decimals."""
    from decimal import Decimal, InvalidOperation

    from seakeep.core.errors import ConfigError

    try:
        start, stop, step = (Decimal(part) for part in values.split(":"))
        count = int((stop - start) / step) + 1 if step > 0 and stop >= start else 0
    except (InvalidOperation, ValueError, OverflowError):
        raise ConfigError("not a range", value=text, remedy="write start:stop:step, such as fast=10:50:10") from None
    if not 1 <= count <= _MAX_VALUES:
        remedy = f"a range goes up by a positive step, {_MAX_VALUES:,} values at most"
        raise ConfigError("the range is empty or too long", value=text, remedy=remedy)
    return tuple(_value(str(start + i * step)) for i in range(count))


def _value(text: str) -> "Param":
    """A value as what it looks like: true or false, a whole number, a number, else a word."""
    from seakeep.core.errors import ConfigError

    if text in ("true", "false"):
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        return text
    if number - number != 0:
        raise ConfigError("a parameter must be a finite number", value=text)
    return int(text) if text.lstrip("+-").isdigit() else number


def _must_exist(userdir: Path) -> None:
    from seakeep.core.errors import ConfigError

    if not userdir.exists():
        remedy = "make one with: seakeep init, or name another --userdir"
        raise ConfigError("there is no such user folder", value=str(userdir), remedy=remedy)


def _settings(userdir: Path, config: Path | None, options: tuple[str | None, ...]) -> "Settings":
    from seakeep.app.settings import config_path, load

    _must_exist(userdir)
    keys = ("run.symbols", "run.interval", "strategy.name", "run.timerange")
    loaded = load(config_path(userdir, config), os.environ, dict(zip(keys, options, strict=True)))
    for notice in loaded.notices:
        note(notice)
    return loaded.settings
