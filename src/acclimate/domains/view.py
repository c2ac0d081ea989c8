"""Views: the form in which a model eats a sample, and the encoders that make it.

A recipe is the same for every arm; the statistics of an encoder (means, scales,
vocabularies) come from that arm's own training rows, so nothing of a source
leaks into target-only and no gain comes from a scaler.  The encoder travels
with the artifact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Strings, Tensor
from acclimate.domains.attributes import Attributes, Described, Space
from acclimate.domains.sample import Interactions, Rows, Sample, id_text
from acclimate.domains.source import Derived, ItemCounts
from acclimate.domains.taken import Taken
from acclimate.errors import StrategyError

if TYPE_CHECKING:
    from acclimate.domains.tokenview import TokenView

# Users made dense at once: 2,048 × 6,000 items in single precision are 49 MB.
BLOCK = 2048
_FEATURES = Derived(at_most_bytes=2**28)


@dataclass(frozen=True)
class RowView:
    """Encoded rows.

    numeric  (n, d) standardised, no missing values
    codes    (n, c) category codes, 0 for unseen, rare or missing
    levels   (c,) number of codes per column, the 0 included
    sparse   (n, h) hashed text, or None where there is no text
    texts    (n,) the same text as it is written, or None; no step moves it
    label    (n,) class positions, or numbers where n_classes is 0; or None
    """

    numeric: Array
    codes: Ints
    levels: tuple[int, ...]
    sparse: Sparse | None
    label: Tensor | None
    n_classes: int
    texts: Strings | None = field(default=None, repr=False)

    @property
    def n(self) -> int:
        return len(self.numeric)

    @property
    def numbers(self) -> bool:
        """Whether the label is a number, and no class."""
        return self.n_classes == 0

    def arrays(self) -> tuple[Tensor | None, ...]:
        """Everything in it, for fingerprints."""
        sparse = self.sparse
        text = () if sparse is None else (sparse.indptr, sparse.indices, sparse.data)
        return (self.numeric, self.codes, *text, self.label)


@dataclass(frozen=True)
class ItemView:
    """Encoded interactions.

    matrix      (n_users, n_items) CSR of ones, columns in the encoder's vocabulary
    popularity  (n_items,) users per item
    parts       the views this one was stacked from, whose work is reused
    own         (n_items,) users per item among the target's own rows, where others' are
                stacked below them
    last        (n_users,) the column each took last in the sample's order, −1 for none;
                None where the order is not known
    taken       the events to fit on, in that order; None where it is not known
    beside      (n_users, n_beside) CSR of ones: what the same users took elsewhere, of which
                nothing is recommended; or None
    users       (n_users, d) features of their attributes, or None
    items       (n_items, d) features of the items' attributes, or None
    """

    matrix: Sparse
    popularity: Array
    parts: tuple[ItemView, ...] = ()
    own: Array | None = None
    last: Ints | None = None
    taken: Taken | None = None
    beside: Sparse | None = None
    users: Sparse | None = None
    items: Sparse | None = None

    @property
    def whole(self) -> Sparse:
        """(n_users, n_items + n_beside) CSR: what is known of each user."""
        if self.beside is None:
            return self.matrix
        import scipy.sparse as sp

        return sp.csr_array(sp.hstack([self.matrix, self.beside]))

    @property
    def standing(self) -> Array:
        """(n_items,) what breaks ties and serves users without a history.

        The target's own counts; everyone's, less than one user in all, tell apart only
        what those have not.
        """
        if self.own is None:
            return self.popularity.astype(float)
        standing: Array = self.own + self.popularity / (1.0 + self.popularity.sum())
        return standing

    @cached_property
    def gram(self) -> Tensor:
        """(n_items, n_items) XᵀX in single precision, which holds counts below 2^24 exactly."""
        users, items = self.matrix.shape
        if self.matrix.nnz <= 0.01 * users * items and not self.parts:
            thin = self.matrix.astype(np.float32)
            found: Tensor = (thin.T @ thin).toarray()
            return found
        gram = np.zeros((items, items), np.float32)
        if self.parts:
            for part in self.parts:
                gram += part.gram
            return gram
        for start in range(0, users, BLOCK):
            block = self.matrix[start : start + BLOCK].toarray().astype(np.float32)
            gram += block.T @ block
        return gram


@dataclass(frozen=True)
class Views:
    """One sample as several encoders see it; what a model of several parts eats."""

    parts: tuple[Any, ...]

    @property
    def n(self) -> int:
        count: int = self.parts[0].n
        return count


View: TypeAlias = "RowView | ItemView | Views | TokenView"


@dataclass(frozen=True)
class EncoderState:
    """An encoder as JSON and tensors; `kind` names the class that reads it back."""

    kind: str
    meta: dict[str, Any]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    children: Mapping[str, EncoderState] = field(default_factory=dict)


class Encoder(Protocol):
    """Fitted statistics of one arm.

    base  the encoder without what reshaping steps do to the target's rows: itself, but
          for `Moved`
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def base(self) -> Encoder: ...

    def encode(self, sample: Any) -> Any: ...

    def state(self) -> EncoderState: ...


