"""Recommendation across categories: the same users, other items.

A folder holds folders A_B and B_A, the two sides of a pair, each with `train.txt*` and
`test.txt*` (user, item, 1, separated by white space; users are shared within a pair, items
are each side's own).  The published protocol (Cao et al., DisenCDR, SIGIR 2022) ranks each
test item among 999 sampled items that the user never took; full ranking stands beside it.

A product may be listed on both sides, under an id on each.  The published files hold out its
event on one side and leave it on the other, where whoever reads both finds the answer: with
`--apart` a source is taken without items whose users are so much those of a target's item
that they may be the same product, and without those of so few users that nobody can tell.

Arms are tuned and chosen on the target's training rows, what each user took last hidden, and
refitted on all of them; the test file is read once.  Models with a dense matrix of items know
the `--dense` items taken most, and what they do not know counts as a miss; the others know all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from acclimate.domains.beside import twins
from acclimate.domains.exam import Case, Exam, Prediction, Truth
from acclimate.domains.pairs import ids_of, interactions
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.errors import UsageError
from acclimate.plans.budget import Budget
from acclimate.plans.plan import plan
from acclimate.plans.runner import interval
from acclimate.plans.runner import run as run_plan
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.tasks.recommend import Recommend
from benchmarks.judged import beside_ease, verdicts
from benchmarks.line import Line, peak_mb

NAME = "cross_category"
K = 10
WIDE = ("target-only/popularity", "target-only/wide-ease", "shared-users/wide-ease")
DENSE = ("target-only/item-knn", "target-only/ease", "target-only/stack")


DRAW = 0  # of the users that --users keeps
TOLD = 4  # users by whom one can tell whether two items are one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="a folder of folders A_B")
    parser.add_argument("--target", action="append", help="a folder's name; all without it")
    parser.add_argument("--test", default="test.txt", help="how the file to judge on begins")
    parser.add_argument("--arm", action="append", help="strategy/model; repeat; all without")
    parser.add_argument("--negatives", type=int, default=999, help="sampled items per user")
    parser.add_argument("--dense", type=int, default=6000, help="items of a dense matrix")
    parser.add_argument("--apart", action="store_true", help="no product on both sides")
    parser.add_argument("--users", type=int, help="a frozen draw of them; all without it")
    parser.add_argument("--budget", type=float, default=7200.0, help="seconds a target")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """For each target a line an arm and metric, then the verdict on both rankings."""
    with threadpool_limits(settings().threads):
        for pair in pairs(args.data, args.target):
            yield from _lines(args, *pair)


def pairs(folder: Path, wanted: Sequence[str] | None) -> list[tuple[Path, Path]]:
    """Each target's folder and that of the other side."""
    found = {
        path.name: (path, other)
        for path in sorted(folder.iterdir())
        if (other := folder / "_".join(path.name.split("_")[::-1])).is_dir() and other != path
    }
    unknown = sorted(set(wanted or []) - set(found))
    if unknown or not found:
        raise UsageError(
            f"Expected folders A_B and B_A in {str(folder)!r}; found {', '.join(found)}"
            + (f", not {', '.join(unknown)}." if unknown else ".")
        )
    return [found[name] for name in wanted or found]


@dataclass(frozen=True)
class Asked:
    """A problem over the whole catalogue, the judged items of its users, and all they took."""

    problem: Problem
    case: Case
    taken: Interactions


def read(
    target: Path, source: Path, test: str, apart: bool = False, most: int | None = None
) -> Asked:
    """Ids of items carry their side's name: those of two sides are other items.

    apart  whether the source is without what may be the target's items too
    most   ≥ 1, users, drawn once for both sides; None: all
    """
    mine, theirs = _pairs(target, "train.txt"), _pairs(source, "train.txt")
    later = _pairs(target, test)
    if most is not None:
        everyone = ids_of(pl.concat([mine["user"], theirs["user"]]))
        kept = np.random.default_rng(DRAW).permutation(everyone)[:most].tolist()
        some = pl.col("user").is_in(kept)
        mine, theirs, later = mine.filter(some), theirs.filter(some), later.filter(some)
    users = ids_of(pl.concat([mine["user"], later["user"]]))
    catalogue = ids_of(pl.concat([mine["item"], later["item"]]))
    fit = interactions(mine, users, catalogue)
    elsewhere = interactions(theirs, ids_of(theirs["user"]), ids_of(theirs["item"]))
    if apart:
        elsewhere = without_twins(elsewhere, fit)
    problem = Problem(
        target.name,
        fit,
        (Source(source.name, elsewhere),),
        Claim.LATER,
        ItemRecipe(catalogue, len(catalogue)),
    )
    wanted = interactions(later, users, catalogue)
    taken = interactions(pl.concat([mine, later]), users, catalogue)
    return Asked(problem, fit.ask(wanted), taken)


