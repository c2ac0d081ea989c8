"""Do the measures of the gap hold their level, rise with their dials, and take large tables?

Made domains of 300 and 400 rows, four columns, two classes, and a dial for each thing that may
differ: where rows lie (covariate), how classes fall (label), what a row means (concept), how
many labels are coins (coins: LEEP and LogME read a flipped label as well as a right one), which
ids are known (ids).  At 0 the two domains are one.

"flagged" is the share of identical draws with p ≤ 2 %; "value@dial" the mean of a measure over
draws at a dial.  Overlap of ids is counted and has no null.  The last line measures 1 million
rows of 100 columns against 50,000, by every measure of rows, and says seconds and memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import special

from acclimate.arrays import Array, Ints
from acclimate.gaps.at_home import leep_drop, logme_drop, predicted_shift
from acclimate.gaps.columns import column_shift
from acclimate.gaps.concept import concept_shift
from acclimate.gaps.covariates import mmd_test, proxy_a_distance
from acclimate.gaps.gap import Gap
from acclimate.gaps.labels import label_shift
from acclimate.gaps.numbers import label_distance
from acclimate.gaps.overlap import event_overlap, overlap
from acclimate.gaps.sliced import sliced_wasserstein
from acclimate.rng import Rng
from benchmarks.guard import rate
from benchmarks.line import Line, peak_mb

LEVEL = 0.02
SOURCE_ROWS, TARGET_ROWS, COLUMNS = 400, 300, 4
DIALS = (0.0, 0.25, 0.5, 1.0)
Found = tuple[float, float | None]
Rows = tuple[Array, Ints]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--draws", type=int, default=400, help="identical domains (400)")
    parser.add_argument("--risen", type=int, default=40, help="draws at each dial (40)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the large table")
    parser.add_argument("--columns", type=int, default=100, help="of the large table")
    parser.add_argument(
        "--measure", action="append", choices=[*MEASURES], help="one of them; repeat (all)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of domains and draws (0)")


def run(args: argparse.Namespace) -> Iterator[Line]:
    """The large table first, while memory is what it alone needs; then level and dials."""
    base = Line("gaps", data="made", seed=args.seed)
    if args.rows:
        yield from large(args, base)
    asked = {name: MEASURES[name] for name in args.measure or MEASURES}
    for name, (dial, measure) in asked.items():
        start = time.perf_counter()
        rng = Rng.of(args.seed).child(name)
        line = replace(base, arm=name)
        null = [measure(0.0, rng.child(f"null/{i}")) for i in range(args.draws)]
        flags = [p <= LEVEL for _, p in null if p is not None]
        if flags:
            took = round(time.perf_counter() - start, 1)
            yield rate(
                replace(line, metric="flagged", seconds=took), np.array(flags, bool), LEVEL
            )
        for at in DIALS:
            drawn = [measure(at, rng.child(f"{at}/{i}"))[0] for i in range(args.risen)]
            half = 1.96 * float(np.std(drawn, ddof=1)) / np.sqrt(len(drawn))
            mean = float(np.mean(drawn))
            yield replace(
                line,
                target=dial,
                metric=f"value@{at:g}",
                value=mean,
                low=mean - half,
                high=mean + half,
                n=len(drawn),
            )
        print(f"gaps: {name}", file=sys.stderr)


def large(args: argparse.Namespace, base: Line) -> Iterator[Line]:
    """Seconds and memory of every measure of rows on a large table."""
    g = Rng.of(args.seed).child("large").generator()
    xs = g.standard_normal((args.rows, args.columns))
    xt = g.standard_normal((max(2, args.rows // 20), args.columns)) + 0.1
    rng = Rng.of(args.seed)
    total = 0.0
    asked: dict[str, Callable[[], object]] = {
        "mmd2": lambda: mmd_test(xs, xt, rng),
        "a-distance": lambda: proxy_a_distance(xs, xt, rng),
        "sliced-wasserstein": lambda: sliced_wasserstein(xs, xt, rng),
        "columns": lambda: column_shift(xs, xt, [f"c{j}" for j in range(args.columns)]),
    }
    where = f"{args.rows:,} x {args.columns} rows"
    for name, ask in asked.items():
        start = time.perf_counter()
        ask()
        took = time.perf_counter() - start
        total += took
        yield replace(base, data=where, arm=name, metric="seconds", value=round(took, 2))
    line = replace(base, data=where, arm="all of rows", metric="seconds", value=round(total, 2))
    yield replace(line, peak_mb=round(peak_mb(), 1), reference=30.0)


# --- made domains --------------------------------------------------------------------


def rows(
    g: np.random.Generator,
    n: int,
    covariate: float = 0.0,
    concept: float = 0.0,
    coins: float = 0.0,
) -> Rows:
    """x ~ N(covariate·e₂, I),  P(1 | x) = σ(2·w·x),  w at an angle of π·concept.

    coins  share of labels that are tossed instead
    """
    x = g.standard_normal((n, COLUMNS))
    x[:, 1] += covariate
    y = g.random(n) < special.expit(score(x, concept))
    y = np.where(g.random(n) < coins, g.random(n) < 0.5, y)
    return x, y.astype(np.int64)


def score(x: Array, concept: float = 0.0) -> Array:
    """2·w·x of a domain's own concept; at 0, what a source's model has learned."""
    found: Array = 2 * (np.cos(np.pi * concept) * x[:, 0] + np.sin(np.pi * concept) * x[:, 1])
    return found


def mixed(g: np.random.Generator, n: int, label: float) -> Rows:
    """Classes one half and one half, at dial 1 one tenth and nine; x | y ~ N(±e₁, I)."""
    y = (g.random(n) < 0.5 + 0.4 * label).astype(np.int64)
    x = g.standard_normal((n, COLUMNS))
    x[:, 0] += 2 * y - 1
    return x, y


def told(gap: Gap) -> Found:
    return gap.value, gap.p


def by_rows(measure: Callable[..., Gap], dial: float, rng: Rng) -> Found:
    g = rng.child("made").generator()
    return told(
        measure(rows(g, SOURCE_ROWS)[0], rows(g, TARGET_ROWS, dial)[0], rng.child("measure"))
    )


def by_columns(dial: float, rng: Rng) -> Found:
    g = rng.child("made").generator()
    names = [f"c{j}" for j in range(COLUMNS)]
    found = column_shift(rows(g, SOURCE_ROWS)[0], rows(g, TARGET_ROWS, dial)[0], names)
    return found[0].ks, min(each.p for each in found)


def by_labels(dial: float, rng: Rng) -> Found:
    g = rng.child("made").generator()
    ours, theirs = mixed(g, SOURCE_ROWS, 0.0)[1], mixed(g, TARGET_ROWS, dial)[1]
    return told(label_shift(ours, theirs, 2, rng.child("measure")))


def by_numbers(dial: float, rng: Rng) -> Found:
    g = rng.child("made").generator()
    return told(
        label_distance(
            g.standard_normal(SOURCE_ROWS),
            g.standard_normal(TARGET_ROWS) + dial,
            rng.child("measure"),
        )
    )


def by_predictions(dial: float, rng: Rng) -> Found:
    g = rng.child("made").generator()
    (x, y), (away, _) = mixed(g, SOURCE_ROWS, 0.0), mixed(g, TARGET_ROWS, dial)
    said = [(each[:, 0] > 0).astype(np.int64) for each in (x, away)]
    return told(predicted_shift(said[0], y, said[1], 2, rng.child("measure")))


def by_concept(dial: float, rng: Rng) -> Found:
    g = rng.child("made").generator()
    ours, theirs = rows(g, SOURCE_ROWS), rows(g, TARGET_ROWS, 0.0, dial)
    return told(concept_shift(*ours, *theirs, rng.child("measure")))


def by_leep(dial: float, rng: Rng) -> Found:
    g = rng.child("made").generator()
    ours, theirs = rows(g, SOURCE_ROWS), rows(g, TARGET_ROWS, coins=dial)
    p = [special.expit(score(x)) for x, _ in (ours, theirs)]
    both = [np.column_stack([1 - each, each]) for each in p]
    return told(leep_drop(both[0], ours[1], both[1], theirs[1], rng.child("measure")))


def by_logme(dial: float, rng: Rng) -> Found:
    """The features are what the source's model computes: its score, and a constant."""
    g = rng.child("made").generator()
    ours, theirs = rows(g, SOURCE_ROWS), rows(g, TARGET_ROWS, coins=dial)
    f = [np.column_stack([np.tanh(score(x)), np.ones(len(x))]) for x, _ in (ours, theirs)]
    return told(logme_drop(f[0], ours[1], f[1], theirs[1], rng.child("measure")))


