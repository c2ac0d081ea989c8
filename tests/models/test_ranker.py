"""The stack: what it hides no base has seen, what it learns earns its place, all comes back."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Ints
from acclimate.artifacts.states import pack, unpack
from acclimate.domains.sample import Interactions
from acclimate.domains.taken import Taken
from acclimate.domains.view import ItemEncoder, ItemView
from acclimate.models import candidates, lambdarank, ranker
from acclimate.models.ease import Ease
from acclimate.models.hiding import hide
from acclimate.models.items import ItemQuery, gram_of
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.models.ranker import Stack
from acclimate.plans.plan import plan
from acclimate.rng import Rng
from acclimate.strategies.catalogue import arms
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.stacking import stack
from tests.contract.cases import posed

KEY = Rng.of(0)
ITEMS, GROUPS = 60, 12


def view(matrix: Array, last: Ints | None = None) -> ItemView:
    """Rows of ones; each user's events in the order of their columns, but for the last."""
    rows = sp.csr_array(matrix)
    user, item = (each.astype(np.int64) for each in rows.nonzero())
    if last is None:
        return ItemView(rows, matrix.sum(axis=0))
    order = np.lexsort((item == last[user], user))
    return ItemView(
        rows, matrix.sum(axis=0), taken=Taken(user[order], item[order], matrix.shape)
    )


def random_view(users: int, items: int, seed: int = 3) -> ItemView:
    draw = np.random.default_rng(seed)
    matrix = (draw.random((users, items)) < 0.25).astype(float)
    last = np.array([draw.choice(np.flatnonzero(r)) if r.any() else -1 for r in matrix])
    return view(matrix, last)


@cache
def shoppers() -> tuple[ItemView, ItemView, Ints]:
    """Rows to fit on, histories of other users, and what those took next.

    Items are taken by groups of five.  Who took two of a group goes on within it; who took
    three of each of two is done with them, and goes on with one of two bestsellers.
    """
    draw = np.random.default_rng(0)
    n = 1600
    before, now = np.zeros((n, ITEMS)), np.zeros(n, int)
    for user in range(n):
        if user % 2:
            *first, now[user] = draw.permutation(5)[:3] + 5 * draw.integers(1, GROUPS)
        else:
            a, b = 5 * (1 + draw.permutation(GROUPS - 1)[:2])
            first = [*draw.permutation(5)[:3] + a, *draw.permutation(5)[:3] + b]
            now[user] = draw.integers(2)
        before[user, first] = 1
    after = before.copy()
    after[np.arange(n), now] = 1
    return view(after[:1200], now[:1200]), view(before[1200:]), now[1200:]


@cache
def learned() -> Stack:
    whole, _, _ = shoppers()
    model = Stack(penalty=10.0, second=100.0, names=15, folds=6)
    return model.fit(model.prepare(whole), rng=KEY)


def ndcg(model: Stack | Ease | ItemKnn | Popularity) -> float:
    _, histories, answers = shoppers()
    items = model.predict(ItemQuery(10), histories).items
    _, place = np.nonzero(items == answers[:, None])
    return float((1 / np.log2(place + 2)).sum() / len(answers))


# ── what it knows ───────────────────────────────────────────────────────────


def test_the_encoder_and_the_stack_of_views_say_what_each_user_took_last() -> None:
    ids = np.array(["a", "b", "c"], dtype=object)
    users = np.array(["u", "v", "w"], dtype=object)
    taken = Interactions(np.array([0, 1, 0, 1]), np.array([2, 0, 1, 2]), users, ids)
    one = ItemEncoder(ids, np.array([0, 1])).encode(taken)
    assert one.taken is not None and one.taken.last.tolist() == [1, 0, -1]
    both = stack([one, one])
    assert isinstance(both, ItemView) and both.taken is not None
    assert both.taken.last.tolist() == [1, 0, -1, 1, 0, -1]
    np.testing.assert_array_equal(both.taken.rows.toarray(), both.matrix.toarray())
    mixed = stack([one, replace(one, taken=None)])
    assert isinstance(mixed, ItemView) and mixed.taken is None


# ── what is learned from ────────────────────────────────────────────────────


def test_features_out_of_fold_are_those_of_bases_fitted_anew_without_what_is_hidden() -> None:
    whole = random_view(40, 14)
    model = Stack(penalty=5.0, second=50.0, neighbours=4, names=3, users=30)
    prepared = model.prepare(whole)
    seen = model.lessons(prepared, KEY)
    rows, number = [], 0
    assert whole.taken is not None
    for fold in hide(whole.taken, 30, 2, KEY.child("hide").generator(), least=1):
        left = whole.matrix.toarray()
        left[fold.user, fold.item] = 0
        given = gram_of(view(left))
        bases = [
            base.fit(given, rng=KEY)
            for base in (Popularity(), ItemKnn(4), Ease(5.0), Ease(50.0))
        ]
        weights = bases[2].matrix  # type: ignore[union-attr]
        for user, item in zip(fold.user, fold.item, strict=True):
            mine = np.flatnonzero(left[user])
            new = [j for j in range(14) if j not in mine]
            scores = [b.scores(sp.csr_array(left[[user]]))[0].astype(float) for b in bases]
            lists = [
                sorted(new, key=lambda j: (-s[j], -given.standing[j], j))[:3] for s in scores
            ]
            for j in sorted(set().union(*lists)):
                row: list[float] = []
                for score, best in zip(scores, lists, strict=True):
                    row += [score[j], sum(score[other] > score[j] for other in best)]
                said = [weights[h, j] for h in mine]  # type: ignore[index]
                loud = [each > candidates.SPEAKS for each in said]
                rows.append((number, j == item, *row, len(mine), max(said), sum(loud)))
            number += 1
    expected = np.array(rows, float)
    np.testing.assert_array_equal(seen.user, expected[:, 0])
    np.testing.assert_array_equal(seen.found, expected[:, 1])
    np.testing.assert_allclose(seen.features, expected[:, 2:], atol=1e-6)


