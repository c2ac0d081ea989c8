"""Trees: the same seed, the same scores; few rows; weights; a state that comes back."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Numbers
from acclimate.domains.view import RowView
from acclimate.errors import BudgetError, StrategyError
from acclimate.models import boosted
from acclimate.models.model import Model, State, Weighted, WithPrior
from acclimate.models.trees import TEXT_COLUMNS, Trees
from acclimate.rng import Rng
from acclimate.settings import Settings

RNG = Rng.of(0)
SMALL = Trees(rounds=40)


def made(n: int = 400, n_classes: int = 2, text: int = 0, seed: int = 0) -> RowView:
    """The label is a box of two numbers, or a category that only trees can group."""
    g = np.random.default_rng(seed)
    numeric = g.standard_normal((n, 4))
    codes = np.column_stack([g.integers(0, 3, n), g.integers(0, 12, n)])
    score = (np.abs(numeric[:, 0]) < 0.7).astype(int) + (codes[:, 1] % 2)
    sparse = None
    if text:
        sparse = sp.csr_array((g.random((n, text)) < 0.1) * 1.0)
        score = np.where(sparse.toarray()[:, 0] > 0, 1, score)
    return RowView(
        numeric, codes, (3, 12), sparse, (score % n_classes).astype(np.int64), n_classes
    )


def take(view: RowView, rows: Ints) -> RowView:
    assert view.label is not None
    return replace(
        view,
        numeric=view.numeric[rows],
        codes=view.codes[rows],
        sparse=None if view.sparse is None else view.sparse[rows],
        label=view.label[rows],
    )


def scores(model: Trees, view: RowView, rng: Rng = RNG, weight: Array | None = None) -> Array:
    found: Array = model.fit(model.prepare(view), weight=weight, rng=rng).predict(view).p
    return found


CASES = {
    "two classes": made(),
    "three classes": made(n_classes=3),
    "text": made(text=50),
    "text, three classes": made(n_classes=3, text=50),
}


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_trees_learn_what_no_line_can_tell(view: RowView) -> None:
    held = made(400, view.n_classes, 0 if view.sparse is None else 50, seed=1)
    p = Trees().fit(Trees().prepare(view), rng=RNG).predict(held).p
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert (p.argmax(axis=1) == held.label).mean() > 0.8


def test_the_same_seed_gives_the_same_scores_and_another_seed_others() -> None:
    view = made()
    np.testing.assert_array_equal(scores(SMALL, view), scores(SMALL, view))
    assert np.abs(scores(SMALL, view) - scores(SMALL, view, RNG.child("x"))).max() > 1e-6


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_state_comes_back_through_json_and_arrays(view: RowView) -> None:
    fitted = SMALL.fit(SMALL.prepare(view), rng=RNG)
    state = fitted.state()
    assert state.tensors["model"].dtype == np.uint8
    read = State(
        state.kind,
        json.loads(json.dumps(state.meta)),
        {name: tensor.copy() for name, tensor in state.tensors.items()},
    )
    again = Trees.restore(read)
    assert again == fitted
    np.testing.assert_allclose(again.predict(view).p, fitted.predict(view).p, atol=1e-12)
    twice = again.state().tensors["model"]
    np.testing.assert_array_equal(twice, state.tensors["model"])


def test_the_model_text_predicts_what_training_would_have() -> None:
    import lightgbm

    view = made()
    prepared = SMALL.prepare(view)
    kept: list[Array] = []
    written = lightgbm.Booster.model_to_string

    def watched(booster: lightgbm.Booster) -> str:
        kept.append(booster.predict(prepared.matrix))
        return str(written(booster))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightgbm.Booster, "model_to_string", watched)
        fitted = SMALL.fit(prepared, rng=RNG)
    np.testing.assert_allclose(fitted.predict(view).p[:, 1], kept[0], atol=1e-12)


def test_rows_for_many_fits_are_cut_at_fewer_places() -> None:
    x = np.linspace(0.0, 1.0, 4000)[:, None]
    label = (np.sin(400 * x[:, 0]) > 0).astype(np.int64)
    view = RowView(x, np.zeros((4000, 0), np.int64), (), None, label, 2)
    model, cuts = Trees(leaves=200, rate=1.0, rounds=3, min_rows=1), []
    for prepare in (model.prepare, model.prepare_often):
        fitted = model.fit(prepare(view), rng=RNG).fitted
        assert fitted is not None
        lines = re.findall(r"^threshold=(.*)$", fitted.model, re.MULTILINE)
        cuts.append(len({each for line in lines for each in line.split()}))
    assert cuts[1] <= 63 < cuts[0], cuts


def test_a_flipped_half_of_weight_zero_is_as_if_it_were_not_there() -> None:
    view = made(600)
    assert view.label is not None
    flipped = view.label.copy()
    flipped[300:] = 1 - flipped[300:]
    weight = np.r_[np.ones(300), np.zeros(300)]
    kept = SMALL.fit(
        SMALL.prepare(replace(view, label=flipped)), weight=weight, rng=RNG
    ).predict(view)
    alone = SMALL.fit(SMALL.prepare(take(view, np.arange(300))), rng=RNG).predict(view)
    np.testing.assert_array_equal(kept.p, alone.p)
    assert np.abs(kept.p - scores(SMALL, replace(view, label=flipped))).max() > 0.1


def test_a_larger_weight_pulls_towards_its_class() -> None:
    view = made()
    assert view.label is not None
    heavy = scores(SMALL, view, weight=np.where(view.label == 1, 5.0, 1.0))
    assert heavy[:, 1].mean() > scores(SMALL, view)[:, 1].mean() + 0.02


@pytest.mark.parametrize("model", Trees().grid(), ids=repr)
def test_sixty_rows_are_enough_to_split(model: Trees) -> None:
    view = made(60)
    p = scores(replace(model, rounds=30), view)
    assert p[:, 1].std() > 0.01


def test_categories_alone_can_be_split_on_sixty_rows() -> None:
    view = made(60)
    only = replace(view, numeric=np.zeros((60, 0)), label=view.codes[:, 1] % 2)
    assert scores(SMALL, only)[:, 1].std() > 0.1


def test_an_unseen_code_is_answered_and_moves_nothing_else() -> None:
    view = made()
    codes = np.maximum(view.codes, 1)  # the fit never sees code 0
    fitted = SMALL.fit(SMALL.prepare(replace(view, codes=codes)), rng=RNG)
    unseen = codes.copy()
    unseen[:200, 1] = 0
    p = fitted.predict(replace(view, codes=codes)).p
    q = fitted.predict(replace(view, codes=unseen)).p
    np.testing.assert_array_equal(p[200:], q[200:])
    assert np.isfinite(q).all()


def test_text_beside_categories_is_read_as_a_dense_matrix_would_be() -> None:
    view = made(text=50)
    prepared = SMALL.prepare(view)
    dense = replace(prepared, matrix=prepared.matrix.toarray())
    p, q = (SMALL.fit(given, rng=RNG).predict(view).p for given in (prepared, dense))
    np.testing.assert_allclose(p, q, atol=1e-12)


def test_text_is_read_from_the_columns_that_most_rows_use() -> None:
    g = np.random.default_rng(3)
    view = made(300)
    used = np.zeros((300, TEXT_COLUMNS + 500))
    used[:, 7] = view.label
    used[g.integers(0, 300, 4), 11] = 1.0  # too rare
    used[:, 100:] = g.random((300, TEXT_COLUMNS + 400)) < 0.05
    with_text = replace(view, sparse=sp.csr_array(used))
    prepared = SMALL.prepare(with_text)
    assert 7 in prepared.text and 11 not in prepared.text
    assert len(prepared.text) <= TEXT_COLUMNS
    assert prepared.matrix.shape == (300, 4 + 2 + len(prepared.text))
    p = scores(SMALL, with_text)
    assert ((p[:, 1] > 0.5) == (view.label == 1)).mean() > 0.98


@pytest.mark.parametrize("n_classes", [1, 2, 4])
def test_a_single_class_gives_its_smoothed_share(n_classes: int) -> None:
    view = replace(made(20), label=np.zeros(20, np.int64), n_classes=n_classes)
    p = scores(SMALL, view)
    expected = np.full(n_classes, 0.5 / (20 + 0.5 * n_classes))
    expected[0] = 20.5 / (20 + 0.5 * n_classes)
    np.testing.assert_allclose(p, np.tile(expected, (20, 1)), rtol=1e-12)


def test_classes_without_rows_get_a_constant_and_leave_the_others_their_odds() -> None:
    view = made()
    assert view.label is not None
    p = scores(SMALL, replace(view, label=2 * view.label, n_classes=4))
    q = scores(SMALL, view)
    np.testing.assert_allclose(p[:, [1, 3]], 0.5 / 402)
    np.testing.assert_allclose(p[:, 2] / p[:, 0], q[:, 1] / q[:, 0])
    np.testing.assert_allclose(p.sum(axis=1), 1.0)


def test_without_columns_the_smoothed_shares_are_given() -> None:
    label = np.r_[np.zeros(30), np.ones(9)].astype(np.int64)
    view = RowView(np.zeros((39, 0)), np.zeros((39, 0), np.int64), (), None, label, 2)
    fitted = SMALL.fit(SMALL.prepare(view), rng=RNG)
    np.testing.assert_allclose(fitted.predict(view).p[:, 1], 9.5 / 40)
    again = Trees.restore(fitted.state())
    np.testing.assert_array_equal(again.predict(view).p, fitted.predict(view).p)


def test_fitting_leaves_its_inputs_alone() -> None:
    view = made(text=20)
    assert view.sparse is not None and view.label is not None
    weight = np.linspace(0, 1, view.n)
    held = [view.numeric, view.codes, view.sparse.data, view.label, weight]
    before = [part.copy() for part in held]
    prepared = SMALL.prepare(view)
    one = SMALL.fit(prepared, weight=weight, rng=RNG)
    two = SMALL.fit(prepared, weight=weight, rng=RNG)
    np.testing.assert_array_equal(one.predict(view).p, two.predict(view).p)
    assert SMALL.fitted is None
    for was, now in zip(before, held, strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_tick_that_raises_aborts_the_boosting() -> None:
    ticks: list[int] = []

    def soon_over() -> None:
        ticks.append(1)
        if len(ticks) == 4:
            raise BudgetError("the budget ended")

    with pytest.raises(BudgetError, match="the budget ended"):
        SMALL.fit(SMALL.prepare(made()), rng=RNG, tick=soon_over)
    assert len(ticks) == 4


def test_refusals_say_what_was_expected() -> None:
    view = made(50)
    prepared = SMALL.prepare(view)
    with pytest.raises(StrategyError, match="found 50 weights that are all zero"):
        SMALL.fit(prepared, weight=np.zeros(50), rng=RNG)
    with pytest.raises(StrategyError, match="found rows without labels"):
        SMALL.fit(SMALL.prepare(replace(view, label=None)), rng=RNG)
    with pytest.raises(StrategyError, match="at least one labelled row"):
        SMALL.fit(SMALL.prepare(take(view, np.arange(0))), rng=RNG)
    fitted = SMALL.fit(prepared, rng=RNG)
    with pytest.raises(StrategyError, match="the model's own encoder"):
        fitted.predict(replace(view, levels=(3, 13)))
    assert fitted.predict(take(view, np.arange(0))).p.shape == (0, 2)


def test_it_says_what_it_offers() -> None:
    model: Model = Trees()
    assert isinstance(model, Weighted) and not isinstance(model, WithPrior)
    assert (model.kind, model.form, model.why_not()) == ("trees", "rows", None)
    assert Trees() in Trees().grid()


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_rows_that_were_binned_before_serve_every_fit_alike(view: RowView) -> None:
    g = np.random.default_rng(2)
    prepared = SMALL.prepare(view)
    SMALL.fit(prepared, rng=RNG)  # leaves bins behind
    for number in range(2):
        weight, rng = np.exp(g.standard_normal(view.n)), RNG.child(number)
        again = SMALL.fit(prepared, weight=weight, rng=rng).predict(view).p
        np.testing.assert_array_equal(again, scores(SMALL, view, rng, weight))
    for other in (replace(SMALL, min_rows=3), replace(SMALL, leaves=4, rounds=7)):
        np.testing.assert_array_equal(
            other.fit(prepared, rng=RNG).predict(view).p, scores(other, view)
        )
    some = np.where(np.arange(view.n) % 3 == 0, 0.0, 1.0)  # rows of weight 0 are left out
    np.testing.assert_array_equal(
        SMALL.fit(prepared, weight=some, rng=RNG).predict(view).p,
        scores(SMALL, view, weight=some),
    )
    plain = SMALL.fit(prepared, rng=RNG).predict(view).p
    np.testing.assert_array_equal(plain, scores(SMALL, view))
    assert len(prepared.binned) == 2


def test_rows_that_were_binned_before_serve_numbers_alike() -> None:
    """They are standardised under weights, so that the labels move with these."""
    view = made()
    y = 5 * view.numeric[:, 0] + np.random.default_rng(0).standard_normal(view.n)
    told = replace(view, label=y, n_classes=0)
    prepared = SMALL.prepare(told)
    SMALL.fit(prepared, rng=RNG)
    weight = np.exp(np.random.default_rng(2).standard_normal(view.n))
    again = SMALL.fit(prepared, weight=weight, rng=RNG).predict(told)
    plain = SMALL.fit(SMALL.prepare(told), weight=weight, rng=RNG).predict(told)
    assert isinstance(again, Numbers) and isinstance(plain, Numbers)
    np.testing.assert_array_equal(again.y, plain.y)


@pytest.mark.parametrize(("rows", "threads"), [(4_999, 1), (5_000, 3)])
def test_few_rows_stay_on_one_thread(
    rows: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boosted, "settings", lambda: Settings(threads=3))
    assert boosted.threads(rows) == threads
