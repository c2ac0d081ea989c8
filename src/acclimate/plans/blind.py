"""Tune an arm for a target without labels: on the sources' rows, as its steps left them.

Before: no row of the target has a label, so that nothing of the target can be folded.
After: the model has the settings that serve source rows best which it was not fitted on,
weighed as the arm weighs them, by the metric of the task; the strategy keeps its own.

Source: importance-weighted cross-validation, Sugiyama, Krauledat & Müller, JMLR 8 (2007),
985–1005, with the weights of the arm's own steps, and all equal where it has none.
"""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows, spread
from acclimate.domains.view import RowView
from acclimate.models.design import take_rows
from acclimate.models.model import Model, Tick
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.stacking import row_weights, source_views, stack
from acclimate.strategies.strategy import Adapt
from acclimate.tasks.task import Task

FOLDS = 3


def blind(arm: Arm, task: Task, problem: Problem, rng: Rng, tick: Tick) -> tuple[Arm, int]:
    """The arm with the settings of its model that sources prefer, and how many were tried.

    problem  encoded with the arm's statistics

    Rows of a fold are scored together with those of all others, each by its weight.

    An arm that does more than serve a model of the sources' rows, or whose sources show
    none, stays as it is.  Steps before the model read no labels, so they are taken once,
    on all rows.
    """
    strategy = arm.strategy
    steps = strategy.steps if isinstance(strategy, Chain) else (strategy,)
    models = strategy.models(arm.model)
    plain = isinstance(steps[-1], SourceOnly) and not any(
        isinstance(step, Adapt) for step in steps[:-1]
    )
    shown = all(isinstance(s.held, Rows) and s.seen for s in problem.sources)
    if not plain or not shown or len(models) < 2:
        return arm, 0
    for number, step in enumerate(steps[:-1]):
        problem, _ = step.step(problem, arm.model, rng.child(f"{number}"), tick)
    view = stack(source_views(problem))
    if not isinstance(view, RowView) or view.label is None or not view.n_classes:
        return arm, 0
    weight = row_weights(problem.sources)
    weight = np.ones(view.n) if weight is None else weight
    fold = spread(_units(problem), view.label, FOLDS, rng.child("folds"))
    if not fold.any():
        return arm, 0
    order: list[Ints] = []
    answers: list[list[Array]] = [[] for _ in models]
    for number in range(int(fold.max()) + 1):
        rest, out = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if not weight[rest].sum() or not weight[out].sum():
            continue
        order.append(out)
        asked = take_rows(view, out)
        prepared: list[tuple[type[Model], object]] = []
        for at, model in enumerate(models):
            tick()
            if not prepared or not isinstance(model, prepared[0][0]):
                prepared = [(type(model), model.prepare(take_rows(view, rest)))]
            fitted = model.fit(
                prepared[0][1], weight=weight[rest], rng=rng.child("fit"), tick=tick
            )
            answer = fitted.predict(asked)
            assert isinstance(answer, Probabilities)
            answers[at].append(answer.p)
    if not order:
        return arm, 0
    rows = np.concatenate(order)
    truth = Truth(np.arange(len(rows)), view.label[rows])
    shares = weight[rows][None]
    scores = [
        task.metric.sign * task.score(Probabilities(np.concatenate(p)), truth, shares)[0]
        for p in answers
    ]
    # A single class has no area under a curve; such a setting is not preferred.
    best = int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
    return arm.with_model(models[best]), len(models)


def _units(problem: Problem) -> Ints:
    """(n,) the independent unit of each row of all sources, one after the other."""
    found, before = [], 0
    for source in problem.sources:
        assert isinstance(source.held, Rows)
        units = source.held.units()
        found.append(units + before)
        before += int(units.max(initial=-1)) + 1
    return np.concatenate(found)
