"""A strategy as an estimator: scikit-learn's own checks, and the arm it stands for."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.source import Source
from acclimate.errors import InputError, UsageError
from acclimate.estimators import AdaptedClassifier, AdaptedRegressor
from acclimate.estimators.separated import rows_of
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.strategies.parameter.prior import SourcePrior

Xy = tuple[Array, Ints, Ints]


@parametrize_with_checks([AdaptedClassifier(), AdaptedRegressor()])  # type: ignore[untyped-decorator]
def test_scikit_learn_finds_nothing_to_object_to(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


def markets(seed: int = 0) -> Xy:
    """Sources 1 and 3, of which 3 points the other way, and a target, half of it masked."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((400, 3))
    domain = np.repeat([1, 3, -2], [150, 150, 100])
    sign = np.where(domain == 3, -1.0, 1.0)
    y = (sign * (2 * x[:, 0] - x[:, 1]) + g.logistic(size=400) > 0).astype(np.int64) + 5
    y[350:] = -1
    order = g.permutation(400)
    return x[order], y[order], domain[order]


@pytest.mark.parametrize("kind", ["source-prior", "pooled", "target-only", "coral + pooled"])
def test_it_answers_as_the_arm_does_on_the_problem_of_the_same_rows(kind: str) -> None:
    x, y, domain = markets()
    ours = AdaptedClassifier(kind, random_state=7).fit(x, y, domain).predict_proba(x)
    names = ("5", "6")
    given = [
        Source(f"source {n}", rows_of(x[domain == n], names, y[domain == n] - 5))
        for n in (1, 3)
    ]
    own, silent = (domain < 0) & (y >= 0), (domain < 0) & (y < 0)
    problem = Problem(
        "target",
        rows_of(x[own], names, y[own] - 5),
        tuple(given),
        Claim.NEW,
        RowRecipe(),
        rows_of(x[silent], names, None),
    )
    arm = Arm(named(kind), models()["linear"])
    fitted = arm.fit(problem, Rng.of(7).child("fit"))
    theirs = fitted.predict(rows_of(x, names, None))
    assert isinstance(theirs, Probabilities)
    np.testing.assert_array_equal(ours, theirs.p)


def test_without_domains_it_is_a_plain_fit_of_the_model_to_all_rows() -> None:
    x, y, _ = markets()
    for strategy in ("coral + source-only", "pooled"):
        ours = AdaptedClassifier(strategy).fit(x, y)
        assert ours.classes_.tolist() == [-1, 5, 6]  # nothing is masked here
    every = AdaptedClassifier().fit(x, y, np.full(400, -1))
    assert every.classes_.tolist() == [5, 6]


def test_masked_rows_of_the_target_say_nothing_about_the_label_and_count_as_seen() -> None:
    x, y, domain = markets()
    left = AdaptedClassifier("source-prior").fit(x[y >= 0], y[y >= 0], domain[y >= 0])
    kept = AdaptedClassifier("source-prior").fit(x, y, domain)
    np.testing.assert_array_equal(left.predict_proba(x), kept.predict_proba(x))
    few = AdaptedClassifier("coral + source-only").fit(x[y >= 0], y[y >= 0], domain[y >= 0])
    more = AdaptedClassifier("coral + source-only").fit(x, y, domain)
    assert np.abs(few.predict_proba(x) - more.predict_proba(x)).max() > 1e-4


def test_a_target_without_any_label_is_served_by_what_needs_none() -> None:
    x, y, domain = markets()
    y = np.where(domain < 0, -1, y)
    served = AdaptedClassifier("coral + source-only").fit(x, y, domain)
    assert served.predict_proba(x).shape == (400, 2)
    with pytest.raises(InputError, match="pooled/linear does not: the target has no labelled"):
        AdaptedClassifier("pooled").fit(x, y, domain)


def test_a_source_of_opposite_labels_is_outweighed_by_its_number() -> None:
    # The numbers of sources are theirs alone: 1 is like the target, 3 is not.
    x, y, domain = markets()
    near = AdaptedClassifier("source-only").fit(
        x[domain != 3], y[domain != 3], domain[domain != 3]
    )
    far = AdaptedClassifier("source-only").fit(
        x[domain != 1], y[domain != 1], domain[domain != 1]
    )
    held = markets(1)
    mine = (held[2] < 0) & (held[1] >= 0)
    assert near.score(held[0][mine], held[1][mine]) > 0.7 > 0.4
    assert far.score(held[0][mine], held[1][mine]) < 0.3


def test_numbers_are_predicted_and_nan_hides_those_of_the_target() -> None:
    g = np.random.default_rng(0)
    x = g.standard_normal((300, 2))
    domain = np.repeat([1, -1], [200, 100])
    y = 100 + 10 * x[:, 0] + g.standard_normal(300)
    held = y[250:].copy()
    y[250:] = np.nan
    model = AdaptedRegressor("source-prior").fit(x, y, domain)
    assert np.sqrt(np.mean((model.predict(x[250:]) - held) ** 2)) < 2
    for wrong in (np.where(domain > 0, np.nan, y), np.where(np.isnan(y), np.inf, y)):
        with pytest.raises(InputError, match=r"NaN for an unknown number .* found \d+ other"):
            AdaptedRegressor("source-prior").fit(x, wrong, domain)
    with pytest.raises(InputError, match="found 50 other rows"):
        AdaptedRegressor().fit(x, y)


