"""Meta-learning: what it makes of tasks that differ, what it holds, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Array
from acclimate.domains.episodes import Episodes
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Derived, Source
from acclimate.errors import StrategyError
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import idle
from acclimate.rng import Rng
from acclimate.strategies.catalogue import strategies
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.adversarial import AdapterDann
from acclimate.strategies.meta import episodic
from acclimate.strategies.meta.episodic import Lessons
from acclimate.strategies.meta.inner import Learner
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.meta.metahead import MetaHead
from acclimate.strategies.multitask.sharing import HardSharing
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import (
    MODEL,
    NONE,
    changed,
    market,
    problem,
    rows_view,
    scores,
    tensors,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
HEAD = {"head.weight", "head.bias"}
QUICK: dict[str, Any] = {"rounds": 6, "shots": 8, "queries": 8, "most": 4}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodic, "_META", Derived())


def asked(**options: Any) -> Problem:
    markets = market(60, 1), market(120, 2), market(90, 3)
    return problem(*markets, **{"on": Statistics.SOURCES} | options)


# ── tasks that differ ───────────────────────────────────────────────────────────


def turned(n: int, seed: int, angle: float) -> Rows:
    """Rows whose label depends on two numbers in a direction of the market's own."""
    g = np.random.default_rng(seed)
    x = g.normal(size=(n, 2))
    score = 4 * (np.cos(angle) * x[:, 0] + np.sin(angle) * x[:, 1])
    return Rows(
        pl.DataFrame({"a": x[:, 0], "b": x[:, 1]}),
        {"a": ColumnType.NUMERIC, "b": ColumnType.NUMERIC},
        ("no", "yes"),
        (score + g.logistic(size=n) > 0).astype(np.int64),
    )


def family(seed: int) -> tuple[Problem, Rows]:
    """Ten markets that turn the same way round, a new one with 16 labels, and its future."""
    angles = np.random.default_rng(100 + seed).uniform(0, 2 * np.pi, 11)
    sources = tuple(Source(f"s{k}", turned(80, 1000 * seed + k, angles[k])) for k in range(10))
    fit = turned(16, 1000 * seed + 77, angles[-1])
    bare = Problem("t", fit, sources, Claim.LATER, RowRecipe())
    return bare.encoded(Statistics.SOURCES), turned(1000, 1000 * seed + 99, angles[-1])


def log_loss(p: Array, rows: Rows) -> float:
    assert rows.label is not None
    return float(-np.log(p[np.arange(rows.n), rows.label]).mean())


def after_five_steps(network: Any, given: Problem, test: Rows, alpha: float) -> float:
    prepared = network.prepare(rows_view(given.view(given.fit)))
    learner = Learner(network.loss, frozenset(network.parameters()), alpha)
    rows = dict(network.stream(prepared).tensors)
    moved = learner.descend(network.parameters(), rows, 5, RNG)
    return log_loss(scores(network.holding(prepared, moved), given, test), test)


@pytest.mark.parametrize("order", [1, 2])
def test_a_few_steps_go_further_from_what_was_meta_learned_than_from_what_was_pooled(
    order: int,
) -> None:
    """Pooled, markets that turn every way teach nothing; how to turn is what they share."""
    model, alpha = MixedNetwork(width=16), 0.3
    ours, pooled, still = [], [], []
    for seed in range(2):
        given, test = family(seed)
        strategy = Maml(alpha=alpha, order=order, rounds=80, shots=16, queries=16)
        meta = strategy.start(given, model, RNG, idle)
        ours.append(after_five_steps(meta, given, test, alpha))
        still.append(log_loss(scores(meta, given, test), test))
        pooled.append(after_five_steps(pretrained(given, model, RNG), given, test, alpha))
    assert np.mean(ours) < np.mean(pooled) - 0.05, (ours, pooled)
    assert max(ours) < min(still) - 0.05, (ours, still)


# ── what begins where, and what moves ───────────────────────────────────────────


def test_without_rounds_it_descends_from_what_the_sources_taught_together() -> None:
    given = asked()
    begin = pretrained(given, MODEL, RNG)
    assert not changed(begin, Maml(rounds=0).start(given, MODEL, RNG, idle))
    fresh = Maml(rounds=0, fresh=True).start(given, MODEL, RNG, idle)
    assert changed(begin, fresh) == set(tensors(begin))
    assert not tensors(fresh)["head.bias"].any()


@pytest.mark.parametrize("strategy", [Maml(**QUICK), Maml(inner="head", **QUICK)])
def test_meta_learning_moves_every_parameter(strategy: Maml) -> None:
    given = asked()
    begin = pretrained(given, MODEL, RNG)
    assert changed(begin, strategy.start(given, MODEL, RNG, idle)) == set(tensors(begin))


