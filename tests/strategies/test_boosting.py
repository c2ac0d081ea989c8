"""Boosting that goes on: where it begins, what a new tree and a new leaf are worth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from scipy.special import expit, softmax

from acclimate.arrays import Array
from acclimate.domains.exam import Numbers
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Source
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.model import Grows, State
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.parameter.boosting import Boosting, FromTrees, RefitLeaves
from acclimate.strategies.parameter.pretrain import pretrained
from tests.artifacts.test_given import US, posed, rows_alone, written
from tests.contract.cases import answers, cases
from tests.strategies.shapes import chances, market, problem, rows, table, view

RNG = Rng.of(4)
SMALL = Trees(rounds=12)
BOTH: tuple[FromTrees, ...] = (Boosting(), RefitLeaves())


def asked() -> Problem:
    return problem(market(80, 1, flip=-1.0), market(300, 2), on=Statistics.SOURCES)


def of(given: Problem) -> RowView:
    return rows(given.view(given.fit))


def raw(model: Any, seen: RowView) -> Array:
    """What the booster adds up, before it becomes chances."""
    matrix = np.hstack([seen.numeric, seen.codes.astype(float)])
    return np.asarray(model.fitted.booster.predict(matrix, raw_score=True))


def priced(n: int, seed: int) -> RowView:
    """Rows of three numbers, two of which make a price."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 3))
    return view(x, 100 + 20 * x[:, 0] + 5 * np.sign(x[:, 1]), n_classes=0)


def told(n: int, seed: int, n_classes: int) -> RowView:
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 3))
    return view(x, np.digitize(x[:, 0], [0.0, 0.8][: n_classes - 1]), n_classes=n_classes)


# ── more trees ──────────────────────────────────────────────────────────────


