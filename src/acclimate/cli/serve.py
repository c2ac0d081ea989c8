"""`acclimate serve`: champions of the registry over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.registered import Url, VaultFolder


def serve(
    name: Annotated[
        list[str] | None,
        typer.Argument(help="Released names; none: all that have a champion."),
    ] = None,
    host: Annotated[str, typer.Option(help="Others than loopback need a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name under which it is asked; repeat.")
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Requests a second of one key; 0: no bound.", min=0)
    ] = 2000.0,
    registry: Url = None,
    vault: VaultFolder = None,
) -> None:
    """Serve the champions of released models; a promotion is seen within a second."""
    from acclimate.errors import UsageError

    try:
        from acclimate.service.limits import Limits
        from acclimate.service.run import serve as start
    except ImportError as error:
        raise UsageError(
            f"Expected what serves, {error.name}, found it not installed. Install it with pip "
            'install "acclimate[serve]".'
        ) from None
    typer.echo(f"serving on http://{host}:{port}; what can be asked: /openapi.json", err=True)
    start(
        registry,
        vault,
        tuple(name or ()),
        host,
        port,
        tuple(allow_host or ()),
        Limits(rate=rate),
    )
