"""Joint histories: one history of a user over all markets, by hand; who is refused."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from acclimate.domains.exam import Ranking, RankQuery
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemView
from acclimate.models.ease import Ease, solve
from acclimate.models.neighbours import ItemKnn
from acclimate.models.wideease import ByHistories, WideEase
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.relation.jointhistories import JointHistories, merged
from tests.golden.test_itemprior import problem, taken

KEY = Rng.of(0)
HERE = np.array([[1.0, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 1]])
THERE = np.array([[0.0, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1]])
ITEMS = ["a", "b", "c", "d"]


def test_histories_of_one_user_are_one_row() -> None:
    ids = [np.array(["u", "v"], object), np.array(["w", "u"], object)]
    rows = merged([sp.csr_array(HERE[:2]), sp.csr_array(THERE[:2])], ids)
    np.testing.assert_array_equal(rows.toarray(), [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]])


def test_scores_are_of_the_whole_history_and_more_for_what_was_taken_elsewhere() -> None:
    rows = sp.csr_array(np.vstack([HERE, THERE]))
    view = ItemView(sp.csr_array(HERE), HERE.sum(axis=0))
    model = WideEase(2.0, 1.0).joined(rows, view, again=0.25)
    # Item a here and in the first source, c in the first, c and d in the second.
    known = sp.csr_array(np.array([[1.0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1]]))
    B = solve((rows.T @ rows).toarray(), 2.0)
    wanted = np.array([1.0, 0, 1, 1]) @ B + 0.25 * np.array([1.0, 0, 1, 1])
    np.testing.assert_allclose(model.scores(known)[0], wanted, rtol=1e-5)
    # Two users took a, b and d here each; three users in all a, four b, three d.
    assert model.popularity is not None
    standing = np.array([2 + 3 / 14, 2 + 4 / 14, 1 + 3 / 14, 2 + 3 / 14])
    np.testing.assert_allclose(model.popularity, standing)
    again = WideEase.restore(model.state())
    assert isinstance(again.fitted, ByHistories) and again.fitted.again == 0.25
    np.testing.assert_array_equal(again.scores(known), model.scores(known))


def test_a_user_is_served_by_what_they_took_elsewhere() -> None:
    posed = problem(taken(HERE, ITEMS), {"old": taken(THERE, ITEMS)})
    fitted = Arm(JointHistories(again=5.0), Ease(2.0)).fit(posed, KEY)
    users = np.array(["u0", "u2"], object)
    here = taken(HERE, ITEMS)
    asked = here.of_users(np.array([0, 2]))
    assert isinstance(asked, Interactions)
    ranking = fitted.predict(RankQuery(users, k=3), asked)
    assert isinstance(ranking, Ranking)
    # u0 took c elsewhere; u2 took b, c and d, and has a here.
    assert ranking.items[0][0] == 2 and sorted(ranking.items[1]) == [1, 2, 3]
    assert fitted.facts == ("3 of 4 users have a history in a source too",)


def test_refusals_say_what_is_missing() -> None:
    here, there = taken(HERE, ITEMS), taken(THERE, ITEMS)
    joint, posed = JointHistories(), problem(here, {"old": there})
    assert joint.why_not(posed, Ease()) is None
    assert joint.why_not(posed, ItemKnn()) == (
        "item-knn solves no item–item matrix that joint histories could teach"
    )
    strangers = Interactions(
        there.user, there.item, np.array(["x", "y", "z"], object), there.items
    )
    assert joint.why_not(problem(here, {"old": strangers}), Ease()) == (
        "0 users of the target's 4 took something in a source, fewer than 5%"
    )
    others = problem(here, {"old": taken(THERE, ["p", "q", "r", "s"])})
    assert joint.why_not(others, Ease()) == (
        "no source has an item of the target's; shared-users asks for none"
    )
