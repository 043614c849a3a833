"""The risk page in a real browser: silent, self-contained, fit for a phone, readable in the dark."""

import json
import re
from html import escape, unescape
from pathlib import Path

import pytest

from seakeep.backtest.pages.riskpage import render
from tests.unit.backtest.riskfactory import findings

from .test_report_page import FOREIGN, pytestmark, visit

__all__ = ["pytestmark"]


def test_the_page_asks_for_nothing_and_says_nothing(tmp_path: Path) -> None:
    seen = visit(render(findings()), tmp_path)
    assert (seen.requests, seen.console) == ([], [])
    assert "Will it survive" in seen.dom


def test_what_is_smuggled_into_the_page_is_stopped_by_its_policy(tmp_path: Path) -> None:
    seen = visit(render(findings()).replace("</body>", f"{FOREIGN}</body>"), tmp_path)
    assert seen.requests == []
    assert [("spoke" in line, "Content Security Policy" in line) for line in seen.console] == [(False, True)] * 2


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_fits_the_screen(tmp_path: Path, width: int) -> None:
    """A headless window is never narrower than 500 pixels, so the page sits in a frame."""
    frame = f'<iframe srcdoc="{escape(render(findings()))}" style="width:{width}px;height:900px;border:0"></iframe>'
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
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(findings()))
    asked = f"<script>document.title = JSON.stringify((() => {{ {script} }})())</script></body>"
    flag = f"--blink-settings=preferredColorScheme={scheme}"
    title = re.search(r"<title>(.*?)</title>", visit(html.replace("</body>", asked), tmp_path, flag).dom)
    assert title is not None
    assert json.loads(unescape(title[1])) == [scheme == 1, scheme != 1]
