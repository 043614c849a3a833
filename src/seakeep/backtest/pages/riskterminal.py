"""Findings for the terminal: a table or a few lines for each part there is."""

from collections.abc import Callable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seakeep.backtest.notation import UNKNOWN, day, money, percent, plain
from seakeep.backtest.pages.riskfindings import Findings, Measured, Simulation, SizingRule, Stresses, Trial, Volatility
from seakeep.montecarlo.summary import Figure
from seakeep.risk.ruin import Odds
from seakeep.stats.performance import Estimate
from seakeep.stats.recovery import Percentiles

__all__ = ["risk_tables"]


def risk_tables(findings: Findings) -> tuple[RenderableType, ...]:
    """What to print, top down: the book, the part for each question, and the cautions.

    Beside other parts the court is only summed up.
    """
    parts: list[RenderableType] = [_book(findings.measured)]
    if findings.trial:
        parts += _court(findings.trial) if not findings.tails else ()
        parts += _tomorrow(findings.trial)
    if findings.tails:
        parts.append(_tails(findings))
    if findings.components:
        parts += _components(findings)
    if findings.correlations:
        parts += [_correlations(findings), _leads(findings)]
    parts += [_volatility(found, findings.measured) for found in findings.volatility]
    if findings.simulation:
        parts += _simulation(findings.simulation)
    if findings.ruin:
        parts += _ruin(findings)
    if findings.stresses:
        parts += _stresses(findings.stresses)
    if findings.sizing:
        parts += _sizing(findings.sizing)
    return (*parts, *_cautions(findings))


def _grid(title: str, *columns: str, padding: int = 1) -> Table:
    table = Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, padding),
    )
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    return table


def _rows(table: Table, rows: Iterator[Sequence[str]]) -> Table:
    """Rows of plain text: brackets in a name are brackets, not markup."""
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _between(estimate: Estimate) -> str:
    return f"{percent(estimate.low)} to {percent(estimate.high)}"


def _figure(found: Figure | None, digits: int = 2) -> str:
    return UNKNOWN if found is None else f"{percent(found.value, digits)} ± {percent(found.error, digits)}"


def _book(measured: Measured) -> Text:
    worth = "equity not given" if measured.equity is None else f"equity {money(measured.equity)} {measured.quote}"
    held = ", ".join(f"{s} {percent(w, 1)}" for s, w in zip(measured.symbols, measured.weights, strict=True) if w)
    lines = [
        Text(f"{measured.source}: {worth}", "bold"),
        Text(f"{held}, cash {percent(measured.cash, 1)}"),
        Text(f"{len(measured.ts):,} {measured.interval} returns, {_span(measured)}"),
    ]
    if measured.order:
        lines.append(Text(f"candidate order: {measured.order.symbol} {percent(measured.order.weight, 1, signed=True)}"))
    return Text("\n").join(lines)


def _span(measured: Measured) -> str:
    return f"{day(int(measured.ts[0]))} to {day(int(measured.ts[-1]))}"


def _court(trial: Trial) -> Iterator[RenderableType]:
    ruling = trial.ruling
    table = _grid(
        f"The VaR court, {ruling.n:,} bars",
        "model",
        "level",
        "beyond",
        "due",
        "Kupiec",
        "indep.",
        "dur.",
        "DQ",
        "Z2",
        "VaR",
        padding=0,
    )
    tests = ("kupiec", "independence", "weibull_duration", "dynamic_quantile", "z2")
    ranked = [name for name, _ in ruling.reasons]
    judged = sorted(ruling.judgements, key=lambda j: (ranked.index(j.model), j.confidence))
    yield _rows(
        table,
        (
            (
                f"{j.model}{'' if j.model in ruling.demoted else ' *'}",
                percent(j.confidence, 0),
                str(j.failures),
                plain(j.expected, 1),
                *(plain(j.p_value(test), 3) for test in tests),
                percent(j.mean_var),
            )
            for j in judged
        ),
    )
    yield Text("* stands; the others were demoted:")
    for model, reason in ruling.reasons:
        if model in ruling.demoted:
            yield Text(f"  {model}: {reason.removeprefix('demoted; ')}")


