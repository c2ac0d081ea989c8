"""A tryout scores the same rows for every strategy, and refuses what does not apply."""

from __future__ import annotations

import pytest

from acclimate.errors import UsageError
from acclimate.plans.tryout import tryout


def test_knowing_the_source_helps_where_only_columns_moved() -> None:
    tried = tryout("pooled", labels=20)
    assert [*tried.values] == ["target-only", "source-only", "pooled"]
    assert tried.metric == "log-loss"
    assert tried.values["source-only"] < tried.values["target-only"] - 0.05
    assert str(tried).startswith("target-only 0.") and "  pooled 0." in str(tried)


def test_a_source_whose_labels_mean_the_opposite_harms() -> None:
    tried = tryout("source-only", labels=200, sources=[(0.0, 1.0)])
    assert tried.values["source-only"] > tried.values["target-only"] + 0.2


def test_without_labels_there_is_no_target_only() -> None:
    assert [*tryout("source-only", labels=0).values] == ["source-only"]


def test_items_are_told_by_what_users_took_last() -> None:
    tried = tryout("item-prior", "ease", labels=60, sources=[(0.1, 0.1)])
    assert tried.metric == "ndcg@10"
    assert tried.values["item-prior"] > tried.values["target-only"]


@pytest.mark.parametrize(
    ("strategy", "model", "said"),
    [
        (
            "pooled",
            "linnear",
            "Expected a model among .*; found 'linnear'. Did you mean 'linear'",
        ),
        ("finetune", "linear", "finetune does not: linear has no layers"),
    ],
)
def test_what_cannot_be_tried_is_refused(strategy: str, model: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tryout(strategy, model)


def test_a_metric_for_items_is_refused() -> None:
    with pytest.raises(UsageError, match="told by nDCG@10; found 'log-loss'"):
        tryout("pooled", "ease", metric="log-loss")
