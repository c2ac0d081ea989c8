"""A refusal names the nearest known name, and no more names than can be read."""

from __future__ import annotations

import pytest

from acclimate.nearest import among, did_you_mean, expected, nearest, some

KINDS = ("target-only", "coral", "fine-tune", "item-prior", "pooled", "msda", "dann", "maml")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("corall", "coral"),
        ("CORAL", "coral"),
        ("finetune", "fine-tune"),
        ("item_prior", "item-prior"),
        ("prior", "item-prior"),
        ("xyz", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_the_one_spelled_alike(written: str, meant: str | None) -> None:
    assert nearest(written, KINDS) == meant


def test_the_first_of_two_that_are_spelled_alike_is_named() -> None:
    assert nearest("a_b", ["A-b", "a b"]) == "A-b"


def test_a_list_is_cut_where_more_than_one_name_would_be_left_out() -> None:
    assert some("abcdefg") == "a, b, c, d, e, f, g"
    assert some("abcdefgh") == "a, b, c, d, e, f and 2 more"
    assert some([]) == ""


def test_all_names_are_listed_where_none_is_near() -> None:
    assert among(KINDS, "xyz") == ", ".join(KINDS)
    assert (
        among(KINDS, "corall")
        == "target-only, coral, fine-tune, item-prior, pooled, msda and 2 more"
    )


def test_a_refusal_says_what_is_known_what_came_and_what_is_near() -> None:
    assert did_you_mean(["corall", "zzz", "damn"], KINDS) == " Did you mean 'coral' and 'dann'?"
    assert expected("a way", KINDS[:2], "corall") == (
        "Expected a way among target-only, coral; found 'corall'. Did you mean 'coral'?"
    )
    assert expected("a way", KINDS[:2], []) == (
        "Expected a way among target-only, coral; found none."
    )
