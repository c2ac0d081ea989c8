"""Whom a transfer hurts: groups are named where they are shown to lose, and rarely else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.rng import Rng
from acclimate.verdicts import Contrast, judge, paired_effect
from acclimate.verdicts.segments import groups, of_units
from acclimate.verdicts.verdict import Verdict


def test_a_group_that_loses_by_what_helps_on_average_is_named() -> None:
    g = np.random.default_rng(0)
    d = g.normal(0.2, 1.0, 1000)
    d[:150] -= 0.8
    members = {"old": np.arange(150), "new": np.arange(150, 1000), "few": np.arange(29)}
    found = groups(Contrast.of_means(d), members, Rng.of(0), 0.05)
    assert [group.segment for group in found] == ["old", "new"]
    assert found[0].hurt and not found[1].hurt
    assert found[0].effect == pytest.approx(d[:150].mean())
    assert "old (-0.537, " in str(found[0])


def test_with_many_groups_and_no_harm_hardly_any_is_named() -> None:
    """20 groups at 5 % each would be named in one draw of three (2.5 % a side)."""
    g, named = np.random.default_rng(1), 0
    members = {f"g{k}": np.arange(50 * k, 50 * k + 50) for k in range(20)}
    for draw in range(60):
        d = g.normal(0.0, 1.0, 1000)
        found = groups(Contrast.of_means(d), members, Rng.of(draw), 0.05)
        named += any(group.hurt for group in found)
    # At 2.5 % a draw: six or more of 60 have a probability of 0.4 %.
    assert named <= 5


def test_intervals_are_shared_among_the_groups() -> None:
    d = np.random.default_rng(2).normal(0.0, 1.0, 400)
    one = groups(Contrast.of_means(d), {"a": np.arange(200)}, Rng.of(0), 0.05)[0]
    both = groups(
        Contrast.of_means(d), {"a": np.arange(200), "b": np.arange(200, 400)}, Rng.of(0), 0.05
    )
    half = paired_effect(Contrast.of_means(d[:200]), Rng.of(0).child("a"), 0.025)
    shared = next(group for group in both if group.segment == "a")
    assert (shared.low, shared.high) == (half.low, half.high)
    assert shared.high - shared.low > one.high - one.low


def test_a_statistic_of_some_units_gives_the_others_no_weight() -> None:
    x = np.arange(10.0)
    whole = Contrast.of_statistic(10, lambda w: (w @ x) / w.sum(axis=1))
    some = of_units(whole, np.array([2, 4]))
    assert some.n == 2
    assert some.statistic(np.array([[1.0, 3.0]]))[0] == pytest.approx((2 + 3 * 4) / 4)
    weighted = of_units(Contrast.of_means(x, x + 1), np.array([2, 4]))
    assert weighted.statistic(np.ones((1, 2)))[0] == pytest.approx((3 * 2 + 5 * 4) / 8)


def test_a_verdict_says_whom_it_hurts_and_is_read_back() -> None:
    d = np.r_[np.full(150, -0.5), np.full(850, 0.5)] + np.random.default_rng(3).normal(
        0, 1, 1000
    )
    effect = paired_effect(Contrast.of_means(d), Rng.of(0))
    named = groups(Contrast.of_means(d), {"old": np.arange(150)}, Rng.of(0), 0.05)
    verdict = replace(judge(effect, delta=0.01), hurt=named)
    assert "; but it hurts old (-0." in verdict.sentence
    assert Verdict.from_row(verdict.as_row()) == verdict
    before = {key: value for key, value in verdict.as_row().items() if key != "hurt"}
    assert Verdict.from_row(before).hurt == ()
