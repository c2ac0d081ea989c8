"""Answer with an artifact: one door for every task.

    recommend   users         → the best k new items of each distinct user
                users, items  → a score for every pair, in order
    classify    rows          → the rows, the likeliest class, the chance of each class
    regress     rows          → the rows, the number expected, quantiles where asked for
    tag         texts         → the texts, their spans, the chance of each span

What the model does not know is answered all the same, and `note` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from acclimate.arrays import Array, Bools, Ints, Strings
from acclimate.artifacts.artifact import Artifact
from acclimate.artifacts.reading import ReadRows, read_rows
from acclimate.artifacts.tagging import tag
from acclimate.artifacts.told import of_users, told
from acclimate.domains import names
from acclimate.domains.beside import BesideEncoder
from acclimate.domains.exam import Numbers, Prediction, Probabilities, Ranking, RankQuery
from acclimate.domains.pairs import interactions
from acclimate.domains.sample import Interactions
from acclimate.domains.tokenview import TokenEncoder
from acclimate.domains.values import identifiers
from acclimate.domains.view import ItemEncoder, ReadsRows
from acclimate.errors import DataError, UsageError
from acclimate.models.model import ReadsAttributes
from acclimate.nearest import some

BLOCK = 512  # users; their scores over 6,000 items are 25 MB
NEW, COLD = "new user: popular items", "no known item in the history: popular items"
ELSEWHERE = "no known item in the history: by what was taken elsewhere"
ATTRIBUTES = "no known item in the history: by the user's attributes"
TAKEN, UNKNOWN, RESTRICTED = "already taken", "unknown item", "restricted item"


def predict(artifact: Artifact, table: pl.DataFrame, k: int = 10) -> pl.DataFrame:
    """Answer every row of a table.

    table    recommend: a column of users (as the target's file called it, `user_id`, or a
             name that says user), and, or not, one of items; attributes of users, as the
             target's users table calls them, are read by models that know any.
             classify, regress: the columns that the target's file had
    k        ≥ 1, length of a user's list
    returns  recommend, users: the users under their column's own name, item_id, score, rank
             (from 1), note; fewer than k rows where a user took nearly everything.
             recommend, pairs: the table as it is, then score and note.  An item that the
             model does not know scores 1 below the lowest score of any it knows, for that
             user; one that may not be recommended has no score.  Scores order the items of
             one user; those of users without a known history are on a scale of their own.
             classify: the table as it is, then prediction, p_CLASS for each class, and
             note.  A name that the table has already gets "_" behind ours.
             regress: the same with prediction, the mean, and q_LEVEL for each quantile

    Raises DataError for a table that lacks every column asked for, UsageError for k < 1.
    """
    encoder = artifact.fitted.encoder
    if isinstance(encoder, TokenEncoder):
        return tag(artifact, encoder, table)
    if isinstance(encoder, ReadsRows):
        return _rows(artifact, encoder, table)
    assert isinstance(encoder, ItemEncoder)
    if k < 1:
        raise UsageError(f"Expected k of at least 1, the length of a list; found {k}.")
    roles = artifact.contents.reading.roles
    user = id_column(table, "user", names.user, roles.get("user"))
    item = id_column(table, "item", names.item, roles.get("item"))
    if user is None:
        own = roles.get("user", "user_id")
        raise DataError(
            f"Expected a column that names users, {own!r} as in the target's file or "
            f"'user_id'; found {some(table.columns, 12) or 'no columns'}. "
            "Rename the one with users."
        )
    users = ids(table, user).alias("user")
    known = told(encoder.about.users, table.drop(user), users)
    if item is None:
        lists = _lists(artifact, encoder, users, known, k)
        return lists.rename({"user_id": user}) if user not in lists.columns else lists
    answers = _pairs(artifact, encoder, users, known, ids(table, item).alias("item"))
    return table.hstack([_renamed(each, table.columns) for each in answers])


# ── recommend ───────────────────────────────────────────────────────────────


def id_column(table: pl.DataFrame, role: str, rank: names.Rank, own: str | None) -> str | None:
    """The column with ids of a role: called as in the target's file, or as such a column is."""
    for name in (own, f"{role}_id"):
        if name in table.columns:
            return name
    ranked = [(r, i, c) for i, c in enumerate(table.columns) if (r := rank(c)) is not None]
    return min(ranked)[2] if ranked else None


def ids(table: pl.DataFrame, column: str) -> pl.Series:
    """The ids of a column in one spelling; raises DataError for what holds none."""
    series = table[column]
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        raise DataError(
            f"Expected ids in the column {column!r}, found values of type {series.dtype}. "
            "Write one id a row, as text or a number."
        )
    return identifiers(series).cast(pl.String)


