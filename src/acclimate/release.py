"""From a verdict to what ships: refit on every target row, write the artifact and report.

Before: `plans` examined the arms.  After: the artifact is served, the report read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from acclimate.artifacts.artifact import Contents, save
from acclimate.artifacts.store import MANIFEST
from acclimate.domains.domain import Domain
from acclimate.domains.writers import write_table
from acclimate.errors import UsageError
from acclimate.options import Options
from acclimate.plans.examine import Examined
from acclimate.plans.runner import Trial
from acclimate.reports.report import SUMMARY, write_report
from acclimate.result import Result
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Posed

ARTIFACT = "artifact"
LABEL_FIRST = "label_first.csv"
REPORT = "report.html"


def require_free(out: Path) -> None:
    """Refuse, before the work, a folder whose files of our names are somebody else's.

    Raises UsageError where there is one and no run of ours beside it.
    """
    if (out / ARTIFACT / MANIFEST).is_file():
        return
    found = [name for name in (REPORT, SUMMARY, LABEL_FIRST) if (out / name).exists()]
    if found:
        raise UsageError(
            f"Expected a new folder, or that of an earlier run, at {str(out)!r}; found "
            f"{', '.join(found)} there and no artifact beside. Name another folder with --out, "
            "or move what is there."
        )


def refitted(
    examined: Examined, posed: Posed, options: Options, rng: Rng
) -> tuple[Fitted, Trial]:
    """Refit what the verdict says on every target row."""
    answer = examined.verdict.answer
    take = answer == "adopt" or (answer == "provisional" and not posed.problem.labelled)
    take = take or (
        options.when_unsure == "best-guess" and answer in ("not-enough-data", "provisional")
    )
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
    """The target's rows to label first, with the number of each in its table, from 1."""
    table = target.tables["rows"].drop("label", strict=False)
    chosen = table[list(rows)]
    return chosen.insert_column(0, pl.Series("row", [row + 1 for row in rows]))
