"""Search beyond the grid: settings of every arm of a plan, proposed wave by wave by Optuna.

Before: `plan` said what applies.  After: each arm that was tried answers `choose` at the best
settings found, as a plan's arms do after tuning, and `verdicts` decides.

A setting is scored on the inner folds of `fit`, as tuning does; `choose` and `judge` are not
looked at.  The first trials are the plan's arms at their defaults, in its order.  Then come
waves of proposals by a tree-structured Parzen estimator over one conditional space: which
arm, and its settings (Bergstra et al., NeurIPS 2011; Optuna's `TPESampler`).  A wave is
proposed from the waves that were completed before it, in order, by a sampler made for it
alone: what is proposed depends neither on which trial ended first nor on a kill.

Target-only, source-only and pooled get as many trials each as the way to transfer that gets
most, so that no gain is owed to tuning (docs/decisions/0020-search.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.domains.exam import Exam
from acclimate.domains.problem import Problem
from acclimate.errors import TaskError
from acclimate.plans.budget import BASELINES, Budget
from acclimate.plans.plan import Plan, Step
from acclimate.plans.pool import EachOf, in_turn
from acclimate.plans.runner import Report, attempt, compared, require_comparable
from acclimate.plans.space import Space
from acclimate.plans.trial import Ended, Keeps, Trial, unheard
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

WAVE = 8  # trials that are proposed together
WAYS = "ways"


@dataclass(frozen=True)
class Proposal:
    """Settings of the arm of one step."""

    space: Space
    params: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.space.arm.strategy.kind


@dataclass
class Search:
    """What was tried so far, in the order of proposal.

    spaces  of the plan's steps, as far as they were looked at
    sign    of the metric
    """

    plan: Plan
    problem: Problem
    sign: float
    rng: Rng
    tried: list[tuple[Proposal, Trial]] = field(default_factory=list)
    spaces: dict[int, Space] = field(default_factory=dict)

    def defaults(self, numbers: Sequence[int]) -> list[Proposal]:
        """The arms of these steps as the plan has them."""
        for number in numbers:
            if number not in self.spaces:
                arm = self.plan.steps[number].arm
                self.spaces[number] = Space.of(number, arm, self.problem)
        return [Proposal(self.spaces[n], self.spaces[n].defaults) for n in numbers]

    def wave(self, number: int, left: int) -> list[Proposal]:
        """What to try next, from all that was tried; at most `WAVE`, and no more than is left.

        First what the baselines are owed, then ways to transfer, as many as leave enough to
        give the baselines the same.
        """
        room = min(WAVE, left)
        count = Counter(proposal.kind for proposal, _ in self.tried)
        kinds = {space.arm.strategy.kind for space in self.spaces.values()}
        baselines = [kind for kind in BASELINES if kind in kinds]
        most = max((count[kind] for kind in kinds if kind not in BASELINES), default=None)
        if most is None:
            share = [kind for kind in baselines for _ in range(-(-room // len(baselines)))]
            return self._asked(number, share[:room])
        owed = [kind for kind in baselines for _ in range(most - count[kind])]
        # Each proposal may be of the way that got most, and then all baselines follow.
        free = max(0, (left - len(owed)) // (1 + len(baselines)))
        ways = min(max(room - len(owed), 0), free)
        wanted = owed[:room] + [WAYS] * ways
        if not wanted:  # too few are left for one more way
            wanted = baselines[:room]
        return self._asked(number, wanted)

    def _asked(self, number: int, wanted: Sequence[str]) -> list[Proposal]:
        found = []
        for name, times in Counter(wanted).items():
            spaces = [
                space
                for space in self.spaces.values()
                if (name == WAYS and space.arm.strategy.kind not in BASELINES)
                or space.arm.strategy.kind == name
            ]
            found += self._proposed(spaces, times, self.rng.child(f"{number}/{name}"))
        return found

    def _proposed(self, spaces: Sequence[Space], times: int, rng: Rng) -> list[Proposal]:
        """Settings of some of these arms, by a sampler that has seen every wave before."""
        import optuna
        from optuna.distributions import CategoricalDistribution

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=rng.seed)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        known = {space.number: space for space in spaces}
        which: dict[str, BaseDistribution] = {"arm": CategoricalDistribution([*known])}
        for proposal, trial in self.tried:
            own = proposal.space
            if own.number in known and np.isfinite(trial.value):
                study.add_trial(
                    optuna.trial.create_trial(
                        params={"arm": own.number, **proposal.params},
                        distributions={**which, **own.distributions},
                        value=self.sign * trial.value,
                    )
                )
        found = []
        for _ in range(times):
            asked = study.ask(which)
            own = known[asked.params["arm"]]
            params = {name: _drawn(asked, name, d) for name, d in own.distributions.items()}
            found.append(Proposal(own, params))
        return found

    def best(self, number: int) -> tuple[Arm, int] | None:
        """The arm of a step at the best settings that were tried, and how many those were."""
        own = [(p, t) for p, t in self.tried if p.space.number == number]
        if not own:
            return None
        scores = [self.sign * trial.value for _, trial in own]
        at = int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
        return own[at][1].arm, len(own)


def _drawn(asked: optuna.Trial, name: str, of: BaseDistribution) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(of, IntDistribution):
        return asked.suggest_int(name, of.low, of.high, log=of.log)
    if isinstance(of, FloatDistribution):
        return asked.suggest_float(name, of.low, of.high, log=of.log)
    return asked.suggest_categorical(name, of.choices)  # type: ignore[attr-defined]


def search(
    plan: Plan,
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    report: Report = lambda text, done, total: None,
    store: Keeps | None = None,
    each_of: EachOf = in_turn,
    ended: Ended = unheard,
    *,
    trials: int,
) -> list[Trial]:
    """At most so many settings tried; then every arm that was tried, at its best, on `choose`.

    each_of  in turn, or several at once
    trials   ≥ 1; the budget may end them before

    Steps that were not reached are abandoned.  Raises TaskError for a target without labels,
    where no fold can score a setting, else as `runner.run` does.
    """
    if not problem.labelled:
        raise TaskError(
            f"Expected labels of target {problem.target!r} to search settings by; found none. "
            "Leave --trials out: arms are then tuned on the sources."
        )
    found = Search(plan, problem, task.metric.sign, rng.child("search"))
    steps, done, number = len(plan.steps), 0, 0

    def one(proposal: Proposal) -> Trial:
        return compared(
            proposal.space.at(proposal.params), task, problem, exam, budget, rng, store
        )

    while done < trials:
        left = trials - done
        if done < steps:
            chunk = range(done, min(done + WAVE, steps, trials))
            wave = found.defaults(chunk)
        else:
            wave = found.wave(number, left)
        report(wave[0].space.arm.name, done, trials)
        tried = each_of(one, wave)
        done_now = [e for e in zip(wave, tried, strict=True) if e[1].status == "done"]
        found.tried += done_now
        for proposal, trial in done_now:
            ended(trial)
            # Two folds are the fewest, and judging will fit what was tried once more.
            budget.saw_fit(proposal.kind, trial.seconds / 2)
        budget.due = _due(found.tried)
        done, number = done + len(wave), number + 1
        if any(trial.status == "abandoned" for trial in tried):
            break
    with budget.going_on():  # without an answer nothing of what was found could be judged
        return _answered(found, plan, task, problem, exam, budget, rng, store, ended)


def _answered(
    found: Search,
    plan: Plan,
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    store: Keeps | None,
    heard: Ended,
) -> list[Trial]:
    """Every step's trial at its best settings, in the plan's order."""
    ended = []
    for number, step in enumerate(plan.steps):
        best = found.best(number)
        if best is None:
            skipped = Trial(step.arm, "abandoned", step.reason, task.metric.name)
            ended.append(skipped)
            continue
        arm, tried = best
        budget.due = _due([each for each in found.tried if each[0].space.number > number])
        settled = Step(arm, step.reason)
        trial = attempt(settled, task, problem, exam, budget, rng, store, settled=True)
        if trial.status == "done":
            fact = f"searched: the best of {tried} settings on inner folds"
            trial = replace(trial, facts=(*trial.facts, fact))
            heard(trial)
        ended.append(trial)
    budget.due = 0.0
    require_comparable(ended, plan, budget)
    return ended


def _due(tried: Sequence[tuple[Proposal, Trial]]) -> float:
    """Seconds that the arms tried will take to answer: no more than their slowest scoring."""
    slowest: dict[int, float] = {}
    for proposal, trial in tried:
        number = proposal.space.number
        slowest[number] = max(slowest.get(number, 0.0), trial.seconds)
    return sum(slowest.values())
