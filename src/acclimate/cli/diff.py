"""`acclimate diff`: what differs between two versions."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.registered import Json, Url, VaultFolder, opened


def diff(
    a: Annotated[str, typer.Argument(help="A version, e.g. jp-recommend@1.")],
    b: Annotated[str, typer.Argument(help="Another, e.g. jp-recommend@challenger.")],
    registry: Url = None,
    vault: VaultFolder = None,
    as_json: Json = False,
) -> None:
    """Compare two versions: data, sources, way of learning, verdict."""
    from acclimate.cli.console import Console
    from acclimate.registry.compare import diff as compared

    with opened(registry, vault) as found:
        left, right = found.show(a), found.show(b)
    rows = compared(left, right)
    console = Console(as_json)
    if rows:
        named = [{"what": r["what"], str(left): r["a"], f"{right} ": r["b"]} for r in rows]
        console.table(named, f"{left} and {right}")
    else:
        console.say(f"{left} and {right} are the same artifact")
    console.result({"a": str(left), "b": str(right), "differs": rows})
