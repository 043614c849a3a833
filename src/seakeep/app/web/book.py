"""Which rule book answers /risks: the shipped one, or the one `config_balance.json` names."""

import json
from pathlib import Path

from seakeep.app.gate.rulebox import judge_of
from seakeep.app.web.door import Assess
from seakeep.core.errors import ConfigError
from seakeep.risk.rules.balance import assess

__all__ = ["assess_with", "book_name"]

CONFIG = "config_balance.json"


def book_name(userdir: Path) -> str:
    """The book named by `ot_model` in USERDIR/config_balance.json; the shipped crypto book where there is no file.

    Raises: ConfigError for a file that is not what it must be.
    """
    path = userdir / CONFIG
    try:
        named = json.loads(path.read_text("utf-8")).get("ot_model", "crypto")
    except FileNotFoundError:
        return "crypto"
    except (OSError, ValueError, AttributeError) as error:
        remedy = 'write {"ot_model": "crypto"}'
        raise ConfigError(f"{CONFIG} cannot be read: {error}", remedy=remedy) from None
    if not isinstance(named, str):
        raise ConfigError(f"{CONFIG}: ot_model must be a name", value=named, remedy="name a book of `list-rules`")
    return named.removesuffix(".clp")


def assess_with(userdir: Path) -> Assess:
    """How /risks is answered in this user folder, warm. Raises: ConfigError, RuleBookError."""
    judge = judge_of(book_name(userdir), userdir)
    return lambda body: assess(body, judge)
