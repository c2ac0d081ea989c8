"""An interval that holds however often one looks, and the formula it has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from acclimate.errors import DataError, UsageError
from acclimate.verdicts.anytime import Watch, looks, radius
from acclimate.verdicts.verdict import judge


def test_the_radius_is_that_of_the_paper() -> None:
    """Worked by hand for α = 0.05, t* = 1000, t = 1000.

    −2 ln 0.05 = 5.991465, its logarithm 1.790336, so ρ² = 8.781801 / 1000 and tρ² = 8.781801;
    2·9.781801 / (1000·8.781801) · ln(√9.781801 / 0.05) = 0.00222774 · 4.135993 = 0.0959892².
    """
    log = math.log(math.sqrt(9.781801) / 0.05)
    by_hand = math.sqrt(2 * 9.781801 / (1000 * 8.781801) * log)
    assert by_hand == pytest.approx(0.0959892, abs=1e-6)
    assert float(radius(1000.0)) == pytest.approx(by_hand, rel=1e-6)


def test_it_is_narrowest_for_its_time_where_it_is_tuned() -> None:
    at = np.array([100.0, 1000.0, 10_000.0])
    width = {tuned: radius(at, 0.05, tuned) for tuned in at}
    for position, tuned in enumerate(at):
        assert all(width[tuned][position] <= other[position] for other in width.values())


def test_no_effect_is_rarely_found_however_often_one_looks_and_a_fixed_interval_fails() -> None:
    g = np.random.default_rng(11)
    ever, fixed = 0, 0
    n = np.arange(1.0, 2001.0)
    for _ in range(300):
        d = np.where(g.random(2000) < 0.3, g.exponential(1.0, 2000) - 1.0, 0.0)
        found = looks(d)
        ever += bool((found[:, 0] > 0).any() or (found[:, 1] < 0).any())
        mean = np.cumsum(d) / n
        spread = np.sqrt(np.maximum(np.cumsum(d**2) / n - mean**2, 0.0) / n)
        fixed += bool((np.abs(mean) > 1.96 * spread)[100:].any())
    # More than 27 of 300 at a rate of 5 % has a probability below 0.1 %.
    assert ever <= 27
    assert fixed >= 90


def test_an_effect_is_found_and_stays_found() -> None:
    d = np.random.default_rng(3).normal(0.3, 1.0, 3000)
    found = looks(d)
    first = int(np.flatnonzero(found[:, 0] > 0)[0])
    assert 30 < first < 1000
    assert (found[first:, 0] > 0).all(), "later looks take nothing back"
    assert (np.diff(found[30:, 0]) >= 0).all()


def test_a_watch_sees_in_batches_what_looks_see_at_their_ends() -> None:
    d = np.random.default_rng(4).normal(0.1, 1.0, 500)
    watch = Watch()
    for part in np.split(d, [50, 200, 350]):
        watch = watch.seen(part)
    assert watch.n == 500
    assert watch.mean == pytest.approx(d.mean())
    assert watch.squares == pytest.approx(((d - d.mean()) ** 2).sum())
    wide = d.std(ddof=1) * float(radius(500.0))
    assert watch.low >= d.mean() - wide - 1e-12
    every = looks(d)
    assert every[-1, 0] >= watch.low
    assert watch.low == pytest.approx(
        max(d[:m].mean() - d[:m].std(ddof=1) * float(radius(m)) for m in (50, 200, 350, 500))
    )


def test_thirty_units_must_differ_before_anything_is_said() -> None:
    d = np.r_[np.zeros(500), np.full(29, 1.0)]
    watch = Watch().seen(d)
    assert (watch.low, watch.high) == (-math.inf, math.inf)
    assert judge(watch.effect(), delta=0.01).answer == "not-enough-data"
    assert math.isfinite(watch.seen(np.ones(1)).low)
    assert not np.isfinite(looks(d)).any()


def test_a_verdict_is_drawn_from_it() -> None:
    g = np.random.default_rng(5)
    adopted = judge(Watch().seen(g.normal(0.5, 1.0, 2000)).effect(), delta=0.01)
    assert adopted.answer == "adopt"
    assert adopted.probability == pytest.approx(0.975)
    kept = judge(Watch().seen(g.normal(-0.5, 1.0, 2000)).effect(), delta=0.01)
    assert kept.answer == "keep-target-only"


def test_intervals_that_exclude_each_other_say_nothing() -> None:
    watch = Watch(n=1000, mean=0.0, squares=1.0, differ=1000, low=0.5, high=0.1)
    assert watch.effect().says_nothing


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="1 of 2 unit differences are not finite"):
        Watch().seen(np.array([0.0, np.nan]))
    with pytest.raises(UsageError, match=r"level between 0 and 1 .* found 1 and 1000"):
        Watch(level=1.0)
