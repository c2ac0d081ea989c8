"""`acclimate predict`: one door for every task."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from acclimate.plurals import number_of

OWN_SCALE = (
    "scores of users without a known history are on a scale of their own: compare scores of "
    "one user, not between users"
)


def own_scale(notes: Iterable[str]) -> bool:
    """Whether users were answered by something else than their history."""
    from acclimate.artifacts.predictor import ATTRIBUTES, COLD, ELSEWHERE, NEW

    return any(note.startswith((NEW, COLD, ELSEWHERE, ATTRIBUTES)) for note in notes)


def predict(
    artifact: Annotated[
        Path, typer.Argument(help="The artifact of a run, e.g. runs/jp/artifact.")
    ],
    table: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="A table of users, of user–item pairs, of rows or of texts."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where to write: .csv, .parquet, .jsonl, or .gz.")],
    k: Annotated[int, typer.Option(help="recommend: items in a list.", min=1)] = 10,
) -> None:
    """Answer a table: top-k for users, a score for pairs, classes or numbers for rows."""
    from acclimate import workflow
    from acclimate.domains.readers import read_file
    from acclimate.domains.writers import write_answers
    from acclimate.errors import UsageError

    if out.resolve() == table.resolve():
        raise UsageError(
            f"Expected another file for the answers than the input {str(table)!r}; found the "
            "same, which would be lost. Name another with --out."
        )
    asked = read_file(table)
    for finding in asked.findings:
        typer.echo(finding.message, err=True)
    answers = workflow.predict(artifact, asked.frame, k)
    write_answers(answers, [c for c in answers.columns if c not in asked.frame.columns], out)
    if "note" in answers.columns and "note" not in asked.frame.columns:
        noted = answers["note"].drop_nulls().replace("", None).drop_nulls()
        if noted.len():
            typer.echo(f"{noted.len():,} of these have a note, such as: {noted[0]}", err=True)
        if own_scale(noted):
            typer.echo(OWN_SCALE, err=True)
    typer.echo(f"{number_of(answers.height, 'row')} written to {out}", err=True)
