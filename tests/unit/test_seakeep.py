"""What `from seakeep import ...` offers, what it costs, and the page that shows it."""

import contextlib
import importlib
import io
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import seakeep
from seakeep.app.search.studies import trial_ledger
from seakeep.data.synthetic import SyntheticParams, generate

PAGE = Path(__file__).parents[2] / "docs/how-to/notebook.md"


def test_importing_seakeep_loads_nothing_heavy() -> None:
    code = "import sys; import seakeep; dir(seakeep); print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "numba", "pandas", "pydantic", "msgspec", "pyarrow"} & set(done.stdout.split())


def test_every_name_is_that_of_its_module_and_listed() -> None:
    assert dir(seakeep) == sorted(seakeep.__all__)
    assert set(seakeep._PLACES) | {"__version__"} == set(seakeep.__all__)
    for name, (module, there) in seakeep._PLACES.items():
        home = importlib.import_module(f"seakeep.{module}")
        assert getattr(seakeep, name) is getattr(home, there)
        assert there in home.__all__


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fit_arch'"):
        _ = seakeep.fit_arch
    with pytest.raises(ImportError, match="fit_arch"):
        exec("from seakeep import fit_arch")


def test_the_page_runs_as_it_is_printed_and_uses_names_that_exist() -> None:
    page = PAGE.read_text("utf-8")
    said = printed(page, "notebook")
    assert re.search(r"VaR \d\.\d\d% \(\d\.\d\d% to \d\.\d\d%\), CVaR \d\.\d\d%", said)
    assert "models of 3 that stand" in said
    assert set(re.findall(r"sk\.(\w+)", page)) <= set(seakeep.__all__)


def printed(page: str, name: str) -> str:
    """What the code behind that mark of the page prints."""
    (source,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```", page, re.DOTALL)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(source, str(PAGE), "exec"), {})
    return said.getvalue()


def test_what_the_page_tries_is_in_the_trial_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=220, interval="4h", seed=3)
    seakeep.ParquetStore(tmp_path / "user_data/data").write(generate(params).frames["BTC/USDT"])
    monkeypatch.chdir(tmp_path)
    said = printed(PAGE.read_text("utf-8"), "counted")
    assert re.search(r"Sharpe -?\d+\.\d\d \(.*\) after 1 trials", said)
    assert "by the kernel\nrepeated by the driver: True" in said
    assert "5 evaluations counted" in said
    kept = trial_ledger(tmp_path / "user_data").trials()
    assert Counter(trial.source for trial in kept) == {"api": 1, "optimize": 5, "backtest": 1}
