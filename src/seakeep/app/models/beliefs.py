"""Who has an opinion in a run: experts fitted on its own history or taken from the registry, their calibrations, and
the regime model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seakeep.app.console import note
from seakeep.app.models.store import Version, regime_slot
from seakeep.app.models.trainer import asked_experts, model_store, part_name
from seakeep.app.sections import Params, Settings
from seakeep.core.errors import ConfigError
from seakeep.core.market import BarFrame
from seakeep.core.registry import build
from seakeep.core.units import interval_ms, iso
from seakeep.models import EXPERTS, REGIMES, Expert
from seakeep.models.calibration import Calibration
from seakeep.models.neural import trainable
from seakeep.models.regimes import RegimeModel
from seakeep.models.training import calibrate, fit_experts, panel, pooled

__all__ = ["Beliefs", "chosen", "pinned", "unseen"]


_REGIMES = "regimes"
"""The name under which the version of the regime model is pinned."""


@dataclass(frozen=True)
class Beliefs:
    """The experts of a run by name, and what is known of them.

    From the registry they come fitted, with a calibration and the id of their version each, and have seen nothing known
    after `seen_until`. Else `fit` makes them ready.
    """

    experts: dict[str, Expert]
    regimes: RegimeModel | None
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seen_until: int = 0
    regimes_fitted: bool = False

    @property
    def specs(self) -> tuple[str, ...]:
        """Every feature spec they read."""
        regimes = self.regimes.features if self.regimes else ()
        return (*(spec for expert in self.experts.values() for spec in expert.features), *regimes)

    def history_ms(self, settings: Settings) -> int:
        """How much history has to come before the first decision."""
        fits = (self.regimes is not None and not self.regimes_fitted) or (self.experts and not self.versions)
        return interval_ms(settings.run.train) if fits else 0

    def fit(self, history: Sequence[BarFrame], settings: Settings) -> None:
        """Fit on these bars what is not fitted yet, and calibrate it if the settings say so.

        Raises: NotEnoughHistory.
        """
        seed, folds = settings.run.seed, settings.models.folds
        if not self.versions:
            fit_experts(self.experts, history, seed)
        if folds and not self.versions:
            for name, expert in self.experts.items():
                rows = panel(history, expert)
                self.calibrations[name] = calibrate(expert, rows, seed, folds, settings.training.calibration)
        if self.regimes is not None and not self.regimes_fitted:
            self.regimes.fit(pooled(history, self.regimes.features), seed)


def chosen(settings: Settings, userdir: Path) -> Beliefs:
    """The experts and the regime model the settings name.

    Raises: ConfigError for an unknown name or parameter, or where the registry has no champion for an expert.
    """
    regimes = _regimes(settings)
    if settings.models.use == "registry":
        return _champions(settings, userdir, regimes)
    experts, lacking = trainable(_configured(settings), optional=settings.deep.optional)
    if lacking:
        note(f"absent experts: {', '.join(lacking)}; each {next(iter(lacking.values()))}")
    return Beliefs(experts, regimes)


def _configured(settings: Settings) -> dict[str, Expert]:
    asked = asked_experts(settings) if settings.experts or settings.deep.use else {}
    return {name: build(EXPERTS, part_name(name), params) for name, params in asked.items()}


def _regimes(settings: Settings) -> RegimeModel | None:
    if settings.regime.model is None:
        return None
    params: Params = {"interval": settings.run.interval, **settings.regime.params}
    return build(REGIMES, settings.regime.model, params)


def _champions(settings: Settings, userdir: Path, regimes: RegimeModel | None) -> Beliefs:
    store, found = model_store(userdir), {}
    pins = dict(pinned(settings, userdir).models.versions)
    kept = pins.pop(_REGIMES, None)
    for name, pin in pins.items():
        version = store[pin]
        _agree(version, name, settings)
        found[name] = store.load(version)
    seen = [one.version.card.seen_until for one in found.values()]
    versions = {name: one.version.id for name, one in found.items()}
    if kept is not None:
        version = store[kept]
        _agree_regimes(version, settings)
        seen.append(version.card.seen_until)
        versions[_REGIMES] = kept
        regimes = store.load_regimes(version)
    return Beliefs(
        {name: one.expert for name, one in found.items()},
        regimes,
        {name: one.calibration for name, one in found.items()},
        versions,
        max(seen, default=0),
        kept is not None,
    )


def pinned(settings: Settings, userdir: Path) -> Settings:
    """The settings with the version of each expert written down, today's champion where none is.

    Raises: ConfigError where there is no champion, or a pin names no configured expert.
    """
    if settings.models.use == "fit":
        return settings
    store, interval, pins = model_store(userdir), settings.run.interval, dict(settings.models.versions)
    experts = _configured(settings)
    told = {_REGIMES} if settings.regime.model is not None else set()
    if strangers := set(pins) - set(experts) - told:
        raise ConfigError("models.versions names an expert that is not configured", value=min(strangers))
    for name, expert in experts.items():
        if name in pins:
            continue
        version = store.champion((part_name(name), interval, expert.horizon))
        if version is None:
            what = f"there is no champion of {name} on {interval} bars, {expert.horizon} bars ahead"
            raise ConfigError(what, remedy=f"train one: seakeep train --experts {name} --interval {interval}")
        pins[name] = version.id
    if settings.regime.model is not None and _REGIMES not in pins:
        kept = store.champion(regime_slot(settings.regime.model, interval))
        if kept is None:
            note(f"no regime model {settings.regime.model} in the registry: it is fitted on {settings.run.train}")
        else:
            pins[_REGIMES] = kept.id
    models = settings.models.model_copy(update={"versions": dict(sorted(pins.items()))})
    return settings.model_copy(update={"models": models})


def _agree(version: Version, name: str, settings: Settings) -> None:
    """Raises: ConfigError if a version is of another expert or interval, or has other parameters than are asked for."""
    card, remedy = version.card, "train again, or name another version"
    if (card.expert, card.interval) != (part_name(name), settings.run.interval):
        what = f"{version.id} is of {card.expert} on {card.interval} bars"
        raise ConfigError(what, value=f"{name} on {settings.run.interval} bars", remedy=remedy)
    for key, value in asked_experts(settings)[name].items():
        if card.params[key] != value:
            was = f"{version.id} was trained with {key} = {card.params[key]}"
            raise ConfigError(was, value=value, remedy="train again, or leave it out of the settings")


def _agree_regimes(version: Version, settings: Settings) -> None:
    """Raises: ConfigError if a version is of another model or interval, or has other parameters than are asked for."""
    model, remedy = settings.regime.model or "", "train again, or name another version"
    if version.slot != regime_slot(model, settings.run.interval):
        what = f"{version.id} is of {version.card.expert} on {version.card.interval} bars"
        raise ConfigError(what, value=f"{model} on {settings.run.interval} bars", remedy=remedy)
    for key, value in settings.regime.params.items():
        if version.card.params.get(key) != value:
            was = f"{version.id} was fitted with {key} = {version.card.params.get(key)}"
            raise ConfigError(was, value=value, remedy="train again, or leave it out of the settings")


def unseen(beliefs: Beliefs, start: int | None) -> int:
    """The first instant these may be used on. Raises: ConfigError if the run is to start before.

    What a version was trained and validated on tells nothing about what it is worth: a backtest over it would look
    ahead.
    """
    if start is not None and start < beliefs.seen_until:
        names = ", ".join(beliefs.versions.values())
        what = f"{names} have seen bars until {iso(beliefs.seen_until)}, and the run begins at {iso(start)}"
        remedy = 'begin later with --timerange, or set models.use = "fit"'
        raise ConfigError(what, remedy=remedy)
    return beliefs.seen_until
