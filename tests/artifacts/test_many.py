"""Lists through an index keep to filters and to what is new, and are never short."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Bools, Ints, Sparse, Tensor
from acclimate.artifacts import many
from acclimate.artifacts.many import index_of, searched
from acclimate.domains.view import ItemView
from acclimate.models.approximate import Approximate
from tests.models.test_approximate import D, factors

pytest.importorskip("faiss")
M, K = 6000, 5


@dataclass
class Made:
    """A history is the sum of its items' factors."""

    items: Tensor | None

    def queries(self, histories: Sparse) -> Tensor:
        assert self.items is not None
        found: Tensor = histories @ self.items
        return found


MODEL = Made(factors(M, 1))
POPULAR = (np.arange(M)[::-1].copy(), np.linspace(0, 1, M))


def view(histories: list[list[int]]) -> ItemView:
    flat = np.array([item for each in histories for item in each], np.int64)
    ends = np.cumsum([0, *map(len, histories)])
    matrix = sp.csr_array((np.ones(len(flat)), flat, ends), (len(histories), M))
    last = np.array([each[-1] if each else -1 for each in histories])
    return ItemView(matrix, np.zeros(M), last=last)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Approximate:
    monkeypatch.setattr(many, "SEARCHED", 100)
    draw = np.random.default_rng(0)
    taken = view([sorted(draw.choice(M, 3, replace=False)) for _ in range(100)])
    found = index_of(MODEL, taken.matrix, K)
    assert found is not None and found.sample == 100
    return found


def both(some: ItemView, barred: Bools | None, index: Approximate) -> tuple[Ints, Ints]:
    """What the index finds, and what is best."""
    found, scores = searched(MODEL, some, K, barred, POPULAR, index)
    assert (np.diff(np.where(found >= 0, scores, -1e9), axis=1) <= 0).all()
    return found, searched(MODEL, some, K, barred, POPULAR)[0]


def test_lists_of_all_items_hold_nothing_twice_and_nothing_taken(index: Approximate) -> None:
    draw = np.random.default_rng(1)
    histories = [[*draw.choice(M, 4, replace=False)] for _ in range(60)]
    found, best = both(view([*histories, []]), None, index)
    assert found[-1].tolist() == POPULAR[0][:K].tolist()
    for row, history in zip(found, histories, strict=False):
        assert len({*row} - {*history}) == K and (row >= 0).all()
    shared = [len({*a} & {*b}) / K for a, b in zip(found, best, strict=True)]
    assert np.mean(shared) >= 0.95


@pytest.mark.parametrize("every", [3, 40, 100])
def test_only_what_is_allowed_is_named_and_lists_are_full(
    index: Approximate, every: int
) -> None:
    barred = np.arange(M) % every != 0
    found, best = both(view([[1, 2], [3], []]), barred, index)
    assert (found >= 0).all() and not barred[found].any()
    if every == 100:  # so few that all of them are looked at
        assert (found == best).all()


def test_whoever_took_all_that_the_index_reads_gets_the_best_of_the_rest(
    index: Approximate,
) -> None:
    assert MODEL.items is not None and MODEL.items.shape[1] == D
    near = index.largest(MODEL.items[:1], M)[0][0]
    histories = [[0], sorted({int(item) for item in near[near >= 0]})]
    found, best = both(view(histories), None, index)
    assert len({*found[1]} - {*histories[1]}) == K
    whole = set(np.flatnonzero(np.isin(found[1], best[1])))
    assert len(whole) == K


@pytest.mark.parametrize(
    ("items", "asked", "pays"),
    [(10**6, 4000, True), (10**6, 3999, False), (10**5, 10**6, False), (10**5 + 1, 1266, True)],
)
def test_an_index_is_built_for_many_items_and_many_histories(
    items: int, asked: int, pays: bool
) -> None:
    assert many.pays(items, asked) is pays
