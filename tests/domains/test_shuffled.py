"""A shuffled source has as much of everything, and pairs none of it with its answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Strings
from acclimate.domains.attributes import Attributes
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.ragged import Ragged
from acclimate.domains.sample import Interactions, Rows, Sample
from acclimate.domains.schema import ColumnType
from acclimate.domains.sentences import Sentences
from acclimate.domains.shuffled import displaced, shuffled, unpaired, why_not_shuffled
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.rng import Rng

KEY = Rng.of(4)


def rows() -> Rows:
    """Each row's number, label and other label say the same."""
    number = np.arange(30)
    return Rows(
        pl.DataFrame({"x": number.astype(float)}),
        {"x": ColumnType.NUMERIC},
        tuple("abc"),
        label=number % 3,
        entity=np.array([f"u{n // 2}" for n in number], object),
        time=number.astype(float),
        also=pl.DataFrame({"other": [f"o{n % 3}" for n in number]}),
    )


def ids(letter: str, *numbers: int) -> Strings:
    return np.array([f"{letter}{n}" for n in numbers], object)


def interactions() -> Interactions:
    """Item j was taken by j of six users, the last ones."""
    pairs = [(user, item) for item in range(7) for user in range(6 - item, 6)]
    user, item = np.array(pairs, np.int64).T
    items = ids("i", *range(7))
    named = pl.DataFrame({"item": items.tolist(), "price": np.arange(7.0)})
    about = Attributes.of(named, {"price": ColumnType.NUMERIC}, items)
    time = np.arange(len(user), dtype=float)
    return Interactions(user, item, ids("u", *range(6)), items, None, about, time)


TARGET = Interactions(
    np.array([0, 1]), np.array([0, 1]), ids("u", 0, 1, 2, 9), ids("i", 0, 1, 2, 3, 8)
)


def sentences() -> Sentences:
    """Twelve of three tokens with one span each, of one class or the other, and one of six."""
    tokens = [["a", "b", "c"] for _ in range(12)] + [["p", "q", "r", "s", "t", "u"]]
    spans = [[(n % 3, n % 3 + 1, n % 2)] for n in range(12)] + [[(0, 2, 0), (2, 3, 1)]]
    return Sentences(pl.Series("tokens", tokens), ("X", "Y"), Ragged.of(spans, 3))


def posed(sample: Sample, *others: Source) -> Problem:
    recipe = ItemRecipe(TARGET.items)
    sources = (Source("near", sample), *others)
    return Problem("target", TARGET, sources, Claim.LATER, recipe)


def test_labels_go_to_other_rows_with_their_other_labels_and_as_many_of_each() -> None:
    before = rows()
    after = unpaired(before, before, KEY)
    assert isinstance(after, Rows) and before.label is not None and after.label is not None
    assert np.bincount(after.label).tolist() == [10, 10, 10]
    assert after.also is not None
    assert [int(name[1]) for name in after.also["other"]] == after.label.tolist()
    # By chance a third of the labels is right.
    assert 3 <= np.sum(after.label == before.label) <= 17
    assert after.columns.equals(before.columns)
    assert after.entity is before.entity and after.time is before.time


def test_no_row_keeps_its_own_number() -> None:
    numbers = replace(rows(), classes=(), label=np.arange(30.0))
    after = unpaired(numbers, numbers, KEY)
    assert isinstance(after, Rows) and after.label is not None
    assert sorted(after.label) == list(range(30))
    assert not (after.label == np.arange(30)).any()


def test_items_and_users_take_places_of_others_that_the_target_knows_or_does_not() -> None:
    before = interactions()
    after = unpaired(before, TARGET, KEY)
    assert isinstance(after, Interactions)
    for mine, theirs, shared in ((before.item, after.item, 4), (before.user, after.user, 3)):
        n = int(mine.max()) + 1
        was, now = np.bincount(mine, minlength=n), np.bincount(theirs, minlength=n)
        assert sorted(was[:shared]) == sorted(now[:shared])
        assert sorted(was[shared:]) == sorted(now[shared:])
        # One thing's whole past goes to one other thing.
        assert all(len(set(theirs[mine == each])) == 1 for each in np.unique(mine))
    assert not (before.item == after.item).any() and not (before.user == after.user).any()
    assert len(set(zip(after.user, after.item, strict=True))) == before.n
    assert after.items is before.items and after.users is before.users
    assert after.about_items is before.about_items and after.time is before.time


def test_what_else_users_do_is_shuffled_apart_from_what_is_asked() -> None:
    views = replace(interactions(), time=None)
    problem = posed(interactions(), Source("views", views, also=(("cart", views),)))
    _, source = shuffled(problem, KEY).sources
    held, (kind, cart) = source.held, source.also[0]
    assert isinstance(held, Interactions) and isinstance(cart, Interactions)
    assert kind == "cart"
    assert not (cart.item == views.item).any()
    assert set(zip(held.item, cart.item, strict=True)) != set(
        zip(held.item, held.item, strict=True)
    )


def test_spans_go_to_a_sentence_as_long_or_elsewhere_in_the_only_one() -> None:
    before, after = sentences(), unpaired(sentences(), sentences(), KEY)
    assert isinstance(after, Sentences)
    assert before.spans is not None and after.spans is not None
    assert after.tokens.equals(before.tokens)
    was, now = before.spans.lists(), after.spans.lists()
    assert Counter(map(str, was[:12])) == Counter(map(str, now[:12]))
    assert was[:12] != now[:12]
    alone = now[12]
    assert sorted((end - start, name) for start, end, name in alone) == [(1, 1), (2, 0)]
    assert alone != was[12]
    assert all(0 <= start < end <= 6 for start, end, _ in alone)
    assert alone[0][1] <= alone[1][0]


@pytest.mark.parametrize("sample", [rows(), interactions(), sentences()], ids=["r", "i", "s"])
def test_the_seed_decides_and_caches_know_it_for_another_source(sample: Sample) -> None:
    fit = TARGET if isinstance(sample, Interactions) else sample
    first, again, other = (
        unpaired(sample, fit, key).fingerprint for key in (KEY, KEY, Rng.of(5))
    )
    assert first == again
    assert len({first, other, sample.fingerprint}) == 3


def test_each_source_is_shuffled_by_itself_and_an_artifact_stays() -> None:
    given = Source("given", None, frozenset({"fitted"}), object())
    problem = posed(interactions(), Source("far", interactions()), given)
    near, far, artifact = shuffled(problem, KEY).sources
    assert near.fingerprint != far.fingerprint
    assert artifact is given
    assert why_not_shuffled(near) is None
    assert why_not_shuffled(artifact) == (
        "given is an artifact without rows that could be shuffled, so name the market that it "
        "was learned on"
    )


def test_nothing_stays_in_its_place_but_what_is_alone() -> None:
    shared = np.array([True, True, False, True, True, True])
    order = displaced(shared, KEY)
    assert sorted(order) == list(range(6))
    assert (order == np.arange(6)).tolist() == [False, False, True, False, False, False]
    pair = np.array([True, False, True, False])
    assert displaced(pair, KEY).tolist() == [2, 3, 0, 1]
