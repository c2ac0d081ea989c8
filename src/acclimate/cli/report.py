"""`acclimate report`: the page of a run, drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, e.g. runs/jp.")],
    lang: Annotated[str, typer.Option(help="Language of the page: en, zh.")] = "en",
) -> None:
    """Draw the report of a run again and say where it is."""
    from acclimate.reports.language import language
    from acclimate.reports.report import read_summary, write_report

    say = language(lang)
    summary = read_summary(run)
    write_report(summary, run / "report.html", say)
    typer.echo(say.spoken(summary["sentence"]))
    typer.echo(str(run / "report.html"))
