from __future__ import annotations

import copy
import re
import shlex
from itertools import pairwise
from typing import Any

import pytest

from acclimate.reports.report import render
from tests.reports.page import Node, parse
from tests.reports.sample import large, summary

EVIL = "<script>alert('x')</script>\"'&{{ 7*7 }}"


def section(page: str, name: str) -> Node:
    tree = parse(page)
    found = [s for s in tree.every("section") if s.attributes["aria-labelledby"] == name]
    assert len(found) == 1
    return found[0]


def cells(table: Node) -> list[list[str]]:
    body = table.one("tbody")
    return [[cell.text for cell in row.children] for row in body.every("tr")]


def poisoned(value: Any) -> Any:
    """Every string, keys of users' data included, with markup in it."""
    if isinstance(value, dict):
        return {key: poisoned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


def test_page_is_well_formed() -> None:
    for made in (summary(), large(), {}):
        tree = parse(render(made))
        assert [node.name for node in tree.children] == ["html"]


def test_page_is_a_function_of_the_summary_alone() -> None:
    given = summary()
    kept = copy.deepcopy(given)
    assert render(given) == render(summary())
    assert given == kept


def test_page_asks_for_nothing_from_outside() -> None:
    page = render(summary())
    tree = parse(page)
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert "url(" not in page and "src=" not in page and "<script" not in page
    assert not [n for n in tree.nodes() if n.name in ("img", "iframe", "a", "object", "base")]
    linked = [n.attributes["href"] for n in tree.nodes() if "href" in n.attributes]
    assert linked == ["data:,"]
    policies = [
        n.attributes["content"]
        for n in tree.every("meta")
        if n.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1 and "default-src 'none'" in policies[0]


def test_strings_of_users_never_become_markup() -> None:
    made = poisoned(summary())
    made["verdict"]["answer"] = "adopt"
    made["settings"] = {EVIL: {EVIL: EVIL}}
    made["failed"] = {EVIL: EVIL}
    made["judged"] = {EVIL: {EVIL: 1.0}}
    made["samples"] = [{EVIL: EVIL}]
    made["markets"][0]["tables"] = {EVIL: made["markets"][0]["tables"]["events"]}
    made["markets"][0]["tables"][EVIL]["types"] = {EVIL: EVIL}
    page = render(made)
    clean = parse(render(summary()))
    tree = parse(page)
    assert "<script" not in page and "alert('x')" not in page
    assert {n.name for n in tree.nodes()} <= {n.name for n in clean.nodes()}
    assert all(not key.startswith("on") for n in tree.nodes() for key in n.attributes)
    assert tree.text.count("<script>alert('x')</script>") > 50
    assert "49" not in section(page, "settings").text


def test_page_of_an_ordinary_run_is_small() -> None:
    assert len(render(summary()).encode()) < 60_000


def test_page_of_a_huge_run_stays_under_two_megabytes() -> None:
    assert len(render(large(arms=200, gaps=50)).encode()) < 2_000_000


def test_headings_are_in_order_and_ids_unique() -> None:
    tree = parse(render(summary()))
    levels = [int(n.name[1]) for n in tree.nodes() if re.fullmatch("h[1-6]", n.name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = [n.attributes["id"] for n in tree.nodes() if "id" in n.attributes]
    assert len(ids) == len(set(ids))
    for node in tree.nodes():
        for named in node.attributes.get("aria-labelledby", "").split():
            assert named in ids


def test_every_table_scrolls_in_a_box_of_its_own_and_says_what_it_is() -> None:
    tree = parse(render(summary()))
    boxes = list(tree.every("div", "scroll"))
    assert len(boxes) == len(list(tree.every("table"))) > 8
    for box in boxes:
        assert box.attributes["tabindex"] == "0" and box.attributes["role"] == "region"
        assert box.one("caption").text == box.attributes["aria-label"]
        assert all(th.attributes["scope"] in ("col", "row") for th in box.every("th"))
        widths = {len(row.children) for row in box.every("tr")}
        assert len(widths) == 1


def test_reading_order_is_verdict_first_and_settings_last() -> None:
    tree = parse(render(summary()))
    order = [s.attributes["aria-labelledby"] for s in tree.every("section")]
    assert order == [
        "verdict",
        "compared",
        "ships",
        "board",
        "found",
        "judged",
        "gap",
        "plan",
        "refused",
        "unfinished",
        "markets",
        "splits",
        "samples",
        "settings",
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("adopt", "✓ Adopt"),
        ("keep-target-only", "■ Keep target-only"),
        ("not-enough-data", "? Not enough data"),
        ("provisional", "~ Provisional"),
        (None, "– No verdict"),
        ("<b>", "– No verdict"),
    ],
)
def test_badge_says_the_answer_in_words_and_sign(answer: str | None, words: str) -> None:
    made = summary()
    made["verdict"]["answer"] = answer
    verdict = section(render(made), "verdict")
    badge = verdict.one("span", "badge")
    sign = badge.one("span").text
    assert f"{sign} {' '.join(badge.own).strip()}" == words
    assert verdict.one("p", "sentence").text == made["sentence"]


def test_contrasts_table_tells_metric_units_level_and_look() -> None:
    table = section(render(summary()), "compared").one("table")
    assert table.one("caption").text == (
        "item-prior/ease on judge: ndcg@10, 1,412 users, 97.5 % intervals, look 2"
    )
    assert cells(table) == [
        ["target-only/item-neighbours", "+0.02135", "+0.01012 to +0.03299", "better"],
        ["source-only/ease", "+0.0061", "-0.0022 to +0.0144", "cannot be told apart"],
        ["pooled/ease", "-0.0083", "-0.0141 to -0.0025", "worse"],
    ]


def test_what_ships_can_be_pasted_into_a_shell() -> None:
    ships = section(render(summary()), "ships")
    command = ships.one("pre").text
    assert command == "acclimate predict 'runs/store 404/artifact' INPUT --out OUT"
    assert shlex.split(command)[2] == summary()["artifact"]
    assert "fitted again" in ships.text


@pytest.mark.parametrize(
    ("answer", "arm", "said"),
    [
        ("adopt", "item-prior/ease", "as the verdict is to adopt it"),
        ("not-enough-data", "item-prior/ease", "ships as the best guess, as was asked for"),
        ("keep-target-only", "target-only/item-neighbours", "learns from the target alone"),
    ],
)
def test_what_ships_says_why(answer: str, arm: str, said: str) -> None:
    made = summary()
    made["verdict"]["answer"] = answer
    made["shipped"] = {"arm": arm}
    text = section(render(made), "ships").text
    assert said in text
    assert "fitted again" not in text  # claimed only where the summary says so


@pytest.mark.parametrize("answer", ["provisional", "not-enough-data"])
def test_without_labels_nothing_is_claimed_of_what_ships(answer: str) -> None:
    made = summary()
    made["verdict"] |= {"answer": answer, "baseline": "source-only/ease"}
    made["shipped"] = {"arm": "source-only/ease", "refit": True}
    text = section(render(made), "ships").text
    assert "source-only/ease ships provisionally, until there are labels to judge on." in text
    assert "target alone" not in text and "judged on rows" not in text


def test_leaderboard_table_shows_four_places_and_dashes_for_the_unknown() -> None:
    rows = cells(section(render(summary()), "board").one("table"))
    assert rows[0] == [
        "item-prior/ease (chosen)",
        "ndcg@10",
        "0.1534",
        "0.1431 to 0.1642",
        "1,398",
        "41.27 s",
        "done",
    ]
    assert rows[6][2:] == ["–", "–", "0", "5 min 0 s", "abandoned"]


def test_judged_shows_every_metric_of_every_arm() -> None:
    table = section(render(summary()), "judged").one("table")
    heads = [th.text for th in table.one("thead").every("th")]
    assert heads == ["Arm", "ndcg@10", "recall@10", "coverage"]
    assert cells(table)[1] == ["target-only/item-neighbours", "0.1298", "0.1871", "–"]


def test_what_arms_found_out_is_told_by_arm() -> None:
    rows = cells(section(render(summary()), "found").one("table"))
    said = "store-367: weighted, its 2,000 rows are worth 812 equal ones"
    assert rows == [["density-ratio + pooled/linear", said]]
    assert 'id="found"' not in render(summary() | {"facts": {}})


def test_gap_is_told_in_sentences_figure_and_table() -> None:
    gap = section(render(summary()), "gap")
    assert next(gap.every("li")).text == "81% of the items are known"
    assert [n.text for n in gap.every("h3")] == ["store-367", "store-406"]
    assert len(list(gap.every("svg"))) == 1
    assert cells(gap.one("table"))[2] == [
        "store-367",
        "a-distance",
        "0.84",
        "0.71 to 0.97",
        "-0.12 to 0.13",
        "0.005",
        "2,000",
        "941",
    ]


def test_arms_that_cannot_be_told_from_the_best_are_marked_as_tied() -> None:
    made = summary() | {"tied": ["item-prior/ease", "pooled/ease"]}
    board = section(render(made), "board")
    names = [row[0] for row in cells(board.one("table"))]
    assert names[:3] == [
        "item-prior/ease (chosen) (tied)",
        "pooled/ease (tied)",
        "source-only/ease",
    ]
    labels = [t.text for t in board.one("svg").every("text", "label")]
    assert labels[:3:2] == ["item-prior/ease · chosen · tied", "pooled/ease · tied"]
    assert "Those tied are within one standard error of the best" in board.text
    assert "tied" not in section(render(summary()), "board").text


def test_refused_failed_and_abandoned_arms_are_told_with_why() -> None:
    page = render(summary())
    refused = [each.text for each in section(page, "refused").every("details")]
    assert refused[0] == "coral/ease source and target share no numeric columns 1 arm"
    unfinished = cells(section(page, "unfinished").one("table"))
    assert [row[:2] for row in unfinished] == [
        ["source-only/als", "failed"],
        ["fine-tune/two-tower", "abandoned"],
    ]
    assert unfinished[0][2] == summary()["failed"]["source-only/als"]


def test_markets_show_roles_types_and_findings() -> None:
    markets = section(render(summary()), "markets")
    assert next(markets.every("h3")).text == "store-404 (target)"
    events = cells(next(markets.every("table")))[0]
    assert events == [
        "events",
        "1,204,118",
        "user = household_id, item = product_id, time = timestamp",
        "numeric: sales_value, retail_disc; time: week",
        "transactions.csv::store_id=404",
    ]
    assert "size is empty in 33 % of the rows" in next(markets.every("li", "warning")).text


def test_samples_take_whatever_keys_they_have() -> None:
    made = summary()
    made["samples"] = [{"user": "7", "score": 0.123456}, {"item": None, "ok": True}] * 40
    table = section(render(made), "samples").one("table")
    assert [th.text for th in table.one("thead").every("th")] == ["user", "score", "item", "ok"]
    assert cells(table)[:2] == [["7", "0.1235", "–", "–"], ["–", "–", "–", "yes"]]
    assert len(cells(table)) == 50
    assert "30 more in run.json" in table.one("caption").text


def test_settings_keep_their_digits() -> None:
    rows = cells(section(render(summary()), "settings").one("table"))
    assert rows[0][1] == (
        "strategy.mu = 310.5; strategy.sources = store-367, store-406; "
        "model.regularisation = 200; model.positive = yes"
    )
    assert rows[1][1] == "none to choose"


def test_footer_tells_version_seed_and_time() -> None:
    footer = parse(render(summary())).one("footer").text
    assert "seed 20240131" in footer and "6 min 11 s" in footer
    assert re.search(r"acclimate \d+\.\d+", footer)


@pytest.mark.parametrize("key", sorted(summary()))
@pytest.mark.parametrize("how", ["missing", "none"])
def test_page_renders_without_any_one_key(key: str, how: str) -> None:
    made = summary()
    made[key] = None
    if how == "missing":
        del made[key]
    text = parse(render(made)).text
    assert "None" not in text and "undefined" not in text.lower()


@pytest.mark.parametrize("key", sorted(summary()["verdict"]))
def test_page_renders_without_any_one_number_of_the_verdict(key: str) -> None:
    made = summary()
    made["verdict"][key] = None
    tree = parse(render(made))
    assert "None" not in tree.text and "nan" not in tree.text.split()


def test_run_without_transfer_says_that_there_is_nothing_to_compare() -> None:
    made = summary()
    made["verdict"] |= {
        "answer": "keep-target-only",
        "arm": made["verdict"]["baseline"],
        "effect": None,
        "low": None,
        "high": None,
        "probability": None,
        "against": [],
    }
    made |= {"judged": {}, "gap": [], "refused": [], "failed": {}, "artifact": None}
    page = render(made)
    assert "nothing to compare" in section(page, "compared").text
    assert "No artifact was written" in section(page, "ships").text
    assert "No gap was measured" in section(page, "gap").text
    assert "Nothing was refused" in section(page, "refused").text
    assert "chosen" not in section(page, "board").text
    assert "Chance" not in section(page, "verdict").text


def test_nan_and_infinity_never_reach_the_page() -> None:
    made = summary()
    made["verdict"]["effect"] = made["leaderboard"][0]["value"] = float("nan")
    made["gap"][1]["null_low"] = made["judged"]["item-prior/ease"]["ndcg@10"] = float("inf")
    words = parse(render(made)).text.lower().replace(",", " ").split()
    assert not {"nan", "inf", "-inf", "infinity"} & set(words)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_keep_enough_contrast(theme: int) -> None:
    css = parse(render({})).one("head").one("style").text
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(blocks) == 3
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[theme]))

    def contrast(a: str, b: str) -> float:
        high, low = sorted((luminance(colours[a]), luminance(colours[b])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for ground in ("bg", "panel"):
        for ink in ("text", "muted", "bad"):
            assert contrast(ink, ground) >= 4.5
    for tone in ("good", "keep", "unsure", "provisional"):
        assert contrast("on", tone) >= 4.5
    for ink in ("mark", "alone", "good", "bad", "muted"):
        assert contrast(ink, "bg") >= 3
