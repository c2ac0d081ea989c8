"""Classify: the probability of each class for a row of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.copies import cleaned
from acclimate.domains.domain import Domain
from acclimate.domains.exam import (
    Case,
    Exam,
    Prediction,
    Probabilities,
    Truth,
    positions,
)
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows, Sample
from acclimate.domains.split import Cut, cut_rows
from acclimate.errors import TaskError, UsageError
from acclimate.nearest import expected
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.tasks import scores
from acclimate.tasks.classes import may_come, own_classes, told_of_foreign
from acclimate.tasks.given import (
    artifacts_of,
    classes_told,
    columns_said,
    require_common_classes,
    unchecked,
)
from acclimate.tasks.tables import (
    labels_of,
    rows_of,
    rows_table,
    shared_types,
    sources_of,
)
from acclimate.tasks.task import Metric, Posed, left_out

METRICS = {
    "log-loss": Metric("log-loss", higher=False, mean=True, delta=0.005),
    "pr-auc": Metric("pr-auc", higher=True, mean=False, delta=0.01),
    "roc-auc": Metric("roc-auc", higher=True, mean=False, delta=0.005),
    "accuracy": Metric("accuracy", higher=True, mean=True, delta=0.005),
}
# Below this share of the rarer class, log loss is mostly about rows nobody asks for.  Above
# it, log loss settles with fewer rows than an area under a curve does.
RARE = 0.05


@dataclass(frozen=True)
class Classify:
    """Predict the label of a row.

    label    the label column, or None: the one the market's schema names
    score_by the primary metric, or None: PR-AUC where one of two classes is rarer
             than 5 %, log loss otherwise
    positive the class that PR-AUC, ROC-AUC, precision and recall are about; None:
             the rarest one that the target has rows of
    also     columns that hold other labels of the same rows: no features, but tasks that
             multi-task strategies learn together with the label
    """

    label: str | None = None
    score_by: str | None = None
    positive: str | None = None
    positive_at: int = 1
    also: tuple[str, ...] = ()

    kind: ClassVar[str] = "classify"
    form: ClassVar[str] = "rows"

    def __post_init__(self) -> None:
        object.__setattr__(self, "also", tuple(self.also))  # JSON gives a list back
        if self.score_by is not None and self.score_by not in METRICS:
            raise UsageError(expected("a metric", METRICS, self.score_by))

    @property
    def metric(self) -> Metric:
        return METRICS[self.score_by or "log-loss"]

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        given = [source for source in sources if source.learned is not None]
        sources = [source for source in sources if source.learned is None]
        tables = [rows_table(domain) for domain in (target, *sources)]
        if not tables[0]["label"].count():
            return self._unlabelled(target, sources, given)
        own = own_classes(target.name, tables[0])
        require_common_classes(target.name, own, given)
        types = shared_types([target, *sources], self.also, given)
        missed = columns_said(target.name, types, given)
        zone = target.schema.declared.timezone
        mine = rows_of(tables[0], types, own, zone)
        parts = cut_rows(mine, cut, rng.child("cut"))
        held = tables[0][np.concatenate([parts.fit, parts.choose, parts.judge])]
        sources, copies = cleaned(sources, held, "rows")
        # A class that sources saw only after the clock is not known yet.
        known = [source.before(parts.clock) for source in sources]
        told = classes_told(given)
        apart = [s.name for s in sources if (their := labels_of(s)) and not their & set(own)]
        alike = [each for each in known if each.name not in apart]
        shown = tables[0]["label"].count()
        classes = tuple(sorted(set(own).union(may_come(own, shown, alike), *told)))
        beyond = set[str]().union(*map(labels_of, alike)) - set(classes)
        mine = rows_of(tables[0], types, classes, zone, self.also)
        task, notes = self._settle(target.name, classes, positions(mine.label)[parts.fit])
        kept = sources_of(known, types, classes, self.also, apart) + artifacts_of(given)
        end = tables[0]["time"].max() if "time" in tables[0].columns else None
        last = [source.before(end if isinstance(end, datetime) else None) for source in sources]
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
        )
        whole = replace(
            problem,
            fit=mine.take(np.sort(labelled)),
            sources=sources_of(last, types, classes, self.also, apart) + artifacts_of(given),
        )
        exam = Exam(
            (mine.take(parts.choose).case(),) if len(parts.choose) else (),
            (mine.take(parts.judge).case(),),
        )
        notes = [
            *parts.notes,
            *copies,
            *notes,
            f"{number_of(len(parts.judge), 'row')} to judge on",
        ]
        notes += left_out(sources, problem, "labelled rows")
        notes += [
            f"{name} tells other classes apart than {target.name}: co-tuning alone learns "
            "from it"
            for name in apart
        ]
        foreign = sorted(set(classes) - set(own))
        notes += told_of_foreign(target.name, shown, foreign, sorted(beyond))
        notes += [*missed, *unchecked(target.name, given)]
        if parts.clock is not None:
            notes.append(f"nothing after {parts.clock:%Y-%m-%d %H:%M} reaches a fit")
        return Posed(task, problem, exam, whole, tuple(notes))

    def _unlabelled(
        self,
        target: Domain,
        sources: Sequence[Domain],
        given: Sequence[Domain],
    ) -> Posed:
        """A target without labels: all its rows are seen, and nothing can be judged."""
        told = classes_told(given)
        classes = tuple(sorted(set[str]().union(*map(labels_of, sources), *told)))
        if len(classes) < 2:
            raise TaskError(
                f"Expected at least two classes in the sources, as target {target.name!r} has "
                f"no labels; found {', '.join(classes) or 'none'}. Label some rows of the "
                "target, or name other sources or another column with --label."
            )
        types = shared_types([target, *sources], self.also, given)
        zone = target.schema.declared.timezone
        mine = rows_of(target.tables["rows"], types, classes, zone, self.also)
        kept = sources_of(sources, types, classes, self.also)
        labels = [s.held.label for s in kept if s.seen and isinstance(s.held, Rows)]
        theirs = np.concatenate([x for x in labels if x is not None] or [np.zeros(0, np.int64)])
        task, _ = self._settle(target.name, classes, theirs)
        task = replace(task, score_by=self.score_by or "log-loss")
        problem = Problem(
            target=target.name,
            fit=mine.take(np.empty(0, np.int64)),
            sources=(*kept, *artifacts_of(given)),
            claim=Claim.LATER,
            recipe=RowRecipe(),
            unlabelled=replace(mine, label=None),
        )
        notes = [
            f"{target.name} has no labels: its {number_of(mine.n, 'row is', 'rows are')} seen "
            "without them, and nothing can be judged",
            f"classes of the sources: {', '.join(classes)}",
            *left_out(sources, problem, "labelled rows"),
            *columns_said(target.name, types, given),
        ]
        return Posed(task, problem, Exam((), ()), problem, tuple(notes))

    def _settle(
        self, target: str, classes: tuple[str, ...], label: Ints
    ) -> tuple[Classify, list[str]]:
        """The metric and the positive class, decided on `fit` alone."""
        if self.positive is not None and self.positive not in classes:
            raise UsageError(expected("the positive class", classes, self.positive))
        share = np.bincount(label, minlength=len(classes)) / max(len(label), 1)
        binary = len(classes) == 2
        if self.score_by in ("pr-auc", "roc-auc") and not binary:
            raise UsageError(
                f"Expected two classes for {self.score_by}; found {len(classes)}. Use log-loss."
            )
        shown = np.flatnonzero(share)
        # Of two equal shares the second class is meant, as 1 or yes is.
        rarer = int(shown[::-1][share[shown[::-1]].argmin()]) if len(shown) > 1 else 1
        at = classes.index(self.positive) if self.positive is not None else rarer
        # Fewer rows than it takes to see a rare class once cannot tell that one is rare.
        rare = binary and len(label) >= 1 / RARE and share.min() < RARE
        name = self.score_by or ("pr-auc" if rare else "log-loss")
        seen = ", ".join(
            f"{each} {part:.1%}" for each, part in zip(classes, share, strict=True)
        )
        notes = [f"classes in fit: {seen}; scored by {name}"]
        if not binary:
            notes.append(f"precision, recall and f1 are of {classes[at]}; another: --positive")
        if len(label) and share.max() == 1:
            notes.append(
                f"{target} has {number_of(len(label), 'row')} to fit on, all of them "
                f"{classes[int(share.argmax())]}: only sources can tell classes apart; label "
                "more of its rows"
            )
        return replace(self, score_by=name, positive=classes[at], positive_at=at), notes

    def protocol(self, case: Case, taken: Sample, seed: int) -> Case:
        return case

    def score(self, prediction: Prediction, truth: Truth, weight: Array | None = None) -> Array:
        assert isinstance(prediction, Probabilities) and truth.label is not None
        if weight is None:
            weight = np.ones((1, truth.n_units))
        if self.metric.mean:
            result: Array = (
                weight
                @ self._unit_sums(prediction, truth)
                / (weight @ np.bincount(truth.units, minlength=truth.n_units))
            )
            return result
        area = scores.average_precision if self.metric.name == "pr-auc" else scores.roc_auc
        at = self.positive_at
        return area(prediction.p[:, at], truth.label == at, weight[:, truth.units])

    def unit_scores(self, prediction: Prediction, truth: Truth) -> Array:
        assert isinstance(prediction, Probabilities)
        count = np.bincount(truth.units, minlength=truth.n_units)
        result: Array = self._unit_sums(prediction, truth) / count
        return result

    def _unit_sums(self, prediction: Probabilities, truth: Truth) -> Array:
        assert truth.label is not None
        if self.metric.name == "accuracy":
            each = (prediction.p.argmax(axis=1) == truth.label).astype(float)
        else:
            each = scores.log_losses(prediction.p, positions(truth.label))
        return np.bincount(truth.units, each, minlength=truth.n_units).astype(float)

    def metrics(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        assert isinstance(prediction, Probabilities)
        p, at, label = prediction.p, self.positive_at, positions(truth.label)
        chosen, positive = p.argmax(axis=1) == at, label == at
        equal = np.ones((1, len(label)))
        right = float((chosen & positive).sum())
        precision = right / max(float(chosen.sum()), 1.0)
        recall = right / max(float(positive.sum()), 1.0)
        found = {
            "log-loss": float(scores.log_losses(p, label).mean()),
            "accuracy": float((p.argmax(axis=1) == label).mean()),
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / max(precision + recall, 1e-300),
            "calibration-error": scores.calibration_error(p, label),
        }
        if p.shape[1] == 2:
            found["pr-auc"] = float(scores.average_precision(p[:, at], positive, equal)[0])
            found["roc-auc"] = float(scores.roc_auc(p[:, at], positive, equal)[0])
        # Where only one class was seen, no threshold tells two apart and there is no area.
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def join(self, answers: Sequence[tuple[Prediction, Truth]]) -> tuple[Prediction, Truth]:
        p = [answer.p for answer, _ in answers if isinstance(answer, Probabilities)]
        label = [positions(truth.label) for _, truth in answers]
        offsets = np.cumsum([0] + [truth.n_units for _, truth in answers])
        units = [
            truth.units + offset for offset, (_, truth) in zip(offsets, answers, strict=False)
        ]
        truth = Truth(units=np.concatenate(units), label=np.concatenate(label))
        return Probabilities(np.concatenate(p)), truth
