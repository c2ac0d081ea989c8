"""New users and new items as two folders publish them, and what is asked of each.

`ratings_cold_states*` (user, item, rating, state), `users.dat*` and `movies_extrainfos.dat*`:
the two cold states of MeLU. Its warm state is not there: half of the new users teach, and of
those in the other half who have 20 ratings or more ten are asked, drawn at random, and the
first k of ten others are known. Of new items half teach. What was rated 4 or higher is right.
Settings are chosen on three folds of what teaches.

`train*`, `cold_vali*`, `cold_test*` (user, item) and `item*` (item, title, genres): items of
the last two were never taken in the first; what was taken is right. Settings are chosen on
the items of `cold_vali`, and those of `cold_test` are asked once.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints, Sparse, Strings
from acclimate.domains.attributes import Attributes, Space
from acclimate.domains.exam import Truth
from acclimate.domains.schema import ColumnType
from acclimate.domains.view import ItemView
from acclimate.errors import UsageError

ASKED, KNOWN = 10, (0, 1, 3, 5, 10)
LIKED = 4
FOLDS = 3  # of what teaches, each asked once while settings are chosen
MOST_KNOWN = 30  # ratings of a user that a model of ratings adapts to, the last ones

CATEGORY, NUMBER, TEXT = ColumnType.CATEGORY, ColumnType.NUMERIC, ColumnType.TEXT
FILM = {
    "title": TEXT, "year": NUMBER, "rated": CATEGORY, "genres": CATEGORY,
    "directors": CATEGORY, "actors": CATEGORY, "plot": TEXT,
}  # fmt: skip
PERSON = {"gender": CATEGORY, "age": CATEGORY, "occupation": CATEGORY, "area": CATEGORY}


@dataclass(frozen=True)
class Ratings:
    """Who rated what, by rows and columns; implicit events have no value.

    value  (n,) 1 … 5, or None
    """

    user: Ints
    item: Ints
    value: Array | None

    def among(self, rows: Bools) -> Ratings:
        """The ratings that a mask keeps."""
        value = None if self.value is None else self.value[rows]
        return Ratings(self.user[rows], self.item[rows], value)

    def matrix(self, users: int, items: int) -> Sparse:
        """(users, items) CSR of ones."""
        found = sp.csr_array((np.ones(len(self.user)), (self.user, self.item)), (users, items))
        found.data[:] = 1.0
        return found


@dataclass(frozen=True)
class Question:
    """What is asked of some users.

    view        what is known of them: histories, attributes of users and items
    known       the same with values, by rows of the view; at most `MOST_KNOWN` a user
    truth       what is right
    candidates  columns that are ranked, or None for every item that a user has not taken
    """

    name: str
    view: ItemView
    known: Ratings
    truth: Truth
    candidates: Ints | None


@dataclass(frozen=True)
class Lesson:
    """What teaches, and what is asked afterwards."""

    view: ItemView
    ratings: Ratings
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Cold:
    """One kind of cold start: settings are chosen on some lessons, and one is judged."""

    name: str
    choose: tuple[Lesson, ...]
    judge: Lesson


def read(folder: Path, seed: int) -> list[Cold]:
    """The cold starts that a folder holds; raises UsageError for one of another shape."""
    if (path := _one(folder, "ratings_cold_states*")) is not None:
        return _states(folder, path, seed)
    if (path := _one(folder, "train*.parquet")) is not None:
        return [_new_items(folder, path)]
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing"
    raise UsageError(
        f"Expected ratings_cold_states* with users.dat* and movies_extrainfos.dat*, or "
        f"train*, cold_vali* and cold_test* with item*, in {str(folder)!r}; found {found}."
    )


def _one(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(folder.glob(pattern))), None)


# ── the cold states ─────────────────────────────────────────────────────────


def _states(folder: Path, path: Path, seed: int) -> list[Cold]:
    ratings = pl.read_csv(path, schema_overrides={"user": pl.String, "item": pl.String})
    films = _dat(folder / "movies_extrainfos.dat", ["item", *FILM], skip=(4,))
    people = _dat(folder / "users.dat", ["user", "gender", "age", "occupation", "area"])
    people = people.with_columns(pl.col("area").str.slice(0, 1))
    draw = np.random.default_rng(seed)
    return [
        _users(ratings.filter(state="user_cold_state"), films, people, draw),
        _items(ratings.filter(state="item_cold_state"), films, people, draw),
    ]


def _dat(path: Path, columns: Sequence[str], skip: Sequence[int] = ()) -> pl.DataFrame:
    found = _one(path.parent, path.name + "*")
    assert found is not None, f"{path.name} belongs to the folder"
    data = found.read_bytes()
    data = gzip.decompress(data) if found.suffix == ".gz" else data
    lines = data.decode("utf-8", errors="replace").splitlines()
    rows = [line.split("::") for line in lines if line]
    kept = [n for n in range(len(rows[0])) if n not in skip][: len(columns)]
    table = {
        name: [row[n] if n < len(row) else None for row in rows]
        for name, n in zip(columns, kept, strict=True)
    }
    frame = pl.DataFrame(table, schema=dict.fromkeys(columns, pl.String))
    if "year" in columns:
        frame = frame.with_columns(pl.col("year").cast(pl.Float64, strict=False))
    return frame.unique(columns[0], keep="first", maintain_order=True)


def _coded(ratings: pl.DataFrame) -> tuple[Ratings, Strings, Strings]:
    users, user = np.unique(ratings["user"].to_numpy().astype(str), return_inverse=True)
    items, item = np.unique(ratings["item"].to_numpy().astype(str), return_inverse=True)
    value = ratings["rating"].to_numpy().astype(np.float64)
    return Ratings(user, item, value), users.astype(object), items.astype(object)


def _users(
    table: pl.DataFrame, films: pl.DataFrame, people: pl.DataFrame, draw: np.random.Generator
) -> Cold:
    ratings, users, items = _coded(table)
    features = _features(films, FILM, items)
    told = _features(people, PERSON, users)
    teach, judge = np.array_split(draw.permutation(len(users)), 2)

    def lesson(teachers: Ints, asked: Ints) -> Lesson:
        mine = ratings.among(np.isin(ratings.user, teachers))
        matrix = mine.matrix(len(users), len(items))[teachers]
        row = np.full(len(users), -1)
        row[teachers] = np.arange(len(teachers))
        mine = Ratings(row[mine.user], mine.item, mine.value)
        view = _view(matrix, told[teachers], features)
        return Lesson(view, mine, tuple(_asked_users(ratings, asked, told, features, draw)))

    parts = np.array_split(teach, FOLDS)
    choose = [lesson(np.setdiff1d(teach, part), part) for part in parts]
    return Cold("new users", tuple(choose), lesson(teach, judge))


def _asked_users(
    ratings: Ratings, asked: Ints, told: Sparse, features: Sparse, draw: np.random.Generator
) -> list[Question]:
    """The same users with each number of known ratings, if anything asked was liked."""
    assert ratings.value is not None
    rows, known, right = [], [], []
    for user in asked:
        mine = draw.permutation(np.flatnonzero(ratings.user == user))
        if len(mine) < ASKED + max(KNOWN):
            continue
        liked = mine[:ASKED][ratings.value[mine[:ASKED]] >= LIKED]
        if len(liked):
            rows.append(user)
            known.append(mine[ASKED : ASKED + max(KNOWN)])
            right.append(ratings.item[liked])
    n, items = len(rows), features.shape[0]
    truth = _truth(right)
    questions = []
    for k in KNOWN:
        at = np.array([each[:k] for each in known], np.int64).reshape(n * k)
        seen = Ratings(np.repeat(np.arange(n), k), ratings.item[at], ratings.value[at])
        view = _view(seen.matrix(n, items), told[np.array(rows)], features)
        said = "no rating" if not k else f"{k} rating{'s'[: k > 1]}"
        questions.append(Question(f"new users, {said}", view, seen, truth, None))
    return questions


def _items(
    table: pl.DataFrame, films: pl.DataFrame, people: pl.DataFrame, draw: np.random.Generator
) -> Cold:
    ratings, users, items = _coded(table)
    features = _features(films, FILM, items)
    told = _features(people, PERSON, users)
    known, new = np.array_split(draw.permutation(len(items)), 2)

    def lesson(teach: Ints, asked: Ints) -> Lesson:
        there = np.isin(ratings.item, np.r_[teach, asked])
        return _lesson(
            ratings.among(there & np.isin(ratings.item, teach)),
            ratings.among(there & np.isin(ratings.item, asked)),
            np.sort(np.r_[teach, asked]),
            told,
            features,
        )

    parts = np.array_split(known, FOLDS)
    choose = [lesson(np.setdiff1d(known, part), part) for part in parts]
    return Cold("new items", tuple(choose), lesson(known, new))


# ── items never taken ───────────────────────────────────────────────────────


def _new_items(folder: Path, path: Path) -> Cold:
    parts = [pl.read_parquet(path)]
    for name in ("cold_vali*.parquet", "cold_test*.parquet"):
        found = _one(folder, name)
        assert found is not None, f"{name} belongs to the folder"
        parts.append(pl.read_parquet(found))
    listed = _one(folder, "item*.csv*")
    assert listed is not None, "item* belongs to the folder"
    films = pl.read_csv(listed)
    films = films.rename({films.columns[0]: "item"}).with_columns(
        pl.col("item").cast(pl.String),
        pl.col("title").str.extract(r"\((\d{4})\)").cast(pl.Float64).alias("year"),
    )
    user, item = parts[0].columns[:2]
    users = np.unique(pl.concat([part[user] for part in parts]).to_numpy())
    items = np.array(films["item"].to_list(), dtype=object)
    place = {each: n for n, each in enumerate(items)}

    def coded(part: pl.DataFrame) -> Ratings:
        at = np.searchsorted(users, part[user].to_numpy())
        return Ratings(at, np.array([place[str(each)] for each in part[item]], np.int64), None)

    train, vali, test = map(coded, parts)
    types = {"title": TEXT, "genres": CATEGORY, "year": NUMBER}
    features = _features(films.select("item", *types), types, items)
    vali_too = np.unique(np.r_[train.item, vali.item])
    test_too = np.unique(np.r_[train.item, test.item])
    choose = _lesson(train, vali, vali_too, None, features, users)
    return Cold("new items", (choose,), _lesson(train, test, test_too, None, features, users))


def _lesson(
    teach: Ratings,
    asked: Ratings,
    kept: Ints,
    told: Sparse | None,
    features: Sparse,
    users: Array | None = None,
) -> Lesson:
    """Items among `kept`: those of `teach` are known, and those of `asked` are new."""
    column = np.full(features.shape[0], -1)
    column[kept] = np.arange(len(kept))
    teach = Ratings(teach.user, column[teach.item], teach.value)
    asked = Ratings(asked.user, column[asked.item], asked.value)
    n = told.shape[0] if told is not None else len(users)  # type: ignore[arg-type]
    matrix = teach.matrix(n, len(kept))
    view = _view(matrix, told, features[kept])
    right = asked if asked.value is None else asked.among(asked.value >= LIKED)
    there = np.flatnonzero(
        (np.bincount(right.user, minlength=n) > 0) & (np.diff(matrix.indptr) > 0)
    )
    row = np.full(n, -1)
    row[there] = np.arange(len(there))
    mine = right.among(row[right.user] >= 0)
    order = np.argsort(row[mine.user], kind="stable")
    lists = np.split(
        mine.item[order], np.cumsum(np.bincount(row[mine.user], minlength=len(there)))[:-1]
    )
    known = teach.among(row[teach.user] >= 0)
    known = Ratings(row[known.user], known.item, known.value)
    about = _view(matrix[there], None if told is None else told[there], features[kept])
    truth = _truth(lists)
    new = np.unique(asked.item)
    questions = (
        Question("new items among each other", about, known, truth, new),
        Question("new items among all", about, known, truth, None),
    )
    return Lesson(view, teach, questions)


def _view(matrix: Sparse, users: Sparse | None, items: Sparse) -> ItemView:
    counts = np.asarray(matrix.sum(axis=0), np.float64).ravel()
    return ItemView(sp.csr_array(matrix), counts, users=users, items=items)


def _features(table: pl.DataFrame, types: dict[str, ColumnType], ids: Strings) -> Sparse:
    about = Attributes.of(table, types, ids)
    assert about is not None
    return Space.fit([about]).encode(about, about.n)


def _truth(lists: Sequence[Ints]) -> Truth:
    n = len(lists)
    return Truth(
        units=np.arange(n),
        user=np.repeat(np.arange(n), [len(each) for each in lists]),
        item=np.concatenate([*lists, np.empty(0, np.int64)]).astype(np.int64),
        missed=np.zeros(n, np.int64),
    )
