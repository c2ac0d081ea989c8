"""The contract bites: arms and tasks that break it are caught, each by its own check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Exam, Prediction, Ranking
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions, Rows
from acclimate.domains.source import Derived
from acclimate.domains.split import Cut
from acclimate.models.linear import Linear
from acclimate.models.model import Model, Tick, idle
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, TargetOnly
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Posed
from tests.contract import checks, poison
from tests.contract.cases import SEED, posed, scene


@dataclass(frozen=True)
class Bad(TargetOnly):
    """Target-only, but for one broken promise."""

    kind: ClassVar[str] = "bad"
    statistics: ClassVar[Statistics] = Statistics.TARGET


@dataclass(frozen=True)
class Forgetful(Bad):
    """Draws from a generator of its own instead of the given key."""

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(problem.fit, Rows)
        some = np.random.default_rng().permutation(problem.fit.n)[: problem.fit.n // 2]
        return super().adapt(problem.with_fit(problem.fit.take(some)), model, rng, tick)


KEPT = Derived()


@dataclass(frozen=True)
class Remembering(Pooled):
    """Keeps a value under a key that does not say which sources it was computed from."""

    kind: ClassVar[str] = "bad"

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        key = (problem.fit.fingerprint, rng.key)
        whole = problem.encoded(Statistics.TARGET)
        return KEPT.get(key, lambda: Pooled.adapt(self, whole, model, rng, tick))


@dataclass(frozen=True)
class Careless(Bad):
    """Scales the source's labels where they lie."""

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(problem.fit, Rows) and problem.fit.label is not None
        problem.fit.label[0] = 1 - problem.fit.label[0]
        return super().adapt(problem, model, rng, tick)


@dataclass(frozen=True)
class Crowd(Popularity):
    """Ranks by what all users that are asked about have taken together."""

    def predict(self, query: Any, context: Any = None) -> Ranking:
        return Popularity(None, context.popularity, context.popularity).predict(query, context)


@dataclass(frozen=True)
class Cheat(Fitted):
    """Looks at the truth it is asked for."""

    def answer(self, case: Any) -> Prediction:
        answer = super().answer(case)
        assert isinstance(answer, Ranking)
        return replace(answer, scores=answer.scores + len(case.truth.units))


@dataclass(frozen=True)
class LeakyProblem(Problem):
    """A problem with a path to the exam, well hidden."""

    key: Any = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Generous(Classify):
    """Gives the part that is chosen on to fit on as well."""

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        posed = super().pose(target, sources, cut, rng)
        return replace(posed, problem=replace(posed.problem, fit=posed.whole.fit))


@dataclass(frozen=True)
class Untimely(Classify):
    """Does not cut the sources at the clock."""

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        posed = super().pose(target, sources, cut, rng)
        return replace(posed, problem=posed.problem.with_sources(posed.whole.sources))


@dataclass(frozen=True)
class WideCatalogue(Recommend):
    """Takes the catalogue from every event, those that judge included."""

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        posed = super().pose(target, sources, cut, rng)
        return replace(posed, problem=replace(posed.problem, recipe=posed.whole.recipe))


def test_a_generator_of_its_own_is_caught() -> None:
    with pytest.raises(AssertionError):
        checks.repeats(Arm(Forgetful(), Linear()), posed("rows"))


def test_a_cache_with_a_careless_key_is_caught() -> None:
    with pytest.raises(AssertionError):
        checks.repeats(Arm(Remembering(), Linear()), posed("rows"))


def test_a_changed_input_is_caught_and_named() -> None:
    own = scene("rows").posed()
    with pytest.raises(AssertionError, match="changed its problem"):
        checks.leaves_inputs(Arm(Careless(), Linear()), own, scene("rows"))


def test_an_answer_that_depends_on_who_else_is_asked_is_caught() -> None:
    given = posed("items")
    fitted = Arm(TargetOnly(), Crowd()).fit(given.problem, SEED)
    with pytest.raises(AssertionError):
        checks.answers_each_alone(fitted, given.exam.judge[0], 1e-9)


def test_an_answer_that_looks_at_the_truth_is_caught() -> None:
    given = posed("items")
    fitted = Arm(TargetOnly(), Popularity()).fit(given.problem, SEED)
    with pytest.raises(AssertionError):
        checks.answers_each_alone(Cheat(fitted.encoder, fitted.model), given.exam.judge[0], 1e9)


@pytest.mark.parametrize("kind", ["values", "more", "fewer"])
def test_a_task_that_lets_the_choose_part_be_fitted_on_is_caught(kind: str) -> None:
    leaky = replace(scene("rows"), task=Generous("label"))
    with pytest.raises(AssertionError, match="the problem saw the exam"):
        checks.poses_alike(leaky, poison.poisoned(leaky, kind))


def test_a_task_that_reads_the_catalogue_off_the_exam_is_caught() -> None:
    leaky = replace(scene("items"), task=WideCatalogue(k=5))
    with pytest.raises(AssertionError, match="the problem saw the exam"):
        checks.poses_alike(leaky, poison.poisoned(leaky, "values"))


def test_what_is_learned_from_a_poisoned_part_is_caught() -> None:
    leaky = replace(scene("rows"), task=Generous("label"))
    other = poison.poisoned(leaky, "values")
    with pytest.raises(AssertionError):
        checks.learns_alike(Arm(TargetOnly(), Linear()), leaky.posed(), other.posed())


def test_a_source_that_is_not_cut_is_caught() -> None:
    leaky = replace(scene("rows"), task=Untimely("label"))
    clock = poison.parts_of(leaky)[0]["time"].max()
    other = poison.late_sources(leaky, clock)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="the problem heard the future"):
        checks.hears_no_future(leaky, other)


def hidden(way: str, given: Posed) -> Any:
    """The exam, or its truth, behind one more door."""
    label = given.exam.judge[0].truth.label
    assert label is not None
    item: dict[str, Any] = {
        "attribute": given.exam,
        "closure": lambda: given.exam,
        "default": lambda exam=given.exam: exam,
        "dictionary": {"deep": [({"er": given.exam},)]},
        "bound method": given.exam.__eq__,
        "array": label,
        "view": label[::-1],
        "copy": label.copy(),
        "object array": np.array([given.exam, None], dtype=object),
    }
    return item[way]


@pytest.mark.parametrize(
    "way",
    [
        "attribute",
        "closure",
        "default",
        "dictionary",
        "bound method",
        "array",
        "view",
        "copy",
        "object array",
    ],
)
def test_a_hidden_path_to_the_exam_is_caught(way: str) -> None:
    given = posed("rows")
    plain = {name: getattr(given.problem, name) for name in Problem.__dataclass_fields__}
    checks.hides_exam(replace(given, problem=LeakyProblem(**plain)))
    leaky = LeakyProblem(**plain, key=hidden(way, given))
    with pytest.raises(AssertionError):
        checks.hides_exam(replace(given, problem=leaky))


def test_a_source_that_holds_judged_pairs_is_caught() -> None:
    given = posed("items")
    truth = given.exam.judge[0].truth
    assert truth.user is not None and truth.item is not None
    fit = given.problem.fit
    assert isinstance(fit, Interactions)
    stolen = Interactions(truth.user, truth.item, fit.users, fit.items)
    first = replace(given.problem.sources[0], held=stolen)
    with pytest.raises(AssertionError):
        checks.hides_exam(replace(given, problem=given.problem.with_sources([first])))


def test_truths_of_the_exam_are_found() -> None:
    given = posed("rows")
    assert len(checks.truths(given.exam)) == 2
    assert not checks.truths(Exam((), ()))
