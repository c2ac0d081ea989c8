"""`acclimate report`: the page of a run, drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, e.g. runs/jp.")],
) -> None:
    """Draw the report of a run again and say where it is."""
    from acclimate.reports.report import read_summary, write_report

    summary = read_summary(run)
    write_report(summary, run / "report.html")
    typer.echo(summary["sentence"])
    typer.echo(str(run / "report.html"))
