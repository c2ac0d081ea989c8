"""The page on scikit-learn: its example prints what it says, and every estimator is named."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

import acclimate.estimators

PAGE = Path(__file__).parent.parent / "docs" / "estimators.md"


def test_the_example_prints_what_the_page_says() -> None:
    ((code, said),) = re.findall(
        r"```python\n(.+?)```\n```text\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(PAGE), "exec"), {})
    ours, theirs = (
        [line.split() for line in text.splitlines()] for text in (printed.getvalue(), said)
    )
    assert [kind for kind, _ in ours] == [kind for kind, _ in theirs]
    # A row of 260 is 0.004.
    numbers, wanted = ([float(each) for _, each in lines] for lines in (ours, theirs))
    assert numbers == pytest.approx(wanted, abs=0.01)


def test_every_estimator_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert [name for name in acclimate.estimators.__all__ if f"`{name}`" not in text] == []
