"""`acclimate show`: where a version comes from, and what was done with its name."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened, spoken


def show(
    version: Annotated[
        str, typer.Argument(help="NAME, NAME@3, NAME@champion or NAME@challenger.")
    ],
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """Show a version: its markets with the fingerprints of their data, its verdict, its log."""
    from acclimate.cli.console import Console

    with opened(registry, vault) as found:
        shown = found.show(version)
        log = [asdict(entry) for entry in found.log(shown.name)]
        folder = str(found.vault.place(shown.digest))
    for entry in log:
        entry["details"] = json.loads(entry["details"])
    console = Console(as_json)
    console.say(spoken(shown))
    console.say(shown.lineage["verdict"].get("reason") or "no reason was kept")
    if shown.override is not None:
        console.say(f"released against its verdict: {shown.override}")
    for market, fingerprint in shown.lineage["fingerprints"].items():
        console.say(f"data of {market}: {fingerprint}")
    console.say(f"folder: {folder}")
    for entry in log:
        details = ", ".join(f"{key} {value}" for key, value in entry["details"].items())
        console.say(f"{entry['at']} {entry['who']}: {entry['action']} {details}")
    console.result({**shown.as_row(), "folder": folder, "log": log})
