"""What every command of the registry is told: which one, and how to answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from acclimate.registry.registry import Registry
    from acclimate.registry.version import Version

Url = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="URL",
        help="SQLite or PostgreSQL by URL; ACCLIMATE_REGISTRY, else a file of your account.",
    ),
]
VaultFolder = Annotated[
    Path | None,
    typer.Option("--vault", help="Folder of released artifacts; beside the registry's file."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@contextmanager
def opened(url: str | None, vault: Path | None) -> Iterator[Registry]:
    """The registry, closed at the end."""
    from acclimate.registry.registry import Registry

    registry = Registry(url, vault)
    try:
        yield registry
    finally:
        registry.close()


def spoken(version: Version) -> str:
    """A version in a line."""
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    held = version.lineage
    learned = f" with {', '.join(held['sources'])}" if held["sources"] else ""
    return (
        f"{version}{aliases}: {held['task']} for {held['target']}{learned}: {held['arm']}, "
        f"{version.verdict} ({version.digest[:12]})"
    )
