"""Bars put where everyone's bars come from: written as a CSV file, imported, stored as Parquet, and read back."""

import csv
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from seakeep.core.market import BarFrame
from seakeep.data.importer import import_file, import_options
from seakeep.data.store import ParquetStore

__all__ = ["Plant", "planted"]

Plant = Callable[[BarFrame], BarFrame]
"""What gives bars back after they went through the doors of the data."""

_COLUMNS = ("ts", "open", "high", "low", "close", "volume")


def planted(bars: BarFrame) -> BarFrame:
    """The bars as a store of their own gives them after an import; the store is gone afterwards.

    Numbers are written so that they are read back to the last bit. Raises: DataError as the import does.
    """
    with TemporaryDirectory(prefix="seakeep-controls-") as name:
        path, store = Path(name) / "bars.csv", ParquetStore(Path(name) / "data")
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows(zip(*(getattr(bars, column).tolist() for column in _COLUMNS), strict=True))
        import_file(store, path, import_options({"symbol": bars.symbol, "interval": bars.interval}))
        return store.read(bars.symbol, bars.interval)
