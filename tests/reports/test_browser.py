"""The report in a real browser: nothing overlaps, nothing is cut, no page scrolls sideways."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from acclimate.reports.language import ENGLISH, language
from acclimate.reports.report import render
from tests.reports.sample import explained, large, summary

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

MEASURE = """() => {
  const page = document.documentElement, found = [];
  if (page.scrollWidth > page.clientWidth)
    found.push(`the page scrolls sideways: ${page.scrollWidth} > ${page.clientWidth}`);
  for (const svg of document.querySelectorAll('svg')) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
    texts.forEach(([text, a], i) => {
      if (a.left < Math.min(frame.left, 0) || a.right > page.clientWidth
          || a.bottom > frame.bottom + 1 || a.top < frame.top - 1)
        found.push(`${svg.id}: cut: ${text.textContent}`);
      for (const [other, b] of texts.slice(i + 1)) {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // A line of letters is taller than what is drawn of it.
        if (wide > 1 && high > 4)
          found.push(`${svg.id}: ${text.textContent} | ${other.textContent}`);
      }
    });
  }
  for (const each of document.querySelectorAll('h1,h2,h3,p,li,dt,dd,figcaption,summary'))
    if (!each.closest('.unseen') && each.scrollWidth > each.clientWidth + 1
        && getComputedStyle(each).display !== 'inline')
      found.push(`cut: ${each.textContent.slice(0, 60)}`);
  return found;
}"""

PAGES = {
    "summary": lambda: render(explained()),
    "chinese": lambda: render(explained(), language("zh")),
    "large": lambda: render(large(arms=40, gaps=12)),
    "plain": lambda: render(summary(), ENGLISH),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, driven by Playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed"
    )
    if CHROMIUM is None:
        pytest.skip("neither chromium nor google-chrome is on the path")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def measured(browser: Browser, page: Path, width: int, scheme: Any) -> list[str]:
    """What is wrong with a page at a width, in light or dark."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=True
    )
    try:
        opened = context.new_page()
        opened.goto(page.as_uri())
        found: list[str] = opened.evaluate(MEASURE)
        return found
    finally:
        context.close()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overlaps_or_is_cut(
    browser: Browser, tmp_path: Path, name: str, scheme: str, width: int
) -> None:
    page = tmp_path / f"{name}.html"
    page.write_text(PAGES[name](), encoding="utf-8")
    assert measured(browser, page, width, scheme) == []


def test_the_measure_sees_what_it_looks_for(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<body><svg id='a' width='300' height='40'>"
        "<text x='0' y='20'>first words</text><text x='20' y='20'>second words</text>"
        "<text x='0' y='60'>below</text></svg><p style='width: 900px'>wide</p></body>"
    )
    found = measured(browser, page, 390, "light")
    assert "a: first words | second words" in found
    assert "a: cut: below" in found
    assert any(each.startswith("the page scrolls sideways: ") for each in found)
