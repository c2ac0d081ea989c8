"""Sentences count one thing in the singular."""

from __future__ import annotations

import pytest

from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_rows
from acclimate.plurals import number_of
from acclimate.reports.language import language
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify


@pytest.mark.parametrize(
    ("n", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234, "1,234 rows")]
)
def test_only_one_is_singular(n: int, said: str) -> None:
    assert number_of(n, "row") == said


def test_a_verb_goes_with_what_is_counted() -> None:
    assert number_of(1, "query has", "queries have") == "1 query has"
    assert number_of(3, "query has", "queries have") == "3 queries have"


def test_notes_of_a_market_with_one_row_to_judge_on_say_so_in_both_languages() -> None:
    target = make_rows(Rng.of(1), 4, name="target").domain
    posed = Classify().pose(target, [], Cut(judge=0.25, cross_below=20, by="random"), Rng.of(0))
    assert "1 row to judge on" in posed.notes
    assert language("zh").translated("1 row to judge on") == "可供评判：1 行"
