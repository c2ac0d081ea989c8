"""Every refusal of every strategy, by its text; and no refusal without one here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import MODELS, STRATEGIES
from acclimate.strategies.feature.adversarial import AdapterDann, Dann
from acclimate.strategies.meta.aml import Aml
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.meta.metahead import MetaHead
from acclimate.strategies.meta.metatransfer import MetaTransfer
from acclimate.strategies.meta.reptile import Reptile
from acclimate.strategies.multitask.sharing import HardSharing, LabelSharing
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.strategies.strategy import Strategy
from tests.contract.cases import combinations, named, posed, scene_of

Change = Callable[[Problem], Problem]
NETWORKS = (FineTune(layers="head"), FineTune(layers="all"), L2SP())
ALIGNING = (Dann(), AdapterDann())
SHARING = (HardSharing(), LabelSharing())
META = (
    Maml(),
    Maml(inner="head"),
    Maml(by="entity"),
    Maml(by="category"),
    Maml(order=1),
    Reptile(),
    Aml(),
    Aml(masked=False),
    MetaTransfer(),
    MetaHead(),
)
SOURCES, VALUES = "sources", "values of one category column in the sources"

by_kind = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: each.kind)


def asked(arm: Arm) -> Problem:
    """The problem of the scene that an arm is asked on."""
    return posed(scene_of(arm.strategy, arm.model.form)).problem


def applying(strategy: Strategy) -> Arm:
    """An arm of this strategy that applies to its scene's problem."""
    found = (arm for arm in combinations() if arm.strategy.kind == strategy.kind)
    return next(arm for arm in found if arm.why_not(asked(arm)) is None)


def served(strategy: Strategy) -> Problem:
    """A problem that this strategy serves."""
    return asked(applying(strategy))


def some_model(strategy: Strategy) -> Model:
    """A model with which it applies."""
    return applying(strategy).model


def relabelled(sample: Rows, label: int | None) -> Rows:
    """The rows under one label, or none."""
    return replace(sample, label=None if label is None else np.full(sample.n, label))


def first_source(change: Callable[[Rows], Rows]) -> Change:
    def changed(problem: Problem) -> Problem:
        first, *others = problem.sources
        assert isinstance(first.sample, Rows)
        return problem.with_sources([replace(first, held=change(first.sample)), *others])

    return changed


def every_source(change: Callable[[Rows], Rows]) -> Change:
    def changed(problem: Problem) -> Problem:
        samples = [s.sample for s in problem.sources if isinstance(s.sample, Rows)]
        return problem.with_sources(
            [
                replace(source, held=change(sample))
                for source, sample in zip(problem.sources, samples, strict=True)
            ]
        )

    return changed


def target(change: Callable[[Rows], Rows]) -> Change:
    def changed(problem: Problem) -> Problem:
        assert isinstance(problem.fit, Rows)
        return problem.with_fit(change(problem.fit))

    return changed


def uncategorised(rows: Rows) -> Rows:
    """The rows with their categories read as text."""
    return replace(
        rows,
        types={
            name: ColumnType.TEXT if kind == ColumnType.CATEGORY else kind
            for name, kind in rows.types.items()
        },
    )


@by_kind
def test_without_a_source_whatever_transfers_is_refused(strategy: Strategy) -> None:
    given = served(strategy).with_sources([])
    why = strategy.why_not(given, some_model(strategy))
    assert why == ("there is no source" if strategy.transfers else None)


@by_kind
def test_what_a_source_does_not_share_is_named(strategy: Strategy) -> None:
    given = served(strategy)
    near = given.sources[0]
    for what in sorted(strategy.reads):
        kept = replace(near, shares=near.shares - {what})
        why = strategy.why_not(given.with_sources([kept]), some_model(strategy))
        assert why == f"source 'near' does not share its {what}"
    only = [replace(source, shares=frozenset(strategy.reads)) for source in given.sources]
    if some_model(strategy).why_not() is None:
        assert strategy.why_not(given.with_sources(only), some_model(strategy)) is None


@by_kind
def test_what_transfers_says_what_it_reads(strategy: Strategy) -> None:
    assert bool(strategy.reads) == strategy.transfers


