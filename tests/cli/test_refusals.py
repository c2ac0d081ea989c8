"""A mistake in markets and options ends in one message, an exit code, and nothing written."""

from __future__ import annotations

import polars as pl
import pytest

from tests.cli.calls import LABEL, Call, Markets, events, labels, rows

USAGE, DATA, BUDGET = 2, 3, 6


# ── markets ───────────────────────────────────────────────────────────────


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
    markets.write("americas", events(2))
    call(*markets.recommend(source=markets.folder / "amricas")).refuses(
        DATA, "nothing there. Did you mean 'americas'? Check the spelling."
    )


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
    asked = markets.classify(markets.write("bad", numbers))
    call(*asked, "--task", "classify").refuses(
        DATA, "in 80 rows", "as of a number or an id", "--task regress", "--label"
    )


def test_a_source_of_classes_teaches_no_numbers(call: Call, markets: Markets) -> None:
    numbers = rows(1).with_columns(fraud=pl.col("amount"))
    answer = call(*markets.classify(markets.write("bad", numbers)))
    answer.refuses(DATA, "numbers in the label of 'web'", "such as 'yes'", "--task classify")
    assert "task: regress, as the label 'fraud' holds 79 different numbers" in answer.err


def test_a_misspelt_label_is_answered_with_the_columns(call: Call, markets: Markets) -> None:
    call(*markets.classify()[:-1], "frod").refuses(DATA, "'frod'", "amount, browser, fraud")
    assert markets.nothing_written()


def test_a_label_in_a_folder_without_rows_is_told_where_to_name_the_file(
    call: Call, markets: Markets
) -> None:
    people = rows(1).with_columns(user_id=pl.Series([f"u{i}" for i in range(80)]))
    market = markets.write("bad", people, "customers.csv")
    call(*markets.classify(market)).refuses(
        DATA, "rows with the label 'fraud', found users", '[files] rows = "FILE"', "itself"
    )
    (market / "market.toml").write_text('[files]\nrows = "customers.csv"\n', encoding="utf-8")
    assert call(*markets.classify(market)).code == 0


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


# ── options ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--task", "divine"), ("'divine'", "'recommend', 'classify'", "adapt --help")),
        (("--strategy", "prayer"), ("prayer", "target-only, source-only, pooled")),
        (("--budget", "0"), ("finite and above 0", "found 0")),
        (("--budget", "-5"), ("finite and above 0", "found -5")),
        (("--budget", "nan"), ("finite and above 0", "found nan")),
        (("--budget", "inf"), ("finite and above 0", "found inf")),
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


def test_a_model_of_another_task_is_refused_before_sources_are_read(
    call: Call, markets: Markets
) -> None:
    words = ["adapt", "--task", "recommend", "--target", markets.write("jp", events(1))]
    words += ["--source", markets.folder / "nowhere", "--model", "linear", "--json"]
    call(*words).refuses(USAGE, "Expected models that serve this task", "found 'linear'")


@pytest.mark.parametrize("budget", ["0", "-5", "nan", "inf"])
def test_a_budget_that_is_none_is_refused_before_anything_is_read(
    call: Call, markets: Markets, budget: str
) -> None:
    nowhere = markets.folder / "nowhere"
    words = ("adapt", "--target", nowhere, "--source", nowhere, "--budget", budget)
    call(*words).refuses(
        USAGE, "Expected a budget in seconds, finite and above 0", f"found {float(budget):g}."
    )


def test_a_refusal_is_json_for_who_asked_for_it(call: Call, markets: Markets) -> None:
    nowhere = markets.folder / "nowhere"
    answer = call("check", nowhere, "--json")
    answer.refuses(DATA, "nowhere")
    assert answer.json["error"]["kind"] == "DomainError"
    assert call("check", nowhere).out == ""
    unknown = call("check", nowhere, "--json", "--nonsense")
    unknown.refuses(USAGE, "--nonsense")
    assert unknown.json["exit"] == USAGE


def test_a_part_of_several_names_is_answered_with_all_of_them(
    call: Call, markets: Markets
) -> None:
    call(*markets.classify(), "--metric", "auc").refuses(
        USAGE, "found 'auc'. Did you mean 'pr-auc' or 'roc-auc'?"
    )


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


@pytest.mark.parametrize(
    ("words", "option", "found"),
    [
        (("recommend", "run", "--basket", "--why", "--k", "2"), "--basket", "--why"),
        (("recommend", "run", "--user", "--all-users"), "--user", "--all-users"),
        (("adapt", "--source", "--target", "jp.csv"), "--source", "--target"),
        (("adapt", "--launch", "--out", "run"), "--launch", "--out"),
    ],
)
def test_an_option_in_the_place_of_a_value_is_no_value(
    call: Call, words: tuple[str, ...], option: str, found: str
) -> None:
    said = f"Expected a value behind {option}; found the option {found}. See `acclimate"
    call(*words).refuses(2, said)


# ── names that are nearly right ───────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("--strategy", "corall"), "coral"),
        (("--model", "popularty"), "popularity"),
        (("--when-unsure", "bestguess"), "best-guess"),
        (("--split", "tme"), "time"),
        (("--lang", "zhh"), "zh"),
        ((*LABEL, "--metric", "rocauc"), "roc-auc"),
        ((*LABEL, "--also", "amout"), "amount"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_one_that_was_meant(
    call: Call, markets: Markets, words: tuple[str, ...], meant: str
) -> None:
    asked = markets.classify() if words[: len(LABEL)] == LABEL else markets.recommend()
    answer = call(*asked, *(word for word in words if word not in LABEL))
    assert answer.code in (USAGE, DATA)
    assert f"found {words[-1]!r}. Did you mean {meant!r}?" in answer.err or (
        f"Did you mean {meant!r}? Name others" in answer.err
    )


def test_a_task_that_is_none_is_answered_in_our_words_alone(
    call: Call, markets: Markets
) -> None:
    answer = call(*markets.recommend(), "--task", "foo")
    answer.refuses(USAGE, "Invalid value for '--task': 'foo' is not one of 'recommend', ")
    assert "Value error" not in answer.err
    call("adpat").refuses(USAGE, "Did you mean 'adapt'? See")


def test_an_option_at_the_end_lacks_its_value(call: Call, markets: Markets) -> None:
    call(*markets.recommend(), "--budget").refuses(
        USAGE, "Expected a value behind --budget; found none. See `acclimate adapt --help`."
    )
