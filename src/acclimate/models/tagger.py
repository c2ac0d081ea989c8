"""Tagger: a linear-chain conditional random field over hashed features of tokens.

Minimises  Σ wᵢ·(−ln p(tagsᵢ | sentenceᵢ)) + ½ Σ λ θⱼ² + ½ Σ πⱼ (θⱼ − mⱼ)²,  where θ is every
coefficient of a feature and every move between tags, λ the penalty, and the last sum the
prior, if there is one.  The objective is convex; L-BFGS finds its minimum.  Sentences of
one token make it multinomial logistic regression, with which the tests compare.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Sparse, Tensor
from acclimate.domains.bio import allowed, spans_of, tags_of
from acclimate.domains.exam import Spans
from acclimate.domains.tokenview import TokenView, token_scores
from acclimate.errors import StrategyError
from acclimate.models.crf import Order, best_path, span_chances, sums
from acclimate.models.design import require_weight
from acclimate.models.model import State, Tick, idle
from acclimate.models.quasi import descend
from acclimate.rng import Rng

STEPS = 300
CERTAINTY = 0.1  # of a prior at strength 1, on the scale of the penalty
BLOCK = 4096  # sentences answered at once


@dataclass(frozen=True)
class Prepared:
    """The columns of a view that hold anything, and what was labelled.

    matrix   (tokens, a) CSR
    columns  (a,) their positions in the view, increasing
    tags     (tokens,) BIO tags, or None without labels
    """

    matrix: Sparse
    columns: Ints
    width: int
    order: Order
    tags: Ints | None
    n_classes: int

    @property
    def n(self) -> int:
        return len(self.order.lengths)


@dataclass(frozen=True)
class TaggerFit:
    """What was learned.

    coefficients  (width, k) score of each tag by feature
    move          (k, k) score of a tag after another; 0 where BIO does not allow it
    classes       (n_classes,) whether a span of the class was seen
    """

    coefficients: Array
    move: Array
    classes: Bools


@dataclass(frozen=True)
class TaggerPrior:
    """A Gaussian on the parameters: what sources know about them.

    precision  ≥ 0, on the scale of summed loss, of every parameter of a class that the
               sources saw, and of O
    """

    fitted: TaggerFit
    precision: float

    def times(self, strength: float) -> TaggerPrior:
        """The same prior, `strength` times as sure."""
        return replace(self, precision=strength * self.precision)


@dataclass(frozen=True)
class Tagger:
    """A linear-chain conditional random field.

    penalty   > 0, on the scale of summed loss
    accuracy  ≥ 0: the relative decrease of the objective a step at which the fit ends.
              The spans of e-commerce titles gain half a point of F1 below 1e-3, for
              three times the steps
    """

    penalty: float = 0.1
    accuracy: float = 1e-3
    fitted: TaggerFit | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "tagger"
    form: ClassVar[str] = "tokens"
    takes_weights: ClassVar[bool] = True
    takes_prior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.penalty) and self.penalty > 0):
            raise StrategyError(
                f"Expected a finite penalty above 0, found {self.penalty}. "
                "Without one, features of a single span have no finite coefficients."
            )

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Tagger, ...]:
        return tuple(replace(self, penalty=penalty) for penalty in (0.03, 0.1, 0.3))

    def prepare(self, view: TokenView) -> Prepared:
        width = int(view.matrix.shape[1])
        used = np.zeros(width, bool)
        used[view.matrix.indices] = True
        columns = np.flatnonzero(used)
        place = (np.cumsum(used) - 1).astype(np.int32)
        matrix = type(view.matrix)(
            (view.matrix.data, place[view.matrix.indices], view.matrix.indptr),
            shape=(view.matrix.shape[0], len(columns)),
        )
        tags = None if view.spans is None else tags_of(view.spans, view.lengths)
        return Prepared(matrix, columns, width, Order(view.lengths), tags, view.n_classes)

    def fit(
        self,
        prepared: Prepared,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: TaggerPrior | None = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Tagger:
        """The minimiser of the objective above; nothing in it is random.

        weight  (n,) ≥ 0, one a sentence

        Raises StrategyError without labelled sentences, for weights that are negative or
        all zero, and for a prior over other features or classes.
        """
        weight = require_weight(weight, prepared.n)
        if prepared.tags is None:
            raise StrategyError(
                "Expected sentences with known spans to fit on, found sentences without. "
                "Fit on the labelled part."
            )
        k = 1 + 2 * prepared.n_classes
        centre = np.zeros((prepared.width, k))
        move = np.zeros((k, k))
        precision = np.full(k, float(self.penalty))
        sentence = np.repeat(np.arange(prepared.n), prepared.order.lengths)
        seen = np.bincount(prepared.tags, weight[sentence], minlength=k)[1::2] > 0
        if prior is not None:
            _require_alike(prior, centre.shape)
            sure = prior.precision * _known_tags(prior.fitted.classes)
            # Two quadratics are one: around the mean weighed by precision.
            precision = precision + sure
            centre = prior.fitted.coefficients * (sure / precision)
            pair = np.minimum(precision[:, None], precision)
            move = prior.fitted.move * (1.0 - self.penalty / pair)
            seen = seen | prior.fitted.classes
        objective = Objective(prepared, weight, centre[prepared.columns], move, precision, tick)
        learned, move = objective.minimised(self.accuracy)
        coefficients = centre.copy()  # right already where the sentences are silent
        coefficients[prepared.columns] = learned
        return replace(self, fitted=TaggerFit(coefficients, move, seen))

    def predict(self, query: TokenView, context: Any = None) -> Spans:
        """The likeliest spans of each sentence, and how likely each is."""
        fitted = self._known()
        scores = token_scores(query, fitted.coefficients)
        order = Order(query.lengths)
        tags = best_path(scores, fitted.move, order)
        spans = spans_of(tags, query.lengths)
        if not len(spans.values):
            return Spans(spans, np.zeros(0))
        before = (np.cumsum(query.lengths) - query.lengths)[spans.row]
        starts = np.zeros(len(tags), bool)
        starts[before + spans.values[:, 0]] = True
        ends = before + spans.values[:, 1]
        found = sums(scores, fitted.move, order, conditional=True)
        return Spans(spans, span_chances(found, tags, starts, ends, query.lengths))

    def as_prior(self) -> TaggerPrior:
        """What this fitted model says to another fit, at strength 1."""
        return TaggerPrior(self._known(), CERTAINTY)

    def _known(self) -> TaggerFit:
        assert self.fitted is not None, "fit() comes first"
        return self.fitted

    def state(self) -> State:
        fitted = self._known()
        used = np.flatnonzero(fitted.coefficients.any(axis=1))
        tensors: dict[str, Tensor] = {
            "columns": used,
            "coefficients": fitted.coefficients[used],
            "move": fitted.move,
            "classes": fitted.classes.astype(np.uint8),
        }
        meta = {
            "penalty": self.penalty,
            "accuracy": self.accuracy,
            "width": len(fitted.coefficients),
        }
        return State(self.kind, meta, tensors)

    @classmethod
    def restore(cls, state: State) -> Tagger:
        move = np.asarray(state.tensors["move"], np.float64)
        coefficients = np.zeros((int(state.meta["width"]), len(move)))
        coefficients[state.tensors["columns"]] = state.tensors["coefficients"]
        classes = np.asarray(state.tensors["classes"]).astype(bool)
        settings = float(state.meta["penalty"]), float(state.meta["accuracy"])
        return cls(*settings, TaggerFit(coefficients, move, classes))


@dataclass(frozen=True)
class Objective:
    """The penalised loss of labelled sentences, around a centre.

    centre     (a, k) of the coefficients; `move` that of the moves
    precision  (k,) of a tag's coefficients; a move has the smaller of its two tags'
    """

    prepared: Prepared
    weight: Array
    centre: Array
    move: Array
    precision: Array
    tick: Tick = idle

    @property
    def size(self) -> int:
        return self.centre.size + self.move.size

    def value(self, theta: Array) -> tuple[float, Array]:
        """The objective and its gradient at (size,) coefficients and moves, flat."""
        self.tick()
        prepared, tags = self.prepared, self.prepared.tags
        assert tags is not None
        a, k = self.centre.shape
        coefficients, move = theta[: a * k].reshape(a, k), theta[a * k :].reshape(k, k)
        scores = np.asarray(prepared.matrix @ coefficients)
        found = sums(scores, move, prepared.order, self.weight)
        sentence = np.repeat(np.arange(prepared.n), prepared.order.lengths)
        each = self.weight[sentence]
        at = np.arange(len(tags))
        within = np.flatnonzero(sentence[1:] == sentence[:-1])
        pairs = tags[within], tags[within + 1]
        gold = each @ scores[at, tags] + each[within] @ move[pairs]
        residual = each[:, None] * found.marginal
        residual[at, tags] -= each
        gradient = np.asarray(prepared.matrix.T @ residual)
        turn = found.moves.copy()
        np.subtract.at(turn, pairs, each[within])
        away, off = coefficients - self.centre, move - self.move
        firm = np.minimum(self.precision[:, None], self.precision)
        value = float(self.weight @ found.log_z - gold)
        value += 0.5 * float((self.precision * away**2).sum() + (firm * off**2).sum())
        gradient += self.precision * away
        turn += firm * off
        # A forbidden move is in no sequence; it stays where the centre has it.
        return value, np.concatenate([gradient.ravel(), turn.ravel()])

    def curvature(self) -> Array:
        """(size,) about the second derivative of each parameter, were all tags alike."""
        k = self.centre.shape[1]
        share = (1.0 - 1.0 / k) / k
        tokens = np.repeat(self.weight, self.prepared.order.lengths)
        seen = self.prepared.matrix.T @ tokens  # features are 1 where they are there
        each = share * np.asarray(seen)[:, None] + self.precision
        firm = np.minimum(self.precision[:, None], self.precision)
        return np.concatenate([each.ravel(), (share / k * tokens.sum() + firm).ravel()])

    def minimised(self, enough: float) -> tuple[Array, Array]:
        """(a, k) coefficients and (k, k) moves at the minimum."""
        start = np.concatenate([self.centre.ravel(), self.move.ravel()])
        theta = descend(self.value, start, self.curvature(), enough=enough, steps=STEPS)
        a, k = self.centre.shape
        move = theta[a * k :].reshape(k, k)
        return theta[: a * k].reshape(a, k), np.where(allowed(k // 2)[:-1], move, 0.0)


def _known_tags(classes: Bools) -> Array:
    """(k,) 1 for O and the tags of known classes, else 0."""
    return np.concatenate([np.ones(1), np.repeat(classes.astype(np.float64), 2)])


def _require_alike(prior: TaggerPrior, shape: tuple[int, int]) -> None:
    found = prior.fitted.coefficients.shape
    if found != shape:
        raise StrategyError(
            f"Expected a prior over {shape[0]} features × {shape[1]} tags, found "
            f"{found[0]} × {found[1]}. Encode source and target with the same encoder."
        )
    if not (np.isfinite(prior.precision) and prior.precision >= 0):
        raise StrategyError(
            f"Expected a finite precision of at least 0 in the prior, found {prior.precision}. "
            "Lower the strength."
        )
