"""The contract for strategies from outside the catalogue's literal: plug-ins.

    python -m tests.contract.outside KIND …     those of installed plug-ins, or chains

Each arm it makes with a model of the catalogue is held to the checks of `checks`; the
first promise broken ends it with what was broken.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from acclimate.artifacts.artifact import Contents, load, save
from acclimate.errors import AcclimateError
from acclimate.models import mixed
from acclimate.models.model import Model
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import completed, named
from acclimate.strategies.strategy import Strategy
from acclimate.verdicts.verdict import provisional
from tests.contract import checks
from tests.contract.cases import (
    CONTRACTED,
    SEED,
    answers,
    cases,
    combinations,
    posed,
    quick,
    scene,
)

Promise = Callable[[Arm], None]


def tiny_networks(patch: pytest.MonkeyPatch) -> None:
    """Networks of the contract are tiny: their size and steps are not what is claimed."""
    patch.setattr(mixed, "TEXT_BUCKETS", 256)
    patch.setattr(mixed, "STEPS_AN_EPOCH", 4)


def repeats(arm: Arm) -> None:
    """same seed, same answers, whatever was computed before"""
    checks.repeats(arm, posed(arm.model.form))


def leaves_inputs(arm: Arm) -> None:
    """what it is given is left as it was"""
    checks.leaves_inputs(arm, posed(arm.model.form), scene(arm.model.form))


def answers_each_alone(arm: Arm) -> None:
    """who else is asked about changes no answer"""
    # Single precision sums in another order where a batch is smaller.
    atol = 1e-5 if arm.model.kind in ("network", "transformer") else 1e-9
    of = posed(arm.model.form)
    checks.answers_each_alone(arm.fit(of.problem, SEED.child("fit")), of.exam.judge[0], atol)


def sees_no_exam(arm: Arm) -> None:
    """what is learned does not move with what it is examined on, or sources saw later"""
    checks.learns_alike(arm, *checks.poisoned_alike(arm.model.form))


def saves(arm: Arm) -> None:
    """saved and loaded, it answers as before"""
    form = arm.model.form
    of = posed(form)
    fitted = arm.fit(of.problem, SEED.child("fit"))
    contents = Contents.of(
        of,
        fitted,
        scene(form).target,
        scene(form).sources,
        arm=arm.name,
        settings=arm.settings,
        verdict=provisional(arm=arm.name, metric=of.task.metric.name),
        plan=[{"arm": arm.name, "reason": "contract"}],
        seed=0,
        threads=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "artifact", contents)
        loaded = load(Path(folder) / "artifact").fitted
    checks.same(answers(fitted, cases(of)), answers(loaded, cases(of)), atol=1e-6)


PROMISES: tuple[Promise, ...] = (
    repeats,
    leaves_inputs,
    answers_each_alone,
    sees_no_exam,
    saves,
)


def arms_of(strategy: Strategy, models: Sequence[Model] = CONTRACTED) -> list[Arm]:
    """The strategy with every model it applies to, quick.

    Raises AssertionError where it applies to none, for refusing everything is no way to
    hold a contract.
    """
    found, whys = [], []
    for arm in combinations([completed(strategy)], models):
        why = arm.why_not(posed(arm.model.form).problem)
        if why is None:
            found.append(quick(arm))
        whys.append(why)
    assert found, f"{strategy.kind} applies to nothing: {'; '.join(filter(None, whys))}"
    return found


def held(strategy: Strategy, models: Sequence[Model] = CONTRACTED) -> Iterator[str]:
    """Hold a strategy to every promise, one line for each that was kept.

    Raises AssertionError at the first one broken.
    """
    with pytest.MonkeyPatch.context() as patch:
        tiny_networks(patch)
        for arm in arms_of(strategy, models):
            for promise in PROMISES:
                promise(arm)
                yield f"{arm.name}: {promise.__doc__}"


def main(kinds: Sequence[str]) -> int:
    """Hold each kind to the contract; 1 where one breaks it, 2 where there is none such."""
    if not kinds:
        print("usage: python -m tests.contract.outside KIND …", file=sys.stderr)
        return 2
    for kind in kinds:
        try:
            for line in held(named(kind)):
                print(line, flush=True)
        except AssertionError as error:
            print(f"{kind} breaks the contract: {error}", file=sys.stderr)
            return 1
        except AcclimateError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
