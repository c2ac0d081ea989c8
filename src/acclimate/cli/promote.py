"""`acclimate promote`: put a version in front."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened, spoken


def promote(
    name: Annotated[str, typer.Argument(help="A name that was released.")],
    version: Annotated[str, typer.Argument(help="Its number, challenger or latest.")],
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """Make a version the champion, which is what is served."""
    from acclimate.cli.console import Console

    with opened(registry, vault) as found:
        champion = found.promote(name, version)
    console = Console(as_json)
    console.say(f"in front: {spoken(champion)}")
    console.result(champion.as_row())