def without_twins(other: Interactions, mine: Interactions) -> Interactions:
    """What users took elsewhere, without items that may be items of the target too."""
    few = np.bincount(other.item, minlength=len(other.items)) < TOLD
    return other.take(np.flatnonzero(~(few | twins(other, mine))[other.item]))


def _pairs(folder: Path, name: str) -> pl.DataFrame:
    files = sorted(folder.glob(f"{name}*"))
    if not files:
        raise UsageError(f"Expected a file {name}* in {str(folder)!r}; found none.")
    given = pl.read_csv(files[0], has_header=False, separator="\t", columns=[0, 1])
    user, item = given.columns
    return given.select(
        user=pl.col(user).cast(pl.String),
        item=pl.lit(f"{folder.name}/") + pl.col(item).cast(pl.String),
    )


def _lines(args: argparse.Namespace, target: Path, source: Path) -> Iterator[Line]:
    rng = Rng.of(args.seed)
    asked = read(target, source, args.test, args.apart, args.users)
    sampled, full = Recommend(K, negatives=args.negatives), Recommend(K)
    case = sampled.protocol(asked.case, asked.taken, args.seed)
    questions = [(sampled, f"ndcg@{K}", case), (full, f"ndcg@{K}-full", asked.case)]
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": args.data.name
        + (" apart" if args.apart else "")
        + (f" {args.users} users" if args.users else ""),
        "source": source.name,
        "target": target.name,
        "seed": args.seed,
    }
    print(f"{target.name} from {source.name}", file=sys.stderr)
    budget = Budget(args.budget)
    done: list[Trial] = []
    answers: dict[str, list[tuple[Prediction, Truth]]] = {}
    for names, problem in (
        (WIDE, asked.problem),
        (DENSE, pruned(asked.problem, args.dense)),
    ):
        some = _arms(names, args.arm)
        for trial in tried(some, problem, sampled, budget, rng) if some else ():
            if trial.status != "done":
                yield Line(arm=trial.arm.name, why=trial.why or trial.status, **common)
                continue
            done.append(trial)
            print(f"{trial.arm.name}: {trial.arm.settings}", file=sys.stderr)
            yield from _scored(trial, problem, questions, answers, common, rng)
    if done:
        yield from verdicts(done, questions, answers, common, rng)
        yield from beside_ease(questions, answers, common, rng)


def tried(
    some: list[Arm], problem: Problem, task: Recommend, budget: Budget, rng: Rng
) -> list[Trial]:
    """Arms tuned without what each user took last, on which they are compared."""
    rest, held = problem.inner(1, rng.child("choose"))[0]
    choose = task.protocol(held, problem.fit, rng.child("protocol").seed)
    return run_plan(
        plan(rest, some, []),
        task,
        rest,
        Exam((choose,), ()),
        budget,
        rng,
        lambda text, done, total: print(f"[{done}/{total}] {text}", file=sys.stderr),
    )


def pruned(problem: Problem, at_most: int) -> Problem:
    """The same problem, of whose catalogue models know the items taken most."""
    recipe = problem.recipe
    assert isinstance(recipe, ItemRecipe)
    return replace(problem, recipe=replace(recipe, at_most=at_most))


def _arms(names: Sequence[str], wanted: Sequence[str] | None) -> list[Arm]:
    unknown = sorted(set(wanted or []) - {*WIDE, *DENSE})
    if unknown:
        raise UsageError(
            f"Expected arms among {', '.join((*WIDE, *DENSE))}; found {', '.join(unknown)}."
        )
    kept = [name for name in names if wanted is None or name in wanted]
    return [
        Arm(named(strategy), models()[model])
        for strategy, model in (name.split("/") for name in kept)
    ]


def _scored(
    trial: Trial,
    problem: Problem,
    questions: list[tuple[Recommend, str, Case]],
    answers: dict[str, list[tuple[Prediction, Truth]]],
    common: dict[str, Any],
    rng: Rng,
) -> Iterator[Line]:
    """nDCG@10 and HR@10 among sampled items, nDCG@10 and recall@20 of the whole catalogue."""
    start = time.monotonic()
    fitted = trial.arm.fit(problem, rng.child("fit"))
    for fact in fitted.facts:
        print(f"{trial.arm.name}: {fact}", file=sys.stderr)
    answers[trial.arm.name] = []
    for task, metric, question in questions:
        answer = (fitted.answer(question), question.truth)
        answers[trial.arm.name].append(answer)
        value, low, high = interval(task, *answer, rng.child("interval"))
        line = Line(
            arm=trial.arm.name,
            metric=metric,
            value=value,
            low=low,
            high=high,
            n=question.truth.n_units,
            seconds=round(trial.seconds + time.monotonic() - start, 2),
            peak_mb=round(peak_mb()),
            **common,
        )
        yield line
        whole = question.query.candidates is None
        other, name = (20, "recall@20") if whole else (K, f"hit-rate@{K}")
        also = replace(task, k=other).metrics(*answer)[name]
        told = f"{name}-full" if whole else f"hr@{K}"
        yield replace(line, metric=told, value=also, low=None, high=None)