@runtime_checkable
class ReadsRows(Encoder, Protocol):
    """An encoder of rows: one market's, several side by side, or one that moves."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What rows are told apart by, in the order of a model's probabilities."""
        ...

    def reads(self, name: str) -> bool:
        """Whether it reads a column, or a number made of one, such as "hour (sin)"."""
        ...

    def unseen(self, sample: Any) -> list[str]:
        """(n,) for each row the columns whose value was not seen, joined by ", "."""
        ...


class Recipe(Protocol):
    """How samples become views; the same for every arm."""

    def fit(self, own: Sequence[Sample], others: Sequence[Sample | ItemCounts]) -> Encoder: ...


@dataclass(frozen=True)
class ItemEncoder:
    """A vocabulary: the items a model knows, as positions in the target's catalogue.

    catalogue  (m,) ids of everything that may be recommended
    known      (n_items,) sorted positions in `catalogue`
    about      what it knows of attributes
    """

    catalogue: Strings
    known: Ints
    about: Described = field(default_factory=Described)

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(id_text(self.catalogue[self.known]))
        if self.about.as_row():
            digest.update(json.dumps(self.about.as_row(), sort_keys=True).encode())
            for tensor in self.about.tensors().values():
                digest.update(tensor.tobytes())
        return digest.hexdigest()

    @property
    def base(self) -> ItemEncoder:
        return self

    def columns_of(self, items: Strings) -> Ints:
        """(len(items),) column of each id in this vocabulary, −1 where unknown."""
        column = {item: number for number, item in enumerate(self.catalogue[self.known])}
        return np.array([column.get(item, -1) for item in items], np.int64)

    def encode(self, sample: Interactions) -> ItemView:
        import scipy.sparse as sp

        column = self.columns_of(sample.items)
        column = column[sample.item] if sample.n else np.empty(0, np.int64)
        keep = column >= 0
        shape = (len(sample.users), len(self.known))
        matrix = sp.csr_array(
            (np.ones(int(keep.sum())), (sample.user[keep], column[keep])), shape=shape
        )
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        time = None if sample.time is None else sample.time[keep]
        taken = Taken(sample.user[keep], column[keep], shape, time)
        users = None
        if self.about.users is not None:
            users = self.about.users.encode(sample.about_users, shape[0])
        return ItemView(
            matrix,
            np.asarray(matrix.sum(axis=0)).ravel(),
            last=taken.last,
            taken=taken,
            users=users,
            items=self.about.features,
        )

    def with_items(self, ids: Strings, features: Sparse) -> ItemEncoder:
        """The same with more items, which come behind those it knows.

        ids       (n,) distinct, none that it knows
        features  (n, d) of their attributes
        """
        stays = ~np.isin(self.catalogue, ids)
        return replace(
            self,
            catalogue=np.concatenate([self.catalogue[stays], ids]),
            known=np.r_[(np.cumsum(stays) - 1)[self.known], stays.sum() + np.arange(len(ids))],
            about=self.about.with_items(features),
        )

    def state(self) -> EncoderState:
        ids = id_text(self.catalogue)
        return EncoderState(
            "items",
            {"items": len(self.catalogue), **self.about.as_row()},
            {
                "catalogue": np.frombuffer(ids, np.uint8),
                "known": self.known,
                **self.about.tensors(),
            },
        )

    @classmethod
    def restore(cls, state: EncoderState) -> ItemEncoder:
        ids = np.array(json.loads(state.tensors["catalogue"].tobytes()), dtype=object)
        known = state.tensors["known"].astype(np.int64)
        return cls(ids, known, Described.restore(state.meta, state.tensors, len(known)))


