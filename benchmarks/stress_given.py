"""What sources give away in the stress benchmark: rows, a Gram matrix, or what they learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from acclimate.artifacts.artifact import Contents, save
from acclimate.artifacts.given import open_artifact
from acclimate.domains.domain import Domain
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.models.model import Model
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.tasks.task import Posed, Task
from acclimate.verdicts.verdict import provisional


def with_shares(posed: Posed, shares: str) -> Posed:
    """The same problem with sources that let nothing else be read."""
    sources = [replace(s, shares=frozenset({shares})) for s in posed.problem.sources]
    return replace(posed, problem=posed.problem.with_sources(sources))


def artifacts(
    task: Task, posed: Posed, sources: Sequence[Domain], folder: Path, rng: Rng
) -> list[Domain]:
    """What a first run on the sources alone leaves behind, saved and opened again.

    Rows: an artifact for each model, of all sources pooled, as they were at the target's
    clock.  Events: the item–item matrix of each source.

    posed   the target with the sources' rows, for its clock
    """
    if task.form == "items":
        groups = [(f"{source.name} matrix", [source], "ease") for source in sources]
    else:
        known = [source.before(latest(posed)) for source in sources]
        kinds = [kind for kind, model in models().items() if model.form == task.form]
        groups = [(f"{kind} artifact", known, kind) for kind in kinds]
    found = []
    for name, domains, kind in groups:
        place = folder / name
        learned(task, domains, models()[kind], place, rng.child(name))
        found.append(replace(open_artifact(place, task.kind), name=name))
    return found


def learned(task: Task, domains: Sequence[Domain], model: Model, place: Path, rng: Rng) -> None:
    """Tune and fit one model on all domains, and save it."""
    market, *others = domains
    posed = task.pose(market, others, Cut(), rng.child("pose"))
    arm = Arm(named("pooled" if others else "target-only"), model)
    tuned = tune(
        arm, posed.task, arm.encoded(posed.problem), rng.child("tune"), cross_fit=False
    ).arm
    contents = Contents.of(
        posed,
        tuned.fit(posed.whole, rng.child("fit")),
        market,
        others,
        arm=tuned.name,
        settings=tuned.settings,
        verdict=provisional(arm=tuned.name, metric=posed.task.metric.name),
        plan=[],
        seed=0,
    )
    save(place, contents)


def latest(posed: Posed) -> datetime | None:
    """The last moment that the problem's sources know, None where there is no time."""
    held = [s.held for s in posed.problem.sources if isinstance(s.held, Rows)]
    times = [float(np.nanmax(rows.time)) for rows in held if rows.time is not None]
    if not times:
        return None
    return datetime(1970, 1, 1) + timedelta(microseconds=round(max(times) * 1e6))


def without_labels(domain: Domain) -> Domain:
    """The domain with every label unknown."""
    unknown = domain.tables["rows"].with_columns(pl.lit(None, pl.String).alias("label"))
    return replace(domain, tables={**domain.tables, "rows": unknown})
