"""What a kernel run is told: the account, the venue, the gate, and the numbers that may differ from run to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.books import ACCOUNT, SYMBOL, VARIED
from seakeep.backtest.kernel.tape import History
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimParams
from seakeep.core.errors import ConfigError
from seakeep.core.market import Instrument, InstrumentKind
from seakeep.execution.costs import CostParams
from seakeep.execution.lots import as_step, as_wide
from seakeep.execution.matching import BEST, EXPECTED, WORST
from seakeep.execution.plan import HEADROOM
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams, stop_distance
from seakeep.strategy.decide import Thresholds

__all__ = ["KernelParams", "account_record", "symbol_records"]

_PATHS = {"worst": WORST, "expected": EXPECTED, "best": BEST}
_LARGEST_UNIT = 1e22
"""Money is counted in 1 / this or larger: beyond, powers of ten are not floats."""
_LONG_AGO = -(1 << 62)


@dataclass(frozen=True, kw_only=True)
class KernelParams:
    """Account, venue and gate of a kernel run; the parts and their meanings are those of the driver.

    `weight` is the share of equity that a stance of one unit takes. Of `limits` the static ones hold: largest
    position, gross, smallest resized target, open orders and gap between orders; the breaker and what needs a history
    of returns are the driver's. Nothing is decided before `trade_from` (UTC ms). `seed` draws the delays. `sparse`
    False visits every bar, which changes the time a run takes and nothing else.
    """

    instruments: Mapping[str, Instrument]
    cash: Decimal = Decimal(10_000)
    weight: float = 0.10
    thresholds: Thresholds = Thresholds()
    stops: StopParams = StopParams()
    limits: Limits = Limits.static()
    costs: CostParams = CostParams()
    latency: LatencyParams = LatencyParams(model="fixed", low_ms=250)
    sim: SimParams = SimParams()
    trade_from: int = 0
    seed: int = 0
    sparse: bool = True

    def __post_init__(self) -> None:
        if not (self.cash.is_finite() and self.cash > 0):
            raise ConfigError("cash must be positive", value=str(self.cash))
        if not 0 < self.weight < float("inf"):
            raise ConfigError("weight must be positive", value=self.weight, remedy="write a share of equity")

    def window(self, symbols: Sequence[str]) -> int:
        """Bars behind the impact; 0 if none of these symbols moves when we trade it."""
        return self.sim.window_bars if any(self.costs.rates(symbol).impact > 0 for symbol in symbols) else 0


def account_record(params: KernelParams, history: History) -> NDArray[Any]:
    """The account of one run (1,), told its terms and untouched; a sweep repeats it and varies some numbers.

    Raises: ConfigError if an instrument is missing, quotes differ, a step has too many digits, or the rules of the
    symbols together need money finer than a float's powers of ten.
    """
    instruments = [_instrument(params, symbol) for symbol in history.symbols]
    quotes = sorted({instrument.quote for instrument in instruments})
    if len(quotes) > 1:
        raise ConfigError("instruments must share one quote asset", value=quotes)
    unit = _unit(params, instruments)
    cash, spend, limits, sim = as_wide(params.cash * Decimal(unit)), as_step(1 - HEADROOM), params.limits, params.sim
    told = {
        "high": cash.high,
        "low": cash.low,
        "cash": float(params.cash),
        "unit": unit,
        "spend_num": spend.num,
        "spend_den": spend.den,
        "participation": sim.participation,
        "path": _PATHS[sim.path],
        "touch_fills": sim.touch_fills,
        "window": sim.window_bars,
        "funding_ms": sim.funding_interval_ms,
        "max_gross": limits.max_gross,
        "min_weight": limits.min_weight,
        "max_open": limits.max_open_orders,
        "gap_ms": limits.min_order_gap_ms,
        "trade_from": params.trade_from,
        "sparse": params.sparse,
        "bar_ms": history.bar_ms,
        **_protection(params.stops),
        **params.thresholds.model_dump(include=set(VARIED)),
        "weight": params.weight,
        "lends": any(instrument.kind is InstrumentKind.PERPETUAL for instrument in instruments),
    }
    return _filled(ACCOUNT, [told])


def _protection(stops: StopParams) -> dict[str, float]:
    """Distances of stop, target and trail. Raises: ConfigError for what moves with the market: the driver has it."""
    for name in ("atr_multiple", "adaptive", "activation", "ladder"):
        if getattr(stops, name):
            remedy = "use stop_loss, trailing and take_profit, or run it through the driver"
            raise ConfigError(f"the kernel knows no stops.{name}", value=getattr(stops, name), remedy=remedy)
    fixed = 0.0 if stops.trailing else stop_distance(stops) or 0.0
    return {"stop_loss": fixed, "trailing": stops.trailing, "take_profit": stops.take_profit}


def symbol_records(params: KernelParams, symbols: Sequence[str]) -> NDArray[Any]:
    """The symbols of a run (k,), with nothing held. Raises: ConfigError as `account_record` does."""
    instruments = [_instrument(params, symbol) for symbol in symbols]
    unit = _unit(params, instruments)
    return _filled(SYMBOL, [_told(instrument, params, unit) for instrument in instruments])


def _filled(kind: Any, rows: Sequence[Mapping[str, Any]]) -> NDArray[Any]:
    table = np.zeros(len(rows), kind)
    for record, told in zip(table, rows, strict=True):
        for name, value in told.items():
            record[name] = value
    return table


def _instrument(params: KernelParams, symbol: str) -> Instrument:
    if symbol not in params.instruments:
        raise ConfigError(f"no instrument for {symbol}", value=sorted(params.instruments), remedy="pass its rules")
    instrument = params.instruments[symbol]
    if (":" in symbol) != (instrument.kind is InstrumentKind.PERPETUAL) or instrument.symbol != symbol:
        remedy = "write a spot market as BTC/USDT and its perpetual as BTC/USDT:USDT"
        raise ConfigError(f"{symbol} does not name a {instrument.kind} instrument", remedy=remedy)
    return instrument


def _unit(params: KernelParams, instruments: Sequence[Instrument]) -> float:
    """Units of money in one of quote, so fine that cash, and value and fees of any fill, are whole numbers of them."""
    unit = as_step(params.cash).den
    for instrument in instruments:
        fees = max(as_step(instrument.taker_fee).den, as_step(instrument.maker_fee).den)
        unit = max(unit, as_step(instrument.lot).den * as_step(instrument.tick).den * fees)
    if unit > _LARGEST_UNIT:
        raise ConfigError("lot x tick x fee has more than 22 digits", value=f"{unit:g}", remedy="use a coarser lot")
    return unit


def _told(instrument: Instrument, params: KernelParams, unit: float) -> dict[str, Any]:
    steps = {
        "lot": instrument.lot,
        "tick": instrument.tick,
        "taker": instrument.taker_fee,
        "least": instrument.min_notional,
        "leverage": instrument.max_leverage,
        "maintenance": instrument.maintenance_margin,
    }
    fractions = {name: as_step(value) for name, value in steps.items()}
    maker, rates = as_step(instrument.maker_fee), params.costs.rates(instrument.symbol)
    value_units = unit / (fractions["lot"].den * fractions["tick"].den)
    return {
        **{f"{name}_num": step.num for name, step in fractions.items()},
        **{f"{name}_den": step.den for name, step in fractions.items()},
        "value_units": value_units,
        "taker_units": fractions["taker"].num * (value_units / fractions["taker"].den),
        "taker_rate": float(instrument.taker_fee),
        "maker_rate": float(instrument.maker_fee),
        "maker_units": maker.num * (value_units / maker.den),
        "half_spread": rates.half_spread,
        "impact": rates.impact,
        "max_weight": params.limits.max_weight,
        "spot": instrument.kind is InstrumentKind.SPOT,
        "funded": -1,
        "last_added": _LONG_AGO,
        "wish": -1,
    }
