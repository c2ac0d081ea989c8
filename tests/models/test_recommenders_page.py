"""The page on recommendation models has a section for each, and says what waits to be named."""

from __future__ import annotations

from pathlib import Path

from acclimate.models.model import Waits
from acclimate.strategies.catalogue import MODELS

OTHERS = {
    "Beside each other",
    "Launches: items listed today",
    "Very many items",
    "What a report tells besides",
}
PAGE = Path(__file__).parents[2] / "docs" / "recommenders.md"


def test_every_recommendation_model_has_its_section_and_says_whether_it_waits() -> None:
    parts = PAGE.read_text("utf-8").split("\n## ")[1:]
    sections = dict(part.split("\n", 1) for part in parts)
    ours = {model.kind: model for model in MODELS if model.form == "items"}
    assert sections.keys() - OTHERS == ours.keys()
    for kind, model in ours.items():
        waits = isinstance(model, Waits) and not model.unasked
        assert ("*Waits for its name.*" in sections[kind]) == waits, kind
