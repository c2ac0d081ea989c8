"""Lists made one at a time are those that the recommender makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.artifacts.quick import Quick
from acclimate.artifacts.recommender import Filters, Recommender
from acclimate.errors import UsageError
from tests.artifacts import made
from tests.artifacts.conftest import Make


@pytest.mark.parametrize("kind", ["als", "bpr"])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("k", [1, 4, 40])
def test_a_list_is_that_of_the_recommender(
    contents_of: Make, kind: str, again: bool, k: int
) -> None:
    shop = Recommender.of(made.in_memory(contents_of(kind)))
    quick = Quick.of(shop)
    assert quick is not None
    known = shop.items.tolist()
    users = [None, "a stranger", *list(shop.users)[:4]]
    for user in [*users, *users]:  # the second time from what was kept
        for items in ([], known[3:5], ["unheard of"], known[:1] * 2):
            for among in (None, known[::2], ["unheard of", *known[:3], known[0]]):
                found, note = quick.answer(user, items, k, among, again)
                wanted, said = shop.answer(user, items, k, Filters(among, again))
                assert [item for item, _ in found] == [item for item, _ in wanted]
                np.testing.assert_allclose([s for _, s in found], [s for _, s in wanted])
                assert note == said, (user, items)


def test_candidates_that_nobody_knows_are_refused_alike(contents_of: Make) -> None:
    quick = Quick.of(Recommender.of(made.in_memory(contents_of("als"))))
    assert quick is not None
    with pytest.raises(UsageError, match="Expected items that the model knows"):
        quick.answer(None, [], 3, ["unheard of"])


def test_equal_scores_stand_as_a_stranger_is_offered_them(contents_of: Make) -> None:
    shop = Recommender.of(made.in_memory(contents_of("als")))
    quick = Quick.of(shop)
    assert quick is not None
    quick = replace(quick, factors=np.zeros_like(quick.factors))
    user = next(iter(shop.users))
    found, _ = quick.answer(user, [], 3)
    favoured = [i for i, _ in shop.basket([], len(shop.items))]
    left = [i for i in favoured if i not in shop.history(user)]
    assert [item for item, _ in found] == left[:3]


def test_models_that_need_more_than_factors_are_asked_otherwise(contents_of: Make) -> None:
    assert Quick.of(Recommender.of(made.in_memory(contents_of("ease")))) is None
