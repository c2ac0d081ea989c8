"""Encoders take their statistics from the rows they were given and from nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from math import asinh, cos, pi, sin, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowEncoder, RowRecipe
from acclimate.domains.sample import Interactions, Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder, ItemRecipe, ItemView, RowView
from acclimate.errors import StrategyError
from acclimate.rng import Rng

NUMERIC, CATEGORY, TEXT, TIME = (
    ColumnType.NUMERIC, ColumnType.CATEGORY, ColumnType.TEXT, ColumnType.TIME,
)  # fmt: skip


def rows(time: list[float] | None = None, **columns: Any) -> Rows:
    """Rows of the named columns: x… numeric, c… category, t… text, d… time."""
    kinds = {"x": NUMERIC, "c": CATEGORY, "t": TEXT, "d": TIME}
    return Rows(
        columns=pl.DataFrame(
            {
                name: pl.Series(values, dtype=pl.Float64, strict=False)
                if name.startswith("x")
                else values
                for name, values in columns.items()
            }
        ),
        types={name: kinds[name[0]] for name in columns},
        classes=("no", "yes"),
        time=None if time is None else np.array(time),
    )


def fitted(sample: Rows, **settings: int) -> RowEncoder:
    return RowRecipe(**settings).fit([sample], [])


def made(seed: int, n: int = 30, shift: float = 0.0) -> Rows:
    """Numbers, categories, text and times of one source."""
    generator = np.random.default_rng(seed)
    x: list[float | None] = (generator.lognormal(shift, 1, n)).tolist()
    x[3] = None
    sample = rows(
        x=x,
        c=[f"c{k}" for k in generator.integers(0, 4, n) + int(10 * shift)],
        t=[f"word{k} more" for k in generator.integers(0, 5, n)],
        d=[datetime(2024, 1, 1 + int(k)) for k in generator.integers(0, 20, n)],
        time=(1.7e9 + 86_400 * generator.random(n)).tolist(),
    )
    return replace(sample, label=generator.integers(0, 2, n))


# ── whose statistics ────────────────────────────────────────────────────────


def problem(*sources: Rows) -> Problem:
    return Problem(
        target="jp",
        fit=made(0),
        sources=tuple(Source(f"s{k}", each) for k, each in enumerate(sources)),
        claim=Claim.NEW,
        recipe=RowRecipe(),
    )


def view(on: Statistics, *sources: Rows) -> RowView:
    encoded = problem(*sources).encoded(on)
    found = encoded.view(encoded.fit)
    assert isinstance(found, RowView)
    return found


def same(a: RowView, b: RowView) -> bool:
    assert a.sparse is not None and b.sparse is not None
    return (
        np.array_equal(a.numeric, b.numeric)
        and np.array_equal(a.codes, b.codes)
        and a.levels == b.levels
        and np.array_equal(a.sparse.indices, b.sparse.indices)
        and np.array_equal(a.sparse.data, b.sparse.data)
    )


def test_nothing_of_a_source_reaches_an_encoder_of_the_target() -> None:
    near, far = made(1), made(2, shift=1.0)
    assert same(view(Statistics.TARGET, near), view(Statistics.TARGET, far, near))
    assert not same(view(Statistics.BOTH, near), view(Statistics.BOTH, far))
    assert not same(view(Statistics.SOURCES, near), view(Statistics.SOURCES, far))
    assert not same(view(Statistics.TARGET, near), view(Statistics.BOTH, near))


def test_nothing_of_the_target_reaches_an_encoder_of_the_sources() -> None:
    other = replace(problem(made(1)), fit=made(3, shift=2.0))
    of = (problem(made(1)).encoded(Statistics.SOURCES), other.encoded(Statistics.SOURCES))
    assert of[0].encoder is not None and of[1].encoder is not None
    assert of[0].encoder.fingerprint == of[1].encoder.fingerprint


def test_encoding_reads_no_labels() -> None:
    sample = made(0)
    flipped = replace(sample, label=1 - np.asarray(sample.label))
    assert fitted(sample).fingerprint == fitted(flipped).fingerprint
    assert fitted(sample).fingerprint == fitted(sample.unlabelled()).fingerprint


def test_inner_folds_keep_the_encoder_of_their_arm(rng: Rng) -> None:
    encoded = problem(made(1)).encoded(Statistics.TARGET)
    for inner, held in encoded.inner(3, rng):
        assert inner.encoder is encoded.encoder
        assert inner.fit.n + held.query.n == encoded.fit.n


def test_a_problem_without_an_encoder_has_no_view() -> None:
    with pytest.raises(AssertionError, match="encoded"):
        problem(made(1)).view(made(0))


# ── numbers ─────────────────────────────────────────────────────────────────


def test_numbers_are_bent_by_asinh_and_standardised_as_by_hand() -> None:
    # Absolute values but 0 are 1, 2, 4: their median is 2.
    encoder = fitted(rows(x=[0.0, 1.0, -2.0, 4.0]))
    bent = [asinh(x / 2) for x in (0, 1, -2, 4)]
    mean = sum(bent) / 4
    deviation = sqrt(sum((b - mean) ** 2 for b in bent) / 4)
    assert encoder.scales["x"] == pytest.approx([2.0, mean, deviation, 0.0])
    numeric = encoder.encode(rows(x=[1.0, 100.0])).numeric
    by_hand = [[(asinh(0.5) - mean) / deviation], [(asinh(50) - mean) / deviation]]
    np.testing.assert_allclose(numeric, by_hand, rtol=1e-14)


def test_a_currency_drops_out_of_a_market_of_its_own() -> None:
    euros = np.random.default_rng(0).lognormal(3, 1, 50)
    in_euros, in_yen = (rows(x=list(euros * rate)) for rate in (1.0, 160.0))
    np.testing.assert_allclose(
        fitted(in_euros).encode(in_euros).numeric, fitted(in_yen).encode(in_yen).numeric
    )


def test_what_is_missing_is_the_mean_and_marked_where_it_was_ever_missing() -> None:
    encoder = fitted(rows(x=[1.0, 2.0, None], x2=[1.0, 2.0, 3.0]))
    assert encoder.numeric_names == ["x", "x missing", "x2"]
    numeric = encoder.encode(rows(x=[None, float("inf"), 1.0], x2=[None, 2.0, 3.0])).numeric
    assert numeric[:, 1].tolist() == [1.0, 1.0, 0.0]
    assert numeric[0, 0] == numeric[1, 0] == numeric[0, 2] == 0.0
    assert np.isfinite(numeric).all()


def test_a_column_that_never_varied_is_not_blown_up() -> None:
    encoder = fitted(rows(x=[3.0, 3.0], x2=[0.0, 0.0], x3=[None, None]))
    numeric = encoder.encode(rows(x=[4.0], x2=[5.0], x3=[6.0])).numeric
    np.testing.assert_allclose(numeric[0, 0], asinh(4 / 3) - asinh(1))
    np.testing.assert_allclose(numeric[0, 1], asinh(5.0))
    np.testing.assert_allclose(numeric[0, 2], asinh(6.0))


def test_a_column_that_is_absent_is_missing_in_every_row() -> None:
    encoder = fitted(rows(x=[1.0, None], c=["a", "a"]))
    found = encoder.encode(rows(x9=[7.0, 8.0]))
    assert found.numeric.tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert found.codes.tolist() == [[0], [0]]


# ── times ───────────────────────────────────────────────────────────────────

MONDAY = datetime(2024, 7, 1, 6).timestamp() - datetime(1970, 1, 1).timestamp()


def test_a_time_becomes_elapsed_days_before_the_rows_own() -> None:
    sample = rows(
        d=[datetime(2024, 6, 30, 6), datetime(2024, 7, 1, 18), None],
        time=[MONDAY, MONDAY, MONDAY],
    )
    encoder = fitted(sample)
    name = "d (days before)"
    scale, mean, deviation, missing = encoder.scales[name]
    assert (scale, missing) == (0.75, 1.0)  # |1| and |−½|
    at = encoder.numeric_names.index(name)
    expected = [(asinh(days / scale) - mean) / deviation for days in (1.0, -0.5)]
    numeric = encoder.encode(sample).numeric
    np.testing.assert_allclose(numeric[:2, at], expected)
    assert numeric[2, at : at + 2].tolist() == [0.0, 1.0]


def test_the_clock_face_and_the_weekday_come_from_the_rows_time() -> None:
    day = 86_400.0
    sample = rows(x=[0.0, 0.0, 0.0], time=[MONDAY, MONDAY, MONDAY + 6 * day + day / 4])
    encoder = fitted(sample, min_count=1)
    # Twice six o'clock on Monday, once noon on Sunday: days count from Monday, 0.
    assert encoder.levels["weekday"] == ["0", "6"]
    assert encoder.encode(sample).codes[:, 0].tolist() == [1, 1, 2]
    at = encoder.numeric_names.index("hour (sin)")
    for column, face in ((at, sin), (at + 1, cos)):
        scale, mean, deviation, _ = list(encoder.scales.values())[column]
        turns = [0.25, 0.25, 0.5]
        exact = [round(face(2 * pi * t)) for t in turns]
        assert scale == 1.0
        expected = [(asinh(x) - mean) / deviation for x in exact]
        np.testing.assert_allclose(encoder.encode(sample).numeric[:, column], expected)


def test_without_a_row_time_a_time_column_says_nothing() -> None:
    assert fitted(rows(d=[datetime(2024, 1, 1), datetime(2024, 1, 2)])).numeric_names == []


# ── categories and text ─────────────────────────────────────────────────────


def test_unseen_rare_and_missing_categories_share_code_0() -> None:
    encoder = fitted(rows(c=["b", "b", "a", "a", "a", "once", None]))
    assert encoder.levels == {"c": ["a", "b"]}
    found = encoder.encode(rows(c=["a", "b", "once", "new", None]))
    assert found.codes[:, 0].tolist() == [1, 2, 0, 0, 0]
    assert found.levels == (3,)


def test_the_most_frequent_levels_are_kept_and_ties_go_by_name() -> None:
    encoder = fitted(rows(c=["z", "z", "b", "b", "a", "a", "q", "q", "q"]), max_levels=3)
    assert encoder.levels["c"] == ["q", "a", "b"]


def test_unseen_names_the_columns_whose_value_is_new() -> None:
    encoder = fitted(rows(c=["a", "a"], c2=["x", "x"]))
    marks = encoder.unseen(rows(c=["a", "new", None, "new"], c2=["x", "x", "y", "y"]))
    assert marks == ["", "c", "c2", "c, c2"]


def test_text_is_weighed_by_how_rare_its_words_are() -> None:
    sample = rows(t=["red red", "red blue", "red"])
    encoder = fitted(sample, hash_bits=18)
    assert encoder.idf is not None
    found = encoder.encode(sample).sparse
    assert found is not None and found.shape == (3, 2**18)
    np.testing.assert_allclose(np.asarray(found.multiply(found).sum(axis=1)).ravel(), 1.0)
    # In all three documents: ln(4/4) + 1; in one: ln(4/2) + 1; in none: ln 4 + 1.
    kept = sorted({round(float(v), 12) for v in encoder.idf})
    np.testing.assert_allclose(kept, [1.0, np.log(2) + 1, np.log(4) + 1])
    assert encoder.encode(rows(t=[None, "   ", "unknown"])).sparse is not None


# ── fingerprints and states ─────────────────────────────────────────────────


def test_the_fingerprint_of_an_encoder_changes_with_what_it_learned() -> None:
    base = made(0)
    prints = {
        fitted(base).fingerprint,
        fitted(base.take(np.arange(base.n - 1))).fingerprint,
        fitted(base, min_count=20).fingerprint,
        fitted(base, hash_bits=10).fingerprint,
        fitted(replace(base, classes=("a", "b"))).fingerprint,
        fitted(made(9)).fingerprint,
    }
    assert len(prints) == 6
    assert fitted(base).fingerprint == fitted(made(0)).fingerprint


def test_a_row_encoder_comes_back_exactly_from_json_and_tensors() -> None:
    encoder = fitted(made(0))
    state = encoder.state()
    again = RowEncoder.restore(
        replace(state, meta=json.loads(json.dumps(state.meta, allow_nan=False)))
    )
    assert again.fingerprint == encoder.fingerprint
    assert same(again.encode(made(5)), encoder.encode(made(5)))
    assert again.unseen(made(5)) == encoder.unseen(made(5))


# ── items ───────────────────────────────────────────────────────────────────


def ids(*names: str) -> np.ndarray[Any, np.dtype[np.object_]]:
    return np.array(names, dtype=object)


def took(items: list[str], *pairs: tuple[int, str], users: int = 3) -> Interactions:
    user = np.array([u for u, _ in pairs], np.int64)
    item = np.array([items.index(i) for _, i in pairs], np.int64)
    return Interactions(user, item, ids(*(f"u{k}" for k in range(users))), ids(*items))


def test_an_item_encoder_keeps_what_was_seen_the_targets_own_first() -> None:
    catalogue = ids("a", "b", "c", "d", "e")
    own = took(["a", "b", "c"], (0, "b"), (1, "b"), (0, "c"))
    others = took(["a", "d", "x"], (0, "d"), (1, "d"), (2, "d"), (0, "a"), (0, "x"))
    assert ItemRecipe(catalogue).fit([own], [others]).known.tolist() == [0, 1, 2, 3]
    assert ItemRecipe(catalogue, 3).fit([own], [others]).known.tolist() == [1, 2, 3]
    assert ItemRecipe(catalogue, 3).fit([own], []).known.tolist() == [1, 2]
    assert ItemRecipe(catalogue).fit([], [others]).known.tolist() == [0, 3]


def test_an_arm_that_saw_nothing_of_the_catalogue_says_so() -> None:
    others = took(["x"], (0, "x"))
    with pytest.raises(StrategyError, match=r"none on any of its 2 items.*same item ids"):
        ItemRecipe(ids("a", "b")).fit([], [others])


def test_items_are_matched_by_id_and_counted_once_a_user() -> None:
    encoder = ItemEncoder(ids("a", "b", "c"), np.array([0, 2]))
    items = ["c", "x", "a"]
    found = encoder.encode(took(items, (0, "c"), (0, "c"), (1, "x"), (2, "a"), (0, "a")))
    assert isinstance(found, ItemView)
    assert found.matrix.toarray().tolist() == [[1, 1], [0, 0], [1, 0]]
    assert found.popularity.tolist() == [2, 1]
    assert encoder.columns_of(ids("x", "c", "b", "a")).tolist() == [-1, 1, -1, 0]


@pytest.mark.parametrize("names", [("a", "b"), ("a\x00b", "ü 日", ' "\\'), ("one",)])
def test_an_item_encoder_comes_back_exactly_whatever_its_ids_hold(
    names: tuple[str, ...],
) -> None:
    encoder = ItemEncoder(ids(*names), np.array([len(names) - 1]))
    state = encoder.state()
    again = ItemEncoder.restore(replace(state, meta=json.loads(json.dumps(state.meta))))
    assert again.catalogue.tolist() == list(names)
    assert again.known.tolist() == encoder.known.tolist()
    assert again.fingerprint == encoder.fingerprint
