"""The contract of a transformer: with one strategy of each kind, on a tiny encoder."""

from __future__ import annotations

import pytest

from acclimate.models.transformer import Transformer
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.feature.adversarial import Dann
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.multitask.sharing import HardSharing
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.lora import Lora
from acclimate.strategies.relation.cotuning import CoTuning
from acclimate.strategies.strategy import Strategy
from tests.contract.cases import posed, quick
from tests.contract.outside import PROMISES, Promise
from tests.tiny_encoder import tiny_encoder

WITH: tuple[Strategy, ...] = (
    TargetOnly(),
    SourceOnly(),
    Pooled(),
    FineTune(),
    Lora(),
    CoTuning(),
    Dann(),
    HardSharing(),
    Maml(),
)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("strategy", WITH, ids=lambda each: each.kind)
def test_with_a_strategy_of_each_kind_it_keeps(strategy: Strategy, promise: Promise) -> None:
    arm = quick(Arm(strategy, Transformer(weights=tiny_encoder(), epochs=1)))
    if (why := arm.why_not(posed("rows").problem)) is not None:
        assert "not installed" in why, why
        pytest.skip(why)
    promise(arm)
