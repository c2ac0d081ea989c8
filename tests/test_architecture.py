"""docs/architecture.md names things that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
TOPS = {path.stem for path in (PAGE.parents[1] / "src" / "acclimate").iterdir()}


def dotted() -> list[str]:
    """Every name in code font that begins with a module of the package."""
    found = re.findall(r"`([a-z_]+(?:\.\w+)+)`", PAGE.read_text(encoding="utf-8"))
    return sorted({name for name in found if name.partition(".")[0] in TOPS})


def resolved(name: str) -> object:
    """The object, the module of a name being its longest part that imports."""
    parts = f"acclimate.{name}".split(".")
    for at in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:at]))
        except ModuleNotFoundError:
            continue
        for part in parts[at:]:
            value = getattr(value, part)
        return value
    raise AssertionError(name)


def test_the_page_names_most_of_what_is_met_on_the_way() -> None:
    assert len(dotted()) > 50


@pytest.mark.parametrize("name", dotted())
def test_a_named_thing_exists(name: str) -> None:
    assert resolved(name) is not None


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / link).exists(), link
