"""The contract as checks that raise AssertionError; `test_bites` shows that they do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Case, Exam, RankQuery, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.sentences import Sentences
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Posed
from tests.contract import poison
from tests.contract.cases import SEED, Scene, answers, cases, forget, less, scene
from tests.contract.content import content, reached


def same(ours: Iterable[Array], theirs: Iterable[Array], atol: float = 0.0) -> None:
    """Two lists of answers are equal, infinities and all."""
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def repeats(arm: Arm, posed: Posed) -> None:
    """Same seed, same answers: with empty caches, with full ones, and with others' in them."""
    asked, problem = cases(posed), posed.problem

    def ours() -> list[Array]:
        return answers(arm.fit(problem, SEED.child("fit")), asked)

    forget()
    first = ours()
    same(first, ours())
    # Nothing of another problem may be taken for ours, however alike names and statistics;
    # nor of another seed, or of other settings.
    forget()
    for theirs in others(arm.encoded(problem)):
        arm.fit(theirs, SEED.child("fit"))
    arm.fit(problem, Rng.of(1).child("fit"))
    for model in arm.model.grid()[-2:]:
        if less(model) != arm.model:
            arm.with_model(less(model)).fit(problem, SEED.child("fit"))
    for strategy in arm.strategy.grid(problem)[-1:]:
        small = less(strategy)
        other = strategy if small == arm.strategy else small
        arm.with_strategy(other).fit(problem, SEED.child("fit"))
    same(first, ours())


def others(problem: Problem) -> list[Problem]:
    """The problem with half of its target, half of its sources, and one source less."""
    target, *theirs = [
        sample.take(np.arange(0, sample.n, 2))
        for sample in (problem.fit, *(source.sample for source in problem.sources))
    ]
    pairs = zip(problem.sources, theirs, strict=True)
    return [
        problem.with_fit(target),
        problem.with_sources([replace(source, held=half) for source, half in pairs]),
        problem.with_sources(problem.sources[:1]),
    ]


def leaves_inputs(arm: Arm, posed: Posed, scene: Scene) -> None:
    """Fitting, tuning and answering change nothing they were given."""
    given = (arm, posed.problem, posed.whole, posed.exam, scene.target, scene.sources)
    before = [content(each) for each in given]
    answers(arm.fit(posed.problem, SEED.child("fit")), cases(posed))
    after = [content(each) for each in given]
    names = ("arm", "problem", "whole", "exam", "target", "sources")
    changed = [name for name, b, a in zip(names, before, after, strict=True) if b != a]
    assert not changed, f"{arm.name} changed its {', '.join(changed)}"


def answers_each_alone(fitted: Fitted, case: Case, atol: float) -> None:
    """Who else is asked about changes no answer, and neither does the truth."""
    whole = answers(fitted, [case])[0]
    some = np.arange(0, len(whole) if whole.ndim == 2 else whole.shape[1], 3)
    if isinstance(case.query, RankQuery):
        part = replace(
            case,
            query=replace(case.query, users=case.query.users[some]),
            context=case.context.of_users(some),
        )
        same([whole[:, some]], answers(fitted, [part]), atol)
    else:
        assert isinstance(case.query, Rows | Sentences)
        part = replace(case, query=case.query.take(some))
        same([whole[some]], answers(fitted, [part]), atol)
    blind = replace(case, truth=Truth(units=np.zeros(0, np.int64)))
    same([whole], answers(fitted, [blind]))


def learned(arm: Arm, posed: Posed, asked: list[Case]) -> tuple[dict[str, Any], list[Array]]:
    """What a strategy makes of a problem with empty caches: settings, and answers."""
    forget()
    encoded = arm.encoded(posed.problem)
    tuned = tune(arm, posed.task, encoded, SEED.child("tune"), cross_fit=False)
    return tuned.arm.settings, answers(tuned.arm.fit(encoded, SEED.child("fit")), asked)


def learns_alike(arm: Arm, clean: Posed, poisoned: Posed) -> None:
    """Settings and answers to fixed questions do not move with what is poisoned."""
    asked = cases(clean)
    ours, theirs = learned(arm, clean, asked), learned(arm, poisoned, asked)
    assert ours[0] == theirs[0], f"{arm.name} was tuned on what it may not see"
    same(ours[1], theirs[1])


def poses_alike(clean: Scene, poisoned: Scene) -> tuple[Posed, Posed]:
    """Both scenes pose the very same problem, though their exams differ."""
    ours, theirs = clean.posed(), poisoned.posed()
    assert content(ours.exam) != content(theirs.exam), "nothing was poisoned"
    assert content(ours.problem) == content(theirs.problem), "the problem saw the exam"
    assert content(ours.task) == content(theirs.task), "the task was settled on the exam"
    return ours, theirs


def hears_no_future(clean: Scene, late: Scene) -> tuple[Posed, Posed]:
    """Both scenes pose the very same problem, though their sources differ later on."""
    ours, theirs = clean.posed(), late.posed()
    assert content(ours.whole) != content(theirs.whole), "nothing was poisoned"
    assert content(ours.problem) == content(theirs.problem), "the problem heard the future"
    return ours, theirs


@cache
def poisoned_alike(form: str) -> tuple[Posed, Posed]:
    """A form's scene, and it with its exam and its sources' future poisoned, posed once."""
    clean = scene(form)
    clock = poison.parts_of(clean)[0]["time"].max()
    late = poison.late_sources(clean, clock)  # type: ignore[arg-type]
    hears_no_future(clean, late)
    return poses_alike(clean, poison.poisoned(late, "more"))


def hides_exam(posed: Posed) -> None:
    """No path leads from the problem to a truth, a case, or memory that they share."""
    objects = reached(posed.problem)
    kinds = {type(each).__name__ for each in objects}
    assert not kinds & {"Exam", "Case", "Truth", "Posed", "Domain"}, f"reaches {kinds}"
    arrays = [each for each in objects if isinstance(each, np.ndarray) and each.size]
    for secret in truths(posed.exam):
        for array in arrays:
            assert array is not secret
            assert not np.shares_memory(array, secret), "shares memory with a truth"
            # A copy would do as much harm; short arrays are equal by chance.
            copied = len(secret) > 5 and array.shape == secret.shape
            assert not (copied and np.array_equal(array, secret)), "holds a copy of a truth"


def plain(truth: Truth) -> tuple[Any, ...]:
    return truth.label, truth.user, truth.item


def ragged(truth: Truth) -> tuple[Any, ...]:
    """The values behind ragged labels; how many a row has says less, and agrees by chance."""
    return () if truth.ragged is None else (truth.ragged.values,)


def truths(exam: Exam) -> list[np.ndarray[Any, Any]]:
    """What was true; units say nothing about it."""
    parts = [
        part
        for case in (*exam.choose, *exam.judge)
        for part in (*plain(case.truth), *ragged(case.truth))
    ]
    return [part for part in parts if part is not None and part.size]
