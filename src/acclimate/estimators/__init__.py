"""Strategies as scikit-learn estimators: classifier, regressor, transformers."""

from acclimate.estimators.adapted import AdaptedClassifier, AdaptedRegressor
from acclimate.estimators.transformers import (
    CoralTransformer,
    MsdaTransformer,
    SubspaceTransformer,
)

__all__ = [
    "AdaptedClassifier",
    "AdaptedRegressor",
    "CoralTransformer",
    "MsdaTransformer",
    "SubspaceTransformer",
]
