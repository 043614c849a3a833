"""Write the reference pages from the code, then check every page: links, and `seakeep ...` lines in code blocks.

`python docs/build.py` writes; with `--check` nothing is written, and a page that differs from the code is a fault.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from seakeep.app.cli import app
from seakeep.app.commands.config import config_text
from seakeep.app.console import Exit, exit_code
from seakeep.app.settings import ALIASES, UNREAD
from seakeep.core import errors

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
GENERATED = "<!-- Written by `make docs` from the code; do not edit. -->\n\n"
EXIT_MEANING = {
    Exit.OK: "done",
    Exit.ERROR: "the work failed: data, model, order or venue",
    Exit.NOT_FOUND: "what was named does not exist, or the command line cannot be read",
    Exit.NOT_RUNNING: "there is no running process to talk to",
    Exit.CONFIG: "a setting, an option or a name is wrong",
    Exit.TIMEOUT: "it took too long",
    Exit.INTEGRITY: "an integrity check failed",
    Exit.BLOCKED: "the gate refused",
    Exit.LEDGER: "the ledger does not agree with itself or with the account",
}
_LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> dict[str, Any]:
    """Every command by its full name ("ledger verify"), in the order of the help page."""
    found: dict[str, Any] = {}

    def walk(group: Any, above: str) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, f"{above}{name} ")
            else:
                found[f"{above}{name}"] = command

    walk(typer.main.get_command(app), "")
    return found


def cli_page() -> str:
    """Reference of the command line."""
    parts = ["# Command line\n", "Every command answers `--help`. [Exit codes](errors.md#exit-codes).\n"]
    for name, command in commands().items():
        parts += [f"## seakeep {name}\n", f"{(command.help or '').strip()}\n"]
        rows = [_option_row(option) for option in command.params if option.name != "help"]
        if rows:
            parts.append("\n".join(["| option | default | meaning |", "|---|---|---|", *rows]) + "\n")
    return GENERATED + "\n".join(parts)


def _option_row(option: Any) -> str:
    flags = ", ".join(option.opts) if option.param_type_name == "option" else (option.name or "").upper()
    default = "" if option.default in (None, False, ()) or callable(option.default) else f"`{option.default}`"
    meaning = (getattr(option, "help", "") or "").replace("|", "\\|")
    return f"| `{flags}` | {default or ('required' if option.required else '')} | {meaning} |"


def errors_page() -> str:
    """Reference of errors and exit codes."""
    tree = (errors.__doc__ or "").strip()
    parts = ["# Errors and exit codes\n", f"```text\n{tree}\n```\n", "| error | meaning | exit code |", "|---|---|---|"]
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, errors.SeakeepError):
            parts.append(f"| `{name}` | {kind.__doc__.splitlines()[0]} | {int(exit_code(kind('')))} |")
    parts += ["\n## Exit codes\n", "| code | name | meaning |", "|---|---|---|"]
    parts += [f"| {int(code)} | {code.name} | {EXIT_MEANING[code]} |" for code in Exit]
    return GENERATED + "\n".join(parts) + "\n"


def settings_page() -> str:
    """Reference of the settings: the commented file, and the environment names that are honoured."""
    aliases = "\n".join(f"| `{name}` | `{key}` |" for name, key in ALIASES.items())
    unread = ", ".join(f"`{name}`" for name in UNREAD)
    return (
        f"{GENERATED}# Settings\n\nThis is the file `seakeep init` writes. `seakeep show-config` prints each value with"
        f" where it came from.\n\n```toml\n{config_text()}```\n\n## Names already in use\n\n"
        "Any key can be set as `SEAKEEP__SECTION__KEY`. These names work too:"
        f"\n\n| name | key |\n|---|---|\n{aliases}\n\n"
        f"Set but not read by anything yet, which `show-config` says: {unread}.\n"
    )


def pages() -> dict[Path, str]:
    """The generated pages."""
    made = {"cli": cli_page(), "errors": errors_page(), "settings": settings_page()}
    return {REFERENCE / f"{name}.md": text for name, text in made.items()}


def markdown() -> Iterator[tuple[Path, str]]:
    """Every page a person reads, with its text."""
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        yield path, path.read_text(encoding="utf-8")


def broken_links() -> Iterator[str]:
    """Relative links that lead nowhere."""
    for path, text in markdown():
        for target in _LINK.findall(_BLOCK.sub("", text)):
            if "://" in target or target.startswith(("#", "mailto:")):
                continue
            if not (path.parent / target.partition("#")[0]).exists():
                yield f"{path.relative_to(ROOT)}: the link {target} leads nowhere"


def unknown_commands() -> Iterator[str]:
    """Lines `seakeep ...` in code blocks that the command line would not understand."""
    known = commands()
    for path, text in markdown():
        for block in _BLOCK.findall(text):
            for line in block.splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True) if re.match(r"(\$ )?seakeep ", line) else []
                if fault := _fault(words[1:], known):
                    yield f"{path.relative_to(ROOT)}: `{line.strip()}`: {fault}"


def _fault(words: list[str], known: dict[str, Any]) -> str | None:
    if not words or words == ["--help"]:
        return None
    name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
    if name is None:
        return f"there is no command {words[0]}"
    flags = {flag for option in known[name].params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in flags]
    return f"{name} has no option {wrong[0]}" if wrong else None


def main() -> int:
    """Build or check; the number of faults is the exit status, at most 1."""
    check = "--check" in sys.argv[1:]
    faults = []
    for path, text in pages().items():
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            faults.append(f"{path.relative_to(ROOT)} differs from the code; run: make docs")
    faults += [*broken_links(), *unknown_commands()]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults) or "docs: every page agrees with the code\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
