"""The content bridge by its formula, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from acclimate.domains.attributes import Attributes
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder, ItemRecipe
from acclimate.models.ease import Ease, ItemPrior, solve
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng
from acclimate.strategies.relation.contentbridge import ContentBridge, bridge
from acclimate.strategies.relation.itemprior import SourceSettings, source_items

STYLE = {"style": ColumnType.CATEGORY}


def market(items: list[str], styles: list[str | None], taken: list[str]) -> Interactions:
    """A user for each string of items, named by their last letter."""
    ids = np.array(items, dtype=object)
    about = Attributes.of(pl.DataFrame({"item": items, "style": styles}), STYLE, ids)
    place = {item[-1]: at for at, item in enumerate(items)}
    user = np.repeat(np.arange(len(taken)), [len(each) for each in taken])
    item = np.array([place[letter] for each in taken for letter in each])
    users = np.array([f"u{n}" for n in range(len(taken))], dtype=object)
    return Interactions(user, item, users, ids, about_items=about)


# `b` is sold by both; the target's others are like the source's by style, `z` like none.
THERE = market(["sp", "sq", "sr", "b"], ["x", "x", "y", "y"], ["pr", "pr", "qr", "qb", "b"])
HERE = market(
    ["t1", "t2", "b", "tz", "t4"], ["x", "y", "x", None, "y"], ["12", "1b", "2z", "z4", "4"]
)


def posed() -> Problem:
    recipe = ItemRecipe(HERE.items, about=HERE.about_items)
    return Problem("t", HERE, (Source("s", THERE),), Claim.LATER, recipe)


def test_a_bridge_stands_on_the_likest_items_and_an_id_that_both_sell_is_itself() -> None:
    problem = posed().encoded(Statistics.TARGET)
    assert isinstance(problem.encoder, ItemEncoder)
    source = problem.sources[0]
    given = source_items(THERE, SourceSettings())
    assert given.items.tolist() == ["sp", "sq", "sr", "b"]
    M = bridge(source, given, problem.encoder, 3).toarray()
    assert problem.encoder.catalogue[problem.encoder.known].tolist() == HERE.items.tolist()
    wanted = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 2], [0, 0, 0, 0]]) / 2
    assert np.allclose(M.T[:4], wanted)
    assert np.allclose(bridge(source, given, problem.encoder, 1).toarray()[:, 0], [1, 0, 0, 0])


def test_the_fit_is_ease_drawn_towards_the_matrix_that_was_carried() -> None:
    strategy = ContentBridge(strength=7.0, neighbours=2, source_penalty=3.0)
    problem = posed().encoded(Statistics.TARGET)
    found = strategy.adapt(problem, Ease(5.0), Rng.of(0))
    assert isinstance(found, Ease) and found.matrix is not None
    S = np.zeros((5, 4))
    S[THERE.user, THERE.item] = 1
    P = np.linalg.inv(S.T @ S + 3.0 * np.eye(4))
    B_s = np.eye(4) - P / np.diag(P)
    M = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 2], [0, 0, 0, 0], [0, 0, 1, 1]]).T / 2
    carried = M.T @ B_s @ M
    X = np.zeros((5, 5))
    X[HERE.user, HERE.item] = 1
    prior = ItemPrior([carried], [7.0], np.zeros(5))
    wanted = solve(X.T @ X, 5.0, prior)
    assert np.allclose(found.matrix, wanted, atol=1e-5)
    assert found.popularity is not None
    popular = S.sum(axis=0) @ M
    assert np.allclose(found.popularity, X.sum(axis=0) + popular / (1 + popular.sum()))


def test_markets_that_tell_nothing_of_their_items_are_refused() -> None:
    strategy, problem = ContentBridge(), posed()
    assert strategy.why_not(problem, Ease()) is None
    silent = replace(problem, sources=(Source("s", replace(THERE, about_items=None)),))
    assert strategy.why_not(silent, Ease()) == "source 's' tells no attributes of its items"
    bare = replace(problem, recipe=ItemRecipe(HERE.items))
    assert strategy.why_not(bare, Ease()) == "the target tells no attributes of its items"
    said = "popularity has no item–item matrix that items alike could draw on"
    assert strategy.why_not(problem, Popularity()) == said
