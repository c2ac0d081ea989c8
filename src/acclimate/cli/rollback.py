"""`acclimate rollback`: put the champion before this one in front again."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened, spoken


def rollback(
    name: Annotated[str, typer.Argument(help="A name that was promoted more than once.")],
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """Go back to the champion that this one replaced; once more goes further back."""
    from acclimate.cli.console import Console

    with opened(registry, vault) as found:
        champion = found.rollback(name)
    console = Console(as_json)
    console.say(f"in front again: {spoken(champion)}")
    console.result(champion.as_row())
