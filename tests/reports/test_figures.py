from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.reports import figures, tables
from acclimate.reports.language import language
from acclimate.reports.svg import MARGIN, Scale, tag
from tests.reports.page import Node, parse
from tests.reports.sample import large, summary

BOARD = summary()["leaderboard"]
DONE = [row for row in BOARD if row["status"] == "done"]
VERDICT = summary()["verdict"]
GAP = summary()["gap"]


def drawn(svg: str | None) -> Node:
    assert svg is not None
    return parse(svg).one("svg")


def ends(whisker: Node) -> tuple[float, float]:
    line = whisker.one("line", "interval")
    return line.x("x1"), line.x("x2")


def linear(places: list[float], values: list[float]) -> tuple[float, float]:
    """Slope and offset of places over values; fails unless they lie on one line."""
    slope, offset = np.polyfit(values, places, 1)
    assert np.allclose(np.polyval([slope, offset], values), places, atol=0.002)
    assert slope > 0
    return float(slope), float(offset)


def marks(row: Node) -> float:
    dots = [*row.every("circle"), *row.every("rect", "mark")]
    assert len(dots) == 1
    return dots[0].x("cx" if dots[0].name == "circle" else "x")


def test_leaderboard_places_every_value_and_interval_end_on_one_line() -> None:
    svg = drawn(figures.leaderboard(BOARD, "item-prior/ease"))
    places: list[float] = []
    values: list[float] = []
    for node, row in zip(svg.every("g", "row"), DONE, strict=True):
        low, high = ends(node.one("g", "whisker"))
        places += [low, marks(node), high]
        values += [row["low"], row["value"], row["high"]]
    linear(places, values)


def test_leaderboard_ticks_stand_where_their_labels_say() -> None:
    svg = drawn(figures.leaderboard(BOARD, None))
    slope, offset = linear(
        [marks(node) for node in svg.every("g", "row")], [row["value"] for row in DONE]
    )
    ticks = list(svg.every("text", "tick"))
    assert len(ticks) >= 3
    for tick in ticks:
        assert tick.x("x") == pytest.approx(slope * float(tick.text) + offset, abs=0.005)
    assert [g.x("x1") for g in svg.every("line", "grid")] == [t.x("x") for t in ticks]


def test_leaderboard_marks_target_only_by_shape_and_the_best_of_it_by_a_line() -> None:
    svg = drawn(figures.leaderboard(BOARD, None))
    for node, row in zip(svg.every("g", "row"), DONE, strict=True):
        is_square = bool(list(node.every("rect", "mark")))
        assert is_square == (row["strategy"] == "target-only")
    first = next(svg.every("rect", "mark"))
    assert svg.one("line", "reference").x("x1") == first.x("x")


def test_leaderboard_names_the_chosen_arm_in_words() -> None:
    svg = drawn(figures.leaderboard(BOARD, "pooled/ease"))
    assert [t.text for t in svg.every("text", "strong")] == ["pooled/ease · chosen"]


def test_leaderboard_lists_unfinished_arms_below_with_their_status() -> None:
    svg = drawn(figures.leaderboard(BOARD, None))
    grey = [(t.text, float(t.attributes["y"])) for t in svg.every("text", "off")]
    assert [text for text, _ in grey] == [
        "fine-tune/two-tower",
        "abandoned",
        "source-only/als",
        "failed",
    ]
    lowest_mark = max(float(g.attributes["y2"]) for g in svg.every("line", "grid"))
    assert all(lowest_mark < y < float(svg.attributes["height"]) for _, y in grey)


def test_leaderboard_of_many_arms_keeps_the_best_the_chosen_and_the_best_alone() -> None:
    rows = large()["leaderboard"]
    rows[150] = {**rows[150], "arm": "target-only/ease", "strategy": "target-only"}
    svg = drawn(figures.leaderboard(rows, rows[180]["arm"]))
    labels = [node.text for node in svg.every("text", "label")]
    assert len(list(svg.every("g", "row"))) == figures.SHOWN_ARMS
    assert "target-only/ease" in labels
    assert rows[180]["arm"][:20] in " ".join(labels)
    assert rows[0]["arm"][:10] in labels[0]
    assert figures.left_out(rows) == 170