@pytest.mark.parametrize("arm", combinations(), ids=named)
def test_what_a_model_lacks_is_named(arm: Arm) -> None:
    why = arm.why_not(asked(arm))
    assert why is None or why.startswith(f"{arm.model.kind} ")


@pytest.mark.parametrize(
    ("strategy", "change", "says"),
    [
        (SourcePrior(), first_source(Rows.unlabelled), "a source has no labels"),
        (
            SourcePrior(),
            every_source(lambda rows: relabelled(rows, 1)),
            "the rows of the sources hold a single class, which no coefficient explains",
        ),
        *(
            (strategy, change, says)
            for strategy in NETWORKS
            for change, says in (
                (
                    first_source(Rows.unlabelled),
                    "source 'near' has no labelled rows to pretrain on",
                ),
                (
                    first_source(lambda rows: rows.take(np.empty(0, np.int64))),
                    "source 'near' has no labelled rows to pretrain on",
                ),
                (
                    target(Rows.unlabelled),
                    "the target has no labelled rows to fit on",
                ),
                (
                    target(lambda rows: rows.take(np.empty(0, np.int64))),
                    "the target has no labelled rows to fit on",
                ),
            )
        ),
        *(
            (strategy, change, "source 'near' has no labelled rows to learn from")
            for strategy in (*ALIGNING, *SHARING, *META)
            for change in (
                first_source(Rows.unlabelled),
                first_source(lambda rows: rows.take(np.empty(0, np.int64))),
            )
        ),
        *(
            (
                strategy,
                lambda problem: replace(
                    target(lambda rows: rows.take(np.empty(0, np.int64)))(problem),
                    unlabelled=None,
                ),
                "the target has no rows that the sources' could be aligned with",
            )
            for strategy in ALIGNING
        ),
        *(
            (strategy, target(Rows.unlabelled), "the target has no labelled rows to fit on")
            for strategy in (HardSharing(), *META)
        ),
        *(
            (
                strategy,
                change,
                f"learning across tasks takes at least 2 {tasks} with 4 labelled rows each, "
                f"and {found} as many",
            )
            for strategy, change, tasks, found in (
                (
                    Maml(),
                    lambda problem: problem.with_sources(problem.sources[:1]),
                    SOURCES,
                    "1 has",
                ),
                (
                    Maml(by="entity"),
                    every_source(lambda rows: replace(rows, entity=None)),
                    "users of the sources",
                    "none have",
                ),
                (Maml(by="category"), every_source(uncategorised), VALUES, "none have"),
                (
                    MetaHead(),
                    every_source(lambda rows: rows.take(np.arange(3))),
                    SOURCES,
                    "none have",
                ),
            )
        ),
        (
            LabelSharing(),
            lambda problem: every_source(lambda rows: replace(rows, also=None))(
                replace(target(Rows.unlabelled)(problem), unlabelled=None)
            ),
            "the rows have no other label than the one to predict",
        ),
    ],
)
def test_what_a_problem_lacks_is_named(strategy: Strategy, change: Change, says: str) -> None:
    model = some_model(strategy)
    if (why := model.why_not()) is not None:
        pytest.skip(why)
    assert strategy.why_not(change(posed("rows").problem), model) == says


def test_a_model_that_is_not_installed_refuses_every_strategy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problems = [(strategy, served(strategy)) for strategy in STRATEGIES]
    monkeypatch.setattr("acclimate.models.network.find_spec", lambda name: None)
    assert importlib.util.find_spec("numpy") is not None
    for strategy, problem in problems:
        why = strategy.why_not(problem, MixedNetwork())
        assert why == 'PyTorch is not installed: pip install "acclimate[deep]"'
    lacking = [model.kind for model in MODELS if model.why_not() is not None]
    assert lacking == ["lightgcn", "two-tower", "network", "transformer"]


def test_a_refusal_is_a_phrase_that_fits_a_sentence() -> None:
    given = posed("items").problem
    for strategy in STRATEGIES:
        why = strategy.why_not(given, Popularity())
        assert why is None or (why == why.strip() and not why.endswith("."))
