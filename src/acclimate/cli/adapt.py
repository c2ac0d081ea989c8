"""`acclimate adapt`: learn for a target, and know whether it helped."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.asked import Asked, TaskKind, task_of
from acclimate.errors import NotAdopted, UsageError


def adapt(
    recipe: Annotated[
        Path | None,
        typer.Argument(help="A recipe: a TOML file that says what these options say."),
    ] = None,
    task: Annotated[
        TaskKind | None,
        typer.Option(help="What is predicted; guessed from the target without it."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="A market to learn from, or a run's artifact; repeat for several."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="The market to learn for: a folder, a file, FILE::COLUMN=VALUE, a database."
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="classify, regress: the column to predict.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="classify: the class that pr-auc and the like are about.")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="classify, regress: a column with another label, to learn with; repeat."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="What decides. classify: log-loss, pr-auc, roc-auc, accuracy; "
            "regress: rmse, mae, r2, pinball."
        ),
    ] = None,
    level: Annotated[
        float | None, typer.Option(help="regress: the quantile that pinball is about (0.5).")
    ] = None,
    labels: Annotated[
        int | None,
        typer.Option(
            help="classify, regress: how many labelled target rows may be used (all)."
        ),
    ] = None,
    k: Annotated[int | None, typer.Option(help="recommend: length of the lists (10).")] = None,
    behaviour: Annotated[
        str | None,
        typer.Option(help="recommend: the kind of events to recommend for, such as order."),
    ] = None,
    budget: Annotated[float | None, typer.Option(help="Seconds for everything (300).")] = None,
    refuse_harm: Annotated[
        bool | None,
        typer.Option(
            "--refuse-harm", help="Keep target-only where a named group of units is hurt."
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Search so many settings, beyond the grids (the grids alone)."),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="A strategy to try besides the baselines, or every; repeat."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model to try; repeat. Without it, all that serve the task but "
            "a few that wait for their name."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="How the target is cut to judge: auto, time, last or random (auto)."),
    ] = None,
    when_unsure: Annotated[
        str | None,
        typer.Option(
            help="What ships without a clear answer: target-only or best-guess (target-only)."
        ),
    ] = None,
    crosswalk: Annotated[
        str | None,
        typer.Option(
            help="A table of pairs that gives the sources the target's ids; "
            "`acclimate crosswalk` makes one."
        ),
    ] = None,
    accept: Annotated[
        float | None,
        typer.Option(help="0 … 1: confidence from which unconfirmed pairs are used."),
    ] = None,
    launch: Annotated[
        Path | None,
        typer.Option(
            help="A table of new items to recommend from now on; without markets, "
            "in the run at --out."
        ),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder to write to (runs/TARGET).")] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with an unfinished run at --out: keep its finished trials."
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice (0).")] = None,
    lang: Annotated[str, typer.Option(help="Language of the report: en, zh.")] = "en",
    require_adopt: Annotated[
        bool, typer.Option("--require-adopt", help="Exit 4 unless the verdict is adopt.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Try the ways to transfer, judge the best against doing without, and ship the winner."""
    from acclimate import workflow
    from acclimate.cli.console import Console
    from acclimate.reports.language import language
    from acclimate.reports.report import write_report

    say = language(lang)
    asked = Asked.read(recipe) if recipe is not None else Asked()
    asked = asked.over("top", target=target, sources=source, out=out, seed=seed)
    asked = asked.over("top", crosswalk=crosswalk, accept=accept)
    asked = asked.over("task", kind=task, label=label, positive=positive, score_by=metric, k=k)
    asked = asked.over("task", also=also, level=level, behaviour=behaviour)
    asked = asked.over(
        "plan",
        budget_seconds=budget,
        trials=trials,
        refuse_harm=refuse_harm,
        strategies=strategy,
        models=model,
        when_unsure=when_unsure,
    )
    asked = asked.over("split", labels=labels, by=split)
    if launch is not None and recipe is None and not (source or target):
        launched(launch, out, as_json)
        return
    sources, goal = asked.markets()
    options = asked.options()
    said = dict(asked.task)
    problem = task_of(said.pop("kind", None), goal, **said)
    folder = Path(asked.top.get("out") or Path("runs") / default_name(goal))
    require_writable(folder)
    console = Console(as_json)
    with console.listening() as listen:
        result = workflow.adapt(
            problem,
            sources,
            goal,
            out=folder,
            options=options,
            resume=resume,
            listen=listen,
        )
    if lang != "en" and result.report is not None:
        write_report(result.summary, result.report, say)
    if launch is not None:
        found = workflow.launch(folder, launch)
        result = replace(result, summary={**result.summary, "launch": found.as_row()})
        sys.stderr.write(f"{found}\n")
    console.finish(result)
    if require_adopt and result.verdict.answer != "adopt":
        raise NotAdopted(
            f"Expected the verdict adopt; found {result.verdict.answer}. "
            f"{result.verdict.sentence}"
        )


def launched(items: Path, out: str | None, as_json: bool) -> None:
    """Launch items into a run that is there; nothing is trained."""
    from acclimate import workflow

    if out is None:
        raise UsageError(
            "Expected the folder of a run to launch into, or markets to adapt first; found "
            "neither. Name the run with --out, or give --source and --target."
        )
    found = workflow.launch(out, items)
    print(json.dumps(found.as_row(), ensure_ascii=False) if as_json else found)


def require_writable(folder: Path) -> None:
    """Refuse a place that cannot be written before minutes go into what should lie there."""
    found = next(
        (each for each in (folder, *folder.absolute().parents) if os.path.lexists(each)), None
    )
    if found is None or not found.is_dir() or not os.access(found, os.W_OK | os.X_OK):
        why = "nothing" if found is None else str(found)
        raise UsageError(
            f"Expected a folder that can be written to at {str(folder)!r}; found {why!r}, "
            "which is none. Name another with --out."
        )


def default_name(target: str) -> str:
    """A folder name for a target that was given as a path, a database or a slice."""
    from acclimate.domains.address import parse
    from acclimate.domains.market import parse_spec

    path, part = parse_spec(target)
    name = parse(path).name if isinstance(path, str) else path.name
    kept = [c if c.isalnum() or c in "-_" else "-" for c in name]
    tail = str(part) if part else ""
    kept += [c if c.isalnum() or c in "-_" else "-" for c in f"-{tail}"] if tail else []
    return "".join(kept).strip("-") or "target"
