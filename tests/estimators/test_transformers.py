"""Transformers: scikit-learn's checks, the strategies' own maps, and rows nobody has seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from acclimate.arrays import Array, Ints
from acclimate.errors import InputError
from acclimate.estimators import CoralTransformer, MsdaTransformer, SubspaceTransformer
from acclimate.rng import Rng
from acclimate.strategies.feature.coral import recolour
from acclimate.strategies.feature.msda import denoiser
from acclimate.strategies.feature.subspace import aligned, principal
from tests.strategies.shapes import view

DOMAIN = np.repeat([1, 2, -1], [60, 50, 40])


@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [CoralTransformer(), SubspaceTransformer(), MsdaTransformer(layers=1)]
)
def test_scikit_learn_finds_nothing_to_object_to(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


def drawn(seed: int = 0) -> Array:
    g = np.random.default_rng(seed)
    x = g.standard_normal((150, 4)) @ g.standard_normal((4, 4)) + 3.0
    x[DOMAIN == 1] *= [1, 2, 3, 4]
    return x


def test_coral_moves_sources_as_the_strategy_does_and_leaves_the_target() -> None:
    x = drawn()
    moved = CoralTransformer(0.5).fit_transform(x, sample_domain=DOMAIN)
    for number in (1, 2):
        theirs = recolour(x[number == DOMAIN], x[DOMAIN < 0], 0.5)
        np.testing.assert_allclose(moved[number == DOMAIN], theirs, rtol=1e-12)
    np.testing.assert_array_equal(moved[DOMAIN < 0], x[DOMAIN < 0])


def test_subspace_puts_rows_into_the_target_s_axes_as_the_strategy_does() -> None:
    x = drawn()
    moved = SubspaceTransformer(2).fit_transform(x, sample_domain=DOMAIN)
    onto = principal(x[DOMAIN < 0], 2)
    for number in (1, 2):
        theirs = aligned(x[number == DOMAIN], onto)
        np.testing.assert_allclose(moved[number == DOMAIN], theirs, atol=1e-10)
    own = x[DOMAIN < 0]
    np.testing.assert_allclose(moved[DOMAIN < 0], (own - own.mean(axis=0)) @ onto, atol=1e-10)


def test_msda_puts_the_layers_behind_the_input() -> None:
    x = drawn()
    moved = MsdaTransformer(layers=2, random_state=3).fit_transform(x)
    theirs = denoiser(view(x), 0.7, 2, 5000, Rng.of(3).child("msda"))(view(x)).numeric
    assert moved.shape == (150, 12)
    np.testing.assert_array_equal(moved, theirs)
    np.testing.assert_array_equal(moved[:, :4], x)


@pytest.mark.parametrize("made", [CoralTransformer(), SubspaceTransformer(3)])
def test_new_rows_are_moved_as_their_domain_was(made: Any) -> None:
    x = drawn()
    fitted = made.fit(x, sample_domain=DOMAIN)
    whole = fitted.transform(x, DOMAIN)
    some: Ints = np.array([149, 3, 70, 12])
    np.testing.assert_allclose(fitted.transform(x[some], DOMAIN[some]), whole[some], rtol=1e-12)
    # What is asked without a domain is the target's, whatever its negative number.
    np.testing.assert_array_equal(fitted.transform(x[DOMAIN < 0]), whole[DOMAIN < 0])
    np.testing.assert_array_equal(fitted.transform(x[:2], [-5, -1]), fitted.transform(x[:2]))


def test_a_pipeline_takes_the_domains_and_predicts_the_target() -> None:
    x = drawn()
    y = (x[:, 0] > 3).astype(int)
    with config_context(enable_metadata_routing=False):
        old = make_pipeline(CoralTransformer(), LogisticRegression())
        old.fit(x, y, coraltransformer__sample_domain=DOMAIN)
    with config_context(enable_metadata_routing=True):
        asked = CoralTransformer().set_fit_request(sample_domain=True)
        asked = asked.set_transform_request(sample_domain=True)
        routed = make_pipeline(asked, LogisticRegression()).fit(x, y, sample_domain=DOMAIN)
    moved = CoralTransformer().fit_transform(x, sample_domain=DOMAIN)
    alone = LogisticRegression().fit(moved, y)
    own = x[DOMAIN < 0]
    for pipeline in (old, routed):
        np.testing.assert_array_equal(pipeline.predict_proba(own), alone.predict_proba(own))


def test_coral_s_map_is_skada_s_as_the_identity_vanishes() -> None:
    skada = pytest.importorskip("skada", reason="to compare with: acclimate[dev]")
    x = drawn()[DOMAIN != 2]
    domain = DOMAIN[DOMAIN != 2]
    theirs = skada.CORALAdapter(reg=None)
    theirs.fit(x, sample_domain=domain)
    ours = CoralTransformer(1e-12).fit(x, sample_domain=domain).maps_[1].matrix
    # They divide covariances by n, we by n − 1.
    apart = np.sqrt((40 / 39) * (59 / 60))
    expected = theirs.cov_source_inv_sqrt_ @ theirs.cov_target_sqrt_ * apart
    np.testing.assert_allclose(ours, expected, rtol=1e-6)
    # They leave both sides around 0, we around the target's mean.
    moved = CoralTransformer(1e-12).fit_transform(x, sample_domain=domain)
    around = theirs.transform(x, sample_domain=domain, allow_source=True) + x[domain < 0].mean(
        0
    )
    np.testing.assert_allclose(moved[domain < 0], around[domain < 0], atol=1e-9)
    centre = x[domain < 0].mean(axis=0)
    np.testing.assert_allclose(
        moved[domain > 0] - centre, (around[domain > 0] - centre) * apart, atol=1e-6
    )


def test_what_cannot_be_moved_is_refused() -> None:
    x = drawn()
    with pytest.raises(InputError, match=r"sources among 1, 2, as in fit; found 7\."):
        CoralTransformer().fit(x, sample_domain=DOMAIN).transform(x[:1], [7])
    with pytest.raises(InputError, match="two rows a domain at least, found 1 of domain 4"):
        CoralTransformer().fit(x, sample_domain=np.r_[4, DOMAIN[1:]])
    with pytest.raises(InputError, match=r"finite shrink above 0, found 0\."):
        CoralTransformer(0.0).fit(x)
    with pytest.raises(InputError, match="1 axis at least, found 0"):
        SubspaceTransformer(0).fit(x)
    with pytest.raises(
        InputError, match=r"1 to 10 layers and a width of 2 at least; found 0\.7, 0"
    ):
        MsdaTransformer(layers=0).fit(x)
