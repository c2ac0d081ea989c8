"""Components: directions along which rows vary while two sides' means stay together.

Before: `tca` and `jda` say which means are held together and what a direction costs.
After: a model reads the components in the place of the numeric columns.

With Y the rows of both sides in an orthonormal basis of their span, H = I − 11ᵀ/n, and M the
matrix whose form aᵀYᵀMYa sums the squared differences of means along a, components are the
leading solutions of

    Yᵀ H Y a = φ (Yᵀ M Y + penalty · R) a

R = I charges a direction by its own length (‖A‖² of JDA's equation 8); R = S⁻¹, S = YᵀY, by
that of its coefficients on the rows, A = XᵀW (‖W‖² of TCA's equation 11 and of a kernel).
M is never formed: it is a sum of outer products of differences of means, one a column of D.

Departures of both: the constraint AᵀXHXᵀA = I would make all components equally long; here
every direction has length 1 in the kernel's space, so that components are as long as rows
reach along them, and rows of many columns are taken, and given, with length 1.  Both are
what JDA's authors' published program does: its eigenvectors are of length 1 because MATLAB's
`eigs` returns them so.  A Gaussian kernel reads at most so many rows (landmarks; Williams &
Seeger, NIPS 2000): with all rows among them it is the kernel itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.view import EncoderState, RowView
from acclimate.errors import StrategyError
from acclimate.rng import Rng
from acclimate.strategies.instance.kernels import gaussian, median_distance

# From so many columns on, a row's length says little beside its direction.
MANY = 100
KERNELS = ("linear", "rbf")


@dataclass(frozen=True)
class Features:
    """What directions are sought among: numeric columns, or a kernel's own coordinates.

    unit       whether rows are scaled to length 1 first
    landmarks  (m, d) rows that a Gaussian kernel is taken with, None for a linear kernel
    width      σ of the Gaussian kernel
    """

    unit: bool
    landmarks: Array | None = None
    width: float = 1.0

    def __call__(self, x: Array) -> Array:
        """(n, d) numbers → (n, d) themselves or (n, m) kernel values."""
        x = lengthened(x) if self.unit else x
        return x if self.landmarks is None else gaussian(x, self.landmarks, self.width)


@dataclass(frozen=True)
class Components:
    """Put components in the place of the numeric columns; the rest stays.

    matrix  (d or m, k) what features are multiplied by
    """

    features: Features
    matrix: Array

    kind: ClassVar[str] = "components"

    def __call__(self, view: RowView) -> RowView:
        return replace(view, numeric=self.of(view.numeric))

    def of(self, x: Array) -> Array:
        """(n, k) components of rows, of length 1 where rows are."""
        found = self.features(x) @ self.matrix
        return lengthened(found) if self.features.unit else found

    def state(self) -> EncoderState:
        meta = {"unit": self.features.unit, "width": self.features.width}
        tensors = {"matrix": self.matrix}
        if self.features.landmarks is not None:
            tensors["landmarks"] = self.features.landmarks
        return EncoderState(self.kind, meta, tensors)

    @classmethod
    def restore(cls, state: EncoderState) -> Components:
        held = state.tensors.get("landmarks")
        landmarks = None if held is None else np.asarray(held)
        features = Features(bool(state.meta["unit"]), landmarks, float(state.meta["width"]))
        return cls(features, np.asarray(state.tensors["matrix"]))


@dataclass(frozen=True)
class Span:
    """Rows of both sides in an orthonormal basis of what they span.

    rows    (n, r) coordinates, those of sources first
    basis   (d or m, r) from features to coordinates
    square  (r,) S, which is diagonal here
    """

    rows: Array
    basis: Array
    square: Array


def features_of(
    xs: Array, xt: Array, kernel: str, at_most: int, rng: Rng
) -> tuple[Features, Array]:
    """How features are made of these rows, and (n, d or m) those of both, sources first.

    at_most  ≥ 1 landmarks of a Gaussian kernel, drawn from all rows; its width is the
             median distance between rows
    """
    unit = xs.shape[1] >= MANY
    both = np.concatenate([xs, xt])
    if kernel == "linear":
        features = Features(unit)
        return features, features(both)
    seen = lengthened(both) if unit else both
    width = median_distance(seen[: len(xs)], seen[len(xs) :], rng.child("width"))
    drawn = rng.child("landmarks").generator().permutation(len(both))[:at_most]
    features = Features(unit, seen[np.sort(drawn)], width)
    return features, features(both)


def span(features: Features, values: Array) -> Span:
    """The span of these features, in the kernel's own scalar product.

    values  (n, d or m) as `features` made them

    Raises StrategyError where every row is 0.
    """
    start = np.eye(values.shape[1])
    if features.landmarks is not None:
        among = gaussian(features.landmarks, features.landmarks, features.width)
        held, axes = _above_nothing(*np.linalg.eigh(among))
        start = axes / np.sqrt(held)  # K_mm^(−½): k(x, ·) K_mm^(−½) are coordinates
        values = values @ start
    n, d = values.shape
    if d <= n:
        square, basis = _above_nothing(*np.linalg.eigh(values.T @ values))
    else:
        square, left = _above_nothing(*np.linalg.eigh(values @ values.T))
        basis = values.T @ (left / np.sqrt(square))
    if not len(square):
        raise StrategyError(
            "Expected rows with a number other than 0 to find components of, found none. Give "
            "the markets numeric columns that vary, or leave tca and jda out."
        )
    return Span(values @ basis, start @ basis, square)


def leading(
    rows: Span, differences: Array, penalty: float, dimension: int, dual: bool
) -> Array:
    """(r, k) the directions, each of length 1, that vary most for what they cost.

    differences  (r, c) D: differences of means that M holds together
    penalty      > 0
    dimension    ≥ 1, k; at most half of r, one at least, because all of them lose nothing
    dual         whether R = S⁻¹, or else I
    """
    from scipy.linalg import eigh

    r = len(rows.square)
    k = min(dimension, max(r // 2, 1))
    # In coordinates where R is the identity, which keeps the right side well-conditioned.
    cheap = np.sqrt(rows.square) if dual else np.ones(r)
    mean = rows.rows.mean(axis=0) * cheap
    scatter = np.diag(rows.square * cheap**2) - len(rows.rows) * np.outer(mean, mean)
    apart = differences * cheap[:, None]
    cost = apart @ apart.T + penalty * np.eye(r)
    _, vectors = eigh(scatter, cost, subset_by_index=(r - k, r - 1))
    found = vectors[:, ::-1] * cheap[:, None]
    directions: Array = found / np.linalg.norm(found, axis=0)
    return directions


def lengthened(x: Array) -> Array:
    """Rows of length 1; those that are 0 stay."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    scaled: Array = x / np.where(length > 0, length, 1.0)
    return scaled


def require_settings(kind: str, dimension: int, penalty: float, kernel: str, most: int) -> None:
    """Raise StrategyError for settings out of range."""
    if dimension < 1 or most < 2:
        raise StrategyError(
            f"Expected at least one component and two landmarks, found {dimension} and {most}. "
            f"Ask {kind} for components a few times fewer than there are columns."
        )
    if not (np.isfinite(penalty) and penalty > 0):
        raise StrategyError(
            f"Expected a finite penalty above 0, found {penalty}. Without it {kind} has no "
            "unique solution."
        )
    if kernel not in KERNELS:
        raise StrategyError(
            f"Expected the kernel linear or rbf; found {kernel!r}. Choose linear for "
            "many columns, rbf for few that act together."
        )


def _above_nothing(values: Array, vectors: Array) -> tuple[Array, Array]:
    """Eigenvalues that are not 0 to a computer, and their vectors."""
    kept = values > max(float(values[-1]), 0.0) * len(values) * 1e-14
    return values[kept], vectors[:, kept]
