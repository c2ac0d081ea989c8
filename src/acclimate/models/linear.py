"""Linear: penalised logistic regression by Newton's method; ridge regression of numbers.

Minimises  Σ wᵢ·logloss(xᵢ, yᵢ) + (λ/2) Σ sⱼβⱼ² + ½ Σ πⱼ(βⱼ − mⱼ)²,  where λ leaves the
intercept alone and the last sum is the prior, if there is one: π is its precision
and m its mean, the intercept included.  A binary model has one column of
coefficients, the logit of class 1; any other has one a class.

sⱼ is 1, but of a text's columns  s = mean ‖text of a row‖² / 10.  Under a Gaussian prior of
precision λs (Hoerl & Kennard 1970) the score of a row has the variance ‖x‖²/(λs): a text
then moves scores as far as 10 standardised columns do, however many terms it has and
whatever they are weighed by.  With s = 1, a text of norm 1 moved them as far as one column,
and answers stayed near the base rate.

Of numbers the loss is ½(yᵢ − xᵢβ)², and the minimiser a closed form (`models.ridge`).
Penalty and precision are then worth the information of so many rows on a standardised
column, in whatever unit the label is.

A class that no row (of positive weight) and no prior knows has no finite
coefficients.  It gets the constant probability ½ / (Σw + ½·n_classes), and the
classes that are known share the rest; with a single known class this is the
Jeffreys-smoothed share of that class for every row.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Tensor
from acclimate.domains.exam import Numbers, Probabilities, RowAnswer
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import (
    Design,
    Layout,
    absent_share,
    design,
    require_label,
    require_numbers,
    require_weight,
    share_with_absent,
    text_scale,
)
from acclimate.models.model import State, Tick, idle
from acclimate.models.newton import chances, minimise
from acclimate.models.ridge import ridge
from acclimate.rng import Rng

# Closer where text is best held (docs/log.md).
GRID = (0.03, 0.2, 0.45, 1.0, 5.0, 25.0, 100.0)
INTERCEPT_CERTAINTY = 0.1  # of a prior, relative to its other coefficients


@dataclass(frozen=True)
class LinearPrior:
    """A Gaussian on the coefficients: what sources know about them.

    mean       (width, k) in the layout of the design, the intercept first
    precision  ≥ 0, on the scale of summed loss; a number, or an array that broadcasts
               to (width, k)
    classes    (n_classes,) whether the sources saw the class; of another the prior
               says nothing.  Empty for numbers
    """

    mean: Array
    precision: Array | float
    classes: Bools

    def times(self, strength: float) -> LinearPrior:
        """The same prior, `strength` times as sure."""
        return replace(self, precision=strength * self.precision)


@dataclass(frozen=True)
class LinearFit:
    """What was learned.

    coefficients  (width, k); k is n_classes, but 1 for two classes and for numbers
    classes       (n_classes,) whether the class is known; empty for numbers
    absent        the constant probability of each class that is not
    text_scale    s ≥ 0 of its text's columns
    """

    layout: Layout
    coefficients: Array
    classes: Bools
    absent: float
    text_scale: float = 1.0


@dataclass(frozen=True)
class Linear:
    """L2-penalised logistic regression; ridge regression where the label is a number.

    penalty  > 0, on the scale of summed loss: 1/C in other libraries, α of their ridge; of a
             text, times what its columns are worth
    """

    penalty: float = 1.0
    fitted: LinearFit | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "linear"
    form: ClassVar[str] = "rows"
    takes_weights: ClassVar[bool] = True
    takes_prior: ClassVar[bool] = True
    takes_numbers: ClassVar[bool] = True
    takes_start: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.penalty) and self.penalty > 0):
            raise StrategyError(
                f"Expected a finite penalty above 0, found {self.penalty}. "
                "Without one, separable rows have no finite coefficients."
            )

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Linear, ...]:
        return tuple(Linear(penalty) for penalty in GRID)

    def prepare(self, view: RowView) -> Design:
        return design(view)

    def fit(
        self,
        prepared: Design,
        *,
        weight: Array | None = None,
        start: Linear | None = None,
        prior: LinearPrior | None = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Linear:
        """The minimiser of the objective above; nothing in it is random.

        start  fitted on the same columns: where Newton's method begins.  The minimiser is
               the same from anywhere; from near by it takes fewer steps

        Raises StrategyError without labelled rows, for weights that are negative
        or all zero, and for a prior over other columns.
        """
        weight = require_weight(weight, prepared.n)
        layout, n_classes = prepared.layout, prepared.n_classes
        n_columns = n_classes if n_classes > 2 else 1
        classes, target = np.zeros(0, bool), np.zeros(0)
        if n_classes:
            label = require_label(prepared.label, n_classes)
            classes = np.bincount(label, weight, minlength=n_classes) > 0
        else:
            target = require_numbers(prepared.label)
        precision = np.full((layout.width, n_columns), float(self.penalty))
        precision[0] = 0.0
        scale = text_scale(prepared, weight)
        precision[layout.text_offset :] *= scale
        centre = np.zeros_like(precision)
        if prior is not None:
            certainty = _certainty(prior, precision.shape)
            classes = classes | prior.classes
            # Two quadratics are one: around the mean weighed by precision.
            total = precision + certainty
            pull = certainty * prior.mean
            centre = np.divide(pull, total, out=centre, where=total > 0)
            precision = total
        coefficients = centre.copy()  # right already where the rows are silent
        absent = absent_share(weight, n_classes) if n_classes else 0.0
        if not n_classes:
            at = prepared.columns
            coefficients[at, 0] = ridge(
                prepared.matrix, target, weight, centre[at, 0], precision[at, 0], tick
            )
        elif classes.sum() > 1:
            told = np.ones(1, bool) if n_columns == 1 else classes
            part = np.ix_(prepared.columns, np.flatnonzero(told))
            position = np.cumsum(classes) - 1
            shown = _one_hot(position[label], int(told.sum()))
            turned = prepared.turned(scale) if prior is None else None
            if turned is not None:
                firm = np.full((turned.rows.shape[1], shown.shape[1]), float(self.penalty))
                firm[0] = 0.0
                found = minimise(turned.rows, shown, weight, 0 * firm, firm, tick)
                coefficients[part] = turned.back(found)
            else:
                begin = None if start is None else start._known().coefficients[part]
                coefficients[part] = minimise(
                    prepared.matrix, shown, weight, centre[part], precision[part], tick, begin
                )
        return replace(self, fitted=LinearFit(layout, coefficients, classes, absent, scale))

    def predict(self, query: RowView, context: Any = None) -> RowAnswer:
        """(n, n_classes), or (n,) numbers, for any rows encoded as those of the fit were."""
        fitted = self._known()
        scores = fitted.layout.scores(query, fitted.coefficients)
        if not len(fitted.classes):
            return Numbers(scores[:, 0])
        return Probabilities(_probabilities(fitted, scores))

    def as_prior(self) -> LinearPrior:
        """What this fitted model says to another fit, at strength 1.

        Every coefficient is as sure as the penalty holds it, and the intercept a tenth as
        sure: base rates differ between markets more than what drives them.  The source's own
        curvature as precision (Laplace) lost to this on made domains with drifting
        coefficients, flipped signs and other base rates, and won only where rare
        categories alone had changed.
        """
        fitted = self._known()
        precision = np.ones_like(fitted.coefficients)
        precision[0] = INTERCEPT_CERTAINTY
        precision[fitted.layout.text_offset :] = fitted.text_scale
        return LinearPrior(fitted.coefficients, precision, fitted.classes)

    def _known(self) -> LinearFit:
        assert self.fitted is not None, "fit() comes first"
        return self.fitted

    def state(self) -> State:
        fitted = self._known()
        layout = fitted.layout
        meta = {
            "penalty": self.penalty,
            "numeric": layout.numeric,
            "levels": list(layout.levels),
            "text": layout.text,
            "absent": fitted.absent,
            "text_scale": fitted.text_scale,
        }
        tensors: dict[str, Tensor] = {
            "coefficients": fitted.coefficients,
            "classes": fitted.classes.astype(np.uint8),
        }
        return State(self.kind, meta, tensors)

    @classmethod
    def restore(cls, state: State) -> Linear:
        meta = state.meta
        layout = Layout(int(meta["numeric"]), tuple(meta["levels"]), int(meta["text"]))
        fitted = LinearFit(
            layout,
            np.asarray(state.tensors["coefficients"], np.float64),
            np.asarray(state.tensors["classes"]).astype(bool),
            float(meta["absent"]),
            float(meta.get("text_scale", 1.0)),
        )
        return cls(float(meta["penalty"]), fitted)


def _certainty(prior: LinearPrior, shape: tuple[int, ...]) -> Array:
    """(width, k) the prior's precision; 0 for the classes it does not know."""
    if prior.mean.shape != shape:
        raise StrategyError(
            f"Expected a prior over {shape[0]} columns × {shape[1]}, found "
            f"{' × '.join(map(str, prior.mean.shape))}. "
            "Encode source and target with the same encoder."
        )
    certainty = np.broadcast_to(np.asarray(prior.precision, np.float64), shape).copy()
    if not np.isfinite(certainty).all() or (certainty < 0).any():
        raise StrategyError(
            "Expected finite precisions of at least 0 in the prior, found others. "
            "Lower the strength."
        )
    if shape[1] > 1:
        certainty[:, ~prior.classes] = 0.0
    elif not prior.classes.all():
        certainty[:] = 0.0
    return certainty


def _one_hot(label: Ints, k: int) -> Array:
    """(n, k) indicators; one column, that of class 1, where k is 1."""
    if k == 1:
        return label[:, None].astype(np.float64)
    return np.eye(k)[label]


def _probabilities(fitted: LinearFit, scores: Array) -> Array:
    """(n, n_classes) of scores (n, k), with the constant share of unknown classes."""
    known = fitted.classes
    if known.sum() == 1:
        chance = np.ones((len(scores), 1))
    elif scores.shape[1] == 1:
        second = chances(scores)
        chance = np.column_stack([1.0 - second, second])
    else:
        chance = chances(scores[:, known])
    return share_with_absent(chance, known, fitted.absent)
