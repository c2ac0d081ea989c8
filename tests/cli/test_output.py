"""What a program reads: one JSON object, the keys of the design, and files in any format."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import acclimate as ac
from acclimate.domains.readers import read_table
from acclimate.verdicts.verdict import ANSWERS
from tests.cli.calls import LABEL, Answer, Call, Markets, events, rows

KEYS = {
    "task", "target", "sources", "verdict", "leaderboard", "gap", "refused", "artifact",
    "report", "seconds", "seed",
}  # fmt: skip
VERDICT = {
    "answer", "arm", "metric", "effect", "low", "high", "n", "probability", "looks", "against",
}  # fmt: skip
ROW = ["arm", "strategy", "model", "metric", "value", "low", "high", "n", "seconds", "status"]


def timeless(value: Any) -> Any:
    """The same without its seconds."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key != "seconds"}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def ran(call: Call, words: list[object]) -> dict[str, Any]:
    answer = call(*words)
    assert answer.code == 0, answer.err
    return answer.json


# ── the object ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("task", ["recommend", "classify"])
def test_adapt_prints_one_object_with_the_keys_of_the_design(
    call: Call, markets: Markets, task: str
) -> None:
    found = ran(call, getattr(markets, task)())
    assert set(found) >= KEYS
    assert set(found["verdict"]) >= VERDICT
    assert found["verdict"]["answer"] in ANSWERS
    for against in found["verdict"]["against"]:
        assert set(against) == {"baseline", "effect", "low", "high"}
    assert found["leaderboard"] and found["gap"] and found["refused"]
    for row in found["leaderboard"]:
        assert list(row) == ROW
        assert row["arm"] == f"{row['strategy']}/{row['model']}"
        assert row["low"] <= row["value"] <= row["high"]
    for refusal in found["refused"]:
        assert list(refusal) == ["strategy", "model", "why"]
    assert (found["task"], found["seed"]) == (task, 0)
    assert 0 < found["seconds"] < 60
    assert Path(found["artifact"], "manifest.json").is_file()
    assert Path(found["report"]).read_text(encoding="utf-8").startswith("<!")
    assert json.loads((markets.out / "run.json").read_text(encoding="utf-8")) == found


def test_the_leaderboard_is_sorted_best_first_in_the_direction_of_the_metric(
    call: Call, markets: Markets
) -> None:
    higher = [row["value"] for row in ran(call, markets.recommend())["leaderboard"]]
    elsewhere = ("--out", markets.folder / "runs" / "other")
    rows = ran(call, [*markets.classify(), *elsewhere])["leaderboard"]
    lower = [row["value"] for row in rows]
    assert higher == sorted(higher, reverse=True)
    assert lower == sorted(lower)


def test_check_and_gap_print_one_object(call: Call, markets: Markets) -> None:
    markets.recommend()
    us, jp = markets.folder / "us", markets.folder / "jp"
    (checked,) = ran(call, ["check", us, "--json"])["markets"]
    assert checked["name"] == "us"
    assert checked["tables"]["events"]["roles"]["item"] == "item_id"
    assert checked["tables"]["events"]["rows"] == 280
    gap = ran(call, ["gap", "--source", us, "--target", jp, "--json"])["gap"]
    assert {row["measure"] for row in gap} >= {"users-overlap", "items-overlap"}
    assert all(row["source"] == "us" and row["sentence"] for row in gap)
    markets.classify()
    web, shop = markets.folder / "web", markets.folder / "shop"
    answer = ran(call, ["gap", "--source", web, "--target", shop, *LABEL, "--json"])
    assert {row["measure"] for row in answer["gap"]} >= {"mmd2", "a-distance"}


def test_without_json_a_person_reads_the_same_on_stdout(call: Call, markets: Markets) -> None:
    words = [word for word in markets.recommend() if word != "--json"]
    answer = call(*words)
    assert answer.code == 0
    assert "verdict: " in answer.out and "ships: " in answer.out
    assert not answer.out.startswith("{") and answer.err == ""


def test_a_rerun_with_the_same_seed_says_the_same_and_is_no_second_look(
    call: Call, markets: Markets
) -> None:
    words = markets.classify()
    first, second = (timeless(ran(call, words)) for _ in range(2))
    assert first == second
    assert first["verdict"]["looks"] == 1


