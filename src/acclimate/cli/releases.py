"""`acclimate releases`: what was released."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened


def releases(
    name: Annotated[str | None, typer.Argument(help="Of this name only.")] = None,
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """List every version, the newest of a name first."""
    from acclimate.cli.console import Console

    with opened(registry, vault) as found:
        versions = found.releases(name)
    console = Console(as_json)
    if not versions:
        console.say("nothing released yet: acclimate release RUN --name NAME")
    else:
        rows = [
            {
                "version": str(each),
                "stands as": ", ".join(each.aliases),
                "verdict": each.verdict,
                "arm": each.lineage["arm"],
                "released": each.released_at,
            }
            for each in versions
        ]
        console.table(rows, "releases")
    console.result({"versions": [each.as_row() for each in versions]})