def test_no_more_rounds_and_no_new_leaves_are_the_sources_trees_exactly() -> None:
    given = asked()
    start = pretrained(given, SMALL, RNG)
    alone = chances(start.predict(of(given)))
    for strategy in (Boosting(rounds=0), RefitLeaves(decay=1.0)):
        np.testing.assert_array_equal(
            chances(strategy.adapt(given, SMALL, RNG).predict(of(given))), alone
        )
    more = chances(Boosting(rounds=5).adapt(given, SMALL, RNG).predict(of(given)))
    assert np.abs(more - alone).max() > 0.01


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_new_trees_are_those_that_lightgbm_grows_from_the_sources_scores(
    n_classes: int,
) -> None:
    make = priced if not n_classes else lambda n, s: told(n, s, n_classes)
    theirs, own, query = make(200, 1), make(60, 2), make(50, 3)
    start = SMALL.fit(SMALL.prepare(theirs), rng=RNG)
    grown = start.grown(own, 7, rng=RNG)
    label = np.asarray(own.label, float)
    if not n_classes:
        label = (label - np.mean(np.asarray(theirs.label))) / np.std(np.asarray(theirs.label))
    parameters = {
        "objective": {0: "regression", 2: "binary", 3: "multiclass"}[n_classes],
        "num_class": 3 if n_classes == 3 else 1,
        "num_leaves": SMALL.leaves,
        "learning_rate": SMALL.rate,
        "min_data_in_leaf": 6,
        "feature_fraction": 0.8,
        "lambda_l2": 1.0,
        "min_data_per_group": 6,
        "seed": RNG.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    begin = raw(start, own)
    data = lightgbm.Dataset(own.numeric, label, init_score=begin)
    alone = lightgbm.train(parameters, data, 7)
    expected = raw(start, query) + alone.predict(query.numeric, raw_score=True)
    np.testing.assert_allclose(raw(grown, query), expected, rtol=0, atol=1e-12)
    answer = grown.predict(query)
    if not n_classes:
        assert isinstance(answer, Numbers)
        spread = np.std(np.asarray(theirs.label))
        prices = np.mean(np.asarray(theirs.label)) + spread * expected
        np.testing.assert_allclose(answer.y, prices, rtol=1e-12)
    elif n_classes == 2:
        np.testing.assert_allclose(chances(answer)[:, 1], expit(expected), atol=1e-12)
    else:
        np.testing.assert_allclose(chances(answer), softmax(expected, axis=1), atol=1e-12)


def flags(ones: int, zeros: int, high: float, low: float) -> RowView:
    """A yes-or-no column and the number that each of its values has."""
    x = np.r_[np.ones(ones), np.zeros(zeros)][:, None]
    return view(x, np.where(x[:, 0] > 0, high, low), n_classes=0)


def test_a_new_stump_is_what_is_left_of_the_target_by_hand() -> None:
    # Sources: 50 rows of +1, 50 of −1: mean 0, deviation 1.  One tree at rate ½: a leaf is
    # ½ · 50/(50 + 1).  The target has +3 (20 rows) and −1 (10): a stump more, from there.
    model = Trees(leaves=2, rate=0.5, rounds=1, min_rows=1)
    start = model.fit(model.prepare(flags(50, 50, 1.0, -1.0)), rng=RNG)
    was = 0.5 * 50 / 51
    np.testing.assert_allclose(raw(start, flags(1, 1, 0, 0)), [was, -was], rtol=1e-6)
    grown = start.grown(flags(20, 10, 3.0, -1.0), 1, rng=RNG)
    now = [was + 0.5 * 20 * (3 - was) / 21, -was + 0.5 * 10 * (-1 + was) / 11]
    np.testing.assert_allclose(raw(grown, flags(1, 1, 0, 0)), now, rtol=1e-6)


def test_labels_are_read_in_the_unit_of_the_sources() -> None:
    # Sources: 110 and 90, so that 100 is 0 and 10 is 1.
    model = Trees(leaves=2, rate=0.5, rounds=1, min_rows=1)
    start = model.fit(model.prepare(flags(50, 50, 110.0, 90.0)), rng=RNG)
    grown = start.grown(flags(20, 10, 130.0, 90.0), 1, rng=RNG)
    was = 0.5 * 50 / 51
    answer = grown.predict(flags(1, 0, 0.0, 0.0))
    assert isinstance(answer, Numbers)
    assert answer.y[0] == pytest.approx(100 + 10 * (was + 0.5 * 20 * (3 - was) / 21), rel=1e-6)


# ── new leaves ──────────────────────────────────────────────────────────────


def coins(ones: tuple[int, int], zeros: tuple[int, int]) -> RowView:
    """A yes-or-no column and how often each value is of class 0 and of class 1."""
    x = np.repeat([1.0, 1.0, 0.0, 0.0], [*ones, *zeros])[:, None]
    return view(x, np.repeat([0, 1, 0, 1], [*ones, *zeros]))


STUMP = Trees(leaves=2, rate=0.5, rounds=1, min_rows=1)
ASKED = coins((1, 0), (1, 0))


@pytest.mark.parametrize(("more", "step"), [(0, 0.5), (40, 1.0)])
def test_leaves_of_the_target_alone_are_those_of_a_stump_by_hand(
    more: int, step: float
) -> None:
    # From 0, p = ½: Σg = 10·½ − 30·½ and Σh = 40·¼.  A first tree that holds the sources'
    # share of classes, which is ½ without `more`, takes the whole step.
    start = STUMP.fit(STUMP.prepare(coins((20, 80), (80, 20 + more))), rng=RNG)
    anew = start.releaved(coins((10, 30), (12, 4)), 0.0)
    gained = [(30 * 0.5 - 10 * 0.5) / (40 / 4 + 1), (4 * 0.5 - 12 * 0.5) / (16 / 4 + 1)]
    leaves = step * np.array(gained)
    np.testing.assert_allclose(raw(anew, ASKED), leaves, rtol=1e-6)
    was = raw(start, ASKED)
    between = start.releaved(coins((10, 30), (12, 4)), 0.7)
    expected = 0.7 * was + 0.3 * leaves
    np.testing.assert_allclose(raw(between, ASKED), expected, rtol=1e-6)


def test_a_leaf_without_target_rows_stays_as_it_was() -> None:
    start = STUMP.fit(STUMP.prepare(coins((20, 80), (80, 20))), rng=RNG)
    was = raw(start, ASKED)
    one_sided = raw(start.releaved(coins((10, 30), (0, 0)), 0.0), ASKED)
    assert one_sided[1] == was[1] and one_sided[0] == pytest.approx(5 / 11, rel=1e-6)


def test_rows_count_by_their_weight_in_new_leaves_and_new_trees() -> None:
    start = STUMP.fit(STUMP.prepare(coins((20, 80), (80, 20))), rng=RNG)
    twice, once = coins((20, 60), (24, 8)), coins((10, 30), (12, 4))
    heavy = np.full(once.n, 2.0)
    for ours, theirs in (
        (start.releaved(once, 0.3, weight=heavy), start.releaved(twice, 0.3)),
        (start.grown(once, 1, weight=heavy, rng=RNG), start.grown(twice, 1, rng=RNG)),
    ):
        np.testing.assert_allclose(raw(ours, ASKED), raw(theirs, ASKED), rtol=1e-6)
    half = coins((0, 30), (12, 0))  # what is left where 14 rows weigh nothing
    weight = (np.asarray(once.label) == once.numeric[:, 0]).astype(float)
    np.testing.assert_array_equal(
        raw(start.releaved(once, 0.3, weight=weight), ASKED),
        raw(start.releaved(half, 0.3), ASKED),
    )


# ── around them ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("strategy", BOTH, ids=lambda each: each.kind)
def test_what_is_saved_comes_back_exactly(strategy: FromTrees) -> None:
    given = asked()
    model: Any = strategy.adapt(given, SMALL, RNG)
    state = model.state()
    meta = json.loads(json.dumps(state.meta))
    back = Trees.restore(State(state.kind, meta, state.tensors))
    ours, theirs = model.predict(of(given)), back.predict(of(given))
    np.testing.assert_array_equal(chances(ours), chances(theirs))


def test_text_columns_are_those_the_sources_trees_read() -> None:
    # The target's rows alone would have kept other columns, and others' places.
    g = np.random.default_rng(0)
    words = (g.random((200, 12)) < 0.4) * 1.0
    label = words[:, 7].astype(np.int64)
    theirs = view(g.standard_normal((200, 1)), label, sparse=words)
    few = words[:40].copy()
    few[:, :6] = 0.0
    own = view(g.standard_normal((40, 1)), label[:40], sparse=few)
    start = SMALL.fit(SMALL.prepare(theirs), rng=RNG)
    for after in (start.grown(own, 3, rng=RNG), start.releaved(own, 0.5)):
        says = chances(after.predict(own))[:, 1]
        assert says[label[:40] == 1].min() > says[label[:40] == 0].max()


def test_trees_handed_on_are_gone_on_from() -> None:
    given = asked()
    chain = Chain((SourceOnly(), Boosting(rounds=0)))
    _, after = chain.step(given, SMALL, RNG)
    _, before = SourceOnly().step(given, SMALL, RNG.child("0"))
    np.testing.assert_array_equal(
        chances(after.predict(of(given))), chances(before.predict(of(given)))
    )


@pytest.mark.parametrize("strategy", [Boosting(rounds=0), RefitLeaves(decay=1.0), *BOTH])
def test_an_artifact_is_gone_on_from_without_its_rows(
    strategy: FromTrees, tmp_path: Path
) -> None:
    model = Trees(rounds=6)
    _, fitted = rows_alone(model)
    given = posed([written(tmp_path, US, fitted)])
    arm = Arm(strategy, model)
    assert arm.why_not(given.problem) is None
    found, served = arm.fit(given.problem, RNG), cases(given)
    moved = strategy in BOTH
    for ours, theirs in zip(answers(found, served), answers(fitted, served), strict=True):
        assert (np.abs(ours - theirs).max() > 1e-3) == moved
    assert isinstance(found.model, Grows)


@pytest.mark.parametrize("strategy", BOTH, ids=lambda each: each.kind)
def test_what_has_no_trees_is_refused(strategy: FromTrees) -> None:
    why = strategy.why_not(asked(), Linear())
    assert why == "linear has no trees that others could follow or whose leaves move"


@pytest.mark.parametrize("strategy", BOTH, ids=lambda each: each.kind)
def test_sources_with_one_label_or_none_are_refused(strategy: FromTrees) -> None:
    target, theirs = market(60, 1), market(60, 2)
    assert theirs.label is not None
    single = replace(theirs, label=np.ones(60, np.int64))
    why = strategy.why_not(problem(target, single), SMALL)
    assert why == "the rows of the sources hold a single label, which no tree explains"
    why = strategy.why_not(problem(target, theirs.unlabelled()), SMALL)
    assert why == "source 's0' has no labelled rows to learn from"


def test_a_class_that_the_sources_lack_is_refused() -> None:
    g = np.random.default_rng(0)
    names = ("a", "b", "c")
    target = table(g.standard_normal((30, 2)), np.arange(30) % 3, classes=names)
    theirs = table(g.standard_normal((60, 2)), np.arange(60) % 2, classes=names)
    why = Boosting().why_not(problem(target, theirs), SMALL)
    assert why == "the sources' trees know no c, which the target has"
    assert Boosting().why_not(problem(theirs, target), SMALL) is None
    start = SMALL.fit(SMALL.prepare(told(60, 0, 2)), rng=RNG)
    assert start.fitted is not None
    start = replace(start, fitted=replace(start.fitted, classes=np.array([True, True, False])))
    with pytest.raises(StrategyError, match=r"among the 2 classes .* found \d+ rows of others"):
        start.grown(told(60, 0, 3), 1, rng=RNG)


def test_sources_by_name_tell_apart_what_the_target_lacks() -> None:
    # Class b is known of the sources alone, and stays as likely as they say.
    theirs, own = told(200, 1, 3), told(60, 2, 2)
    own = replace(own, label=np.asarray(own.label) * 2, n_classes=3)
    start = SMALL.fit(SMALL.prepare(theirs), rng=RNG)
    p = chances(start.grown(own, 10, rng=RNG).predict(own))
    assert p.shape == (60, 3) and (p[:, 1] > 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0)


def test_target_rows_of_a_single_class_grow_no_tree() -> None:
    start = SMALL.fit(SMALL.prepare(told(200, 1, 2)), rng=RNG)
    own = replace(told(60, 2, 2), label=np.zeros(60, np.int64))
    assert start.grown(own, 5, rng=RNG) is start


def test_trees_that_split_on_nothing_stay_as_they_are() -> None:
    flat = replace(told(60, 2, 2), label=np.zeros(60, np.int64))
    start = SMALL.fit(SMALL.prepare(flat), rng=RNG)
    assert start.grown(told(60, 0, 2), 3, rng=RNG) is start
    assert start.releaved(told(60, 0, 2), 0.5) is start


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match="Expected 0 rounds or more, found -1"):
        Boosting(rounds=-1)
    with pytest.raises(StrategyError, match=r"Expected a decay from 0 to 1, found 1\.2"):
        RefitLeaves(decay=1.2)


def test_source_weights_reach_the_trees_gone_on_from() -> None:
    theirs = market(300, 2)
    assert theirs.label is not None
    half = (np.arange(300) < 150).astype(float)
    heavy = Source("s0", theirs, weight=half)
    part = problem(market(80, 1), theirs.take(np.arange(150)), on=None)
    whole = problem(market(80, 1), theirs, on=Statistics.SOURCES)
    start = pretrained(whole.with_sources([heavy]), SMALL, RNG)
    few = pretrained(replace(part, encoder=whole.encoder), SMALL, RNG)
    seen = of(whole)
    np.testing.assert_array_equal(chances(start.predict(seen)), chances(few.predict(seen)))