def test_the_target_is_descended_on_as_far_as_its_held_out_rows_bear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folds = []

    def best(self: Learner, params: Any, rows: Any, fold: Any, *args: Any) -> int:
        folds.append(np.bincount(fold).tolist())
        return 2

    monkeypatch.setattr(Learner, "best_stop", best)
    given, strategy = asked(), Maml(**QUICK)
    served = strategy.adapt(given, MODEL, RNG)
    start = strategy.start(given, MODEL, RNG, idle)
    prepared = start.prepare(given.view(given.fit))
    learner = Learner(start.loss, frozenset(start.parameters()), strategy.alpha)
    rows = dict(start.stream(prepared).tensors)
    moved = learner.descend(start.parameters(), rows, 2, RNG)
    assert not changed(served, start.holding(prepared, moved))
    assert folds == [[12] * 5]


def test_the_descent_of_anil_moves_the_head_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner, "best_stop", lambda *args: 3)
    given = asked()
    for strategy, moves in ((Maml(inner="head", **QUICK), HEAD), (Maml(**QUICK), None)):
        start = strategy.start(given, MODEL, RNG, idle)
        served = strategy.adapt(given, MODEL, RNG)
        assert changed(start, served) == (moves or set(tensors(start)))


def test_the_body_a_meta_learned_head_stands_on_comes_back_bit_for_bit() -> None:
    given = asked()
    begin = pretrained(given, MODEL, RNG)
    assert changed(begin, MetaHead(**QUICK).adapt(given, MODEL, RNG)) == HEAD


def test_features_made_once_give_the_head_that_features_made_anew_do() -> None:
    """The head's meta-gradient through the whole network equals that on kept features."""

    class Whole(MetaHead):
        seen = Maml.seen

    given = asked()
    kept = MetaHead(**QUICK).start(given, MODEL, RNG, idle)
    anew = Whole(**QUICK).start(given, MODEL, RNG, idle)
    for name in HEAD:
        np.testing.assert_allclose(tensors(kept)[name], tensors(anew)[name], atol=1e-5)


def test_order_and_descent_and_tasks_are_settings_that_count() -> None:
    given = asked()
    base = Maml(**QUICK)
    first = base.start(given, MODEL, RNG, idle)
    for other in (
        replace(base, order=1),
        replace(base, descent=1),
        replace(base, tasks=2),
        replace(base, alpha=0.5),
        replace(base, own=True),
        replace(base, by="category"),
    ):
        assert changed(first, other.start(given, MODEL, RNG, idle))


def test_the_chain_keeps_the_shared_body_and_the_aligned_adapter_bit_for_bit() -> None:
    """Multi-task body → frozen → aligned adapter → meta-learned head, as one arm."""
    given, steps = asked(on=Statistics.BOTH), (HardSharing(), AdapterDann(), MetaHead(**QUICK))
    shared = HardSharing().adapt(given, MODEL, RNG.child("0"))
    aligned = AdapterDann().adapt(given, shared, RNG.child("1"))
    _, fitted = Chain(steps).step(given, MODEL, RNG)
    before, between, after = map(tensors, (shared, aligned, fitted))
    adapter = {name for name in after if name.startswith("adapter.")}
    body = set(before) - HEAD
    assert adapter and set(after) == body | adapter | HEAD
    assert all(np.array_equal(after[name], before[name]) for name in body)
    assert all(np.array_equal(after[name], between[name]) for name in adapter)
    assert between["adapter.up.weight"].any()
    assert not any(np.array_equal(after[name], before[name]) for name in HEAD)


def test_the_catalogue_holds_the_whole_recipe_and_every_way_of_tasks() -> None:
    known = strategies()
    assert {"maml", "maml-users", "maml-categories", "anil", "meta-head"} <= set(known)
    recipe = known["hard-sharing + adapter-dann + meta-head"]
    assert isinstance(recipe, Chain) and len(recipe.models(MODEL)) == 1
    assert Maml(by="entity", inner="head").kind == "anil-users"
    assert Maml(order=1).kind == "fomaml" and Maml(by="entity", order=1).kind == "fomaml-users"
    assert known["fomaml"] == Maml(order=1) and not known["fomaml"].unasked
    assert known["maml"].unasked and replace(Maml(order=1), order=2).unasked
    assert replace(Maml(inner="head"), inner="all").kind == "maml"


