"""What is said of arms that answered the same questions: a verdict, and what EASE had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from acclimate.domains.exam import Case, Prediction, Truth
from acclimate.plans.examine import contrast_of
from acclimate.plans.runner import best_baseline, pick
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.tasks.recommend import Recommend
from acclimate.verdicts.compare import paired_effect
from acclimate.verdicts.verdict import judge
from benchmarks.line import Line

Question = tuple[Recommend, str, Case]
"""A task, what its metric is called, and the case."""

Answers = Mapping[str, Sequence[tuple[Prediction, Truth]]]
"""arm → its answer to each question."""

BESIDE = ("target-only/ease", "pooled/ease")


def verdicts(
    trials: Sequence[Trial],
    questions: Sequence[Question],
    answers: Answers,
    common: dict[str, Any],
    rng: Rng,
) -> Iterator[Line]:
    """What was picked on `choose`, judged under both metrics."""
    chosen = pick(trials, questions[0][0], rng)
    if chosen is None:
        return
    baseline = best_baseline(trials, 1.0)
    for number, (task, metric, question) in enumerate(questions):
        contrast = contrast_of(
            task, answers[chosen.arm.name][number], answers[baseline.arm.name][number]
        )
        verdict = judge(
            paired_effect(contrast, rng.child("judge")),
            delta=task.metric.delta,
            arm=chosen.arm.name,
            baseline=baseline.arm.name,
            metric=metric,
            unit="users",
        )
        yield Line(
            arm="verdict",
            metric=metric,
            value=verdict.effect,
            low=verdict.low,
            high=verdict.high,
            n=question.truth.n_units,
            verdict=verdict.as_row(),
            **common,
        )


def beside_ease(
    questions: Sequence[Question], answers: Answers, common: dict[str, Any], rng: Rng
) -> Iterator[Line]:
    """Every arm beside EASE of the target alone and of all markets, paired by user."""
    for reference in BESIDE:
        for name in answers:
            if reference not in answers or name == reference:
                continue
            for number, (task, metric, question) in enumerate(questions):
                contrast = contrast_of(task, answers[name][number], answers[reference][number])
                effect = paired_effect(contrast, rng.child("beside"))
                yield Line(
                    arm=name,
                    metric=f"{metric} over {reference}",
                    value=effect.value,
                    low=effect.low,
                    high=effect.high,
                    n=question.truth.n_units,
                    **common,
                )
