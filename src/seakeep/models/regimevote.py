"""The combined regime: the average of what the models believe."""

from collections.abc import Mapping
from functools import cached_property
from typing import Self

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConvergenceError, NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models.base import Learnt
from seakeep.models.clusters import HmmRegimes, KmeansRegimes, MixtureRegimes
from seakeep.models.regimerules import RegimeRules
from seakeep.models.regimes import LABELS, REGIMES, RegimeModel

__all__ = ["RegimeVote"]

_WILD = 0.04
"""Deviation of a day's return that the voting rules call volatile: crypto is above their own 1.5 % nearly every day."""


@REGIMES.register("vote")
class RegimeVote(RegimeModel):
    """Rules, k-means, mixture and chain, each as sure as its record allows, averaged with equal weight.

    A model that cannot say, or finds an anomaly, gives its share to "unknown": the less is known, the less is told.
    """

    sharpness: float = 1.5
    """Power the averaged odds are raised to: an average of models is less sure than it may be."""

    @cached_property
    def members(self) -> tuple[RegimeModel, ...]:
        """The models that vote."""
        learnt = (kind(interval=self.interval) for kind in (KmeansRegimes, MixtureRegimes, HmmRegimes))
        return (RegimeRules(interval=self.interval, volatile=_WILD), *learnt)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Every feature some member reads."""
        return tuple(dict.fromkeys(spec for member in self.members for spec in member.features))

    @property
    def points(self) -> int:
        """As many as the member that looks back furthest."""
        return max(member.points for member in self.members)

    def fit(self, frame: FeatureFrame, seed: int) -> Self:
        """Fit every member; one whose states shrink to points is left out. Raises: NotEnoughHistory."""
        heard = []
        for member in self.members:
            try:
                heard.append(member.fit(frame, seed))
            except ConvergenceError:
                continue
        if not heard:
            raise NotEnoughHistory("no regime model can be fitted", remedy="load a longer history")
        self._heard = tuple(heard)
        return self

    def state(self) -> dict[str, Learnt]:
        """What each member that is heard has learnt, under its place: "1.means_"; and those places."""
        if not hasattr(self, "_heard"):
            return {}
        places = {place: member for place, member in enumerate(self.members) if member in self._heard}
        parts = {f"{place}.{key}": value for place, member in places.items() for key, value in member.state().items()}
        return {**parts, "heard": " ".join(map(str, places))}

    def restore(self, state: Mapping[str, Learnt]) -> Self:
        """Take over what another vote of its parameters has learnt. Raises: ValueError for what no member learns."""
        places = [int(place) for place in str(state.get("heard", "")).split()]
        parts: dict[int, dict[str, Learnt]] = {place: {} for place in places}
        for key, value in state.items():
            place, _, name = key.partition(".")
            if key != "heard":
                parts[int(place)][name] = value
        if not places or max(places) >= len(self.members):
            raise ValueError(f"a vote of {len(self.members)} has no members {places}")
        self._heard = tuple(self.members[place].restore(own) for place, own in parts.items())
        return self

    def beliefs(self, frame: FeatureFrame, rows: Int64) -> Float64:
        """The members' average (m, 5), sharpened among the four regimes; NaN where no member can say."""
        self._needs("_heard")
        unknown = np.eye(len(LABELS))[-1]
        tables = [member.beliefs(frame, rows) for member in self._heard]
        blank = np.stack([np.isnan(table).any(axis=1) for table in tables])
        mean = np.where(blank[:, :, None], unknown, np.stack(tables)).mean(axis=0)
        known = mean[:, :4] ** self.sharpness
        total = known.sum(axis=1, keepdims=True)
        mean[:, :4] = np.divide(known, total, out=known, where=total > 0) * (1 - mean[:, 4:])
        mean[blank.all(axis=0)] = np.nan
        return np.asarray(mean)
