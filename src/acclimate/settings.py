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
    """Surroundings of a run; nothing here changes what a method computes."""

    model_config = SettingsConfigDict(env_prefix="ACCLIMATE_", extra="ignore")

    home: Path = Field(default_factory=_home)  # keeps the ledger of judge looks
    data: Path = Path("../shared/data")  # real data for tests and benchmarks
    threads: int = Field(default=0, ge=0)  # 0: as many as the machine has
    max_bytes: int = Field(default=8 * 2**30, gt=0)  # largest input file, on disk


@cache
def settings() -> Settings:
    """The settings of this process, read at the first call."""
    return Settings()
