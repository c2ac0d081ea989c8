"""Try every arm of one problem, ask it about `judge` once, and tell how much it adds.

Before: a cell posed the problem.  After: lines.  Trials, picks and verdicts are those of
`plans`; only the order differs (target-only first, so that each arm can be compared as
soon as it has answered) and every arm has its own part of the budget.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case, Prediction, Truth
from acclimate.domains.sample import Rows
from acclimate.errors import BudgetError, UsageError
from acclimate.plans.agreement import agreeing, agreements
from acclimate.plans.budget import Budget
from acclimate.plans.examine import contrast_of, examine
from acclimate.plans.plan import Plan, Step, plan
from acclimate.plans.remedies import remedies
from acclimate.plans.runner import attempt, best_baseline, interval
from acclimate.plans.trial import Trial
from acclimate.plans.vote import vote
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import arms, named
from acclimate.strategies.chain import JOIN
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed, Task
from acclimate.verdicts.compare import paired_effect
from acclimate.verdicts.ledger import Ledger
from benchmarks.line import Line, peak_mb

BESIDE = "roc-auc"  # shown beside log loss, for it does not depend on calibration
TWINS = {"hard-sharing": "target-only", "hard-sharing-labels": "pooled"}
"""Tasks learned together, and the same rows with the served task alone."""
NOTHING = 1e-3  # seconds: an arm that begins with no more is abandoned at once

Answer = tuple[Prediction, Truth]


@dataclass
class Bench:
    """One problem under way.

    models  kinds of models that transfer is tried with, or None for all
    tuned   False: every arm has the catalogue's settings
    budget  of the whole cell, running
    common  the keys that all lines share
    told    arm → its answer on what is judged
    """

    posed: Posed
    kinds: Sequence[str]
    models: Sequence[str] | None
    tuned: bool
    budget: Budget
    rng: Rng
    folder: Path
    common: dict[str, Any]
    told: dict[str, Answer] = field(default_factory=dict)

    @property
    def tasks(self) -> list[Task]:
        """The task under its metric, and under the one that is shown beside it."""
        task = self.posed.task
        if not isinstance(task, Classify) or task.metric.name == BESIDE:
            return [task]
        classes = getattr(self.posed.problem.fit, "classes", ())
        return [task, replace(task, score_by=BESIDE)] if len(classes) == 2 else [task]


def judged(bench: Bench) -> Iterator[Line]:
    """A target with labels: every arm on `judge`, its contrasts, and the verdict."""
    posed, rng = bench.posed, bench.rng
    agreed = agreements(posed.problem, rng.child("agreement"))
    left_out = [each.sentence for each in agreed if each.contradicts]
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    bench.posed = posed = replace(posed, problem=agreeing(posed.problem, agreed))
    planned, refused = plan_of(bench, left_out)
    yield from refused
    first = [step for step in planned.steps if not step.arm.strategy.transfers]
    trials = [*tried(bench, first, shared=False)]
    if all(trial.status != "done" for trial in trials):
        raise BudgetError(
            "Expected at least one target-only arm to compare with; none finished within "
            f"{bench.budget.seconds:g} s. Raise --budget."
        )
    baseline = best_baseline(trials, posed.task.metric.sign)
    ask(bench, baseline, posed.exam.judge)
    for trial in trials:
        yield from lines_of(bench, trial, baseline)
    for trial in tried(bench, [step for step in planned.steps if step not in first]):
        trials.append(trial)
        yield from lines_of(bench, trial, baseline)
    for trial in tried(bench, remedies(trials, posed.task, posed.problem)):
        trials.append(trial)
        yield from lines_of(bench, trial, baseline)
    yield from contrasts(bench, trials)
    ledger = Ledger(bench.folder / "ledger.jsonl")
    verdict = examine(
        trials, posed.task, posed.problem, posed.exam, rng, ledger, bench.common["data"]
    ).verdict
    yield Line(
        arm="verdict",
        metric=verdict.metric,
        value=verdict.effect,
        low=verdict.low,
        high=verdict.high,
        n=verdict.n,
        seconds=round(bench.budget.spent, 1),
        peak_mb=round(peak_mb()),
        verdict=verdict.as_row(),
        **bench.common,
    )


def scored_afterwards(bench: Bench, target: Domain) -> Iterator[Line]:
    """A target without labels: what the validators say, then what the labels do.

    target  with the labels that were taken away
    """
    posed = bench.posed
    planned, refused = plan_of(bench)
    yield from refused
    trials = [*tried(bench, planned.steps)]
    examined = vote(trials, posed.task, posed.problem, bench.rng)
    case = labelled(posed, target)
    ask(bench, examined.baseline, [case])
    for trial in trials:
        yield from lines_of(bench, trial, examined.baseline, [case])
    voted = examined.verdict
    ships = examined.chosen if voted.answer == "provisional" else examined.baseline
    assert ships is not None
    effect, low, high = gain(bench, posed.task, ships, examined.baseline)
    yield Line(
        arm="verdict",
        metric=f"gain in {posed.task.metric.name} of {ships.arm.name}, which ships",
        value=effect,
        low=low,
        high=high,
        n=case.truth.n_units,
        seconds=round(bench.budget.spent, 1),
        peak_mb=round(peak_mb()),
        verdict=voted.as_row(),
        **bench.common,
    )


def labelled(posed: Posed, target: Domain) -> Case:
    """The rows seen without labels as a question, with their labels as the truth.

    A row whose class no source knows is not asked about.
    """
    rows = posed.problem.unlabelled
    assert isinstance(rows, Rows)
    at = {name: number for number, name in enumerate(rows.classes)}
    label = np.array([at.get(x, -1) for x in target.tables["rows"]["label"].to_list()])
    known = np.flatnonzero(label >= 0)
    return replace(rows, label=label.astype(np.int64)).take(known).case()


def plan_of(bench: Bench, left_out: Sequence[str] = ()) -> tuple[Plan, list[Line]]:
    """What applies, and a line for each arm that does not."""
    wanted, refused = [], []
    for kind in bench.kinds:
        try:
            wanted.append(named(kind).kind)
        except UsageError:
            why = "not in the catalogue"
            refused.append(Line(arm=kind, why=why, **bench.common))
    form = bench.posed.task.form
    known = [
        arm
        for arm in arms(form, tuple(wanted))
        if bench.models is None or arm.model.kind in bench.models or not arm.strategy.transfers
    ]
    planned = plan(bench.posed.problem, known, [], left_out)
    refused += [
        Line(arm=f"{each.strategy}/{each.model}", why=each.why, **bench.common)
        for each in planned.refused
    ]
    return planned, refused


def tried(bench: Bench, steps: Sequence[Step], shared: bool = True) -> Iterator[Trial]:
    """The trial of each step, in order, with its part of what is left of the budget.

    shared  False: each may use all that is left
    """
    posed, budget = bench.posed, bench.budget
    for number, step in enumerate(steps):
        left = budget.seconds - budget.spent
        print(f"  [{number}/{len(steps)}] {step.arm.name}, {left:.0f} s left", file=sys.stderr)
        part = left / (len(steps) - number) if shared else left
        own = Budget(max(part, NOTHING), budget.clock)
        step = step if bench.tuned else replace(step, arm=settled(step.arm))
        yield attempt(step, posed.task, posed.problem, posed.exam, own, bench.rng)


def settled(arm: Arm) -> Arm:
    """The arm with nothing to tune: its grids hold the settings it has."""
    strategy, model = replace(arm.strategy), arm.model  # type: ignore[type-var]
    grids = {"grid": lambda problem: (strategy,), "models": lambda model_: (model,)}
    for name, grid in grids.items():
        object.__setattr__(strategy, name, grid)
    return arm.with_strategy(strategy)


def ask(bench: Bench, trial: Trial, cases: Sequence[Case]) -> None:
    """Fit the tuned arm as the examination does, and keep its answers."""
    if trial.arm.name not in bench.told:
        fitted = trial.arm.fit(bench.posed.problem, bench.rng.child("fit"))
        answers = [(fitted.answer(case), case.truth) for case in cases]
        bench.told[trial.arm.name] = bench.posed.task.join(answers)


def lines_of(
    bench: Bench, trial: Trial, baseline: Trial, cases: Sequence[Case] | None = None
) -> Iterator[Line]:
    """An arm's scores and what it adds to the baseline, or why it has none."""
    name = trial.arm.name
    if trial.status != "done":
        why = trial.why or f"abandoned after {trial.seconds:.0f} s, its part of the budget"
        yield Line(arm=name, why=why, seconds=round(trial.seconds, 2), **bench.common)
        return
    start = time.monotonic()
    ask(bench, trial, bench.posed.exam.judge if cases is None else cases)
    seconds = round(trial.seconds + time.monotonic() - start, 2)
    answer = bench.told[name]
    for task in bench.tasks:
        value, low, high = interval(task, *answer, bench.rng.child("interval"))
        found = [(task.metric.name, value, low, high)]
        if trial is not baseline:
            over = f"gain in {task.metric.name} over {baseline.arm.name}"
            found.append((over, *gain(bench, task, trial, baseline)))
        for metric, value, low, high in found:
            yield Line(
                arm=name,
                metric=metric,
                value=value,
                low=low,
                high=high,
                n=answer[1].n_units,
                seconds=seconds,
                peak_mb=round(peak_mb()),
                **bench.common,
            )


