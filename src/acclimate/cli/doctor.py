"""`acclimate doctor`: is everything that was released whole?"""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what no version names.")
    ] = False,
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """Verify every released artifact, every alias and the audit log; exit code 7 if not."""
    from dataclasses import asdict

    from acclimate.cli.console import Console
    from acclimate.errors import IntegrityError
    from acclimate.registry.doctor import examine

    with opened(registry, vault) as found:
        health = examine(found, repair)
    console = Console(as_json)
    console.say(health.sentence)
    for each in health.findings:
        console.say(f"{'removed' if each.mended else each.level}: {each.what}")
    console.result({**asdict(health), "well": health.well})
    if not health.well:
        raise typer.Exit(IntegrityError.exit_code)
