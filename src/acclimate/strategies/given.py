"""Sources that are artifacts: a fitted model, and rows that nobody sees.

What a strategy may do with one: serve it, start from it, take it as a prior, or
mix its answers with others.  One model can be started from at a time.
"""

from __future__ import annotations

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.models.model import Model


def serves_fitted(source: Source) -> bool:
    """Whether a source gives a fitted model of rows instead of its rows."""
    return source.fitted is not None and "fitted" in source.shares


def learned_elsewhere(problem: Problem) -> Model | None:
    """The fitted model of a problem's only source, or None where sources give rows."""
    if len(problem.sources) == 1 and serves_fitted(problem.sources[0]):
        model: Model = problem.sources[0].fitted.model
        return model
    return None


def unlike(problem: Problem, model: Model) -> str | None:
    """Why the fitted models among the sources cannot stand for `model`, or None."""
    given = [source for source in problem.sources if serves_fitted(source)]
    if not given:
        return None
    if len(problem.sources) > 1:
        return f"{given[0].name!r} is a fitted model, which is used alone or not at all"
    found = given[0].fitted.model
    if found.kind != model.kind:
        return f"source {given[0].name!r} is a fitted {found.kind}, not {model.kind}"
    if not isinstance(problem.fit, Rows):
        return f"source {given[0].name!r} knows another catalogue; its items can be a prior"
    classes = tuple(given[0].fitted.encoder.classes)
    if classes != problem.fit.classes:
        return (
            f"source {given[0].name!r} tells apart {', '.join(classes)}, and the target "
            f"{', '.join(problem.fit.classes)}"
        )
    return None
