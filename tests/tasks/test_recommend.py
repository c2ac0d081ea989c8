"""Recommend poses events honestly: what may be known, what may be recommended, who is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Ranking, RankQuery, Truth
from acclimate.domains.problem import Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.schema import Schema, TableSchema
from acclimate.domains.split import Cut
from acclimate.errors import TaskError, UsageError
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.tasks.moments import late_said
from acclimate.tasks.pasts import events_of
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Posed

START = datetime(2024, 1, 1)


def market(name: str, *events: tuple[str, str, int], items: list[str] | None = None) -> Domain:
    """(user, item, day) in file order, and an items table where one is given."""
    frame = pl.DataFrame(
        {
            "user": [user for user, _, _ in events],
            "item": [item for _, item, _ in events],
            "time": pl.Series(
                [START + timedelta(days=day) for _, _, day in events], dtype=pl.Datetime("us")
            ),
        }
    )
    tables = {"events": frame}
    if items is not None:
        tables["items"] = pl.DataFrame({"item": items})
    schema = {table: TableSchema({}, {}, name) for table in tables}
    return Domain(name, tables, Schema(schema))


def week(users: int = 4) -> list[tuple[str, str, int]]:
    """Each user takes five items of their own order, a day apart."""
    return [(f"u{u}", f"i{(u + 2 * d) % 7}", d) for u in range(users) for d in range(5)]


def posed(target: Domain, *sources: Domain, task: Recommend | None = None, **cut: Any) -> Posed:
    given = sources or (market("us", *week(8)),)
    cut = {"by": "last", **cut}
    return (task or Recommend(k=3)).pose(target, given, Cut(**cut), Rng.of(0))


def history(sample: object) -> dict[str, list[str]]:
    """user → items in order."""
    assert isinstance(sample, Interactions)
    found: dict[str, list[str]] = {str(user): [] for user in sample.users}
    for user, item in zip(sample.user, sample.item, strict=True):
        found[str(sample.users[user])].append(str(sample.items[item]))
    return found


# ── what is known and asked ─────────────────────────────────────────────────


def test_each_user_is_asked_for_the_last_item_and_knows_neither_of_the_last_two() -> None:
    found = posed(market("jp", *week()))
    (case,) = found.exam.judge
    taken = {f"u{u}": [f"i{(u + 2 * d) % 7}" for d in range(5)] for u in range(4)}
    assert history(found.problem.fit) == {user: items[:3] for user, items in taken.items()}
    assert history(case.context) == history(found.problem.fit)
    assert case.truth.user is not None and case.truth.item is not None
    catalogue = found.problem.fit.items  # type: ignore[union-attr]
    true = {
        str(case.query.users[u]): str(catalogue[i])
        for u, i in zip(case.truth.user, case.truth.item, strict=True)
    }
    assert true == {user: items[-1] for user, items in taken.items() if items[-1] in catalogue}
    assert history(found.whole.fit) == taken


def test_events_are_read_in_time_order_whatever_the_files_order() -> None:
    straight, turned = market("jp", *week()), market("jp", *week()[::-1])
    assert history(posed(straight).whole.fit) == history(posed(turned).whole.fit)
    times = events_of(turned)["time"].to_list()
    assert times == sorted(times)
    theirs = [(f"us-{user}", item, day) for user, item, day in week()]
    sources = [posed(straight, market("us", *order)) for order in (theirs, theirs[::-1])]
    one, other = (history(each.problem.sources[0].sample) for each in sources)
    assert one == other


def test_an_item_first_sold_after_fit_is_a_miss_unless_the_items_table_has_it() -> None:
    # Nobody takes "new" before the judged day.
    events = [*week(), *((f"u{u}", "new", 9) for u in range(4))]
    (without,) = posed(market("jp", *events)).exam.judge
    assert without.truth.missed is not None
    assert without.truth.missed.tolist() == [1, 1, 1, 1]
    found = posed(market("jp", *events, items=["new", "never sold"]))
    (known,) = found.exam.judge
    assert known.truth.missed is not None and not known.truth.missed.any()
    assert "never sold" in found.problem.fit.items  # type: ignore[union-attr]
    notes = " ".join(posed(market("jp", *events)).notes)
    assert "4 judged items are in no catalogue: misses" in notes


def test_unknown_items_count_as_misses_in_the_score() -> None:
    task, list_of_two = Recommend(k=2), Ranking(np.array([[0, 1]]), np.zeros((1, 2)), 5)
    one = Truth(np.zeros(1, int), user=np.array([0]), item=np.array([0]), missed=np.array([0]))
    two = Truth(np.zeros(1, int), user=np.array([0]), item=np.array([0]), missed=np.array([1]))
    assert task.score(list_of_two, one)[0] == 1.0
    assert task.score(list_of_two, two)[0] == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_what_was_pruned_from_training_counts_as_a_miss() -> None:
    found = posed(market("jp", *week(20)), task=Recommend(k=3, at_most=2))
    encoded = found.problem.encoded(Statistics.BOTH)
    assert len(encoded.encoder.known) == 2  # type: ignore[union-attr]
    (case,) = found.exam.judge
    fitted = Arm(TargetOnly(), Popularity()).fit(found.problem, Rng.of(0))
    hits = found.task.unit_scores(fitted.answer(case), case.truth)
    assert case.truth.item is not None
    in_view = np.isin(case.truth.item, encoded.encoder.known)  # type: ignore[union-attr]
    assert in_view.any() and not in_view.all()
    assert (hits[case.truth.user][~in_view] == 0).all()


def test_a_cut_by_time_lets_no_later_event_of_a_source_in() -> None:
    target = market(
        "jp", *[(f"u{u}", f"i{(u + d) % 9}", d) for u in range(60) for d in range(8)]
    )
    source = market("us", *[(f"s{u}", f"i{u % 9}", u) for u in range(20)])
    found = posed(target, source, by="time")
    assert "fit before 2024-01-05, choose before 2024-01-06" in found.notes[0]
    last = {"fit": 4, "whole": 8}
    for problem, days in ((found.problem, last["fit"]), (found.whole, last["whole"])):
        users = problem.sources[0].sample.users  # type: ignore[union-attr]
        assert set(users) == {f"s{u}" for u in range(days)}
    (choose,), (judge,) = found.exam.choose, found.exam.judge
    assert len(history(choose.context)["u0"]) == 4
    # What came before the judged days may be known by then.
    assert len(history(judge.context)["u0"]) == 5


def test_users_whom_nobody_knows_are_not_asked() -> None:
    events = [*week(), ("stranger", "i1", 3)]
    (case,) = posed(market("jp", *events)).exam.judge
    assert "stranger" not in case.query.users


def test_a_source_of_the_future_is_left_out_and_named() -> None:
    future = market("us", *[(u, i, d + 99) for u, i, d in week()])
    events = [(f"u{u}", f"i{(u + d) % 9}", d) for u in range(60) for d in range(8)]
    found = posed(market("jp", *events), future, by="time")
    assert found.problem.sources == ()
    assert any(note.startswith("us is left out: no events") for note in found.notes)


def test_a_market_without_events_is_refused_with_what_it_has() -> None:
    bare = Domain("web", {"rows": pl.DataFrame({"x": [1]})}, Schema({}))
    for pair in ((bare, market("us", *week())), (market("jp", *week()), bare)):
        with pytest.raises(TaskError, match=r"events table.*in 'web'.*found rows"):
            posed(*pair)


@pytest.mark.parametrize(("k", "at_most", "found"), [(0, 2, 0), (101, 2, 101), (10, 1, 1)])
def test_lengths_out_of_range_are_refused(k: int, at_most: int, found: int) -> None:
    with pytest.raises(UsageError, match=f"found {found}"):
        Recommend(k, at_most)


# ── sampled candidates ──────────────────────────────────────────────────────


def test_candidates_are_the_truth_and_items_never_taken_and_the_same_for_all() -> None:
    events = [(f"u{u}", f"i{(3 * u + d * d) % 25}", d) for u in range(12) for d in range(5)]
    target = market("jp", *events, items=[f"i{k}" for k in range(25)])
    task = Recommend(k=3, negatives=6)
    (case,), (again,) = (posed(target, task=task).exam.judge for _ in range(2))
    assert case.query.candidates is not None
    assert np.array_equal(case.query.candidates, again.query.candidates)
    catalogue = posed(target, task=task).problem.fit.items  # type: ignore[union-attr]
    assert case.truth.user is not None and case.truth.item is not None
    for row, user in enumerate(case.query.users):
        mine = case.query.candidates[row]
        mine = mine[mine >= 0]
        true = case.truth.item[case.truth.user == row]
        assert set(true) <= set(mine) and len(set(mine)) == len(mine) == 6 + len(true)
        taken = {item for who, item, _ in events if who == user}
        assert not taken & set(catalogue[np.setdiff1d(mine, true)])


def test_candidates_for_nobody_are_none() -> None:
    single = market("jp", *[(f"u{u}", f"i{u}", u) for u in range(5)])
    (case,) = posed(single, task=Recommend(k=3, negatives=4)).exam.judge
    assert case.truth.n_units == 0
    assert case.query.candidates is not None and case.query.candidates.shape[0] == 0


# ── scoring ─────────────────────────────────────────────────────────────────


def test_the_score_is_the_weighted_mean_of_its_users() -> None:
    task = Recommend(k=2)
    ranking = Ranking(np.array([[0, 1], [2, 0], [1, 0]]), np.zeros((3, 2)), 4)
    truth = Truth(
        units=np.arange(3),
        user=np.arange(3),
        item=np.array([0, 0, 3]),
        missed=np.zeros(3, np.int64),
    )
    each = task.unit_scores(ranking, truth)
    np.testing.assert_allclose(each, [1.0, 1 / np.log2(3), 0.0])
    weights = np.array([[1.0, 1, 1], [2, 0, 1], [0, 5, 0]])
    np.testing.assert_allclose(
        task.score(ranking, truth, weights), [each.mean(), 2 / 3, 1 / np.log2(3)]
    )
    named = task.metrics(ranking, truth)
    assert named["ndcg@2"] == pytest.approx(each.mean())
    assert named["coverage@2"] == 0.75
    assert len(named) == 8


def test_joined_answers_keep_their_users_apart() -> None:
    task = Recommend(k=2)
    parts = []
    for item in (0, 1):
        ranking = Ranking(np.array([[0, 1], [1, 0]]), np.zeros((2, 2)), 4)
        truth = Truth(
            units=np.arange(2),
            user=np.array([0, 1]),
            item=np.array([item, 3]),
            missed=np.zeros(2, np.int64),
        )
        parts.append((ranking, truth))
    one = Truth(
        np.arange(1), user=np.zeros(1, int), item=np.zeros(1, int), missed=np.zeros(1, int)
    )
    parts.append((Ranking(np.array([[0]]), np.zeros((1, 1)), 4), one))  # a shorter list
    together = task.join(parts)
    expected = np.concatenate([task.unit_scores(*part) for part in parts])
    np.testing.assert_allclose(task.unit_scores(*together), expected)


# ── when each is asked ──────────────────────────────────────────────────────


def test_what_was_first_sold_after_a_user_was_asked_is_no_candidate() -> None:
    # Early takes three items in January; what others first take in March cannot be theirs.
    early = [("early", item, day) for day, item in enumerate(("a", "b", "c"))]
    late = [
        (f"l{u}", item, 60 + 5 * u + day)
        for u in range(4)
        for day, item in enumerate(("b", "n", "o", "a", "c"))
    ]
    found = posed(market("jp", *early, *late))
    (case,) = found.exam.judge
    fit = found.problem.fit
    assert isinstance(fit, Interactions)
    fitted = Arm(TargetOnly(), Popularity()).fit(found.problem, Rng.of(0))
    ranking = fitted.answer(case)
    assert isinstance(ranking, Ranking)
    rows = {user: row for row, user in enumerate(case.query.users)}
    listed = {
        user: [str(fit.items[i]) for i in ranking.items[row] if i >= 0]
        for user, row in rows.items()
    }
    assert "n" not in listed["early"] and "o" not in listed["early"]
    assert listed["early"] == ["b"]  # a is taken, and nobody's fit holds c
    assert case.query.moments is not None and case.query.sold is not None
    (said,) = [note for note in found.notes if "no candidate" in note]
    # Two items of four are late for one user of five.
    assert (
        said == "what was first sold after a user was asked is no candidate: 0.4 items a user"
    )


def test_what_is_first_sold_at_that_moment_is_a_candidate() -> None:
    users = np.array(["u"], dtype=object)
    query = RankQuery(users, moments=np.array([5.0]), sold=np.array([5.0, 6.0, -np.inf]))
    (said,) = late_said(query)
    assert said.endswith(": 1.0 items a user")


def test_without_a_time_on_every_event_all_items_stay_candidates() -> None:
    target = market("jp", *week())
    frame = target.tables["events"].drop("time")
    bare = Domain("jp", {"events": frame}, target.schema)
    (case,) = posed(bare).exam.judge
    assert case.query.moments is None
    assert not [note for note in posed(bare).notes if "no candidate" in note]


def test_a_published_protocol_keeps_its_candidates() -> None:
    (case,) = posed(market("jp", *week()), task=Recommend(k=3, negatives=2)).exam.judge
    assert case.query.moments is None and case.query.candidates is not None
