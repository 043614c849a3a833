"""Where things are in the user folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seakeep.app.sections import Settings
    from seakeep.data.store import ParquetStore

__all__ = ["bar_store", "configured_store", "ledger_location", "results"]


def bar_store(settings: "Settings", userdir: Path) -> "ParquetStore":
    """The bar store the settings name, inside the user folder unless absolute."""
    from seakeep.data.store import ParquetStore

    return ParquetStore(userdir / settings.data.store)


def configured_store(userdir: Path) -> "ParquetStore":
    """The bar store of the user folder's own settings. Raises: ConfigError if they cannot be read."""
    from seakeep.app.settings import config_path, load

    return bar_store(load(config_path(userdir, None), os.environ, {}).settings, userdir)


def ledger_location(settings: "Settings", userdir: Path) -> str | Path:
    """Where the journal is kept: the configured database, else `ledger.db` in the user folder."""
    return settings.ledger.url or userdir / "ledger.db"


def results(userdir: Path) -> Path:
    """The folder that holds a folder for each finished run."""
    return userdir / "results"
