"""Few labels of rows: categories of reviews and schools, each against joint training.

A target is never among the tasks that teach.  Every arm sees the same labels, one seed
and the network's defaults; `stopped` tells how fine-tuning gets the choice of when to stop
that meta-learners have.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Ints
from acclimate.domains.exam import Numbers, Probabilities
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from benchmarks.line import Line, peak_mb
from benchmarks.stopped import strategy

NAME = "fewshot"
ARMS = (
    "finetune-stopped",
    "finetune",
    "joint-descent",
    "source-only",
    "pooled",
    "target-only",
    "maml",
    "anil",
    "reptile",
    "aml-unmasked",
    "meta-transfer",
)
AGAINST = "finetune-stopped"
TAUGHT = 100  # schools that are sources; the others are targets
TOPICS = 64  # numbers a text becomes


@dataclass(frozen=True)
class Asked:
    """A target never seen: which rows teach and which are asked, in each draw of labels.

    draws  (positions that teach, positions that are asked), disjoint
    """

    name: str
    rows: Rows
    sources: tuple[Source, ...]
    draws: tuple[tuple[Ints, Ints], ...]


def compared(
    data: str, asked: Sequence[Asked], arms: list[str], seed: int, until: float
) -> Iterator[Line]:
    """Each arm's mean over targets; low and high are of its difference to `AGAINST`.

    A target's value is the mean over its draws; the interval is Student's t over targets,
    the independent units here.

    until  `time.monotonic()` after which no further target is begun
    """
    told: dict[tuple[str, str], list[float]] = {}
    seconds = dict.fromkeys([AGAINST, *arms], 0.0)
    for number, each in enumerate(asked):
        print(f"{data}: {each.name}, {number + 1} of {len(asked)}", file=sys.stderr, flush=True)
        if time.monotonic() > until:
            print(f"stopped before {each.name}: no time left", file=sys.stderr)
            break
        for arm in seconds:
            since = time.process_time()
            scores: dict[str, list[float]] = {}
            for taught, rest in each.draws:
                fit, test = each.rows.take(taught), each.rows.take(rest)
                bare = Problem(each.name, fit, each.sources, Claim.NEW, RowRecipe())
                # One seed: what the sources teach is learned once for all draws.
                found = Arm(strategy(arm), MixedNetwork()).fit(bare, Rng.of(seed))
                for metric, value in scored(found.predict(test), test).items():
                    scores.setdefault(metric, []).append(value)
            seconds[arm] += time.process_time() - since
            for metric, values in scores.items():
                told.setdefault((arm, metric), []).append(float(np.mean(values)))
                print(each.name, data, arm, metric, values, file=sys.stderr)
    yield from mean_lines(data, told, seconds, seed)


def scored(answer: Any, test: Rows) -> dict[str, float]:
    """The errors of one draw by metric."""
    label = test.label
    assert label is not None
    if isinstance(answer, Numbers):
        return {"mse": float(((answer.y - label) ** 2).mean())}
    assert isinstance(answer, Probabilities)
    p = np.clip(answer.p, 1e-12, 1.0)
    right = p.argmax(1) == label
    return {
        "log-loss": float(-np.log(p[np.arange(len(p)), label]).mean()),
        "accuracy": float(right.mean()),
    }


def mean_lines(
    data: str, told: dict[tuple[str, str], list[float]], seconds: dict[str, float], seed: int
) -> Iterator[Line]:
    """The lines of `compared`; `seconds` are of the processor."""
    from scipy.stats import t as student

    for (arm, metric), values in told.items():
        apart = np.array(values) - np.array(told[AGAINST, metric])
        known, n = arm != AGAINST and len(apart) > 1, len(apart)
        spread = float(student.ppf(0.975, n - 1) * apart.std(ddof=1) / n**0.5) if known else 0
        yield Line(
            NAME,
            data,
            arm=arm,
            metric=metric,
            value=float(np.mean(values)),
            low=float(apart.mean()) - spread if known else None,
            high=float(apart.mean()) + spread if known else None,
            n=n,
            seed=seed,
            seconds=round(seconds[arm], 1),
            peak_mb=round(peak_mb()),
        )


# ── reviews ─────────────────────────────────────────────────────────────────


def reviews(args: argparse.Namespace) -> Iterator[Line]:
    """Each category in turn, with 5 and 20 labels a class."""
    table = drawn(pl.read_csv(args.reviews), args.each, args.seed)
    names = table["cat"].unique().sort().to_list()
    targets = args.target or (names[:2] if args.quick else names)
    arms = list(args.arm or (ARMS[:1] if args.quick else ARMS))
    cells = {target: as_numbers(table, target) for target in targets}
    until = time.monotonic() + 60 * args.minutes
    for shots in args.shots or ((5,) if args.quick else (5, 20)):
        asked = []
        for target in targets:
            own, g = cells[target], Rng.of(args.seed).child(f"{target}").generator()
            sources = tuple(Source(n, rows) for n, rows in own.items() if n != target)
            draws = tuple(balanced(own[target], shots, g) for _ in range(args.draws))
            asked.append(Asked(target, own[target], sources, draws))
        data = f"reviews, {shots} labels a class"
        yield from compared(data, asked, arms, args.seed, until)


def drawn(table: pl.DataFrame, each: int, seed: int) -> pl.DataFrame:
    """Rows of different texts, so many of a category at most, drawn."""
    table = table.unique(text_of(table), keep="first", maintain_order=True)
    order = Rng.of(seed).child("reviews").generator().permutation(table.height)
    return table[order].group_by("cat", maintain_order=True).head(each)


def text_of(table: pl.DataFrame) -> str:
    """The column that is neither the category nor the label."""
    return next(name for name in table.columns if name not in ("cat", "label"))


def as_numbers(table: pl.DataFrame, target: str) -> dict[str, Rows]:
    """Category → its rows, texts as `TOPICS` numbers that the other categories' texts give.

    Latent semantic analysis: weighted counts of pairs of characters, and their first
    singular directions, both from the sources alone.  Numbers make the networks small: a
    table of hashed text is a million parameters, which second-order steps do not bear here.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    text = table[text_of(table)].fill_null("").to_list()
    away = np.flatnonzero((table["cat"] != target).to_numpy())
    words = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 2), max_features=5000, sublinear_tf=True
    )
    words.fit([text[k] for k in away])
    counts = words.transform(text)
    topics = min(TOPICS, counts.shape[1] - 1)
    numbers = TruncatedSVD(topics, n_iter=2, random_state=0).fit(counts[away]).transform(counts)
    names = [f"x{k}" for k in range(topics)]
    whole = Rows(
        pl.DataFrame(np.asarray(numbers, np.float64), schema=names),
        dict.fromkeys(names, ColumnType.NUMERIC),
        ("0", "1"),
        table["label"].to_numpy().astype(np.int64),
    )
    category = table["cat"].to_numpy()
    found = dict.fromkeys(category)
    return {str(n): whole.take(np.flatnonzero(category == n)) for n in found}


