"""`acclimate gap`: how far each source is from the target."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.asked import TaskKind, task_of


def gap(
    source: Annotated[list[str], typer.Option(help="A source market; repeat for several.")],
    target: Annotated[str, typer.Option(help="The target market.")],
    task: Annotated[
        TaskKind | None, typer.Option(help="recommend, classify, regress, tag; guessed.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The label column of rows.")] = None,
    crosswalk: Annotated[
        str | None, typer.Option(help="Pairs that give the sources the target's ids.")
    ] = None,
    accept: Annotated[
        float | None, typer.Option(help="Confidence from which unconfirmed pairs are used.")
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Every market as a target of all others, in turn.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure how far each source is from the target, and say what differs."""
    from acclimate.cli.console import Console
    from acclimate.errors import without_password
    from acclimate.options import Options
    from acclimate.workflow import assess

    console = Console(as_json)
    asked = task_of(task, target, label=label)
    options = Options(seed=seed, crosswalk=crosswalk, accept=accept)
    if matrix:
        from acclimate.distances import distances

        table = distances(asked, [target, *source], options)
        shown = [
            {
                name: "" if value is None else value if name == "source" else f"{value:.3g}"
                for name, value in row.items()
            }
            for row in table.as_rows()
        ]
        console.table(shown, f"{table.measure}: a row a source, a column a target")
        for name, why in table.why.items():
            console.say(f"{name} is no target: {why}")
        console.result(
            {"measure": table.measure, "matrix": table.as_rows(), "left_out": table.why}
        )
        return
    found = assess(asked, source, target, options)
    console.gap(found)
    console.result(
        {
            "target": without_password(target),
            "sources": [without_password(each) for each in source],
            "gap": [each.as_row() for each in found],
        }
    )
