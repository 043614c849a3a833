"""Floor 4: venues. Each part of `core.ports.Broker`; the simulated one serves backtests and paper trading."""

from seakeep.brokers.base import BROKERS
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimBroker, SimParams

__all__ = ["BROKERS", "LatencyParams", "SimBroker", "SimParams"]
