"""Linear: penalised logistic regression, binary or multinomial, by Newton's method.

Minimises  Σ wᵢ·logloss(xᵢ, yᵢ) + (λ/2)‖β‖² + ½ Σ πⱼ(βⱼ − mⱼ)²,  where λ leaves the
intercept alone and the last sum is the prior, if there is one: π is its precision
and m its mean, the intercept included.  A binary model has one column of
coefficients, the logit of class 1; any other has one a class.

Newton directions come from Cholesky on a dense binary design and from
preconditioned conjugate gradients otherwise; steps are halved until the
objective falls.

A class that no row (of positive weight) and no prior knows has no finite
coefficients.  It gets the constant probability ½ / (Σw + ½·n_classes), and the
classes that are known share the rest; with a single known class this is the
Jeffreys-smoothed share of that class for every row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Tensor
from acclimate.domains.exam import Probabilities
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import (
    Design,
    Layout,
    absent_share,
    design,
    require_label,
    require_weight,
    share_with_absent,
)
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng

INTERCEPT_CERTAINTY = 0.1  # of a prior, relative to its other coefficients
STEPS = 100
CONJUGATE_STEPS = 250
BLOCK = 4096  # rows; a block of the weighted design stays in cache
ENOUGH = 1e-11  # Newton decrement, on the scale of summed loss, below which a step is the last


@dataclass(frozen=True)
class LinearPrior:
    """A Gaussian on the coefficients: what sources know about them.

    mean       (width, k) in the layout of the design, the intercept first
    precision  ≥ 0, on the scale of summed loss; a number, or an array that broadcasts
               to (width, k)
    classes    (n_classes,) whether the sources saw the class; of another the prior
               says nothing
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

    coefficients  (width, k); k is 1 for two classes, else n_classes
    classes       (n_classes,) whether the class is known
    absent        the constant probability of each class that is not
    """

    layout: Layout
    coefficients: Array
    classes: Bools
    absent: float


@dataclass(frozen=True)
class Linear:
    """L2-penalised logistic regression.

    penalty  > 0, on the scale of summed loss: 1/C in other libraries
    """

    penalty: float = 1.0
    fitted: LinearFit | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "linear"
    form: ClassVar[str] = "rows"
    takes_weights: ClassVar[bool] = True
    takes_prior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.penalty) and self.penalty > 0):
            raise StrategyError(
                f"Expected a finite penalty above 0, found {self.penalty}. "
                "Without one, separable rows have no finite coefficients."
            )

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Linear, ...]:
        return tuple(Linear(penalty) for penalty in (0.03, 0.2, 1.0, 5.0, 25.0, 100.0))

    def prepare(self, view: RowView) -> Design:
        return design(view)

    def fit(
        self,
        prepared: Design,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: LinearPrior | None = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Linear:
        """The minimiser of the objective above; nothing in it is random.

        Raises StrategyError without labelled rows, for weights that are negative
        or all zero, and for a prior over other columns.
        """
        weight = require_weight(weight, prepared.n)
        label = require_label(prepared.label, prepared.n_classes)
        layout, n_classes = prepared.layout, prepared.n_classes
        n_columns = 1 if n_classes == 2 else n_classes
        classes = np.bincount(label, weight, minlength=n_classes) > 0
        precision = np.full((layout.width, n_columns), float(self.penalty))
        precision[0] = 0.0
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
        absent = absent_share(weight, n_classes)
        if classes.sum() > 1:
            told = np.ones(1, bool) if n_columns == 1 else classes
            part = np.ix_(prepared.columns, np.flatnonzero(told))
            position = np.cumsum(classes) - 1
            target = _one_hot(position[label], int(told.sum()))
            coefficients[part] = _minimise(
                prepared.matrix, target, weight, centre[part], precision[part], tick
            )
        return replace(self, fitted=LinearFit(layout, coefficients, classes, absent))

    def predict(self, query: RowView, context: Any = None) -> Probabilities:
        """(n, n_classes) for any rows encoded as those of the fit were."""
        fitted = self._known()
        return Probabilities(
            _probabilities(fitted, fitted.layout.scores(query, fitted.coefficients))
        )

    def as_prior(self) -> LinearPrior:
        """What this fitted model says to another fit, at strength 1.

        Every coefficient is equally sure, and the intercept a tenth as sure: base
        rates differ between markets more than what drives them.  The source's own
        curvature as precision (Laplace) lost to this on made domains with drifting
        coefficients, flipped signs and other base rates, and won only where rare
        categories alone had changed.
        """
        fitted = self._known()
        precision = np.ones_like(fitted.coefficients)
        precision[0] = INTERCEPT_CERTAINTY
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


def _chance(scores: Array) -> Array:
    """(n, k) probabilities of the columns; one column leaves the rest to class 0."""
    from scipy.special import expit, softmax

    chance = expit(scores) if scores.shape[1] == 1 else softmax(scores, axis=1)
    return np.asarray(chance, np.float64)


def _loss(scores: Array, target: Array, weight: Array) -> float:
    from scipy.special import logsumexp

    if scores.shape[1] == 1:
        total = np.logaddexp(0.0, scores[:, 0])
    else:
        total = logsumexp(scores, axis=1)
    return float(weight @ (total - (scores * target).sum(axis=1)))


def _probabilities(fitted: LinearFit, scores: Array) -> Array:
    """(n, n_classes) of scores (n, k), with the constant share of unknown classes."""
    known = fitted.classes
    if known.sum() == 1:
        chance = np.ones((len(scores), 1))
    elif scores.shape[1] == 1:
        second = _chance(scores)
        chance = np.column_stack([1.0 - second, second])
    else:
        chance = _chance(scores[:, known])
    return share_with_absent(chance, known, fitted.absent)


def _minimise(
    matrix: Any,
    target: Array,
    weight: Array,
    centre: Array,
    precision: Array,
    tick: Tick,
) -> Array:
    """Newton's method on  loss + ½ Σ precision·(β − centre)².

    matrix             (n, a) dense or CSR
    target             (n, k) indicators
    centre, precision  (a, k)
    returns            (a, k); where nothing else decides, intercepts have mean 0
    """
    direct = target.shape[1] == 1 and isinstance(matrix, np.ndarray)
    solve = _by_cholesky if direct else _by_conjugate_gradients
    beta = centre.copy()
    scores = np.asarray(matrix @ beta)
    value = _loss(scores, target, weight)  # the quadratic is 0 at its centre
    first = None
    for _ in range(STEPS):
        tick()
        chance = _chance(scores)
        away = precision * (beta - centre)
        gradient = matrix.T @ (weight[:, None] * (chance - target)) + away
        size = float(np.linalg.norm(gradient))
        first = size if first is None else first
        if size == 0.0:
            break
        # Rough far from the minimum, then a thousandth of the gradient a step.
        accuracy = min(0.1, max(1e-3, size / first))
        step = solve(matrix, weight, chance, precision, gradient, accuracy)
        slope = float((gradient * step).sum())
        along = np.asarray(matrix @ step)
        length, last = 1.0, -slope < ENOUGH
        # Rounding hides decreases below this; a convex objective then needs no search.
        slack = 1e-12 * (1.0 + abs(value))
        for _ in range(40):
            moved = beta + length * step
            new = _loss(scores + length * along, target, weight)
            new += 0.5 * float((precision * (moved - centre) ** 2).sum())
            if new <= value + 1e-4 * length * slope + slack:
                break
            length /= 2
        else:
            break
        beta, scores, value = moved, scores + length * along, new
        if last:
            break
    return beta if target.shape[1] == 1 else _settled(beta, centre, precision)


def _settled(beta: Array, centre: Array, precision: Array) -> Array:
    """Move each row of (a, k) to where the quadratic alone wants it.

    The same number added to every class's coefficient of a column changes no
    probability, so Newton steps hardly see that direction where precision is small.
    """
    total = precision.sum(axis=1, keepdims=True)
    pulled = (precision * (beta - centre)).sum(axis=1, keepdims=True)
    settled: Array = beta - np.divide(
        pulled, total, out=beta.mean(axis=1, keepdims=True), where=total > 0
    )
    return settled


def _by_cholesky(
    matrix: Array,
    weight: Array,
    chance: Array,
    precision: Array,
    gradient: Array,
    accuracy: float,
) -> Array:
    """The Newton direction of a dense binary design, exactly."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    # Scaled by the root, each block's product is symmetric and costs half.
    root = np.sqrt(weight * (chance * (1.0 - chance))[:, 0])
    hessian = np.zeros((matrix.shape[1], matrix.shape[1]))
    for begin in range(0, len(matrix), BLOCK):
        rows = matrix[begin : begin + BLOCK] * root[begin : begin + BLOCK, None]
        hessian += rows.T @ rows
    diagonal = np.diag_indices_from(hessian)
    hessian[diagonal] += precision[:, 0]
    ridge = 0.0
    while True:
        try:
            factor = cho_factor(hessian, lower=True)
            break
        except LinAlgError:
            # Where every probability has saturated the intercept has no curvature left.
            more = max(1e-12 * float(hessian[diagonal].max(initial=1.0)), 10 * ridge)
            hessian[diagonal] += more - ridge
            ridge = more
    return np.asarray(-cho_solve(factor, gradient), np.float64)


