"""A registry with a recommender and a classifier in front, and the gate over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="FastAPI is absent; install .[serve]")
pytest.importorskip("msgspec", reason="msgspec is absent; install .[serve]")

from acclimate.artifacts.artifact import save
from acclimate.registry.registry import Registry
from acclimate.service.gate import Gate
from acclimate.service.run import gate_of
from acclimate.strategies.catalogue import models
from tests.artifacts import made


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model's kind and a seed → the folder of a run."""

    @cache
    def contents(kind: str) -> Any:
        return made.contents(tmp_path_factory.mktemp(kind), models()[kind])

    @cache
    def make(kind: str = "ease", seed: int = 0) -> Path:
        held = contents(kind)
        folder = tmp_path_factory.mktemp("run")
        verdict = replace(held.verdict, answer="adopt")
        save(folder / "artifact", replace(held, verdict=verdict, seed=seed))
        return folder

    return make


@pytest.fixture
def registry(tmp_path: Path, runs: Any) -> Iterator[Registry]:
    found = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    for name, kind in (("jp", "ease"), ("fraud", "linear")):
        found.release(runs(kind), name)
        found.promote(name, "1")
    yield found
    found.close()


@pytest.fixture
def gate(registry: Registry) -> Gate:
    return gate_of(registry)
