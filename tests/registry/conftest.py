"""A registry in SQLite and the same in PostgreSQL, and small artifacts to release."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from acclimate.artifacts.artifact import save
from acclimate.registry.registry import Registry
from acclimate.strategies.catalogue import models
from tests.artifacts import made
from tests.domains.servers import Server, postgres

Run = Callable[..., Path]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A verdict and a seed → the folder of a run; equal ones share it."""

    @cache
    def contents() -> Any:
        return made.contents(tmp_path_factory.mktemp("popularity"), models()["popularity"])

    @cache
    def make(answer: str = "adopt", seed: int = 0) -> Path:
        held = contents()
        folder = tmp_path_factory.mktemp("run")
        verdict = replace(held.verdict, answer=answer)
        save(folder / "artifact", replace(held, verdict=verdict, seed=seed))
        return folder

    return make


@pytest.fixture(scope="session")
def elephant() -> Iterator[Server]:
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty registry may be made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.db'}"
    server: Server = request.getfixturevalue("elephant")
    name = f"r{secrets.token_hex(4)}"
    engine = create_engine(
        server.url().replace("://", "+psycopg://", 1), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
    engine.dispose()
    return server.url(database=name)


@pytest.fixture
def registry(url: str, tmp_path: Path) -> Iterator[Registry]:
    found = Registry(url, tmp_path / "vault", "ana")
    yield found
    found.close()
