"""`acclimate plan`: what a run would try, and what its judge could show, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.asked import Asked, TaskKind, task_of


def plan(
    recipe: Annotated[
        Path | None, typer.Argument(help="A recipe, as of `acclimate adapt`.")
    ] = None,
    task: Annotated[
        TaskKind | None, typer.Option(help="recommend, classify, regress, tag; guessed.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="A market to learn from; repeat for several.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The market to learn for.")] = None,
    label: Annotated[
        str | None, typer.Option(help="classify, regress: the column to predict.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="What decides, as of adapt.")] = None,
    labels: Annotated[
        int | None, typer.Option(help="How many labelled target rows may be used (all).")
    ] = None,
    k: Annotated[int | None, typer.Option(help="recommend: length of the lists (10).")] = None,
    strategy: Annotated[
        list[str] | None, typer.Option(help="A strategy to plan, or every; repeat.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model to plan; repeat.")] = None,
    split: Annotated[
        str | None, typer.Option(help="How the target is cut: auto, time, last or random.")
    ] = None,
    power: Annotated[
        bool,
        typer.Option(
            "--power", help="Say the smallest effect that the judge shows with 80 % chance."
        ),
    ] = False,
    budget: Annotated[float | None, typer.Option(help="Seconds for everything (300).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice (0).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what would be tried, in which order and why, without trying it."""
    from acclimate.cli.console import Console
    from acclimate.planning import planned

    asked = Asked.read(recipe) if recipe is not None else Asked()
    asked = asked.over("top", target=target, sources=source, seed=seed)
    asked = asked.over("task", kind=task, label=label, score_by=metric, k=k)
    asked = asked.over("plan", budget_seconds=budget, strategies=strategy, models=model)
    asked = asked.over("split", labels=labels, by=split)
    sources, goal = asked.markets()
    said = dict(asked.task)
    problem = task_of(said.pop("kind", None), goal, **said)
    console = Console(as_json)
    with console.listening() as listen:
        found = planned(
            problem, sources, goal, options=asked.options(), power=power, listen=listen
        )
    refused = [each.as_row() for each in found.ready.plan.refused]
    if refused:
        console.table(refused, "what does not apply, and why")
    if power:
        console.say(
            found.power.sentence
            if found.power is not None
            else "The budget ended before the power was measured; raise --budget."
        )
    console.result(found.as_row())
