"""Models of numbers: ridge in closed form, with a prior and weights; trees; mixtures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from acclimate.arrays import Array
from acclimate.domains.exam import Numbers
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models import ridge as ridge_module
from acclimate.models.design import design
from acclimate.models.ensemble import Ensemble
from acclimate.models.linear import Linear, LinearPrior
from acclimate.models.model import Model
from acclimate.models.quantiles import Quantiles, without_quantiles
from acclimate.models.trees import Trees
from acclimate.rng import Rng

RNG = Rng.of(0)


def view(n: int = 40, seed: int = 0, text: bool = False, level: float = 100.0) -> RowView:
    """Numbers, a category of four codes and, if asked for, text; the label is a number."""
    g = np.random.default_rng(seed)
    x, codes = g.normal(size=(n, 3)), g.integers(0, 4, (n, 1))
    y = level + 5 * x[:, 0] - 2 * x[:, 1] + codes[:, 0] + g.normal(size=n)
    words = sp.csr_array(sp.random(n, 30, 0.1, random_state=seed)) if text else None
    return RowView(x, codes, (4,), words, y, 0)


def answer(model: Model, asked: RowView) -> Array:
    found = model.predict(asked)
    assert isinstance(found, Numbers)
    return found.y


def whole_design(given: RowView) -> Array:
    """[1 | numeric | one-hot codes 1, 2, 3], as a person writes it."""
    hot = (given.codes == np.array([1, 2, 3])).astype(float)
    return np.column_stack([np.ones(given.n), given.numeric, hot])


# ── linear ──────────────────────────────────────────────────────────────────


def test_ridge_is_the_closed_form_with_weights() -> None:
    given, w = view(), np.random.default_rng(1).uniform(0, 3, 40)
    X, W, penalty = whole_design(given), np.diag(w), np.diag([0.0, *[2.5] * 6])
    assert given.label is not None
    beta = np.linalg.inv(X.T @ W @ X + penalty) @ X.T @ W @ given.label
    fitted = Linear(2.5).fit(design(given), weight=w, rng=RNG)
    assert fitted.fitted is not None
    np.testing.assert_allclose(fitted.fitted.coefficients[:, 0], beta, rtol=1e-9)
    np.testing.assert_allclose(answer(fitted, given), X @ beta, rtol=1e-9)


def test_ridge_with_a_prior_is_the_closed_form() -> None:
    given, g = view(), np.random.default_rng(2)
    X, w = whole_design(given), g.uniform(0.5, 2, 40)
    centre, sure = g.normal(size=7), g.uniform(0.1, 9, 7)
    prior = LinearPrior(centre[:, None], sure[:, None], np.zeros(0, bool)).times(3.0)
    P, L = np.diag(3 * sure), np.diag([0.0, *[0.7] * 6])
    assert given.label is not None
    beta = np.linalg.inv(X.T @ (w[:, None] * X) + L + P) @ (
        X.T @ (w * given.label) + P @ centre
    )
    fitted = Linear(0.7).fit(design(given), weight=w, prior=prior, rng=RNG)
    assert fitted.fitted is not None
    np.testing.assert_allclose(fitted.fitted.coefficients[:, 0], beta, rtol=1e-8)


def test_ridge_agrees_with_scikit_learn() -> None:
    given = view(200)
    theirs = Ridge(alpha=4.0).fit(whole_design(given)[:, 1:], given.label)
    ours = answer(Linear(4.0).fit(design(given), rng=RNG), given)
    np.testing.assert_allclose(ours, theirs.predict(whole_design(given)[:, 1:]), rtol=1e-9)


def test_a_vanishing_prior_is_doing_without_and_a_sure_one_the_source() -> None:
    given, source = view(30), Linear(1.0).fit(design(view(300, seed=5, level=80.0)), rng=RNG)
    alone = Linear(1.0).fit(design(given), rng=RNG)
    prior = source.as_prior()
    weak = Linear(1.0).fit(design(given), prior=prior.times(1e-10), rng=RNG)
    sure = Linear(1.0).fit(design(given), prior=prior.times(1e12), rng=RNG)
    np.testing.assert_allclose(answer(weak, given), answer(alone, given), rtol=1e-8)
    np.testing.assert_allclose(answer(sure, given), answer(source, given), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_answers_follow_the_unit_of_the_label(scale: float) -> None:
    given = view()
    assert given.label is not None
    other = replace(given, label=given.label * scale)
    both: tuple[Any, ...] = (Linear(1.0), Trees(rounds=20))
    for model in both:
        ours = answer(model.fit(model.prepare(given), rng=RNG), given)
        theirs = answer(model.fit(model.prepare(other), rng=RNG), given)
        np.testing.assert_allclose(theirs, ours * scale, rtol=1e-5)


def test_text_is_solved_by_conjugate_gradients_to_the_same_coefficients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = view(60, text=True)
    fits = []
    for most in (2000, 3):
        monkeypatch.setattr(ridge_module, "MOST_COLUMNS", most)
        fitted = Linear(0.5).fit(design(given), rng=RNG).fitted
        assert fitted is not None
        fits.append(fitted.coefficients)
    np.testing.assert_allclose(fits[0], fits[1], rtol=1e-6, atol=1e-7)


def test_labels_that_are_not_there_or_not_finite_are_refused() -> None:
    given = view()
    assert given.label is not None
    both: tuple[Any, ...] = (Linear(), Trees(rounds=2))
    for model in both:
        with pytest.raises(StrategyError, match="Expected labelled rows to fit on"):
            model.fit(model.prepare(replace(given, label=None)), rng=RNG)
        strange = replace(given, label=np.r_[np.nan, given.label[1:]])
        with pytest.raises(StrategyError, match="Expected finite numbers as labels, found 1"):
            model.fit(model.prepare(strange), rng=RNG)


# ── trees ───────────────────────────────────────────────────────────────────


def test_trees_learn_numbers() -> None:
    given, asked = view(400), view(200, seed=1)
    assert asked.label is not None
    model = Trees(leaves=4, rounds=200, min_rows=5)
    fitted = model.fit(model.prepare(given), rng=RNG)
    left = np.var(answer(fitted, asked) - asked.label) / np.var(asked.label)
    # Noise is 1 of 31 in variance; a model of the mean alone leaves all.
    assert left < 0.1


def test_rows_of_weight_0_are_as_good_as_removed() -> None:
    given, kept = view(80), np.arange(50)
    assert given.label is not None
    weight = np.r_[np.ones(50), np.zeros(30)]
    spoiled = replace(given, label=np.r_[given.label[:50], np.full(30, 1e6)])
    part = replace(
        given, numeric=given.numeric[kept], codes=given.codes[kept], label=given.label[kept]
    )
    both: tuple[Any, ...] = (Linear(), Trees(rounds=10))
    for model in both:
        ours = model.fit(model.prepare(spoiled), weight=weight, rng=RNG)
        theirs = model.fit(model.prepare(part), rng=RNG)
        np.testing.assert_allclose(answer(ours, given), answer(theirs, given), rtol=1e-9)


def test_heavy_rows_draw_trees_towards_them() -> None:
    given = view(200)
    assert given.label is not None
    model = Trees(rounds=1, rate=1e-6)
    weight = np.r_[np.full(100, 3.0), np.ones(100)]
    fitted = model.fit(model.prepare(given), weight=weight, rng=RNG)
    mean = weight @ given.label / weight.sum()
    np.testing.assert_allclose(answer(fitted, given), mean, rtol=1e-4)


def test_trees_of_one_number_answer_it() -> None:
    flat = replace(view(), label=np.full(40, 7.5))
    fitted = Trees().fit(Trees().prepare(flat), rng=RNG)
    assert (answer(fitted, flat) == 7.5).all()


# ── states, mixtures, quantiles ─────────────────────────────────────────────


def test_restored_models_of_numbers_answer_alike() -> None:
    given = view(60)
    both: tuple[Any, ...] = (Linear(), Trees(rounds=10))
    for model in both:
        fitted = model.fit(model.prepare(given), rng=RNG)
        again = type(model).restore(fitted.state())
        np.testing.assert_array_equal(answer(again, given), answer(fitted, given))


def test_an_ensemble_of_numbers_answers_their_weighted_mean() -> None:
    given = view(60)
    members = tuple(Linear(p).fit(design(given), rng=RNG) for p in (0.1, 500.0))
    mixed = answer(Ensemble(members, (0.25, 0.75)), given)
    parts = [answer(member, given) for member in members]
    np.testing.assert_allclose(mixed, 0.25 * parts[0] + 0.75 * parts[1])


def test_quantiles_stand_where_errors_of_held_out_rows_put_them() -> None:
    given = view(60)
    mean = Linear().fit(design(given), rng=RNG)
    away = np.array([-4.0, -1.0, 0.0, 2.0, 8.0])
    whole = Quantiles(mean, (0.25, 0.75)).around(away)
    found = whole.predict(given)
    np.testing.assert_allclose(found.y, answer(mean, given))
    np.testing.assert_allclose(found.at(0.25) - found.y, -1.0)
    np.testing.assert_allclose(found.at(0.75) - found.y, 2.0)
    again = Quantiles.restore_with(whole.state(), {"mean": mean})
    np.testing.assert_array_equal(again.predict(given).quantiles, found.quantiles)
    assert without_quantiles(whole) is mean and without_quantiles(mean) is mean