def _by_conjugate_gradients(
    matrix: Any,
    weight: Array,
    chance: Array,
    precision: Array,
    gradient: Array,
    accuracy: float,
) -> Array:
    """The Newton direction up to `accuracy` of the gradient, from products alone."""
    weighed = weight[:, None] * chance  # (n, k)

    def hessian(direction: Array) -> Array:
        along = matrix @ direction
        spread = weighed * (along - (chance * along).sum(axis=1, keepdims=True))
        return np.asarray(matrix.T @ spread + precision * direction)

    scale = _diagonal(matrix, weighed * (1.0 - chance)) + precision
    scale = np.maximum(scale, 1e-12 * scale.max())
    return _conjugate_gradients(hessian, -gradient, scale, accuracy)


def _conjugate_gradients(
    product: Callable[[Array], Array], right: Array, scale: Array, accuracy: float
) -> Array:
    """Solve product(x) = right, `scale` being about the diagonal of `product`."""
    x = np.zeros_like(right)
    residual = right.copy()
    enough = accuracy * float(np.linalg.norm(right))
    ahead = residual / scale
    direction = ahead
    power = float((residual * ahead).sum())
    for _ in range(CONJUGATE_STEPS):
        image = product(direction)
        bend = float((direction * image).sum())
        if bend <= 0.0:  # no curvature left in this direction but rounding
            break
        x = x + (power / bend) * direction
        residual = residual - (power / bend) * image
        if float(np.linalg.norm(residual)) <= enough:
            break
        ahead = residual / scale
        power, before = float((residual * ahead).sum()), power
        direction = ahead + (power / before) * direction
    return x if x.any() else right / scale


def _diagonal(matrix: Any, curve: Array) -> Array:
    """(a, k) of the Hessian's diagonal: Σᵢ curveᵢₖ·xᵢⱼ²."""
    if isinstance(matrix, np.ndarray):
        total = np.zeros((matrix.shape[1], curve.shape[1]))
        for begin in range(0, len(matrix), BLOCK):
            total += (matrix[begin : begin + BLOCK] ** 2).T @ curve[begin : begin + BLOCK]
        return total
    squares = matrix.copy()
    squares.data **= 2
    return np.asarray(squares.T @ curve)
