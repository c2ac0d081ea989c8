"""`acclimate key`: make, list and revoke the keys of the service."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened


def key(
    role: Annotated[
        str | None, typer.Option(help="Make one: read, predict, feedback, release or admin.")
    ] = None,
    market: Annotated[str, typer.Option(help="A released name; * for all.")] = "*",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    revoke: Annotated[str | None, typer.Option(help="Take this one out of force.")] = None,
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """Make a key, shown once; revoke one; or list them all."""
    from acclimate.cli.console import Console
    from acclimate.errors import UsageError
    from acclimate.service.keys import Keys

    if role is not None and revoke is not None:
        raise UsageError("Expected one of --role and --revoke; found both. Leave one out.")
    console = Console(as_json)
    with opened(registry, vault) as found:
        keys = Keys(found)
        if role is not None:
            made, secret = keys.make(role, market, label)
            console.say(f"{secret}\nshown this once; only its hash is kept (id {made.id})")
            console.result({**made.as_row(), "key": secret})
            return
        if revoke is not None:
            keys.revoke(revoke)
            console.say(f"revoked {revoke}")
        rows = [each.as_row() for each in keys.all()]
    if rows and revoke is None:
        console.table([{k: v or "" for k, v in row.items()} for row in rows], "keys")
    console.result({"keys": rows})