def test_another_seed_is_another_look_at_the_same_judge(call: Call, markets: Markets) -> None:
    words = [*markets.recommend(), "--split", "last"]
    looks = [ran(call, [*words, "--seed", s])["verdict"] for s in (0, 1, 0)]
    assert [verdict["looks"] for verdict in looks] == [1, 2, 1]
    assert [verdict["level"] for verdict in looks] == [0.05, 0.025, 0.05]


def test_a_strategy_that_does_not_apply_is_no_second_look(call: Call, markets: Markets) -> None:
    words = markets.classify()
    tried = ("item-prior", "maml", "source-prior", "maml")
    looks = [ran(call, [*words, "--strategy", each])["verdict"]["looks"] for each in tried]
    assert looks == [1, 1, 2, 1]


def test_require_adopt_exits_4_and_writes_everything_all_the_same(
    call: Call, markets: Markets
) -> None:
    answer = call(*markets.recommend(), "--require-adopt")
    assert answer.json["verdict"]["answer"] != "adopt"
    assert answer.code == 4
    assert (
        answer.err.rstrip()
        .splitlines()[-1]
        .startswith(
            f"error: Expected the verdict adopt; found {answer.json['verdict']['answer']}."
        )
    )
    assert "Traceback" not in answer.err
    names = {path.name for path in markets.out.iterdir()}
    assert names == {"artifact", "report.html", "run.json"}


def test_a_strategy_that_was_not_named_is_not_tried(call: Call, markets: Markets) -> None:
    found = ran(call, [*markets.classify(), "--strategy", "pooled"])
    tried = {row["strategy"] for row in found["leaderboard"]}
    assert tried == {"target-only", "source-only", "pooled"}


def test_best_guess_ships_transfer_without_a_clear_answer(call: Call, markets: Markets) -> None:
    words = markets.recommend(markets.write("few", events(1, users=5)))
    assert ran(call, words)["shipped"]["arm"].startswith("target-only/")
    found = ran(call, [*words, "--when-unsure", "best-guess"])
    assert found["verdict"]["answer"] == "not-enough-data"
    assert found["shipped"]["arm"] == found["verdict"]["arm"]


# ── recipes ─────────────────────────────────────────────────────────────────


