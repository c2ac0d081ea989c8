"""A target that takes a moment to tune on: numbers and a category, no text."""

from __future__ import annotations

import pytest

from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_rows
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed


@pytest.fixture(scope="session")
def small_rows() -> Posed:
    """60 rows to fit on, 20 to choose on, 40 to judge on, and one source of 90."""
    key = Rng.of(5)
    target = make_rows(key.child("t"), 120, name="target").domain
    source = make_rows(key.child("s"), 90, name="near").domain
    return Classify().pose(target, [source], Cut(cross_below=20), key)