@dataclass(frozen=True)
class ItemRecipe:
    """Keep the items an arm has seen most, up to a number its Gram matrix can bear.

    at_most  > 0, items; the target's own come first, then those of the sources.
             What is pruned counts as a miss.
    about    what is known of the catalogue's items, in its order, or None
    unseen   whether items that nobody took are kept too, where something is known of them
             and there is room

    Fitting raises StrategyError where none of the catalogue's items was seen.
    """

    catalogue: Strings
    at_most: int = 6000
    about: Attributes | None = field(default=None, repr=False)
    unseen: bool = False

    def fit(self, own: Sequence[Sample], others: Sequence[Sample | ItemCounts]) -> ItemEncoder:
        whole = ItemEncoder(self.catalogue, np.arange(len(self.catalogue)))
        mine, theirs = self._counts(whole, own), self._counts(whole, others)
        order = np.lexsort((-theirs, -mine))
        seen = order[(mine + theirs)[order] > 0][: self.at_most]
        if not len(seen):
            raise StrategyError(
                "Expected training events on items of the target's catalogue; found none on "
                f"any of its {len(self.catalogue):,} items. Give both markets the same item "
                "ids, or learn from events of the target too."
            )
        space, features = None, None
        if (told := self.about) is not None:
            key = (told.fingerprint, "features")
            space, features = _FEATURES.get(key, lambda: _features_of(told))
            if self.unseen:
                left = np.flatnonzero((mine + theirs == 0) & (np.diff(features.indptr) > 0))
                seen = np.r_[seen, left[: self.at_most - len(seen)]]
            features = features[np.sort(seen)]
        about = Described(space, _of_users([*own, *others]), features)
        return ItemEncoder(self.catalogue, np.sort(seen), about)

    def _counts(self, whole: ItemEncoder, samples: Sequence[Sample | ItemCounts]) -> Array:
        total = np.zeros(len(self.catalogue))
        for sample in samples:
            if isinstance(sample, ItemCounts):
                items, count = sample.items, sample.count
            else:
                assert isinstance(sample, Interactions)
                items = sample.items
                count = np.bincount(sample.item, minlength=len(items)).astype(float)
            column = whole.columns_of(items)
            np.add.at(total, column[column >= 0], count[column >= 0])
        return total


def _features_of(about: Attributes) -> tuple[Space, Sparse]:
    space = Space.fit([about])
    return space, space.encode(about, about.n)


def _of_users(samples: Sequence[Sample | ItemCounts]) -> Space | None:
    """How attributes of users become features, by those that an arm may see."""
    found = [
        sample.about_users
        for sample in samples
        if isinstance(sample, Interactions) and sample.about_users is not None
    ]
    return Space.fit(found) if found else None


def rows_of(samples: Sequence[Sample | ItemCounts]) -> list[Rows]:
    """The samples as Rows; a recipe of the other form is our own mistake."""
    assert all(isinstance(sample, Rows) for sample in samples)
    return [sample for sample in samples if isinstance(sample, Rows)]
