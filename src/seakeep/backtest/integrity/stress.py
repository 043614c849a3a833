"""What a flash crash, a liquidity crisis, correlation at one or an outage would have done to the run.

A shock strikes at moments drawn by seed among the bars at which the run held something (a liquidity crisis: at which it
traded), one rerun a moment, and is held against the run as it was. With so few moments the interval is their range; the
judgement is by the worst.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.integrity.shocks import Breakdown, Drought, FlashCrash, Outage
from seakeep.backtest.integrity.variation import Bars, Rerun, Variation
from seakeep.backtest.notation import stamp
from seakeep.backtest.result import Result
from seakeep.core.config import Section
from seakeep.core.errors import SeakeepError
from seakeep.core.market import Float64
from seakeep.core.orders import Liquidity
from seakeep.core.units import HOUR_MS
from seakeep.execution.costs import CostParams
from seakeep.stats.returns import max_drawdown

__all__ = ["Blow", "StressParams", "Strike", "moments", "planned", "stress_check", "strike", "strikes", "wider_spread"]


class StressParams(Section):
    """The shocks, how often each is tried, and what may be lost."""

    moments: int = Field(3, ge=1, le=1000, description="moments at which each shock strikes, one rerun each")
    crash: float = Field(0.30, gt=0, lt=1, description="fall of every price in the flash crash")
    crash_hours: float = Field(6.0, gt=0, description="hours in which the crash comes back")
    crash_lasting: float = Field(1 / 3, ge=0, le=1, description="share of the crash that stays")
    thinner: float = Field(10.0, ge=1, description="what volume is divided by in the liquidity crisis")
    spread: float = Field(10.0, ge=1, description="what the spread is multiplied with in the liquidity crisis")
    drought_hours: float = Field(24.0, gt=0, description="hours of the liquidity crisis")
    together_hours: float = Field(72.0, gt=0, description="hours with a correlation of one")
    outage_hours: float = Field(12.0, gt=0, description="hours without bars and fills")
    acceptable: float = Field(0.05, ge=0, lt=1, description="a loss of equity up to here passes")
    unbearable: float = Field(0.20, gt=0, le=1, description="a loss of equity from here on fails")


class Blow(msgspec.Struct, frozen=True):
    """One shock at one moment (UTC ms), and the rerun that makes it."""

    shock: str
    at: int
    variation: Variation


class Strike(msgspec.Struct, frozen=True):
    """One shock at one moment, as fractions of the equity the run had there without it.

    `loss` is what the end is worse by, `worst` the most it was behind at any time after the moment (both negative for
    a gain), `drawdown` the largest drawdown of the run with the shock, `deeper` how much that is above the one without.
    """

    shock: str
    at: int
    loss: float
    worst: float
    drawdown: float
    deeper: float


def moments(result: Result, count: int, seed: int, *, trading: bool = False) -> tuple[int, ...]:
    """Bar opens (UTC ms), ascending, at which the run held something, at most `count`, spread over the run by seed.

    One is drawn from each of `count` equal parts of the bars with a holding, or with a fill if `trading`; none if there
    never was one.
    """
    ts = result.curves.ts
    rows = np.flatnonzero(result.curves.gross[:-1] > 0)
    if trading:
        filled = np.array([fill.ts for fill in result.fills], np.int64)
        rows = np.unique(np.maximum(np.searchsorted(ts, filled, "right") - 1, 0))
    parts = [part for part in np.array_split(rows, count) if len(part)]
    rng = np.random.default_rng(seed)
    return tuple(int(ts[part[rng.integers(len(part))]]) for part in parts)


def strike(shock: str, at: int, base: Result, struck: Result, charge: Float64 | None = None) -> Strike:
    """Hold a run with a shock at `at` against the run without; `charge` (n,) is taken off its equity (quote units)."""
    then = int(np.searchsorted(base.curves.ts, at, "right")) - 1
    capital = float(base.curves.equity[max(then, 0)])
    after = base.curves.ts >= at
    equity = struck.curves.equity - (0.0 if charge is None else charge)
    rows = np.searchsorted(struck.curves.ts, base.curves.ts[after], "right") - 1
    behind = (base.curves.equity[after] - equity[np.maximum(rows, 0)]) / capital
    fall, before = max_drawdown(equity), max_drawdown(base.curves.equity)
    return Strike(shock, at, float(behind[-1]), float(behind.max()), fall, fall - before)


def wider_spread(struck: Result, at: int, hours: float, times: float, costs: CostParams) -> Float64:
    """What a spread `times` as wide for `hours` from `at` would have cost more, added up over time (n,), quote units.

    Charged to the fills that crossed the spread then; that less money trades smaller afterwards is left out.
    """
    extra = np.zeros(len(struck.curves.ts))
    for fill in struck.fills:
        if fill.liquidity is Liquidity.TAKER and at <= fill.ts < at + hours * HOUR_MS:
            row = min(int(np.searchsorted(struck.curves.ts, fill.ts)), len(extra) - 1)
            extra[row] += (times - 1) * costs.rates(fill.symbol).half_spread * float(fill.mid * fill.qty)
    return np.asarray(np.cumsum(extra))


def planned(result: Result, params: StressParams, seed: int) -> tuple[Blow, ...]:
    """Every shock at every moment, as the reruns it takes. Correlation needs two symbols."""
    held = moments(result, params.moments, seed)
    blows: list[tuple[str, int, Bars]] = [
        *(("flash crash", at, FlashCrash(at, params.crash, params.crash_hours, params.crash_lasting)) for at in held),
        *(
            ("liquidity crisis", at, Drought(at, params.drought_hours, params.thinner))
            for at in moments(result, params.moments, seed, trading=True)
        ),
        *(
            ("correlation breakdown", at, Breakdown(at, params.together_hours, _against(result, at)))
            for at in held
            if len(result.symbols) > 1
        ),
        *(("outage", at, Outage(at, params.outage_hours)) for at in held),
    ]
    return tuple(Blow(shock, at, Variation(bars=bars)) for shock, at, bars in blows)


def _against(result: Result, at: int) -> int:
    """The direction of a market move that hurts what the run held: -1 for a fall."""
    row = max(int(np.searchsorted(result.curves.ts, at, "right")) - 1, 0)
    return 1 if float(result.curves.exposure[row].sum()) < 0 else -1


def strikes(
    result: Result, rerun: Rerun, costs: CostParams, params: StressParams | None = None, *, seed: int = 0
) -> tuple[tuple[Strike, ...], tuple[str, ...]]:
    """What every planned blow does, and what could not be tried with the reason; `costs` are those of the run."""
    asked = params or StressParams()
    found: list[Strike] = []
    missing = [] if len(result.symbols) > 1 else ["correlation breakdown was not judged: it needs two symbols"]
    for blow in planned(result, asked, seed):
        try:
            struck = rerun(blow.variation)
        except SeakeepError as error:
            missing.append(f"{blow.shock} at {stamp(blow.at)} could not be run: {error}")
            continue
        thin = blow.shock == "liquidity crisis"
        charge = wider_spread(struck, blow.at, asked.drought_hours, asked.spread, costs) if thin else None
        found.append(strike(blow.shock, blow.at, result, struck, charge))
    return tuple(found), tuple(missing)


def stress_check(
    result: Result, rerun: Rerun, costs: CostParams, params: StressParams | None = None, *, seed: int = 0
) -> Check:
    """What shocks do to the run; judged by the largest loss behind the run without, at any time."""
    asked, name = params or StressParams(), "stress"
    if not moments(result, asked.moments, seed):
        return Check(name=name, status="not judged", reason="the run never held anything a shock could strike")
    found, missing = strikes(result, rerun, costs, asked, seed=seed)
    if not found:
        return Check(name=name, status="not judged", reason="; ".join(missing))
    return _judged(found, missing, asked)


def _judged(found: Sequence[Strike], missing: Sequence[str], asked: StressParams) -> Check:
    hardest = max(found, key=lambda one: one.worst)
    lost = hardest.worst
    status: Status = "fail" if lost >= asked.unbearable else "warn" if lost > asked.acceptable else "pass"
    reason = (
        f"the worst is a {hardest.shock} at {stamp(hardest.at)}: {max(lost, 0.0):.1%} of equity behind, "
        f"largest drawdown {hardest.drawdown:.1%} ({hardest.deeper:+.1%})"
    )
    shocks = tuple(dict.fromkeys(one.shock for one in found))
    figures: list[tuple[str, float | str]] = []
    rows = {shock: [one for one in found if one.shock == shock] for shock in shocks}
    for shock, struck in rows.items():
        for label, values in (("loss", [s.loss for s in struck]), ("drawdown", [s.drawdown for s in struck])):
            ends = f"{min(values):.2%} to {max(values):.2%}, {len(values)} moments"
            figures.append((f"{shock}: {label}", f"{float(np.mean(values)):.2%} ({ends})"))
    lines = (
        Series("most behind", tuple(max(s.worst for s in rows[shock]) for shock in shocks)),
        Series("largest drawdown", tuple(max(s.drawdown for s in rows[shock]) for shock in shocks)),
    )
    text = "; ".join([reason, *missing])
    return Check(name="stress", status=status, reason=text, figures=tuple(figures), plot=Plot("", shocks, lines))
