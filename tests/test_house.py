"""Rules of the whole repository: what no file may hold, where a verdict may be made, what the docs promise."""

import ast
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from seakeep.app.commands.config import strategy_text
from seakeep.app.settings import Settings
from seakeep.strategy.decide import Thresholds

ROOT = Path(__file__).resolve().parents[1]
SOURCE = sorted((ROOT / "src" / "seakeep").rglob("*.py"))
PYTHON = [
    *SOURCE,
    *(p for top in ("tests", "benchmarks", "examples", "docs") for p in sorted((ROOT / top).rglob("*.py"))),
]
IGNORED = {".git", ".venv", "__pycache__", "user_data", "dist", "build", "uv.lock"}
HEAVY = {"numpy", "numba", "pandas", "pyarrow", "sqlalchemy", "pydantic", "msgspec", "jinja2", "structlog", "ccxt"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), name_of(path))


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """Each file is parsed once for all of these tests, and no tree outlives them."""
    yield
    tree_of.cache_clear()


def files() -> Iterator[tuple[Path, str]]:
    """Every text file a checkout holds."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            f for f in folders if f not in IGNORED and not f.endswith(("_cache", ".egg-info")) and f != ".hypothesis"
        ]
        for name in sorted(set(names) - IGNORED):
            path = Path(folder, name)
            try:
                yield path, path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def calls(tree: ast.Module) -> Iterator[str]:
    """Name of everything that is called, without what it is an attribute of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", getattr(node.func, "attr", ""))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_no_file_names_this_machine_or_a_registry() -> None:
    folders = "|".join(("root", "home", "Users", "work", "tmp"))
    machine = re.compile(rf"""(?<![\w.:/}}$*)~-])/(?:{folders})/\w""")
    registry = re.compile("|".join((r"pypi\." + "org", "python" + "hosted", "registry" + r"\.npmjs")))
    found = [name_of(p) for p, text in files() if machine.search(text) or registry.search(text)]
    assert found == []


def test_requirements_are_pinned_and_hashed_and_hold_no_address() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text("utf-8")
        assert "://" not in text
        packages = re.split(r"\n(?=\S)", text.strip())
        assert all(re.match(r"[\w.\[\],-]+==\S+", package) and "--hash=sha256:" in package for package in packages)


def test_the_test_requirements_hold_every_pin_of_the_core() -> None:
    core, test = (
        set(re.findall(r"^[\w.\[\]-]+==\S+", (ROOT / "requirements" / name).read_text("utf-8"), re.MULTILINE))
        for name in ("core.txt", "test.txt")
    )
    assert core
    assert core <= test


def test_no_file_is_named_for_nothing() -> None:
    vague = re.compile(r"(^|_)(utils?|helpers?|common|managers?|handlers?|misc)(_|$)")
    assert [name_of(path) for path in PYTHON if vague.search(path.stem)] == []


def test_no_module_is_over_500_lines_and_no_function_over_60() -> None:
    long = [name_of(path) for path in PYTHON if path.read_text("utf-8").count("\n") > 500]
    for path in SOURCE:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                if (node.end_lineno or 0) - first.lineno >= 60:
                    long.append(f"{name_of(path)}: {node.name}")
    assert long == []


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_a_public_module_says_what_it_is_and_what_it_offers(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree)
    defined = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    listed = [
        ast.literal_eval(n.value)
        for n in tree.body
        if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
    ]
    if path.name != "__init__.py" or len(tree.body) > 1:
        assert listed, "no __all__"
    silent = [name for names in listed for name in names if name in defined and not ast.get_docstring(defined[name])]
    assert silent == []


def test_only_risk_makes_a_verdict() -> None:
    makers = {
        path.relative_to(ROOT / "src" / "seakeep").parts[0] for path in SOURCE if "RiskVerdict" in calls(tree_of(path))
    }
    assert makers == {"risk"}


def test_nothing_is_pickled() -> None:
    banned = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
    assert [name_of(path) for path in PYTHON if banned & set(imports(tree_of(path)))] == []
    assert [name_of(path) for path in SOURCE if "allow_pickle=True" in path.read_text("utf-8")] == []


def test_no_error_is_swallowed() -> None:
    silent = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCE
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or all(isinstance(n, ast.Pass) for n in node.body))
    ]
    assert silent == []


def test_every_setting_is_read_where_the_parts_are_put_together() -> None:
    chains = {
        ast.unparse(node).partition("settings.")[2]
        for path in (ROOT / "src" / "seakeep" / "app").rglob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
    }
    unread = []
    for section, field in Settings.model_fields.items():
        ours = getattr(field.annotation, "__module__", "") == Settings.__module__
        keys = [f"{section}.{key}" for key in field.annotation.model_fields] if ours else [section]  # type: ignore[union-attr]
        unread += [key for key in keys if key not in chains]
    if "strategy.thresholds" in chains:
        unread = [key for key in unread if key.removeprefix("strategy.") not in Thresholds.model_fields]
    assert unread == []


def test_the_docs_agree_with_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "docs/build.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_strategy_of_the_readme_is_the_one_init_writes_in_ten_lines() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (source,) = re.findall(r"<!-- first-strategy -->\n```python\n(.*?)```", readme, re.DOTALL)
    assert source == strategy_text("breakout")
    assert len([line for line in source.splitlines() if line]) <= 10


def test_every_word_of_the_makefile_is_in_its_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    words = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert words
    assert set(words[1].split()) == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_the_build_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").splitlines()[-1] == "make test"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from seakeep.app.cli import main; sys.argv = ['seakeep', '--help']\n"
        "try: main()\n"
        "except SystemExit: print('loaded:', *{name.partition('.')[0] for name in sys.modules})"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert HEAVY & set(out.rpartition("loaded:")[2].split()) == set()


def test_help_costs_less_than_twice_importing_numpy() -> None:
    def cpu(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    rounds = [(cpu("-m", "seakeep.app.cli", "--help"), cpu("-c", "import numpy")) for _ in range(5)]
    ours, numpy = (min(column) for column in zip(*rounds, strict=True))
    assert ours < 2 * numpy
