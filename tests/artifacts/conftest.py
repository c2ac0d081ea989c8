"""Artifacts are fitted once and shared; tests copy what they change."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from acclimate.artifacts.artifact import Contents, save
from acclimate.strategies.catalogue import models
from tests.artifacts import made

Make = Callable[[str], Contents]


@pytest.fixture(scope="session")
def contents_of(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A model's kind → what its artifact holds."""

    @cache
    def make(kind: str) -> Contents:
        model = models()[kind]
        if (why := model.why_not()) is not None:
            pytest.skip(why)
        return made.contents(tmp_path_factory.mktemp(kind), model)

    return make


@pytest.fixture
def ease(contents_of: Make) -> Contents:
    return contents_of("ease")


@pytest.fixture
def linear(contents_of: Make) -> Contents:
    return contents_of("linear")


@pytest.fixture
def folder(tmp_path: Path, ease: Contents) -> Path:
    """A saved artifact with histories."""
    save(tmp_path / "place" / "artifact", ease)
    return tmp_path / "place" / "artifact"