def test_leaderboard_without_an_interval_shows_the_value_alone() -> None:
    rows = [{**row, "low": None, "high": math.nan} for row in DONE]
    svg = drawn(figures.leaderboard(rows, None))
    assert not list(svg.every("g", "whisker"))
    linear([marks(n) for n in svg.every("g", "row")], [row["value"] for row in rows])


def test_no_arm_with_a_value_draws_no_leaderboard() -> None:
    assert figures.leaderboard([], None) is None
    assert figures.leaderboard([{**DONE[0], "value": None}], None) is None


def test_one_arm_alone_stands_in_the_middle() -> None:
    row = {**DONE[0], "value": 0.2, "low": None, "high": None}
    svg = drawn(figures.leaderboard([row], None))
    assert marks(svg.one("g", "row")) == pytest.approx(50)


def test_contrasts_draw_zero_and_delta_on_the_axis_of_the_effects() -> None:
    svg = drawn(figures.contrasts(VERDICT))
    rows = figures.compared(VERDICT)
    places: list[float] = []
    values: list[float] = []
    for node, row in zip(svg.every("g", "row"), rows, strict=True):
        low, high = ends(node.one("g", "whisker"))
        places += [low, marks(node), high]
        values += [row["low"], row["effect"], row["high"]]
    slope, offset = linear(places, values)
    assert svg.one("line", "zero").x("x1") == pytest.approx(offset, abs=0.005)
    assert svg.one("line", "delta").x("x1") == pytest.approx(
        slope * VERDICT["delta"] + offset, abs=0.005
    )


def test_contrasts_put_the_binding_baseline_first() -> None:
    labels = [t.text for t in drawn(figures.contrasts(VERDICT)).every("text", "label")]
    assert labels[::2] == [
        "against target-only/item-neighbours",
        "against source-only/ease",
        "against pooled/ease",
    ]
    assert labels[1::2] == ["+0.02135", "+0.0061", "-0.0083"]


def test_the_placebo_is_a_row_in_the_readers_language() -> None:
    row = {"baseline": "shuffled sources", "effect": 0.2, "low": 0.1, "high": 0.3}
    verdict, chinese = {**VERDICT, "against": [row]}, language("zh")
    labels = [t.text for t in drawn(figures.contrasts(verdict, chinese)).every("text", "label")]
    assert "对比 打乱的源市场" in labels
    table = tables.contrasts(verdict, chinese)
    assert table is not None
    assert table.rows[1].cells[:2] == ("打乱的源市场", "+0.2")


def test_contrasts_colour_only_what_is_settled() -> None:
    svg = drawn(figures.contrasts(VERDICT))
    classes = [node.attributes["class"].split()[-1] for node in svg.every("circle")]
    assert classes == ["better", "plain", "worse"]


def test_contrasts_without_delta_draw_zero_alone() -> None:
    svg = drawn(figures.contrasts({**VERDICT, "delta": 0.0}))
    assert not list(svg.every("line", "delta"))
    assert list(svg.every("line", "zero"))


def test_contrasts_without_any_effect_draw_nothing() -> None:
    assert figures.contrasts({**VERDICT, "effect": None, "against": []}) is None
    assert figures.contrasts({}) is None


def test_gap_rows_lie_on_the_axis_that_their_end_labels_name() -> None:
    svg = drawn(figures.gaps(GAP))
    for node, row in zip(svg.every("g", "row"), GAP, strict=True):
        left, right = list(node.every("text", "tick"))
        low, high = float(left.text), float(right.text)

        start, per_unit = left.x("x"), (right.x("x") - left.x("x")) / (high - low)
        place = {
            key: start + per_unit * (row[key] - low)
            for key in ("value", "low", "high", "null_low", "null_high")
            if row[key] is not None
        }
        assert marks(node) == pytest.approx(place["value"], abs=0.01)
        if row["low"] is not None:
            found = ends(node.one("g", "whisker"))
            expected = (place["low"], place["high"])
            assert found == pytest.approx(expected, abs=0.01)
        if row["null_low"] is not None:
            band = node.one("rect", "null")
            assert band.x("x") == pytest.approx(place["null_low"], abs=0.01)
            width = place["null_high"] - place["null_low"]
            assert band.x("width") == pytest.approx(width, abs=0.01)


