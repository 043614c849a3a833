"""The registry of venues."""

from collections.abc import Callable

from seakeep.core.ports import Broker
from seakeep.core.registry import Registry

__all__ = ["BROKERS"]

BROKERS: Registry[Callable[..., Broker]] = Registry("broker")
"""Constructors of venues by name: `@BROKERS.register("sim")`."""
