"""The one door for users and for pairs of user and item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from acclimate.artifacts.artifact import Artifact, Contents
from acclimate.artifacts.predictor import COLD, ELSEWHERE, NEW, TAKEN, UNKNOWN, predict
from acclimate.domains.beside import BesideEncoder
from acclimate.domains.pairs import interactions
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder
from acclimate.errors import DataError, UsageError
from acclimate.models.ease import Ease
from acclimate.models.popularity import Popularity
from acclimate.models.wideease import WideEase
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.recommend import Recommend
from tests.artifacts import made
from tests.artifacts.conftest import Make

ITEM_KINDS = (
    "popularity",
    "item-knn",
    "rp3beta",
    "ease",
    "sparse-ease",
    "wide-ease",
    "graph-filter",
    "als",
    "bpr",
    "content",
)


@pytest.fixture
def recommender(ease: Contents) -> Artifact:
    return made.in_memory(ease)


def _histories(artifact: Artifact) -> dict[str, set[str]]:
    held = artifact.contents.histories
    assert held is not None
    return {user: set(held.filter(pl.col("user") == user)["item"]) for user in held["user"]}


# ── recommend: lists ────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_each_distinct_user_gets_one_ranked_block_in_input_order(
    contents_of: Make, kind: str
) -> None:
    artifact = made.in_memory(contents_of(kind))
    users = ["103", "101", "103", "nobody", "100", "101"]
    found = predict(artifact, pl.DataFrame({"user_id": users}), 4)
    assert found.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "score": pl.Float64,
        "rank": pl.Int64,
        "note": pl.String,
    }
    assert found["user_id"].unique(maintain_order=True).to_list() == [
        "103",
        "101",
        "nobody",
        "100",
    ]
    for (_,), block in found.group_by("user_id", maintain_order=True):
        assert block["rank"].to_list() == list(range(1, block.height + 1))
        assert block["score"].is_sorted(descending=True)
        assert block["item_id"].n_unique() == block.height


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_nobody_is_recommended_what_they_took(contents_of: Make, kind: str) -> None:
    artifact = made.in_memory(contents_of(kind))
    histories = _histories(artifact)
    found = predict(artifact, pl.DataFrame({"user_id": list(histories)}), 100)
    for user, item in found.select("user_id", "item_id").iter_rows():
        assert item not in histories[user]
    catalogue = {item for items in histories.values() for item in items}
    assert found.height == sum(len(catalogue - items) for items in histories.values())


def test_strangers_and_nulls_get_the_popular_items(recommender: Artifact) -> None:
    found = predict(recommender, pl.DataFrame({"user_id": ["nobody", None, "101", "NA"]}), 3)
    held = recommender.contents.histories
    assert held is not None
    popular = held["item"].value_counts(sort=True, name="n")
    for user in ("nobody", None):
        block = found.filter(pl.col("user_id").eq_missing(user))
        assert block["note"].to_list() == [NEW] * 3 == ["new user: popular items"] * 3
        assert block["score"].to_list() == popular["n"].head(3).to_list()
    assert found.height == 9  # NA is a null
    assert set(found.filter(pl.col("user_id") == "101")["note"]) == {""}


def test_a_user_who_took_everything_gets_an_empty_list(recommender: Artifact) -> None:
    encoder = recommender.fitted.encoder
    assert isinstance(encoder, ItemEncoder)
    every = pl.DataFrame({"user": "glutton", "item": encoder.catalogue.tolist()})
    full = replace(recommender, contents=replace(recommender.contents, histories=every))
    found = predict(full, pl.DataFrame({"user_id": ["glutton", "101"]}), 2)
    assert found["user_id"].to_list() == ["101", "101"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("CustomerID", ["101"]),  # as the target's file
        ("user_id", ["101"]),
        ("user", ["101"]),
        ("Customer ID", ["101"]),
        ("household_key", ["101"]),
        ("user_id", [101]),
        ("user_id", [101.0]),
        ("user_id", ["101.0"]),
        ("user_id", [" 101 "]),
    ],
)
def test_users_are_found_under_any_name_and_spelling(
    recommender: Artifact, column: str, values: Sequence[object]
) -> None:
    expected = predict(recommender, pl.DataFrame({"user_id": ["101"]}), 3)
    table = pl.DataFrame({"age": [40], column: values, "note": ["x"], "country": ["JP"]})
    found = predict(recommender, table, 3)
    assert found.columns[0] == column  # as whoever asks calls it
    assert_frame_equal(found.rename({column: "user_id"}), expected)


def test_the_name_in_the_targets_file_comes_before_better_sounding_ones(
    recommender: Artifact,
) -> None:
    table = pl.DataFrame({"user_id": ["nobody"], "CustomerID": ["101"]})
    assert predict(recommender, table, 1)["CustomerID"].to_list() == ["101"]


def test_users_may_have_leading_zeros(recommender: Artifact) -> None:
    named = pl.DataFrame({"user": ["007", "7"], "item": ["i0", "i1"]})
    artifact = replace(recommender, contents=replace(recommender.contents, histories=named))
    found = predict(artifact, pl.DataFrame({"user_id": ["007", "7"], "item_id": ["i0", "i0"]}))
    assert found["user_id"].to_list() == ["007", "7"]
    assert found["note"].to_list() == [TAKEN, ""]


# ── recommend: pairs ────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_scores_of_pairs_are_those_of_the_lists(contents_of: Make, kind: str) -> None:
    artifact = made.in_memory(contents_of(kind))
    users = pl.DataFrame({"user_id": [*_histories(artifact), "nobody", None]})
    lists = predict(artifact, users, 100)
    shuffled = lists.sample(fraction=1.0, shuffle=True, seed=0)
    pairs = predict(artifact, shuffled.select("user_id", "item_id"))
    assert_frame_equal(pairs, shuffled.select("user_id", "item_id", "score", "note"))


def test_every_pair_is_answered_in_order_with_duplicates(recommender: Artifact) -> None:
    table = pl.DataFrame(
        {"StockCode": ["i1", "i2", "i1", "i1", None], "uid": ["101", None, "102", "101", "101"]}
    )
    found = predict(recommender, table)
    assert found.columns == ["StockCode", "uid", "score", "note"]
    assert_frame_equal(found.select(table.columns), table)
    assert found["score"][0] == found["score"][3] and found["score"].is_finite().all()
    assert found["note"][1] == NEW and UNKNOWN in found["note"][4]


def test_pairs_keep_their_columns_and_ours_make_way(recommender: Artifact) -> None:
    table = pl.DataFrame(
        {"uid": [101], "sku": ["i1"], "price": [9.5], "score": ["A"], "note": ["gift"]}
    )
    found = predict(recommender, table)
    assert found.columns == ["uid", "sku", "price", "score", "note", "score_", "note_"]
    assert_frame_equal(found.select(table.columns), table)
    assert found["score_"].is_finite().all()


@pytest.mark.parametrize("kind", ITEM_KINDS)
def test_unknown_items_score_one_below_the_lowest_known(contents_of: Make, kind: str) -> None:
    artifact = made.in_memory(contents_of(kind))
    encoder = artifact.fitted.encoder
    assert isinstance(encoder, ItemEncoder)
    for user in ("101", "nobody"):
        items = [*encoder.catalogue[encoder.known].tolist(), "never sold"]
        found = predict(artifact, pl.DataFrame({"user_id": user, "item_id": items}))
        assert found["score"][-1] == found["score"][:-1].min() - 1.0  # type: ignore[operator]
        assert UNKNOWN in found["note"][-1]
        assert not found["note"][:-1].str.contains(UNKNOWN).any()


def test_items_that_were_pruned_are_unknown_to_the_model(tmp_path: Path) -> None:
    contents = made.contents(tmp_path, Ease(), Recommend(k=5, at_most=4))
    held = contents.histories
    assert held is not None
    artifact = made.in_memory(
        replace(
            contents,
            histories=pl.concat(
                [held, pl.DataFrame({"user": ["odd", "odd"], "item": ["i14", "gone"]})]
            ),
        )
    )
    pairs = pl.DataFrame({"user_id": ["101", "odd", "odd"], "item_id": ["i14", "i14", "i0"]})
    found = predict(artifact, pairs)
    assert UNKNOWN in found["note"][0]
    assert found["note"][1] == f"{COLD}; {UNKNOWN}; {TAKEN}"
    assert found["note"][2] == COLD
    assert set(predict(artifact, pl.DataFrame({"user_id": ["odd"]}), 2)["note"]) == {COLD}


def test_an_item_taken_before_keeps_its_plain_score_and_says_so(tmp_path: Path) -> None:
    artifact = made.in_memory(made.contents(tmp_path, Popularity()))
    held = artifact.contents.histories
    assert held is not None
    counts = dict(held["item"].value_counts(name="n").iter_rows())
    found = predict(artifact, held.rename({"user": "user_id", "item": "item_id"}))
    assert found["note"].to_list() == [TAKEN] * held.height
    assert found["score"].to_list() == [counts[item] for item in held["item"]]


def test_no_rows_give_no_rows_with_the_right_columns(recommender: Artifact) -> None:
    users = pl.DataFrame({"user_id": []}, schema={"user_id": pl.String})
    assert predict(recommender, users).columns == [
        "user_id",
        "item_id",
        "score",
        "rank",
        "note",
    ]
    assert predict(recommender, users.with_columns(item_id="user_id")).schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "score": pl.Float64,
        "note": pl.String,
    }


def test_many_users_are_answered_as_each_alone(
    recommender: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = pl.DataFrame({"user_id": [*_histories(recommender), None, "nobody"]})
    pairs = users.sample(200, with_replacement=True, seed=1).with_columns(
        item_id=pl.Series([f"i{n % 17}" for n in range(200)])
    )
    whole = predict(recommender, users, 3), predict(recommender, pairs)
    monkeypatch.setattr("acclimate.artifacts.predictor.BLOCK", 5)
    assert_frame_equal(predict(recommender, users, 3), whole[0])
    assert_frame_equal(predict(recommender, pairs), whole[1])
    one = [predict(recommender, users[n], 3) for n in range(users.height)]
    assert_frame_equal(pl.concat(one), whole[0])


def test_an_artifact_without_histories_knows_no_user(recommender: Artifact) -> None:
    bare = replace(recommender, contents=replace(recommender.contents, histories=None))
    assert set(predict(bare, pl.DataFrame({"user_id": ["101"]}))["note"]) == {NEW}
    pairs = pl.DataFrame({"user_id": ["101"], "item_id": ["i0"]})
    assert predict(bare, pairs)["note"].to_list() == [NEW]


def test_inputs_without_users_are_refused(recommender: Artifact) -> None:
    with pytest.raises(DataError, match=r"'CustomerID' .* found item_id, price\. Rename"):
        predict(recommender, pl.DataFrame({"item_id": ["i0"], "price": [1]}))
    with pytest.raises(DataError, match="found no columns"):
        predict(recommender, pl.DataFrame())
    with pytest.raises(DataError, match="Expected ids in the column 'user_id'"):
        predict(recommender, pl.DataFrame({"user_id": [["101"]]}))
    with pytest.raises(UsageError, match=r"k of at least 1, .* found 0"):
        predict(recommender, pl.DataFrame({"user_id": ["101"]}), 0)


def test_a_new_user_is_served_by_what_they_took_elsewhere(recommender: Artifact) -> None:
    own = recommender.fitted.encoder
    assert isinstance(own, ItemEncoder)
    mine = recommender.contents.histories
    assert mine is not None
    users = np.array([*sorted(set(mine["user"])), "newcomer"], object)
    fit = interactions(mine, users, own.catalogue)
    shoes = np.array(["shoe", "boot"], object)
    of = np.arange(len(users))
    both = BesideEncoder.of(own, {"s": Interactions(of, of % 2, users, shoes)}, fit, 100)
    model = WideEase(beside=1.0).fit(both.encode(fit), rng=Rng.of(0))
    held = replace(recommender.contents, fitted=Fitted(both, model))
    found = predict(made.in_memory(held), pl.DataFrame({"user_id": ["newcomer", "nobody"]}), 2)
    assert found["note"].to_list() == [ELSEWHERE, ELSEWHERE, NEW, NEW]
    assert found["score"][0] != found["score"][2]
