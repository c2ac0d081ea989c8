"""From a verdict to what ships: refit on every target row, write the artifact and report.

Before: `plans` examined the arms.  After: the artifact is served, the report read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from acclimate.artifacts.artifact import Contents, save
from acclimate.artifacts.store import MANIFEST
from acclimate.domains.address import parse
from acclimate.domains.domain import Domain
from acclimate.domains.market import parse_spec
from acclimate.domains.markets import Market
from acclimate.domains.writers import write_table
from acclimate.errors import AcclimateError, UsageError
from acclimate.options import Options
from acclimate.plans.examine import Examined
from acclimate.plans.trial import Trial
from acclimate.reports.report import SUMMARY, read_summary, write_report
from acclimate.result import Result
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Posed, Task

ARTIFACT = "artifact"
LABEL_FIRST = "label_first.csv"
REPORT = "report.html"


def asked_of(task: Task, target: Market, out: Path) -> dict[str, Any]:
    """What a run is a run of: its task, its label and its target.

    A target's path is said from `out`, so that a project that moves stays the same.
    """
    if isinstance(target, Domain):
        where = target.name
    else:
        path, part = parse_spec(target)
        where = str(parse(path)) if isinstance(path, str) else _seen_from(out, path)
        where += f"::{part}" if part else ""
    return {"task": task.kind, "label": getattr(task, "label", None), "target": where}


def _seen_from(out: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()
    except ValueError:  # on another drive
        return path.resolve().as_posix()


def require_free(out: Path, asked: Mapping[str, Any]) -> None:
    """Refuse, before the work, a folder whose files of our names would be lost.

    asked  as `asked_of` says; an earlier run of the same is what may be replaced

    Raises UsageError where they are somebody else's, with no run of ours beside them, or
    where they are a run for another target, task or label.
    """
    if (out / ARTIFACT / MANIFEST).is_file():
        earlier = _earlier(out)
        if earlier is not None and earlier != dict(asked):
            raise UsageError(
                f"Expected a new folder, or an earlier run of {_spoken(asked, out)}, at "
                f"{str(out)!r}; found a run of {_spoken(earlier, out)}, which would be lost. "
                "Name another folder with --out, or remove that one."
            )
        return
    found = [name for name in (REPORT, SUMMARY, LABEL_FIRST) if (out / name).exists()]
    if found:
        raise UsageError(
            f"Expected a new folder, or that of an earlier run, at {str(out)!r}; found "
            f"{', '.join(found)} there and no artifact beside. Name another folder with --out, "
            "or move what is there."
        )


def _earlier(out: Path) -> dict[str, Any] | None:
    """What the run that stands in a folder was asked for; None where nothing tells."""
    try:
        asked = read_summary(out).get("asked")
    except AcclimateError:
        return None  # a damaged summary is mended by running again
    return asked if isinstance(asked, dict) else None


def _spoken(asked: Mapping[str, Any], out: Path) -> str:
    label = f" of {asked['label']!r}" if asked.get("label") else ""
    return f"{asked.get('task')}{label} for {as_typed(str(asked.get('target')), out)!r}"


def as_typed(target: str, out: Path) -> str:
    """A target that is kept as seen from `out`, as one would type it here: from the working
    directory where it lies below that, else whole."""
    path, mark, part = target.partition("::")
    place = (out / path).resolve()
    if "://" in path or not place.exists():
        return target
    here = Path.cwd().resolve()
    shown = place.relative_to(here) if place.is_relative_to(here) else place
    return f"{shown.as_posix()}{mark}{part}"


def refitted(
    examined: Examined, posed: Posed, options: Options, rng: Rng
) -> tuple[Fitted, Trial]:
    """Refit what the verdict says on every target row."""
    answer = examined.verdict.answer
    take = answer == "adopt" or (answer == "provisional" and not posed.problem.labelled)
    if options.when_unsure == "best-guess" and answer in ("not-enough-data", "provisional"):
        take = examined.verdict.likelier
    shipped = examined.chosen if take and examined.chosen is not None else examined.baseline
    problem = posed.whole if options.refit else posed.problem
    return shipped.arm.fit(problem, rng.child("ship")), shipped


def write(
    out: Path,
    summary: dict[str, Any],
    examined: Examined,
    posed: Posed,
    fitted: Fitted,
    target: Domain,
    sources: Sequence[Domain],
) -> Result:
    """Artifact first, then summary and report: what is named exists."""
    artifact, report, first = out / ARTIFACT, out / REPORT, out / LABEL_FIRST
    summary |= {"artifact": str(artifact), "report": str(report)}
    contents = Contents.of(
        posed,
        fitted,
        target,
        sources,
        arm=summary["shipped"]["arm"],
        settings=summary["shipped"]["settings"],
        verdict=examined.verdict,
        plan=summary["plan"],
        seed=summary["seed"],
        threads=settings().threads,
    )
    save(artifact, contents)
    if examined.first:
        write_table(asked_first(target, examined.first), first)
        summary["label_first"] = str(first)
        summary["notes"] = [*summary["notes"], f"which rows to label first: {first}"]
    else:
        first.unlink(missing_ok=True)  # of a run before this one
    write_report(summary, report)
    return Result(summary, examined.verdict, fitted, artifact, report)


def asked_first(target: Domain, rows: Sequence[int]) -> pl.DataFrame:
    """The target's rows to label first, with the number of each in its table, from 1.

    The number's column is `row`, with as many `_` behind as tell it from the table's own.
    """
    table = target.tables["rows"].drop("label", strict=False)
    name = "row"
    while name in table.columns:
        name += "_"
    return table[list(rows)].insert_column(0, pl.Series(name, [row + 1 for row in rows]))
