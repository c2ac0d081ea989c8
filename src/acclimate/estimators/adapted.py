"""A strategy with a model as a classifier or regressor of scikit-learn.

Before: arrays whose rows `sample_domain` tells apart.  After: a fitted encoder and model,
which answer for rows of the target.  Nothing is tuned and nothing judged: `workflow.adapt`
does that; a search of scikit-learn may.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from acclimate.arrays import Array, Bools, Ints
from acclimate.domains.exam import Numbers, Prediction, Probabilities
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.source import Source
from acclimate.errors import InputError
from acclimate.estimators.separated import domains_of, key_of, require_target, rows_of
from acclimate.models.model import Model
from acclimate.nearest import expected
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.strategy import Strategy

MASKED = -1  # as skada has it: the class of a target row that is not known


class Adapted(BaseEstimator):  # type: ignore[misc]
    """What both share.  `strategy` and `model` are kinds of the catalogue, or instances."""

    def __init__(
        self,
        strategy: str | Strategy = "coral + source-only",
        model: str | Model = "linear",
        random_state: Any = 0,
    ) -> None:
        self.strategy = strategy
        self.model = model
        self.random_state = random_state

    def _adapt(
        self, x: Array, label: Any, known: Bools, classes: tuple[str, ...], domain: Ints
    ) -> None:
        """Fit on rows (n, d) whose `label` counts where it is `known`."""
        require_target(domain)
        own = domain < 0
        numbers = [int(each) for each in np.unique(domain[~own])]
        sources = tuple(
            Source(
                f"source {number}",
                rows_of(x[domain == number], classes, label[domain == number]),
            )
            for number in numbers
        )
        silent = own & ~known
        problem = Problem(
            "target",
            rows_of(x[own & known], classes, label[own & known]),
            sources,
            Claim.NEW,
            RowRecipe(),
            rows_of(x[silent], classes, None) if silent.any() else None,
        )
        arm = self._arm(plain=not sources)
        if (why := arm.why_not(problem)) is not None:
            raise InputError(
                f"Expected a strategy and a model that apply here; {arm.name} does not: {why}."
            )
        self.fitted_ = arm.fit(problem, key_of(self.random_state).child("fit"))

    def _arm(self, plain: bool) -> Arm:
        """The strategy, or target-only where there is no source, with the model."""
        model = self.model
        if isinstance(model, str):
            rows = {kind: each for kind, each in models().items() if each.form == "rows"}
            if model not in rows:
                raise InputError(expected("a model", rows, model))
            model = rows[model]
        strategy = named(self.strategy) if isinstance(self.strategy, str) else self.strategy
        return Arm(named("target-only") if plain else strategy, model)

    def _answer(self, X: Any) -> Prediction:
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        fitted: Fitted = self.fitted_
        names = tuple(str(each) for each in getattr(self, "classes_", ()))
        return fitted.predict(rows_of(x, names, None))

    def _checked(self, X: Any, y: Any) -> tuple[Array, Any]:
        """X (n, d) of float64, NaN allowed, and y (n,)."""
        if y is None:
            raise InputError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        x = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        y = column_or_1d(y, warn=True)
        if len(y) != len(x):
            raise InputError(f"Expected one y a row, {len(x):,}; found {len(y):,}.")
        return x, y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class AdaptedClassifier(ClassifierMixin, Adapted):  # type: ignore[misc]
    """Tell classes apart in the target with what sources know.

    strategy      a kind of the catalogue, such as "pooled", "source-prior" or
                  "coral + source-only", or a strategy
    model         "linear", "trees", "mixed" or a model
    random_state  int, RandomState or None

    Learned: classes_ (k,), n_features_in_, fitted_ (an encoder and a model).
    """

    def fit(self, X: Any, y: Any, sample_domain: Any = None) -> AdaptedClassifier:
        """Fit.

        X              (n, d) numbers; NaN is a missing value
        y              (n,) classes; where `sample_domain` is given, −1 is an unknown one of
                       the target
        sample_domain  (n,) above 0: the number of a source; below 0: the target.  None:
                       every row is the target's, and the model is fitted on them alone

        Raises InputError where the strategy does not apply, with why.
        """
        x, y = self._checked(X, y)
        domain = domains_of(sample_domain, len(x))
        known = np.ones(len(x), bool)
        if sample_domain is not None and y.dtype.kind in "iuf":
            if ((domain > 0) & (y == MASKED)).any():
                raise InputError(
                    f"Expected every row of a source to have a class; found {MASKED}, which "
                    "stands for an unknown one. Leave these rows out, or rename the class."
                )
            known = y != MASKED
        check_classification_targets(y[known])
        self.classes_, position = np.unique(y[known], return_inverse=True)
        label = np.zeros(len(x), np.int64)
        label[known] = position
        names = tuple(str(each) for each in self.classes_)
        self._adapt(x, label, known, names, domain)
        return self

    def predict_proba(self, X: Any) -> Array:
        """(n, k) the chance of each of `classes_` for rows of the target."""
        answer = self._answer(X)
        assert isinstance(answer, Probabilities)
        return answer.p

    def predict(self, X: Any) -> Any:
        """(n,) the likeliest class."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]


class AdaptedRegressor(RegressorMixin, Adapted):  # type: ignore[misc]
    """Predict a number in the target with what sources know.  Settings as the classifier's."""

    def fit(self, X: Any, y: Any, sample_domain: Any = None) -> AdaptedRegressor:
        """Fit.

        y  (n,) numbers; where `sample_domain` is given, NaN is an unknown one of the target
        X, sample_domain  as in `AdaptedClassifier.fit`

        Raises InputError where the strategy does not apply, with why.
        """
        x, y = self._checked(X, y)
        domain = domains_of(sample_domain, len(x))
        try:
            label = np.asarray(y, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"Expected y as numbers, found {y.dtype}: {error}.") from error
        known = np.isfinite(label)
        hidden = np.isnan(label) & (domain < 0) & (sample_domain is not None)
        if not (known | hidden).all():
            raise InputError(
                f"Expected finite y, or NaN for an unknown number of the target; found "
                f"{int((~(known | hidden)).sum()):,} other rows of NaN or infinity."
            )
        self._adapt(x, label, known, (), domain)
        return self

    def predict(self, X: Any) -> Array:
        """(n,) numbers, for rows of the target."""
        answer = self._answer(X)
        assert isinstance(answer, Numbers)
        return answer.y