def _tomorrow(trial: Trial) -> Iterator[RenderableType]:
    ruling = trial.ruling
    yield Text(f"the court: {ruling.reason}. Limits are to be taken times {ruling.limit_share:.2f}.")
    for confidence, (var, cvar) in zip(trial.confidences, trial.tomorrow, strict=True):
        yield Text(
            f"next bar by {ruling.trusted}, {percent(confidence, 0)}: VaR {percent(var.value)} ({_between(var)}), "
            f"CVaR {percent(cvar.value)} ({_between(cvar)})",
            "bold",
        )


def _tails(findings: Findings) -> Table:
    first = findings.tails[0]
    ahead = f"{first.horizon} x {findings.measured.interval}, {first.scaling}"
    title = f"VaR and CVaR, {percent(first.confidence, 1)}, {ahead}"
    table = _grid(title, "method", "VaR", "95% interval", "CVaR", "95% interval", "n")
    rows = (
        (t.method, percent(t.var.value), _between(t.var), percent(t.cvar.value), _between(t.cvar), f"{t.n:,}")
        for t in findings.tails
    )
    return _rows(table, rows)


def _components(findings: Findings) -> Iterator[RenderableType]:
    found, measured = findings.components, findings.measured
    if found is None:
        return
    title = f"Which position carries it, {found.method}, {percent(found.confidence, 1)}"
    table = _grid(title, "position", "weight", "VaR", "±", "CVaR", "±", "share", "alone")
    columns = (found.weights, found.var_component, found.var_error, found.cvar_component, found.cvar_error)
    total = found.cvar.value
    rows = [
        (s, percent(w, 1), percent(v), percent(ve), percent(c), percent(ce), percent(c / total, 1), percent(alone))
        for s, w, v, ve, c, ce, alone in zip(measured.symbols, *columns, found.standalone_var, strict=True)
        if w
    ]
    yield _rows(table, iter([*rows, ("book", "", percent(found.var.value), "", percent(total), "", "100.0%", "")]))
    change = findings.incremental
    if change is not None:
        yield Text(
            f"the order changes VaR by {percent(change.var.value, signed=True)} ({_between(change.var)}) and "
            f"CVaR by {percent(change.cvar.value, signed=True)} ({_between(change.cvar)})",
            "bold",
        )


def _correlations(findings: Findings) -> RenderableType:
    found = findings.correlations
    if found is None:
        return Text("")
    names = [symbol.partition("/")[0] for symbol in found.symbols]
    table = _grid(found.method, "", *names)
    return _rows(table, ([name, *(plain(x) for x in row)] for name, row in zip(names, found.matrix, strict=True)))


def _leads(findings: Findings) -> Text:
    said = [
        f"{lead.leader} leads {lead.second if lead.leader == lead.first else lead.first} by {abs(lead.lag)} bars: "
        f"correlation {plain(lead.value)} ± {plain(lead.error)}, p {plain(lead.p_value, 3)}"
        for lead in findings.leads
        if lead.leader
    ]
    return Text("\n".join(said) or "no asset leads another: no lag stands out among all pairs")


def _sizing(rules: Sequence[SizingRule]) -> Iterator[RenderableType]:
    table = _grid("How large it may be", "rule", "x today", "95% interval", "gross", "n")
    for rule in rules:
        gross = sum(abs(position.weight.value) for position in rule.positions)
        share = rule.share
        ends = ("", "") if share is None else (plain(share.value), f"{plain(share.low)} to {plain(share.high)}")
        table.add_row(Text(rule.rule), *ends, percent(gross, 1), f"{rule.positions[0].weight.n:,}")
    yield table
    parts = _grid("Positions, of equity", "position", *(rule.rule for rule in rules))
    for i, position in enumerate(rules[0].positions):
        weights = [rule.positions[i].weight for rule in rules]
        cells = (f"{percent(w.value, 1)}\n{percent(w.low, 0)} to {percent(w.high, 0)}" for w in weights)
        parts.add_row(Text(position.symbol), *cells)
    yield parts
    yield from (Text(f"{rule.rule}: {rule.says}") for rule in rules)


