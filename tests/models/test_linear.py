"""Linear: the minimum it claims, its edges, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains.view import RowView
from acclimate.errors import BudgetError, StrategyError
from acclimate.models import design as design_module
from acclimate.models.design import Layout, design, stack_views, text_scale
from acclimate.models.linear import Linear, LinearPrior
from acclimate.models.model import Model, State, Weighted, WithPrior
from acclimate.rng import Rng
from tests.models.designs import CASES, learned, made, objective, relabel

RNG = Rng.of(0)


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("with_prior", [False, True], ids=["alone", "with a prior"])
def test_the_gradient_vanishes_at_the_fit(view: RowView, with_prior: bool) -> None:
    g = np.random.default_rng(1)
    weight = g.uniform(0, 2, view.n)
    shape = (Layout.of(view).width, 1 if view.n_classes == 2 else view.n_classes)
    prior = (
        LinearPrior(
            g.standard_normal(shape), g.uniform(0.1, 3, shape), np.ones(view.n_classes, bool)
        )
        if with_prior
        else None
    )
    model = Linear(0.7)
    found = learned(model.fit(model.prepare(view), weight=weight, prior=prior, rng=RNG))
    for _ in range(6):
        direction = g.standard_normal(shape)
        direction /= np.linalg.norm(direction)
        ahead = objective(view, found + 1e-4 * direction, 0.7, weight, prior)
        behind = objective(view, found - 1e-4 * direction, 0.7, weight, prior)
        here = objective(view, found, 0.7, weight, prior)
        assert abs(ahead - behind) / 2e-4 < 1e-5
        assert ahead >= here and behind >= here


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_dense_and_sparse_designs_give_the_same_fit(
    view: RowView, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Linear()
    one = learned(model.fit(model.prepare(view), rng=RNG))
    prepared = model.prepare(view)
    if isinstance(prepared.matrix, np.ndarray):
        monkeypatch.setattr(design_module, "DENSE_ENTRIES", 0)
        monkeypatch.setattr(design_module, "FILLED", 1)
        other = model.prepare(view)
        assert not isinstance(other.matrix, np.ndarray)
    else:
        other = replace(prepared, matrix=prepared.matrix.toarray())
    two = learned(model.fit(other, rng=RNG))
    np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_the_design_times_coefficients_is_what_prediction_computes(view: RowView) -> None:
    made_design = design(view)
    layout = made_design.layout
    coefficients = np.random.default_rng(2).standard_normal((layout.width, 2))
    np.testing.assert_allclose(
        made_design.matrix @ coefficients[made_design.columns],
        layout.scores(view, coefficients),
        atol=1e-12,
    )


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_integer_weights_are_repeated_rows(view: RowView) -> None:
    times = np.random.default_rng(3).integers(0, 4, view.n)
    rows = np.repeat(np.arange(view.n), times)
    assert view.label is not None
    repeated = replace(
        view,
        numeric=view.numeric[rows],
        codes=view.codes[rows],
        sparse=None if view.sparse is None else view.sparse[rows],
        label=view.label[rows],
    )
    model = Linear()
    weighted = model.fit(model.prepare(view), weight=times.astype(float), rng=RNG)
    np.testing.assert_allclose(
        learned(weighted),
        learned(model.fit(model.prepare(repeated), rng=RNG)),
        atol=1e-6,
    )


@given(order=st.permutations(range(40)), penalty=st.sampled_from([0.03, 1.0, 100.0]))
def test_the_order_of_rows_does_not_matter(order: list[int], penalty: float) -> None:
    view = made(40)
    assert view.label is not None
    shuffled = replace(
        view, numeric=view.numeric[order], codes=view.codes[order], label=view.label[order]
    )
    model = Linear(penalty)
    np.testing.assert_allclose(
        learned(model.fit(model.prepare(view), rng=RNG)),
        learned(model.fit(model.prepare(shuffled), rng=RNG)),
        atol=1e-6,
    )


def test_a_text_is_worth_as_much_as_ten_columns_by_hand() -> None:
    text = sp.csr_array(np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0], [2.0, 2.0]]))
    numeric, label = np.array([[1.0], [-1.0], [2.0], [0.5]]), np.array([0, 1, 1, 0])
    view = RowView(numeric, np.zeros((4, 0), np.int64), (), text, label, 2)
    # Norms² 25, 1 and 8; a row without text says nothing, and one of weight 0 neither.
    assert text_scale(design(view), np.ones(4)) == pytest.approx(34 / 30, rel=1e-12)
    weight = np.array([1.0, 5.0, 2.0, 0.0])
    assert text_scale(design(view), weight) == pytest.approx(27 / 30, rel=1e-12)
    bare = replace(view, sparse=None)
    assert text_scale(design(bare), weight) == 1.0
    # It holds the text's columns alone, and a prior is as sure of them as that.
    fitted = Linear().fit(Linear().prepare(view), weight=weight, rng=RNG)
    np.testing.assert_allclose(
        np.asarray(fitted.as_prior().precision)[:, 0], [0.1, 1.0, 0.9, 0.9]
    )


@pytest.mark.parametrize("times", [0.05, 20.0])
def test_what_a_text_is_weighed_by_changes_no_answer(times: float) -> None:
    view, model = made(text=400), Linear()
    assert view.sparse is not None
    other = replace(view, sparse=sp.csr_array(times * view.sparse))
    one, two = (
        model.fit(model.prepare(each), rng=RNG).predict(each).p for each in (view, other)
    )
    np.testing.assert_allclose(one, two, atol=1e-7)


def test_a_larger_penalty_gives_smaller_coefficients() -> None:
    view = made()
    sizes = [
        np.linalg.norm(learned(m.fit(m.prepare(view), rng=RNG))[1:]) for m in Linear().grid()
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert Linear() in Linear().grid()


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_probabilities_sum_to_one_and_favour_the_truth(view: RowView) -> None:
    model = Linear()
    p = model.fit(model.prepare(view), rng=RNG).predict(view).p
    assert p.shape == (view.n, view.n_classes)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert (p.argmax(axis=1) == view.label).mean() > 0.6


def test_an_unseen_category_only_loses_its_own_column() -> None:
    view, model = made(), Linear()
    fitted = model.fit(model.prepare(view), rng=RNG)
    codes = view.codes.copy()
    codes[:, 1] = 0
    p, q = fitted.predict(view).p[:, 1], fitted.predict(replace(view, codes=codes)).p[:, 1]
    lost = np.log(p / (1 - p)) - np.log(q / (1 - q))
    table = np.r_[0.0, learned(fitted)[-6:, 0]]
    np.testing.assert_allclose(lost, table[view.codes[:, 1]], atol=1e-9)


def test_the_same_fit_gives_the_same_numbers_and_leaves_its_inputs_alone() -> None:
    view, model = made(text=400), Linear()
    weight = np.linspace(0, 1, view.n)
    prior = model.fit(model.prepare(view), rng=RNG).as_prior()
    assert view.sparse is not None and view.label is not None
    assert isinstance(prior.precision, np.ndarray)
    held = [view.numeric, view.codes, view.sparse.data, view.label, weight]
    held += [prior.mean, prior.precision]
    before = [part.copy() for part in held]
    one = model.fit(model.prepare(view), weight=weight, prior=prior, rng=RNG)
    two = model.fit(model.prepare(view), weight=weight, prior=prior, rng=RNG)
    assert model.fitted is None
    np.testing.assert_array_equal(learned(one), learned(two))
    for was, now in zip(before, held, strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_state_comes_back_exactly_through_json_and_arrays(view: RowView) -> None:
    model = Linear(0.3)
    fitted = model.fit(model.prepare(view), rng=RNG)
    state = fitted.state()
    plain = {name: tensor.tolist() for name, tensor in state.tensors.items()}
    dtypes = {name: tensor.dtype for name, tensor in state.tensors.items()}
    read = State(
        state.kind,
        json.loads(json.dumps(state.meta)),
        {name: np.array(value, dtypes[name]) for name, value in plain.items()},
    )
    again = Linear.restore(read)
    assert again == fitted
    np.testing.assert_array_equal(again.predict(view).p, fitted.predict(view).p)
    np.testing.assert_array_equal(learned(again), learned(fitted))


@pytest.mark.parametrize("n_classes", [1, 2, 4])
def test_a_single_class_gives_its_smoothed_share(n_classes: int) -> None:
    view = relabel(made(20), np.zeros(20), n_classes)
    model = Linear()
    p = model.fit(model.prepare(view), rng=RNG).predict(view).p
    expected = np.full(n_classes, 0.5 / (20 + 0.5 * n_classes))
    expected[0] = 20.5 / (20 + 0.5 * n_classes)
    np.testing.assert_allclose(p, np.tile(expected, (20, 1)), rtol=1e-12)


def test_classes_without_rows_get_a_constant_and_leave_the_others_their_odds() -> None:
    view = made(200)
    assert view.label is not None
    wide = relabel(view, 2 * view.label, 4)  # classes 1 and 3 have no rows
    model = Linear()
    p = model.fit(model.prepare(wide), rng=RNG).predict(wide).p
    np.testing.assert_allclose(p[:, [1, 3]], 0.5 / 202)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    # A softmax over two columns halves the penalty of one logit.
    half = Linear(0.5)
    q = half.fit(half.prepare(view), rng=RNG).predict(view).p
    np.testing.assert_allclose(p[:, 2] / p[:, 0], q[:, 1] / q[:, 0], rtol=1e-5)


def test_rows_of_weight_zero_say_nothing_even_of_their_class() -> None:
    view, model = made(100), Linear()
    assert view.label is not None
    ones = (view.label == 1).astype(float)
    p = model.fit(model.prepare(view), weight=ones, rng=RNG).predict(view).p
    np.testing.assert_allclose(p[:, 0], 0.5 / (ones.sum() + 1))


def test_without_columns_only_the_base_rate_is_learned() -> None:
    label = np.r_[np.zeros(30), np.ones(10)]
    empty = RowView(np.zeros((40, 0)), np.zeros((40, 0), np.int64), (), None, None, 2)
    view = relabel(empty, label)
    model = Linear()
    p = model.fit(model.prepare(view), rng=RNG).predict(view).p
    np.testing.assert_allclose(p[:, 1], 0.25, atol=1e-9)


def test_separable_rows_have_finite_coefficients() -> None:
    x = np.linspace(-1, 1, 50)[:, None]
    view = RowView(x, np.zeros((50, 0), np.int64), (), None, (x[:, 0] > 0).astype(int), 2)
    model = Linear(0.03)
    fitted = model.fit(model.prepare(view), rng=RNG)
    assert np.isfinite(learned(fitted)).all()
    assert (fitted.predict(view).p.argmax(axis=1) == view.label).all()


def test_a_query_without_rows_gets_an_answer_without_rows() -> None:
    view, model = made(), Linear()
    fitted = model.fit(model.prepare(view), rng=RNG)
    none = replace(view, numeric=view.numeric[:0], codes=view.codes[:0], label=None)
    assert fitted.predict(none).p.shape == (0, 2)


def test_refusals_say_what_was_expected() -> None:
    view, model = made(50), Linear()
    prepared = model.prepare(view)
    with pytest.raises(StrategyError, match="found 50 weights that are all zero"):
        model.fit(prepared, weight=np.zeros(50), rng=RNG)
    with pytest.raises(StrategyError, match="1 negative"):
        model.fit(prepared, weight=np.r_[-1.0, np.ones(49)], rng=RNG)
    with pytest.raises(StrategyError, match="Expected 50 finite row weights"):
        model.fit(prepared, weight=np.ones(49), rng=RNG)
    with pytest.raises(StrategyError, match="1 not finite"):
        model.fit(prepared, weight=np.r_[np.nan, np.ones(49)], rng=RNG)
    with pytest.raises(StrategyError, match="found rows without labels"):
        model.fit(model.prepare(replace(view, label=None)), rng=RNG)
    with pytest.raises(StrategyError, match="labels from 0 to 1, found 0 to 5"):
        model.fit(model.prepare(relabel(view, np.r_[5.0, np.zeros(49)])), rng=RNG)
    none = replace(view, numeric=view.numeric[:0], codes=view.codes[:0], label=np.zeros(0, int))
    with pytest.raises(StrategyError, match="at least one labelled row"):
        model.fit(model.prepare(none), rng=RNG)
    with pytest.raises(StrategyError, match="penalty above 0, found 0"):
        Linear(0)
    fitted = model.fit(prepared, rng=RNG)
    with pytest.raises(StrategyError, match="the model's own encoder"):
        fitted.predict(replace(view, levels=(4, 8)))
    wider = made(levels=(4, 7, 11))
    prior = model.fit(model.prepare(wider), rng=RNG).as_prior()
    with pytest.raises(StrategyError, match="prior over 13 columns × 1, found 23 × 1"):
        model.fit(prepared, prior=prior, rng=RNG)
    with pytest.raises(StrategyError, match="Lower the strength"):
        model.fit(prepared, prior=fitted.as_prior().times(np.inf), rng=RNG)


@pytest.mark.parametrize("view", [made(), made(text=400)], ids=["cholesky", "products"])
def test_a_tick_that_raises_ends_the_fit(view: RowView) -> None:
    def over() -> None:
        raise BudgetError("the budget ended")

    model = Linear()
    with pytest.raises(BudgetError):
        model.fit(model.prepare(view), rng=RNG, tick=over)


def test_it_says_what_it_offers() -> None:
    model: Model = Linear()
    assert isinstance(model, Weighted) and isinstance(model, WithPrior)
    assert (model.kind, model.form, model.why_not()) == ("linear", "rows", None)


def test_stacked_views_hold_every_row_in_order() -> None:
    one, two = made(30, text=50), made(20, text=50, seed=4)
    both = stack_views([one, two])
    assert both.sparse is not None and one.sparse is not None and two.sparse is not None
    np.testing.assert_array_equal(both.numeric, np.r_[one.numeric, two.numeric])
    np.testing.assert_array_equal(both.codes, np.r_[one.codes, two.codes])
    np.testing.assert_array_equal(both.label, np.r_[one.label, two.label])
    np.testing.assert_array_equal(
        both.sparse.toarray(), np.r_[one.sparse.toarray(), two.sparse.toarray()]
    )
    assert stack_views([one]) is one
    assert stack_views([one, replace(two, label=None)]).label is None
    with pytest.raises(StrategyError, match=r"50 text columns.*; found .* 60 text columns"):
        stack_views([one, made(20, text=60)])
