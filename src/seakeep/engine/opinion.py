"""From the newest features to opinions: forecasts, signals, blend, size; all symbols of a slice at once.

Experts are fitted on pooled rows of all symbols, so they predict on pooled rows too: one call a slice, not one a
symbol. A strategy is asked symbol by symbol. Who has no opinion is named, with the reason.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from seakeep.core.beliefs import FeatureFrame, Forecast, Signal
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64, InstrumentKind
from seakeep.core.units import iso
from seakeep.engine.outlook import Outlook
from seakeep.engine.pipeline import Pipeline
from seakeep.models import Expert
from seakeep.risk.sizing import full_weight, portfolio_weights
from seakeep.strategy import Strategy
from seakeep.strategy.alphas import Silence
from seakeep.strategy.costgate import expected_edge
from seakeep.strategy.decide import Blend, blend
from seakeep.strategy.paper import Paper, Seen
from seakeep.strategy.signals import from_alpha, from_forecast, from_score

__all__ = ["Opinion", "opine", "size_together"]

_SQRT2 = math.sqrt(2.0)


class Opinion(msgspec.Struct, frozen=True):
    """The blended view of one symbol, the weight of equity a full-conviction stance would take, and who answered.

    `silent` are those without an opinion of direction, each with the reason; `veto` the experts that forbid an entry;
    `expected` pairs of how loud an expert is and the log return it expects, where there is a cost gate; `move` mean and
    deviation of the log return a bar, where sizes are made together; `regime` what the market is called. Of a selector,
    `strategy` is the member it has chosen and `note` why.
    """

    view: Blend
    weight: float
    answered: tuple[tuple[str, bool], ...] = ()
    silent: tuple[tuple[str, str], ...] = ()
    veto: tuple[str, ...] = ()
    expected: tuple[tuple[float, float], ...] = ()
    move: tuple[float, float] | None = None
    regime: str = "unknown"
    strategy: str = ""
    note: str = ""

    @property
    def remark(self) -> str:
        """Why this strategy, and who was not heard for what reason."""
        if not self.silent:
            return self.note
        unheard = "not heard: " + ", ".join([f"{name} ({reason})" for name, reason in self.silent])
        return f"{self.note}; {unheard}" if self.note else unheard

    def edge(self, side: int) -> float | None:
        """Log return that the experts expect of holding that side; None where none expects anything."""
        return expected_edge(self.expected, side)


class _Desk(msgspec.Struct, frozen=True):
    """What the voices of a slice share: the table of each expert, the veto of each row, the outlook."""

    pipeline: Pipeline
    tables: dict[str, Float64]
    vetoes: dict[str, Sequence[bool]]
    outlook: Outlook | None


def opine(pipeline: Pipeline, frames: Sequence[FeatureFrame], outlook: Outlook | None = None) -> list[Opinion]:
    """One opinion for the last row of each symbol's frame, in order; each symbol's latest votes are noted."""
    if outlook is None and not pipeline.experts:
        return [_alone(pipeline, frame) for frame in frames]
    if not frames:
        return []
    wanted = pipeline.strategy.lookback
    pooled = _pooled(frames) if pipeline.vetoing else None
    desk = _Desk(
        pipeline,
        {name: _forecast(expert, frames, expert.lookback + wanted - 1) for name, expert in pipeline.experts.items()},
        {} if pooled is None else {name: e.veto(pooled).tolist() for name, e in pipeline.vetoing.items()},
        outlook,
    )
    if outlook is None:
        return [_opinion(desk, frame, rows)[0] for frame, rows in _parts(frames)]
    if outlook.paper is not None:
        _select(desk, outlook, outlook.paper, frames)
    said = [_opinion(desk, frame, rows) for frame, rows in _parts(frames)]
    outlook.vote({frame.symbol: signals for frame, (_, signals) in zip(frames, said, strict=True)})
    return [opinion for opinion, _ in said]


def _alone(pipeline: Pipeline, frame: FeatureFrame) -> Opinion:
    """The opinion of a strategy that nobody else speaks beside."""
    own = _own(pipeline, frame, {}, None)
    return Opinion(blend(() if own is None else (own,), pipeline.group_weights), _weight(pipeline, {}))


def _parts(frames: Sequence[FeatureFrame]) -> Iterator[tuple[FeatureFrame, slice]]:
    """Each frame with its rows among the pooled ones."""
    stop = 0
    for frame in frames:
        start, stop = stop, stop + len(frame)
        yield frame, slice(start, stop)


def _select(desk: _Desk, outlook: Outlook, paper: Paper, frames: Sequence[FeatureFrame]) -> None:
    """Let every member of the selector score every symbol, and follow them on paper."""
    seen = []
    for frame, rows in _parts(frames):
        instrument = desk.pipeline.instruments[frame.symbol]
        forecasts = {name: table[rows] for name, table in desk.tables.items()}
        scores = {name: score_of(name, part, frame, forecasts) for name, part in paper.members.items()}
        side = float(instrument.taker_fee) + desk.pipeline.costs.rates(frame.symbol).half_spread
        can_short, label = instrument.kind is InstrumentKind.PERPETUAL, outlook.label(frame.symbol)
        price = outlook.price(frame.symbol)
        seen.append(Seen(frame.symbol, price, label, outlook.wild(frame.symbol), side, can_short, scores))
    symbols = [frame.symbol for frame in frames]
    paper.follow(seen, outlook.moment(symbols, int(frames[0].ts[-1])))


def _forecast(expert: Expert, frames: Sequence[FeatureFrame], last: int) -> Float64:
    """Mean and deviation (rows of all frames, 2), asked of the `last` rows of each; the rows before are NaN."""
    if all(len(frame) <= last for frame in frames):
        return expert.predict(_pooled(frames))
    ends = [FeatureFrame(f.symbol, f.ts[-last:], f.names, f.values[-last:]) if len(f) > last else f for f in frames]
    asked, table, stop = expert.predict(_pooled(ends)), np.full((sum(map(len, frames)), 2), np.nan), 0
    read = 0
    for frame, end in zip(frames, ends, strict=True):
        stop, read = stop + len(frame), read + len(end)
        table[stop - len(end) : stop] = asked[read - len(end) : read]
    return table


def _pooled(frames: Sequence[FeatureFrame]) -> FeatureFrame:
    if len(frames) == 1:
        return frames[0]
    stamps, values = [f.ts for f in frames], [f.values for f in frames]
    return FeatureFrame("*", np.concatenate(stamps), frames[0].names, np.concatenate(values))


def _opinion(desk: _Desk, frame: FeatureFrame, rows: slice) -> tuple[Opinion, list[Signal]]:
    pipeline, outlook = desk.pipeline, desk.outlook
    forecasts = {name: table[rows] for name, table in desk.tables.items()}
    beliefs = _beliefs(pipeline, frame, forecasts)
    paper = None if outlook is None else outlook.paper
    own = _own(pipeline, frame, forecasts, paper)
    voices, silent = _voices(desk, frame, beliefs)
    signals = voices if own is None else [own, *voices]
    label = "unknown" if outlook is None else outlook.label(frame.symbol)
    weights = pipeline.weights_in(label)
    learnt = None if outlook is None or outlook.learner is None else outlook.learner.shares(label)
    opinion = Opinion(
        view=blend(signals, weights, learnt),
        weight=_weight(pipeline, beliefs),
        answered=tuple([(name, not math.isnan(belief.mean)) for name, belief in beliefs.items()]),
        silent=tuple(silent),
        veto=tuple([name for name, vetoed in desk.vetoes.items() if vetoed[rows.stop - 1]]),
        expected=_expected(pipeline, voices, beliefs, weights, learnt) if pipeline.cost_gate.mode != "off" else (),
        move=_move_a_bar(pipeline, beliefs) if pipeline.sizing.method == "kelly_portfolio" else None,
        regime=label,
        strategy="" if paper is None else paper.selection.active,
        note="" if paper is None else paper.selection.why,
    )
    return opinion, signals


def _beliefs(pipeline: Pipeline, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> dict[str, Forecast]:
    """What each expert forecasts, its probability calibrated where there is a calibration."""
    ts, beliefs = int(frame.ts[-1]), {}
    for name, table in forecasts.items():
        expert, calibration = pipeline.experts[name], pipeline.calibrations.get(name)
        mean, std = table[-1].tolist()
        if calibration is not None:
            up = calibration.prob_up(mean, std)
        else:
            up = 0.5 * math.erfc(-mean / (std * _SQRT2)) if std > 0 else math.nan
        horizon_ms = expert.horizon * pipeline.bar_ms
        beliefs[name] = Forecast(name, "1", frame.symbol, ts, horizon_ms, mean, std, up, expert.confidence)
    return beliefs


def _own(
    pipeline: Pipeline, frame: FeatureFrame, forecasts: Mapping[str, Float64], paper: Paper | None
) -> Signal | None:
    """The strategy's own signal, a selector's that of the member it has chosen; None when it abstains."""
    strategy, name = pipeline.strategy, pipeline.strategy_name
    score = score_of(name, strategy, frame, forecasts) if paper is None else paper.score(frame.symbol)
    return from_score(name, strategy.group, frame.symbol, frame.ts.item(-1), score, pipeline.bar_ms)


def _voices(
    desk: _Desk, frame: FeatureFrame, beliefs: Mapping[str, Forecast]
) -> tuple[list[Signal], list[tuple[str, str]]]:
    """The signals of experts and alphas, and who is silent for what reason."""
    pipeline, signals, silent = desk.pipeline, [], []
    for name, belief in beliefs.items():
        expert, reason = pipeline.experts[name], _reason(pipeline, belief)
        signal = None if reason else from_forecast(belief, expert.group, expert.scale)
        if signal is not None:
            signals.append(signal)
        elif expert.scale > 0:
            silent.append((name, reason or "it is not sure of anything"))
    if desk.outlook is not None and pipeline.alphas:
        scene = desk.outlook.scene(frame.symbol, int(frame.ts[-1]))
        for name, alpha in pipeline.alphas.items():
            said = from_alpha(name, alpha, scene)
            if isinstance(said, Silence):
                silent.append((name, said.reason))
            else:
                signals.append(said)
    return signals, silent


def _reason(pipeline: Pipeline, belief: Forecast) -> str:
    """Why a forecast is not heard; "" if it is."""
    if math.isnan(belief.mean):
        return "no forecast: an input is missing"
    calibration = pipeline.calibrations.get(belief.expert)
    if calibration is None:
        return ""
    if calibration.abstains(belief.mean, belief.std):
        return "its interval is too wide"
    return "" if (belief.prob_up - 0.5) * belief.mean > 0 else f"a rise has a chance of {belief.prob_up:.0%} after all"


def _expected(
    pipeline: Pipeline,
    voices: Sequence[Signal],
    beliefs: Mapping[str, Forecast],
    weights: Mapping[str, float],
    learnt: Mapping[str, float] | None,
) -> tuple[tuple[float, float], ...]:
    """How loud each expert is that is heard, and the log return it expects over its horizon."""
    found = []
    for signal in voices:
        belief = beliefs.get(signal.source)
        if belief is not None and weights.get(signal.group, 0.0) > 0:
            share = weights[signal.group] if learnt is None else learnt[signal.source]
            found.append((share * signal.confidence, _mean(pipeline, belief)))
    return tuple(found)


def _mean(pipeline: Pipeline, belief: Forecast) -> float:
    """The mean of a forecast; with a calibration the one at which a normal law rises with the calibrated chance."""
    if belief.expert not in pipeline.calibrations:
        return belief.mean
    from scipy.special import ndtri

    return belief.std * float(ndtri(belief.prob_up))


def score_of(name: str, strategy: Strategy, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> float:
    """A strategy's newest score. Raises: ConfigError if it fails, or leaves [-1, 1]."""
    try:
        score = float(strategy.score(frame, forecasts)[-1])
    except Exception as error:
        raise _at_fault(name, frame, f"failed: {type(error).__name__}: {error}") from error
    if abs(score) > 1.0:
        raise _at_fault(name, frame, f"scored {score:g}, outside [-1, 1]")
    return score


