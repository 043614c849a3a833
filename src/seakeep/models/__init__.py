"""Floor 3: beliefs. Experts turn features into forecasts of the log return; the built-in ones are listed here."""

from seakeep.models import classical
from seakeep.models.base import EXPERTS, Expert

__all__ = ["EXPERTS", "Expert", "classical"]
