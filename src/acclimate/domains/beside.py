"""Beside: the same users in another catalogue, known by their ids alone.

A user of a new category is a user of the shop.  What they took elsewhere stands beside
their history as columns of its own, whatever an id may mean in either catalogue: nothing
of it is recommended, and it is there for users who have no history here yet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints, Sparse, Strings
from acclimate.domains.sample import Interactions, id_text
from acclimate.domains.view import EncoderState, ItemEncoder, ItemView

ALIKE = 0.5  # cosine of users above which two items may be one
LEAST = 2  # users of the target who took an item: of one alone, nobody else can learn


@dataclass(frozen=True)
class BesideEncoder(ItemEncoder):
    """A vocabulary of the target's items, and what users took in other catalogues.

    users    (m,) ids, sorted
    taken    (m, n_beside) CSR of ones
    columns  source and ids of each part of these columns: questions may know more of one
             than was learned from
    """

    users: Strings = field(default_factory=lambda: np.empty(0, object))
    taken: Sparse = field(default_factory=lambda: sp.csr_array((0, 0)))
    columns: tuple[tuple[str, Strings], ...] = ()

    @classmethod
    def of(
        cls,
        encoder: ItemEncoder,
        others: Mapping[str, Interactions],
        mine: Interactions,
        at_most: int,
    ) -> BesideEncoder:
        """The encoder with what users took in each of some other catalogues.

        mine     the target's own; only items that two of its users took elsewhere are kept
        at_most  ≥ 1, items of each catalogue: those most of its users took
        """
        active, columns = set(_active(mine)), []
        for name, each in others.items():
            shared = np.array([user in active for user in each.users], bool)[each.user]
            count = np.bincount(each.item[shared], minlength=len(each.items))
            most = np.argsort(-count, kind="stable")[:at_most]
            columns.append((name, each.items[np.sort(most[count[most] >= LEAST])]))
        return cls._with(encoder, others, columns)

    @classmethod
    def aligned(cls, encoder: ItemEncoder, others: Mapping[str, Interactions]) -> BesideEncoder:
        """The encoder with the vocabulary once more for each way that users meet its items."""
        known = encoder.catalogue[encoder.known]
        return cls._with(encoder, others, [(name, known) for name in others])

    @classmethod
    def _with(
        cls,
        encoder: ItemEncoder,
        others: Mapping[str, Interactions],
        columns: Sequence[tuple[str, Strings]],
    ) -> BesideEncoder:
        users = np.array(sorted({u for each in others.values() for u in each.users}), object)
        blocks = [_taken(others[name], users, ids) for name, ids in columns]
        taken = sp.csr_array(sp.hstack(blocks))
        there = np.flatnonzero(np.diff(taken.indptr))
        own = (encoder.catalogue, encoder.known, encoder.about)
        return cls(*own, users[there], taken[there], tuple(columns))

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
        beside = sp.csr_array(chosen @ self.taken)
        if sample.beside:
            starts = np.cumsum([0, *(len(ids) for _, ids in self.columns)])
            parts = [
                _taken(sample.beside[name], sample.users, ids)
                if name in sample.beside
                else beside[:, start : start + len(ids)]
                for (name, ids), start in zip(self.columns, starts, strict=False)
            ]
            beside = sp.csr_array(sp.hstack(parts))
        return replace(super().encode(sample), beside=beside)

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
            "columns": np.frombuffer(
                json.dumps([[name, ids.tolist()] for name, ids in self.columns]).encode(),
                np.uint8,
            ),
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
        columns = tuple(
            (name, np.array(ids, dtype=object))
            for name, ids in json.loads(tensors["columns"].tobytes())
        )
        return cls(own.catalogue, own.known, own.about, users, taken, columns)


def _taken(other: Interactions, users: Strings, items: Strings) -> Sparse:
    """(len(users), len(items)) CSR of ones: which of these items these users took there."""
    row_of = {user: at for at, user in enumerate(users)}
    column_of = {item: at for at, item in enumerate(items)}
    row = np.array([row_of.get(user, -1) for user in other.users], np.int64)[other.user]
    column = np.array([column_of.get(item, -1) for item in other.items], np.int64)[other.item]
    known = np.flatnonzero((row >= 0) & (column >= 0))
    shape = (len(users), len(items))
    found = sp.csr_array((np.ones(len(known)), (row[known], column[known])), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1.0
    return found


def twins(other: Interactions, mine: Interactions) -> Bools:
    """(len(other.items),) whether an item there may be one of the target's, under another id.

    Of two items the same users took one as the other: a cosine of users above `ALIKE`, with
    two in common at least.  Items of the target's own ids are not asked.
    """
    here = set(mine.items)
    S = _taken(other, mine.users, other.items)
    X = _taken(mine, mine.users, mine.items)
    both = sp.coo_array(S.T @ X)
    theirs: Array = np.bincount(S.indices, minlength=S.shape[1]).astype(np.float64)
    own: Array = np.bincount(X.indices, minlength=X.shape[1]).astype(np.float64)
    cosine = both.data / np.sqrt(theirs[both.row] * own[both.col])
    found = np.zeros(len(other.items), bool)
    found[both.row[(cosine > ALIKE) & (both.data >= LEAST)]] = True
    found &= np.array([item not in here for item in other.items], bool)
    return found


def shared_users(other: Interactions, mine: Interactions) -> int:
    """How many of the target's users with a history took something in another market."""
    return len(set(_active(other)) & set(_active(mine)))


def _active(sample: Interactions) -> Strings:
    active: Strings = sample.users[np.unique(sample.user)]
    return active
