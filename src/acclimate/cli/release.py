"""`acclimate release`: give a run's artifact a name and a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened, spoken


def release(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or its artifact.")],
    name: Annotated[str, typer.Option(help="What it is served as, e.g. jp-recommend.")],
    override: Annotated[
        str | None,
        typer.Option(help="Why, where the verdict is neither adopt nor keep-target-only."),
    ] = None,
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """Release a run's artifact as the next version of a name, its challenger."""
    from acclimate.cli.console import Console

    with opened(registry, vault) as found:
        version = found.release(run, name, override)
    console = Console(as_json)
    console.say(f"released {spoken(version)}")
    console.say(f"put it in front: acclimate promote {version.name} {version.number}")
    console.result(version.as_row())
