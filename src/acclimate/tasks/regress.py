"""Regress: the number that a row of the target's label holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.copies import cleaned
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case, Exam, Numbers, Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows, Sample
from acclimate.domains.split import Cut, cut_rows
from acclimate.errors import TaskError, UsageError
from acclimate.nearest import expected
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.tasks import errors
from acclimate.tasks.given import artifacts_of, columns_said, unchecked
from acclimate.tasks.numbers import number_rows, number_sources, require_numbers
from acclimate.tasks.tables import rows_table, shared_types
from acclimate.tasks.task import Metric, Posed, left_out

METRICS = {
    "rmse": Metric("rmse", higher=False, mean=False, delta=0.0),
    "mae": Metric("mae", higher=False, mean=True, delta=0.0),
    "r2": Metric("r2", higher=True, mean=False, delta=0.005),
    "pinball": Metric("pinball", higher=False, mean=True, delta=0.0),
}
# Of the standard deviation of the labels to fit on: the smallest effect worth having of a
# metric in the label's own unit.
WORTH = 0.01
FAR = 100.0  # interquartile ranges from the median, from which a single row decides RMSE


@dataclass(frozen=True)
class Regress:
    """Predict the number in the label of a row.

    label    the label column, or None: the one the market's schema names
    score_by the primary metric: rmse, mae, r2 or pinball
    also     columns that hold other labels of the same rows, as classes: no features, but
             tasks that multi-task strategies learn together with the label
    level    0 … 1, both left out: the quantile that pinball is about
    delta    ≥ 0, the smallest effect worth having, in the metric's unit; None: for rmse,
             mae and pinball one percent of the standard deviation of the labels to fit
             on, for r2 0.005
    """

    label: str | None = None
    score_by: str = "rmse"
    also: tuple[str, ...] = ()
    level: float = 0.5
    delta: float | None = None

    kind: ClassVar[str] = "regress"
    form: ClassVar[str] = "rows"

    def __post_init__(self) -> None:
        object.__setattr__(self, "also", tuple(self.also))  # JSON gives a list back
        if self.score_by not in METRICS:
            raise UsageError(expected("a metric", METRICS, self.score_by))
        if not 0 < self.level < 1:
            raise UsageError(
                f"Expected a level between 0 and 1, the quantile that pinball is about; found "
                f"{self.level}."
            )
        if self.level != 0.5 and self.score_by != "pinball":
            raise UsageError(
                f"Expected a level with the metric pinball alone; found {self.level} with "
                f"{self.score_by}. Add --metric pinball, or leave the level out."
            )
        if self.delta is not None and not (np.isfinite(self.delta) and self.delta >= 0):
            raise UsageError(f"Expected a finite delta of at least 0; found {self.delta}.")

    @property
    def metric(self) -> Metric:
        found = METRICS[self.score_by]
        return found if self.delta is None else replace(found, delta=self.delta)

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that answers must hold beside the mean."""
        return (self.level,) if self.score_by == "pinball" else ()

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        given = [source for source in sources if source.learned is not None]
        sources = [source for source in sources if source.learned is None]
        for domain in (target, *sources):
            rows_table(domain)
        unread = require_numbers(target, sources)
        types = shared_types([target, *sources], self.also, given)
        missed = columns_said(target.name, types, given)
        mine = number_rows(target, types, self.also)
        table = target.tables["rows"]
        if mine.label is None or not np.isfinite(mine.label).any():
            return self._unlabelled(target, mine, sources, given, missed)
        parts = cut_rows(mine, cut, rng.child("cut"))
        held = table[np.concatenate([parts.fit, parts.choose, parts.judge])]
        sources, copies = cleaned(sources, held, "rows")
        known = [source.before(parts.clock) for source in sources]
        kept = number_sources(known, types, self.also) + artifacts_of(given)
        end = table["time"].max() if "time" in table.columns else None
        last = [source.before(end if isinstance(end, datetime) else None) for source in sources]
        task, notes = self._settle(np.asarray(mine.label[parts.fit], np.float64))
        labelled = np.concatenate([parts.fit, parts.choose, parts.judge])
        unlabelled = None
        if len(parts.unlabelled):
            # Their other labels are known to whoever has the rows.
            unlabelled = replace(mine.take(parts.unlabelled), label=None)
        problem = Problem(
            target=target.name,
            fit=mine.take(parts.fit),
            sources=kept,
            claim=parts.claim,
            recipe=RowRecipe(),
            unlabelled=unlabelled,
            levels=self.levels,
        )
        whole = replace(
            problem,
            fit=mine.take(np.sort(labelled)),
            sources=number_sources(last, types, self.also) + artifacts_of(given),
        )
        exam = Exam(
            (mine.take(parts.choose).case(),) if len(parts.choose) else (),
            (mine.take(parts.judge).case(),),
        )
        notes = [
            *parts.notes,
            *copies,
            *unread,
            *notes,
            f"{number_of(len(parts.judge), 'row')} to judge on",
        ]
        notes += left_out(sources, problem, "labelled rows")
        notes += [*missed, *unchecked(target.name, given)]
        if parts.clock is not None:
            notes.append(f"nothing after {parts.clock:%Y-%m-%d %H:%M} reaches a fit")
        return Posed(task, problem, exam, whole, tuple(notes))

    def _settle(self, label: Array) -> tuple[Regress, list[str]]:
        """δ, decided on `fit` alone, and what the labels there are like."""
        spread = float(label.std(ddof=1)) if len(label) > 1 else 0.0
        worth = METRICS[self.score_by].delta or WORTH * spread
        delta = worth if self.delta is None else self.delta
        low, middle, high = (float(q) for q in np.quantile(label, [0.25, 0.5, 0.75]))
        notes = [
            f"label in fit: {label.min():.4g} to {label.max():.4g}, median {middle:.4g}, "
            f"standard deviation {spread:.4g}; scored by {self.score_by}, where {delta:.3g} is "
            "worth having"
        ]
        furthest = float(label[np.abs(label - middle).argmax()])
        if high > low and abs(furthest - middle) > FAR * (high - low):
            notes.append(
                f"the label {furthest:.4g} lies far from all others, whose middle half is "
                f"{low:.4g} to {high:.4g}: check it, or score by mae, which one row does not "
                "decide"
            )
        return replace(self, delta=delta), notes

    def protocol(self, case: Case, taken: Sample, seed: int) -> Case:
        return case

    def score(self, prediction: Prediction, truth: Truth, weight: Array | None = None) -> Array:
        assert isinstance(prediction, Numbers)
        y, units = _numbers(truth), truth.units
        if weight is None:
            weight = np.ones((1, truth.n_units))
        if self.score_by == "rmse":
            return errors.root_mean_squared(y, prediction.y, units, weight)
        if self.score_by == "r2":
            return errors.explained(y, prediction.y, units, weight)
        return errors.mean(self._each(prediction, y), units, weight)

    def unit_scores(self, prediction: Prediction, truth: Truth) -> Array:
        assert isinstance(prediction, Numbers)
        each = self._each(prediction, _numbers(truth))
        count = np.bincount(truth.units, minlength=truth.n_units)
        found: Array = np.bincount(truth.units, each, minlength=truth.n_units) / count
        return found

    def _each(self, prediction: Numbers, y: Array) -> Array:
        """(n,) the loss of each row, of the metrics that are means."""
        if self.score_by == "pinball":
            return errors.pinball(y, prediction.at(self.level), self.level)
        return np.asarray(np.abs(y - prediction.y))

    def metrics(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        assert isinstance(prediction, Numbers)
        y, units = _numbers(truth), truth.units
        equal = np.ones((1, truth.n_units))
        found = {
            "rmse": float(errors.root_mean_squared(y, prediction.y, units, equal)[0]),
            "mae": float(np.abs(y - prediction.y).mean()),
            "r2": float(errors.explained(y, prediction.y, units, equal)[0]),
            "bias": float((prediction.y - y).mean()),
        }
        if self.score_by == "pinball":
            guess = prediction.at(self.level)
            found["pinball"] = float(errors.pinball(y, guess, self.level).mean())
            found["below"] = float((y <= guess).mean())
        # Where all truths are one number, no share of their variance can be explained.
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def join(self, answers: Sequence[tuple[Prediction, Truth]]) -> tuple[Prediction, Truth]:
        given = [answer for answer, _ in answers if isinstance(answer, Numbers)]
        offsets = np.cumsum([0] + [truth.n_units for _, truth in answers])
        units = [
            truth.units + offset for offset, (_, truth) in zip(offsets, answers, strict=False)
        ]
        label = np.concatenate([_numbers(truth) for _, truth in answers])
        quantiles = [each.quantiles for each in given if each.quantiles is not None]
        whole = len(quantiles) == len(given)
        joined = Numbers(
            np.concatenate([each.y for each in given]),
            np.concatenate(quantiles) if whole else None,
            given[0].levels if whole else (),
        )
        return joined, Truth(units=np.concatenate(units), label=label)

    def _unlabelled(
        self,
        target: Domain,
        mine: Rows,
        sources: Sequence[Domain],
        given: Sequence[Domain],
        missed: Sequence[str],
    ) -> Posed:
        """A target without labels, of whose numbers nothing can be judged.

        Of the validators that do without labels two measure how sure and how spread chances
        are, which numbers do not have; one alone, the error on source rows weighed to look
        like the target's, decides no vote.
        """
        raise TaskError(
            f"Expected labels in target {target.name!r} to regress on; found none in "
            f"{number_of(mine.n, 'row')}. Without any, nothing tells numbers that transfer "
            "from numbers that do not: label some rows, about 200 where you can, name another "
            "column with --label, or write the number as a few ranges and predict these with "
            "--task classify, which does without labels of the target."
        )


def _numbers(truth: Truth) -> Array:
    assert truth.label is not None
    return np.asarray(truth.label, np.float64)
