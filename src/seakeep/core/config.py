"""The base of every settings section: frozen, strict, and helpful about a misspelt key."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Section"]


class Section(BaseModel):
    """A frozen settings section that forbids unknown keys; one lives beside the code it sets."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
