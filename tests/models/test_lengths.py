"""Lists found by the length of factors are those of all products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.models.best import best, in_order, without_known
from acclimate.models.lengths import FRONT, Products

USERS, ITEMS, D = 300, 6000, 8


@dataclass
class Given:
    """Factors of users and items that nobody had to learn; a history's row is its user."""

    users: Array
    items: Tensor | None

    def queries(self, histories: Sparse) -> Array:
        named: Array = self.users[histories[:, [0]].toarray().astype(int).ravel()]
        return named


def histories(g: np.random.Generator, rows: int) -> Sparse:
    """Half of the items in front are taken, by some users nearly all of them."""
    share = np.repeat([0.01, 0.5, 0.999], -(-rows // 3))[:rows, None]
    taken = g.random((rows, ITEMS)) < share * (np.arange(ITEMS) < 3 * FRONT // 2)
    return sp.csr_array(taken.astype(np.float64))


def found(given: Given, out: Sparse, k: int) -> tuple[Ints, Array, Ints, Array]:
    """What is found by length, and by all products."""
    g = np.random.default_rng(1)
    favoured = g.permutation(ITEMS)
    known = sp.csr_array(np.arange(out.shape[0], dtype=float)[:, None])
    items, scores = Products.of(given).best(known, out, favoured, k)
    assert given.items is not None
    every = np.stack(
        [(given.items * each).sum(axis=1, dtype=np.float64) for each in given.users]
    )
    wanted, theirs = in_order(without_known(every, out), favoured, k)
    return items, scores, wanted, theirs


@pytest.mark.parametrize("kind", ["alike", "skewed", "opposite", "few long"])
@pytest.mark.parametrize("k", [1, 10, 100])
def test_lists_are_those_of_all_products(kind: str, k: int) -> None:
    g = np.random.default_rng(0)
    items = g.standard_normal((ITEMS, D)).astype(np.float32)
    users = g.standard_normal((USERS, D))
    if kind == "skewed":
        items *= (1.0 / np.arange(1, ITEMS + 1) ** 0.8)[:, None].astype(np.float32)
    if kind == "opposite":
        # The longest items are the worst: nothing in front is any good.
        users, items = np.abs(users), np.abs(items)
        items[: 2 * FRONT] *= -5
    if kind == "few long":
        items[:50] *= 100
    got, scores, wanted, theirs = found(Given(users, items), histories(g, USERS), k)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_allclose(scores, theirs, rtol=1e-12)


def test_equal_products_stand_in_the_favoured_order() -> None:
    g = np.random.default_rng(0)
    items = np.ones((ITEMS, D), np.float32)
    items[:30] = 2
    out = sp.csr_array((USERS, ITEMS))
    got, _, wanted, _ = found(Given(np.abs(g.standard_normal((USERS, D))), items), out, 40)
    np.testing.assert_array_equal(got, wanted)


def test_what_rounding_makes_equal_is_told_apart() -> None:
    """Two items that single precision cannot tell apart are ordered as double has them."""
    g = np.random.default_rng(0)
    items = g.standard_normal((ITEMS, D)) * 0.1
    near = g.standard_normal(D)
    items[100:140] = near * (1 + np.arange(40)[:, None] * 1e-9)
    users = near + 0.01 * g.standard_normal((USERS, D))
    got, _, _, _ = found(Given(users, items), sp.csr_array((USERS, ITEMS)), 10)
    np.testing.assert_array_equal(got, np.tile(np.arange(139, 129, -1), (USERS, 1)))


def test_short_items_are_not_looked_at() -> None:
    """Where the longest are the best, nothing behind them has its product taken."""
    g = np.random.default_rng(0)
    items = np.abs(g.standard_normal((ITEMS, D))).astype(np.float32)
    items[FRONT:] *= 1e-3
    products = Products.of(Given(np.abs(g.standard_normal((USERS, D))), items))
    broken = products.narrow.copy()
    broken[FRONT:] = np.nan
    object.__setattr__(products, "narrow", broken)
    known = sp.csr_array(np.arange(USERS, dtype=float)[:, None])
    out = sp.csr_array((USERS, ITEMS))
    got, _ = products.best(known, out, np.arange(ITEMS), 10)
    every = products.queries(known) @ items.T.astype(np.float64)
    np.testing.assert_array_equal(got, best(every, np.arange(ITEMS), 10)[0])
