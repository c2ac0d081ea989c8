"""Chains: steps in order, each on what the one before left, and what the whole then is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from acclimate.artifacts.states import pack, unpack
from acclimate.domains.moved import Affine, Moved
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model, Tick, idle
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.blend import Blend
from acclimate.strategies.chain import MOST_TRIED, Chain
from acclimate.strategies.feature.coral import Coral
from acclimate.strategies.instance.tradaboost import TrAdaBoost
from acclimate.strategies.instance.weighting import DensityRatio
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.pretrain import pretrained
from acclimate.strategies.strategy import Adapt, Reshape, Strategy
from tests.contract.content import content
from tests.strategies.shapes import RNG, chances, market, problem, rows

LOG: list[tuple[str, str]] = []


@dataclass(frozen=True)
class Shout(Adapt):
    """Writes down when it was its turn, and with which key."""

    word: str = "shout"
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 2
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", self.word)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        tick()
        LOG.append((self.word, rng.key))
        assert isinstance(model, Linear)
        return replace(model, penalty=model.penalty * 2 + len(LOG))


# ── order ───────────────────────────────────────────────────────────────────


def test_steps_take_their_turn_in_order_each_on_the_model_of_the_one_before() -> None:
    LOG.clear()
    chain = Chain((Shout("one"), Shout("two"), Shout("three")))
    given = problem(market(20, 1), market(20, 2))
    same, model = chain.step(given, Linear(1.0), RNG)
    assert [word for word, _ in LOG] == ["one", "two", "three"]
    assert len({key for _, key in LOG}) == 3
    assert isinstance(model, Linear) and model.penalty == ((1 * 2 + 1) * 2 + 2) * 2 + 3
    assert same is given


def test_reshaping_before_weighing_is_not_weighing_before_reshaping() -> None:
    given = problem(market(60, 1, shift=1.0), market(90, 2))
    weights = []
    for steps in ((Coral(0.01), DensityRatio()), (DensityRatio(), Coral(0.01))):
        after, _ = Chain((*steps, Pooled())).step(given, Linear(), RNG)
        source = after.sources[0]
        assert source.view is not None and source.weight is not None
        weights.append(source.weight)
    by_hand = Coral(0.01).reshape(given, RNG)
    key = RNG.child("1")
    np.testing.assert_array_equal(
        weights[0], np.asarray(DensityRatio().weigh(by_hand, key).sources[0].weight)
    )
    assert not np.allclose(weights[0], weights[1])


def test_a_chain_is_the_steps_one_after_another() -> None:
    given = problem(market(60, 1), market(90, 2))
    asked = rows(given.view(market(10, 3).unlabelled()))
    _, whole = Chain((Coral(), Pooled())).step(given, Linear(), RNG)
    by_hand = Pooled().adapt(Coral().reshape(given, RNG), Linear(), RNG)
    assert isinstance(whole, Linear) and isinstance(by_hand, Linear)
    np.testing.assert_array_equal(whole.predict(asked).p, by_hand.predict(asked).p)


@pytest.mark.skipif(MixedNetwork().why_not() is not None, reason="PyTorch is not installed")
def test_finetune_after_source_only_is_finetune() -> None:
    # Finetune alone pretrains under a key of its own, which the first step here takes over.
    given = problem(market(40, 1), market(60, 2), on=Statistics.SOURCES)
    model, tune = MixedNetwork(epochs=1, width=8), FineTune(layers="all")
    asked = rows(given.view(market(10, 3).unlabelled()))
    key = RNG.child("1")
    alone = tune.adapt(given, model, key)

    @dataclass(frozen=True)
    class Taught(SourceOnly):
        def adapt(self, problem: Problem, model: Any, rng: Rng, tick: Tick = idle) -> Model:
            learned: Model = pretrained(problem, model, rng, tick)
            return learned

    _, chained = Chain((Taught(), tune)).step(given, model, RNG)
    np.testing.assert_array_equal(
        chances(chained.predict(asked)), chances(alone.predict(asked))
    )
    _, plain = Chain((SourceOnly(), tune)).step(given, model, RNG)
    start = SourceOnly().adapt(given, model, RNG.child("0"))
    again = tune.adapt(given, start, key)
    np.testing.assert_array_equal(chances(plain.predict(asked)), chances(again.predict(asked)))


def test_the_budget_is_asked_before_every_step() -> None:
    ticks: list[int] = []
    given = problem(market(20, 1), market(20, 2))
    Chain((Shout("one"), Shout("two"))).step(given, Linear(), RNG, lambda: ticks.append(1))
    assert len(ticks) >= 4


# ── what follows from the steps ─────────────────────────────────────────────


@dataclass(frozen=True)
class Moments(Reshape):
    """Reads no rows."""

    kind: ClassVar[str] = "moments"
    complexity: ClassVar[int] = 1
    reads: ClassVar[frozenset[str]] = frozenset({"moments"})

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        return problem


def test_what_a_chain_is_follows_from_its_steps() -> None:
    chain = Chain((Moments(), SourceOnly(), FineTune(layers="head")))
    assert chain.kind == "moments + source-only + finetune-head"
    assert chain.reads == {"moments", "rows"}
    assert chain.statistics == SourceOnly.statistics == Statistics.SOURCES
    assert chain.complexity == 1 + 1 + 4
    assert chain.reads_fit and chain.needs_labels and chain.transfers
    blind = Chain((Coral(), SourceOnly()))
    assert not blind.reads_fit and not blind.needs_labels
    assert Chain((Coral(), Pooled())).statistics == Statistics.BOTH
    assert Chain((DensityRatio(), TrAdaBoost())).hands_on  # asked of steps alone


def test_chains_do_not_change_the_classes_of_their_steps() -> None:
    Chain((Coral(), SourceOnly()))
    assert Chain((Coral(), Pooled())).reads_fit
    assert Coral.kind == "coral" and not hasattr(Chain, "kind")


def test_settings_are_tried_one_step_at_a_time_and_six_at_most() -> None:
    given = problem(market(20, 1), market(20, 2))
    chain = Chain((Coral(), DensityRatio(), FineTune(layers="all")))
    tried = chain.grid(given)
    assert tried[0] == chain and len(tried) == MOST_TRIED == 6
    assert len(set(tried)) == 6
    for each in tried[1:]:
        assert isinstance(each, Chain) and each.kind == chain.kind
        changed = [a != b for a, b in zip(each.steps, chain.steps, strict=True)]
        assert sum(changed) == 1
    last_first = [
        next(n for n, (a, b) in enumerate(zip(each.steps, chain.steps, strict=True)) if a != b)
        for each in tried[1:]
        if isinstance(each, Chain)
    ]
    assert last_first == [2, 2, 2, 1, 1]
    assert len(Chain((Coral(), Pooled())).grid(given)) == 3
    twice = Chain((FineTune(layers="all"), FineTune(layers="head")))
    assert len(twice.grid(given)) == MOST_TRIED // 2


def test_a_chain_tries_the_models_that_its_dearest_step_would() -> None:
    chain = Chain((DensityRatio(), TrAdaBoost()))
    assert chain.models(Linear()) == TrAdaBoost().models(Linear())
    assert Chain((Coral(), Pooled())).models(Linear()) == Linear().grid()


def test_settings_of_every_step_are_told_apart() -> None:
    arm = Arm(Chain((Coral(0.1), DensityRatio(), Pooled())), Linear())
    steps = arm.settings["strategy"]["steps"]
    assert steps["0 coral"] == {"shrink": 0.1}
    assert set(steps) == {"0 coral", "1 density-ratio", "2 pooled"}


# ── refusals ────────────────────────────────────────────────────────────────


def test_the_first_step_that_refuses_speaks_for_the_chain() -> None:
    given = problem(market(20, 1), market(20, 2), on=None)
    chain = Chain((DensityRatio(), FineTune(layers="all")))
    assert chain.why_not(given, Ease()) == "ease takes no row weights"
    why = chain.why_not(given, Trees())
    assert why is not None and why.startswith("trees has no layers")
    learned = Source(
        "theirs", None, frozenset({"fitted"}), Arm(SourceOnly(), Linear()).fit(given, RNG)
    )
    assert Chain((Coral(), SourceOnly())).why_not(
        problem(market(20, 1), learned, on=None), Linear()
    ) == ("source 'theirs' does not share its rows")
    assert chain.why_not(given.with_sources([]), Linear()) == "there is no source"


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ((), "nothing"),
        ((Pooled(),), "pooled"),
        ((Coral(),), "coral"),
        ((Coral(), DensityRatio()), r"coral \+ density-ratio"),
        ((Pooled(), Coral()), r"pooled \+ coral"),
        ((Coral(), Chain((Coral(), Pooled()))), r"coral \+ coral \+ pooled"),
    ],
)
def test_a_chain_without_an_end_that_fits_is_refused(
    steps: tuple[Strategy, ...], found: str
) -> None:
    says = (
        f"Expected a chain of steps that ends in one which fits a model, found {found}. Add one"
    )
    with pytest.raises(StrategyError, match=says):
        Chain(steps)


@pytest.mark.parametrize(
    "steps", [(Coral(), Blend()), (Pooled(), Blend()), (Blend(), Pooled())]
)
def test_what_reads_every_market_in_its_own_encoding_stands_alone(
    steps: tuple[Strategy, ...],
) -> None:
    kinds = r" \+ ".join(step.kind for step in steps)
    says = f"found blend in {kinds}: it reads every market in its own encoding. Let it stand"
    with pytest.raises(StrategyError, match=says):
        Chain(steps)


def test_what_ends_in_several_models_stands_last() -> None:
    says = (
        r"found tradaboost in tradaboost \+ pooled: it ends in several models, and none to go"
    )
    with pytest.raises(StrategyError, match=says):
        Chain((TrAdaBoost(), Pooled()))
    assert Chain((Coral(), TrAdaBoost())).kind == "coral + tradaboost"


# ── reshaping the target too ────────────────────────────────────────────────


@dataclass(frozen=True)
class Double(Reshape):
    """Source rows one further, target rows twice as far from the origin."""

    by: float = 2.0

    kind: ClassVar[str] = "double"
    complexity: ClassVar[int] = 1

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        views, width = {}, 0
        for source in problem.sources:
            view = rows(problem.source_view(source))
            width = view.numeric.shape[1]
            views[source.name] = replace(view, numeric=view.numeric + 1)
        move = Affine(np.full(width, 0.5), self.by * np.eye(width), np.full(width, 0.25))
        return problem.reshaped(views, move)


def test_a_move_is_made_of_every_row_of_the_target_and_of_no_source() -> None:
    given = problem(market(20, 1), market(30, 2))
    plain, theirs = rows(given.view(given.fit)), rows(given.source_view(given.sources[0]))
    after = Double().reshape(given, RNG)
    np.testing.assert_allclose(
        rows(after.view(after.fit)).numeric, (plain.numeric - 0.5) * 2 + 0.25
    )
    np.testing.assert_array_equal(rows(after.view(after.fit)).codes, plain.codes)
    moved = rows(after.source_view(after.sources[0]))
    np.testing.assert_allclose(moved.numeric, theirs.numeric + 1)
    # A source that no step has reshaped stays as its own encoder has it.
    bare = replace(after.sources[0], view=None)
    np.testing.assert_array_equal(rows(after.source_view(bare)).numeric, theirs.numeric)
    assert content(given.view(given.fit)) == content(plain)


def test_two_moves_are_made_one_after_the_other() -> None:
    given = problem(market(20, 1), market(30, 2))
    plain, theirs = rows(given.view(given.fit)), rows(given.source_view(given.sources[0]))
    twice = Double(3.0).reshape(Double().reshape(given, RNG), RNG)
    once = (plain.numeric - 0.5) * 2 + 0.25
    np.testing.assert_allclose(rows(twice.view(twice.fit)).numeric, (once - 0.5) * 3 + 0.25)
    moved = rows(twice.source_view(twice.sources[0]))
    np.testing.assert_allclose(moved.numeric, theirs.numeric + 2)


def test_prediction_moves_rows_as_fitting_did_and_so_does_what_was_saved() -> None:
    given = problem(market(40, 1), market(60, 2), on=None)
    fitted = Arm(Chain((Double(), TargetOnly())), Linear()).fit(given, RNG)
    assert isinstance(fitted.encoder, Moved)
    held = market(15, 3).unlabelled()
    encoder = fitted.encoder.inner
    view = rows(encoder.encode(held))
    moved = replace(view, numeric=(view.numeric - 0.5) * 2 + 0.25)
    p = chances(fitted.predict(held))
    np.testing.assert_allclose(p, chances(fitted.model.predict(moved)))
    assert not np.allclose(p, chances(fitted.model.predict(view)), atol=1e-3)
    again = unpack(*pack(fitted))
    np.testing.assert_array_equal(chances(again.predict(held)), p)
    assert again.encoder.fingerprint == fitted.encoder.fingerprint
    assert fitted.encoder.classes == ("no", "yes") and fitted.encoder.reads("x0")
    assert not fitted.encoder.reads("x7")


def test_a_move_changes_the_fingerprint_that_caches_know_it_by() -> None:
    given = problem(market(20, 1), market(30, 2))
    marks = [
        each.encoder.fingerprint
        for each in (given, Double().reshape(given, RNG), Double(3.0).reshape(given, RNG))
        if each.encoder is not None
    ]
    assert len(set(marks)) == 3
