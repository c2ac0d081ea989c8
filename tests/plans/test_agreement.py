"""A source whose labels point the other way is left out, and only such a source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import acclimate as ac
from acclimate.cli.console import MAY_BE_BACKWARDS, warned
from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_rows
from acclimate.options import Options
from acclimate.plans.agreement import Agreement, agreements, rank_agreement, standard_error
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.regress import Regress
from tests.made_numbers import make_prices


def flipped(domain: Domain) -> Domain:
    rows = domain.tables["rows"]
    label = rows["label"].replace_strict({"0": "1", "1": "0"}, return_dtype=pl.String)
    return replace(domain, tables={"rows": rows.with_columns(label.alias("label"))})


@pytest.fixture(scope="module")
def target() -> Domain:
    return make_rows(Rng.of(1).child("target"), 400, name="target").domain


@pytest.fixture(scope="module")
def source() -> Domain:
    return make_rows(Rng.of(1).child("source"), 400, name="source").domain


def agreement_of(target: Domain, source: Domain) -> Agreement:
    posed = Classify().pose(target, [source], Cut(), Rng.of(0))
    (found,) = agreements(posed.problem, Rng.of(0))
    return found


def test_flipped_labels_contradict_and_the_areas_mirror(target: Domain, source: Domain) -> None:
    same = agreement_of(target, source)
    turned = agreement_of(target, flipped(source))
    assert same.contradicts is False
    assert turned.contradicts is True
    assert "rows backwards, with an AUC of" in str(turned.sentence)
    assert same.value + turned.value == pytest.approx(1, abs=0.05)


def test_chance_alone_is_hardly_ever_called_a_contradiction(
    target: Domain, source: Domain
) -> None:
    # Target labels without any relation to the rows: 0.5 % of 30 would be 0.15.
    rows = target.tables["rows"]
    called = 0
    for seed in range(30):
        shuffled = rows["label"].shuffle(seed=seed)
        tables = {"rows": rows.with_columns(shuffled.alias("label"))}
        called += agreement_of(replace(target, tables=tables), source).contradicts
    assert called <= 2


def test_the_standard_error_is_that_of_the_paper() -> None:
    # Hanley & McNeil 1982, table II: area 0.893 of 51 and 58 images has error 0.032.
    positive = np.r_[np.ones(51, bool), np.zeros(58, bool)]
    assert standard_error(0.893, positive) == pytest.approx(0.032, abs=0.0015)
    assert standard_error(0.5, np.r_[np.ones(50, bool), np.zeros(50, bool)]) == pytest.approx(
        np.sqrt(101 / (12 * 50 * 50)), rel=1e-9
    )


def test_a_contradicting_source_is_never_adopted_and_the_reason_is_said(
    target: Domain, source: Domain
) -> None:
    result = ac.adapt(
        Classify(), [flipped(source)], target, budget_seconds=120, models=("linear",)
    )
    assert result.verdict.answer == "keep-target-only"
    assert "check whether its labels mean the opposite" in result.verdict.sentence
    assert all("rows backwards, with" in row["why"] for row in result.summary["refused"])
    assert not any(row["strategy"] == "pooled" for row in result.summary["leaderboard"])


def test_the_other_sources_go_on(target: Domain, source: Domain) -> None:
    good = replace(source, name="good")
    options = Options(budget_seconds=120, strategies=(), models=("linear",))
    result = ac.adapt(Classify(), [flipped(source), good], target, options=options)
    tried = {row["strategy"] for row in result.summary["leaderboard"]}
    assert {"pooled", "source-only"} <= tried


# ── numbers ─────────────────────────────────────────────────────────────────


def of_prices(slope: float, n: int = 80) -> Agreement:
    target, source = make_prices(1, n, name="jp"), make_prices(2, 300, slope=slope, name="us")
    posed = Regress("price").pose(target, [source], Cut(by="random"), Rng.of(0))
    (found,) = agreements(posed.problem, Rng.of(1))
    return found


def test_prices_that_rise_where_the_targets_fall_contradict_them() -> None:
    alike, turned = of_prices(10.0), of_prices(-10.0)
    assert alike.value > 0.6 and not alike.contradicts and alike.chance == 0
    assert turned.value < -0.4 and turned.contradicts
    assert turned.sentence == (
        "us's labels alone order jp's rows backwards, with a rank correlation of "
        f"{turned.value:.2f} (0.00 is chance); left out: check whether its labels mean the "
        "opposite"
    )
    assert not of_prices(0.0).contradicts


def test_a_rank_correlation_has_the_interval_of_bonett_and_wright() -> None:
    guess = np.arange(20.0)
    y = guess[[1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18]]
    found = rank_agreement(guess, np.exp(y))
    assert found is not None
    # ρ = 1 − 6 Σd² / (n³ − n), with twenty differences of one.
    rho = 1 - 6 * 20 / (20**3 - 20)
    error = ((1 + rho**2 / 2) / 17) ** 0.5
    expected = [np.tanh(np.arctanh(rho) + z * error) for z in (-1.96, 1.96, 2.576)]
    np.testing.assert_allclose(found, [rho, 0.0, *expected], rtol=1e-9)


def test_few_rows_and_a_single_number_say_nothing() -> None:
    assert rank_agreement(np.arange(9.0), np.arange(9.0)) is None
    assert rank_agreement(np.ones(20), np.arange(20.0)) is None


def test_a_source_below_chance_that_few_labels_cannot_settle_may_be_backwards() -> None:
    unsure = Agreement("us", "jp", 0.35, 0.5, 0.15, 0.55, 0.613, 400, 30)
    assert not unsure.contradicts and unsure.may_contradict
    assert unsure.sentence == (
        "us's labels alone order jp's rows with an AUC of 0.35 (0.50 is chance); it may be "
        "backwards, which so few target labels cannot settle: check whether its labels mean "
        "the opposite"
    )
    near = Agreement("us", "jp", 0.45, 0.5, 0.25, 0.65, 0.713, 400, 30)
    assert not near.may_contradict and near.sentence.endswith("(0.50 is chance)")
    sure = Agreement("us", "jp", 0.2, 0.5, 0.1, 0.3, 0.33, 400, 30)
    assert sure.contradicts and not sure.may_contradict
    numbers = Agreement("us", "jp", -0.3, 0.0, -0.6, 0.1, 0.2, 400, 12)
    assert numbers.may_contradict and MAY_BE_BACKWARDS in numbers.sentence
    said = {"gap": [numbers.gap().as_row(), near.gap().as_row()], "markets": []}
    assert warned(said) == [numbers.sentence]
