"""Beside: the same users in another catalogue, known by their ids alone.

A user of a new category is a user of the shop.  What they took elsewhere stands beside
their history as columns of its own, whatever an id may mean in either catalogue: nothing
of it is recommended, and it is there for users who have no history here yet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints, Sparse, Strings
from acclimate.domains.sample import Interactions, id_text
from acclimate.domains.view import EncoderState, ItemEncoder, ItemView

LEAST = 2  # users of the target who took an item: of one alone, nobody else can learn


@dataclass(frozen=True)
class BesideEncoder(ItemEncoder):
    """A vocabulary of the target's items, and what users took in other catalogues.

    users  (m,) ids, sorted
    taken  (m, n_beside) CSR of ones
    """

    users: Strings = field(default_factory=lambda: np.empty(0, object))
    taken: Sparse = field(default_factory=lambda: sp.csr_array((0, 0)))

    @classmethod
    def of(
        cls,
        encoder: ItemEncoder,
        others: Sequence[Interactions],
        mine: Interactions,
        at_most: int,
    ) -> BesideEncoder:
        """The encoder with what users took in each of some other catalogues.

        mine     the target's own; only items that two of its users took elsewhere are kept
        at_most  ≥ 1, items of each catalogue: those most of its users took
        """
        users = np.array(sorted({user for each in others for user in each.users}), object)
        shared = np.isin(users, _active(mine))
        blocks = []
        for each in others:
            row = np.searchsorted(users, each.users)[each.user]
            block = sp.csr_array(
                (np.ones(each.n), (row, each.item)), shape=(len(users), len(each.items))
            )
            block.sum_duplicates()
            block.data[:] = 1.0
            count: Array = np.asarray(block[np.flatnonzero(shared)].sum(axis=0)).ravel()
            most = np.argsort(-count, kind="stable")[:at_most]
            blocks.append(block[:, np.sort(most[count[most] >= LEAST])])
        taken = sp.csr_array(sp.hstack(blocks))
        there = np.flatnonzero(np.diff(taken.indptr))
        return cls(encoder.catalogue, encoder.known, encoder.about, users[there], taken[there])

    @classmethod
    def aligned(cls, encoder: ItemEncoder, others: Sequence[Interactions]) -> BesideEncoder:
        """The encoder with the vocabulary once more for each way that users meet its items."""
        users = np.array(sorted({user for each in others for user in each.users}), object)
        blocks = []
        for each in others:
            block, row = encoder.encode(each).matrix, np.searchsorted(users, each.users)
            shape = (len(users), len(each.users))
            turned = sp.csr_array((np.ones(len(row)), (row, np.arange(len(row)))), shape=shape)
            blocks.append(turned @ block)
        taken = sp.csr_array(sp.hstack(blocks))
        return cls(encoder.catalogue, encoder.known, encoder.about, users, taken)

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(super().fingerprint.encode() + id_text(self.users))
        for part in (self.taken.indptr, self.taken.indices):
            digest.update(np.ascontiguousarray(part, np.int64).tobytes())
        return digest.hexdigest()

    def encode(self, sample: Interactions) -> ItemView:
        row = self._rows(sample.users)
        known = np.flatnonzero(row >= 0)
        shape = (len(row), len(self.users))
        chosen = sp.csr_array((np.ones(len(known)), (known, row[known])), shape=shape)
        return replace(super().encode(sample), beside=sp.csr_array(chosen @ self.taken))

    def met(self, users: Strings) -> Bools:
        """(n,) whether anything of each user is known from elsewhere."""
        return self._rows(users) >= 0

    def _rows(self, users: Strings) -> Ints:
        place = {user: number for number, user in enumerate(self.users)}
        return np.array([place.get(user, -1) for user in users], np.int64)

    def state(self) -> EncoderState:
        own = super().state()
        tensors = {
            **own.tensors,
            "users": np.frombuffer(id_text(self.users), np.uint8),
            "indices": self.taken.indices,
            "indptr": self.taken.indptr,
        }
        meta = {**own.meta, "beside": self.taken.shape[1]}
        return EncoderState("items-beside", meta, tensors)

    @classmethod
    def restore(cls, state: EncoderState) -> BesideEncoder:
        own, tensors = ItemEncoder.restore(state), state.tensors
        users = np.array(json.loads(tensors["users"].tobytes()), dtype=object)
        indices = tensors["indices"]
        shape = (len(users), state.meta["beside"])
        taken = sp.csr_array((np.ones(len(indices)), indices, tensors["indptr"]), shape=shape)
        return cls(own.catalogue, own.known, own.about, users, taken)


def shared_users(other: Interactions, mine: Interactions) -> int:
    """How many of the target's users with a history took something in another market."""
    return len(set(_active(other)) & set(_active(mine)))


def _active(sample: Interactions) -> Strings:
    active: Strings = sample.users[np.unique(sample.user)]
    return active
