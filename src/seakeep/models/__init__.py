"""Floor 3: beliefs. Experts turn features into forecasts of the log return; the built-in ones are listed here."""

from seakeep.models import anomaly, classical, clusters, forest, neural, regimerules, regimevote, statistical, svm
from seakeep.models.base import EXPERTS, Expert
from seakeep.models.regimes import REGIMES

__all__ = [
    "EXPERTS",
    "REGIMES",
    "Expert",
    "anomaly",
    "classical",
    "clusters",
    "forest",
    "neural",
    "regimerules",
    "regimevote",
    "statistical",
    "svm",
]