def test_gap_says_in_words_whether_a_value_is_beyond_chance() -> None:
    svg = drawn(figures.gaps(GAP))
    said = [list(node.every("text", "label"))[1].text for node in svg.every("g", "row")]
    assert said[1] == "0.0004 · within chance"
    assert said[2] == "0.84 · beyond chance"
    assert said[3] == "0.0312"


def test_gap_shows_one_measure_on_one_axis_for_every_source() -> None:
    svg = drawn(figures.gaps(GAP))
    axes: dict[str, set[tuple[str, ...]]] = {}
    for node, row in zip(svg.every("g", "row"), GAP, strict=True):
        labels = tuple(tick.text for tick in node.every("text", "tick"))
        axes.setdefault(row["measure"], set()).add(labels)
    assert all(len(found) == 1 for found in axes.values())


def test_gap_groups_rows_under_their_source() -> None:
    mixed = [GAP[0], GAP[4], GAP[1], GAP[5]]
    svg = drawn(figures.gaps(mixed))
    order = [node.text for node in svg.every("text") if "tick" not in node.attributes["class"]]
    assert order.index("store-406") > order.index("store-367") + 4
    assert [t.text for t in svg.every("text", "heading")] == ["store-367", "store-406"]


def test_gap_without_values_draws_nothing() -> None:
    assert figures.gaps([]) is None
    assert figures.gaps([{**GAP[0], "value": None}]) is None


def test_gap_of_impossible_size_is_named_and_not_drawn() -> None:
    rows = [{**GAP[1], "value": 1.7e308}, {**GAP[1], "value": -1.7e308}]
    svg = drawn(figures.gaps(rows))
    assert "mmd2" in svg.text
    assert not list(svg.every("circle"))


@pytest.mark.parametrize("name", ["leaderboard", "contrasts", "gaps"])
def test_figure_has_a_name_and_a_description(name: str) -> None:
    svg = drawn(
        {
            "leaderboard": figures.leaderboard(BOARD, None),
            "contrasts": figures.contrasts(VERDICT),
            "gaps": figures.gaps(GAP),
        }[name]
    )
    assert svg.attributes["role"] == "img"
    named = svg.attributes["aria-labelledby"].split()
    assert named == [svg.one("title").attributes["id"], svg.one("desc").attributes["id"]]
    assert svg.one("title").text and svg.one("desc").text


finite = st.floats(-1e12, 1e12, allow_nan=False)


@given(st.lists(finite, min_size=1, max_size=6))
def test_scale_holds_every_value_between_its_margins(values: list[float]) -> None:
    scale = Scale.around(values)
    assert scale is not None and scale.low < scale.high
    for value in values:
        assert MARGIN - 1e-6 <= scale.x(value) <= 100 - MARGIN + 1e-6


@given(st.lists(finite, min_size=1, max_size=6))
def test_ticks_are_few_lie_on_the_axis_and_are_labelled_apart(values: list[float]) -> None:
    scale = Scale.around(values)
    assert scale is not None
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 7
    for value, label in ticks:
        assert MARGIN - 1e-3 <= scale.x(value) <= 100 - MARGIN + 1e-3
        assert "nan" not in label and "inf" not in label
    if scale.high - scale.low > 1e-6:
        assert len({label for _, label in ticks}) == len(ticks)


def test_scale_of_nothing_known_is_no_scale() -> None:
    assert Scale.around([None, None]) is None
    assert Scale.around([]) is None


def test_tag_escapes_text_and_attributes() -> None:
    assert tag("text", "<b>&", class_='"x') == '<text class="&#34;x">&lt;b&gt;&amp;</text>'