def test_a_recipe_finds_its_markets_beside_itself(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    markets.recommend()
    table = pl.concat(
        [events(s).with_columns(country=pl.lit(name)) for s, name in ((3, "fr"), (4, "es"))]
    )
    markets.write("eu", table)
    recipe = markets.folder / "recipes" / "jp.toml"
    recipe.parent.mkdir()
    recipe.write_text(
        'sources = ["../us", "../eu/events.csv::country=fr"]\ntarget = "../jp"\n'
        'out = "here"\nseed = 3\n[task]\nk = 4\n[plan]\nstrategies = ["pooled"]\n',
        encoding="utf-8",
    )
    elsewhere = markets.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = ran(call, ["adapt", recipe, "--json"])
    assert (found["target"], found["sources"]) == ("jp", ["us", "fr"])
    assert (found["seed"], found["verdict"]["metric"]) == (3, "ndcg@4")
    assert (recipe.parent / "here" / "report.html").is_file()
    assert not list(elsewhere.iterdir())


def test_the_command_line_beats_the_recipe(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    markets.recommend()
    recipe = markets.folder / "jp.toml"
    recipe.write_text(
        'sources = ["us"]\ntarget = "jp"\nout = "unused"\nseed = 3\n[task]\nk = 4\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(markets.folder)
    words = ["adapt", recipe, "--json", "--seed", "0", "--k", "2", "--out", "mine"]
    found = ran(call, words)
    assert (found["seed"], found["verdict"]["metric"]) == (0, "ndcg@2")
    assert Path("mine", "artifact").is_dir()
    assert not Path("unused").exists()


def test_without_out_a_run_is_named_after_its_target(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(markets.folder)
    both = pl.concat(
        [events(s).with_columns(country=pl.lit(name)) for s, name in ((3, "fr"), (4, "es"))]
    )
    markets.write("eu", both)
    spec = "eu/events.csv::country="
    ran(call, ["adapt", "--json", "--source", f"{spec}fr", "--target", f"{spec}es"])
    assert [path.name for path in Path("runs").iterdir()] == ["events-csv-country-es"]


# ── predictions ─────────────────────────────────────────────────────────────

FORMATS = ["csv", "parquet", "jsonl", "csv.gz"]


def written(table: pl.DataFrame, path: Path) -> Path:
    """A table in the format its name says, by means that are not acclimate's."""
    kind = path.name.split(".", 1)[1]
    if kind == "parquet":
        table.write_parquet(path)
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(table.write_csv().encode()))
    else:
        path.write_text(
            table.write_csv() if kind == "csv" else table.write_ndjson(), encoding="utf-8"
        )
    return path


def predicted(call: Call, markets: Markets, table: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The same table in and out in one format, through the command."""
    asked = written(table, markets.folder / f"in.{kind}")
    out = markets.folder / "out" / f"answers.{kind}"
    answer: Answer = call("predict", markets.out / "artifact", asked, "--out", out, "--k", "3")
    assert (answer.code, answer.out) == (0, "")
    found = read_table(out)
    assert f"{found.height} rows written to" in answer.err
    return found


def test_adapt_then_predict_for_users_and_pairs_in_every_format(
    call: Call, markets: Markets
) -> None:
    ran(call, markets.recommend())
    users = pl.DataFrame({"user_id": ["u0", "u1", "stranger"]})
    pairs = pl.DataFrame({"user_id": ["u0", "u0", "u1"], "item_id": ["i0", "i1", "other"]})
    for kind in FORMATS:
        best = predicted(call, markets, users, kind)
        assert best.columns == ["user_id", "item_id", "score", "rank", "note"]
        answered = best.select("user_id").unique(maintain_order=True)
        assert answered.equals(users)
        assert best.filter(pl.col("user_id") == "stranger").height == 3
        scored = predicted(call, markets, pairs, kind)
        assert scored.columns == ["user_id", "item_id", "score", "note"]
        assert scored.select("user_id", "item_id").equals(pairs)
        assert "unknown item" in scored["note"][2]


def test_adapt_then_predict_for_rows_in_every_format(call: Call, markets: Markets) -> None:
    ran(call, markets.classify())
    asked = rows(5, 20).drop("fraud")
    for kind in FORMATS:
        found = predicted(call, markets, asked, kind)
        assert found.columns == [*asked.columns, "prediction", "p_no", "p_yes", "note"]
        p = found.select(pl.col("p_no", "p_yes").cast(pl.Float64))
        assert (p.sum_horizontal() - 1).abs().max() < 1e-9  # type: ignore[operator]
        said = pl.select(pl.when(p["p_yes"] > 0.5).then(pl.lit("yes")).otherwise(pl.lit("no")))
        assert found["prediction"].to_list() == said.to_series().to_list()


def test_report_draws_the_page_again(call: Call, markets: Markets) -> None:
    found = ran(call, markets.recommend())
    page = markets.out / "report.html"
    before = page.read_bytes()
    page.unlink()
    answer = call("report", markets.out)
    assert (answer.code, answer.out) == (0, f"{found['sentence']}\n{page}\n")
    assert page.read_bytes() == before


# ── Python ──────────────────────────────────────────────────────────────────


def test_three_lines_of_python_adapt_and_show_themselves(markets: Markets) -> None:
    us, jp = markets.write("us", events(2)), markets.write("jp", events(1))
    result = ac.adapt(task=ac.Recommend(k=10), sources=[us], target=jp)
    assert result.verdict.answer in ANSWERS
    assert isinstance(result.leaderboard, pl.DataFrame)
    assert result.leaderboard.columns == ROW
    assert isinstance(result.gap, pl.DataFrame)
    assert result.artifact is None and result.report is None
    assert not markets.out.parent.exists()
    domain = ac.open_market(jp)
    for shown in (result, result.verdict, domain, result.leaderboard):
        html = shown._repr_html_()
        assert html.count("<table") == html.count("</table>") > 0
    assert result.verdict._repr_html_() in result._repr_html_()
    assert str(result) == result.verdict.sentence


def test_names_from_outside_are_never_markup(markets: Markets) -> None:
    evil = '<script>alert("x")</script>'
    table = rows(1).with_columns(pl.lit(evil).alias(evil[:8]))
    market = markets.write("jp", table)
    (market / "market.toml").write_text(f"name = '{evil}'\n", encoding="utf-8")
    source = markets.write("us", rows(2))
    result = ac.adapt(ac.Classify("fraud"), [source], market, out=markets.out)
    for shown in (result, result.verdict):
        assert "<script>" not in shown._repr_html_()
    assert result.report is not None
    assert "<script>" not in result.report.read_text(encoding="utf-8")
