"""Shared users: EASE of two catalogues by hand, whose users it knows, and who is served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.beside import BesideEncoder, twins
from acclimate.domains.exam import Ranking, RankQuery
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder, ItemView
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease, solve
from acclimate.models.neighbours import ItemKnn
from acclimate.models.wideease import ByItems, ByUsers, WideEase
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.relation.sharedusers import SharedUsers
from tests.golden.test_itemprior import problem, taken

KEY = Rng.of(0)


def drawn(seed: int, users: int, items: int) -> Array:
    X = (np.random.default_rng(seed).random((users, items)) < 0.3).astype(float)
    X[:, 0] = 1.0  # so that everyone is known
    return X


@pytest.mark.parametrize(("users", "form"), [(12, ByUsers), (60, ByItems)])
def test_both_ways_are_ease_of_the_two_catalogues_beside_each_other(
    users: int, form: type[ByItems] | type[ByUsers]
) -> None:
    X, S = drawn(0, users, 20), drawn(1, users, 9)
    # Histories that were fitted on, and others.
    asked = np.vstack([np.hstack([X, S])[:3], drawn(2, 4, 29)])
    view = ItemView(sp.csr_array(X), X.sum(axis=0), beside=sp.csr_array(S))
    model = WideEase(5.0, 0.5).fit(view, rng=KEY)
    Z = np.hstack([X, 0.5 * S])
    wanted = asked * np.r_[np.ones(20), np.full(9, 0.5)] @ solve(Z.T @ Z, 5.0)[:, :20]
    assert isinstance(model.fitted, form)
    np.testing.assert_allclose(model.scores(sp.csr_array(asked)), wanted, atol=1e-6)


def test_scores_lean_to_what_is_popular_by_deviations_of_a_score() -> None:
    X = drawn(0, 12, 20)
    view = ItemView(sp.csr_array(X), X.sum(axis=0))
    plain = WideEase(5.0).fit(view, rng=KEY).scores(view.matrix)
    leant = WideEase(5.0, lean=2.0).fit(view, rng=KEY).scores(view.matrix)
    wanted = plain + 2.0 * plain.std() * np.log(1 + X.sum(axis=0))
    np.testing.assert_allclose(leant, wanted, rtol=1e-5)


def test_columns_beside_are_what_at_least_two_of_the_targets_users_took() -> None:
    here = taken(np.array([[1.0, 1], [0, 1], [1, 0]]), ["a", "b"])
    # x was taken by u0 and u1; y by u0 and u3, who is not here; z by everybody.
    there = taken(np.array([[1.0, 1, 1], [1, 0, 1], [0, 0, 1], [0, 1, 1]]), ["x", "y", "z"])
    own = ItemEncoder(here.items, np.arange(2))
    both = BesideEncoder.of(own, {"s": there}, here, at_most=6000)
    assert both.users.tolist() == ["u0", "u1", "u2", "u3"]
    assert both.taken.toarray().tolist() == [[1, 1], [1, 1], [0, 1], [0, 1]]
    one = BesideEncoder.of(own, {"s": there}, here, at_most=1)
    assert one.taken.toarray().tolist() == [[1], [1], [1], [1]]  # z
    view = both.encode(replace(here, users=np.array(["u1", "nobody", "u0"], object)))
    assert view.beside is not None
    assert view.beside.toarray().tolist() == [[1, 1], [0, 0], [1, 1]]
    assert both.met(np.array(["u3", "nobody"], object)).tolist() == [True, False]
    again = BesideEncoder.restore(both.state())
    assert again.fingerprint == both.fingerprint != own.fingerprint
    assert one.fingerprint != both.fingerprint


def test_a_question_may_know_more_of_what_users_did_elsewhere() -> None:
    here = taken(np.array([[1.0, 1], [0, 1]]), ["a", "b"])
    views, carts = (taken(np.array([[1.0, 1], [1, 0]]), ["x", "y"]) for _ in range(2))
    own = ItemEncoder(here.items, np.arange(2))
    both = BesideEncoder.of(own, {"views": views, "carts": carts}, here, at_most=6000)
    assert both.taken.toarray().tolist() == [[1, 1], [1, 1]]  # x, which two took, of each
    later = taken(np.array([[0.0, 1], [0, 1], [1, 0]]), ["x", "y"])
    asked = replace(here, beside={"views": later})
    seen = both.encode(asked).beside
    assert seen is not None and seen.toarray().tolist() == [[0, 1], [0, 1]]
    assert asked.fingerprint != here.fingerprint
    assert asked.of_users(np.array([1])).beside is asked.beside


def categories() -> Problem:
    """Two kinds of users; the last two have taken nothing here but one thing each."""
    X, S = np.zeros((40, 8)), np.zeros((40, 8))
    draw = np.random.default_rng(0)
    for user in range(40):
        half = 4 * (user % 2)
        X[user, half + draw.permutation(4)[:3]] = 1.0
        S[user, half + draw.permutation(4)[:3]] = 1.0
    X[38:] = 0.0
    return problem(taken(X, list("abcdefgh")), {"other": taken(S, list("abcdefgh"))})


def test_a_user_who_is_new_here_gets_what_their_kind_takes() -> None:
    posed = categories()
    fitted = Arm(SharedUsers(1.0), Ease(10.0)).fit(posed, KEY)
    fit = posed.fit
    assert isinstance(fit, Interactions)
    users = np.array(["u38", "u39", "nobody"], object)
    none = Interactions(np.empty(0, int), np.empty(0, int), users, fit.items)
    ranking = fitted.predict(RankQuery(users, k=4), none)
    assert isinstance(ranking, Ranking)
    assert [set(each) for each in ranking.items[:2]] == [{0, 1, 2, 3}, {4, 5, 6, 7}]
    popular = np.argsort(-np.bincount(fit.item), kind="stable")[:4]
    assert ranking.items[2].tolist() == popular.tolist()
    assert fitted.facts == ("38 of 38 users are in 'other' too, where an item weighs 1",)


def test_what_may_be_one_product_under_two_ids_is_told() -> None:
    X, S = np.zeros((8, 2)), np.zeros((8, 3))
    X[:4, 0] = X[4:, 1] = 1.0
    S[:5, 0] = 1.0  # cosine 4 / √20 with item a
    S[[0, 1, 4, 5], 1] = 1.0  # 2 / √16 with both
    S[4:, 2] = 1.0  # users of b, whose id it has
    here, there = taken(X, ["a", "b"]), taken(S, ["x", "y", "b"])
    assert twins(there, here).tolist() == [True, False, False]
    fitted = Arm(SharedUsers(), Ease(10.0)).fit(problem(here, {"s": there}), KEY)
    assert fitted.facts[1] == (
        "items of 's' whose users are nearly those of one of the target's, perhaps the same "
        "product under two ids: 1"
    )


def test_without_weight_it_is_target_only() -> None:
    posed = categories()
    fit = posed.fit
    assert isinstance(fit, Interactions)
    own = posed.view(fit)
    assert isinstance(own, ItemView)
    alone = Ease(10.0).fit(Ease().prepare(own), rng=KEY)
    fitted = Arm(SharedUsers(0.0), Ease(10.0)).fit(posed, KEY)
    assert isinstance(fitted.model, WideEase)
    view = fitted.encoder.encode(fit)
    np.testing.assert_allclose(
        fitted.model.scores(view.whole), alone.scores(view.matrix), atol=1e-6
    )


def test_other_users_and_other_models_are_refused() -> None:
    posed = categories()
    fit = posed.fit
    assert isinstance(fit, Interactions)
    renamed = np.array([f"x{n}" for n in range(39)] + ["u1"], object)
    strangers = problem(
        fit, {"s": replace(fit, users=renamed), "t": replace(fit, users=renamed)}
    )
    assert SharedUsers().why_not(strangers, Ease()) == (
        "0 users of the target's 38 took something in a source, fewer than 5%"
    )
    assert SharedUsers().why_not(posed, ItemKnn()) == (
        "item-knn has no weights between items that two catalogues could share"
    )


def test_settings_that_are_no_numbers_are_refused() -> None:
    for wrong in ((0.0, 0.3, 0.0), (300.0, -1.0, 0.0), (300.0, 0.3, float("inf"))):
        with pytest.raises(StrategyError, match="Expected a finite penalty above 0, and a"):
            WideEase(*wrong)
