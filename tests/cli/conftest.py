"""The command line in this process, with the models that are quick to fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from acclimate.strategies import catalogue
from tests.cli.calls import Call, Markets, caller

EVERY = catalogue.MODELS


def keep_models(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    """Leave only these models in the catalogue."""
    kept = tuple(model for model in EVERY if model.kind in kinds)
    assert len(kept) == len(kinds)
    monkeypatch.setattr(catalogue, "MODELS", kept)
    catalogue.models.cache_clear()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks and trees take seconds; what is tested here does not depend on them."""
    keep_models(monkeypatch, "popularity", "ease", "linear")
    yield
    monkeypatch.undo()
    catalogue.models.cache_clear()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    return caller(monkeypatch, capsys)


@pytest.fixture
def markets(tmp_path: Path) -> Markets:
    return Markets(tmp_path)
