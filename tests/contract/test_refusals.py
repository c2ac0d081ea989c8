"""Every refusal of every strategy, by its text; and no refusal without one here."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import MODELS, STRATEGIES
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.strategies.strategy import Strategy
from tests.contract.cases import combinations, named, posed

Change = Callable[[Problem], Problem]
NETWORKS = (FineTune(layers="head"), FineTune(layers="all"), L2SP())

# What a model lacks, strategy by strategy, as it is told on any problem.
LACKS = {
    "source-prior": r"takes no prior on its parameters from a fit on the sources$",
    "item-prior": r"has no item–item matrix that a prior could draw on$",
    "finetune-head": r"has no layers that training could start from or hold: not a network$",
    "finetune": r"has no layers that training could start from or hold: not a network$",
    "l2-sp": r"has no layers that training could start from or hold: not a network$",
}

by_kind = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: each.kind)


def form_of(strategy: Strategy) -> str:
    """A form whose problem this strategy serves."""
    return "items" if strategy.kind == "item-prior" else "rows"


def some_model(strategy: Strategy) -> Model:
    """A model with which it applies."""
    if strategy.kind == "item-prior":
        return Ease()
    return MixedNetwork() if strategy in NETWORKS else Linear()


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


@by_kind
def test_without_a_source_whatever_transfers_is_refused(strategy: Strategy) -> None:
    given = posed(form_of(strategy)).problem.with_sources([])
    why = strategy.why_not(given, some_model(strategy))
    assert why == ("there is no source" if strategy.transfers else None)


@by_kind
def test_what_a_source_does_not_share_is_named(strategy: Strategy) -> None:
    given = posed(form_of(strategy)).problem
    near = given.sources[0]
    for what in sorted(strategy.reads):
        kept = replace(near, shares=near.shares - {what})
        why = strategy.why_not(given.with_sources([kept]), some_model(strategy))
        assert why == f"source 'near' does not share its {what}"
    only = replace(near, shares=frozenset(strategy.reads))
    if some_model(strategy).why_not() is None:
        assert strategy.why_not(given.with_sources([only]), some_model(strategy)) is None


@by_kind
def test_what_transfers_says_what_it_reads(strategy: Strategy) -> None:
    assert bool(strategy.reads) == strategy.transfers


@pytest.mark.parametrize(
    "arm", [arm for arm in combinations() if arm.strategy.kind in LACKS], ids=named
)
def test_what_a_model_lacks_is_named(arm: Arm) -> None:
    why = arm.why_not(posed(arm.model.form).problem)
    if why is not None and arm.model.why_not() is None:
        assert re.match(f"{arm.model.kind} {LACKS[arm.strategy.kind]}", why)


def test_no_other_refusal_is_given_on_a_plain_problem() -> None:
    told = {
        arm.strategy.kind
        for arm in combinations()
        if arm.why_not(posed(arm.model.form).problem) and arm.model.why_not() is None
    }
    assert told == set(LACKS)


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
    monkeypatch.setattr("acclimate.models.network.find_spec", lambda name: None)
    assert importlib.util.find_spec("numpy") is not None
    for strategy in STRATEGIES:
        why = strategy.why_not(posed(form_of(strategy)).problem, MixedNetwork())
        assert why == 'PyTorch is not installed: pip install "acclimate[deep]"'
    assert [model.kind for model in MODELS if model.why_not() is not None] == ["network"]


def test_a_refusal_is_a_phrase_that_fits_a_sentence() -> None:
    given = posed("items").problem
    for strategy in STRATEGIES:
        why = strategy.why_not(given, Popularity())
        assert why is None or (why == why.strip() and not why.endswith("."))
