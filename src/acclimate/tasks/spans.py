"""Precision, recall and F1 of predicted spans: right means the same start, end and class.

As conlleval counts (Tjong Kim Sang & Buchholz, CoNLL 2000), micro-averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array, Bools, Ints
from acclimate.domains.ragged import Ragged


@dataclass(frozen=True)
class Counts:
    """Spans by unit, or by class: (k,) each.

    right     predicted and true
    answered  predicted
    wanted    true
    """

    right: Array
    answered: Array
    wanted: Array


def matches(answered: Ragged, wanted: Ragged) -> Bools:
    """(m,) whether each predicted span is true; one that is said twice is right once."""
    both = np.concatenate(
        [np.column_stack([each.row, each.values]) for each in (answered, wanted)]
    )
    m = len(answered.values)
    key = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
    right = np.isin(key[:m], key[m:])
    once = np.zeros(m, bool)
    once[np.unique(key[:m], return_index=True)[1]] = True
    return right & once


def by_unit(answered: Ragged, wanted: Ragged, units: Ints, n_units: int) -> Counts:
    """Counts of each unit.

    units  (n,) unit of each row
    """
    right = matches(answered, wanted)

    def total(each: Ragged, keep: Bools | None = None) -> Array:
        rows = each.row if keep is None else each.row[keep]
        return np.bincount(units[rows], minlength=n_units).astype(float)

    return Counts(total(answered, right), total(answered), total(wanted))


def by_class(answered: Ragged, wanted: Ragged, n_classes: int) -> Counts:
    """Counts of each class."""
    right = matches(answered, wanted)

    def total(values: Ints) -> Array:
        return np.bincount(values[:, 2], minlength=n_classes).astype(float)

    return Counts(total(answered.values[right]), total(answered.values), total(wanted.values))


def f1(right: Array, answered: Array, wanted: Array) -> Array:
    """2·right / (answered + wanted); 0 where nothing was predicted and nothing true."""
    both = answered + wanted
    return np.divide(2.0 * right, both, out=np.zeros_like(both), where=both > 0)


def share(right: Array, of: Array) -> Array:
    """right / of, 0 where there is none."""
    return np.divide(right, of, out=np.zeros_like(of), where=of > 0)