def _at_fault(name: str, frame: FeatureFrame, what: str) -> ConfigError:
    where = f"{frame.symbol} at {iso(int(frame.ts[-1]))}"
    return ConfigError(f"strategy {name}, {where}: {what}", remedy="correct its score")


def _weight(pipeline: Pipeline, beliefs: Mapping[str, Forecast]) -> float:
    """Size by the mean of the most confident expert and the deviation of the volatility expert, where there are any."""
    if not beliefs:
        return full_weight(math.nan, math.nan, 0.0, pipeline.sizing)
    mean, std, horizon_ms = _move(beliefs)
    return full_weight(mean, std, pipeline.bars_per_year * pipeline.bar_ms / horizon_ms, pipeline.sizing)


def _move(beliefs: Mapping[str, Forecast]) -> tuple[float, float, int]:
    """Mean of the log return by the most confident expert and its deviation by the volatility expert, at whose horizon
    both are; and that horizon in ms."""
    loudest = max(beliefs.values(), key=_confidence)
    widest = beliefs.get("volatility", loudest)
    return loudest.mean * (widest.horizon_ms / loudest.horizon_ms), widest.std, widest.horizon_ms


def _move_a_bar(pipeline: Pipeline, beliefs: Mapping[str, Forecast]) -> tuple[float, float] | None:
    if not beliefs:
        return None
    mean, std, horizon_ms = _move(beliefs)
    bars = horizon_ms / pipeline.bar_ms
    return mean / bars, std / math.sqrt(bars)


