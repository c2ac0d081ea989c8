"""Which rows and classes of another label count when it is learned beside the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.sample import Rows
from acclimate.rng import Rng
from acclimate.strategies.multitask.lessons import classes_of, places
from acclimate.strategies.multitask.sharing import LabelSharing
from tests.strategies.nets import (
    MODEL,
    arange,
    changed,
    labelled,
    labels,
    rows_view,
    with_also,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)


def test_classes_are_the_values_that_two_rows_have_wherever_they_are() -> None:
    given = labelled()
    assert classes_of(given, "size") == ("l", "m", "s")
    assert classes_of(given, "gift") == ("0", "1")
    assert isinstance(given.fit, Rows) and isinstance(given.unlabelled, Rows)
    fit = with_also(given.fit, "size", ["once", "both", None] + ["x"] * 77)
    seen = with_also(given.unlabelled, "size", ["both"] + [None] * 89)
    other = replace(given, fit=fit, unlabelled=seen)
    assert classes_of(other, "size") == ("both", "l", "m", "s", "x")
    assert places(fit, "size", ("both", "x"))[:4].tolist() == [-1, 0, -1, 1]


def test_rows_whose_other_label_is_unknown_contribute_nothing() -> None:
    given = labelled()
    lessons = LabelSharing().lessons(given)
    assert isinstance(given.fit, Rows) and given.fit.also is not None
    known = [
        rows.also["gift"].is_not_null().sum()
        for rows in (given.fit, given.unlabelled, *(s.sample for s in given.sources))
        if isinstance(rows, Rows) and rows.also is not None
    ]
    assert [lesson.view.n for lesson in lessons] == [580, 670, sum(known)]
    first = LabelSharing().adapt(given, MODEL, RNG)
    # A value that occurs once is as good as unknown.
    gift = given.fit.also["gift"].to_list()
    odd = with_also(given.fit, "gift", [v or f"odd {k}" for k, v in enumerate(gift)])
    assert not changed(first, LabelSharing().adapt(replace(given, fit=odd), MODEL, RNG))
    flipped = with_also(given.fit, "gift", [v and "01"[v == "0"] for v in gift])
    assert changed(first, LabelSharing().adapt(replace(given, fit=flipped), MODEL, RNG))


def test_other_labels_stay_with_their_rows() -> None:
    given = labelled()
    parts = [given.fit, given.unlabelled, *(source.sample for source in given.sources)]
    lessons = LabelSharing().lessons(given)
    for name, classes, lesson in zip(
        ("size", "gift"), (("l", "m", "s"), ("0", "1")), lessons[1:], strict=True
    ):
        rows = [r.under(name, classes) for r in parts if isinstance(r, Rows)]
        view = [rows_view(given.view(each)) for each in rows]
        label = lesson.view.label
        assert label is not None and label.tolist() == [k for v in view for k in labels(v)]
        assert np.array_equal(lesson.view.numeric, np.concatenate([v.numeric for v in view]))
        assert np.array_equal(lesson.view.codes, np.concatenate([v.codes for v in view]))


def test_row_weights_stay_with_the_rows_whose_other_label_is_known() -> None:
    given = labelled().weighed({"us": arange(300), "de": arange(200) + 1000})
    gift = LabelSharing().lessons(given)[2]
    samples = [source.sample for source in given.sources]
    known = [
        rows.also["gift"].is_not_null().to_numpy()
        for rows in (given.fit, given.unlabelled, *samples)
        if isinstance(rows, Rows) and rows.also is not None
    ]
    own = np.ones(known[0].sum() + known[1].sum())
    assert gift.weight is not None
    assert np.array_equal(
        gift.weight, np.r_[own, np.flatnonzero(known[2]), 1000 + np.flatnonzero(known[3])]
    )


def test_rows_of_weight_zero_give_no_class_and_no_row_of_another_label() -> None:
    given = labelled()
    us = given.sources[0].sample
    assert isinstance(us, Rows)
    only = with_also(us, "size", ["rare"] * 10 + ["l"] * 290)
    sources = [replace(given.sources[0], held=only), given.sources[1]]
    given = given.with_sources(sources)
    assert "rare" in classes_of(given, "size")
    silenced = given.weighed({"us": arange(300).clip(9, 10) - 9})
    assert "rare" not in classes_of(silenced, "size")
    assert len(LabelSharing().lessons(silenced)[1].view.numeric) == 670 - 10


def test_a_label_without_two_recurring_values_is_no_task() -> None:
    given = labelled()
    samples = (given.fit, given.unlabelled, *(s.sample for s in given.sources))
    same = [with_also(s, "gift", ["0"] * s.n) for s in samples if isinstance(s, Rows)]
    given = replace(given, fit=same[0], unlabelled=same[1]).with_sources(
        [replace(s, held=rows) for s, rows in zip(given.sources, same[2:], strict=True)]
    )
    assert [lesson.share for lesson in LabelSharing().lessons(given)] == [1.0, 670 / 580]
