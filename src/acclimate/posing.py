"""From markets to a plan: what is asked, how far the sources are, and what will be tried.

Before: `cli` or a caller names markets.  After: `workflow` tries the plan, and `curves` asks
the same again of fewer labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from acclimate.artifacts.given import open_sources, require_market, require_unseen
from acclimate.domains.crosswalk import join, read_crosswalk
from acclimate.domains.domain import Domain
from acclimate.domains.markets import Market, open_markets
from acclimate.domains.schema import SchemaHints
from acclimate.domains.together import currencies
from acclimate.errors import BudgetError, UsageError
from acclimate.gaps.gap import Gap
from acclimate.options import Options
from acclimate.plans.agreement import agreeing, agreements
from acclimate.plans.assess import assess
from acclimate.plans.budget import Budget, growth
from acclimate.plans.halving import SCREENING, halved
from acclimate.plans.plan import Plan, plan, require_teacher
from acclimate.plans.prior import shipped
from acclimate.rng import Rng
from acclimate.strategies.catalogue import arms
from acclimate.tasks.task import Posed, Task

Listener = Callable[[str, Any], None]
"""Called with a stage ("markets", "gap", "plan", "trial", "verdict", …) and its value."""


def silent(stage: str, value: Any) -> None:
    """A listener that hears nothing."""


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is tried.

    posed     without the sources that contradict the target
    target    its market; sources theirs, those that contradict included
    gap       how far each source is
    left_out  why sources were left out, a sentence each
    """

    posed: Posed
    target: Domain
    sources: list[Domain]
    gap: list[Gap]
    plan: Plan
    left_out: list[str]


def prepare(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    options: Options,
    rng: Rng,
    listen: Listener,
    budget: Budget,
) -> Prepared:
    """Read the markets, cut the target, measure the gap and order what may be tried.

    budget  is told how many observations what ships is fitted on

    Raises AcclimateError with what to do for anything the caller can mend.
    """
    # A model of another task is refused before minutes go into reading.
    known = arms(task.form, options.strategies, options.models)
    posed, into, domains = pose(task, sources, target, options, rng, listen)
    listen("posed", posed)
    budget.twice = not posed.problem.labelled
    if options.refit:
        budget.growth = growth(posed)
    if budget.left < 0:
        raise BudgetError(
            f"Expected to try at least one arm within {budget.seconds:g} s; reading the "
            f"markets alone took {budget.spent:.0f} s. Raise --budget."
        )
    gap = assess(posed.task, posed.problem, rng.child("gap"))
    agreed = agreements(posed.problem, rng.child("agreement"))
    gap += [each.gap() for each in agreed]
    listen("gap", gap)
    posed = replace(
        posed,
        problem=agreeing(posed.problem, agreed),
        whole=agreeing(posed.whole, agreed),
    )
    left_out = [each.sentence for each in agreed if each.contradicts]
    planned = plan(posed.problem, known, gap, left_out)
    require_teacher(planned, posed.problem)
    if options.strategies is None:  # what a person names is tried
        heard = partial(listen, "screening")
        tick = budget.part(SCREENING)
        planned = halved(planned, shipped(), posed.task, posed.problem, rng, tick, heard)
    listen("plan", planned)
    return Prepared(posed, into, domains, gap, planned, left_out)


def pose(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    options: Options,
    rng: Rng,
    listen: Listener = silent,
) -> tuple[Posed, Domain, list[Domain]]:
    """The task on the target, with the markets it was read from: target, sources."""
    if isinstance(sources, str | Path | Domain):
        sources = [sources]
    if not sources and getattr(task, "behaviour", None) is None:
        raise UsageError("Expected at least one source; found none. Name one with --source.")
    require_market(target)
    opened = open_sources(sources, task.kind)
    hints = hints_of(task)
    own = [replace(hints, may_lack=frozenset({"label"})) if hints else None]
    target_domain, *source_domains = open_markets([target, *opened], hints, own)
    require_unseen(target_domain, source_domains)
    if options.crosswalk is not None:
        crosswalk = read_crosswalk(options.crosswalk, options.accept)
        tabled = [each for each in source_domains if each.learned is None]
        joined = iter(join(tabled, crosswalk, target_domain))
        # What an artifact learned keeps the ids it was learned under.
        source_domains = [s if s.learned is not None else next(joined) for s in source_domains]
    listen("markets", [target_domain, *source_domains])
    posed = task.pose(target_domain, source_domains, options.cut, rng.child("pose"))
    unlike = [finding.message for finding in currencies([target_domain, *source_domains])]
    posed = replace(posed, notes=(*posed.notes, *unlike))
    return posed, target_domain, source_domains


def hints_of(task: Task) -> SchemaHints | None:
    """What a task says about a market's columns: which one is the label."""
    label = getattr(task, "label", None)
    return SchemaHints(roles={"rows": {"label": label}}) if label else None