def _confidence(belief: Forecast) -> float:
    return belief.confidence


def size_together(
    pipeline: Pipeline, outlook: Outlook, symbols: Sequence[str], opinions: Sequence[Opinion], sides: Sequence[int]
) -> list[Opinion]:
    """The opinions with the weights that Kelly gives all markets that are wanted together, long or short.

    Correlations are those of the kept bars, shrunk. Where they are not known, or the deviations cannot be measured,
    every market gets its own Kelly weight over the number that is wanted: as if all were one.
    """
    wanted = [i for i, side in enumerate(sides) if side]
    if not wanted:
        return list(opinions)
    weights = _together(pipeline, outlook, [(symbols[i], opinions[i], sides[i]) for i in wanted])
    by_row = dict(zip(wanted, weights, strict=True))
    return [msgspec.structs.replace(o, weight=by_row[i]) if i in by_row else o for i, o in enumerate(opinions)]


def _together(pipeline: Pipeline, outlook: Outlook, asked: Sequence[tuple[str, Opinion, int]]) -> list[float]:
    from seakeep.stats.dependence import shrink

    table = outlook.together([symbol for symbol, _, _ in asked])
    moves = np.array([(math.nan, math.nan) if o.move is None else o.move for _, o, _ in asked])
    known = bool(np.isfinite(moves).all() and (moves[:, 1] > 0).all())
    least = max(30, len(asked) + 5)
    if not known or len(table) < least or not (table.std(axis=0) > 0).all():
        return [opinion.weight / len(asked) for _, opinion, _ in asked]
    side = np.array([side for _, _, side in asked], np.float64)
    signed = side * moves[:, 1]
    covariance = shrink(table).correlation * np.outer(signed, signed)
    drift = side * (moves[:, 0] + 0.5 * moves[:, 1] ** 2)
    return [float(w) for w in portfolio_weights(drift, covariance, len(table), pipeline.sizing)]
