"""Every mistake on a command line ends in one message, an exit code, and nothing written."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from acclimate.settings import settings
from tests.cli.calls import LABEL, Call, Markets, events, labels, rows

USAGE, DATA, BUDGET, INTEGRITY = 2, 3, 6, 7


# ── markets ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("task", [(), ("--task", "recommend"), LABEL])
def test_a_missing_target_folder_is_named(
    call: Call, markets: Markets, task: tuple[str, ...]
) -> None:
    absent = markets.folder / "nowhere"
    call(*markets.recommend(absent), *task).refuses(DATA, repr(str(absent)), "spelling")
    assert markets.nothing_written()


def test_a_missing_source_folder_is_named(call: Call, markets: Markets) -> None:
    call(*markets.recommend(source=markets.folder / "nowhere")).refuses(DATA, "nowhere")
    assert markets.nothing_written()


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "an empty file"), ("amount,browser,fraud\n", "a header and no rows")],
)
def test_a_file_without_rows_says_so(
    call: Call, markets: Markets, text: str, found: str
) -> None:
    call(*markets.classify(markets.write("bad", text))).refuses(DATA, found, "or remove")
    assert markets.nothing_written()


def test_markets_without_a_shared_column_list_what_each_has(
    call: Call, markets: Markets
) -> None:
    other = markets.write("bad", rows(1).rename({"amount": "x", "browser": "y"}))
    call(*markets.classify(other)).refuses(
        DATA, "bad: x (numeric), y (category)", "web: amount (numeric)", "Rename"
    )
    assert markets.nothing_written()


def test_columns_that_never_vary_are_said_to_be_ignored(call: Call, markets: Markets) -> None:
    flat = rows(1).with_columns(
        amount=pl.lit(None, dtype=pl.Float64), browser=pl.lit("edge", dtype=pl.String)
    )
    call(*markets.classify(markets.write("bad", flat))).refuses(
        DATA, "amount (ignored)", "constant column"
    )


def test_a_target_of_one_class_has_nothing_to_tell_apart(call: Call, markets: Markets) -> None:
    one = rows(1).with_columns(labels(("no", 80)))
    call(*markets.classify(markets.write("bad", one))).refuses(
        DATA, "at least two classes in target 'bad'", "only 'no'", "label rows of another class"
    )
    assert markets.nothing_written()


def test_a_target_of_one_row_is_said_to_have_one_class(call: Call, markets: Markets) -> None:
    call(*markets.classify(markets.write("bad", rows(1, 1)))).refuses(DATA, "two classes")


def test_a_number_is_no_label(call: Call, markets: Markets) -> None:
    numbers = rows(1).with_columns(fraud=pl.col("amount"))
    call(*markets.classify(markets.write("bad", numbers))).refuses(
        DATA, "in 80 rows", "as of a number or an id", "--label"
    )


def test_a_misspelt_label_is_answered_with_the_columns(call: Call, markets: Markets) -> None:
    call(*markets.classify()[:-1], "frod").refuses(DATA, "'frod'", "amount, browser, fraud")
    assert markets.nothing_written()


def test_classes_of_no_common_name_are_refused(call: Call, markets: Markets) -> None:
    other = rows(1).with_columns(labels(("ja", 40), ("nein", 40)))
    call(*markets.classify(markets.write("bad", other))).refuses(
        DATA, "ja, nein in the target", "no, yes in the sources", "Map"
    )


def test_half_a_parquet_file_is_told_from_a_whole_one(call: Call, markets: Markets) -> None:
    market = markets.write("bad", rows(1), "rows.parquet")
    file = market / "rows.parquet"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    call(*markets.classify(market)).refuses(
        DATA, "a Parquet file in 'rows.parquet'", "complete?"
    )
    assert markets.nothing_written()


def test_the_same_source_twice_is_refused(call: Call, markets: Markets) -> None:
    words = markets.recommend()
    call(*words, "--source", markets.folder / "us").refuses(
        USAGE, "each source once", "us' twice", "Leave one of them out"
    )
    assert markets.nothing_written()


def test_a_target_is_not_its_own_source(call: Call, markets: Markets) -> None:
    market = markets.write("jp", events(1))
    again = market.parent / "." / "jp" / ".." / "jp"
    for source in (market, again):
        call(*markets.recommend(market, source)).refuses(
            USAGE, "sources other than the target", "jp' as both", "PATH::column=value"
        )
    assert markets.nothing_written()


def test_two_markets_of_one_name_are_told_how_to_get_another(
    call: Call, markets: Markets
) -> None:
    places = [markets.write(f"{half}/x/jp", events(n)) for n, half in enumerate("ab")]
    call(*markets.recommend(*places)).refuses(
        USAGE, "x-jp twice, from different places", "another name in its market.toml"
    )
    assert markets.nothing_written()


def test_a_source_without_events_cannot_teach_recommending(
    call: Call, markets: Markets
) -> None:
    call(*markets.recommend(source=markets.write("web", rows(2)))).refuses(
        DATA, "events table", "'web'", "found rows"
    )
    assert markets.nothing_written()


def test_a_target_without_events_cannot_be_recommended_to(call: Call, markets: Markets) -> None:
    words = markets.recommend(markets.write("shop", rows(1)))
    call(*words, "--task", "recommend").refuses(DATA, "events table", "'shop'", "found rows")
    assert markets.nothing_written()


# ── options ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--task", "divine"), ("'divine'", "'recommend', 'classify'", "adapt --help")),
        (("--strategy", "prayer"), ("prayer", "target-only, source-only, pooled")),
        (("--budget", "0"), ("above 0 seconds", "found 0")),
        (("--budget", "-5"), ("above 0 seconds", "found -5")),
        (("--budget", "nan"), ("above 0 seconds", "found nan")),
        (("--budget", "inf"), ("an end to it", "found inf")),
        (("--budget", "much"), ("--budget", "adapt --help")),
        (("--split", "moon"), ("auto, time, last, random", "'moon'")),
        (("--labels", "0"), ("at least 2", "found 0", "Leave it out")),
        (("--labels", "-3"), ("at least 2", "found -3")),
        (("--labels", "10"), ("no label budget for recommend",)),
        (("--k", "0"), ("between 1 and 100", "found 0")),
        (("--k", "101"), ("between 1 and 100", "found 101")),
        (("--when-unsure", "pray"), ("target-only or best-guess", "'pray'")),
        (("--nonsense",), ("--nonsense", "adapt --help")),
        (("--label", "x", "--task", "recommend"), ("only k, at_most", "found label")),
    ],
    ids=lambda value: " ".join(value[:2]) if value[0].startswith("--") else "",
)
def test_an_option_out_of_range_says_its_range(
    call: Call, markets: Markets, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    call(*markets.recommend(), *words).refuses(USAGE, *parts)
    assert markets.nothing_written()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--metric", "magic"), ("log-loss, pr-auc, roc-auc, accuracy", "'magic'")),
        (("--positive", "maybe"), ("among no, yes", "'maybe'")),
        (("--k", "5"), ("only label, score_by, positive", "found k")),
        (("--split", "last"), ("'last', which is for events",)),
        (("--split", "time"), ("a time on every labelled row", "market.toml")),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else "",
)
def test_an_option_that_rows_cannot_serve_is_refused(
    call: Call, markets: Markets, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    call(*markets.classify(), *words).refuses(USAGE, *parts)
    assert markets.nothing_written()


def test_one_time_for_every_row_is_no_time_to_split_by(call: Call, markets: Markets) -> None:
    same = rows(1).with_columns(time=pl.lit("2024-01-01 00:00:00"))
    words = markets.classify(markets.write("bad", same))
    call(*words, "--split", "time").refuses(USAGE, "found more at 2024-01-01", "at random")


def test_a_strategy_is_known_or_refused_before_anything_is_read(
    call: Call, markets: Markets
) -> None:
    answer = call(*markets.recommend(markets.folder / "nowhere"), "--strategy", "prayer")
    answer.refuses(USAGE, "prayer")


@pytest.mark.parametrize("missing", ["target", "source"])
def test_adapt_names_the_option_it_lacks(call: Call, markets: Markets, missing: str) -> None:
    words = ["adapt", "--json"]
    if missing == "source":
        words += ["--target", str(markets.write("jp", events(1)))]
    else:
        words += ["--source", str(markets.write("us", events(2)))]
    call(*words).refuses(USAGE, f"Expected --{missing}; found none", "or a recipe")


def test_a_budget_too_short_for_target_only_is_no_verdict(call: Call, markets: Markets) -> None:
    call(*markets.recommend(), "--budget", "0.000001").refuses(
        BUDGET, "arm within 1e-06 s", "Raise --budget"
    )
    assert markets.nothing_written()


# ── places ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("below", ["", "run"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    call: Call, markets: Markets, below: str
) -> None:
    file = markets.folder / "taken.txt"
    file.write_text("mine", encoding="utf-8")
    answer = call(*markets.recommend(), "--out", file / below)
    answer.refuses(USAGE, "can be written to", "taken.txt", "--out")
    assert "plan" not in answer.err
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_no_artifact_is_not_replaced(call: Call, markets: Markets) -> None:
    mine = markets.out / "artifact" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    call(*markets.recommend()).refuses(USAGE, "thesis.txt")
    assert mine.read_text(encoding="utf-8") == "mine"
    assert [each.name for each in markets.out.rglob("*")] == ["artifact", "thesis.txt"]


def test_a_refused_run_leaves_the_last_one_as_it_was(call: Call, markets: Markets) -> None:
    words = markets.recommend()
    assert call(*words).code == 0
    before = contents(markets.out)
    call(*words, "--budget", "0.000001").refuses(BUDGET)
    call(*words, "--k", "0").refuses(USAGE)
    assert contents(markets.out) == before


def test_a_home_that_cannot_be_written_is_one_message(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = markets.folder / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("ACCLIMATE_HOME", str(file / "home"))
    settings.cache_clear()
    answer = call(*markets.recommend())
    answer.refuses(USAGE, "can be read and written", "file/home", "Set ACCLIMATE_HOME")
    assert "plan" not in answer.err
    assert markets.nothing_written()


def test_a_setting_that_cannot_be_is_named(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = markets.recommend()
    monkeypatch.setenv("ACCLIMATE_THREADS", "none")
    settings.cache_clear()
    call(*words).refuses(USAGE, "ACCLIMATE_THREADS", "threads", "'none'", "unset")


# ── recipes ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("target = ", ("Expected TOML", "Mend it")),
        ("a = " + "[" * 5000, ("Expected TOML",)),
        ("tagret = 'jp'", ("target, sources, out, seed", "[plan]", "found tagret")),
        ("[plam]\nstrategies = []", ("[plan]", "found plam")),
        ("[plan]\nbudget = 3", ("budget_seconds", "under [plan]", "found budget")),
        ("[task]\nk = 'ten'", ("k to be int", "'ten' (str)")),
        ("[task]\nk = true", ("k to be int", "True (bool)")),
        ("[plan]\nbudget_seconds = '9'", ("int or float", "'9' (str)")),
        ("sources = 'us'", ("sources to be list", "'us' (str)")),
        ("sources = [1]", ("sources to list strings", "found [1]", "quotes")),
        ("task = 3", ("[task] to be a table", "found 3")),
        ("seed = 1.5", ("seed to be int", "1.5 (float)")),
        ("[split]\njudge = 1.5", ("judge between 0 and 1", "found 1.5")),
        ("[plan]\nstrategies = ['prayer']", ("Expected strategies among", "prayer")),
        ("[plan]\nmodels = ['oracle']", ("Expected models among popularity", "oracle")),
        ("[task]\nkind = 'divine'", ("recommend, classify", "'divine'", "Use one")),
    ],
    ids=lambda value: value.replace("\n", " ")[:30] if isinstance(value, str) else "",
)
def test_a_recipe_that_cannot_be_understood_says_where(
    call: Call, markets: Markets, text: str, parts: tuple[str, ...]
) -> None:
    markets.recommend()
    recipe = markets.folder / "bad.toml"
    # Keys of the top come before any section.
    named = (
        "" if text.startswith(("target", "sources")) else "sources = ['us']\ntarget = 'jp'\n"
    )
    recipe.write_text(f"{named}out = 'runs/out'\n{text}\n", encoding="utf-8")
    call("adapt", recipe, "--json").refuses(USAGE, *parts)
    assert markets.nothing_written()


def test_a_recipe_that_is_no_text_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(b"target = '\xff'")
    call("adapt", tmp_path / "r.toml").refuses(USAGE, "Expected TOML", "utf-8")


def test_a_missing_recipe_is_named(call: Call, tmp_path: Path) -> None:
    call("adapt", tmp_path / "nowhere.toml").refuses(USAGE, "nowhere.toml", "--target")


# ── other commands ──────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "users.csv").write_text("user_id\nu1\n", encoding="utf-8")
    (folder / "weather.csv").write_text("rain,sun\n1,2\n", encoding="utf-8")
    return folder


def test_predict_refuses_what_is_no_artifact(
    call: Call, markets: Markets, inputs: Path
) -> None:
    out = markets.folder / "answers.csv"
    for place in (markets.folder / "nowhere", inputs):
        call("predict", place, inputs / "users.csv", "--out", out).refuses(
            DATA, "Expected an artifact", str(place)
        )
    assert not out.exists()


def test_predict_refuses_tables_names_and_places_that_do_not_serve(
    call: Call, markets: Markets, inputs: Path
) -> None:
    assert call(*markets.recommend()).code == 0
    artifact, out = markets.out / "artifact", markets.folder / "answers.csv"
    users = inputs / "users.csv"
    call("predict", artifact, inputs / "weather.csv", "--out", out).refuses(
        DATA, "names users", "rain, sun", "Rename"
    )
    call("predict", artifact, users, "--out", out.with_suffix(".xlsx")).refuses(
        USAGE, ".csv, .tsv, .parquet", "answers.xlsx"
    )
    call("predict", artifact, users, "--out", users / "answers.csv").refuses(USAGE, "users.csv")
    call("predict", artifact, users, "--out", out, "--k", "0").refuses(USAGE, "--k")
    call("predict", artifact, inputs / "none.csv", "--out", out).refuses(DATA, "none.csv")
    call("predict", artifact, users).refuses(USAGE, "--out")
    changed = artifact / "state.json"
    changed.write_bytes(changed.read_bytes() + b" ")
    call("predict", artifact, users, "--out", out).refuses(INTEGRITY, "state.json", "changed")
    assert not out.exists()
    assert sorted(path.name for path in markets.folder.iterdir()) == ["jp", "runs", "us"]


def test_predict_refuses_rows_that_share_no_column(
    call: Call, markets: Markets, inputs: Path
) -> None:
    assert call(*markets.classify()).code == 0
    out = markets.folder / "answers.csv"
    call("predict", markets.out / "artifact", inputs / "weather.csv", "--out", out).refuses(
        DATA, "amount, browser", "rain, sun"
    )
    assert not out.exists()


def test_report_refuses_a_folder_without_a_run(call: Call, tmp_path: Path) -> None:
    call("report", tmp_path).refuses(USAGE, "run.json", "an empty folder", "run that first")
    call("report", tmp_path / "nowhere").refuses(USAGE, "no such folder")
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    call("report", tmp_path).refuses(INTEGRITY, "not JSON")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_check_and_gap_refuse_as_adapt_does(call: Call, markets: Markets) -> None:
    absent = markets.folder / "nowhere"
    call("check", absent, "--json").refuses(DATA, "nowhere")
    markets.recommend()
    us = markets.folder / "us"
    call("gap", "--source", us, "--target", absent, "--json").refuses(DATA, "nowhere")
    call("gap", "--source", us, "--target", us, "--json").refuses(USAGE, "us' as both")
    call("gap", "--source", us).refuses(USAGE, "--target")
    call("nonsense").refuses(USAGE, "nonsense", "--help")


def test_a_bare_call_shows_the_help_and_is_no_success(call: Call) -> None:
    answer = call()
    assert answer.code == USAGE
    assert re.search(r"adapt\b.*predict\b", answer.out, re.DOTALL)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_files_of_somebody_else_are_not_replaced(call: Call, markets: Markets) -> None:
    markets.out.mkdir(parents=True)
    page = markets.out / "report.html"
    page.write_text("mine", encoding="utf-8")
    call(*markets.classify()).refuses(
        USAGE, "report.html there and no artifact beside", "--out"
    )
    assert page.read_text(encoding="utf-8") == "mine"


def test_answers_never_replace_their_input(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "users.csv"
    table.write_text("user_id\na\n", encoding="utf-8")
    call("predict", str(tmp_path), str(table), "--out", str(table)).refuses(
        USAGE, "Expected another file for the answers", "would be lost"
    )
    assert table.read_text(encoding="utf-8") == "user_id\na\n"
