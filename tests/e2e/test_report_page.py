"""The tear sheet in a real browser: silent, self-contained, fit for a phone, readable in the dark."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import NamedTuple

import pytest

from seakeep.backtest.pages.report import render
from tests.unit.backtest.factory import make

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium, chromium-browser or google-chrome on this machine"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--virtual-time-budget=2000",
    "--dump-dom",
)
FOREIGN = '<img src="http://127.0.0.1:9/pixel.png"><script>console.error("spoke")</script>'


class Visit(NamedTuple):
    """What came of opening a page: its tree afterwards, console lines, addresses it asked the network for."""

    dom: str
    console: list[str]
    requests: list[str]


def visit(html: str, folder: Path, *flags: str) -> Visit:
    """Open the page from a file and wait until it is quiet."""
    page, log = folder / "page.html", folder / "net.json"
    page.write_text(html, encoding="utf-8")
    own = (f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--window-size=1280,900")
    command = (str(BROWSER), *FLAGS, *own, *flags, page.as_uri())
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    return Visit(done.stdout, re.findall(r"CONSOLE.*", done.stderr), _asked(log.read_text(encoding="utf-8")))


def _asked(net_log: str) -> list[str]:
    """Addresses the page asked for: the browser's own business is not isolated under the page's scheme."""
    ours = [line for line in net_log.splitlines() if '"network_isolation_key":"file:' in line]
    return [url for line in ours for url in re.findall(r'"url":"((?!file:)[^"]+)"', line)]


def probe(script: str, folder: Path, *flags: str) -> object:
    """The value of a JavaScript expression on the page; the page's policy is lifted so that it may run."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(make()))
    asked = f"<script>document.title = JSON.stringify((() => {{ {script} }})())</script></body>"
    title = re.search(r"<title>(.*?)</title>", visit(html.replace("</body>", asked), folder, *flags).dom)
    assert title is not None
    return json.loads(unescape(title[1]))


def test_the_page_asks_for_nothing_and_says_nothing(tmp_path: Path) -> None:
    seen = visit(render(make()), tmp_path)
    assert (seen.requests, seen.console) == ([], [])
    assert "Equity and drawdown" in seen.dom


def test_a_page_that_did_ask_or_speak_would_be_noticed(tmp_path: Path) -> None:
    seen = visit(f"<!doctype html><body>{FOREIGN}</body>", tmp_path)
    assert set(seen.requests) == {"http://127.0.0.1:9/pixel.png"}
    assert "spoke" in seen.console[0]


def test_what_is_smuggled_into_the_page_is_stopped_by_its_policy(tmp_path: Path) -> None:
    seen = visit(render(make()).replace("</body>", f"{FOREIGN}</body>"), tmp_path)
    assert seen.requests == []
    assert [("spoke" in line, "Content Security Policy" in line) for line in seen.console] == [(False, True)] * 2


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_fits_the_screen(tmp_path: Path, width: int) -> None:
    """A headless window is never narrower than 500 pixels, so the page sits in a frame."""
    frame = f'<iframe srcdoc="{escape(render(make()))}" style="width:{width}px;height:900px;border:0"></iframe>'
    script = """onload = () => {
      const inner = document.querySelector("iframe").contentWindow, root = inner.document.documentElement;
      document.title = JSON.stringify([root.scrollWidth - root.clientWidth, inner.innerWidth]);
    }"""
    dom = visit(f"<!doctype html><title></title>{frame}<script>{script}</script>", tmp_path).dom
    assert f"<title>[0,{width}]</title>" in dom


@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_the_toggle_turns_light_into_dark_and_dark_into_light(tmp_path: Path, scheme: int) -> None:
    script = """
      const light = () => Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]) > 128;
      const before = light();
      document.getElementById("theme").click();
      return [before, light()];"""
    before = scheme == 1
    flag = f"--blink-settings=preferredColorScheme={scheme}"
    assert probe(script, tmp_path, flag) == [before, not before]


def test_the_pointer_reads_the_equity_chart(tmp_path: Path) -> None:
    script = """
      const box = document.querySelector(".hover"), area = box.querySelector("svg").getBoundingClientRect();
      box.dispatchEvent(new PointerEvent("pointermove", { clientX: area.right, clientY: area.top + 5 }));
      const text = box.querySelector(".readout").textContent;
      box.dispatchEvent(new PointerEvent("pointerleave"));
      return [text, box.querySelector(".readout").textContent];"""
    final, held = (f"{curve[-1]:,.2f}" for curve in (make().curves.equity, make().benchmark))
    shown, after = probe(script, tmp_path)
    assert re.fullmatch(rf"2024-01-11 00:00 · {final} · held {held} · −\d+\.\d\d%", shown)
    assert after == ""
