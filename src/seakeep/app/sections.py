"""The sections of the settings: what there is to set, its bounds and its defaults.

Sections of other packages are theirs and only gathered here.
"""

import re
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_serializer, field_validator

from seakeep.app.telemetry import mask
from seakeep.app.web.settings import WebSettings
from seakeep.backtest.integrity.court import IntegrityParams
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimParams
from seakeep.core.config import Section
from seakeep.core.errors import ConfigError
from seakeep.core.units import interval_ms, parse_timerange
from seakeep.execution.costs import CostParams
from seakeep.models.neural import DeepParams
from seakeep.models.sentiment import CrowdParams
from seakeep.models.training import TrainingParams
from seakeep.risk.limits import Limits
from seakeep.risk.overlay import OverlayParams
from seakeep.risk.ratchet import RatchetParams
from seakeep.risk.rules.budget import RuleBudget
from seakeep.risk.sizing import Sizing
from seakeep.risk.stops import StopParams
from seakeep.strategy.allocation import RegimeLimits
from seakeep.strategy.costgate import CostGate
from seakeep.strategy.decide import Thresholds, Weights
from seakeep.strategy.learning import Weighting

__all__ = ["Param", "Params", "Settings"]

Param = int | float | bool | str
Params = dict[str, Param]

_SYMBOL = re.compile(r"[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?")


class RunSettings(Section):
    """What to run on."""

    symbols: tuple[str, ...] = Field(("BTC/USDT", "ETH/USDT"), min_length=1, description='symbols such as "BTC/USDT"')
    interval: str = Field("1h", description="length of a bar: 1m, 5m, 1h, 1d")
    seed: int = Field(1, ge=0, lt=2**63, description="seed of everything random")
    train: str = Field("30d", description="how much history before the first decision the experts are fitted on")
    timerange: str | None = Field(None, description="when to trade; not set means all there is", examples=["20240101-"])

    @field_validator("symbols")
    @classmethod
    def _ccxt_form(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if not _SYMBOL.fullmatch(symbol):
                raise ValueError(f"must be written like BTC/USDT or BTC/USDT:USDT, {symbol!r} is not")
        if len(set(symbols)) < len(symbols):
            raise ValueError("must name each symbol once")
        return symbols

    @field_validator("interval", "train", "timerange")
    @classmethod
    def _readable(cls, text: str | None, info: ValidationInfo) -> str | None:
        read = parse_timerange if info.field_name == "timerange" else interval_ms
        try:
            if text is not None:
                read(text)
        except ConfigError as error:
            raise ValueError(
                f"must be readable, {error.remedy}" if error.remedy else "must begin before it ends"
            ) from None
        return text


class DataSettings(Section):
    """Where bars are kept, and what of the store a run hears beside them."""

    store: str = Field("data", min_length=1, description="folder of the bar store, inside the user folder or absolute")
    news: bool = Field(default=True, description="whether a run hears the stored news and readings of sentiment")
    books: bool = Field(default=True, description="whether a run sees the stored order books")


class StrategySettings(Thresholds):
    """The strategy, its parameters, and when a score becomes a stance."""

    name: str = Field("trend", min_length=1, description="a registered strategy: see list-strategies")
    params: Params = Field({}, description="its own parameters")
    weights: Weights = Weights()
    weighting: Weighting = Weighting()
    cost_gate: CostGate = CostGate()
    signals: dict[str, Params] = Field({}, description="one table of parameters per source of alpha")

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds alone."""
        return Thresholds(**{name: getattr(self, name) for name in Thresholds.model_fields})


class RiskSettings(Section):
    """The gate: limits, sizing, stops."""

    limits: Limits = Limits()
    ratchet: RatchetParams = RatchetParams()
    rule_book: str = Field("portfolio", description="the rule book of list-rules that judges every decision, or none")
    rules: RuleBudget = RuleBudget()
    sizing: Sizing = Sizing()
    stops: StopParams = StopParams()
    overlay: OverlayParams = OverlayParams()


class BrokerSettings(Section):
    """The simulated venue orders go to."""

    initial_cash: Decimal = Field(Decimal(10_000), gt=0, description="cash at the start, in the quote asset")
    latency: LatencyParams = LatencyParams()
    sim: SimParams = SimParams()


class ModelSettings(Section):
    """Where the experts of a run come from."""

    use: Literal["fit", "registry"] = Field(
        "fit", description="fit them on run.train before the first decision, or take the champions of the registry"
    )
    folds: int = Field(
        0, ge=0, le=20, description="purged folds to calibrate fitted experts on; 0 leaves them uncalibrated"
    )
    versions: dict[str, str] = Field({}, description="version of an expert to use instead of the champion")


class RegimeSettings(Section):
    """The market regime that decisions are conditioned on."""

    model: str | None = Field(
        None, description="rules, kmeans, gmm, hmm or vote; not set means no regime is told", examples=["vote"]
    )
    params: Params = Field({}, description="its own parameters")
    limits: RegimeLimits = RegimeLimits()


class LedgerSettings(Section):
    """Where the journal is kept."""

    url: str | None = Field(
        None, description="SQLAlchemy URL; not set means ledger.db in the user folder", examples=["sqlite:///ledger.db"]
    )

    @field_serializer("url")
    def _without_password(self, url: str | None) -> str | None:
        """Settings are written into ledgers and manifests; a password is not."""
        return url and mask(url)


class Settings(Section):
    """All sections; each is passed on whole to the package that owns it."""

    run: RunSettings = RunSettings()
    data: DataSettings = DataSettings()
    experts: dict[str, Params] = Field({}, description="one table of parameters per expert: see list-experts")
    deep: DeepParams = DeepParams()
    models: ModelSettings = ModelSettings()
    training: TrainingParams = TrainingParams()
    regime: RegimeSettings = RegimeSettings()
    sentiment: CrowdParams = CrowdParams()
    strategy: StrategySettings = StrategySettings()
    risk: RiskSettings = RiskSettings()
    costs: CostParams = CostParams()
    broker: BrokerSettings = BrokerSettings()
    integrity: IntegrityParams = IntegrityParams()
    ledger: LedgerSettings = LedgerSettings()
    web: WebSettings = WebSettings()

    def of_a_run(self) -> dict[str, Any]:
        """What can change a run, as plain data: not where it is kept, who may look at it, or how it is judged."""
        return self.model_dump(mode="json", exclude={"integrity", "ledger", "training", "web"})
