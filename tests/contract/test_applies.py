"""The committed table of what applies is the catalogue's, and refuses nothing entirely."""

from __future__ import annotations

import pytest

from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.strategies.catalogue import MODELS, STRATEGIES
from acclimate.strategies.strategy import Strategy
from tests.contract import applies

with_every_model = pytest.mark.skipif(
    MixedNetwork().why_not() is not None, reason="the table is written with PyTorch installed"
)


@with_every_model
def test_the_table_is_the_one_the_catalogue_gives() -> None:
    written = applies.PAGE.read_text(encoding="utf-8") if applies.PAGE.exists() else ""
    assert written == applies.page(), f"docs/applies.md is not current: run {applies.HOW}"


@with_every_model
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: each.kind)
def test_every_strategy_applies_to_some_model(strategy: Strategy) -> None:
    assert applies.applied(strategy)


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.kind)
def test_doing_without_and_both_simple_ways_apply_to_every_model_that_is_installed(
    model: Model,
) -> None:
    if (why := model.why_not()) is not None:
        pytest.skip(why)
    for strategy in STRATEGIES[:3]:
        assert applies.why_not(strategy, model) is None


def test_every_strategy_and_every_model_has_a_name_of_its_own() -> None:
    for known in (STRATEGIES, MODELS):
        kinds = [each.kind for each in known]
        assert len(set(kinds)) == len(kinds)
