"""A column that tells the label by itself is found, and an honest one is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from acclimate.domains import leaks as module
from acclimate.domains.leaks import Leak, leaks
from acclimate.domains.schema import ColumnType
from acclimate.rng import Rng

N = 400
GENERATOR = np.random.default_rng(0)
YES = GENERATOR.random(N) < 0.3
NOISE = GENERATOR.normal(size=N)
THREE = GENERATOR.integers(0, 3, N)


def found(
    values: Sequence[object] | np.ndarray[tuple[int], np.dtype[np.generic]],
    kind: ColumnType,
    label: Sequence[object] | np.ndarray[tuple[int], np.dtype[np.generic]] = YES,
) -> list[Leak]:
    frame = pl.DataFrame(
        {"label": pl.Series(label).cast(pl.Int64).cast(pl.String), "x": pl.Series(values)}
    )
    return leaks(frame, {"x": kind}, Rng.of(0))


def test_a_number_that_sorts_the_classes_leaks() -> None:
    for sign in (1.0, -1.0):
        (leak,) = found(sign * (NOISE + 20.0 * YES), ColumnType.NUMERIC)
        assert (leak.by, leak.score, leak.value) == ("values", "AUC", 1.0)
        assert found(sign * (NOISE + 4.2 * YES), ColumnType.NUMERIC)  # a few overlap
    assert '"ignored"' in leak.sentence and "AUC 1.000" in leak.sentence


def test_a_number_whose_values_are_codes_leaks() -> None:
    values = np.where(YES, 5.0, GENERATOR.choice([0.0, 10.0], N))
    assert found(values, ColumnType.NUMERIC)
    assert found(values + GENERATOR.random(N), ColumnType.NUMERIC)


def test_a_strong_column_is_no_leak() -> None:
    assert not found(NOISE + 3.0 * YES, ColumnType.NUMERIC)  # AUC 0.98
    assert not found(NOISE, ColumnType.NUMERIC)


def test_a_category_leaks_by_what_its_values_say_on_other_rows() -> None:
    values = [f"shop {i % 10 + 10 * int(yes)}" for i, yes in enumerate(YES)]
    assert found(values, ColumnType.CATEGORY)
    blurred = [v if i % 3 else "shop 0" for i, v in enumerate(values)]
    assert not found(blurred, ColumnType.CATEGORY)


def test_a_category_that_differs_in_every_row_is_no_leak() -> None:
    assert not found([f"c{i}" for i in range(N)], ColumnType.CATEGORY)


def test_gaps_leak_where_only_one_class_has_them() -> None:
    values = [None if yes else float(x) for x, yes in zip(NOISE, YES, strict=True)]
    (leak,) = found(values, ColumnType.NUMERIC)
    assert leak.by == "gaps"
    assert "Whether 'x' is there gives the label away" in leak.sentence
    some = [None if x > 0 else float(x) for x in NOISE]
    assert not found(some, ColumnType.NUMERIC)


def test_times_leak_by_their_order() -> None:
    days = pl.Series(np.arange(N) + 10_000 * YES).cast(pl.Int64) * 86_400_000_000
    (leak,) = found(days.cast(pl.Datetime("us")), ColumnType.TIME)  # type: ignore[arg-type]
    assert leak.by == "values"


def test_ids_in_the_order_of_the_label_are_told_as_such() -> None:
    order = np.argsort(YES, kind="stable").argsort()
    (leak,) = found([str(i) for i in order], ColumnType.ID)
    assert leak.by == "order" and "in the order of the label" in leak.sentence
    (words,) = found([f"a{i:04d}" for i in order], ColumnType.ID)
    assert words.by == "order"
    assert not found([str(i) for i in range(N)], ColumnType.ID)


def test_of_three_classes_accuracy_is_asked() -> None:
    (leak,) = found(THREE + 0.1 * GENERATOR.random(N), ColumnType.NUMERIC, THREE)
    assert leak.score == "accuracy" and leak.value >= 0.995
    (words,) = found([f"w{t}{i % 3}" for i, t in enumerate(THREE)], ColumnType.CATEGORY, THREE)
    assert words.score == "accuracy"
    assert not found(NOISE, ColumnType.NUMERIC, THREE)


def test_guessing_the_one_frequent_class_is_no_leak() -> None:
    label = np.zeros(10_000)
    label[:8], label[8:16] = 1, 2
    values = np.random.default_rng(1).normal(size=10_000)
    assert not found(values, ColumnType.NUMERIC, label)


@pytest.mark.parametrize("kind", [ColumnType.NUMERIC, ColumnType.CATEGORY])
def test_few_rows_of_a_class_prove_nothing(kind: ColumnType) -> None:
    label = np.arange(200) < module.ENOUGH - 1
    values = label.astype(float)
    asked = values if kind == ColumnType.NUMERIC else [str(v) for v in values]
    assert not found(asked, kind, label)


def test_labels_of_one_class_or_of_many_are_not_asked() -> None:
    assert not found(NOISE, ColumnType.NUMERIC, np.zeros(N))
    assert not found(NOISE, ColumnType.NUMERIC, np.arange(N))


def test_long_tables_are_sampled_alike_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_MOST", 200)
    values = NOISE + 4.5 * YES
    once, again = (found(values, ColumnType.NUMERIC) for _ in range(2))
    assert once == again
