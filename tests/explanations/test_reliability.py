"""Validators are tried on the sources, where the labels are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.exam import Truth
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.explanations.explanation import ONE_SOURCE, explain
from acclimate.explanations.reliability import VOTE, pretences, record, records, reliabilities
from acclimate.explanations.share import Share
from acclimate.models.linear import Linear
from acclimate.plans.ballot import Ballot
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.examine import Examined
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.instance.weighting import DensityRatio
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed
from acclimate.verdicts.verdict import provisional
from tests.shifted import market, unlabelled

ALONE = Arm(SourceOnly(), Linear())
WEIGHED = Arm(Chain((DensityRatio(), SourceOnly())), Linear())
TRIALS = [Trial(arm, "done", "", "log-loss") for arm in (ALONE, WEIGHED)]


@pytest.fixture(scope="module")
def posed() -> Posed:
    target, _ = unlabelled(market(1, 200, name="target"))
    sources = [market(seed, 300, name=f"s{seed}") for seed in (2, 3, 4)]
    return Classify("label").pose(target, sources, Cut(), Rng.of(0))


def test_each_source_is_a_target_whose_labels_nobody_sees(posed: Posed) -> None:
    found = list(pretences(posed.problem, Rng.of(0)))
    assert [problem.target for problem, _ in found] == ["s2", "s3", "s4"]
    for problem, rows in found:
        assert problem.target not in [source.name for source in problem.sources]
        assert len(problem.sources) == 2 and not problem.labelled
        assert isinstance(problem.unlabelled, Rows) and problem.unlabelled.label is None
        assert rows.label is not None and rows.n == problem.unlabelled.n == 300


def ballot(p: float, *scores: float) -> Ballot:
    """One whose answer gives every row's own class, 1, the chance p."""
    answers = np.column_stack([np.full(4, 1 - p), np.full(4, p)])
    gain = np.full(9, scores[0])
    return Ballot(TRIALS[p > 0.5], np.array(scores), answers, gain, np.ones(9))


def test_a_validator_is_right_where_it_prefers_what_scores_better(posed: Posed) -> None:
    source = posed.problem.sources[0].sample
    assert isinstance(source, Rows)
    rows = replace(source.take(np.arange(4)), label=np.ones(4, np.int64))
    base = ballot(0.5, 0.0, 0.0, 0.0)
    # The arm is truly better; the likelihood and the information say so, the density does not.
    said = dict(records([base, ballot(0.9, 1.0, 1.0, -1.0)], rows, posed.task))
    assert said == {"likelihood": True, "information": True, "density": False, VOTE: True}
    worse = replace(ballot(0.1, -1.0, 1.0, -1.0), trial=TRIALS[1])
    said = dict(records([base, worse], rows, posed.task))
    assert said == {"likelihood": True, "information": False, "density": True, VOTE: True}
    assert Truth(units=rows.units(), label=rows.label).n_units == 4


def test_every_pair_of_an_arm_and_a_source_counts_once(posed: Posed) -> None:
    budget = Budget(600)
    share = Share.of(budget)
    found = reliabilities(TRIALS, posed.task, posed.problem, Rng.of(0), share)
    assert [each.validator for each in found][-1] == VOTE
    assert {each.validator for each in found} >= {"likelihood", "information", "density"}
    vote = found[-1]
    assert vote.of == 3 and 0 <= vote.right <= 3 and vote.low <= vote.share <= vote.high


def test_a_share_has_wilsons_interval() -> None:
    found = record("density", 8, 10)
    assert (found.right, found.of, found.share) == (8, 10, 0.8)
    # Wilson 1927 at z = 1.96, worked out by hand: centre .7166, half width .2263.
    assert found.low == pytest.approx(0.4902, abs=1e-4)
    assert found.high == pytest.approx(0.9433, abs=1e-4)


def explained(given: Posed, problem: Problem, trials: Sequence[Trial]) -> dict[str, str]:
    examined = Examined(provisional(arm="x"), trials[0], trials[1], {})
    exam = replace(given.exam, choose=(), judge=())
    made = explain(examined, given.task, problem, exam, Rng.of(0), Budget(600), trials)
    assert made is not None
    return made.not_done


def test_one_source_alone_cannot_try_the_validators(posed: Posed) -> None:
    alone = posed.problem.with_sources(posed.problem.sources[:1])
    assert explained(posed, alone, TRIALS)["reliability"] == ONE_SOURCE
    assert ONE_SOURCE == "there is no second source with rows to try the validators on"
    assert "reliability" not in explained(posed, posed.problem, TRIALS)


def test_no_time_is_no_record(posed: Posed) -> None:
    over = Share(Budget(1e-9), 0.0)
    with pytest.raises(OutOfBudget):
        reliabilities(TRIALS, posed.task, posed.problem, Rng.of(0), over)
