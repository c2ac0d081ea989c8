"""The Gaussian prior of a linear model: its two limits, and what it keeps of the source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.view import RowView
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from tests.models.designs import CASES, learned, made, relabel

RNG = Rng.of(0)


@pytest.mark.parametrize("view", CASES.values(), ids=CASES.keys())
def test_a_vanishing_prior_is_target_only_and_an_endless_one_is_the_source(
    view: RowView,
) -> None:
    model = Linear(2.0)
    source = replace(view, numeric=view.numeric[::-1])
    fitted = model.fit(model.prepare(source), rng=RNG)
    prior, target = fitted.as_prior(), model.prepare(view)
    alone = model.fit(target, rng=RNG)
    weak = model.fit(target, prior=prior.times(1e-9), rng=RNG)
    strong = model.fit(target, prior=prior.times(1e10), rng=RNG)
    np.testing.assert_allclose(learned(weak), learned(alone), atol=1e-6)
    np.testing.assert_allclose(learned(strong), learned(fitted), atol=1e-6)
    middle = learned(model.fit(target, prior=prior.times(10.0), rng=RNG))
    assert np.abs(middle - learned(alone)).max() > 1e-2
    assert np.abs(middle - learned(fitted)).max() > 1e-2


def test_a_stronger_prior_is_never_farther_from_the_source() -> None:
    model, view = Linear(), made(80)
    fitted = model.fit(model.prepare(made(500, seed=5)), rng=RNG)
    prior, prepared = fitted.as_prior(), model.prepare(view)
    away = [
        float(
            np.sum(
                prior.precision
                * (learned(model.fit(prepared, prior=prior.times(s), rng=RNG)) - prior.mean)
                ** 2
            )
        )
        for s in (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    ]
    assert away == sorted(away, reverse=True)


def test_columns_the_target_never_shows_follow_the_source_against_the_penalty() -> None:
    # With no loss on it, (λ/2)β² + (μ/2)(β − b)² has its minimum at μb / (λ + μ).
    view = made(200)
    codes = view.codes.copy()
    codes[codes[:, 1] == 6, 1] = 0
    model = Linear(3.0)
    fitted = model.fit(model.prepare(view), rng=RNG)
    target = model.fit(
        model.prepare(replace(view, codes=codes)), prior=fitted.as_prior().times(6.0), rng=RNG
    )
    np.testing.assert_allclose(learned(target)[-1], learned(fitted)[-1] * 6.0 / 9.0, rtol=1e-12)


def test_a_prior_keeps_a_class_the_target_has_not_shown_yet() -> None:
    source, model = made(400, 3), Linear()
    fitted = model.fit(model.prepare(source), rng=RNG)
    target = made(40, 3, seed=8)
    assert target.label is not None
    target = relabel(target, np.minimum(target.label, 1))
    guided = model.fit(model.prepare(target), prior=fitted.as_prior().times(10.0), rng=RNG)
    alone = model.fit(model.prepare(target), rng=RNG)
    p = guided.predict(target).p[:, 2]
    assert p.std() > 10 * alone.predict(target).p[:, 2].std()


def test_of_a_class_the_source_has_not_seen_the_prior_says_nothing() -> None:
    view, model = made(400, 3), Linear()
    assert view.label is not None
    source = relabel(view, np.minimum(view.label, 1))
    prior = model.fit(model.prepare(source), rng=RNG).as_prior()
    target = model.prepare(view)
    free = model.fit(target, prior=prior.times(1e-9), rng=RNG)
    bound = model.fit(target, prior=prior.times(1e9), rng=RNG)
    np.testing.assert_allclose(learned(bound)[:, :2], prior.mean[:, :2], atol=1e-6)
    assert np.abs(learned(bound)[1:, 2]).max() > 0.1
    np.testing.assert_allclose(
        free.predict(view).p, model.fit(target, rng=RNG).predict(view).p, atol=1e-6
    )