def test_classes_are_given_back_as_they_came() -> None:
    x, y, domain = markets()
    names = np.where(y == 6, "yes", "no")
    model = AdaptedClassifier("pooled").fit(x, names, domain)
    assert model.classes_.tolist() == ["no", "yes"] and set(model.predict(x)) == {"no", "yes"}


def test_missing_values_are_taken() -> None:
    x, y, domain = markets()
    x = np.where(np.random.default_rng(0).random(x.shape) < 0.1, np.nan, x)
    model = AdaptedClassifier("pooled").fit(x, y, domain)
    assert np.isfinite(model.predict_proba(x)).all()
    with pytest.raises(ValueError, match="infinity"):
        model.predict(np.full((1, 3), np.inf))


def test_it_is_cloned_searched_and_pickled() -> None:
    x, y, domain = markets()
    made = AdaptedClassifier(SourcePrior(3.0), Trees(rounds=5))
    assert clone(made).get_params() == made.get_params()
    own = (domain < 0) & (y >= 0)
    search = GridSearchCV(AdaptedClassifier(), {"model": ["linear", "trees"]}, cv=2)
    assert search.fit(x[own], y[own]).best_params_["model"] in ("linear", "trees")
    fitted = AdaptedClassifier("pooled", Trees(rounds=5)).fit(x, y, domain)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - what was just made
    np.testing.assert_array_equal(again.predict_proba(x), fitted.predict_proba(x))


def test_a_seed_is_a_state_too_and_equal_seeds_give_equal_answers() -> None:
    x, y, domain = markets()
    states: list[Any] = [3, 3, np.random.RandomState(3), np.random.RandomState(3), 4]
    found = [
        AdaptedClassifier("pooled", "trees", state).fit(x, y, domain).predict_proba(x)
        for state in states
    ]
    assert (found[0] == found[1]).all() and (found[2] == found[3]).all()
    assert (found[0] != found[4]).any() and (found[0] != found[2]).any()
    drawn = AdaptedClassifier("pooled", random_state=None).fit(x, y, domain)
    np.testing.assert_array_equal(
        drawn.predict(x), AdaptedClassifier("pooled").fit(x, y, domain).predict(x)
    )


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        (np.ones(399), r"400 whole numbers, one a row; found shape \(399,\)"),
        (np.full(400, 0.5), "whole numbers"),
        (np.full(400, "a"), "whole numbers"),
        (np.zeros(400), "above 0 for rows of sources .* found 400 rows of 0"),
        (np.ones(400), "rows of the target, whose sample_domain is negative; found those of"),
    ],
)
def test_domains_that_cannot_be_told_apart_are_refused(domain: Any, said: str) -> None:
    x, y, _ = markets()
    with pytest.raises(InputError, match=said):
        AdaptedClassifier().fit(x, np.abs(y), domain)


def test_what_cannot_be_served_is_refused_with_why() -> None:
    x, y, domain = markets()
    with pytest.raises(InputError, match="every row of a source to have a class; found -1"):
        AdaptedClassifier().fit(x, np.where(domain == 1, -1, y), domain)
    with pytest.raises(InputError, match=r"Expected a model among linear, trees.*found 'ease'"):
        AdaptedClassifier(model="ease").fit(x, y, domain)
    with pytest.raises(UsageError, match="Expected strategies among"):
        AdaptedClassifier("corel").fit(x, y, domain)
    with pytest.raises(InputError, match="boosting/linear does not: linear has no trees"):
        AdaptedClassifier("boosting").fit(x, y, domain)
    with pytest.raises(InputError, match="Expected y as numbers"):
        AdaptedRegressor().fit(x, np.full(400, "a"))
    with pytest.raises(ValueError, match="requires y"):
        AdaptedClassifier().fit(x, None)


# ── another implementation ──────────────────────────────────────────────────


@pytest.mark.parametrize("shift", ["covariate_shift", "target_shift", "conditional_shift"])
def test_coral_is_as_accurate_as_skada_s(shift: str) -> None:
    skada = pytest.importorskip("skada", reason="to compare with: acclimate[dev]")
    datasets = pytest.importorskip("skada.datasets")
    right = np.zeros(2)
    for seed in range(4):
        made = datasets.make_shifted_datasets(
            30, 30, shift=shift, noise=0.3, random_state=seed, return_dataset=True
        )
        x, y, domain = made.pack(as_sources=["s"], as_targets=["t"], mask_target_labels=True)
        xt, yt, at = made.pack(as_sources=[], as_targets=["t"], mask_target_labels=False)
        theirs = skada.CORAL(LogisticRegression().set_fit_request(sample_weight=True))
        theirs.fit(x, y, sample_domain=domain)
        ours = AdaptedClassifier("coral + source-only").fit(x, y, domain)
        right += [ours.score(xt, yt), np.mean(theirs.predict(xt, sample_domain=at) == yt)]
    # Both are linear; ours bends numbers.  A map turned the wrong way or a class taken for
    # another costs tens of points, and so does a mean left where it is under conditional shift.
    assert right[0] / 4 > right[1] / 4 - 0.03


def test_numbers_of_one_domain_are_those_of_ridge_regression() -> None:
    g = np.random.default_rng(0)
    x = g.uniform(-0.01, 0.01, (50, 2))  # where asinh is straight
    y = 3 + 200 * x[:, 0]
    ours = AdaptedRegressor().fit(x, y)
    bent = np.arcsinh(x / np.median(np.abs(x), axis=0))
    seen = (bent - bent.mean(axis=0)) / bent.std(axis=0)
    theirs = Ridge(alpha=1.0).fit(seen, y)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(seen), rtol=1e-8)
