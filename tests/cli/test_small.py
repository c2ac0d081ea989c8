"""Poor targets and sources end in a verdict: too small to judge is an answer, no error."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.models.trees import Trees
from acclimate.plans import tune
from acclimate.plurals import one_of
from acclimate.strategies import catalogue
from tests.cli.calls import Call, Markets, days, events, labels, rows
from tests.cli.conftest import keep_models
from tests.contract.cases import less

GRID = Trees.grid


@pytest.fixture
def trees(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """Boosted trees, too, a few: they have their own ways to fall over few rows."""
    keep_models(monkeypatch, "linear", "trees")
    monkeypatch.setattr(catalogue, "MODELS", tuple(map(less, catalogue.MODELS)))
    catalogue.models.cache_clear()
    monkeypatch.setattr(Trees, "grid", lambda self: GRID(self)[:2])
    monkeypatch.setattr(tune, "_fold_count", lambda problem: 2)


def verdict(call: Call, words: list[object]) -> dict[str, Any]:
    """The JSON of a run that ends well and writes what it names."""
    answer = call(*words)
    assert answer.code == 0, answer.err
    assert "Traceback" not in answer.err
    found = answer.json
    assert not found["failed"], found["failed"]
    return found


def wants_more(found: dict[str, Any], n: int) -> None:
    """Not enough data: what was judged, and how many are wanted."""
    assert found["verdict"]["answer"] == "not-enough-data"
    assert found["verdict"]["n"] == n
    assert found["verdict"]["units_wanted"] >= 30
    unit = found["verdict"]["unit"]
    unit = one_of(unit) if n == 1 else unit
    assert (
        f"{n} {unit} to judge on, at least {found['verdict']['units_wanted']} wanted"
        in (found["sentence"])
    )
    assert found["shipped"]["arm"].startswith("target-only/")


# ── rows ────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("trees")
@pytest.mark.parametrize(("n", "judged"), [(2, 1), (3, 1), (11, 3)])
def test_a_target_of_a_few_rows_is_told_how_many_are_wanted(
    call: Call, markets: Markets, n: int, judged: int
) -> None:
    few = rows(1, n).with_columns(labels(("yes", 1), ("no", n - 1)))
    wants_more(verdict(call, markets.classify(markets.write("few", few))), judged)


def test_two_rows_leave_nothing_to_choose_on_and_the_simplest_arm_is_judged(
    call: Call, markets: Markets
) -> None:
    two = rows(1, 2).with_columns(labels(("yes", 1), ("no", 1)))
    found = verdict(call, markets.classify(markets.write("two", two)))
    assert {row["value"] for row in found["leaderboard"]} == {None}
    assert {(row["n"], row["status"]) for row in found["leaderboard"]} == {(0, "done")}
    assert found["verdict"]["arm"] == "source-only/linear"


def test_one_customer_leaves_nobody_to_judge_on(call: Call, markets: Markets) -> None:
    market = markets.write("one", rows(1).with_columns(who=pl.lit("c1")))
    shops = markets.write("web", rows(2).with_columns(who=pl.lit("c2")))
    for folder in (market, shops):
        (folder / "market.toml").write_text('[roles.rows]\nentity = "who"\n', encoding="utf-8")
    found = verdict(call, markets.classify(market, shops))
    wants_more(found, 0)
    assert found["verdict"]["unit"] == "entities"


@pytest.mark.usefixtures("trees")
def test_one_class_before_the_time_cut_still_ends_in_a_verdict(
    call: Call, markets: Markets
) -> None:
    some = labels(("no", 45), *[("yes", 1), ("no", 1)] * 7, ("no", 1))
    late = rows(1, 60).with_columns(some)
    market = markets.write("late", late.with_columns(days(60)))
    found = verdict(call, markets.classify(market))
    assert found["verdict"]["n"] == 18
    assert "classes in fit: no 100.0%, yes 0.0%" in " ".join(found["notes"])


@pytest.mark.parametrize("metric", ["log-loss", "pr-auc", "roc-auc", "accuracy"])
def test_one_class_to_judge_on_has_no_area_and_says_so(
    call: Call, markets: Markets, metric: str
) -> None:
    early = rows(1).with_columns(labels(*[("yes", 1), ("no", 1)] * 25, ("no", 30)))
    market = markets.write("early", early.with_columns(days(80)))
    found = verdict(call, [*markets.classify(market), "--metric", metric])
    for scores in found["judged"].values():
        assert {"log-loss", "accuracy", "calibration-error"} <= set(scores)
        assert not {"pr-auc", "roc-auc"} & set(scores)
    if metric.endswith("auc"):
        wants = (found["verdict"]["answer"], found["verdict"]["effect"])
        assert wants == ("not-enough-data", None)


@pytest.mark.usefixtures("trees")
def test_three_positives_in_three_hundred_end_in_a_verdict(
    call: Call, markets: Markets
) -> None:
    rare = rows(1, 300).with_columns(labels(("yes", 3), ("no", 297)))
    found = verdict(call, markets.classify(markets.write("rare", rare)))
    assert found["verdict"]["metric"] == "pr-auc"
    assert found["verdict"]["answer"] == "not-enough-data"
    assert found["verdict"]["n"] == 90


@pytest.mark.usefixtures("trees")
def test_a_source_of_one_row_is_a_source(call: Call, markets: Markets) -> None:
    found = verdict(call, markets.classify(source=markets.write("web", rows(2, 1))))
    assert {row["strategy"] for row in found["leaderboard"]} >= {"source-only", "pooled"}


@pytest.mark.usefixtures("trees")
def test_a_source_of_one_class_is_a_source(call: Call, markets: Markets) -> None:
    one = rows(2).with_columns(labels(("no", 80)))
    found = verdict(call, markets.classify(source=markets.write("web", one)))
    assert {row["strategy"] for row in found["leaderboard"]} >= {"source-only", "pooled"}


@pytest.mark.parametrize("how", ["later", "unlabelled"])
def test_a_source_with_nothing_to_teach_yet_is_left_out_with_a_note(
    call: Call, markets: Markets, how: str
) -> None:
    dated = rows(2).with_columns(days(80))
    if how == "later":
        dated = dated.with_columns(pl.col("time").str.replace("2024", "2025"))
    else:
        dated = dated.with_columns(fraud=pl.lit(None, dtype=pl.String))
    target = markets.write("shop", rows(1).with_columns(days(80)))
    found = verdict(call, markets.classify(target, markets.write("web", dated)))
    assert any("web is left out: no labelled rows" in note for note in found["notes"])
    assert found["verdict"]["answer"] == "keep-target-only"
    assert {row["why"] for row in found["refused"]} >= {"there is no source"}


@pytest.mark.usefixtures("trees")
@pytest.mark.parametrize("value", [None, 3.0, float("inf"), 1e300])
def test_a_column_without_a_use_is_no_harm(
    call: Call, markets: Markets, value: float | None
) -> None:
    odd = pl.lit(value, dtype=pl.Float64)
    target, source = (rows(seed).with_columns(odd=odd) for seed in (1, 2))
    source = source.with_columns(odd=pl.col("amount"))
    words = markets.classify(markets.write("shop", target), markets.write("web", source))
    assert verdict(call, words)["verdict"]["n"] == 24


def test_some_infinite_and_huge_numbers_are_no_harm(call: Call, markets: Markets) -> None:
    place = pl.int_range(pl.len()) % 10
    wild = pl.when(place == 0).then(float("inf")).when(place == 1).then(1e300)
    target = rows(1).with_columns(amount=wild.otherwise(pl.col("amount")))
    assert verdict(call, markets.classify(markets.write("wild", target)))["verdict"]["n"] == 24


def test_rows_that_repeat_are_kept_and_told(call: Call, markets: Markets) -> None:
    found = verdict(call, markets.classify(markets.write("same", pl.concat([rows(1, 10)] * 8))))
    assert found["verdict"]["n"] == 24
    findings = [f["message"] for f in found["markets"][0]["findings"]]
    assert any("repeat another row exactly" in message for message in findings)


@pytest.mark.usefixtures("trees")
def test_a_label_of_three_classes_is_judged_by_log_loss(call: Call, markets: Markets) -> None:
    generator = np.random.default_rng(0)
    target, source = (
        rows(seed).with_columns(fraud=pl.Series(generator.choice(list("abc"), 80)))
        for seed in (1, 2)
    )
    source = source.with_columns(fraud=pl.col("fraud").replace("c", "d"))
    words = markets.classify(markets.write("shop", target), markets.write("web", source))
    found = verdict(call, words)
    assert found["verdict"]["metric"] == "log-loss"
    assert "would have shown are left out: 'd'" in " ".join(found["notes"])


def test_names_in_any_script_and_with_spaces_come_through(call: Call, markets: Markets) -> None:
    names = {"amount": "Größe in €", "browser": "ブラウザ name", "fraud": "обман?"}
    spelt = pl.col("fraud").replace({"yes": "да", "no": "no thanks"})
    target, source = (rows(s).with_columns(spelt).rename(names) for s in (1, 2))
    shop = markets.write("日本 & co [bold]", target)
    web = markets.write("größter laden", source)
    found = verdict(call, [*markets.classify(shop, web)[:-1], "обман?"])
    assert (found["target"], found["sources"]) == ("日本 & co [bold]", ["größter laden"])
    out = markets.folder / "antwort ü.csv"
    answer = call("predict", markets.out / "artifact", shop / "rows.csv", "--out", out)
    assert answer.code == 0, answer.err
    assert pl.read_csv(out).columns[-4:] == ["prediction", "p_no thanks", "p_да", "note"]


# ── events ──────────────────────────────────────────────────────────────────


def test_five_users_are_told_how_many_are_wanted(call: Call, markets: Markets) -> None:
    wants_more(verdict(call, markets.recommend(markets.write("few", events(1, users=5)))), 5)


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("split", ["auto", "last"])
def test_users_of_one_event_each_leave_nobody_to_judge_on(
    call: Call, markets: Markets, timed: bool, split: str
) -> None:
    single = events(1, timed=timed)[:20].with_columns(
        user_id=pl.int_range(20).cast(pl.String) + "u"
    )
    words = [*markets.recommend(markets.write("new", single)), "--split", split]
    found = verdict(call, words)
    wants_more(found, 0)
    assert found["verdict"]["effect"] is None
    assert found["judged"] == {}


def test_nobody_to_judge_on_is_no_look(call: Call, markets: Markets) -> None:
    single = events(1)[:20].with_columns(user_id=pl.int_range(20).cast(pl.String) + "u")
    words = markets.recommend(markets.write("new", single))
    assert [verdict(call, [*words, "--seed", s])["verdict"]["looks"] for s in (0, 1)] == [1, 1]


@pytest.mark.parametrize("n", [1, 3])
def test_a_market_of_a_few_events_ends_in_a_verdict(
    call: Call, markets: Markets, n: int
) -> None:
    wants_more(verdict(call, markets.recommend(markets.write("new", events(1)[:n]))), 0)


def test_a_catalogue_of_one_item_ends_in_a_verdict(call: Call, markets: Markets) -> None:
    one = events(1).with_columns(item_id=pl.lit("i0"))
    wants_more(verdict(call, markets.recommend(markets.write("kiosk", one))), 0)


def test_a_source_of_one_event_is_a_source(call: Call, markets: Markets) -> None:
    found = verdict(call, markets.recommend(source=markets.write("us", events(2)[:1])))
    assert {row["strategy"] for row in found["leaderboard"]} >= {"source-only", "pooled"}


def test_a_source_of_later_events_is_left_out_with_a_note(call: Call, markets: Markets) -> None:
    later = events(2).with_columns(pl.col("time").str.replace("2024", "2025"))
    words = [*markets.recommend(source=markets.write("us", later)), "--split", "time"]
    found = verdict(call, words)
    assert any("us is left out: no events of it" in note for note in found["notes"])


def test_repeated_events_count_once(call: Call, markets: Markets) -> None:
    again = pl.concat([events(1)] * 3)
    once = verdict(call, markets.recommend())
    thrice = verdict(call, markets.recommend(markets.write("jp", again)))
    assert [row["value"] for row in once["leaderboard"]] == [
        row["value"] for row in thrice["leaderboard"]
    ]


def test_markets_without_a_common_item_say_why_source_only_fails(
    call: Call, markets: Markets
) -> None:
    other = events(2).with_columns(pl.col("item_id") + " ü", pl.col("user_id") + " 太郎")
    answer = call(*markets.recommend(source=markets.write("us", other)))
    assert answer.code == 0, answer.err
    found = answer.json
    assert set(found["failed"]) == {"source-only/popularity", "source-only/ease"}
    assert all("none on any of its 12 items" in why for why in found["failed"].values())
    alone = [row for row in found["leaderboard"] if row["strategy"] == "source-only"]
    assert {(row["status"], row["value"]) for row in alone} == {("failed", None)}