@pytest.mark.parametrize(
    ("kind", "names", "shots"),
    [
        ("maml", {"us", "de"}, 32),
        ("maml-users", {f"{m} user {k}" for m in ("us", "de") for k in range(5)}, 8),
        ("maml-categories", {f"{m} brand {k}" for m in ("us", "de") for k in range(6)}, 16),
    ],
)
def test_tasks_are_what_the_kind_says(
    kind: str, names: set[str], shots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned_from: list[Episodes] = []

    def learned(self: Maml, model: Any, lessons: Lessons, *rest: Any) -> Any:
        learned_from.append(lessons.episodes)
        return model.holding(lessons.prepared, lessons.params)

    def of_users(rows: Rows) -> Rows:
        return replace(rows, entity=np.array([f"user {k % 5}" for k in range(rows.n)]))

    monkeypatch.setattr(Maml, "learned", learned)
    given = problem(
        market(60, 1), of_users(market(300, 2)), of_users(market(300, 3)), on=Statistics.SOURCES
    )
    strategy = strategies()[kind]
    assert isinstance(strategy, Maml)
    replace(strategy, fresh=True).start(given, MODEL, RNG, idle)
    (episodes,) = learned_from
    assert {group.name for group in episodes.groups} == names
    assert (episodes.shots, episodes.queries) == (shots, shots)


# ── what is learned once, and from which rows ───────────────────────────────────


def test_meta_learning_is_done_once_for_all_folds_of_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned = []
    meta_learned = Maml.meta_learned

    def counted(self: Maml, *args: Any) -> Any:
        learned.append(self.own)
        return meta_learned(self, *args)

    monkeypatch.setattr(Maml, "meta_learned", counted)
    monkeypatch.setattr(Learner, "best_stop", lambda *args: 1)
    given, strategy = asked(), Maml(**QUICK)
    for number, (fold, _) in enumerate(given.inner(3, RNG)):
        strategy.adapt(fold, MODEL, RNG.child(number))
    assert learned == [False]
    for fold, _ in given.inner(3, RNG):
        replace(strategy, own=True).adapt(fold, MODEL, RNG)
    assert learned == [False, True, True, True]
    strategy.adapt(given.with_sources(given.sources[::-1]), MODEL, RNG)
    strategy.adapt(given, MODEL, Rng.of(4))
    strategy.adapt(given, pretrained(given, MODEL, RNG), RNG)  # handed on: never kept
    strategy.adapt(given, pretrained(given, MODEL, RNG), RNG)
    assert len(learned) == 8


def test_rows_of_a_source_without_weight_teach_nothing() -> None:
    given = asked()
    strategy = Maml(fresh=True, **QUICK)
    weight = np.r_[np.zeros(40), np.ones(80)]
    ours = strategy.start(given.weighed({"us": weight}), MODEL, RNG, idle)
    flipped = market(120, 2)
    assert flipped.label is not None
    label = flipped.label.copy()
    label[:40] = 1 - label[:40]
    other = replace(given.sources[0], held=replace(flipped, label=label))
    theirs = strategy.start(
        given.with_sources([other, given.sources[1]]).weighed({"us": weight}), MODEL, RNG, idle
    )
    assert not changed(ours, theirs)
    assert changed(ours, strategy.start(given, MODEL, RNG, idle))


def test_the_target_is_no_task_unless_asked_for() -> None:
    given = asked()
    other = given.with_fit(market(60, 8))
    for own, moves in ((False, False), (True, True)):
        strategy = Maml(own=own, **QUICK)
        one, two = (strategy.start(each, MODEL, RNG, idle) for each in (given, other))
        assert bool(changed(one, two)) == moves


def test_a_source_alone_teaches_a_head_by_its_categories() -> None:
    given = asked()
    alone = given.with_sources(given.sources[:1])
    assert Maml(**QUICK).why_not(alone, MODEL) is not None
    assert MetaHead(**QUICK).why_not(alone, MODEL) is None
    assert MetaHead(**QUICK).episodes(alone, RNG).by == "category"
    assert MetaHead(**QUICK).episodes(given, RNG).by == "domain"
    assert changed(pretrained(alone, MODEL, RNG), MetaHead(**QUICK).adapt(alone, MODEL, RNG))


def test_same_key_same_answer_and_inputs_unchanged() -> None:
    given, test = asked(), market(40, 9)
    before = given.fit.fingerprint, [source.fingerprint for source in given.sources]
    first = scores(Maml(**QUICK).adapt(given, MODEL, RNG), given, test)
    episodic._META = Derived()
    again = Maml(**QUICK).adapt(given, MODEL, RNG)
    assert np.array_equal(first, scores(again, given, test))
    assert before == (given.fit.fingerprint, [source.fingerprint for source in given.sources])


# ── mistakes ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 0.0},
        {"rate": -1.0},
        {"descent": 0},
        {"tasks": 0},
        {"rounds": -1},
        {"most": -1},
    ],
)
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected a finite alpha and rate above 0"):
        Maml(**settings)


@pytest.mark.parametrize("settings", [{"inner": "body"}, {"order": 3}])
def test_inner_loops_that_are_not_known_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected an inner loop over 'all' or the 'head'"):
        Maml(**settings)


def test_a_target_without_rows_is_refused() -> None:
    given = asked()
    why = Maml().why_not(given.with_fit(market(9, 1).take(NONE)), MODEL)
    assert why == "the target has no labelled rows to fit on"


def test_tick_that_raises_ends_the_training_and_keeps_nothing() -> None:
    """The second tick is that of the outer loop's first step."""
    calls = []

    def tick() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        Maml(fresh=True, **QUICK).adapt(asked(), MODEL, RNG, tick)
    assert not episodic._META._values
