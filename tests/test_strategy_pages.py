"""Every strategy page has its parts, and its example prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from acclimate.strategies.catalogue import steps

FOLDER = Path(__file__).parent.parent / "docs" / "strategies"
PAGES = sorted(FOLDER.glob("*.md"))
PARTS = ("Use it when", "Not when", "Equation", "Source", "Departures", "Settings", "Cost")
EXAMPLE = re.compile(r"```python\n(.+?)```\n\s*```text\n(.+?)```", re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d+")
# Sums in another order on another processor may move the last place that is shown.
APART = 0.01


def test_every_step_of_the_catalogue_has_a_page() -> None:
    own = {
        kind for kind, step in steps().items() if type(step).__module__.startswith("acclimate.")
    }
    assert own - {page.stem for page in PAGES} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.stem)
def test_a_page_is_of_a_step_and_has_every_part(page: Path) -> None:
    text = page.read_text("utf-8")
    assert page.stem in steps()
    assert text.startswith(f"# {page.stem}\n")
    assert [part for part in PARTS if f"**{part}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.stem)
def test_the_example_of_a_page_prints_what_it_says(page: Path) -> None:
    found = EXAMPLE.findall(page.read_text("utf-8"))
    assert found, "a page shows an example"
    for code, said in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(page), "exec"), {})
        told = printed.getvalue().strip()
        assert NUMBER.sub("#", told) == NUMBER.sub("#", said.strip())
        numbers, wanted = (list(map(float, NUMBER.findall(each))) for each in (told, said))
        assert numbers == pytest.approx(wanted, abs=APART)
