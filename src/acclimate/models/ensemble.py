"""An ensemble: a weighted mean of what fitted models of rows answer, calibrated if asked.

The mean of numbers is never calibrated.

Strategies put it together from models they fitted; it is not fitted by itself.
Its members see one view, or each its own where they came with their own encoders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Numbers, Prediction, Probabilities, RowAnswer
from acclimate.domains.view import RowView, Views
from acclimate.models.linear import Linear, LinearPrior
from acclimate.models.made import Made
from acclimate.models.model import Model, State
from acclimate.rng import Rng

LEAST = 1e-9  # probabilities are kept this far from 0 before their logarithm
NO_PENALTY = 1e-6  # the prior below holds every coefficient already
# Of the prior around no change.  On made answers that were right (or squared, so too sure),
# 60 rows of 10 classes cost 0.04 nats (won 0.08); at 1, with every class free to answer for
# every other, they cost 1.29 (2.55).
CERTAINTY = 10.0
HELD = 1e6


@dataclass(frozen=True)
class Ensemble(Made):
    """Fitted members and how much each is worth.

    members      fitted models of rows
    weights      (n_members,) ≥ 0, sum 1
    sees         (n_members,) the part of `Views` that each member sees; none: one view
    calibration  a linear model of the mean's log-probabilities, or None
    median       of numbers: whether the answer is the weighted median, not the mean
    """

    members: tuple[Model, ...] = field(default=(), repr=False)
    weights: tuple[float, ...] = ()
    sees: tuple[int, ...] = ()
    calibration: Linear | None = field(default=None, repr=False)
    median: bool = False

    kind: ClassVar[str] = "ensemble"

    def predict(self, query: RowView | Views, context: Any = None) -> RowAnswer:
        """(n, n_classes), or (n,) numbers: the members' weighted mean."""
        parts = query.parts if isinstance(query, Views) else (query,)
        views = [parts[at] for at in self.sees or [0] * len(self.members)]
        answers = [
            member.predict(view) for member, view in zip(self.members, views, strict=True)
        ]
        if self.median:
            return Numbers(weighted_median([content(each) for each in answers], self.weights))
        mean = mixed([content(answer) for answer in answers], self.weights)
        if isinstance(answers[0], Numbers):
            return Numbers(mean)
        return Probabilities(
            mean if self.calibration is None else recalibrated(self.calibration, mean)
        )

    def calibrated(self, mean: Array, label: Ints) -> Ensemble:
        """The same ensemble, calibrated on answers it gave to rows it had not seen.

        mean   (n, n_classes) its uncalibrated answers
        label  (n,) class positions
        """
        return replace(self, calibration=calibrate(mean, label))

    def state(self) -> State:
        meta = {
            "weights": list(self.weights),
            "sees": list(self.sees),
            "median": self.median,
        }
        children = {f"{at:03d}": member.state() for at, member in enumerate(self.members)}
        if self.calibration is not None:
            children["calibration"] = self.calibration.state()
        return State(self.kind, meta, {}, children)

    @classmethod
    def restore_with(cls, state: State, parts: Mapping[str, Model]) -> Ensemble:
        """The ensemble of these restored members."""
        calibration = parts.get("calibration")
        assert calibration is None or isinstance(calibration, Linear)
        members = tuple(parts[name] for name in sorted(parts) if name != "calibration")
        meta = state.meta
        weights, sees = tuple(meta["weights"]), tuple(meta["sees"])
        return cls(members, weights, sees, calibration, bool(meta.get("median", False)))


def content(answer: Prediction) -> Array:
    """(n, n_classes) the chances of an answer, or (n,) its numbers."""
    assert isinstance(answer, Probabilities | Numbers), "only these two are mixed"
    return answer.p if isinstance(answer, Probabilities) else answer.y


def mixed(answers: Sequence[Array], weights: Sequence[float]) -> Array:
    """(n, n_classes), or (n,), the weighted mean; rows sum to 1 where the weights do."""
    total: Array = np.sum([w * p for w, p in zip(weights, answers, strict=True)], axis=0)
    return total


def weighted_median(answers: Sequence[Array], weights: Sequence[float]) -> Array:
    """(n,) the least of a row's answers at or below which half of the weight lies."""
    table = np.column_stack(answers)  # (n, members)
    order = np.argsort(table, axis=1, kind="stable")
    below = np.cumsum(np.asarray(weights)[order], axis=1)
    # Half of the weights summed in another order may miss it by rounding.
    first = np.argmax(below >= 0.5 * below[:, -1:] - 1e-12, axis=1)
    rows = np.arange(len(table))
    return np.asarray(table[rows, order[rows, first]], np.float64)


def calibrate(p: Array, label: Ints | Array) -> Linear:
    """A logistic regression of the class on log-probabilities, held to leaving them alone.

    p      (n, n_classes) answers to rows that were not fitted on
    label  (n,) class positions

    Platt scaling (1999); for more classes vector scaling (Guo et al., ICML 2017, section
    4.2), which lets no class answer for another.  A Gaussian prior around no change lets
    few rows change little.
    """
    n_classes = p.shape[1]
    mean = np.zeros((n_classes + 1, 1 if n_classes == 2 else n_classes))
    mean[1:] = np.array([[-1.0], [1.0]]) if n_classes == 2 else np.eye(n_classes)
    precision = np.where(mean != 0, CERTAINTY, HELD)
    precision[0] = CERTAINTY
    prior = LinearPrior(mean, precision, np.ones(n_classes, bool))
    learner = Linear(NO_PENALTY)
    view = replace(_logs(p), label=label)
    return learner.fit(learner.prepare(view), prior=prior, rng=Rng.of(0))


def recalibrated(calibration: Linear, p: Array) -> Array:
    """(n, n_classes) probabilities after `calibrate`."""
    return content(calibration.predict(_logs(p)))


def _logs(p: Array) -> RowView:
    logs = np.log(np.clip(p, LEAST, 1.0))
    return RowView(logs, np.zeros((len(p), 0), np.int64), (), None, None, p.shape[1])
