"""Behaviours: the logit by hand, what is asked, what markets have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Sparse
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.models.behaviours import (
    BehaviourRanker,
    Choices,
    Links,
    by_kind,
    deviations,
    learned,
)
from acclimate.models.ease import Ease, solve
from acclimate.models.neighbours import ItemKnn
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.relation.behaviours import (
    BehaviourWeights,
    lesson,
    questions,
    said,
)
from acclimate.tasks.recommend import Recommend
from tests.golden.test_itemprior import taken

KEY = Rng.of(0)


def choices(features: list[list[float]], first: list[int], worth: list[float]) -> Choices:
    return Choices(np.array(features), np.array(first), np.array(worth))


def test_weights_are_where_the_slope_of_the_penalised_likelihood_is_zero() -> None:
    # One question, x = 2 against x = 0 that stands for three: −log(e^2θ / (e^2θ + 3)),
    # with κ/2·s²(θ − θ₀)²: slope −2·3/(e^2θ + 3) + κ s² (θ − θ₀).
    asked = choices([[2.0], [0.0]], [0], [1.0, 3.0])
    kappa, scale, anchor = 0.7, 1.5, 0.2
    (theta,) = learned([asked], kappa, np.array([anchor]), np.array([scale]))
    pull = kappa * scale**2 * (theta - anchor)
    assert pull == pytest.approx(6.0 / (np.exp(2 * theta) + 3.0), rel=1e-4)
    (held,) = learned([asked], 1e9, np.array([anchor]), np.array([scale]))
    assert held == pytest.approx(anchor, abs=1e-6)


def test_questions_of_several_markets_count_together() -> None:
    one = choices([[1.0], [0.0], [0.0], [1.0]], [0, 2], [1.0] * 4)  # says nothing either way
    other = choices([[1.0], [0.0]], [0], [1.0, 1.0])
    zero, unit = np.zeros(1), np.ones(1)
    (even,) = learned([one], 0.1, zero, unit)
    (alone,) = learned([other], 0.1, zero, unit)
    (both,) = learned([one, other], 0.1, zero, unit)
    assert even == pytest.approx(0.0, abs=1e-6) and 0.1 < both < alone
    nobody = choices([], [], [])
    assert learned([nobody, other], 0.1, zero, unit) == pytest.approx(alone)


def whole(seed: int, users: int = 12, items: int = 6) -> Array:
    return (np.random.default_rng(seed).random((users, 3 * items)) < 0.4).astype(float)


def test_features_and_scores_are_the_exponent_of_the_page() -> None:
    given = whole(0)
    H = np.split(given, 3, axis=1)
    U = np.minimum(H[0] + H[1] + H[2], 1.0)
    B = solve(U.T @ U, 5.0)
    links = Links.of(sp.csr_array(given), 6, 5.0)
    user, item = np.repeat(np.arange(12), 6), np.tile(np.arange(6), 12)
    wanted = np.column_stack(
        [
            *((h @ B)[user, item] for h in H),
            *(h[user, item] for h in H[1:]),
            *(np.log(1 + h.sum(axis=0))[item] for h in H),
        ]
    )
    np.testing.assert_allclose(
        links.features(sp.csr_array(given), user, item), wanted, atol=1e-6
    )
    theta = np.arange(1.0, 9.0)
    scores = links.scores(sp.csr_array(given), theta)
    np.testing.assert_allclose(scores, (wanted @ theta).reshape(12, 6), atol=1e-5)


def test_a_question_holds_what_was_met_and_drawn_items_that_stand_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("acclimate.models.behaviours.DRAWN", 2)
    given = np.zeros((1, 30))
    given[0, [0, 1]] = 1.0  # taken: not asked for again
    given[0, [11, 12]] = 1.0  # met: 1, which was taken, and 2
    links = Links(np.zeros((10, 10)), np.arange(30.0).reshape(3, 10))
    asked = Choices.of(links, sp.csr_array(given), [(0, 5)], KEY)
    fame = asked.features[:, 5]  # of what is asked for, here the item's number
    assert fame[:2].tolist() == [5.0, 2.0]
    assert len(fame) == 4 and set(fame[2:]) <= {3.0, 4.0, 6.0, 7.0, 8.0, 9.0}
    assert asked.worth.tolist() == [1.0, 1.0, 3.0, 3.0]
    assert asked.first.tolist() == [0]
    assert not len(Choices.of(links, sp.csr_array(given), [], KEY).first)


def shop(users: int, seed: int, viewed: float) -> tuple[Interactions, Interactions]:
    """Orders, and views of half of what will be ordered and of much that will not."""
    draw = np.random.default_rng(seed)
    names = [f"i{n}" for n in range(40)]
    orders, views = np.zeros((users, 40)), (draw.random((users, 40)) < 0.1).astype(float)
    for user in range(users):
        mine = draw.permutation(40)[:4]
        orders[user, mine] = 1.0
        views[user, mine] = draw.random(4) < viewed
    return taken(orders, names), taken(views, names)


def posed(
    users: int, others: tuple[tuple[int, float], ...] = (), viewed: float = 0.9
) -> Problem:
    orders, views = shop(users, 0, viewed)
    sources = [Source("t view", views, behaviour="view")]
    for number, (count, share) in enumerate(others, start=1):
        theirs, seen = shop(count, number, share)
        sources.append(Source(f"s{number}", theirs, also=(("view", seen),)))
    return Problem("t", orders, tuple(sources), Claim.LATER, ItemRecipe(orders.items))


def test_by_the_clock_a_question_knows_no_view_from_its_origin_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight orders, of which the last two are asked for, and a view just before each."""
    day = np.arange(8.0)
    user, item = np.array([0, 1, 2, 3, 0, 1, 2, 3]), np.array([0, 1, 2, 3, 1, 2, 3, 0])
    names = [np.array([f"{letter}{k}" for k in range(4)], object) for letter in "ui"]
    orders = Interactions(user, item, names[0], names[1], time=day)
    views = replace(orders, time=day - 0.5)
    encoder = ItemRecipe(names[1]).fit([orders], [views])
    seen: list[Array] = []
    keep = Links.of

    def spied(whole: Sparse, items: int, penalty: float) -> Links:
        seen.append(whole.toarray())
        return keep(whole, items, penalty)

    monkeypatch.setattr(Links, "of", spied)
    asked = questions(encoder, orders, {"view": views}, 1.0, KEY)
    assert len(asked.first) == 2
    (whole,) = seen
    rows: Array = np.zeros((4, 4))
    rows[user[:6], item[:6]] = 1.0
    # Orders of the first six days, and views of these; the two of days 5½ and 6½ are not known.
    np.testing.assert_array_equal(whole, np.hstack([rows, rows]))
    # What is right stands first in each question, and has been met by nobody's view.
    assert not asked.features[asked.first, 2].any()


