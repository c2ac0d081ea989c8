"""What a learning curve says, in every case, in both languages; and its figure."""

from __future__ import annotations

import re
from typing import Any

import pytest

from acclimate.reports.curve import drawing, headline, table
from acclimate.reports.language import language

CHINESE = language("zh")


def found(**worth: tuple[float | None, float | None, float | None]) -> dict[str, Any]:
    """A curve of two arms on 10 to 80 rows."""
    points = [
        {"role": role, "labels": n, "value": v, "low": v - 0.1, "high": v + 0.1, "seconds": 0.2}
        for role, value in (("transfer", 0.6), ("target-only", 0.5))
        for n, v in ((10, value), (20, value + 0.1), (40, value + 0.2), (80, value + 0.25))
    ]
    read: dict[str, tuple[float | None, float | None, float | None]]
    read = {"parity": (40.0, 30.0, 60.0), "saving": (2.0, 1.3, 2.7)}
    read |= {"labels": (60.0, 20.0, 90.0), "stops": (300.0, 200.0, None)}
    read |= worth
    ahead = [{"role": "transfer", "labels": 160.0, "value": 0.9, "low": 0.8, "high": 0.95}]
    return {
        "metric": "pr-auc",
        "unit": "rows",
        "here": 80,
        "scored": 200,
        "where": "choose",
        "draws": 5,
        "points": points,
        "ahead": ahead,
        "arms": {"transfer": "pooled/linear", "target-only": "target-only/linear"},
        "worth": {
            key: dict(zip(("value", "low", "high"), each, strict=True))
            for key, each in read.items()
        },
        "training": {"transfer": 0.25, "target-only": 0.5},
    }


@pytest.mark.parametrize(
    ("worth", "said"),
    [
        ({}, "transfer is worth 60 more of the target (20 to 90)"),
        ({}, "with 40 rows: 2 × fewer (1.3 to 2.7), in 0.25 s of training against 0.5 s"),
        ({}, "stops paying, with a gain below δ, at about 300 rows (200 to no end)"),
        ({}, "Scored on 200 rows of choose, on 5 random draws of labels; judge was not"),
        ({}, "The arm was chosen there too"),
        (
            {"labels": (60.0, -5.0, None)},
            "not shown to be worth any more of the target (60, -5",
        ),
        ({"labels": (None, 10.0, None)}, "worth more than 100 times as many"),
        ({"parity": (10.0, 10.0, 20.0), "saving": (8.0, 4.0, 8.0)}, "at least 8 × fewer"),
        ({"parity": (None, 90.0, None), "saving": (0.0, 0.0, 1.0)}, "does not reach"),
        ({"parity": (160.0, 90.0, None), "saving": (0.5, 0.0, 1.0)}, "It needs 160 rows for"),
        ({"stops": (None, 500.0, None)}, "pays beyond 100 times the rows here (500 to no end)"),
        ({"stops": (10.0, 10.0, 30.0)}, "pays at no number of rows seen"),
    ],
)
def test_every_case_is_said_in_both_languages(worth: Any, said: str) -> None:
    curve = found(**worth)
    assert said in " ".join(headline(curve))
    chinese = " ".join(headline(curve, CHINESE))
    assert not re.search("[A-Za-z]{4,}", chinese), chinese


def test_too_few_sizes_changes_and_gaps_are_said() -> None:
    curve = found() | {"worth": None, "changed": True, "left_out": {"10": "too few"}}
    said = " ".join(headline(curve))
    assert "fewer than four numbers of rows" in said
    assert "The markets have changed since the run." in said
    assert "Some numbers of rows are left out" in said
    assert "chosen there" not in " ".join(headline(curve | {"where": "fit"}))


def test_the_figure_continues_the_curve_in_dashes_and_the_table_holds_every_point() -> None:
    curve = found()
    figure = drawing(curve)
    assert figure is not None
    assert figure.count('class="curve plain"') == 3
    assert figure.count('class="curve plain ahead"') == 1
    assert figure.count('class="curve alone"') == 3
    rows = table(curve).rows
    assert len(rows) == 9
    assert rows[4].cells == ("transfer", "160", "0.9", "0.8 to 0.95", "by the curve")
