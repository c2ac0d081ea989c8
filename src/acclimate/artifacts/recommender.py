"""Serve a recommender: baskets of anyone, users known or all of them, filters, and why.

Before: `artifact.load` restored it.  After: `acclimate recommend`, or a shop's own code, asks
for lists.  Nothing is learned here: the model folds a basket in by itself, so that what
somebody puts into it now counts in the next answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints, Sparse, Strings
from acclimate.artifacts import many
from acclimate.artifacts.artifact import Artifact
from acclimate.artifacts.predictor import COLD, ELSEWHERE, NEW
from acclimate.domains.beside import BesideEncoder
from acclimate.domains.exam import Ranking
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder, ItemView
from acclimate.errors import UsageError
from acclimate.models.approximate import Approximate
from acclimate.models.best import best
from acclimate.models.diverse import NAMED, marginal
from acclimate.models.items import BLOCK, CELLS, Adds, ItemQuery, ScoresItems
from acclimate.models.lengths import Factored
from acclimate.models.model import ReadsAttributes

SCHEMA = {"item_id": pl.String, "score": pl.Float64, "rank": pl.Int64, "note": pl.String}
Found: TypeAlias = "Approximate | None"


@dataclass(frozen=True)
class Filters:
    """What may be recommended.

    among   items in stock, of a category, …; None: all that the model knows
    again   whether what was taken already may be named again
    spread  0 … 1, how much a list avoids items like those it has (`models.diverse`)
    """

    among: Sequence[str] | None = None
    again: bool = False
    spread: float = 0.0


@dataclass(frozen=True)
class Recommender:
    """A fitted recommender, ready to answer.

    model      ranks for any history
    encoder    which items it knows, and what else of users and items
    histories  user, item: what each user of the target took
    arm        which way it was learned, for what is said of it
    """

    model: Any = field(repr=False)
    encoder: ItemEncoder = field(repr=False)
    histories: pl.DataFrame = field(repr=False)
    target: str = ""
    arm: str = ""

    @classmethod
    def of(cls, artifact: Artifact) -> Recommender:
        """What an artifact serves.  Raises UsageError for one of another task."""
        encoder, held = artifact.fitted.encoder, artifact.contents
        if not isinstance(encoder, ItemEncoder):
            raise UsageError(
                f"Expected the artifact of a recommender at {str(artifact.folder)!r}; found "
                f"one that answers {held.task.kind}. Ask it with `acclimate predict`."
            )
        histories = held.histories
        if histories is None:
            histories = pl.DataFrame(schema={"user": pl.String, "item": pl.String})
        return cls(artifact.fitted.model, encoder, histories, held.target, held.arm)

    # ── what is known ───────────────────────────────────────────────────────

    @cached_property
    def items(self) -> Strings:
        """(n_items,) ids of what the model knows."""
        found: Strings = self.encoder.catalogue[self.encoder.known]
        return found

    @cached_property
    def column(self) -> dict[str, int]:
        """id → column of the model."""
        return {item: at for at, item in enumerate(self.items.tolist())}

    @cached_property
    def users(self) -> dict[str, int]:
        """id → row of `taken`, of users with a history."""
        names = self.histories["user"].unique(maintain_order=True).to_list()
        return {user: at for at, user in enumerate(names)}

    @cached_property
    def taken(self) -> ItemView:
        """What each of `users` took."""
        user = self.histories["user"].replace_strict(self.users, return_dtype=pl.Int64)
        column = self.histories["item"].replace_strict(
            self.column, default=None, return_dtype=pl.Int64
        )
        known = column.is_not_null()
        at = (user.filter(known).to_numpy(), column.filter(known).to_numpy())
        matrix = sp.csr_array((np.ones(len(at[0])), at), (len(self.users), len(self.items)))
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        last = np.full(matrix.shape[0], -1)
        last[at[0]] = at[1]  # of several for a user, the last one stays
        return _view(matrix, last)

    @cached_property
    def _takers(self) -> Any:
        """The same by items."""
        return sp.csc_array(self.taken.matrix)

    @cached_property
    def _popular(self) -> tuple[Ints, Array]:
        """Columns, what a stranger is offered first, and the score of each column then."""
        size = len(self.items)
        nobody = self._whole(_view(sp.csr_array((1, size)), np.array([-1])), [None])
        ranking = self.model.predict(ItemQuery(size), nobody)
        order, score = ranking.items[0], np.full(size, -np.inf)
        kept = order >= 0
        score[order[kept]] = ranking.scores[0][kept]
        return order[kept], score

    @cached_property
    def _indices(self) -> dict[int, Found]:
        """Those that were built, by the length of a list."""
        return {}

    # ── lists ───────────────────────────────────────────────────────────────

    def basket(
        self, items: Sequence[str], k: int = 10, filters: Filters | None = None
    ) -> list[tuple[str, float]]:
        """The k best items for whoever took these, best first, each with its score.

        items  ids; those that the model does not know say nothing
        """
        return self.answer(None, items, k, filters)[0]

    def answer(
        self,
        user: str | None,
        items: Sequence[str],
        k: int = 10,
        filters: Filters | None = None,
    ) -> tuple[list[tuple[str, float]], str]:
        """The k best for a user's history with what came after it, and its note.

        user   None, or one without a history: the items alone speak
        """
        if isinstance(items, str):
            self._rows([items])  # refuses a text in the place of a list
        at = self.users.get(user, -1) if user is not None else -1
        view = self._rows([[*self._past(at), *items]])
        found = self._ranked(view, [user], k, filters or Filters())
        there = found.items[0] >= 0
        names = self.items[found.items[0][there]].tolist()
        note = self._notes([user], view, [at >= 0 or bool(items)])[0]
        return list(zip(names, found.scores[0][there].tolist(), strict=True)), note

    def _past(self, at: int) -> list[str]:
        """What the user in a row of `taken` took, the last one last."""
        if at < 0:
            return []
        assert self.taken.last is not None
        matrix, last = self.taken.matrix, int(self.taken.last[at])
        columns = matrix.indices[matrix.indptr[at] : matrix.indptr[at + 1]].tolist()
        columns.sort(key=last.__eq__)
        past: list[str] = self.items[columns].tolist()
        return past

    def baskets(
        self, named: Sequence[tuple[str, Sequence[str]]], k: int, filters: Filters
    ) -> pl.DataFrame:
        """(basket_id, item_id, score, rank, note) of baskets by name."""
        rows = self._rows([items for _, items in named])
        return self._table("basket_id", [name for name, _ in named], rows, k, filters)

    def lists(self, users: Sequence[str] | None, k: int, filters: Filters) -> pl.DataFrame:
        """(user_id, item_id, score, rank, note) of users; None: all that have a history."""
        if users is None:
            return self._table("user_id", list(self.users), self.taken, k, filters)
        at = np.array([self.users.get(user, -1) for user in users], np.int64)
        none = sp.csr_array((1, len(self.items)))
        matrix = sp.csr_array(sp.vstack([self.taken.matrix, none], format="csr"))[at]
        assert self.taken.last is not None
        view = _view(matrix, np.append(self.taken.last, -1)[at])
        return self._table("user_id", users, view, k, filters)

    def _rows(self, baskets: Sequence[Sequence[str]]) -> ItemView:
        """What these baskets hold, in the order in which it was put there."""
        if texts := [each for each in baskets if isinstance(each, str)]:
            raise UsageError(
                f"Expected a list of item ids, found the text {texts[0]!r}. Put it into a "
                f"list: [{texts[0]!r}]."
            )
        found = [[self.column[i] for i in items if i in self.column] for items in baskets]
        once = [sorted(set(each)) for each in found]
        flat = np.array([at for each in once for at in each], np.int64)
        ends = np.cumsum([0, *map(len, once)])
        matrix = sp.csr_array((np.ones(len(flat)), flat, ends), (len(once), len(self.items)))
        return _view(matrix, np.array([each[-1] if each else -1 for each in found], np.int64))

    def _table(
        self, name: str, who: Sequence[str], view: ItemView, k: int, filters: Filters
    ) -> pl.DataFrame:
        users: Sequence[str | None] = [None] * len(who) if name == "basket_id" else who
        found = self._ranked(view, users, k, filters)
        row, place = np.nonzero(found.items >= 0)
        known = [user is None or user in self.users for user in users]
        notes = self._notes(users, view, known)
        told = {
            name: np.array(who, dtype=object)[row].tolist(),
            "item_id": self.items[found.items[row, place]].tolist(),
            "score": found.scores[row, place],
            "rank": place + 1,
            "note": np.array(notes, dtype=object)[row].tolist(),
        }
        return pl.DataFrame(told, schema={name: pl.String, **SCHEMA})

    def _notes(
        self, users: Sequence[str | None], view: ItemView, known: Sequence[bool]
    ) -> list[str]:
        """(n,) why a list does not follow from a history, or ""."""
        cold = np.diff(view.matrix.indptr) == 0
        met = np.zeros(len(users), bool)
        if isinstance(self.encoder, BesideEncoder):
            met = self.encoder.met(np.array(users, dtype=object))
        return [
            "" if not none else ELSEWHERE if elsewhere else COLD if some else NEW
            for none, elsewhere, some in zip(cold, met, known, strict=True)
        ]

    def _whole(self, view: ItemView, users: Sequence[str | None]) -> ItemView:
        """The histories with what the encoder knows of their users and items besides."""
        encoder = self.encoder
        if type(encoder) is ItemEncoder and not encoder.about.as_row():
            return view
        nothing: Ints = np.empty(0, np.int64)
        ids = np.array(users, dtype=object)
        more = encoder.encode(Interactions(nothing, nothing, ids, encoder.catalogue))
        return replace(view, beside=more.beside, users=more.users, items=more.items)

    def _ranked(
        self, view: ItemView, users: Sequence[str | None], k: int, filters: Filters
    ) -> Ranking:
        if k < 1:
            raise UsageError(f"Expected k of at least 1, the length of a list; found {k}.")
        barred = self._barred(filters.among)
        size = len(self.items)
        named = min(size, NAMED * k if filters.spread else k)
        rows = view.matrix.shape[0]
        by_factors = isinstance(self.model, Factored) and size > many.SEARCHED
        step = BLOCK if by_factors else min(BLOCK, max(1, CELLS // max(1, size)))
        index = self.index(named, rows) if by_factors and not filters.again else None
        empty = (np.empty((0, k), np.int64), np.empty((0, k)))
        parts = []
        for start in range(0, rows, step):
            assert view.last is not None
            some = _view(view.matrix[start : start + step], view.last[start : start + step])
            some = self._whole(some, users[start : start + step])
            items, scores = self._best(some, named, barred, filters.again, index)
            if filters.spread:
                at = marginal(items, scores, self._takers, k, filters.spread)
                items = np.where(at >= 0, np.take_along_axis(items, at, axis=1), -1)
                scores = np.take_along_axis(scores, at, axis=1)
            parts.append((items, scores))
        items, scores = (np.concatenate(each) for each in zip(*(parts or [empty]), strict=True))
        return Ranking(items, scores, size)

    def _best(
        self, view: ItemView, k: int, barred: Bools | None, again: bool, index: Found
    ) -> tuple[Ints, Array]:
        """(n, k) columns and scores, best first; −1 and −inf where nothing is left."""
        model, rows, whole = self.model, view.matrix, view.whole
        if not isinstance(model, ScoresItems) or isinstance(model, ReadsAttributes):
            if again:
                raise UsageError(
                    "Expected a model that scores what was taken too; found "
                    f"{self.model.kind}, which names new items alone. Leave --again out."
                )
            return self._filtered(view, k, barred)
        favoured, standing = self._popular
        if isinstance(model, Factored) and len(self.items) > many.SEARCHED and not again:
            return many.searched(model, view, k, barred, self._popular, index)
        scores = np.asarray(model.scores(whole), np.float64)
        scores[np.diff(whole.indptr) == 0] = standing
        if not again:
            count = np.diff(rows.indptr)
            scores[np.repeat(np.arange(len(count)), count), rows.indices] = -np.inf
        if barred is not None:
            scores[:, barred] = -np.inf
        return best(scores, favoured, k)

    def _filtered(self, view: ItemView, k: int, barred: Bools | None) -> tuple[Ints, Array]:
        """The same of a model that ranks by itself: its whole order, less what is barred."""
        whole = self.model.predict(ItemQuery(k if barred is None else len(self.items)), view)
        items, scores = whole.items, whole.scores
        if barred is None:
            return items, scores
        out = (items < 0) | barred[items]
        order = np.argsort(out, axis=1, kind="stable")[:, :k]
        kept = ~np.take_along_axis(out, order, axis=1)
        items = np.where(kept, np.take_along_axis(items, order, axis=1), -1)
        return items, np.where(kept, np.take_along_axis(scores, order, axis=1), -np.inf)

    def index(self, k: int, asked: int) -> Found:
        """What finds most of the k best of very many items; None: all are looked at.

        asked  histories at once; few are no reason to build it
        """
        if many.pays(len(self.items), asked) and k not in self._indices:
            self._indices[k] = many.index_of(self.model, self.taken.matrix, k)
        return self._indices.get(k) if many.pays(len(self.items), asked) else None

    @property
    def searched(self) -> str | None:
        """What a person should know of how lists were found; None: every item was looked at."""
        return next((each.said for each in self._indices.values() if each is not None), None)

    def _barred(self, among: Sequence[str] | None) -> Bools | None:
        if among is None:
            return None
        barred = np.ones(len(self.items), bool)
        barred[[self.column[item] for item in among if item in self.column]] = False
        if barred.all():
            raise UsageError(
                f"Expected items that the model knows among the {len(among):,} allowed; found "
                f"none of its {len(self.items):,}. Give the ids that the target's events have."
            )
        return barred

    # ── why ─────────────────────────────────────────────────────────────────

    def why(self, basket: Sequence[str], item: str) -> pl.DataFrame:
        """What each item of a basket says for another: contributions, largest first.

        returns  from_item, contribution, users: who took both in the target.  Contributions
                 sum to the score

        Raises UsageError for a model whose scores are no sums, or an item it does not know.
        """
        if not isinstance(self.model, Adds):
            found = f"{self.arm or self.model.kind}, {self._besides}"
            raise UsageError(
                "Expected a model whose score is a sum over a history (ease, item-knn, "
                f"rp3beta, sparse-ease, graph-filter, als); found {found}. "
                "Leave --why out, or adapt again with --model ease and no "
                "such strategy or launch."
            )
        if item not in self.column:
            raise UsageError(
                f"Expected an item that the model knows; found {item!r}. It knows "
                f"{len(self.items):,} of {self.target!r}."
            )
        rows = self._rows([basket]).matrix.indices.astype(np.int64)
        at = self.column[item]
        takers = self._takers
        both = (takers[:, rows].T @ takers[:, [at]]).toarray().ravel()
        told = {
            "from_item": self.items[rows].tolist(),
            "contribution": self.model.parts(rows, at),
            "users": both.astype(np.int64),
        }
        schema = {"from_item": pl.String, "contribution": pl.Float64, "users": pl.Int64}
        return pl.DataFrame(told, schema=schema).sort(
            "contribution", descending=True, maintain_order=True
        )

    @property
    def _besides(self) -> str:
        """Why a model's scores are no sums over a history."""
        if isinstance(self.encoder, BesideEncoder):
            return "whose scores go by what users took in other markets too"
        if isinstance(self.model, ReadsAttributes):
            return "whose scores go by attributes too, as those of launched items must"
        return "whose scores are made otherwise"

    def history(self, user: str) -> list[str]:
        """What a user of the target took, nothing for a stranger."""
        return self.histories.filter(pl.col("user") == user)["item"].to_list()


def _view(matrix: Sparse, last: Ints) -> ItemView:
    """Histories as a model takes them; how popular items are is no matter of theirs."""
    return ItemView(matrix, np.zeros(matrix.shape[1]), last=last)