def balanced(rows: Rows, shots: int, g: np.random.Generator) -> tuple[Ints, Ints]:
    """Positions of so many rows of each class, and of all others."""
    assert rows.label is not None
    order = g.permutation(rows.n)
    taught = np.concatenate(
        [order[rows.label[order] == k][:shots] for k in range(len(rows.classes))]
    )
    return taught, np.setdiff1d(order, taught)


# ── schools ─────────────────────────────────────────────────────────────────


def schools(args: argparse.Namespace) -> Iterator[Line]:
    """Schools never seen, with 10 and 20 labels."""
    cells = read_schools(Path(args.schools))
    order = Rng.of(args.seed).child("schools").generator().permutation(len(cells))
    taught, held = order[: 8 if args.quick else TAUGHT], order[TAUGHT:]
    sources = tuple(Source(f"school {k}", cells[k]) for k in taught)
    arms = list(args.arm or (ARMS[:1] if args.quick else ARMS))
    until = time.monotonic() + 60 * args.minutes
    for labels in args.shots or ((10,) if args.quick else (10, 20)):
        asked = []
        for school in held[:2] if args.quick else held:
            g = Rng.of(args.seed).child(f"school {school}").generator()
            if cells[school].n < labels + 10:
                continue
            rows = [g.permutation(cells[school].n) for _ in range(args.draws)]
            draws = tuple((each[:labels], each[labels:]) for each in rows)
            asked.append(Asked(f"school {school}", cells[school], sources, draws))
        yield from compared(f"schools, {labels} labels", asked, arms, args.seed, until)


def read_schools(file: Path) -> list[Rows]:
    """The pupils of each school: numbers of the file's columns, and the score."""
    from scipy.io import loadmat

    held: dict[str, Any] = loadmat(file)
    found = []
    for x, y in zip(held["X"][0], held["Y"][0], strict=True):
        # The last column is the constant 1.
        names = [f"x{k}" for k in range(x.shape[1] - 1)]
        frame = pl.DataFrame(np.asarray(x[:, :-1], np.float64), schema=names)
        types = dict.fromkeys(names, ColumnType.NUMERIC)
        found.append(Rows(frame, types, (), np.asarray(y[:, 0], np.float64)))
    return found