@dataclass(frozen=True)
class _Asked:
    """Some distinct users and what is known of them.

    seen  (n,) whether there is a history
    cold  (n,) whether it lacks every item that the model knows
    met   (n,) whether the model knows what the user took elsewhere
    told  (n,) whether the model goes by attributes of the user that are known
    """

    users: Strings
    context: Interactions
    seen: Bools
    cold: Bools
    met: Bools
    told: Bools

    def notes(self) -> list[str]:
        """(n,) why a user does not get what follows from a history here, or ""."""
        each = zip(self.seen, self.cold, self.met, self.told, strict=True)
        return [
            ""
            if not cold
            else ELSEWHERE
            if met
            else ATTRIBUTES
            if told
            else COLD
            if seen
            else NEW
            for seen, cold, met, told in each
        ]


def _blocks(
    artifact: Artifact, encoder: ItemEncoder, users: pl.Series, known: pl.DataFrame | None
) -> Iterator[_Asked]:
    """Distinct users, a block at a time; null is a user whom nobody knows.

    known  user, then attributes, where the table has any that the model reads
    """
    histories = artifact.contents.histories
    if histories is None:
        histories = pl.DataFrame(schema={"user": pl.String, "item": pl.String})
    histories = histories.filter(pl.col("user").is_in(users.drop_nulls().to_list()))
    for start in range(0, users.len(), BLOCK):
        block = users.slice(start, BLOCK)
        theirs = histories.filter(pl.col("user").is_in(block.drop_nulls().to_list()))
        ids = np.array(block.to_list(), dtype=object)
        context = interactions(theirs, ids, encoder.catalogue)
        about = of_users(encoder.about.users, known, ids)
        context = replace(context, about_users=about)
        by = np.zeros(len(ids), bool)
        model = artifact.fitted.model
        if about is not None and isinstance(model, ReadsAttributes) and model.knows_people:
            assert encoder.about.users is not None
            by = np.diff(encoder.about.users.encode(about, len(ids)).indptr) > 0
        ours = np.isin(context.item, encoder.known)
        count = np.bincount(context.user[ours], minlength=len(ids))
        seen = block.is_in(theirs["user"].unique().to_list()).fill_null(False).to_numpy()
        met = np.zeros(len(ids), bool)
        if isinstance(encoder, BesideEncoder):
            met = encoder.met(ids)
        yield _Asked(ids, context, seen, count == 0, met, by)


def _lists(
    artifact: Artifact,
    encoder: ItemEncoder,
    users: pl.Series,
    known: pl.DataFrame | None,
    k: int,
) -> pl.DataFrame:
    parts = [pl.DataFrame(schema=_LIST)]
    for asked in _blocks(artifact, encoder, users.unique(maintain_order=True), known):
        ranking = artifact.fitted.predict(RankQuery(asked.users, None, k), asked.context)
        assert isinstance(ranking, Ranking)
        row, place = np.nonzero(ranking.items >= 0)
        found = {
            "user_id": asked.users[row].tolist(),
            "item_id": encoder.catalogue[ranking.items[row, place]].tolist(),
            "score": ranking.scores[row, place],
            "rank": place + 1,
            "note": np.array(asked.notes(), dtype=object)[row].tolist(),
        }
        parts.append(pl.DataFrame(found, schema=_LIST))
    return pl.concat(parts)


_LIST = {
    "user_id": pl.String,
    "item_id": pl.String,
    "score": pl.Float64,
    "rank": pl.Int64,
    "note": pl.String,
}


def _pairs(
    artifact: Artifact,
    encoder: ItemEncoder,
    users: pl.Series,
    known: pl.DataFrame | None,
    items: pl.Series,
) -> list[pl.Series]:
    """Score and note of each pair."""
    distinct = users.unique(maintain_order=True)
    frame = pl.DataFrame([users, items])
    order = pl.DataFrame({"user": distinct, "at": np.arange(distinct.len())})
    joined = frame.join(order, on="user", how="left", maintain_order="left")["at"]
    nobody = distinct.is_null().arg_max() or 0  # where null stands; nulls join nothing
    at = joined.fill_null(nobody).to_numpy().astype(np.int64)
    column = encoder.columns_of(np.array(items.to_list(), dtype=object))
    score, note = np.zeros(len(at)), np.full(len(at), "", dtype=object)
    by_user = np.argsort(at, kind="stable")
    sorted_at = at[by_user]
    start = 0
    for asked in _blocks(artifact, encoder, distinct, known):
        stop = start + len(asked.users)
        rows = by_user[slice(*np.searchsorted(sorted_at, [start, stop]))]
        score[rows] = _scores(artifact, encoder, asked, at[rows] - start, column[rows])
        note[rows] = np.array(asked.notes(), dtype=object)[at[rows] - start]
        start = stop
    taken = _taken(artifact, frame)
    barred = items.is_in(artifact.contents.reading.declared.restricted).fill_null(False)
    unknown = np.where(barred, RESTRICTED, np.where(column < 0, UNKNOWN, ""))
    notes = [
        "; ".join(filter(None, parts))
        for parts in zip(note, unknown, np.where(taken, TAKEN, ""), strict=True)
    ]
    return [
        pl.Series("score", score, pl.Float64).set(barred, None),
        pl.Series("note", notes, pl.String),
    ]


