"""The one door for rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from acclimate.artifacts.artifact import Artifact, Contents, load, save
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
    assert several["note"][0] == "missing columns: amount, comment, signup, time"


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


def day_first(days: list[str]) -> pl.Series:
    return pl.Series([f"{int(d[8:10])}/{int(d[5:7])}/{d[:4]}{d[10:]}" for d in days])


def test_a_date_that_could_be_either_is_read_in_the_order_of_training(tmp_path: Path) -> None:
    table = made.rows(1)
    mine = table.with_columns(signup=day_first(table["signup"].to_list()))
    mine = mine.with_columns(time=day_first(table["time"].to_list()))
    mine = mine.with_columns(signup=pl.Series([*mine["signup"][:-1], "31/5/2023"]))
    artifact = _fitted(tmp_path, mine)
    one = mine.head(1)
    asked = one.with_columns(signup=pl.lit("3/4/2023"), time=pl.lit("5/3/2024 06:30"))
    plain = one.with_columns(signup=pl.lit("2023-04-03"), time=pl.lit("2024-03-05 06:30"))
    swapped = one.with_columns(signup=pl.lit("2023-03-04"), time=pl.lit("2024-05-03 06:30"))
    expected = predict(artifact, plain)
    for parts in ([asked], [asked, asked], [asked, one]):
        found = predict(artifact, pl.concat(parts))
        assert found["p_yes"][0] == expected["p_yes"][0]
        assert found["note"][0] == ""
    assert predict(artifact, swapped)["p_yes"][0] != expected["p_yes"][0]
    wrong = predict(artifact, one.with_columns(signup=pl.lit("4/13/2023")))
    assert wrong["note"].to_list() == ["unreadable: signup"]
    missing = predict(artifact, one.with_columns(signup=pl.lit(None, pl.String)))
    assert wrong["p_yes"].to_list() == missing["p_yes"].to_list()


def test_a_market_of_iso_dates_reads_no_order_into_others(classifier: Artifact) -> None:
    # Digits are dates only where a column's name says time, as they are for training.
    signup = pl.Series(["3/4/2023", "13/4/2023", "2023/4/3", "20230403"])
    found = predict(classifier, made.rows(9, 4).with_columns(signup=signup))["note"].to_list()
    bad = "unreadable: signup"
    assert found == [bad, bad, "", bad]


def test_decimal_commas_are_read_as_in_training_and_other_commas_are_not(
    tmp_path: Path, classifier: Artifact
) -> None:
    table = made.rows(1)
    written = table.with_columns(amount=_with_comma(table["amount"]))
    artifact = _fitted(tmp_path, written)
    plain = _fitted(tmp_path, table)
    expected = predict(plain, table)["p_yes"].to_list()
    assert predict(artifact, written)["p_yes"].to_list() == expected
    one = table.head(1)

    def chance(of: Artifact, amount: str | float) -> tuple[float, str]:
        found = predict(of, one.with_columns(amount=pl.lit(amount)))
        return found["p_yes"][0], found["note"][0]

    # Alone in its table, 1,234 looks like an English thousand.
    assert chance(artifact, "1,234") == chance(plain, 1.234)
    assert chance(artifact, "1.234") == chance(plain, 1234.0)
    assert chance(artifact, 12.5) == chance(plain, 12.5)
    assert chance(artifact, "12.5")[1] == "unreadable: amount"
    assert chance(plain, "12,5")[1] == "unreadable: amount"
    mixed = pl.concat([one.with_columns(amount=pl.lit(x)) for x in ("1,234", "many")])
    assert predict(artifact, mixed)["note"].to_list() == ["", "unreadable: amount"]


def test_notations_travel_with_the_artifact(tmp_path: Path) -> None:
    table = made.rows(1)
    written = table.with_columns(
        amount=_with_comma(table["amount"]), time=day_first(table["time"].to_list())
    )
    held = _fitted(tmp_path, written).contents
    assert held.reading.notations == {
        "amount": "commas as decimals",
        "signup": "year first",
        "time": "day first or digits",
    }
    save(tmp_path / "artifact", held)
    assert load(tmp_path / "artifact").contents.reading == held.reading
    row = held.reading.as_row() | {"notations": {"time": "week first"}}
    with pytest.raises(ValueError, match="'week first' is no notation of times"):
        Reading.from_row(row)


def _with_comma(numbers: pl.Series) -> pl.Series:
    return numbers.cast(pl.String).str.replace(".", ",", literal=True)


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
