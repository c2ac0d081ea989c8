"""A stored problem, asked again: which arm would be picked, adopted and shipped, at what cost.

The pick, the test and the verdict are acclimate's own, given stored unit scores in the
place of answers.  Nothing here is learned and nothing decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Truth
from acclimate.plans.runner import best_baseline, pick
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.tasks.task import Metric
from acclimate.verdicts.compare import Contrast, Effect, paired_effect
from acclimate.verdicts.verdict import judge
from benchmarks.choice_solved import Solved, value_of

STRONG = 3.5  # standard errors


@dataclass(frozen=True)
class Scored:
    """A task whose answers are the unit scores themselves: what `pick` asks of a task."""

    metric: Metric
    root: bool

    def score(self, prediction: Any, truth: Truth, weight: Array | None = None) -> Array:
        weight = np.ones((1, len(prediction))) if weight is None else weight
        mean = weight @ prediction / weight.sum(axis=1)
        return np.asarray(np.sqrt(mean) if self.root else mean)


@dataclass(frozen=True)
class Shipped:
    """What a way of choosing ships: the arm's place, and the verdict's answer."""

    at: int
    answer: str


@dataclass
class Replay:
    """One solved problem; arms are known by their places among those that ended."""

    solved: Solved
    rng: Rng
    _effects: dict[tuple[str, int, int], Effect] = field(default_factory=dict)
    _picks: dict[frozenset[int], int | None] = field(default_factory=dict)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        return [row for row in self.solved.arms if row["status"] == "done"]

    @cached_property
    def task(self) -> Scored:
        about = self.solved.about["metric"]
        metric = Metric(about["name"], about["sign"] > 0, not about["root"], about["delta"])
        return Scored(metric, about["root"])

    @cached_property
    def trials(self) -> list[Trial]:
        """The trials as the runner had them."""
        choose = self.solved.units["choose"]
        truth = Truth(np.arange(choose.shape[1]))
        found = []
        for at, row in enumerate(self.rows):
            only = row["arm"].partition(" from ")[2]
            arm = Arm(
                named(row["strategy"]),
                models()[row["model"]],
                tuple(only.split("+")) if only else None,
            )
            answer: Any = (choose[at], truth)
            found.append(
                Trial(
                    arm,
                    "done",
                    row["reason"],
                    self.task.metric.name,
                    self.value("choose", at),
                    n=truth.n_units,
                    answer=answer,
                )
            )
        return found

    @property
    def sign(self) -> float:
        return self.task.metric.sign

    def value(self, part: str, at: int, units: Ints | None = None) -> float:
        """An arm's score of a part, or of some units of it."""
        scores = self.solved.units[part][at]
        return value_of(self.solved.about["metric"], scores if units is None else scores[units])

    def cost(self, at: int) -> float:
        """Seconds to tune an arm, fit it and answer `choose`."""
        seconds = self.rows[at]["seconds"]
        return float(seconds["tune"] + seconds["fit"])

    def screening(self, at: int) -> float:
        """Seconds to screen an arm: one fit of its default settings on one fold."""
        return float(self.rows[at]["seconds"]["screen"][0])

    def screened(self, places: Sequence[int]) -> list[Trial]:
        """What screening these arms found out, on the first of the two folds stored."""
        n = (self.solved.units["screen"].shape[1] + 1) // 2
        found = []
        for at in places:
            units = self.solved.units["screen"][at][:n]
            answer: Any = (units, Truth(np.arange(n)))
            value = value_of(self.solved.about["metric"], units)
            found.append(replace(self.trials[at], value=value, n=n, answer=answer))
        return found

    @property
    def whole_cost(self) -> float:
        return sum(self.cost(at) for at in range(len(self.rows)))

    def baselines(self) -> list[int]:
        return [at for at, row in enumerate(self.rows) if not row["transfers"]]

    def effect(self, part: str, ours: int, theirs: int) -> Effect:
        """How much better one arm is than another on a part, with its 95 % interval."""
        key = (part, ours, theirs)
        if key not in self._effects:
            units, sign = self.solved.units[part], self.sign
            a, b, root = units[ours], units[theirs], self.task.root
            if root:
                contrast = Contrast.of_statistic(
                    len(a),
                    lambda w: (
                        sign * (np.sqrt(w @ a / w.sum(axis=1)) - np.sqrt(w @ b / w.sum(axis=1)))
                    ),
                )
            else:
                contrast = Contrast.of_means(sign * (a - b))
            self._effects[key] = paired_effect(contrast, self.rng.child("judge"))
        return self._effects[key]

    def baseline_of(self, tried: Sequence[int]) -> int:
        """The best arm that does without, of those tried."""
        best = best_baseline([self.trials[at] for at in tried], self.sign)
        return self._place(best)

    def pick_of(self, tried: Sequence[int]) -> int | None:
        """The transfer arm that acclimate picks of those tried."""
        key = frozenset(tried)
        if key not in self._picks:
            task: Any = self.task
            chosen = pick([self.trials[at] for at in tried], task, self.rng)
            self._picks[key] = None if chosen is None else self._place(chosen)
        return self._picks[key]

    def near(self, at: int) -> bool:
        """Whether an arm is within a standard error of the best transfer arm on `choose`."""
        transfers = [j for j, row in enumerate(self.rows) if row["transfers"]]
        if not transfers:
            return False
        choose = self.solved.units["choose"]
        best = max(transfers, key=lambda j: self.sign * self.value("choose", j))
        away = self.sign * (choose[best] - choose[at])
        if self.task.root:  # the difference of two roots, to first order
            away = away / (2 * self.value("choose", best))
        error = float(away.std(ddof=1)) / np.sqrt(len(away)) if len(away) > 1 else 0.0
        return bool(away.mean() <= error)

    def with_remedies(self, tried: Sequence[int]) -> list[int]:
        """The arms tried, and where all sources together hurt, the best with each alone."""
        remedies = [at for at, row in enumerate(self.rows) if row["remedy"]]
        transfers = [at for at in tried if self.rows[at]["transfers"]]
        if not remedies or not transfers:
            return list(tried)
        best = max(transfers, key=lambda at: self.sign * self.value("choose", at))
        alone = self.value("choose", self.baseline_of(tried))
        if self.sign * (alone - self.value("choose", best)) <= 0:
            return list(tried)
        row = self.rows[best]
        own = [
            at
            for at in remedies
            if (self.rows[at]["strategy"], self.rows[at]["model"])
            == (row["strategy"], row["model"])
        ]
        return [*tried, *own]

    def ship(self, tried: Sequence[int]) -> Shipped:
        """Pick, judge, and ship the pick where it is adopted, else target-only."""
        baseline, chosen = self.baseline_of(tried), self.pick_of(tried)
        if chosen is None:
            return Shipped(baseline, "keep-target-only")
        effect = self.effect("judge", chosen, baseline)
        answer = judge(effect, delta=self.task.metric.delta).answer
        return Shipped(chosen if answer == "adopt" else baseline, answer)

    def _place(self, trial: Trial) -> int:
        return next(at for at, each in enumerate(self.trials) if each is trial)

    @cached_property
    def halves(self) -> tuple[Ints, Ints]:
        """The audit's units in two halves, drawn once."""
        n = self.solved.units["audit"].shape[1]
        order = self.rng.child("halves").generator().permutation(n)
        return np.sort(order[: n // 2]), np.sort(order[n // 2 :])

    @cached_property
    def _hindsight(self) -> list[float]:
        """For each half of the audit the score there of what was best on the other."""
        found = []
        for seen, asked in (self.halves, self.halves[::-1]):
            scores = [self.sign * self.value("audit", j, seen) for j in range(len(self.rows))]
            found.append(self.value("audit", int(np.argmax(scores)), asked))
        return found

    def regret(self, at: int) -> float:
        """By how much of its score an arm is worse than the best in hindsight.

        The best is found on one half of the audit and compared on the other, both ways:
        what was lucky on one half is not on the other.  Below 0 where the arm beats it.
        """
        found = []
        for best, asked in zip(self._hindsight, self.halves[::-1], strict=True):
            gap = self.sign * (best - self.value("audit", at, asked))
            found.append(gap / max(abs(best), 1e-12))
        return float(np.mean(found))

    def harmed(self, at: int) -> bool:
        """Whether an arm is significantly worse than target-only on the audit."""
        baseline = self.baseline_of(range(len(self.rows)))
        if at == baseline:
            return False
        effect = self.effect("audit", at, baseline)
        return bool(effect.high < 0)

    @cached_property
    def strong(self) -> bool:
        """Whether the gain of choosing among everything exceeds 3.5 standard errors.

        The gain is the audit's; the error is that of a test on as many units as the judge's.
        """
        everything = range(len(self.rows))
        baseline, chosen = self.baseline_of(everything), self.pick_of(everything)
        if chosen is None:
            return False
        effect = self.effect("audit", chosen, baseline)
        about = self.solved.about["n_units"]
        if not np.isfinite(effect.high - effect.low):
            return False
        error = (effect.high - effect.low) / 3.92
        error *= float(np.sqrt(about["audit"] / max(about["judge"], 1)))
        return bool(effect.value > STRONG * error)
