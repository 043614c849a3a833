"""What one run leaves behind: curves, trades, verdicts, metrics and the manifest that lets anyone repeat it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec
import numpy as np

from seakeep.backtest.sharpeline import SharpeLine
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.orders import Fill, Order
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.execution.trips import RoundTrip
from seakeep.stats.performance import Estimate

__all__ = ["Costs", "Curves", "Result", "buy_and_hold", "costs", "curves", "digest"]


class Costs(msgspec.Struct, frozen=True):
    """What trading cost, in quote units, positive when paid: fees, spread and impact against the mid, funding."""

    fees: float
    slippage: float
    funding: float

    @property
    def total(self) -> float:
        """Everything paid."""
        return self.fees + self.slippage + self.funding


@dataclass(frozen=True, eq=False)
class Curves:
    """The account over time: `ts` (n,) UTC ms, `equity` (n,) quote units, `gross` (n,) and `exposure` (n, k) weights.

    Column j of `exposure` is the signed weight of equity in the j-th symbol.
    """

    ts: Int64
    equity: Float64
    gross: Float64
    exposure: Float64

    def __post_init__(self) -> None:
        rows = len(self.ts)
        for name in ("ts", "equity", "gross", "exposure"):
            column = getattr(self, name)
            if len(column) != rows:
                raise ValueError(f"{name} has {len(column)} rows, ts has {rows}")
            column.flags.writeable = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """One finished run.

    `benchmark` (n,) is buy-and-hold on the stamps of `curves`; `metrics` and `benchmark_metrics` hold the same names;
    `funding` is what was received over the run (negative: paid), quote units; `bars` feed the price charts;
    `judged` is the Sharpe ratio beside the search that led to it.
    """

    run_id: str
    strategy: str
    symbols: tuple[str, ...]
    interval: str
    quote: str
    initial_cash: float
    curves: Curves
    benchmark: Float64
    fills: tuple[Fill, ...]
    orders: tuple[Order, ...]
    decisions: tuple[Decision, ...]
    verdicts: tuple[RiskVerdict, ...]
    trips: tuple[RoundTrip, ...]
    bars: Mapping[str, BarFrame]
    metrics: Mapping[str, Estimate]
    benchmark_metrics: Mapping[str, Estimate]
    manifest: Mapping[str, object]
    funding: float = 0.0
    judged: SharpeLine | None = None

    def __post_init__(self) -> None:
        if not len(self.curves.ts):
            raise ValueError("a result needs at least one point of equity")
        if len(self.benchmark) != len(self.curves.ts):
            raise ValueError(f"benchmark has {len(self.benchmark)} rows, the curves have {len(self.curves.ts)}")
        self.benchmark.flags.writeable = False

    @property
    def costs(self) -> Costs:
        """What trading cost over the run."""
        return costs(self.fills, self.quote, self.funding)


def curves(snapshots: Sequence[RiskSnapshot], symbols: Sequence[str]) -> Curves:
    """The account over time from the risk snapshots, one row each; a symbol without a holding weighs 0."""
    column = {symbol: j for j, symbol in enumerate(symbols)}
    exposure = np.zeros((len(snapshots), len(symbols)))
    for i, snapshot in enumerate(snapshots):
        for symbol, weight in snapshot.exposure:
            exposure[i, column[symbol]] = weight
    return Curves(
        np.array([s.ts for s in snapshots], np.int64),
        np.array([s.equity for s in snapshots], np.float64),
        np.array([s.gross for s in snapshots], np.float64),
        exposure,
    )


def buy_and_hold(frames: Mapping[str, BarFrame], ts: Int64, cash: float) -> Float64:
    """Equity (n,) of buying every symbol for an equal share of `cash` at the first close known, and keeping it.

    It pays no costs. A share waits as cash until its symbol has a bar; after the last bar its last close stands.
    Raises: ValueError if there are no frames.
    """
    if not frames:
        raise ValueError("buy-and-hold needs at least one symbol")
    total = np.zeros(len(ts))
    for frame in frames.values():
        row = np.searchsorted(frame.known_at, ts, side="right") - 1
        growth = np.ones(len(ts))
        if (listed := row >= 0).any():
            growth[listed] = frame.close[row[listed]] / frame.close[row[listed][0]]
        total += growth * (cash / len(frames))
    return total


def costs(fills: Iterable[Fill], quote: str, funding: float = 0.0) -> Costs:
    """Fees, and what was paid against the mid, summed exactly; `funding` is what was received.

    Raises: ValueError if a fee is in an asset that is neither the quote nor the base of its symbol.
    """
    fees = slippage = Decimal(0)
    for fill in fills:
        fees += _fee_in_quote(fill, quote)
        slippage += (fill.price - fill.mid) * fill.qty * fill.side.sign
    return Costs(float(fees), float(slippage), -funding)


def _fee_in_quote(fill: Fill, quote: str) -> Decimal:
    if fill.fee_asset == quote:
        return fill.fee
    if fill.fee_asset == fill.symbol.partition("/")[0]:
        return fill.fee * fill.price
    raise ValueError(f"fill {fill.id}: a fee in {fill.fee_asset} has no price in {quote}")


def digest(fills: Iterable[Fill]) -> str:
    """SHA-256 of what was traded, without ids: equal trades give equal digests, whatever run, broker or order.

    Fills of one instant may come in any order; 1.50 and 1.5 are the same number.
    """
    lines = sorted((fill.ts, _canonical(fill)) for fill in fills)
    return hashlib.sha256("\n".join(line for _, line in lines).encode()).hexdigest()


def _canonical(fill: Fill) -> str:
    numbers = (_plain(x) for x in (fill.price, fill.qty, fill.fee))
    return "|".join((str(fill.ts), fill.symbol, fill.side, *numbers, fill.fee_asset, fill.liquidity))


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