def _scores(
    artifact: Artifact, encoder: ItemEncoder, asked: _Asked, row: Ints, column: Ints
) -> Array:
    """(n,) the plain score of each pair; 1 below the user's lowest for unknown items."""
    every = np.tile(encoder.known, (len(asked.users), 1))
    ranking = artifact.fitted.predict(RankQuery(asked.users, every), asked.context)
    assert isinstance(ranking, Ranking)
    if not len(encoder.known):
        return np.full(len(row), -1.0)
    lowest = ranking.scores.min(axis=1)
    found: Array = np.where(column >= 0, ranking.scores[row, column], lowest[row] - 1.0)
    return found


def _taken(artifact: Artifact, pairs: pl.DataFrame) -> Bools:
    """(n,) whether the user has taken the item before."""
    histories = artifact.contents.histories
    if histories is None:
        return np.zeros(pairs.height, bool)
    asked = histories.join(pairs.select("user").unique(), on="user", how="semi")
    mine = asked.select("user", "item").unique().with_columns(taken=pl.lit(True))
    joined = pairs.join(mine, on=["user", "item"], how="left", maintain_order="left")
    found: Bools = joined["taken"].fill_null(False).to_numpy()
    return found


# ── classify, regress ───────────────────────────────────────────────────────


def _rows(artifact: Artifact, encoder: ReadsRows, table: pl.DataFrame) -> pl.DataFrame:
    read = read_rows(table, artifact.contents.reading, encoder)
    answer, notes = _nothing(artifact, len(encoder.classes)), list[str]()
    if table.height:
        answer = artifact.fitted.predict(read.rows)
        notes = _notes(read, encoder.unseen(read.rows))
    if isinstance(answer, Numbers):
        answers = _expected(answer)
    else:
        assert isinstance(answer, Probabilities)
        answers = _likeliest(answer, encoder.classes)
    answers.append(pl.Series("note", notes, pl.String))
    return table.hstack([_renamed(each, table.columns) for each in answers])


def _nothing(artifact: Artifact, n_classes: int) -> Prediction:
    """The answer to a table without rows, which no encoder need see."""
    if n_classes:
        return Probabilities(np.zeros((0, n_classes)))
    levels = getattr(artifact.fitted.model, "levels", ())
    return Numbers(np.zeros(0), np.zeros((0, len(levels))), levels)


def _likeliest(answer: Probabilities, classes: Sequence[str]) -> list[pl.Series]:
    best = np.array(classes, dtype=object)[answer.p.argmax(axis=1)]
    chances = answer.p.astype(np.float64)
    return [
        pl.Series("prediction", best.tolist(), pl.String),
        *(
            pl.Series(f"p_{each}", chances[:, at], pl.Float64)
            for at, each in enumerate(classes)
        ),
    ]


def _expected(answer: Numbers) -> list[pl.Series]:
    return [
        pl.Series("prediction", answer.y, pl.Float64),
        *(pl.Series(f"q_{each:g}", answer.at(each), pl.Float64) for each in answer.levels),
    ]


def _renamed(series: pl.Series, taken: Sequence[str]) -> pl.Series:
    """The series under a name that the input does not use."""
    name = series.name
    while name in taken:
        name += "_"
    return series.alias(name)


def _notes(read: ReadRows, unseen: Sequence[str]) -> list[str]:
    """(n,) what was missing, unreadable or new in each row, joined by "; "."""
    which = "column" if len(read.missing) == 1 else "columns"
    absent = f"missing {which}: {', '.join(read.missing)}" if read.missing else ""
    bad: list[list[str]] = [[] for _ in unseen]
    for column, rows in read.unreadable.items():
        for row in np.flatnonzero(rows):
            bad[row].append(column)
    notes = []
    for new, wrong in zip(unseen, bad, strict=True):
        called = [read.names.get(name, name) for name in new.split(", ")] if new else []
        parts = [
            absent,
            f"unreadable: {', '.join(wrong)}" if wrong else "",
            f"unseen: {', '.join(called)}" if called else "",
        ]
        notes.append("; ".join(filter(None, parts)))
    return notes
