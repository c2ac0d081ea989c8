"""What the surroundings decide, read once: from `ACCLIMATE_*` variables."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _home() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "acclimate"


class Settings(BaseSettings):
    """Surroundings of a run; but for `encoder`, nothing here changes what a method computes."""

    model_config = SettingsConfigDict(env_prefix="ACCLIMATE_", extra="ignore")

    home: Path = Field(default_factory=_home)  # keeps the ledger of judge looks
    registry: str = ""  # URL of the registry; "": a file under `home`
    vault: Path | None = None  # folder of released artifacts; None: beside the registry's file
    data: Path = Path("../shared/data")  # real data for tests and benchmarks
    # More than one thread on a shared machine is slower, not faster: BLAS and LightGBM
    # spin while they wait for a core.  One is the default everywhere; equality of results
    # is promised for equal threads.
    threads: int = Field(default=1, ge=1)
    # Trials at once, of so many threads each, as far as there are cores.
    workers: int = Field(default=1, ge=1)
    # Where finished trials are kept until their run ends: a URL of PostgreSQL; else a file
    # of SQLite in the run's folder.
    trials: str | None = None
    encoder: str = "all-MiniLM-L6-v2"  # name or folder of what `transformer` reads texts with
    max_bytes: int = Field(default=8 * 2**30, gt=0)  # largest input file, on disk


@cache
def settings() -> Settings:
    """The settings of this process, read at the first call."""
    return Settings()
