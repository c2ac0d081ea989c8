"""Recommendation across markets as the WSDM Cup 2022 asked for it.

A folder holds one folder a market: `train*.tsv.gz` (userId, itemId, rating), and where the
market is a target `valid_run.tsv.gz` or `valid_candidates*.tsv.gz` (user, its candidates
joined by commas) and `valid_qrel.tsv.gz` (the one that is right).  Training rows of a market
are all its `train*` files without repeats.  The candidates given are ranked; users without
a row left are asked too.

Every arm is tuned and chosen on the target's training rows; what is right is read once, after
the arms are fitted.  `--fraction` keeps a frozen draw of the target's training rows.
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

from acclimate.arrays import Ints, Strings
from acclimate.domains.exam import Case, Exam, Prediction, Ranking, RankQuery, Truth
from acclimate.domains.pairs import ids_of, interactions, positions
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.errors import UsageError
from acclimate.models.across import Across
from acclimate.plans.budget import Budget
from acclimate.plans.plan import plan
from acclimate.plans.runner import best_baseline, interval, pick
from acclimate.plans.runner import run as run_plan
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import arms
from acclimate.tasks.recommend import Recommend
from benchmarks.folds import stacked
from benchmarks.judged import beside_ease, verdicts
from benchmarks.line import Line, peak_mb

NAME = "wsdm22"
K = 10
TRIED = ("item-prior", "market-stack")  # beside target-only and pooled
NEGATIVES = 99  # of the published lists, and of the questions that tuning asks
DRAW = 0  # of the rows that --fraction keeps


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="a folder of markets")
    parser.add_argument("--target", required=True, help="the market to adapt to")
    parser.add_argument("--source", action="append", help="sources; all others without it")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the target's rows")
    parser.add_argument("--arm", action="append", help="strategy/model; repeat; all without")
    parser.add_argument("--out", type=Path, help="where user_id,item_id,score goes")
    parser.add_argument("--budget", type=float, default=3600.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """One line an arm and the verdict; where nobody knows what is right, scores of `choose`."""
    if not 0 < args.fraction <= 1:
        raise UsageError(f"Expected a fraction above 0 and up to 1; found {args.fraction}.")
    with threadpool_limits(settings().threads):
        yield from _lines(args)


@dataclass(frozen=True)
class Asked:
    """A problem and what is asked of it.

    case   candidates of every user; its truth is empty where nobody knows it
    known  whether what is right is known
    """

    problem: Problem
    case: Case
    known: bool


def _lines(args: argparse.Namespace) -> Iterator[Line]:
    rng = Rng.of(args.seed)
    asked = read(args.data, args.target, args.source, args.fraction)
    problem, task = asked.problem, Recommend(K, negatives=NEGATIVES)
    budget, started = Budget(args.budget), time.monotonic()
    # What each user took last is chosen on, so that every arm is fitted twice and no more.
    rest, held = problem.inner(1, rng.child("choose"))[0]
    choose = task.protocol(held, problem.fit, rng.child("protocol").seed)
    trials = run_plan(
        plan(rest, _arms(args.arm), []),
        task,
        rest,
        Exam((choose,), ()),
        budget,
        rng,
        lambda text, done, total: print(f"[{done}/{total}] {text}", file=sys.stderr),
    )
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": args.data.name + ("" if args.fraction == 1 else f" {args.fraction:g}"),
        "source": "+".join(source.name for source in problem.sources),
        "target": args.target,
        "seed": args.seed,
    }
    chosen = pick(trials, task, rng)
    answers: dict[str, Prediction] = {}
    for trial in trials:
        for fact in trial.facts:
            print(f"{trial.arm.name}: {fact}", file=sys.stderr)
        if trial.status != "done":
            yield Line(arm=trial.arm.name, why=trial.why or trial.status, **common)
            continue
        start = time.monotonic()
        fitted = trial.arm.fit(problem, rng.child("fit"))
        answer = fitted.answer(asked.case)
        answers[trial.arm.name] = answer
        value, low, high, n = trial.value, trial.low, trial.high, trial.n
        truth = asked.case.truth
        if asked.known:
            value, low, high = interval(task, answer, truth, rng.child("interval"))
            n = truth.n_units
        line = Line(
            arm=trial.arm.name,
            metric=f"ndcg@{K}" if asked.known else f"ndcg@{K} of choose",
            value=value,
            low=low,
            high=high,
            n=n,
            seconds=round(trial.seconds + time.monotonic() - start, 2),
            peak_mb=round(peak_mb()),
            **common,
        )
        yield line
        if asked.known and isinstance(fitted.model, Across):
            again = stacked(fitted, asked.case, rng.child("stacked"))
            value, low, high = interval(task, again, truth, rng.child("interval"))
            spent = round(trial.seconds + time.monotonic() - start, 2)
            told = replace(line, value=value, low=low, high=high, seconds=spent)
            yield replace(told, arm=f"{line.arm} + folds", fitted_on="validation-folds")
    print(f"{time.monotonic() - started:.0f} s in all", file=sys.stderr)
    if args.out is not None:
        named = chosen or best_baseline(trials, task.metric.sign)
        write_scores(args.out, asked, answers[named.arm.name])
        print(f"{named.arm.name} wrote {args.out}", file=sys.stderr)
    if asked.known:
        questions = [(task, f"ndcg@{K}", asked.case)]
        answered = {name: [(answer, asked.case.truth)] for name, answer in answers.items()}
        yield from verdicts(trials, questions, answered, common, rng)
        yield from beside_ease(questions, answered, common, rng)


def _arms(wanted: Sequence[str] | None) -> list[Arm]:
    every = [arm for arm in arms("items", TRIED) if arm.strategy.kind != "source-only"]
    if wanted is None:
        return every
    unknown = sorted(set(wanted) - {arm.name for arm in every})
    if unknown:
        raise UsageError(
            f"Expected arms among {', '.join(arm.name for arm in every)}; "
            f"found {', '.join(unknown)}."
        )
    return [arm for arm in every if arm.name in wanted]


def read(folder: Path, target: str, sources: Sequence[str] | None, fraction: float) -> Asked:
    """The markets of a folder as a problem, and the candidates of the target's users.

    fraction  0 < fraction ≤ 1, of the target's training rows: the first of a permutation
              that is the same for every run
    """
    known = sorted(path.name for path in folder.iterdir() if any(path.glob("train*.tsv*")))
    wanted = [target, *(sources or [])]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(
            f"Expected markets among {', '.join(known)} in {str(folder)!r}; "
            f"found {', '.join(unknown)}."
        )
    run_file = _one(folder / target, "valid_run.tsv*", "valid_candidates*.tsv*")
    if run_file is None:
        raise UsageError(
            f"Expected valid_run.tsv or valid_candidates*.tsv in {str(folder / target)!r}, "
            "whose candidates are to be ranked; found neither."
        )
    events = _train(folder / target)
    lists = pl.read_csv(
        run_file, separator="\t", has_header=False, new_columns=["user", "item"]
    ).filter(pl.col("user") != "userId")
    candidates = lists.with_columns(pl.col("item").str.split(","))
    offered = candidates.explode("item")["item"]
    catalogue = ids_of(pl.concat([events["item"], offered]))
    users = ids_of(pl.concat([events["user"], lists["user"]]))
    if fraction < 1:
        order = np.random.default_rng(DRAW).permutation(events.height)
        events = events[np.sort(order[: round(fraction * events.height)])]
    fit = interactions(events, users, catalogue)
    others = sources or [name for name in known if name != target]
    given = [Source(name, _everything(_train(folder / name))) for name in others]
    problem = Problem(target, fit, tuple(given), Claim.LATER, ItemRecipe(catalogue))
    qrel = _one(folder / target, "valid_qrel.tsv*")
    return Asked(problem, _case(fit, candidates, qrel), qrel is not None)


def _case(fit: Interactions, candidates: pl.DataFrame, qrel: Path | None) -> Case:
    asked = positions(candidates["user"], fit.users)
    width = int(candidates["item"].list.len().max() or 0)  # type: ignore[arg-type]
    lists = np.full((len(asked), width), -1, np.int64)
    row = np.repeat(np.arange(len(asked)), candidates["item"].list.len().to_numpy())
    flat = candidates.explode("item")["item"]
    place = np.concatenate([np.arange(n) for n in candidates["item"].list.len()])
    lists[row, place] = positions(flat, fit.items)
    return Case(
        fit.of_users(asked),
        RankQuery(fit.users[asked], lists),
        _truth(fit.users[asked], fit.items, qrel),
    )


def _truth(users: Strings, items: Strings, qrel: Path | None) -> Truth:
    """What is right for each user; nothing where no file says so."""
    units = np.arange(len(users))
    missed = np.zeros(len(users), np.int64)
    none: Ints = np.empty(0, np.int64)
    if qrel is None:
        return Truth(units=units, user=none, item=none, missed=missed)
    right = pl.read_csv(qrel, separator="\t")
    user, item = positions(right["userId"], users), positions(right["itemId"], items)
    of = user >= 0
    missed += np.bincount(user[of & (item < 0)], minlength=len(users))
    kept = of & (item >= 0)
    return Truth(units=units, user=user[kept], item=item[kept], missed=missed)


def _train(market: Path) -> pl.DataFrame:
    """(user, item) of every training file, each pair once, in the order of the files."""
    frames = [pl.read_csv(path, separator="\t") for path in sorted(market.glob("train*.tsv*"))]
    pairs = pl.concat([frame.select(user="userId", item="itemId") for frame in frames])
    return pairs.unique(keep="first", maintain_order=True)


def _everything(events: pl.DataFrame) -> Interactions:
    return interactions(events, ids_of(events["user"]), ids_of(events["item"]))


def _one(folder: Path, *patterns: str) -> Path | None:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return found[0] if found else None


def write_scores(path: Path, asked: Asked, answer: Prediction) -> None:
    """user_id, item_id, score of every candidate in the order given; unknown ones lowest."""
    assert isinstance(answer, Ranking)
    users = np.repeat(asked.case.query.users, answer.items.shape[1])
    item, score = answer.items.ravel(), answer.scores.ravel()
    lowest = score[np.isfinite(score)].min(initial=0.0) - 1.0
    score = np.where(np.isfinite(score), score, lowest)
    there = item >= 0
    recipe = asked.problem.recipe
    assert isinstance(recipe, ItemRecipe)
    items = recipe.catalogue
    frame = {"user_id": users[there], "item_id": items[item[there]], "score": score[there]}
    pl.DataFrame(
        frame, schema={"user_id": pl.String, "item_id": pl.String, "score": pl.Float64}
    ).write_csv(path)
