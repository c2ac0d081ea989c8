"""Cross-market recommendation: one market learns from the others of a folder.

Protocol of the published tables (Bonab et al., CIKM 2021): per user the last item
by date is judged and the one before chooses, ties in file order; the judged item
is ranked among 99 sampled items the user never took.  Full ranking stands beside
it.  Nothing but `fit` is fitted on; penalties come from inner folds of it.  With
`--fit-validation` what was chosen is fitted again with the chosen-on items among the
training rows and the histories; those lines say `"fitted_on": "validation-items"`.  With
`--seeds` all of it is done again, negatives drawn anew.
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
from threadpoolctl import threadpool_limits

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case, Exam, Prediction, Truth
from acclimate.domains.market import open_market
from acclimate.domains.pairs import positions
from acclimate.domains.problem import Problem
from acclimate.domains.readers import is_table
from acclimate.domains.sample import Interactions
from acclimate.domains.split import Cut
from acclimate.errors import UsageError
from acclimate.plans.budget import Budget
from acclimate.plans.plan import plan
from acclimate.plans.runner import interval
from acclimate.plans.runner import run as run_plan
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import arms
from acclimate.strategies.relation.marketstack import MarketStack
from acclimate.tasks.recommend import Recommend
from benchmarks.judged import beside_ease, verdicts
from benchmarks.line import Line, peak_mb

NAME = "cross_market"
K = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="a folder, one file a market")
    parser.add_argument("--target", required=True, help="the market to adapt to")
    parser.add_argument("--source", action="append", help="sources; all other files without it")
    parser.add_argument("--arm", action="append", help="strategy/model; repeat; all without")
    parser.add_argument(
        "--fit-validation", action="store_true", help="fit again with the items chosen on"
    )
    parser.add_argument("--negatives", type=int, default=99, help="sampled items per user")
    parser.add_argument("--budget", type=float, default=3600.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from --seed on")


def run(args: argparse.Namespace) -> Iterator[Line]:
    """For each seed a line an arm and metric, then the verdict on each metric."""
    if args.seeds < 1:
        raise UsageError(f"Expected at least one seed; found --seeds {args.seeds}.")
    with threadpool_limits(settings().threads):
        for seed in range(args.seed, args.seed + args.seeds):
            yield from _lines(args, seed)


def _lines(args: argparse.Namespace, seed: int) -> Iterator[Line]:
    rng = Rng.of(seed)
    target, sources = markets(args.data, args.target, args.source)
    print(f"{target.name} from {', '.join(s.name for s in sources)}", file=sys.stderr)
    # A seed draws the negatives of what is judged, the next one those of what is chosen on.
    sampled = Recommend(K, negatives=args.negatives, negatives_seed=2 * seed)
    full = Recommend(K)
    posed = sampled.pose(whole_catalogue(target), sources, Cut(by="last"), rng.child("pose"))
    planned = plan(posed.problem, wanted_arms(args.arm), [])
    trials = run_plan(
        planned,
        posed.task,
        posed.problem,
        posed.exam,
        Budget(args.budget),
        rng,
        lambda text, done, total: print(f"[{done}/{total}] {text}", file=sys.stderr),
    )
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": args.data.name,
        "source": "+".join(source.name for source in sources),
        "target": target.name,
        "seed": seed,
    }
    questions = _questions(sampled, full, posed.exam.judge[0])
    answers: dict[str, list[tuple[Prediction, Truth]]] = {}
    for trial in trials:
        if trial.status != "done":
            continue
        for fact in trial.facts:
            print(f"{trial.arm.name}: {fact}", file=sys.stderr)
        found: list[tuple[Prediction, Truth]] = []
        answers[trial.arm.name] = found
        yield from _scored(trial, posed.problem, questions, found, common, rng)
        if args.fit_validation:
            problem, case = with_validation(posed.problem, posed.exam)
            again = _questions(sampled, full, case)
            said = {**common, "fitted_on": "validation-items"}
            yield from _scored(trial, problem, again, [], said, rng)
    yield from verdicts(trials, questions, answers, common, rng)
    yield from beside_ease(questions, answers, common, rng)


def _questions(
    sampled: Recommend, full: Recommend, case: Case
) -> list[tuple[Recommend, str, Case]]:
    whole = replace(case, query=replace(case.query, candidates=None))
    return [(sampled, f"ndcg@{K}", case), (full, f"ndcg@{K}-full", whole)]


def _scored(
    trial: Trial,
    problem: Problem,
    questions: list[tuple[Recommend, str, Case]],
    answers: list[tuple[Prediction, Truth]],
    common: dict[str, Any],
    rng: Rng,
) -> Iterator[Line]:
    """A line a question, and of the whole catalogue recall too; what was answered is kept."""
    start = time.monotonic()
    fitted = trial.arm.fit(problem, rng.child("fit"))
    for task, metric, question in questions:
        answer = (fitted.answer(question), question.truth)
        answers.append(answer)
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
        if question.query.candidates is None:
            for k in (10, 20):
                recall = replace(task, k=k).metrics(*answer)[f"recall@{k}"]
                yield replace(
                    line, metric=f"recall@{k}-full", value=recall, low=None, high=None
                )


def with_validation(problem: Problem, exam: Exam) -> tuple[Problem, Case]:
    """The problem with the items of `choose` as its latest events, and the judged question
    from histories that hold them."""
    fit, chosen, judged = problem.fit, exam.choose[0], exam.judge[0]
    assert isinstance(fit, Interactions)
    assert chosen.truth.user is not None and chosen.truth.item is not None
    user = positions(pl.Series(chosen.query.users.tolist()), fit.users)[chosen.truth.user]
    pair = np.r_[
        fit.user * len(fit.items) + fit.item, user * len(fit.items) + chosen.truth.item
    ]
    # With repeats, as protocols keep them, an item may be taken again: its first time counts.
    pair = pair[np.sort(np.unique(pair, return_index=True)[1])]
    known = replace(fit, user=pair // len(fit.items), item=pair % len(fit.items))
    asked = positions(pl.Series(judged.query.users.tolist()), known.users)
    return problem.with_fit(known), replace(judged, context=known.of_users(asked))


def wanted_arms(wanted: list[str] | None) -> list[Arm]:
    """The arms of these names; without any, all that a plan tries and the market stack."""
    every = {arm.name: arm for arm in (*arms("items"), *arms("items", (MarketStack.kind,)))}
    unknown = sorted(set(wanted or []) - set(every))
    if unknown:
        raise UsageError(f"Expected arms among {', '.join(every)}; found {', '.join(unknown)}.")
    return [arm for name, arm in every.items() if wanted is None or name in wanted]


def markets(
    folder: Path, target: str, sources: list[str] | None
) -> tuple[Domain, list[Domain]]:
    """The target and its sources among the files of a folder.

    A market may be called by its file's stem or by what stands before the first `_`.
    """
    files = sorted(path for path in folder.iterdir() if path.is_dir() or is_table(path))
    known: dict[str, Path] = {}
    for path in files:
        stem = path.name.split(".")[0]
        known[stem] = path
        known.setdefault(stem.split("_")[0], path)
    wanted = [target, *(sources or [])]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(
            f"Expected markets among {', '.join(sorted(known))} in {str(folder)!r}; "
            f"found {', '.join(unknown)}."
        )
    others = [known[name] for name in sources or []] or [
        path for path in files if path != known[target]
    ]
    return open_market(known[target]), [open_market(path) for path in others]


def whole_catalogue(target: Domain) -> Domain:
    """The target with every item of its file in the catalogue, as the protocols have it."""
    items = target.tables["events"].select(pl.col("item").unique().sort())
    known = target.tables.get("items")
    if known is not None:
        items = pl.concat([known.select("item"), items]).unique(maintain_order=True)
    return replace(target, tables={**target.tables, "items": items})
