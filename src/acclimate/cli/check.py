"""`acclimate check`: what was understood of each market, and what to mend."""

from __future__ import annotations

from typing import Annotated

import typer


def check(
    markets: Annotated[
        list[str],
        typer.Argument(help="Folders, files, databases, slices FILE::COLUMN=VALUE, artifacts."),
    ],
    label: Annotated[str | None, typer.Option(help="The label column of rows.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the samples of long tables.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what was understood: tables, roles, types, rows, and problems found.

    Several markets are compared, too.  One that cannot be read does not hide the others;
    the exit code is then 3.
    """
    from dataclasses import asdict

    from acclimate.artifacts.given import artifact_at, open_artifact
    from acclimate.cli.console import Console
    from acclimate.domains.checks import checked
    from acclimate.domains.market import open_market
    from acclimate.domains.together import compare
    from acclimate.errors import DataError, without_password
    from acclimate.posing import hints_of
    from acclimate.result import describe
    from acclimate.rng import Rng
    from acclimate.tasks.classify import Classify

    console = Console(as_json)
    hints = hints_of(Classify(label=label)) if label else None
    domains, failed = [], []
    for market in markets:
        try:
            folder = artifact_at(market)
            if folder is None:
                domain = checked(open_market(market, hints), Rng.of(seed))
            else:
                domain = open_artifact(folder)
        except DataError as error:
            if len(markets) == 1:
                raise
            shown = without_password(market)
            failed.append({"market": shown, "error": str(error)})
            typer.echo(f"error: {shown}: {error}", err=True)
        else:
            console.market(domain)
            domains.append(domain)
    together = compare([domain for domain in domains if domain.learned is None])
    if together:
        console.say("together")
        console.findings(together)
    described = [describe(domain) for domain in domains]
    console.result(
        {
            "markets": described,
            "together": [asdict(finding) for finding in together],
            "failed": failed,
        }
    )
    if failed:
        raise typer.Exit(DataError.exit_code)
