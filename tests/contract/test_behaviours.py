"""What holds of every entry where one kind of events is asked for holds of behaviours too."""

from __future__ import annotations

import numpy as np
import polars as pl

from acclimate.artifacts.states import pack, unpack
from acclimate.models.ease import Ease
from acclimate.strategies.arm import Arm
from acclimate.strategies.relation.behaviours import BehaviourWeights
from tests.contract.cases import BEHAVIOURS, SEED, Scene, answers, cases, posed, scene

ARM = Arm(BehaviourWeights(), Ease())


def test_the_same_seed_gives_the_same_answers_and_an_artifact_gives_them_again() -> None:
    given = posed(BEHAVIOURS)
    first, second = (ARM.fit(given.problem, SEED) for _ in range(2))
    again = unpack(*pack(first))
    wanted = answers(first, cases(given))
    for other in (second, again):
        for mine, theirs in zip(wanted, answers(other, cases(given)), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_nothing_that_happened_after_the_clock_is_learned_from() -> None:
    given, plain = posed(BEHAVIOURS), scene(BEHAVIOURS)
    clock = plain.target.tables["events"].filter(pl.col("kind") == "order")["time"].sort()
    start = clock[int(len(clock) * 0.7)]
    events = plain.target.tables["events"]
    late = pl.col("time") >= start
    moved = events.with_columns(
        item=pl.when(late & (pl.col("kind") == "view"))
        .then(pl.col("item").shuffle(seed=1))
        .otherwise("item")
    )
    assert (moved["item"] != events["item"]).any()
    target = type(plain.target)("target", {"events": moved}, plain.target.schema)
    poisoned = Scene(plain.task, target, plain.sources, plain.cut).posed()
    wanted = answers(ARM.fit(given.problem, SEED), cases(given))
    found = answers(ARM.fit(poisoned.problem, SEED), cases(given))
    for mine, theirs in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(mine, theirs)
