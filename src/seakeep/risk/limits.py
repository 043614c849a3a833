"""What the account may never exceed. Fractions of equity unless they say otherwise; the defaults are the gate's."""

from functools import cached_property
from hashlib import sha256

from pydantic import Field, model_validator

from seakeep.core.config import Section

__all__ = ["Limits"]

_OFF = 1e9


class Limits(Section):
    """Limits of `risk.review` and `risk.pretrade`, and of the breaker.

    A figure that cannot be measured tightens: a book whose tail is not known yet has `unknown_tail_share` of
    `max_weight`, a correlation that is not known counts as one, a trade without a stop loses `assumed_stop`, a market
    whose volume is not known takes no addition.
    """

    max_weight: float = Field(0.10, gt=0, le=10, description="largest position, as a share of equity")
    max_gross: float = Field(1.0, gt=0, le=20, description="largest sum of absolute positions, as a share of equity")
    max_net: float = Field(1.0, gt=0, le=20, description="largest absolute sum of signed positions")
    max_leverage: float = Field(
        3.0, gt=0, le=200, description="largest size of all perpetuals over the equity that is not in spot coins"
    )
    max_concentration: float = Field(
        0.20, gt=0, le=20, description="largest net exposure to one coin, where several instruments trade it"
    )
    max_correlated: float = Field(
        0.30, gt=0, le=20, description="largest net exposure of two or more positions that move together"
    )
    correlation_threshold: float = Field(
        0.70, gt=0, le=1, description="daily returns correlated to this absolute degree move together"
    )
    var_confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence of VaR and CVaR")
    max_cvar: float = Field(0.08, gt=0, le=20, description="largest CVaR of the book, a day")
    max_marginal_cvar: float = Field(0.04, gt=0, le=20, description="largest CVaR one decision may add, a day")
    tail_days: int = Field(250, ge=60, le=5000, description="days of returns that VaR, CVaR and correlations rest on")
    min_tail_days: int = Field(60, ge=50, le=5000, description="with fewer days the tail is not known")
    unknown_tail_share: float = Field(
        0.5, gt=0, le=1, description="share of max_weight that is left while the tail is not known; 1 takes no notice"
    )
    max_trade_loss: float = Field(0.05, gt=0, le=10, description="largest loss of one position at its stop")
    assumed_stop: float = Field(
        0.20, gt=0, le=1, description="distance counted where a position has no stop, as a share of the price"
    )
    max_order_share: float = Field(0.05, gt=0, le=1e9, description="largest order, as a share of an hour's volume")
    max_participation: float = Field(
        0.10, gt=0, le=1e9, description="largest share of an hour's volume that we trade in that hour"
    )
    max_age_bars: float = Field(
        3.0, gt=0, description="a market whose last bar is older than this many bars takes no addition"
    )
    min_model_health: float = Field(
        0.5, ge=0, le=1, description="an expert that answers less often than this share stops additions"
    )
    max_daily_loss: float = Field(0.05, gt=0, le=1, description="loss since 00:00 UTC that stops new risk for the day")
    max_weekly_loss: float = Field(
        0.10, gt=0, le=1, description="loss since Monday 00:00 UTC that stops new risk for the week"
    )
    reduce_drawdown: float = Field(
        0.15, gt=0, le=1, description="loss from the peak that stops new risk until a written reset"
    )
    max_drawdown: float = Field(0.20, gt=0, le=1, description="loss from the peak that closes everything and halts")
    max_open_orders: int = Field(10, ge=1, le=1000, description="open orders a symbol")
    min_order_gap_ms: int = Field(30_000, ge=0, description="least time between orders that add risk, a symbol")
    max_orders_per_minute: int = Field(60, ge=1, le=100_000, description="orders that add risk, of all symbols")
    max_order_notional: float = Field(
        1_000_000.0, gt=0, description="largest order that adds risk, in quote units: a slipped finger goes no further"
    )
    price_band: float = Field(
        0.10, gt=0, description="furthest a limit price may lie from the market, as a share of it"
    )
    min_weight: float = Field(0.001, ge=0, lt=1, description="a resized target below this is refused instead")

    @model_validator(mode="after")
    def _ordered(self) -> "Limits":
        if self.min_tail_days > self.tail_days:
            raise ValueError("min_tail_days must not exceed tail_days")
        return self

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change with any limit; verdicts carry it."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @classmethod
    def static(cls, max_weight: float = 10.0, max_gross: float = 20.0) -> "Limits":
        """Only the two limits that a simulator of target weights knows; everything else is out of the way."""
        return cls(
            max_weight=max_weight,
            max_gross=max_gross,
            max_net=20.0,
            max_leverage=200.0,
            max_concentration=20.0,
            max_correlated=20.0,
            max_cvar=20.0,
            max_marginal_cvar=20.0,
            unknown_tail_share=1.0,
            max_trade_loss=10.0,
            max_order_share=_OFF,
            max_participation=_OFF,
            max_age_bars=_OFF,
            min_model_health=0.0,
            max_daily_loss=1.0,
            max_weekly_loss=1.0,
            reduce_drawdown=1.0,
            max_drawdown=1.0,
            max_open_orders=1000,
            min_order_gap_ms=0,
            max_orders_per_minute=100_000,
            max_order_notional=_OFF * _OFF,
            price_band=_OFF,
            min_weight=0.0,
        )
