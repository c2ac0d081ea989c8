"""Sit the exam: fit the contenders once more and compare them on `judge`.

Before: the runner picked on `choose`.  After: what ships is refitted.  This is
the only place that looks at `judge`, and every look is entered in the ledger.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Exam, Prediction, Ranking, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions
from acclimate.models.model import Tick, idle
from acclimate.nearest import some
from acclimate.plans.beyond import Lists
from acclimate.plans.budget import Budget
from acclimate.plans.placebo import Answer, in_time, placebo
from acclimate.plans.runner import best_baseline, best_of, pick
from acclimate.plans.segments import members_of
from acclimate.plans.tally import Tally
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.tasks.task import Task, unit_of_task
from acclimate.verdicts.compare import Contrast, Effect, paired_effect
from acclimate.verdicts.ledger import Ledger, level_at
from acclimate.verdicts.segments import groups
from acclimate.verdicts.verdict import SHUFFLED, Verdict, judge, told

OUT_OF_TIME = "the budget ended before any way to transfer was tried; raise --budget"


@dataclass(frozen=True)
class Examined:
    """The verdict and the arms behind it.

    baseline  the best target-only trial
    chosen    the transfer trial that was picked, or None where none finished
    scores    arm → every metric on `judge`
    first     without target labels: positions of the target rows to label first
    votes     without target labels: arm → what each validator says of it
    beyond    of recommenders: rows on segments of users, and on what re-ranking costs
    """

    verdict: Verdict
    baseline: Trial
    chosen: Trial | None
    scores: dict[str, dict[str, float]]
    first: tuple[int, ...] = ()
    votes: dict[str, dict[str, float]] = field(default_factory=dict)
    beyond: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def examine(
    trials: Sequence[Trial],
    task: Task,
    problem: Problem,
    exam: Exam,
    rng: Rng,
    ledger: Ledger,
    procedure: str,
    alone: str = "no way to transfer could be tried, so there is nothing to compare",
    budget: Budget | None = None,
    refuse_harm: bool = False,
) -> Examined:
    """Judge the picked arm against target-only, source-only and pooled.

    An arm that is adopted is held against itself on shuffled sources too, and against
    target-only with its model: both stand beside the answer and decide nothing.

    rng        the runner's, so that refitted arms equal the tried ones
    procedure  everything that decides the outcome, for the ledger
    alone      the reason given where no transfer arm was tried
    budget     what is left of it goes to the contrasts of an adopted arm; None: there are none
    refuse_harm  keep target-only where a named group of units is shown to be hurt
    """
    baseline = best_baseline(trials, task.metric.sign)
    chosen = pick(trials, task, rng)
    unit = unit_of_task(task, problem.fit)
    if chosen is None:
        cut_short = any(t.status == "abandoned" and t.arm.strategy.transfers for t in trials)
        verdict = Verdict(
            "not-enough-data" if cut_short else "keep-target-only",
            arm=baseline.arm.name,
            baseline=baseline.arm.name,
            metric=task.metric.name,
            effect=None,
            low=None,
            high=None,
            n=sum(case.truth.n_units for case in exam.judge),
            probability=None,
            reason=OUT_OF_TIME if cut_short else alone,
            unit=unit,
        )
        return Examined(verdict, baseline, None, {})
    if not sum(case.truth.n_units for case in exam.judge):
        # Nothing to look at is no look.
        nothing = judge(
            paired_effect(Contrast.of_means(np.empty(0)), rng.child("judge")),
            delta=task.metric.delta,
            arm=chosen.arm.name,
            baseline=baseline.arm.name,
            metric=task.metric.name,
            unit=unit,
        )
        return Examined(nothing, baseline, chosen, {})
    looks = ledger.look(judge_fingerprint(problem.target, exam), procedure, datetime.now(UTC))
    others = [best_of(trials, kind, task.metric.sign) for kind in ("source-only", "pooled")]
    answers: dict[str, Answer] = {}
    seconds: dict[str, float] = {}

    def ask(trial: Trial, given: Problem, tick: Tick = idle) -> Answer:
        fitted = trial.arm.fit(given, rng.child("fit"), tick)
        return task.join([(fitted.answer(case), case.truth) for case in exam.judge])

    for trial in (baseline, chosen, *others):
        if trial is not None and trial.arm.name not in answers:
            start = time.monotonic()
            answers[trial.arm.name] = ask(trial, problem)
            seconds[trial.arm.name] = time.monotonic() - start
    level = level_at(looks)

    def against(other: Answer) -> Effect:
        contrast = contrast_of(task, answers[chosen.arm.name], other)
        return paired_effect(contrast, rng.child("judge"), level)

    names = [t.arm.name for t in others if t is not None and t is not chosen]
    contrasts = [(name, against(answers[name])) for name in names]
    against_baseline = contrast_of(task, answers[chosen.arm.name], answers[baseline.arm.name])
    verdict = judge(
        paired_effect(against_baseline, rng.child("judge"), level),
        delta=task.metric.delta,
        arm=chosen.arm.name,
        baseline=baseline.arm.name,
        metric=task.metric.name,
        looks=looks,
        against=contrasts,
        unit=unit,
    )
    verdict = _whom_it_hurts(verdict, against_baseline, exam, rng, refuse_harm)
    unknown = [t for t in trials if t.status == "abandoned" and not t.arm.strategy.transfers]
    if verdict.answer == "adopt" and unknown:
        missed_arms = some([trial.arm.name for trial in unknown])
        reason = (
            f"{verdict.reason}, but the budget ended before {missed_arms}, also to be beaten"
        )
        verdict = replace(verdict, answer="not-enough-data", reason=reason)
    if verdict.answer == "adopt" and budget is not None:
        took = seconds[chosen.arm.name]
        blank, why = placebo(chosen, problem, ask, rng, budget, took)
        beside = [] if blank is None else [(SHUFFLED, against(blank))]
        same = [t for t in trials if t.arm.model.kind == chosen.arm.model.kind]
        plain = best_of(same, "target-only", task.metric.sign)
        if plain is not None and plain.arm.name not in answers:
            answer = in_time(plain, problem, ask, budget, took)
            if answer is not None:
                answers[plain.arm.name] = answer
                beside.append((plain.arm.name, against(answer)))
        verdict = replace(verdict, against=(*verdict.against, *told(beside)), unshuffled=why)
    tally = Tally.of(t.status for t in trials)
    if missed := tally.abandoned:
        reason = f"{verdict.reason} (abandoned: {missed} of {tally.arms} arms; raise --budget)"
        verdict = replace(verdict, reason=reason)
    scores = {name: task.metrics(*answer) for name, answer in answers.items()}
    metric = task.metric.name
    verdict = replace(
        verdict,
        before=_finite(scores[baseline.arm.name].get(metric)),
        after=_finite(scores[chosen.arm.name].get(metric)),
    )
    ships = chosen if verdict.answer == "adopt" else baseline
    beyond = _beyond(task, problem, exam, answers, ships.arm.name)
    return Examined(verdict, baseline, chosen, scores, beyond=beyond)


def _whom_it_hurts(
    verdict: Verdict, contrast: Contrast, exam: Exam, rng: Rng, refuse: bool
) -> Verdict:
    """What helps on average, with the groups that it hurts; kept from shipping where asked."""
    if verdict.answer != "adopt":
        return verdict
    named = groups(contrast, members_of(exam.judge), rng.child("segments"), verdict.level)
    hurt = tuple(group for group in named if group.hurt)
    if not (hurt and refuse):
        return replace(verdict, hurt=hurt)
    reason = f"{verdict.reason}, but it hurts {', '.join(map(str, hurt))}"
    return replace(verdict, answer="keep-target-only", reason=reason, hurt=hurt)


def _beyond(
    task: Task,
    problem: Problem,
    exam: Exam,
    answers: Mapping[str, Answer],
    ships: str,
) -> dict[str, list[dict[str, Any]]]:
    """What accuracy does not tell of lists, where one case asks for whole ones."""
    fit, k = problem.fit, getattr(task, "k", 0)
    if not isinstance(fit, Interactions) or len(exam.judge) != 1:
        return {}
    lists = {
        name: Lists(name, exam.judge[0], ranking, fit, k)
        for name, (ranking, _) in answers.items()
        if isinstance(ranking, Ranking) and not ranking.pool
    }
    if ships not in lists:
        return {}
    segments = [row for each in lists.values() for row in each.segments()]
    return {"segments": segments, "spreads": lists[ships].spreads()}


def _finite(score: float | None) -> float | None:
    return float(score) if score is not None and np.isfinite(score) else None


def contrast_of(
    task: Task, ours: tuple[Prediction, Truth], theirs: tuple[Prediction, Truth]
) -> Contrast:
    """How much better the first answer is, under any reweighting of the units."""
    sign, units = task.metric.sign, ours[1].n_units
    if task.metric.mean:
        return Contrast.of_means(sign * (task.unit_scores(*ours) - task.unit_scores(*theirs)))

    def effect(weight: Array) -> Array:
        return sign * (task.score(*ours, weight) - task.score(*theirs, weight))

    return Contrast.of_statistic(units, effect)


def judge_fingerprint(target: str, exam: Exam) -> str:
    """What the ledger knows a judge by: the target's name and every truth."""
    digest = hashlib.sha256(target.encode())
    for case in exam.judge:
        digest.update(case.truth.fingerprint.encode())
        users = getattr(case.query, "users", None)
        digest.update(repr(None if users is None else np.asarray(users).tolist()).encode())
    return digest.hexdigest()
