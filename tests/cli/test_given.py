"""Artifacts as sources and targets without labels, from the command line to the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.schema import Schema
from acclimate.release import asked_first
from tests.cli.calls import LABEL, Answer, Call, Markets, events, rows
from tests.shifted import TRUTH_HELPS, market

BUDGET = ("--budget", "60")


@pytest.fixture
def us(call: Call, markets: Markets) -> Path:
    """The folder of a run for the market "us"."""
    table = markets.write("us", rows(5, 200))
    other = markets.write("old", rows(6, 120))
    run = markets.folder / "runs" / "us"
    words = ("--source", other, "--target", table, "--out", run, *LABEL, *BUDGET)
    assert call("adapt", *words, "--strategy", "source-prior").code == 0
    return run


def adapted(call: Call, markets: Markets, source: object, *more: object) -> Answer:
    """A run for the market "shop" with this source."""
    target = markets.write("shop", rows(1, 120))
    words = ("--source", source, "--target", target, "--out", markets.out, *LABEL, *BUDGET)
    return call("adapt", *words, *more)


# ── artifacts ───────────────────────────────────────────────────────────────


def test_a_run_serves_as_a_source_and_the_page_says_so(
    call: Call, markets: Markets, us: Path
) -> None:
    found = adapted(call, markets, us, "--json")
    assert found.code == 0, found.err
    summary = found.json
    assert summary["sources"] == ["us artifact"]
    planned = {row["arm"] for row in summary["leaderboard"] + summary["put_off"]}
    assert {"source-only/linear", "source-prior/linear", "blend/linear"} <= planned
    whys = {row["why"] for row in summary["refused"]}
    assert "source 'us artifact' does not share its rows" in whys
    assert "sources us artifact (rows not seen)" in found.err
    assert "is not measured: it shares its fitted model, and no rows" in found.err
    page = (markets.out / "report.html").read_text(encoding="utf-8")
    assert "fitted for us with old; tells apart no, yes" in page
    assert any("is for its owner to know" in note for note in summary["notes"])


def test_check_and_gap_know_artifacts(call: Call, markets: Markets, us: Path) -> None:
    found = call("check", us, "--json")
    assert found.code == 0
    (described,) = found.json["markets"]
    assert described["name"] == "us artifact" and described["tables"] == {}
    assert "reads amount, browser" in described["findings"][0]["message"]
    target = markets.write("shop", rows(1, 120))
    said = call("gap", "--source", us, "--target", target, *LABEL, "--json")
    assert said.code == 0
    assert [(row["measure"], row["value"]) for row in said.json["gap"]] == [("rows", None)]


def test_an_artifact_is_no_target(call: Call, markets: Markets, us: Path) -> None:
    market = markets.write("shop", rows(1, 120))
    for words in ((), LABEL):
        found = call("adapt", "--source", market, "--target", us, *words)
        found.refuses(2, "Expected a market with tables as target; found the artifact")


def test_a_tampered_artifact_ends_with_exit_code_7(
    call: Call, markets: Markets, us: Path
) -> None:
    state = us / "artifact" / "state.json"
    state.write_bytes(state.read_bytes().replace(b"linear", b"linaer", 1))
    adapted(call, markets, us, "--json").refuses(7, "state.json", "it was changed or cut")
    call("check", us, "--json").refuses(7, "state.json")


def test_an_artifact_of_the_target_itself_is_refused(
    call: Call, markets: Markets, us: Path
) -> None:
    target = markets.folder / "us"
    found = call("adapt", "--json", "--source", us, "--target", target, *LABEL)
    found.refuses(2, "was fitted on the same data, judge and all")


def test_an_item_model_serves_as_a_prior(call: Call, markets: Markets) -> None:
    first, second = markets.write("us", events(3)), markets.write("old", events(4))
    run = markets.folder / "runs" / "mall"
    words = ("--source", second, "--target", first, "--out", run, "--json", *BUDGET)
    made = call("adapt", *words)
    assert made.code == 0, made.err
    found = call(*markets.recommend(source=run), *BUDGET)
    assert found.code == 0, found.err
    shipped = made.json["shipped"]["arm"].split("/")[1].split()[0]
    tried = {row["arm"] for row in found.json["leaderboard"]}
    assert ("item-prior/ease" in tried) == (shipped == "ease")
    assert any("us artifact knows 12 of jp's" in note for note in found.json["notes"])


def test_foreign_files_in_the_place_are_refused_before_the_work(
    call: Call, markets: Markets
) -> None:
    place = markets.out / "artifact"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine", encoding="utf-8")
    found = call(*markets.classify(), *BUDGET)
    found.refuses(2, "found a folder that also holds notes.txt")
    assert "plan" not in found.err and not (markets.out / "report.html").exists()
    assert (place / "notes.txt").read_text(encoding="utf-8") == "mine"


# ── without labels ──────────────────────────────────────────────────────────


def shifted(markets: Markets, labelled: bool = False) -> list[object]:
    """The words of `adapt` for a covariate shift that weighting corrects."""
    target = market(1, 600, **TRUTH_HELPS, name="t").tables["rows"]
    near = market(2, 2000, name="near").tables["rows"]
    table = target if labelled else target.drop("label")
    words = ("--source", markets.write("near", near), "--target", markets.write("new", table))
    return ["adapt", "--json", *words, "--out", markets.out, "--label", "label", *BUDGET]


def test_without_labels_what_helps_is_provisional_and_rows_to_label_are_listed(
    call: Call, markets: Markets, own_home: Path
) -> None:
    found = call(*shifted(markets), "--strategy", "density-ratio + source-only")
    assert found.code == 0, found.err
    summary = found.json
    assert summary["verdict"]["answer"] == "provisional"
    assert summary["shipped"]["arm"] == "density-ratio + source-only/linear"
    assert summary["verdict"]["effect"] is None and summary["verdict"]["n"] == 0
    assert not (own_home / "ledger.jsonl").exists()
    first = pl.read_csv(markets.out / "label_first.csv")
    assert first.columns == ["row", "x", "z"] and first.height == 50
    table = pl.read_csv(markets.folder / "new" / "rows.csv")
    named = table[(first["row"] - 1).to_list()]
    np.testing.assert_allclose(named["x"], first["x"])
    assert f"label first: {markets.out / 'label_first.csv'}" in found.err
    assert "without target labels: what validators say" in found.err
    page = (markets.out / "report.html").read_text(encoding="utf-8")
    wanted = summary["verdict"]["units_wanted"]
    assert f"label about {wanted:,} rows of the target" in page and "label_first.csv" in page
    answers = markets.folder / "answers.csv"
    where = (markets.out / "artifact", markets.folder / "new" / "rows.csv", "--out", answers)
    assert call("predict", *where).code == 0
    assert pl.read_csv(answers).height == 600


def test_the_number_of_a_row_to_label_stands_beside_a_column_of_that_name() -> None:
    table = pl.DataFrame({"row": [7.0, 8.0, 9.0], "row_": ["a", "b", "c"], "label": [None] * 3})
    first = asked_first(Domain("new", {"rows": table}, Schema({})), [2, 0])
    assert first.to_dict(as_series=False) == {
        "row__": [3, 1],
        "row": [9.0, 7.0],
        "row_": ["c", "a"],
    }


def test_without_labels_nothing_is_adopted(call: Call, markets: Markets) -> None:
    words = (*shifted(markets), "--strategy", "coral + source-only", "--require-adopt")
    found = call(*words)
    assert found.code == 4
    assert found.json["verdict"]["answer"] in ("provisional", "not-enough-data")
    assert "Expected the verdict adopt; found" in found.err


def test_a_list_of_an_earlier_run_does_not_stay(call: Call, markets: Markets) -> None:
    words = (*markets.classify(), *BUDGET, "--strategy", "coral", "--model", "linear")
    assert call(*words).code == 0
    (markets.out / "label_first.csv").write_text("row\n1\n", encoding="utf-8")
    assert call(*words).code == 0
    assert not (markets.out / "label_first.csv").exists()


def test_an_artifact_alone_serves_a_target_without_labels(
    call: Call, markets: Markets, us: Path
) -> None:
    target = markets.write("bare", rows(1, 90).drop("fraud"))
    found = call("adapt", "--json", "--source", us, "--target", target, "--out", markets.out,
                 *LABEL, *BUDGET)  # fmt: skip
    assert found.code == 0, found.err
    assert found.json["verdict"]["answer"] == "not-enough-data"
    assert found.json["shipped"]["arm"] == "source-only/linear"
    assert set(found.json["votes"]["source-only/linear"]) == {"information", "density"}
    assert found.json["sentence"].startswith("Not enough data: there are no target labels")


@pytest.mark.parametrize("labels", [2, 3])
def test_a_few_labels_of_one_class_give_a_clear_answer(
    labels: int, call: Call, markets: Markets
) -> None:
    table = rows(1, 120)
    target = table.with_columns(
        pl.when(pl.int_range(pl.len()) % 40 == 0).then(pl.lit("yes")).otherwise(pl.lit("no"))
        .alias("fraud")
    )  # fmt: skip
    words = markets.classify(target=markets.write("rare", target))
    found = call(*words, "--labels", labels, *BUDGET, "--strategy", "coral")
    assert found.code == 0, found.err
    assert found.json["verdict"]["metric"] == "log-loss"
    said = (
        f"rare has {labels} rows to fit on, all of them no: only sources can tell classes apart"
    )
    assert any(note.startswith(said) for note in found.json["notes"])
