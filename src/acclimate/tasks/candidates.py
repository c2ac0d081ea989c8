"""Sampled candidates, to repeat protocols that rank an item among a few drawn ones."""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Ints
from acclimate.domains.exam import Case
from acclimate.domains.sample import Interactions


def sampled(case: Case, taken: Interactions, negatives: int, seed: int) -> Ints:
    """(n_users, negatives + most truths of a user) catalogue positions, padded with −1.

    Negatives are uniform without replacement over the items a user never took, user by
    user in the case's order; a catalogue too small for that many gives all it has.
    """
    truth = case.truth
    assert truth.user is not None and truth.item is not None
    users = len(case.query.users)
    row_of = {user: row for row, user in enumerate(case.query.users)}
    row = np.array([row_of.get(user, -1) for user in taken.users], np.int64)[taken.user]
    mine = _grouped(row, taken.item, users)
    wanted = _grouped(truth.user, truth.item, users)
    width = negatives + max((len(items) for items in wanted), default=0)
    candidates = np.full((users, width), -1, np.int64)
    generator = np.random.default_rng(seed)
    for user in range(users):
        free = np.ones(len(taken.items), bool)
        free[mine[user]] = False
        free[wanted[user]] = False
        left = np.flatnonzero(free)
        drawn = generator.choice(left, min(negatives, len(left)), replace=False)
        candidates[user, : len(drawn)] = drawn
        candidates[user, negatives : negatives + len(wanted[user])] = wanted[user]
    return candidates


def _grouped(group: Ints, value: Ints, groups: int) -> list[Ints]:
    """The values of each group 0 … groups − 1; others are left out."""
    keep = group >= 0
    order = np.argsort(group[keep], kind="stable")
    bounds = np.searchsorted(group[keep][order], np.arange(1, groups))
    return np.split(value[keep][order], bounds)
