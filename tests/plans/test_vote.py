"""Validators vote where the target has no labels, and a list says what to label first."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Probabilities
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.domains.view import RowView
from acclimate.errors import TaskError
from acclimate.models.linear import Linear
from acclimate.plans.ballot import Ballot, prefers
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.examine import Examined
from acclimate.plans.labelfirst import LABEL_FIRST, distances, label_first, labels_wanted
from acclimate.plans.plan import Plan, Step
from acclimate.plans.runner import run
from acclimate.plans.trial import Trial
from acclimate.plans.vote import elect, held_out, vote
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly, TargetOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.coral import Coral
from acclimate.strategies.instance.weighting import DensityRatio
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed
from tests.shifted import TRUTH_HELPS, market, unlabelled

ALONE = Arm(SourceOnly(), Linear())
WEIGHED = Arm(Chain((DensityRatio(), SourceOnly())), Linear())
ALIGNED = Arm(Chain((Coral(), SourceOnly())), Linear())


def posed(target: Domain, *sources: Domain) -> Posed:
    return Classify("label").pose(target, sources, Cut(), Rng.of(0))


def trials(*arms: Arm, status: str = "done") -> list[Trial]:
    return [Trial(arm, status, "", "log-loss") for arm in arms]


def voted(given: Posed, *arms: Arm, tick: Callable[[], None] = lambda: None) -> Examined:
    return vote(trials(*arms), given.task, given.problem, Rng.of(0), tick)


@pytest.fixture(scope="module")
def helps() -> tuple[Posed, Ints]:
    """A covariate shift that weighting truly corrects, and the labels that nobody has."""
    target, truth = unlabelled(market(1, 600, **TRUTH_HELPS, name="target"))
    return posed(target, market(2, 2000, name="near")), truth


def loss(arm: Arm, given: Posed, truth: Ints) -> float:
    rows = given.problem.unlabelled
    assert isinstance(rows, Rows)
    answer = arm.fit(given.problem, Rng.of(0)).predict(rows)
    assert isinstance(answer, Probabilities)
    return float(-np.log(answer.p[np.arange(rows.n), truth]).mean())


def test_what_truly_helps_is_provisional_where_all_validators_say_so(
    helps: tuple[Posed, Ints],
) -> None:
    given, truth = helps
    assert loss(WEIGHED, given, truth) < 0.7 * loss(ALONE, given, truth)
    found = voted(given, ALIGNED, WEIGHED, ALONE)
    assert found.verdict.answer == "provisional"
    assert found.chosen is not None and found.chosen.arm == WEIGHED
    assert found.baseline.arm == ALONE
    assert found.verdict.sentence == (
        "density-ratio + source-only/linear is provisional: there are no target labels to "
        "judge it on, but 3 of 3 validators prefer it to source-only/linear; label about 200 "
        "rows of the target, those listed first, and adapt again."
    )
    assert list(found.votes) == [ALONE.name, ALIGNED.name, WEIGHED.name]
    assert set(found.votes[ALONE.name]) == {
        "likelihood",
        "information",
        "density",
        "return",
        "accuracy",
    }


def test_the_risk_and_one_of_the_others_are_enough(
    helps: tuple[Posed, Ints], monkeypatch: pytest.MonkeyPatch
) -> None:
    p, weight = np.full((600, 2), 0.5), np.ones(9)
    said = {ALONE: (0.0, 0.0, 0.0), WEIGHED: (2.0, 1.0, -1.0)}

    def ballots(done: Sequence[Trial], *others: object) -> list[Ballot]:
        return [
            Ballot(each, np.array(said[each.arm]), p, np.full(9, said[each.arm][0]), weight)
            for each in done
        ]

    monkeypatch.setattr("acclimate.plans.vote.cast", ballots)
    found = voted(helps[0], ALONE, WEIGHED)
    assert found.verdict.answer == "provisional" and found.verdict.arm == WEIGHED.name
    assert found.verdict.reason.startswith(
        "there are no target labels to judge it on, but 2 of 3 validators prefer it to "
        "source-only/linear; label about 200 rows"
    )


def test_a_better_round_trip_is_enough_and_says_so(
    helps: tuple[Posed, Ints], monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {ALONE: 550, ALIGNED: 553, WEIGHED: 612}  # of 1,000; 3 are less than two errors

    def travelled(done: Sequence[Arm], *others: object) -> list[Array]:
        return [np.repeat([1.0, 0.0], [shares[arm], 1000 - shares[arm]]) for arm in done]

    p, nine = np.full((600, 2), 0.5), np.ones(9)
    monkeypatch.setattr("acclimate.plans.vote.round_trips", travelled)
    monkeypatch.setattr(
        "acclimate.plans.vote._ballot",
        lambda trial, *others: Ballot(
            trial, np.array([-float(trial.arm != ALONE), 0, 0]), p, 0 * nine, nine, nine
        ),
    )
    found = voted(helps[0], ALONE, WEIGHED, ALIGNED)
    assert found.verdict.answer == "provisional" and found.verdict.arm == WEIGHED.name
    assert found.verdict.reason.startswith(
        "there are no target labels to judge it on, but learning from its answers gives 61.2% "
        "of the sources' rows their own label, from those of source-only/linear 55.0%; label"
    )
    assert found.votes[WEIGHED.name]["return"] == pytest.approx(0.612)
    assert found.votes[WEIGHED.name]["accuracy"] == 1.0


def test_validators_that_disagree_are_not_enough() -> None:
    # Without a shift weights only cost rows: surer of the target, no better on the source.
    target, _ = unlabelled(market(3, 300, name="target"))
    found = voted(posed(target, market(4, 800, name="near")), ALONE, WEIGHED)
    votes = found.votes
    signs = {
        name: votes[WEIGHED.name][name] > votes[ALONE.name][name] for name in votes[ALONE.name]
    }
    assert set(signs.values()) == {True, False}, signs
    assert found.verdict.answer == "not-enough-data"
    assert found.verdict.units_wanted == 5040
    assert found.verdict.sentence == (
        "Not enough data to choose density-ratio + source-only/linear over source-only/linear: "
        "there are no target labels to judge on, and the 3 validators do not agree that the "
        "other arm is better; label about 5,040 rows of the target, those listed first, and "
        "adapt again."
    )


def test_nothing_to_compare_says_so(helps: tuple[Posed, Ints]) -> None:
    found = voted(helps[0], ALONE)
    assert found.verdict.answer == "not-enough-data"
    assert found.verdict.sentence.startswith(
        "Not enough data: there are no target labels to judge on, and nothing else could be "
        "tried that validators might prefer;"
    )


def test_the_arm_as_it_is_is_provisional_where_all_validators_prefer_it(
    helps: tuple[Posed, Ints], monkeypatch: pytest.MonkeyPatch
) -> None:
    p = np.full((600, 2), 0.5)
    scores = {ALONE: (0.0, 0.0, 0.0), WEIGHED: (-1.0, -1.0, 0.0), ALIGNED: (0.0, 0.0, -1.0)}

    def ballots(done: Sequence[Trial], *others: object) -> list[Ballot]:
        return [Ballot(trial, np.array(scores[trial.arm]), p) for trial in done]

    monkeypatch.setattr("acclimate.plans.vote.cast", ballots)
    found = voted(helps[0], WEIGHED, ALONE, ALIGNED)
    assert found.verdict.answer == "provisional"
    assert found.verdict.arm == found.verdict.baseline == ALONE.name
    assert "3 of 3 validators prefer it to each of 2 other arms" in found.verdict.reason
    scores[ALIGNED] = (0.0, 0.0, 1.0)
    assert voted(helps[0], WEIGHED, ALONE, ALIGNED).verdict.answer == "not-enough-data"


def test_flipped_labels_are_seen_by_nobody_and_never_adopted() -> None:
    target, truth = unlabelled(market(1, 400, **TRUTH_HELPS, flip=True, name="target"))
    given = posed(target, market(2, 1200, name="near"))
    assert loss(WEIGHED, given, truth) > 2.0
    assert voted(given, ALONE, WEIGHED).verdict.answer in ("provisional", "not-enough-data")


# ── what is preferred ───────────────────────────────────────────────────────


def ballot(gain: Array, information: float, density: float) -> Ballot:
    scores = np.array([gain.mean(), information, density])
    return Ballot(trials(ALONE)[0], scores, np.full((2, 2), 0.5), gain, np.ones(len(gain)))


def test_a_likelihood_better_by_chance_is_no_preference() -> None:
    base = np.zeros(100)
    noisy = np.where(np.arange(100) % 2, 1.02, -1.0)  # mean 0.01, error 0.1
    assert not prefers(ballot(noisy, 1.0, 1.0), ballot(base, 0.0, 0.0))
    assert prefers(ballot(base + 0.01, 1.0, 1.0), ballot(base, 0.0, 0.0))


@pytest.mark.parametrize("against", [(), (1,), (2,), (0,), (1, 2), (0, 2)])
def test_a_majority_with_the_risk_in_it_prefers_an_arm(against: tuple[int, ...]) -> None:
    signs = [-1.0 if at in against else 1.0 for at in range(3)]
    other = ballot(np.full(9, signs[0]), signs[1], signs[2])
    wanted = 0 not in against and len(against) < 2
    assert prefers(other, ballot(np.zeros(9), 0.0, 0.0)) == wanted


@pytest.mark.parametrize("against", [(), (0,), (1,)])
def test_without_source_rows_all_must_prefer_an_arm(against: tuple[int, ...]) -> None:
    scores = np.array([-1.0 if at in against else 1.0 for at in range(2)])
    one, base = (
        Ballot(trials(ALONE)[0], each, np.full((2, 2), 0.5)) for each in (scores, np.zeros(2))
    )
    assert prefers(one, base) == (not against)


def test_of_several_preferred_arms_the_one_of_least_risk_is_chosen(
    helps: tuple[Posed, Ints], monkeypatch: pytest.MonkeyPatch
) -> None:
    p, weight = np.full((600, 2), 0.5), np.ones(9)
    said = {ALONE: (0.0, 0.0, 0.0), ALIGNED: (1.0, 9.0, 9.0), WEIGHED: (2.0, 1.0, -1.0)}

    def ballots(done: Sequence[Trial], *others: object) -> list[Ballot]:
        return [
            Ballot(each, np.array(said[each.arm]), p, np.full(9, said[each.arm][0]), weight)
            for each in done
        ]

    monkeypatch.setattr("acclimate.plans.vote.cast", ballots)
    assert voted(helps[0], ALONE, ALIGNED, WEIGHED).verdict.arm == WEIGHED.name


# ── what to label first ─────────────────────────────────────────────────────


def entities(given: Posed, names: Sequence[object]) -> Rows:
    rows = given.problem.unlabelled
    assert isinstance(rows, Rows)
    return replace(rows.take(np.arange(len(names))), entity=np.array(names, dtype=object))


def two(*p: float) -> Array:
    return np.column_stack([1 - np.array(p), np.array(p)])


def test_rows_that_tell_the_arms_apart_come_first_one_a_unit(
    helps: tuple[Posed, Ints],
) -> None:
    rows = entities(helps[0], ["a", "b", "a", None, "c", "b"])
    ours, theirs = two(0.5, 0.9, 0.9, 0.5, 0.8, 0.9), two(0.5, 0.8, 0.1, 0.6, 0.2, 0.85)
    found = label_first([ours, theirs], np.arange(6), rows)
    assert found == (2, 4, 1, 3)


def test_rows_that_one_arm_is_least_sure_of_come_first(helps: tuple[Posed, Ints]) -> None:
    rows = entities(helps[0], [None] * 4)
    assert label_first([two(0.9, 0.5, 0.6, 0.01)], np.arange(4), rows) == (1, 2, 0, 3)


def view_of(numeric: Array, codes: Array) -> RowView:
    return RowView(numeric, codes.astype(np.int64), (3,) * codes.shape[1], None, None, 2)


def test_rows_to_label_are_not_all_alike(helps: tuple[Posed, Ints]) -> None:
    # Rows 0 to 3 are the most disputed and the same; 4 and 5 are less so, and others; nobody
    # disputes 6, which is as far as 4.
    x = np.array([[0.0], [0.0], [0.0], [0.0], [1.0], [0.5], [-1.0]])
    view = view_of(x, np.zeros((7, 0)))
    ours = two(0.9, 0.89, 0.88, 0.87, 0.8, 0.8, 0.6)
    theirs = two(0.1, 0.11, 0.12, 0.13, 0.2, 0.2, 0.61)
    rows = entities(helps[0], [None] * 7)
    assert label_first([ours, theirs], np.arange(7), rows) == (0, 1, 2, 3, 4, 5, 6)
    assert label_first([ours, theirs], np.arange(7), rows, view) == (0, 4, 5, 6, 1, 2, 3)


def test_the_distance_of_rows_is_gowers_mean_over_columns() -> None:
    numeric = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    view = view_of(numeric, np.array([[0], [1], [0]]))
    # |Δ| / range: 0, ½, 1; a constant column 0; a category 0 or 1; a mean of three.
    assert distances(view, np.arange(3), 0) == pytest.approx([0, 0.5, 1 / 3])


def test_labels_should_decide_between_the_arms_that_lead(
    helps: tuple[Posed, Ints],
) -> None:
    p, nine = np.full((4, 2), 0.5), np.ones(9)
    said = {ALONE: (0.0, 0.0, 0.0), ALIGNED: (-1.0, -2.0, 0.0), WEIGHED: (2.0, 1.0, -1.0)}
    ballots = [
        Ballot(each, np.array(said[each.arm]), p, np.full(9, said[each.arm][0]), nine)
        for each in trials(ALONE, ALIGNED, WEIGHED)
    ]
    found = elect(ballots)
    assert found is not None and found.settled and not found.home
    assert [each.trial.arm for each in found.leading] == [ALONE, WEIGHED]
    assert found.chosen is ballots[2] and found.baseline is ballots[0]
    alone = elect(ballots[:2])
    assert alone is not None and len(alone.leading) == 2
    assert elect(ballots[1:]) is None


def test_labels_wanted_grow_as_arms_are_harder_to_tell_apart() -> None:
    base, alike = ballot(np.zeros(1000), 0.0, 0.0), np.tile([1.0, -1.0], 500)
    # s = 1, d = .2: (2.8016 / .2)² = 196.2 rows to judge on, of the share that judges.
    far = ballot(alike + 0.2, 0.0, 0.0)
    n = 196.22
    share = Cut().judge_share(math.ceil(2 * n))
    assert labels_wanted(far, base) == max(200, 10 * math.ceil(math.ceil(n / share) / 10))
    # Half the difference takes four times as many.
    near = labels_wanted(ballot(alike + 0.1, 0.0, 0.0), base)
    n = 784.9
    share = Cut().judge_share(math.ceil(2 * n))
    assert near == 10 * math.ceil(math.ceil(n / share) / 10)
    assert labels_wanted(ballot(alike, 0.0, 0.0), base) == 10_000
    assert labels_wanted(base, base) == 200


def test_the_list_is_short_and_names_rows_of_the_table(helps: tuple[Posed, Ints]) -> None:
    given, _ = helps
    found = voted(given, ALONE, WEIGHED).first
    rows = given.problem.unlabelled
    assert isinstance(rows, Rows)
    assert len(found) == len(set(found)) == LABEL_FIRST
    assert min(found) >= 0 and max(found) < rows.n


# ── held-out sources ────────────────────────────────────────────────────────


def test_a_fifth_of_each_source_is_held_out_and_weighed_towards_the_target(
    helps: tuple[Posed, Ints],
) -> None:
    problem = helps[0].problem
    part, held = held_out(problem, Rng.of(0))
    assert held is not None
    assert part.sources[0].n + held.rows.n == problem.sources[0].n
    assert held.rows.n == pytest.approx(problem.sources[0].n / 5, abs=2)
    z = held.rows.columns["z"].to_numpy()
    assert held.weight.mean() == pytest.approx(1.0)
    assert (held.weight * z).mean() > z.mean() + 0.3  # the target's z lies higher


def test_a_source_of_one_unit_is_fitted_on_and_held_out_nowhere() -> None:
    target, _ = unlabelled(market(1, 60, name="target"))
    given = posed(target, market(2, 90, name="near"))
    held = given.problem.sources[0].held
    assert isinstance(held, Rows)
    one = replace(held, entity=np.array(["u"] * held.n, dtype=object))
    alone = replace(given.problem.sources[0], held=one)
    part, kept = held_out(given.problem.with_sources([alone]), Rng.of(0))
    assert kept is None and part.sources[0].n == held.n


# ── budget ──────────────────────────────────────────────────────────────────


def stopping(after: int) -> Callable[[], None]:
    left = iter(range(after))

    def tick() -> None:
        if next(left, None) is None:
            raise OutOfBudget

    return tick


def test_a_vote_that_is_cut_short_says_so_and_keeps_what_there_is_to_beat(
    helps: tuple[Posed, Ints], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, _ = helps
    monkeypatch.setattr("acclimate.plans.vote.round_trips", lambda arms, *_: [None] * len(arms))
    counted = [0]

    def count() -> None:
        counted[0] += 1

    whole = voted(given, WEIGHED, ALONE, tick=count)
    cut = voted(given, WEIGHED, ALONE, tick=stopping(counted[0] - 1))
    assert list(cut.votes) == [ALONE.name]
    assert cut.votes[ALONE.name] == whole.votes[ALONE.name]
    assert cut.baseline.arm == ALONE and cut.verdict.answer == "not-enough-data"
    assert cut.verdict.reason.endswith("(1 of 2 arms had no vote; raise --budget)")


def test_a_budget_that_ends_before_any_vote_ships_the_model_as_it_is(
    helps: tuple[Posed, Ints],
) -> None:
    found = voted(helps[0], WEIGHED, ALONE, tick=stopping(0))
    assert found.baseline.arm == ALONE and found.votes == {} and found.first == ()
    assert "the budget ended before a vote" in found.verdict.sentence


def test_time_for_the_second_fits_is_kept_back() -> None:
    now = [0.0]
    budget = Budget(100.0, lambda: now[0], twice=True)
    for seconds in (3.0, 5.0):
        budget.saw_fit("coral", seconds)
        now[0] += seconds
    assert budget.reserve == 10 + (3 + 5) + 5  # a tenth, both again, one to ship
    now[0] = 89.9  # 5 to ship, and a twentieth to write
    budget.closing_tick()
    now[0] = 90.1
    with pytest.raises(OutOfBudget):
        budget.closing_tick()


def test_the_trials_of_a_target_without_labels_need_no_target_only_arm(
    helps: tuple[Posed, Ints],
) -> None:
    given, _ = helps
    assert Arm(TargetOnly(), Linear()).why_not(given.problem) == (
        "the target has no labelled rows to fit on"
    )
    steps = tuple(Step(arm, "") for arm in (ALONE, WEIGHED))
    found = run(Plan(steps, ()), given.task, given.problem, given.exam, Budget(60.0), Rng.of(0))
    assert [t.status for t in found] == ["done", "done"]
    assert all(t.answer is None and t.n == 0 for t in found)


def test_one_class_in_all_sources_is_refused() -> None:
    target, _ = unlabelled(market(1, 60, name="target"))
    near = market(2, 60, name="near")
    one = near.tables["rows"].filter(near.tables["rows"]["label"] == "1")
    says = "at least two classes in the sources, as target 'target' has no labels; found 1. "
    with pytest.raises(TaskError, match=re.escape(says)):
        posed(target, Domain("near", {"rows": one}, near.schema))
