"""`acclimate check`: what was understood of each market."""

from __future__ import annotations

from typing import Annotated

import typer


def check(
    markets: Annotated[
        list[str], typer.Argument(help="Folders, files, or slices FILE::COLUMN=VALUE.")
    ],
    label: Annotated[str | None, typer.Option(help="The label column of rows.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what was understood: tables, roles, types, rows, and problems found."""
    from acclimate.cli.console import Console
    from acclimate.domains.market import open_market
    from acclimate.result import describe
    from acclimate.tasks.classify import Classify
    from acclimate.workflow import hints_of

    console = Console(as_json)
    hints = hints_of(Classify(label=label)) if label else None
    domains = [open_market(market, hints) for market in markets]
    for domain in domains:
        console.market(domain)
    console.result({"markets": [describe(domain) for domain in domains]})
