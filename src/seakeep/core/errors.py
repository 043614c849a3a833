"""The error tree. Every message names the key, the value and the remedy.

SeakeepError
├── ConfigError            a setting, an option or a registered name is wrong
├── DataError              market data is missing or not what it claims to be
│   ├── SourceUnavailable  (Transient)
│   ├── RateLimited        (Transient)
│   ├── SchemaError        a column or a cell cannot be read as what it must be
│   ├── GapError           bars that must be there are not
│   └── StaleData          the newest datum is too old to act on
├── ModelError             NotFitted · NotEnoughHistory · ConvergenceError
├── RuleBookError          a rule book does not compile or fails its own tests
├── OrderError             InvalidOrder · InvalidTransition · UnknownOrder
├── BrokerError            BrokerUnavailable (Transient) · InsufficientFunds · VenueRejected
└── LedgerError
    └── IntegrityError     accounting or replay disagrees: the process must stop

`Transient` is a mix-in that says "a retry may help"; nothing else is retried. Wrong arguments are ValueError
or TypeError. A refusal by the gate is a value (`RiskVerdict`), never an exception.
"""

__all__ = [
    "BrokerError",
    "BrokerUnavailable",
    "ConfigError",
    "ConvergenceError",
    "DataError",
    "GapError",
    "InsufficientFunds",
    "IntegrityError",
    "InvalidOrder",
    "InvalidTransition",
    "LedgerError",
    "ModelError",
    "NotEnoughHistory",
    "NotFitted",
    "OrderError",
    "RateLimited",
    "RuleBookError",
    "SchemaError",
    "SeakeepError",
    "SourceUnavailable",
    "StaleData",
    "Transient",
    "UnknownOrder",
    "VenueRejected",
]


class SeakeepError(Exception):
    """Base of every failure Seakeep reports.

    >>> str(ConfigError("risk.limits.max_weight must be in (0, 1]", value=7, remedy="write a fraction such as 0.10"))
    'risk.limits.max_weight must be in (0, 1] (got 7); write a fraction such as 0.10'
    """

    def __init__(self, message: str, *, value: object = None, remedy: str = "") -> None:
        self.value, self.remedy = value, remedy
        got = "" if value is None else f" (got {value!r})"
        super().__init__(f"{message}{got}" + (f"; {remedy}" if remedy else ""))


class Transient(Exception):
    """Mix-in: the same call may succeed later."""


class ConfigError(SeakeepError):
    """A setting, an option or a registered name is wrong."""


class DataError(SeakeepError):
    """Market data is missing or is not what it claims to be."""


class SourceUnavailable(DataError, Transient):
    """An outside data source cannot be reached."""


class RateLimited(DataError, Transient):
    """An outside source asks us to slow down."""


class SchemaError(DataError):
    """A column or a cell cannot be read as what it must be."""


class GapError(DataError):
    """Bars that must be there are not."""


class StaleData(DataError):
    """The newest datum is too old to act on."""


class ModelError(SeakeepError):
    """An expert cannot answer."""


class NotFitted(ModelError):
    """The expert has not been fitted."""


class NotEnoughHistory(ModelError):
    """Fewer rows than the estimate needs."""


class ConvergenceError(ModelError):
    """The optimiser did not converge."""


class RuleBookError(SeakeepError):
    """A rule book does not compile or fails its own tests."""


class OrderError(SeakeepError):
    """An order is malformed or does not exist."""


class InvalidOrder(OrderError):
    """An order that no venue could accept."""


class InvalidTransition(OrderError):
    """A reply that the order's present status does not allow."""


class UnknownOrder(OrderError):
    """A reply to an order we never placed."""


class BrokerError(SeakeepError):
    """The venue did not do what was asked."""


class BrokerUnavailable(BrokerError, Transient):
    """The venue cannot be reached."""


class InsufficientFunds(BrokerError):
    """The account cannot pay for the order."""


class VenueRejected(BrokerError):
    """The venue refused the order."""


class LedgerError(SeakeepError):
    """The ledger cannot be read or written."""


class IntegrityError(LedgerError):
    """Accounting, hash chain or replay disagrees: stop the process."""
