"""Artifacts of blends, and of strategies that move the target's rows, answer like any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from acclimate.artifacts.artifact import Contents, load, save
from acclimate.artifacts.predictor import predict
from acclimate.domains.exam import Probabilities
from acclimate.domains.market import open_market
from acclimate.domains.moved import Affine, Moved, Several
from acclimate.domains.problem import Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.domains.view import RowView
from acclimate.models.linear import Linear
from acclimate.models.model import Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.blend import Blend
from acclimate.strategies.catalogue import completed
from acclimate.strategies.strategy import Reshape, Strategy
from acclimate.tasks.classify import Classify
from acclimate.verdicts.verdict import provisional
from tests.artifacts import made


@dataclass(frozen=True)
class Halve(Reshape):
    """Halves the target's numbers and leaves the sources'."""

    kind: ClassVar[str] = "halve"
    complexity: ClassVar[int] = 1

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        view = problem.view(problem.fit)
        assert isinstance(view, RowView)
        d = view.numeric.shape[1]
        return problem.reshaped({}, Affine(np.zeros(d), 0.5 * np.eye(d), np.zeros(d)))


def contents(folder: Path, strategy: Strategy) -> tuple[Contents, Rows]:
    """What a run that chose this strategy would save, and the target's rows as posed."""
    domains = []
    for name, seed in (("jp", 1), ("us", 2)):
        made.rows(seed).write_csv(folder / f"{name}.csv")
        domains.append(open_market(folder / f"{name}.csv"))
    posed = Classify().pose(domains[0], domains[1:], Cut(), Rng.of(0))
    arm = Arm(completed(strategy), Linear())
    whole = replace(posed.whole, recipe=RowRecipe(hash_bits=8))
    assert isinstance(whole.fit, Rows)
    held = Contents.of(
        posed,
        arm.fit(whole, Rng.of(0)),
        domains[0],
        domains[1:],
        arm=arm.name,
        settings=arm.settings,
        verdict=provisional(arm=arm.name, metric=posed.task.metric.name),
        plan=[{"arm": arm.name, "reason": "made"}],
        seed=0,
        threads=1,
    )
    return held, whole.fit


@pytest.mark.parametrize(
    ("strategy", "encoder"),
    [(Blend(errors=0.0), Several), (Halve(), Moved)],
    ids=["blend", "move"],
)
def test_a_saved_artifact_answers_raw_rows_as_the_fitted_model_does(
    tmp_path: Path, strategy: Strategy, encoder: type
) -> None:
    held, fit = contents(tmp_path, strategy)
    assert isinstance(held.fitted.encoder, encoder)
    save(tmp_path / "artifact", held)
    table = made.rows(1)  # the target's own rows, which the task sorts by time
    found = predict(load(tmp_path / "artifact"), table)
    assert found.columns[-4:] == ["prediction", "p_no", "p_yes", "note"]
    assert set(found["note"]) == {""}
    expected = held.fitted.predict(fit.unlabelled())
    assert isinstance(expected, Probabilities)
    ours = np.sort(found["p_yes"].to_numpy())
    np.testing.assert_allclose(ours, np.sort(expected.p[:, 1]), atol=1e-9)
    assert np.ptp(ours) > 0.1


def test_what_no_part_has_seen_is_noted(tmp_path: Path) -> None:
    held, _ = contents(tmp_path, Blend(errors=0.0))
    strange = made.rows(9, 4).with_columns(
        browser=made.rows(9, 4)["browser"].replace("edge", "?")
    )
    strange = strange.with_columns(browser=strange["browser"] + "x")
    notes = predict(made.in_memory(held), strange)["note"]
    assert all("browser" in note for note in notes)
