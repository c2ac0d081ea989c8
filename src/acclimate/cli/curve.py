"""`acclimate curve`: what the target's labels buy, with transfer and without."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def curve(
    run: Annotated[Path, typer.Argument(help="The folder of a run, e.g. runs/jp.")],
    labels: Annotated[
        list[int] | None,
        typer.Option(help="A number of labels to fit on; repeat. Six are chosen without it."),
    ] = None,
    draws: Annotated[int, typer.Option(help="Random draws of labels, at most.")] = 10,
    budget: Annotated[float, typer.Option(help="Seconds for everything.")] = 120.0,
    source: Annotated[
        list[str] | None,
        typer.Option(help="In the place of the run's markets, where these cannot be opened."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Likewise, of its target.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the report: en, zh.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """How many labels a run's transfer is worth, and when it stops paying."""
    from acclimate import curves
    from acclimate.cli.console import Console
    from acclimate.reports.language import language

    console = Console(as_json)
    say = language(lang)
    with console.listening() as listen:
        found = curves.curve(
            run,
            sources=source or (),
            target=target,
            labels=labels or (),
            draws=draws,
            budget_seconds=budget,
            language=say,
            listen=listen,
        )
    console.curve(found.summary)
    console.result(found.summary)