def _volatility(found: Volatility, measured: Measured) -> Table:
    ahead = next((m.ahead.bars for m in found.models if m.ahead), 1)
    title = f"Volatility a year, {found.name}, {found.n:,} {measured.interval} returns; * has the best AIC"
    table = _grid(title, "model", "next bar", f"next {ahead}", "long run", "persists", "half-life", "nu")
    forms: tuple[Callable[[float], str], ...] = (
        lambda x: percent(x, 1) if x < float("inf") else "none",
        lambda x: plain(x, 4),
        lambda x: plain(x, 1),
        lambda x: plain(x, 1),
    )
    for model in found.models:
        if model.now is None or model.ahead is None:
            table.add_row(Text(model.model), Text(model.failed))
            continue
        numbers = (model.long_run, model.persistence, model.half_life, model.nu)
        rest = ["" if x is None else form(x) for x, form in zip(numbers, forms, strict=True)]
        levels = [f"{percent(x.value, 1)} ± {percent(x.error, 1)}" for x in (model.now, model.ahead)]
        table.add_row(Text(f"{model.model}{' *' if model.model == found.best else ''}"), *levels, *rest)
    return table


def _simulation(found: Simulation) -> Iterator[RenderableType]:
    runs = [found.summary, *([found.after] if found.after else [])]
    title = f"{found.days:g} days, {found.summary.n:,} paths, seed {found.summary.seed}"
    table = _grid(f"{title}: {found.level}", "", "the book", *(["with the order"] if found.after else []))
    lines: list[tuple[str, list[str]]] = [("expected gain", [_gain(s.expected) for s in runs])]
    for i, (p, _) in enumerate(found.summary.percentiles):
        lines.append((f"percentile {p}", [_gain(s.percentiles[i][1]) for s in runs]))
    for i, (level, _) in enumerate(found.summary.var):
        lines.append((f"VaR {percent(level, 1)}", [_figure(s.var[i][1]) for s in runs]))
        lines.append((f"CVaR {percent(level, 1)}", [_figure(s.cvar[i][1]) for s in runs]))
    lines.append(("probability of profit", [_figure(s.profit) for s in runs]))
    for i, (stop, _) in enumerate(found.summary.touch):
        lines.append((f"probability of touching -{percent(1 - stop, 0)}", [_figure(s.touch[i][1]) for s in runs]))
    for i, (p, _) in enumerate(found.summary.drawdown):
        lines.append((f"largest drawdown, percentile {p}", [_figure(s.drawdown[i][1]) for s in runs]))
    lines.append(("not back at its peak in time", [_figure(s.not_recovered) for s in runs]))
    yield _rows(table, ((name, *cells) for name, cells in lines))
    check = found.summary.convergence
    verdict = "converged" if check.converged else f"not converged, take {check.paths_needed:,} paths"
    yield Text(f"± is the Monte Carlo error; worst {percent(check.error, 3)} ({check.worst}): {verdict}")
    yield from (Text(note) for note in found.notes)


def _gain(found: Figure) -> str:
    return f"{percent(found.value - 1, signed=True)} ± {percent(found.error)}"


