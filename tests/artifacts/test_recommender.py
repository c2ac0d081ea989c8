"""Serving: baskets are users without a name, filters hold, reasons sum to the score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from polars.testing import assert_frame_equal

from acclimate.artifacts import many
from acclimate.artifacts.artifact import Contents
from acclimate.artifacts.predictor import COLD, ELSEWHERE, NEW, predict
from acclimate.artifacts.recommender import Filters, Recommender
from acclimate.domains.beside import BesideEncoder
from acclimate.domains.pairs import interactions
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder
from acclimate.errors import UsageError
from acclimate.models import approximate
from acclimate.models.content import Content
from acclimate.models.ease import Ease
from acclimate.models.wideease import WideEase
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from tests.artifacts import made
from tests.artifacts.conftest import Make

ITEM_KINDS = (
    "popularity",
    "item-knn",
    "rp3beta",
    "ease",
    "sparse-ease",
    "graph-filter",
    "als",
    "bpr",
    "stack",
)
SUMS = ("item-knn", "rp3beta", "ease", "sparse-ease", "graph-filter", "als")
PLAIN = Filters()


def shop(contents_of: Make, kind: str) -> Recommender:
    return Recommender.of(made.in_memory(contents_of(kind)))


def somebody(serving: Recommender) -> tuple[str, list[str]]:
    """A user of the target with three items at least, and these."""
    for user in serving.users:
        taken = serving.history(user)
        if len(set(taken)) >= 3:
            return user, taken
    raise AssertionError("no such user")


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_lists_of_users_are_those_of_predict(contents_of: Make, kind: str) -> None:
    artifact = made.in_memory(contents_of(kind))
    serving = Recommender.of(artifact)
    users = [*serving.users, "nobody"]
    expected = predict(artifact, pl.DataFrame({"user_id": users}), 4)
    assert_frame_equal(serving.lists(users, 4, PLAIN), expected)
    everybody = expected.filter(pl.col("user_id") != "nobody")
    assert_frame_equal(serving.lists(None, 4, PLAIN), everybody)
    assert set(expected.filter(pl.col("user_id") == "nobody")["note"]) == {NEW}


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_a_basket_is_answered_as_the_user_who_took_that(contents_of: Make, kind: str) -> None:
    serving = shop(contents_of, kind)
    user, taken = somebody(serving)
    expected = serving.lists([user], 5, PLAIN)
    found = serving.basket([*taken, taken[0], "never seen"], 5)
    assert [item for item, _ in found] == expected["item_id"].to_list()
    np.testing.assert_allclose([score for _, score in found], expected["score"])


def test_a_basket_of_unknown_items_gets_the_popular_ones(contents_of: Make) -> None:
    serving = shop(contents_of, "ease")
    found = serving.baskets([("one", ["?"]), ("two", [])], 3, PLAIN)
    assert found["note"].to_list() == [COLD] * 6
    assert found["item_id"][:3].to_list() == found["item_id"][3:].to_list()
    assert found.columns == ["basket_id", "item_id", "score", "rank", "note"]


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_filters_leave_the_order_of_what_is_allowed(contents_of: Make, kind: str) -> None:
    serving = shop(contents_of, kind)
    users = list(serving.users)
    whole = serving.lists(users, 100, PLAIN)
    stock = sorted(serving.items.tolist())[::2]
    found = serving.lists(users, 3, Filters(among=[*stock, "unknown"]))
    kept = whole.filter(pl.col("item_id").is_in(stock))
    best = kept.group_by("user_id", maintain_order=True).head(3)
    columns = ["user_id", "item_id", "score"]
    assert_frame_equal(found.select(columns), best.select(columns))


def test_a_model_that_ranks_by_itself_is_filtered_too(contents_of: Make) -> None:
    serving = shop(contents_of, "ease")
    alone = replace(serving, model=Alone(serving.model))
    stock = serving.items.tolist()[::3]
    for filters in (PLAIN, Filters(among=stock)):
        expected = serving.lists(None, 3, filters)
        assert_frame_equal(alone.lists(None, 3, filters), expected)
    with pytest.raises(UsageError, match=r"which names new items alone. Leave --again out"):
        alone.lists(None, 3, Filters(again=True))
    whose = r"Expected a model whose score is a sum.*; found {}, whose scores {}\. Leave --why"
    with pytest.raises(
        UsageError, match=whose.format("target-only/ease", "are made otherwise")
    ):
        alone.why(["i0"], "i1")
    elsewhere = replace(alone, arm="a/b", encoder=BesideEncoder.__new__(BesideEncoder))
    said = "go by what users took in other markets too"
    with pytest.raises(UsageError, match=whose.format("a/b", said)):
        elsewhere.why(["i0"], "i1")
    launched = replace(serving, model=Content(serving.model))
    said = "go by attributes too, as those of launched items must"
    with pytest.raises(UsageError, match=whose.format("target-only/ease", said)):
        launched.why(["i0"], "i1")


class Alone:
    """A model that ranks, and tells no scores of any history."""

    kind = "alone"

    def __init__(self, model: Ease) -> None:
        self.predict = model.predict


def test_what_was_taken_comes_again_only_where_asked(contents_of: Make) -> None:
    serving = shop(contents_of, "item-knn")
    user, taken = somebody(serving)
    size = len(serving.items)
    assert not set(taken) & set(serving.lists([user], size, PLAIN)["item_id"])
    again = serving.lists([user], size, Filters(again=True))
    assert set(taken) <= set(again["item_id"]) and again.height == size


@pytest.mark.parametrize("kind", SUMS)
def test_reasons_sum_to_the_score(contents_of: Make, kind: str) -> None:
    serving = shop(contents_of, kind)
    _, taken = somebody(serving)
    for item, score in serving.basket(taken, 3):
        why = serving.why(taken, item)
        assert set(why["from_item"]) == set(taken)
        assert why["contribution"].sum() == pytest.approx(score, abs=1e-6)
        assert why["contribution"].is_sorted(descending=True)


def test_reasons_tell_how_many_took_both(contents_of: Make) -> None:
    serving = shop(contents_of, "ease")
    _, taken = somebody(serving)
    (item, _), *_ = serving.basket(taken, 1)
    held = serving.histories.unique()
    takers = {i: set(held.filter(pl.col("item") == i)["user"]) for i in (*taken, item)}
    for row in serving.why(taken, item).iter_rows(named=True):
        assert row["users"] == len(takers[row["from_item"]] & takers[item])


def test_a_spread_of_nothing_changes_nothing_and_more_makes_lists_differ_more(
    contents_of: Make,
) -> None:
    serving = shop(contents_of, "item-knn")
    plain, spread = (serving.lists(None, 3, Filters(spread=s)) for s in (0.0, 0.9))
    first = pl.col("rank") == 1
    assert_frame_equal(spread.filter(first), plain.filter(first))
    assert alike(serving, spread) < alike(serving, plain)


def alike(serving: Recommender, lists: pl.DataFrame) -> float:
    """The mean cosine of two items of a list."""
    X = serving.taken.matrix.toarray()
    X = X / np.maximum(np.linalg.norm(X, axis=0), 1e-9)
    found = []
    for _, block in lists.group_by("user_id"):
        at = [serving.column[item] for item in block["item_id"]]
        C = X[:, at].T @ X[:, at]
        found += [C[i, j] for i in range(len(at)) for j in range(i)]
    return float(np.mean(found))


@pytest.mark.parametrize("kind", ["als", "bpr"])
def test_very_many_items_are_searched_to_the_same_lists(
    contents_of: Make, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = shop(contents_of, kind)
    users = [*serving.users, "nobody"]
    stock = sorted(serving.items.tolist())[::2]
    asked = [Filters(), Filters(among=stock), Filters(spread=0.3), Filters(again=True)]
    plain = [serving.lists(users, 3, filters) for filters in asked]
    monkeypatch.setattr(many, "SEARCHED", 0)
    monkeypatch.setattr(approximate, "find_spec", lambda name: None)
    for filters, expected in zip(asked, plain, strict=True):
        found = serving.lists(users, 3, filters)
        columns = ["user_id", "item_id", "rank", "note"]
        assert_frame_equal(found.select(columns), expected.select(columns))
        np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5)


def test_what_cannot_be_served_is_refused(contents_of: Make) -> None:
    serving = shop(contents_of, "ease")
    with pytest.raises(UsageError, match="Expected k of at least 1, the length of a list"):
        serving.basket(["i0"], 0)
    with pytest.raises(UsageError, match="Expected items that the model knows among the 1"):
        serving.basket(["i0"], 3, Filters(among=["unknown"]))
    with pytest.raises(UsageError, match="Expected an item that the model knows; found 'x'"):
        serving.why(["i0"], "x")
    with pytest.raises(UsageError, match="Expected a spread between 0"):
        serving.basket(["i0"], 3, Filters(spread=1.5))
    with pytest.raises(UsageError, match=r"found one that answers classify.*acclimate predict"):
        Recommender.of(made.in_memory(contents_of("linear")))


def test_single_precision_weights_are_not_copied_for_a_basket() -> None:
    n = 300
    weights = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
    fitted = Ease(matrix=weights, popularity=np.zeros(n))
    history = sp.csr_array(([1.0, 1.0], ([0, 0], [3, 7])), shape=(1, n))
    assert fitted.scores(history).dtype == np.float32
    np.testing.assert_allclose(fitted.scores(history)[0], weights[3] + weights[7], rtol=1e-5)


def test_what_is_known_from_elsewhere_counts_as_in_predict(contents_of: Make) -> None:
    held = contents_of("ease")
    mine = interactions_of(held)
    other = Interactions(
        np.arange(12) % 6,
        np.arange(12) % 4,
        np.array([*mine.users[:5], "only elsewhere"], dtype=object),
        np.array([f"film {n}" for n in range(4)], dtype=object),
    )
    encoder = held.fitted.encoder
    assert isinstance(encoder, ItemEncoder)
    wide = BesideEncoder.of(encoder, {"elsewhere": other}, mine, 100)
    fitted = WideEase().fit(WideEase().prepare(wide.encode(mine)), rng=Rng.of(0))
    artifact = made.in_memory(replace(held, fitted=Fitted(wide, fitted)))
    users = [*mine.users, "only elsewhere", "nobody"]
    expected = predict(artifact, pl.DataFrame({"user_id": users}), 4)
    assert {NEW, ELSEWHERE, ""} == set(expected["note"])
    assert_frame_equal(Recommender.of(artifact).lists(users, 4, PLAIN), expected)


def test_a_model_of_attributes_is_served_as_by_predict(contents_of: Make) -> None:
    held = contents_of("ease")
    encoder = held.fitted.encoder
    assert isinstance(encoder, ItemEncoder)
    size = len(encoder.known)
    whole = Content(
        held.fitted.model,
        own=np.arange(size),
        new=np.arange(0),
        bridge=np.zeros((size, 0), np.float32),
        standing=np.arange(size, dtype=float),
    )
    artifact = made.in_memory(replace(held, fitted=Fitted(encoder, whole)))
    serving = Recommender.of(artifact)
    expected = predict(artifact, pl.DataFrame({"user_id": list(serving.users)}), 4)
    assert_frame_equal(serving.lists(None, 4, PLAIN), expected)


def interactions_of(held: Contents) -> Interactions:
    """What the target's users took."""
    assert held.histories is not None and isinstance(held.fitted.encoder, ItemEncoder)
    users = np.array(held.histories["user"].unique().sort().to_list(), dtype=object)
    return interactions(held.histories, users, held.fitted.encoder.catalogue)


def test_many_histories_are_served_by_an_index_that_says_what_it_found(
    contents_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = shop(contents_of, "als")
    users = [*serving.users] * 9
    assert serving.lists(users, 3, PLAIN).height and serving.searched is None
    plain = serving.lists(users, 3, PLAIN)
    monkeypatch.setattr(many, "SEARCHED", 0)
    for name, value in (("_MOST", 1), ("_FEWEST", 6)):  # so few items have few lists
        monkeypatch.setattr(approximate, name, value)
    pytest.importorskip("faiss")
    few = serving.lists(users[:2], 3, PLAIN)
    assert serving.searched is None and few.height == 6
    found = serving.lists(users, 3, PLAIN)
    assert serving.searched is not None and "of the best 3 for" in serving.searched
    both = found.join(plain, on=["user_id", "item_id"], how="semi")
    assert both.height >= 0.97 * plain.height and found.height == plain.height


def test_a_basket_is_a_list_and_no_text(contents_of: Make) -> None:
    with pytest.raises(UsageError, match=r"Expected a list of item ids, found the text 'SKU7'"):
        shop(contents_of, "ease").basket("SKU7")