def contrasts(bench: Bench, trials: Sequence[Trial]) -> Iterator[Line]:
    """Chains beside each of their steps, and tasks learned together beside their twin.

    The latter in per cent of the twin's score too: the gain of multi-task learning, with
    its sign.
    """
    task = bench.posed.task
    done = {trial.arm.name: trial for trial in trials if trial.arm.name in bench.told}
    for name, trial in done.items():
        strategy, _, rest = name.partition("/")
        steps = strategy.split(JOIN)
        for part in steps if len(steps) > 1 else [TWINS.get(strategy, "")]:
            # Target-only has no sources to name.
            other = done.get(f"{part}/{rest}") or done.get(f"{part}/{trial.arm.model.kind}")
            if other is None:
                continue
            effect, low, high = gain(bench, task, trial, other)
            shown = [(f"gain in {task.metric.name} over {other.arm.name}", 1.0)]
            if len(steps) == 1:
                alone = abs(float(task.score(*bench.told[other.arm.name])[0]))
                metric = f"gain in {task.metric.name} over the task alone, %"
                shown.append((metric, 100 / alone))
            for metric, factor in shown:
                yield Line(
                    arm=name,
                    metric=metric,
                    value=factor * effect,
                    low=factor * low,
                    high=factor * high,
                    n=bench.told[name][1].n_units,
                    **bench.common,
                )


def gain(bench: Bench, task: Task, ours: Trial, theirs: Trial) -> tuple[float, float, float]:
    """How much better the first is, positive where it is, with the verdict's interval."""
    contrast = contrast_of(task, bench.told[ours.arm.name], bench.told[theirs.arm.name])
    effect = paired_effect(contrast, bench.rng.child("judge"))
    return effect.value, effect.low, effect.high
