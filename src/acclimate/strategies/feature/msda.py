"""mSDA: learn to restore columns that were blanked out, without ever blanking one.

Source: Chen, Xu, Weinberger & Sha, ICML 2012 (arXiv:1206.4683), equations 3 to 6 and
section 3.3.  Each column of x is set to 0 with probability p; the linear map that restores
x best, over all corruptions at once, is closed:

    W = E[P] E[Q]⁻¹,   E[Q]_ij = S_ij q_i q_j (i ≠ j),  E[Q]_ii = S_ii q_i,  E[P]_ij = S_ij q_j

with S = Σ x xᵀ over the rows of both sides, q_j = 1 − p and q = 1 for the constant column.
A layer is tanh(W [x; 1]); the next one is fitted on its output, and a model reads the
input beside every layer.

The constant column is eliminated by hand, which leaves the same equations with the
centred scatter S̄ = S − n m mᵀ:

    W = (1 − p) S̄ Q̄⁻¹,   Q̄ = (1 − p)² S̄ + p(1 − p) diag(S),   b = m − (1 − p) W m

Departures: no ridge, because diag(S) already makes Q̄ regular once columns that are 0 in
every row are left out; above `width` columns the paper's own way (section 3.3: the most
frequent columns are restored from blocks of the others, and the answers averaged) with
disjoint random blocks of `width` columns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import Derived
from acclimate.domains.view import EncoderState, RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape, Strategy

# Beyond, a scatter matrix in double precision costs more time and memory than it is worth.
DOUBLE = 1_000
_KEPT = Derived(at_most_bytes=2**30)


@dataclass(frozen=True)
class Layer:
    """One restoring map.

    matrix  (inputs, outputs), transposed so that rows are multiplied from the left
    shift   (outputs,)
    """

    matrix: Array
    shift: Array

    def __call__(self, x: Array | Sparse) -> Array:
        """(n, outputs) in −1 … 1."""
        restored = np.asarray(x @ self.matrix, self.matrix.dtype)
        restored += self.shift
        hidden: Array = np.tanh(restored, out=restored)
        return hidden


@dataclass(frozen=True)
class Denoise:
    """Put the layers' outputs behind the numeric columns; the input stays.

    text    whether the layers read the text, or else the numbers
    inputs  (k,) positions of the columns that the first layer reads, increasing
    layers  in order
    """

    text: bool
    inputs: Ints
    layers: tuple[Layer, ...]

    kind: ClassVar[str] = "denoise"

    def __call__(self, view: RowView) -> RowView:
        return beside(view, self.hidden(view))

    def hidden(self, view: RowView) -> list[Array]:
        """(n, outputs) of each layer."""
        read: Any = _read(view, self.text)
        found, x = [], read[:, self.inputs]
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found

    def state(self) -> EncoderState:
        tensors: dict[str, Tensor] = {"inputs": self.inputs}
        for number, layer in enumerate(self.layers):
            tensors[f"matrix{number:02d}"] = layer.matrix
            tensors[f"shift{number:02d}"] = layer.shift
        return EncoderState(self.kind, {"text": self.text, "layers": len(self.layers)}, tensors)

    @classmethod
    def restore(cls, state: EncoderState) -> Denoise:
        layers = tuple(
            Layer(
                np.asarray(state.tensors[f"matrix{number:02d}"]),
                np.asarray(state.tensors[f"shift{number:02d}"]),
            )
            for number in range(int(state.meta["layers"]))
        )
        inputs = np.asarray(state.tensors["inputs"], np.int64)
        return cls(bool(state.meta["text"]), inputs, layers)


@dataclass(frozen=True)
class Msda(Reshape):
    """Learn from both sides which words stand for which.  Needs no labels at all.

    Words that one side never uses are restored from those that both use, so that a model
    of the source has something to say about them.

    corruption  0 < p < 1, share of columns blanked out
    layers      1 … 10
    width       2 … 10,000, columns that a layer gives; up to so many inputs are solved at
                once, more in blocks of so many
    """

    corruption: float = 0.7
    layers: int = 3
    width: int = 5_000

    kind: ClassVar[str] = "msda"
    complexity: ClassVar[int] = 2
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.corruption < 1:
            raise StrategyError(
                f"Expected a corruption above 0 and below 1, found {self.corruption}. At 0 "
                "there is nothing to restore, at 1 nothing to restore it from."
            )
        if not (1 <= self.layers <= 10 and 2 <= self.width <= 10_000):
            raise StrategyError(
                f"Expected 1 to 10 layers of 2 to 10,000 columns, found {self.layers} of "
                f"{self.width}. Wider ones need more memory than the matrix of all columns."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if model.form != "rows":
            return f"{model.kind} reads no numbers or text that could be restored"
        fit = problem.fit
        types = set(fit.types.values()) if isinstance(fit, Rows) else set()
        if not types & {"numeric", "text"} and getattr(fit, "time", None) is None:
            return "source and target share no numeric or text columns"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, corruption=0.5), replace(self, corruption=0.9))

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        views = {}
        for source in problem.sources:
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            views[source.name] = view
        blind = [replace(view, label=None) for view in views.values()]
        some = problem.fit.n or problem.unlabelled is not None
        both = stack_views([*blind, target_view(problem)] if some else blind)

        ends = np.cumsum([view.n for view in views.values()])

        def learn() -> tuple[Denoise, list[Array]]:
            move = denoiser(both, self.corruption, self.layers, self.width, rng, tick)
            return move, move.hidden(stack_views(blind))

        # Folds and settings of a model come here again with the very same rows; only blocks
        # of columns are drawn.
        drawn = "" if _read(both, both.sparse is not None).shape[1] <= self.width else rng.seed
        move, hidden = _KEPT.get((_digest(both), str(ends), repr(self), str(drawn)), learn)
        parts = [np.split(layer, ends[:-1]) for layer in hidden]
        moved = {
            name: beside(view, [layer[number] for layer in parts])
            for number, (name, view) in enumerate(views.items())
        }
        return problem.reshaped(moved, move)


def beside(view: RowView, hidden: list[Array]) -> RowView:
    """The view with the layers' columns behind its numbers, in the layers' precision."""
    precision = hidden[0].dtype
    return replace(
        view, numeric=np.concatenate([view.numeric.astype(precision), *hidden], axis=1)
    )


def denoiser(
    view: RowView, corruption: float, layers: int, width: int, rng: Rng, tick: Tick = idle
) -> Denoise:
    """Layers fitted on these rows: on their text, or on their numbers where there is none.

    Raises StrategyError where no column holds anything.
    """
    text = view.sparse is not None
    read: Any = _read(view, text)
    count = np.asarray((read != 0).sum(axis=0)).ravel()
    inputs = np.flatnonzero(count)
    if not len(inputs):
        raise StrategyError(
            "Expected a column with something other than 0 to restore, found none. Give the "
            "markets columns they share, or leave msda out."
        )
    # The most frequent columns are restored; where all fit, each one is.
    chosen = np.sort(np.argsort(-count[inputs], kind="stable")[:width])
    x = read[:, inputs]
    found = [_first(x, chosen, corruption, width, rng, tick)]
    for _ in range(layers - 1):
        x = found[-1](x)
        found.append(restoring(x, corruption, tick=tick))
    return Denoise(text, inputs, tuple(found))


def _first(x: Any, chosen: Ints, corruption: float, width: int, rng: Rng, tick: Tick) -> Layer:
    """The first layer: of all columns at once, or the mean of what blocks of them restore."""
    d = x.shape[1]
    if d <= width:
        return restoring(x, corruption, tick=tick)
    order = rng.child("blocks").generator().permutation(d)
    blocks = np.array_split(order, -(-d // width))
    matrix = np.zeros((d, len(chosen)), precision_of(len(chosen)))
    shift = np.zeros(len(chosen), matrix.dtype)
    for block in blocks:
        part = restoring(x, corruption, block, chosen, tick)
        matrix[block] = part.matrix / len(blocks)
        shift += part.shift / len(blocks)
    return Layer(matrix, shift)


def restoring(
    x: Any,
    corruption: float,
    inputs: Ints | None = None,
    outputs: Ints | None = None,
    tick: Tick = idle,
) -> Layer:
    """The map that restores columns best from others, of which a share is blanked out.

    x        (n, d) dense or CSR
    inputs   (k,) columns that are blanked out and read, None for all
    outputs  (r,) columns that are restored, None for all

    Columns that are 0 in every row are neither: their part of the map is 0.
    """
    from scipy.linalg import cho_factor, cho_solve, lapack

    tick()
    same = inputs is None and outputs is None
    n, d = x.shape
    inputs = np.arange(d) if inputs is None else inputs
    outputs = np.arange(d) if outputs is None else outputs
    precision = precision_of(max(len(inputs), len(outputs)))
    right = x if same else x[:, inputs]
    squares = np.asarray((right * right).sum(axis=0), np.float64).ravel()
    used = np.flatnonzero(squares > 0)
    right = right[:, used] if len(used) < len(squares) else right
    left = right if same else x[:, outputs]
    kept = 1.0 - corruption
    noise = corruption * kept * squares[used]  # (k,) p(1 − p) diag(S)
    means = [np.asarray(part.mean(axis=0), np.float64).ravel() for part in (left, right)]
    tick()
    # Q̄ with its noise scaled to the identity: eigenvalues from 1 up, safe in single precision.
    scale = np.sqrt(noise)
    centred = _scatter(right, right, means[1], means[1], n, precision)
    solved = centred * (kept**2 / scale[:, None] / scale[None]).astype(precision)
    solved[np.diag_indices(len(used))] += 1.0
    factor, lower = cho_factor(solved, lower=True, overwrite_a=True, check_finite=False)
    tick()
    if same:
        # (1 − p) S̄ = (Q̄ − noise) / (1 − p): one inverse in the place of as many solutions.
        potri = lapack.dpotri if precision == np.float64 else lapack.spotri
        inverse, _ = potri(factor, lower=1, overwrite_c=True)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        matrix = -inverse * (scale[None] / scale[:, None]).astype(precision)
        matrix[np.diag_indices(len(used))] += 1.0
        matrix /= kept
    else:
        across = _scatter(right, left, means[1], means[0], n, precision)
        across *= (kept / scale[:, None]).astype(precision)
        matrix = cho_solve((factor, lower), across, check_finite=False)
        matrix /= scale[:, None].astype(precision)
    shift = means[0] - kept * (means[1] @ matrix)
    rows = used if same else np.arange(len(outputs))
    whole = np.zeros((len(inputs), len(outputs)), precision)
    whole[np.ix_(used, rows)] = matrix
    moved = np.zeros(len(outputs), precision)
    moved[rows] = shift
    return Layer(whole, moved)


def precision_of(columns: int) -> Any:
    """Double precision for narrow scatter matrices, single for wide ones."""
    return np.float64 if columns <= DOUBLE else np.float32


def _scatter(a: Any, b: Any, mean_a: Array, mean_b: Array, n: int, precision: Any) -> Array:
    """Σ over rows of (a − ā)(b − b̄)ᵀ, without centring what is sparse."""
    product = a.T @ b
    dense = product.toarray() if hasattr(product, "toarray") else product
    centred: Array = np.asarray(dense, precision)
    centred -= np.outer((n * mean_a).astype(precision), mean_b.astype(precision))
    return centred


def _read(view: RowView, text: bool) -> Array | Sparse:
    if not text:
        return view.numeric
    assert view.sparse is not None
    return view.sparse


def _digest(view: RowView) -> str:
    digest = hashlib.sha256(str(view.levels).encode())
    for part in view.arrays():
        digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
