"""Reshaping steps whose map is known for new rows, as transformers of scikit-learn.

Rows of a source are moved by its own map and those of the target by the target's; what
has no `sample_domain` is the target's.  Columns are taken as they are: put a scaler before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from acclimate.arrays import Array
from acclimate.domains.moved import Affine
from acclimate.domains.view import RowView
from acclimate.errors import InputError
from acclimate.estimators.separated import domains_of, key_of, require_target
from acclimate.strategies.feature.coral import recolouring
from acclimate.strategies.feature.msda import denoiser
from acclimate.strategies.feature.subspace import principal


class ByDomain(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """An affine map for each domain.

    Learned: maps_, by the number of a source, −1 for the target; n_features_in_.
    """

    def fit(self, X: Any, y: Any = None, sample_domain: Any = None) -> ByDomain:
        """Learn the maps.

        X              (n, d), two rows a domain at least
        sample_domain  (n,) above 0: the number of a source; below 0: the target; None: all
                       rows are the target's

        Raises InputError where a domain has fewer than two rows.
        """
        x = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        domain = domains_of(sample_domain, len(x))
        require_target(domain)
        domain = np.where(domain < 0, -1, domain)
        numbers, counts = np.unique(domain, return_counts=True)
        if counts.min() < 2:
            raise InputError(
                f"Expected two rows a domain at least, found {int(counts.min())} of domain "
                f"{int(numbers[counts.argmin()])}. Give more rows, or leave it out."
            )
        sources = {int(each): x[domain == each] for each in numbers if each > 0}
        self.maps_ = self._learn(x[domain < 0], sources)
        return self

    def transform(self, X: Any, sample_domain: Any = None) -> Array:
        """(n, d′) rows moved, each as its domain is.

        Raises InputError for a source that `fit` has not seen.
        """
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        domain = domains_of(sample_domain, len(x))
        domain = np.where(domain < 0, -1, domain)
        unknown = sorted({int(each) for each in domain} - set(self.maps_))
        if unknown:
            raise InputError(
                f"Expected sources among {', '.join(str(n) for n in self.maps_ if n > 0)}, as "
                f"in fit; found {', '.join(map(str, unknown))}."
            )
        width = next(iter(self.maps_.values())).matrix.shape[1]
        moved = np.empty((len(x), width))
        for number, each in self.maps_.items():
            at = domain == number
            moved[at] = (x[at] - each.centre) @ each.matrix + each.shift
        return moved

    def fit_transform(self, X: Any, y: Any = None, sample_domain: Any = None) -> Array:
        """Fit, and move the very same rows."""
        return self.fit(X, y, sample_domain).transform(X, sample_domain)

    def _learn(self, target: Array, sources: dict[int, Array]) -> dict[int, Affine]:
        raise NotImplementedError


class CoralTransformer(ByDomain):
    """Give rows of sources the target's mean and covariance; the target's stay as they are.

    shrink  > 0, weight of the identity in both covariances
    """

    def __init__(self, shrink: float = 1.0) -> None:
        self.shrink = shrink

    def _learn(self, target: Array, sources: dict[int, Array]) -> dict[int, Affine]:
        if not (np.isfinite(self.shrink) and self.shrink > 0):
            raise InputError(f"Expected a finite shrink above 0, found {self.shrink}.")
        zero, centre = np.zeros(target.shape[1]), target.mean(axis=0)
        maps = {-1: Affine(zero, np.eye(target.shape[1]), zero)}
        for number, x in sources.items():
            matrix = recolouring(x, target, self.shrink)
            maps[number] = Affine(x.mean(axis=0), matrix, centre)
        return maps


class SubspaceTransformer(ByDomain):
    """Put rows into the target's principal axes, those of sources by way of their own.

    axes  ≥ 1; as many as the columns and the rows of the smallest domain give, at most
    """

    def __init__(self, axes: int = 10) -> None:
        self.axes = axes

    def _learn(self, target: Array, sources: dict[int, Array]) -> dict[int, Affine]:
        if self.axes < 1:
            raise InputError(f"Expected 1 axis at least, found {self.axes}.")
        d = min(self.axes, target.shape[1], *(len(x) - 1 for x in (target, *sources.values())))
        onto = principal(target, d)
        maps = {-1: Affine(target.mean(axis=0), onto, np.zeros(d))}
        for number, x in sources.items():
            axes = principal(x, d)
            maps[number] = Affine(x.mean(axis=0), axes @ (axes.T @ onto), np.zeros(d))
        return maps


class MsdaTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Put columns behind the input that restore it from blanked-out parts, by one map for all.

    Fit it on rows of every domain together.  corruption: 0 < p < 1; layers: 1 … 10; width
    as in the strategy `msda`.
    """

    def __init__(
        self, corruption: float = 0.7, layers: int = 3, width: int = 5000, random_state: Any = 0
    ) -> None:
        self.corruption = corruption
        self.layers = layers
        self.width = width
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> MsdaTransformer:
        """Learn the layers on X (n, d)."""
        x = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if not 0 < self.corruption < 1 or not 1 <= self.layers <= 10 or self.width < 2:
            raise InputError(
                "Expected a corruption above 0 and below 1, 1 to 10 layers and a width of 2 at "
                f"least; found {self.corruption}, {self.layers} and {self.width}."
            )
        key = key_of(self.random_state).child("msda")
        self.move_ = denoiser(_view(x), self.corruption, self.layers, self.width, key)
        return self

    def transform(self, X: Any) -> Array:
        """(n, d′) the input and every layer's columns."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        moved: Array = self.move_(_view(x)).numeric
        return moved


def _view(x: Array) -> RowView:
    """Numbers alone as a view."""
    return RowView(x, np.zeros((len(x), 0), np.int64), (), None, None, 0)
