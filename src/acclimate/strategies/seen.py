"""What of a problem's rows a strategy may see, and what it lacks."""

from __future__ import annotations

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows


def own_rows(problem: Problem) -> list[Rows]:
    """The target's rows that may be seen: those to fit on, and those without labels."""
    samples = (problem.fit, problem.unlabelled)
    return [each for each in samples if isinstance(each, Rows) and each.n]


def source_rows(problem: Problem) -> list[Rows]:
    """The rows of each source that has any."""
    samples = (source.sample for source in problem.sources)
    return [each for each in samples if isinstance(each, Rows)]


def teaches_nothing(problem: Problem) -> str | None:
    """Why a source has nothing to learn from, or None."""
    for source in problem.sources:
        rows = source.sample
        if not isinstance(rows, Rows) or rows.label is None or not rows.n:
            return f"source {source.name!r} has no labelled rows to learn from"
    return None