def _ruin(findings: Findings) -> Iterator[RenderableType]:
    found = findings.ruin
    if found is None:
        return
    for title, odds, after in (
        ("Probability of a loss from today", found.ruin.loss, found.after.loss if found.after else None),
        ("Probability of a drawdown", found.ruin.drawdown, found.after.drawdown if found.after else None),
        ("Probability of a drawdown, by the law of a Brownian motion", found.closed, None),
    ):
        yield _odds(title, odds, after, found.per_day)
    yield _depths("Largest drawdown by horizon, percentiles", found.ruin.max_drawdown, found.ruin.loss, found.per_day)
    trips = found.breaker
    pairs = (("daily loss", trips.daily_loss), ("drawdown", trips.drawdown), ("either", trips.either))
    said = ", ".join(f"{name} {percent(p.value, 1)} ({percent(p.low, 1)} to {percent(p.high, 1)})" for name, p in pairs)
    yield Text(f"the breaker trips within {trips.horizon} days: {said}", "bold")
    curves, unit = found.survivors.curves, findings.measured.quote if findings.measured.equity else "x today's equity"
    days = f"{curves.periods[-1] / found.per_day:g} days"
    table = _grid(f"Survival above {money(found.survivors.floor)} {unit}", "capital", days, "95% interval")
    ends = zip(curves.capitals, curves.value[:, -1], curves.low[:, -1], curves.high[:, -1], strict=True)
    rows = ((money(c), percent(v, 1), f"{percent(low, 1)} to {percent(high, 1)}") for c, v, low, high in ends)
    yield _rows(table, rows)


def _odds(title: str, odds: Odds, after: Odds | None, per_day: int) -> Table:
    table = _grid(title, "within", *(f"{percent(level, 0)} or more" for level in odds.levels))
    for i, horizon in enumerate(odds.horizons):
        cells = [
            f"{percent(v, 1)}\n{percent(low, 1)} to {percent(high, 1)}"
            for v, low, high in zip(odds.value[i], odds.low[i], odds.high[i], strict=True)
        ]
        table.add_row(f"{horizon / per_day:g} days", *cells)
        if after is not None:
            table.add_row("with order", *(percent(v, 1) for v in after.value[i]))
    return table


def _depths(title: str, found: Sequence[Percentiles], odds: Odds, per_day: int) -> Table:
    table = _grid(title, "within", *(f"{p:g}%" for p in found[0].percentiles))
    for horizon, row in zip(odds.horizons, found, strict=True):
        table.add_row(f"{horizon / per_day:g} days", *(percent(v, 1) for v in row.value))
    return table


def _stresses(found: Stresses) -> Iterator[RenderableType]:
    extra = ["with the order"] if found.after else []
    table = _grid(f"Stress: loss of equity, betas to {found.market}", "stress", "loss", "95% interval", *extra)
    for i, row in enumerate(found.losses):
        after = [percent(found.after[i].loss)] if found.after else []
        table.add_row(row.stress, percent(row.loss), f"{percent(row.low)} to {percent(row.high)}", *after)
    yield table
    names = [row.stress.replace("_", "\n", 1) for row in found.losses]
    parts = _grid("By position, of equity", "position", *names)
    for i, position in enumerate(found.losses[0].positions):
        shares = (percent(row.positions[i].loss / row.equity) for row in found.losses)
        parts.add_row(Text(position.symbol), *shares)
    parts.add_row("cash", *(percent(row.cash_loss / row.equity) for row in found.losses))
    yield parts
    again = _grid("Crises over again, today's quantities", "crisis", "loss", "worst within a bar", *extra, "covered")
    for i, past in enumerate(found.replays):
        cells = [UNKNOWN if x is None else percent(x) for x in (past.loss, past.worst)]
        if found.replays_after:
            later = found.replays_after[i].loss
            cells.append(UNKNOWN if later is None else percent(later))
        again.add_row(past.crisis, *cells, percent(past.covered, 0))
    yield again
    for past in found.replays:
        for symbol, why in past.uncovered:
            yield Text(f"  {past.crisis} does not cover {symbol}: {why}")


def _cautions(findings: Findings) -> Iterator[Text]:
    said = [*findings.measured.cautions]
    said += [f"{name} is missing: {why}" for name, why in findings.missing]
    said += [f"{method} was not estimated: {why}" for method, why in findings.refused]
    said += [f"{tail.method}: {warning}" for tail in findings.tails for warning in tail.warnings]
    for part in (findings.components, findings.ruin and findings.ruin.ruin.loss):
        said += list(part.warnings) if part else []
    said += findings.simulation.summary.warnings if findings.simulation else ()
    said += [f"{rule.rule}: {warning}" for rule in findings.sizing for warning in rule.warnings]
    yield from (Text(f"! {line}", "yellow") for line in dict.fromkeys(said))
