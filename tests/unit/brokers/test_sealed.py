"""An approval is used once, by whichever process comes first, and a restart forgets nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seakeep.brokers.sealed import SpentSeals
from seakeep.core.errors import LedgerError
from seakeep.core.units import DAY_MS

USE = """
import sys
from pathlib import Path
from seakeep.brokers.sealed import SpentSeals
print(sum(SpentSeals(Path(sys.argv[1])).use(str(n), 10, 5) for n in range(200)))
"""


def test_of_two_processes_and_a_restart_one_uses_each_approval(tmp_path: Path) -> None:
    def count() -> int:
        return int(
            subprocess.run([sys.executable, "-c", USE, str(tmp_path / "s")], capture_output=True, check=True).stdout
        )

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda _: count(), range(2))) == 200
    assert count() == 0


def test_what_was_used_is_remembered_for_a_day_after_it_expired(tmp_path: Path) -> None:
    spent = SpentSeals(tmp_path)
    assert spent.use("a", 100, 50)
    assert spent.use("b", 200 + DAY_MS, 99 + DAY_MS)
    assert "a" in spent
    assert spent.use("c", 300 + DAY_MS, 100 + DAY_MS)
    assert "a" not in spent
    assert "b" in spent
    assert len(spent.names) == 2


def test_an_approval_whose_file_was_cut_off_stays_used(tmp_path: Path) -> None:
    spent = SpentSeals(tmp_path)
    assert spent.use("../../a", 100, 50)
    (tmp_path / spent.names[0]).write_bytes(b"")
    assert spent.use("later", 3 * DAY_MS, 2 * DAY_MS)
    assert not spent.use("../../a", 100, 50)
    assert sorted(path.parent for path in tmp_path.rglob("*.used")) == [tmp_path, tmp_path]


def test_a_folder_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be kept"):
        SpentSeals(tmp_path / "file").use("a", 2, 1)
