"""The one door for rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from acclimate.artifacts.artifact import Artifact, Contents
from acclimate.artifacts.predictor import predict
from acclimate.artifacts.reading import Reading
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Probabilities
from acclimate.domains.market import open_market
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.errors import DataError
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.tasks.classify import Classify
from tests.artifacts import made


@pytest.fixture
def classifier(linear: Contents) -> Artifact:
    return made.in_memory(linear)


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


def test_a_column_of_numbers_here_and_words_there_is_read_as_for_training(
    tmp_path: Path,
) -> None:
    mine = made.rows(1).with_columns(browser=pl.Series([1, 2, 3] * 40))
    theirs = made.rows(2).with_columns(browser=pl.Series(["1", "2", "other"] * 40))
    fit = _posed(tmp_path, mine, theirs)[1]
    assert fit.types["browser"] == "category"
    artifact = _fitted(tmp_path, mine, theirs)
    expected = artifact.fitted.predict(fit.unlabelled())
    assert isinstance(expected, Probabilities)
    found = predict(artifact, mine)
    assert set(found["note"]) == {""}
    assert found["p_yes"].to_list() == expected.p[:, 1].tolist()


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


def _posed(
    folder: Path, mine: pl.DataFrame, theirs: pl.DataFrame | None = None
) -> tuple[Domain, Rows]:
    """The market of a table and all its labelled rows, posed with a source."""
    markets = []
    for name, table in (("mine", mine), ("theirs", mine if theirs is None else theirs)):
        table.write_csv(folder / f"{name}.csv")
        markets.append(open_market(folder / f"{name}.csv"))
    fit = Classify().pose(markets[0], markets[1:], Cut(), Rng.of(0)).whole.fit
    assert isinstance(fit, Rows)
    return markets[0], fit


def _fitted(folder: Path, mine: pl.DataFrame, theirs: pl.DataFrame | None = None) -> Artifact:
    """A linear model of a table, served under the reading of its file."""
    domain, fit = _posed(folder, mine, theirs)
    problem = Problem("mine", fit, (), Claim.NEW, RowRecipe())
    fitted = Arm(TargetOnly(), Linear()).fit(problem, Rng.of(0))
    contents = made.contents(folder, Linear())
    return made.in_memory(replace(contents, fitted=fitted, reading=Reading.of(domain, fit)))