def test_an_item_that_only_its_hider_took_is_unknown_to_every_base() -> None:
    draw = np.random.default_rng(1)
    matrix = np.hstack([(draw.random((24, 8)) < 0.5).astype(float), np.eye(24)])
    matrix[:, 0] = 1
    whole = view(matrix, np.arange(24) + 8)
    model = Stack(names=32)
    seen = model.lessons(model.prepare(whole), KEY)
    assert seen.found.sum() == 24
    of_base = seen.features[seen.found][:, [0, 2, 4, 6]]
    np.testing.assert_allclose(of_base, 0, atol=1e-6)


# ── what it is worth ────────────────────────────────────────────────────────


def test_where_bases_complete_each_other_the_stack_beats_the_best_of_them() -> None:
    model = learned()
    assert model.fitted is not None and model.fitted.model
    assert ndcg(model) > max(map(ndcg, model.fitted.bases)) + 0.02


@pytest.mark.parametrize("users", [0, 15])
def test_with_few_hidden_items_one_base_answers_alone(users: int) -> None:
    whole, histories, _ = shoppers()
    model = Stack(users=users)
    fitted = model.fit(model.prepare(whole), rng=KEY)
    assert fitted.fitted is not None and not fitted.fitted.model
    alone = fitted.fitted.bases[fitted.fitted.best].predict(ItemQuery(10), histories)
    np.testing.assert_array_equal(fitted.predict(ItemQuery(10), histories).items, alone.items)


def test_trees_that_learn_nothing_do_not_replace_a_base() -> None:
    whole = random_view(300, 20)
    model = Stack(rounds=5)
    fitted = model.fit(model.prepare(whole), rng=KEY)
    assert fitted.fitted is not None and not fitted.fitted.model


# ── what it answers ─────────────────────────────────────────────────────────


def test_items_that_are_no_candidates_stand_below_in_the_order_of_the_last_base() -> None:
    fitted = learned().fitted
    assert fitted is not None
    histories = shoppers()[1].matrix[:50]
    named = candidates.slate(
        fitted.bases, ranker._weights(fitted.bases), histories, fitted.standing, 15
    )
    scores = fitted.scores(histories, 15)
    last = fitted.bases[-1].scores(histories)
    inside = np.zeros(scores.shape, bool)
    inside[named.user, named.item] = True
    for mine, other, among in zip(scores, last, inside, strict=True):
        assert mine[among].min() > mine[~among].max() >= -100
        order = np.argsort(other[~among], kind="stable")
        assert (np.diff(mine[~among][order]) >= 0).all()


def test_a_whole_list_holds_every_new_item_once() -> None:
    _, histories, _ = shoppers()
    items = learned().predict(ItemQuery(ITEMS), histories).items
    for row, taken in zip(items, histories.matrix.toarray(), strict=True):
        assert sorted(row[row >= 0]) == np.flatnonzero(taken == 0).tolist()


def test_candidates_that_are_asked_for_score_as_in_the_whole_list() -> None:
    _, histories, _ = shoppers()
    whole = learned().predict(ItemQuery(20), histories)
    asked = learned().predict(ItemQuery(20, whole.items), histories)
    np.testing.assert_array_equal(asked.scores, whole.scores)


# ── the same again ──────────────────────────────────────────────────────────


def test_what_is_restored_answers_exactly_as_before() -> None:
    ids = np.array([f"i{number}" for number in range(ITEMS)], dtype=object)
    fitted = Fitted(ItemEncoder(ids, np.arange(ITEMS)), learned())
    again = unpack(*pack(fitted)).model
    assert again == learned()
    _, histories, _ = shoppers()
    ours, theirs = (each.predict(ItemQuery(30), histories) for each in (learned(), again))
    np.testing.assert_array_equal(ours.items, theirs.items)
    np.testing.assert_array_equal(ours.scores, theirs.scores)


def test_any_number_of_threads_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, histories, _ = shoppers()
    model = replace(learned(), rounds=20, fitted=None)
    scores = []
    for threads in (1, 2):
        monkeypatch.setattr(lambdarank, "threads", lambda n, threads=threads: threads)
        fitted = model.fit(model.prepare(whole), rng=KEY)
        assert fitted.fitted is not None and fitted.fitted.model
        scores.append(fitted.predict(ItemQuery(30), histories).scores)
    np.testing.assert_array_equal(scores[0], scores[1])


def test_a_plan_transfers_by_the_stack_after_every_closed_form() -> None:
    planned = plan(posed("items").problem, arms("items"), [])
    steps = [step for step in planned.steps if step.arm.strategy.transfers]
    dear = [step.arm.model.kind == "stack" for step in steps]
    assert any(dear) and dear == sorted(dear)
