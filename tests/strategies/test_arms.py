"""Arms are every asked strategy with every asked model that serves the form."""

from __future__ import annotations

import pytest

from acclimate.errors import UsageError
from acclimate.strategies.catalogue import arms


def test_baselines_stay_whatever_is_asked_for() -> None:
    found = arms("items", ("item-prior",), ("ease",))
    assert [arm.name for arm in found] == [
        "target-only/ease",
        "source-only/ease",
        "pooled/ease",
        "item-prior/ease",
    ]


def test_a_model_of_another_form_is_answered_with_those_that_serve() -> None:
    text = r"Expected models that serve this task among popularity, .*; found 'trees'\."
    with pytest.raises(UsageError, match=text):
        arms("items", None, ("ease", "trees"))


def test_a_chain_that_the_catalogue_lacks_can_be_asked_for() -> None:
    kinds = {arm.strategy.kind for arm in arms("rows", ("coral + finetune",))}
    assert "coral + finetune" in kinds and "finetune" not in kinds


def test_a_model_that_waits_is_tried_by_its_name_alone() -> None:
    unasked = {arm.model.kind for arm in arms("items")}
    assert {"popularity", "item-knn", "ease", "stack"} <= unasked
    assert not unasked & {
        "rp3beta",
        "sparse-ease",
        "wide-ease",
        "graph-filter",
        "als",
        "bpr",
        "lightgcn",
        "content",
        "two-tower",
    }
    assert {arm.model.kind for arm in arms("items", None, ("rp3beta", "ease"))} == {
        "rp3beta",
        "ease",
    }
