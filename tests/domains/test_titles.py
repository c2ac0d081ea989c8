"""What is read off titles."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.domains.titles import (
    is_code,
    is_number,
    is_variant,
    joined,
    read_titles,
    words_of,
)


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Kühlschrank WEISS", ["kuhlschrank", "weiss"]),
        ('Sony 43" TV', ["sony", "43in", "tv"]),
        ("Fernseher 43 Zoll", ["fernseher", "43in"]),
        ("5,5 inch", ["5.5in"]),
        ("苹果手机64GB", ["苹果", "果手", "手机", "64gb"]),
        ("ドラム式 ＮＡ－ＬＸ１２９", ["ドラ", "ラム", "ム式", "na", "lx129"]),
        ("", []),
        ("!?", []),
    ],
)
def test_titles_of_any_script_become_words(title: str, words: list[str]) -> None:
    assert words_of(title) == words


def test_codes_are_told_from_quantities_numbers_and_words() -> None:
    assert [t for t in ("smv46mx01e", "64gb", "8", "1400rpm", "bosch", "s9") if is_code(t)] == [
        "smv46mx01e"
    ]
    assert all(map(is_number, ("8", "5.5", "s9", "iii")))
    assert not any(map(is_number, ("64gb", "plus", "smv46mx01e")))
    assert is_variant("plus") and is_variant("x") and not is_variant("a")


def test_a_code_in_pieces_is_joined_where_it_is_written_in_one_elsewhere() -> None:
    assert joined([["hotpoint", "mwh", "2421", "ms"], ["mwh2421ms", "64", "gb"]]) == [
        ["hotpoint", "mwh2421ms"],
        ["mwh2421ms", "64gb"],
    ]
    assert joined([["2", "in", "1"]]) == [["2", "in", "1"]]


def test_a_number_before_a_quantity_stays_a_number_of_its_own() -> None:
    for title in ("iphone 8 64gb", "iphone 8 64 gb"):
        assert joined([words_of(title)]) == [["iphone", "8", "64gb"]]


def test_a_rare_word_weighs_more_and_equal_quantities_are_one_token() -> None:
    left, right, vocabulary = read_titles(["tv 16 litre", "tv x1234"], ["tv 16.0l", "tv 12l"])
    rarity = dict(zip(vocabulary.tokens, vocabulary.rarity, strict=True))
    assert rarity["x1234"] > rarity["16l"] > rarity["tv"]
    shared = (left.present @ right.present.T).toarray()
    np.testing.assert_array_equal(shared, [[2, 1], [1, 1]])


def test_a_code_that_begins_another_is_known() -> None:
    *_, vocabulary = read_titles(["wmaqf721p"], ["wmaqf721puk"])
    assert vocabulary.begins.toarray().tolist() == [[0, 1], [1, 0]]
