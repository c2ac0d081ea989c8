"""The catalogue by name: chains that are in it, chains that are not, and what is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from acclimate.errors import StrategyError, UsageError
from acclimate.models.linear import Linear
from acclimate.strategies import catalogue
from acclimate.strategies.baselines import Pooled
from acclimate.strategies.catalogue import ALWAYS, STRATEGIES, arms, completed, named
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.coral import Coral
from acclimate.strategies.instance.tradaboost import TrAdaBoost
from acclimate.strategies.instance.weighting import DensityRatio
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.strategy import Strategy


def test_a_chain_by_name_is_its_steps_in_order_whatever_the_spaces() -> None:
    made = named("coral + finetune")
    assert made == Chain((Coral(), FineTune(layers="all")))
    assert named("coral+finetune") == made and made.kind == "coral + finetune"


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: each.kind)
def test_every_kind_names_its_own_entry(strategy: Strategy) -> None:
    assert named(strategy.kind) is strategy


@pytest.mark.parametrize("step", [Coral(), DensityRatio()], ids=lambda each: each.kind)
def test_a_lone_reshape_or_weigh_is_followed_by_pooling(step: Any) -> None:
    assert completed(step) == Chain((step, Pooled())) == named(step.kind)
    assert completed(Pooled()) == Pooled()


def test_steps_that_fit_nothing_are_followed_by_pooling_together() -> None:
    assert named("coral + density-ratio").kind == "coral + density-ratio + pooled"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("corel", "'corel'. Did you mean 'coral'?"),
        ("coral + finetue", "'finetue'. Did you mean 'finetune'?"),
        ("corel + finetue", "'corel', 'finetue'. Did you mean 'coral' and 'finetune'?"),
        ("coral +", "''."),
        ("", "''."),
    ],
)
def test_an_unknown_step_is_named_among_the_known(name: str, found: str) -> None:
    with pytest.raises(UsageError) as error:
        named(name)
    said = str(error.value)
    assert said.startswith("Expected strategies among target-only, ")
    assert ("coral, " in said) == ("mean" not in found)  # all, where nothing is near
    assert said.endswith(f'; found {found} A chain is written "coral + finetune".')


def test_a_chain_that_cannot_be_formed_says_why() -> None:
    with pytest.raises(StrategyError, match="Let it stand alone"):
        named("coral + blend")


def test_what_is_asked_for_stands_beside_the_three_that_always_run() -> None:
    kinds = [arm.strategy.kind for arm in arms("rows", ("coral + finetune", "coral", "pooled"))]
    once = list(dict.fromkeys(kinds))
    assert once == [*ALWAYS, "coral + finetune", "coral + pooled"]


# ── plug-ins ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Point:
    """An entry point."""

    value: Any

    def load(self) -> Any:
        return self.value


@dataclass(frozen=True)
class Centre(Coral):
    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", "centre-by-plug-in")


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A strategy and no model from entry points."""
    points = {"acclimate.strategies": [Point(Centre())], "acclimate.models": []}
    monkeypatch.setattr(catalogue, "entry_points", lambda group: points[group])
    caches = (catalogue.strategies, catalogue.models)
    for each in caches:
        each.cache_clear()
    yield
    for each in caches:
        each.cache_clear()


@pytest.mark.usefixtures("plugged")
def test_a_plugged_in_step_is_completed_listed_and_chained() -> None:
    assert named("centre-by-plug-in") == Chain((Centre(), Pooled()))
    assert "centre-by-plug-in + pooled" in catalogue.strategies()
    chain = named("centre-by-plug-in + finetune")
    assert chain == Chain((Centre(), FineTune(layers="all")))
    names = [arm.name for arm in arms("rows")]
    assert f"centre-by-plug-in + pooled/{Linear.kind}" in names


def test_a_plan_tries_unasked_what_says_so_and_the_rest_by_name_or_all_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TrAdaBoost, "unasked", False)

    def kinds(wanted: tuple[str, ...] | None) -> set[str]:
        return {arm.strategy.kind for arm in arms("rows", wanted, ("linear",))}

    every = {strategy.kind for strategy in catalogue.strategies().values()}
    known = catalogue.strategies().values()
    waiting = {strategy.kind for strategy in known if not strategy.unasked}
    assert "tradaboost" in waiting and kinds(None) == every - waiting
    assert kinds(("tradaboost",)) == {*ALWAYS, "tradaboost"}
    assert kinds(("every",)) == every
    assert kinds(("every", "coral + l2-sp")) == every | {"coral + l2-sp"}


def test_a_chain_waits_to_be_asked_for_where_one_of_its_steps_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Coral, "unasked", False)
    assert not Chain((Coral(), Pooled())).unasked
    assert Chain((DensityRatio(), Pooled())).unasked
