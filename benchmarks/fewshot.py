"""Few labels: what a meta-learned start is worth beside joint training and fine-tuning.

Three parts.  Sinusoids: the mean squared error of tasks never seen, after ten steps on
ten labels, with the interval over tasks.  Categories of reviews (`--reviews FILE`, columns
`cat` and `label`): each category in turn is the target, the others are sources.  Schools
(`--schools FILE`, a MATLAB file of X and Y, one cell a school): scores of pupils; schools
that were never seen, with few labels each.  Settings are the defaults: nothing is tuned
on what is judged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array
from acclimate.domains.exam import Numbers
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from benchmarks import networks
from benchmarks.line import Line, peak_mb

NAME = "fewshot"
ARMS = ("finetune", "pooled", "target-only", "maml", "anil", "reptile", "aml-unmasked")
AGAINST = "finetune"
TAUGHT = 100  # schools that are sources; the others are targets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--steps", type=int, default=30_000, help="of MAML's outer loop")
    parser.add_argument("--others", type=int, default=5_000, help="of Reptile's and AML's")
    parser.add_argument("--tasks", type=int, default=1000, help="sinusoids to test on")
    parser.add_argument("--part", action="append", choices=["sinusoid", "reviews", "schools"])
    parser.add_argument("--reviews", help="a table with the columns cat, label and a text")
    parser.add_argument("--schools", help="a MATLAB file of X and Y")
    parser.add_argument("--target", action="append", help="a category; all without")
    parser.add_argument("--arm", action="append", help="a strategy; repeat")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """The lines of each part."""
    parts = args.part or ["sinusoid", "reviews", "schools"]
    if "sinusoid" in parts:
        yield from sinusoids(args)
    if "reviews" in parts and args.reviews:
        yield from reviews(args)
    if "schools" in parts and args.schools:
        yield from schools(args)


# ── sinusoids ───────────────────────────────────────────────────────────────


def sinusoids(args: argparse.Namespace) -> Iterator[Line]:
    """MAML with five inner steps and with one, Reptile and AML, after 10 steps."""
    import torch

    from benchmarks import sinusoid as made

    torch.set_num_threads(1)
    steps, others = (20, 20) if args.quick else (args.steps, args.others)
    support, query = made.tasks(40 if args.quick else args.tasks, 10, 100, args.seed + 1)

    def line(arm: str, error: Array, since: float, reference: float | None = None) -> Line:
        spread = 1.96 * float(error.std(ddof=1)) / len(error) ** 0.5
        return Line(
            NAME,
            "sinusoids, 10 labels",
            arm=arm,
            metric="mse",
            value=float(error.mean()),
            low=float(error.mean()) - spread,
            high=float(error.mean()) + spread,
            n=len(error),
            seed=args.seed,
            seconds=round(time.monotonic() - since, 1),
            peak_mb=round(peak_mb()),
            reference=reference,
        )

    begun = made.fresh(args.seed)
    for descent, reference in ((5, 0.05), (1, 0.102)):
        since = time.monotonic()
        drawn = made.Drawn(25, 10, 10, 10_000)
        found = made.maml(begun, drawn, 0.01, descent, 2, steps)
        own = made.descended(found, support, 0.01, 10)
        arm = f"maml, {descent} inner step{'s' * (descent > 1)}, {steps} rounds"
        yield line(arm, made.errors(own, query), since, reference)
    since = time.monotonic()
    found = made.reptile(begun, made.Drawn(25, 10, 10, 10_000), 0.02, 5, 0.5, others)
    own = made.descended(found, support, 0.02, 10)
    yield line(f"reptile, {others} rounds", made.errors(own, query), since)
    for masked in (False, True):
        since = time.monotonic()
        how = made.attentive(begun, 0.05, masked)
        both = made.aml(begun, made.Drawn(25, 10, 10, 10_000), how, others)
        own = made.attended(both, how, support)
        arm = f"aml{'' if masked else '-unmasked'}, 1 step, {others} rounds"
        yield line(arm, made.errors(own, query), since)


# ── reviews ─────────────────────────────────────────────────────────────────


def reviews(args: argparse.Namespace) -> Iterator[Line]:
    """Each category in turn, with 5 and 20 labels a class."""
    names = pl.read_csv(args.reviews)["cat"].unique().sort().to_list()
    asked = args.target or (names[:1] if args.quick else names)
    arms = list(args.arm or (ARMS[:1] if args.quick else ARMS))
    for target in asked:
        for shots in (5,) if args.quick else (5, 20):
            own = argparse.Namespace(
                source=[f"{args.reviews}::cat={name}" for name in names if name != target],
                target=f"{args.reviews}::cat={target}",
                label="label",
                also=[],
                labels=2 * shots,
                split="random",
                metric=["log-loss", "roc-auc"],
                arm=arms,
                against=AGAINST,
                seed=args.seed,
                seeds=1,
            )
            for line in networks.run(own):
                yield replace(line, benchmark=NAME, data=f"reviews, {shots} labels a class")


# ── schools ─────────────────────────────────────────────────────────────────


def schools(args: argparse.Namespace) -> Iterator[Line]:
    """Each arm's error over schools never seen, and its interval of the difference."""
    cells = read_schools(Path(args.schools))
    order = Rng.of(args.seed).child("schools").generator().permutation(len(cells))
    taught, asked = order[: 8 if args.quick else TAUGHT], order[TAUGHT:]
    sources = tuple(Source(f"school {k}", cells[k]) for k in taught)
    arms = list(args.arm or (ARMS[:1] if args.quick else ARMS))
    for labels in (10,) if args.quick else (10, 20):
        told: dict[str, list[float]] = {arm: [] for arm in dict.fromkeys([AGAINST, *arms])}
        seconds = dict.fromkeys(told, 0.0)
        for school in asked[:2] if args.quick else asked:
            g = Rng.of(args.seed).child(f"school {school}").generator()
            rows = g.permutation(cells[school].n)
            if len(rows) < labels + 10:
                continue
            fit, test = (cells[school].take(part) for part in (rows[:labels], rows[labels:]))
            bare = Problem("school", fit, sources, Claim.NEW, RowRecipe())
            for arm in told:
                since = time.monotonic()
                found = Arm(named(arm), MixedNetwork()).fit(bare, Rng.of(args.seed))
                answer = found.predict(test)
                assert isinstance(answer, Numbers) and test.label is not None
                told[arm].append(float(((answer.y - test.label) ** 2).mean()))
                seconds[arm] += time.monotonic() - since
            print(f"school {school}: {len(told[AGAINST])}", file=sys.stderr)
        yield from school_lines(told, seconds, labels, args.seed)


def school_lines(
    told: dict[str, list[float]], seconds: dict[str, float], labels: int, seed: int
) -> Iterator[Line]:
    """Mean squared error of each arm; low and high are of its difference to fine-tuning."""
    for arm, values in told.items():
        apart = np.array(values) - np.array(told[AGAINST])
        spread = 1.96 * float(apart.std(ddof=1)) / len(apart) ** 0.5
        known = arm != AGAINST
        yield Line(
            NAME,
            f"schools, {labels} labels",
            arm=arm,
            metric="mse",
            value=float(np.mean(values)),
            low=float(apart.mean()) - spread if known else None,
            high=float(apart.mean()) + spread if known else None,
            n=len(values),
            seed=seed,
            seconds=round(seconds[arm], 1),
            peak_mb=round(peak_mb()),
        )


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