def by_ids(events: bool, dial: float, rng: Rng) -> Found:
    """A share `dial` of what the target has is unknown to the source; 1 − overlap is told."""
    g = rng.child("made").generator()
    mine = np.array([f"i{k}" for k in range(200)])
    known = [f"i{k}" for k in range(200) if k >= round(200 * dial)]
    if events:
        return 1 - event_overlap([*known, "other"], g.choice(mine, 1000)).value, None
    return 1 - overlap([*known, "other"], mine.tolist()).target_covered, None


MEASURES: dict[str, tuple[str, Callable[[float, Rng], Found]]] = {
    "mmd2": ("covariate", partial(by_rows, mmd_test)),
    "a-distance": ("covariate", partial(by_rows, proxy_a_distance)),
    "sliced-wasserstein": ("covariate", partial(by_rows, sliced_wasserstein)),
    "columns": ("covariate", by_columns),
    "label-shift": ("label", by_labels),
    "label-distance": ("label", by_numbers),
    "predicted-shift (BBSE)": ("label", by_predictions),
    "concept-shift": ("concept", by_concept),
    "leep-drop": ("coins", by_leep),
    "logme-drop": ("coins", by_logme),
    "1 - overlap": ("ids", partial(by_ids, False)),
    "1 - event overlap": ("ids", partial(by_ids, True)),
}
