"""Each case of the one door, for each kind of task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from acclimate.artifacts.artifact import Artifact, Contents
from acclimate.artifacts.predictor import COLD, NEW, TAKEN, UNKNOWN, predict
from acclimate.domains.exam import Probabilities
from acclimate.domains.market import open_market
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.domains.view import ItemEncoder
from acclimate.errors import DataError, UsageError
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from tests.artifacts import made
from tests.artifacts.conftest import Make

ITEM_KINDS = ("popularity", "item-knn", "ease")


@pytest.fixture
def recommender(ease: Contents) -> Artifact:
    return made.in_memory(ease)


@pytest.fixture
def classifier(linear: Contents) -> Artifact:
    return made.in_memory(linear)


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
    assert_frame_equal(predict(recommender, table, 3), expected)


def test_the_name_in_the_targets_file_comes_before_better_sounding_ones(
    recommender: Artifact,
) -> None:
    table = pl.DataFrame({"user_id": ["nobody"], "CustomerID": ["101"]})
    assert predict(recommender, table, 1)["user_id"].to_list() == ["101"]


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
    assert found.columns == ["user_id", "item_id", "score", "note"]
    assert found["user_id"].to_list() == table["uid"].to_list()
    assert found["item_id"].to_list() == table["StockCode"].to_list()
    assert found["score"][0] == found["score"][3] and found["score"].is_finite().all()
    assert found["note"][1] == NEW and UNKNOWN in found["note"][4]


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


# ── classify ────────────────────────────────────────────────────────────────


def test_the_input_stays_and_the_answer_follows(classifier: Artifact) -> None:
    table = made.rows(9, 40).insert_column(1, pl.Series("order", range(40)))
    found = predict(classifier, table)
    assert found.columns == [*table.columns, "prediction", "p_no", "p_yes", "note"]
    assert_frame_equal(found.select(table.columns), table)
    assert np.allclose(found["p_no"] + found["p_yes"], 1.0)
    likely = np.where(found["p_yes"] > found["p_no"], "yes", "no")
    assert found["prediction"].to_list() == likely.tolist()
    assert set(found["note"]) == {""}


def test_the_answer_is_the_fitted_models_on_the_rows_it_was_fitted_on(tmp_path: Path) -> None:
    contents = made.contents(tmp_path, Linear())
    file = tmp_path / "markets" / "jp.csv"
    target = open_market(file)
    posed = Classify().pose(target, [open_market(file.with_name("us.csv"))], Cut(), Rng.of(0))
    assert isinstance(posed.whole.fit, Rows)
    expected = contents.fitted.predict(posed.whole.fit.unlabelled())
    assert isinstance(expected, Probabilities)
    raw = pl.read_csv(file, infer_schema=False)
    for table in (raw, pl.read_csv(file, try_parse_dates=True)):
        found = predict(made.in_memory(contents), table)
        assert np.array_equal(found.select("p_no", "p_yes").to_numpy(), expected.p)


def test_labels_in_the_input_change_nothing(classifier: Artifact) -> None:
    table = made.rows(9, 20)
    with_label = predict(classifier, table)
    without = predict(classifier, table.drop("fraud"))
    wrong = predict(classifier, table.with_columns(fraud=pl.lit("maybe")))
    assert_frame_equal(with_label.drop("fraud"), without)
    assert_frame_equal(wrong.drop("fraud"), without)
    assert wrong["fraud"].to_list() == ["maybe"] * 20


def test_a_new_level_is_said_in_its_row_only(classifier: Artifact) -> None:
    table = made.rows(9, 3).with_columns(browser=pl.Series(["edge", "netscape", None]))
    assert predict(classifier, table)["note"].to_list() == ["", "unseen: browser", ""]


def test_a_missing_column_counts_as_missing_values_and_is_said(classifier: Artifact) -> None:
    table = made.rows(9, 5)
    absent = predict(classifier, table.drop("amount"))
    null = predict(classifier, table.with_columns(amount=pl.lit(None, pl.Float64)))
    assert absent["note"].to_list() == ["missing column: amount"] * 5
    assert absent["p_yes"].to_list() == null["p_yes"].to_list()
    assert set(null["note"]) == {""}
    several = predict(classifier, table.select("browser"))
    assert several["note"][0] == "missing column: amount, comment, signup, time"


def test_numbers_written_as_text_are_read_and_others_are_missing(classifier: Artifact) -> None:
    table = made.rows(9, 4).with_columns(
        amount=pl.Series(["12.5", "1e2", "many", None]),
    )
    numbers = table.with_columns(amount=pl.Series([12.5, 100.0, None, None]))
    found = predict(classifier, table)
    assert found["p_yes"].to_list() == predict(classifier, numbers)["p_yes"].to_list()
    assert found["note"].to_list() == ["", "", "unreadable: amount", ""]
    assert found["amount"].to_list() == ["12.5", "1e2", "many", None]
    infinite = table.with_columns(amount=pl.lit(float("inf")))
    assert predict(classifier, infinite)["note"][0] == "unreadable: amount"


def test_times_that_cannot_be_read_and_lists_are_missing(classifier: Artifact) -> None:
    table = made.rows(9, 2).with_columns(
        signup=pl.Series(["2023-04-11", "soon"]), comment=pl.Series([["a"], None])
    )
    assert predict(classifier, table)["note"].to_list() == [
        "unreadable: comment",
        "unreadable: signup",
    ]


def test_categories_are_compared_in_their_one_spelling(tmp_path: Path) -> None:
    table = made.rows(1).with_columns(browser=pl.Series(["0", "1", "mobile"] * 40))
    artifact = _fitted(tmp_path, table)
    spelled = table.head(3).with_columns(browser=pl.Series([" 0.0", "TRUE", "mobile "]))
    found = predict(artifact, spelled)
    assert set(found["note"]) == {""}
    assert found["p_yes"].to_list() == predict(artifact, table.head(3))["p_yes"].to_list()


def test_a_feature_called_like_a_role_is_found_under_its_own_name(tmp_path: Path) -> None:
    def table(amount: str) -> pl.DataFrame:
        who = pl.Series("CustomerID", [f"u{n % 40}" for n in range(120)])
        return made.rows(1).rename({"amount": amount}).insert_column(0, who)

    artifact = _fitted(tmp_path, table("entity"))
    assert artifact.contents.reading.roles["entity"] == "CustomerID"
    assert "entity_" in artifact.contents.reading.types
    found = predict(artifact, table("entity"))
    assert set(found["note"]) == {""}
    plain = _fitted(tmp_path, table("amount"))
    assert found["p_yes"].to_list() == predict(plain, table("amount"))["p_yes"].to_list()
    absent = predict(artifact, table("entity").drop("entity"))
    assert absent["note"][0] == "missing column: entity"


def test_columns_the_model_does_not_read_are_never_missed(tmp_path: Path) -> None:
    # Without a time of its rows, a model cannot use how long ago someone signed up.
    table = made.rows(1).drop("time").rename({"signup": "birthday"})
    artifact = _fitted(tmp_path, table)
    assert "birthday" in artifact.contents.reading.types
    assert set(predict(artifact, table.drop("birthday"))["note"]) == {""}


def test_names_of_ours_that_the_input_uses_get_an_underscore(classifier: Artifact) -> None:
    table = made.rows(9, 2).with_columns(prediction=pl.lit("mine"), note=pl.lit("call back"))
    found = predict(classifier, table)
    assert found.columns[-4:] == ["prediction_", "p_no", "p_yes", "note_"]
    assert_frame_equal(found.select(table.columns), table)
    again = predict(classifier, found)
    assert again.columns[-4:] == ["prediction__", "p_no_", "p_yes_", "note__"]
    assert again["p_no_"].to_list() == found["p_no"].to_list()


def test_no_rows_of_features_give_the_right_columns(classifier: Artifact) -> None:
    table = made.rows(9, 2)
    assert predict(classifier, table.clear()).schema == predict(classifier, table).schema


def test_an_input_without_any_column_of_the_model_is_refused(classifier: Artifact) -> None:
    expected = (
        r"columns that the model reads: amount, browser, comment, signup, time; found a, fraud"
        r"\. Rename"
    )
    with pytest.raises(DataError, match=expected):
        predict(classifier, pl.DataFrame({"a": [1], "fraud": ["no"]}))
    with pytest.raises(DataError, match="found none"):
        predict(classifier, pl.DataFrame())


def test_three_classes_get_three_chances(tmp_path: Path) -> None:
    table = made.rows(1).with_columns(fraud=pl.Series(["a b", "c", "1.0"] * 40))
    found = predict(_fitted(tmp_path, table), table.drop("fraud"))
    assert found.columns[-5:] == ["prediction", "p_1", "p_a b", "p_c", "note"]
    assert set(found["prediction"]) <= {"1", "a b", "c"}


def _fitted(folder: Path, table: pl.DataFrame) -> Artifact:
    """A linear model of a table, served under the reading of its file."""
    contents = made.contents(folder, Linear())
    path = folder / "other.csv"
    table.write_csv(path)
    domain = open_market(path)
    posed = Classify().pose(domain, [domain], Cut(), Rng.of(0))
    fit = posed.whole.fit
    assert isinstance(fit, Rows)
    problem = Problem("other", fit, (), Claim.NEW, RowRecipe())
    fitted = Arm(TargetOnly(), Linear()).fit(problem, Rng.of(0))
    reading = type(contents.reading).of(domain, fit)
    return made.in_memory(replace(contents, fitted=fitted, reading=reading))
