"""Boosters: trees by LightGBM from the start, on top of others, and with new leaves.

Before: `trees` made a matrix and put labels into the terms of its booster.  After: a
booster as LightGBM's own text.

Source of the boosting: Ke et al., LightGBM, NeurIPS 2017; of a leaf's value, Chen &
Guestrin, KDD 2016 (arXiv:1603.02754), eq. 5: −Σg / (Σh + λ), times the learning rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.models.design import Layout
from acclimate.models.model import Tick
from acclimate.settings import settings

ROUNDS_A_TICK = 5
FEW_ROWS = 5000  # below, a second thread costs more than it brings
COARSE = 63  # bins a column of rows that are fitted again and again


def parameters(
    leaves: int,
    rate: float,
    min_rows: int,
    n: int,
    n_classes: int,
    seed: int,
    often: bool = False,
) -> dict[str, Any]:
    """What LightGBM is told for n rows; n_classes is 0 for numbers.

    often  rows are fitted again and again: in fewer bins, and histograms made column by
           column, which spares a booster its own copy of the rows
    """
    asked: dict[str, Any] = {"objective": "regression"}
    if n_classes:
        asked = {
            "objective": "binary" if n_classes == 2 else "multiclass",
            "num_class": 1 if n_classes == 2 else n_classes,
        }
    return {
        **asked,
        "num_leaves": leaves,
        "learning_rate": rate,
        "min_data_in_leaf": max(1, min(min_rows, n // 10)),
        # LightGBM wants 100 rows behind a group of categories and ignores one of
        # fewer than cat_smooth = 10 rows; with 60 rows it would split on none.  On
        # made markets these lower log loss at 60 and 150 rows and change nothing
        # from 500.
        "min_data_per_group": max(1, min(100, n // 10)),
        "cat_smooth": max(1.0, min(10.0, n / 50)),
        "feature_fraction": 0.8,
        "lambda_l2": 1.0,
        "seed": seed,
        "num_threads": threads(n),
        "deterministic": True,
        **({"force_col_wise": True, "max_bin": COARSE} if often else {"force_row_wise": True}),
        "verbosity": -1,
    }


def dataset(
    matrix: Any,
    label: Ints | Array,
    layout: Layout,
    parameters: dict[str, Any],
    weight: Array | None = None,
    keep: bool = False,
) -> Any:
    """Rows as LightGBM holds them, in bins once they are constructed.

    matrix  (n, numeric + categories + text columns)
    label   (n,) classes from 0, or numbers
    keep    whether the matrix is kept beside the bins: a start reads it
    """
    import lightgbm

    categories = np.arange(len(layout.levels)) + layout.numeric
    return lightgbm.Dataset(
        matrix,
        label.astype(np.float64),
        weight=weight,
        categorical_feature=categories.tolist(),
        params=parameters,
        free_raw_data=not keep,
    )


def boosted(
    rows: Any, parameters: dict[str, Any], rounds: int, tick: Tick, start: Any = None
) -> str:
    """`rounds` trees, behind those of `start` where there is one.

    start  a booster of the same columns and classes; what it says of a row is where the
           new trees begin, and the share of classes is not taken from these rows again
    """
    import lightgbm

    if start is None:
        # `lightgbm.train` would copy the settings and write and read the text besides.
        booster = lightgbm.Booster(parameters, rows)
        for number in range(rounds):
            if number % ROUNDS_A_TICK == 0:
                tick()
            booster.update()
    else:
        booster = lightgbm.train(
            parameters,
            rows,
            num_boost_round=rounds,
            init_model=start,
            callbacks=[_ticking(tick)],
        )
    text: str = booster.model_to_string()
    return text


def releaved(
    booster: Any, matrix: Any, label: Ints | Array, weight: Array, decay: float, tick: Tick
) -> str:
    """The booster with leaves decay·old + (1 − decay)·new, tree by tree.

    A tree's new leaves are fitted where the refitted trees before it stand, the first at
    0; they are times the learning rate, except in a first tree that holds the share of
    classes, which takes the whole step.  Departure from LightGBM's `refit`, which moves a
    leaf without rows towards 0: such a leaf stays as it was.
    """
    leaf = np.asarray(booster.predict(matrix, pred_leaf=True)).reshape(len(label), -1)
    tick()
    fresh = booster.refit(matrix, label.astype(np.float64), decay_rate=decay, weight=weight)
    tick()
    counts = re.findall(r"^num_leaves=(\d+)$", booster.model_to_string(), re.MULTILINE)
    for tree, count in enumerate(map(int, counts)):
        reached = np.bincount(leaf[:, tree], minlength=count) > 0
        for empty in np.flatnonzero(~reached).tolist():
            fresh.set_leaf_output(tree, empty, booster.get_leaf_output(tree, empty))
    text: str = fresh.model_to_string()
    return text


def _ticking(tick: Tick) -> Callable[[Any], None]:
    """A LightGBM callback; what it raises ends the training."""

    def callback(environment: Any) -> None:
        if environment.iteration % ROUNDS_A_TICK == 0:
            tick()

    return callback


def threads(n: int) -> int:
    """Threads for n rows; a function of the size and the settings alone."""
    return 1 if n < FEW_ROWS else settings().threads