def test_views_find_what_orders_alone_do_not() -> None:
    rest, held = posed(120).inner(1, KEY)[0]
    scores = {}
    for strategy in (TargetOnly(), BehaviourWeights()):
        fitted = Arm(strategy, Ease(30.0)).fit(rest, KEY)
        scores[strategy.kind] = float(Recommend().score(fitted.answer(held), held.truth)[0])
    # One of some five viewed items is ordered: at random among these nDCG@10 is .59.
    assert scores["behaviours"] > 0.45 > 0.2 > scores["target-only"]
    assert fitted.facts[0].startswith("an item that a user met by 'view' has ")
    assert fitted.facts[1] == "other markets that have a share in these weights: 0"


def theta(strategy: BehaviourWeights, problem: Problem) -> Array:
    model = Arm(strategy, Ease(30.0)).fit(problem, KEY).model
    assert isinstance(model, BehaviourRanker) and model.theta is not None
    return model.theta


def test_a_market_with_few_orders_weighs_a_view_as_the_others_do() -> None:
    met = 2  # β of views, behind two α
    # Others order what they viewed as often as what they did not.
    problem = posed(30, ((400, 0.1),))
    own, held = (theta(BehaviourWeights(shrink), problem)[met] for shrink in (0.1, 1000.0))
    alone = theta(BehaviourWeights(0.1), posed(30))[met]
    assert held < 0.7 * own and own == pytest.approx(alone, rel=0.1)
    # And the other way round, where views are worth more to the others.
    problem = posed(30, ((400, 0.9),), viewed=0.1)
    own, held = (theta(BehaviourWeights(shrink), problem)[met] for shrink in (0.1, 1000.0))
    assert held > 1.0 + own
    fitted = Arm(BehaviourWeights(), Ease(30.0)).fit(problem, KEY)
    assert fitted.facts[-1] == "other markets that have a share in these weights: 1"


def test_a_market_whose_users_do_something_else_teaches_no_weights() -> None:
    problem = posed(30, ((40, 0.9),))
    other = problem.sources[1]
    assert lesson(other, ["view"], problem, 30.0, KEY) is not None
    assert lesson(other, ["view", "cart"], problem, 30.0, KEY) is None
    assert lesson(problem.sources[0], ["view"], problem, 30.0, KEY) is None


def test_it_is_restored_as_it_was() -> None:
    model = Arm(BehaviourWeights(), Ease(30.0)).fit(posed(30), KEY).model
    assert isinstance(model, BehaviourRanker)
    again = BehaviourRanker.restore(model.state())
    known = sp.csr_array((np.random.default_rng(3).random((4, 80)) < 0.2).astype(float))
    np.testing.assert_array_equal(again.scores(known), model.scores(known))
    assert again.kinds == ("view",) and said(again, 2) == said(model, 2)
    assert len(by_kind(known, 40)) == 2


def test_a_feature_that_never_differs_has_the_deviation_one() -> None:
    assert deviations([choices([[1.0, 0.0], [1.0, 2.0]], [0], [1, 1])]).tolist() == [1, 1]


def test_what_it_lacks_is_named() -> None:
    problem = posed(30)
    orders = replace(problem.sources[0], behaviour=None)
    assert BehaviourWeights().why_not(problem.with_sources([orders]), Ease()) == (
        "users of the target do nothing but what is asked for"
    )
    assert BehaviourWeights().why_not(problem, ItemKnn()) == (
        "item-knn has no item–item matrix that behaviours could share"
    )
