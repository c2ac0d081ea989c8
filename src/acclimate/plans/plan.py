"""A plan: which arms are tried, in which order, each with its reason.

Before: gaps were measured.  After: the runner tries the arms until the budget
is spent.  Arms that do not apply are listed with why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from acclimate.domains.problem import Problem
from acclimate.domains.sample import OWN, Rows
from acclimate.errors import TaskError
from acclimate.gaps.gap import Gap
from acclimate.nearest import some
from acclimate.plans.budget import BASELINES
from acclimate.strategies.arm import Arm
from acclimate.strategies.multitask.lessons import column
from acclimate.strategies.relation.cotuning import CoTuning
from acclimate.strategies.strategy import tells_others

# Above this proxy A-distance (0 … 2) the domains are told apart easily enough
# for knowledge in parameters to need adapting before it fits.
FAR = 1.0


@dataclass(frozen=True)
class Step:
    """One arm and why it stands where it does."""

    arm: Arm
    reason: str


@dataclass(frozen=True)
class Refusal:
    """One arm that does not apply, and why."""

    strategy: str
    model: str
    why: str

    def as_row(self) -> dict[str, str]:
        return {"strategy": self.strategy, "model": self.model, "why": self.why}


class PutOff(NamedTuple):
    """One arm that applies and is not tried, and why."""

    arm: str
    why: str


@dataclass(frozen=True)
class Plan:
    """Steps in order, what was refused, and what was put off or stopped early."""

    steps: tuple[Step, ...]
    refused: tuple[Refusal, ...]
    put_off: tuple[PutOff, ...] = ()

    def as_rows(self) -> list[dict[str, str]]:
        return [{"arm": step.arm.name, "reason": step.reason} for step in self.steps]


def plan(
    problem: Problem, arms: Sequence[Arm], gap: Sequence[Gap], left_out: Sequence[str] = ()
) -> Plan:
    """Order the arms: what must be beaten first, then cheap before dear.

    arms      every combination of strategy and model for the task's form
    gap       what was measured between target and sources
    left_out  why sources were left out, a sentence each; the reason where none is left
    """
    steps, refused = [], []
    for arm in arms:
        fitting, why = formed(arm, problem)
        if why is not None and left_out and not problem.sources and arm.strategy.transfers:
            why = "; ".join(left_out)
        steps += [Step(each, _reason(each, problem, gap)) for each in fitting]
        if why is not None:
            refused.append(Refusal(arm.strategy.kind, arm.model.kind, why))
    steps = _opening(sorted(steps, key=lambda step: _order(step.arm)))
    return Plan(tuple(steps), tuple(refused))


def require_teacher(planned: Plan, problem: Problem) -> None:
    """Raises TaskError where sources tell other classes apart and nothing learns from them."""
    sources = [source for source in problem.sources if tells_others(source)]
    tried = any(step.arm.strategy.transfers for step in planned.steps)
    if tried or not sources or len(sources) < len(problem.sources):
        return
    fit, samples = problem.fit, [source.sample for source in sources]
    assert isinstance(fit, Rows)
    theirs = {v for s in samples if isinstance(s, Rows) for v in column(s, OWN).drop_nulls()}
    asked = [each for each in planned.refused if each.strategy == CoTuning.kind]
    whys = "; ".join(f"{each.strategy}/{each.model}: {each.why}" for each in asked)
    raise TaskError(
        f"Expected sources to share classes with target {problem.target!r}; found "
        f"{some(fit.classes)} in the target and {some(sorted(theirs))} in "
        "the sources. Map one label to the other where they mean the same; where they do not, "
        "learn how they are related: --strategy co-tuning"
        + (f" (asked for, but {whys})." if whys else ".")
    )


def formed(arm: Arm, problem: Problem) -> tuple[list[Arm], str | None]:
    """The arm as it applies: on all sources, else on those it can use, or why on none.

    Where a strategy cannot use rows and fitted models of sources together, there is one
    arm for the sources with rows and one for each fitted model.
    """
    why = arm.why_not(problem)
    if why is None or not arm.strategy.transfers:
        return ([], why) if why else ([arm], None)
    usable = [s.name for s in problem.sources if arm.strategy.why_not_source(s) is None]
    seen = [s.name for s in problem.sources if s.seen and s.name in usable]
    alone = [[s.name] for s in problem.sources if not s.seen and s.name in usable]
    for parts in ([usable], [seen, *alone]):
        tried = [replace(arm, only=tuple(names)) for names in parts if names]
        fitting = [each for each in tried if each.why_not(each.selected(problem)) is None]
        if fitting:
            return fitting, None
    return [], why


def _opening(steps: list[Step]) -> list[Step]:
    """The three baselines of the first model, and then the rest in order.

    A budget that ends early has then known each of them; nothing is adopted while another
    model's target-only arm is unknown (`examine`).
    """
    if not steps:
        return steps
    first = steps[0].arm.model.kind
    opening = [
        step
        for step in steps
        if step.arm.model.kind == first and step.arm.strategy.kind in BASELINES
    ]
    return opening + [step for step in steps if not any(step is each for each in opening)]


def _order(arm: Arm) -> tuple[bool, int, int]:
    """What must be beaten under every model; then closed forms, trees, networks, simple first.

    A budget that ends early then leaves a complete comparison of the cheaper models, and
    never a gain over one model's baseline that another's would have had as well.
    """
    return arm.strategy.transfers, arm.effort, arm.strategy.complexity


def _reason(arm: Arm, problem: Problem, gap: Sequence[Gap]) -> str:
    mine = problem.fit.n
    theirs = sum(source.n for source in problem.sources)
    kind = arm.strategy.kind
    if kind == "target-only":
        return "what transfer must beat"
    if kind in ("source-only", "pooled"):
        return "the simplest way to transfer; always tried"
    far = [each for each in gap if each.measure == "a-distance" and each.value > FAR]
    if not theirs:
        return f"no rows of a source, but what it learned; {mine:,} observations of the target"
    ratio = f"{theirs:,} source observations to {mine:,} of the target"
    if far:
        return (
            f"{ratio}; {far[0].source} is far away, so what it knows is a start, not an answer"
        )
    if theirs > 5 * mine:
        return f"{ratio}: too few to learn alone, enough to correct what sources know"
    return f"{ratio}: both sides can teach; evidence decides"
