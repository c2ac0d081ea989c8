"""New users and new items: what attributes, few events and meta-learning are worth.

Folders as `cold_data` says. Every arm's settings, and the arm that is named best, are chosen
on people or items that teach; those that are judged are asked once. The whole catalogue is
ranked, but for what a user has taken; new items are also ranked among each other.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array
from acclimate.domains.exam import Ranking
from acclimate.errors import StrategyError, UsageError
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.tasks import ranking as per_user
from acclimate.verdicts.compare import Contrast, paired_effect
from acclimate.verdicts.verdict import judge
from benchmarks.cold_arms import ARMS, META, Arm
from benchmarks.cold_data import Cold, Question, read
from benchmarks.line import Line, peak_mb

NAME = "cold_start"
K, DEEP = 10, 20
DELTA = 0.005


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="a folder of cold starts")
    parser.add_argument("--arm", action="append", help="one to run; repeat; all without")
    parser.add_argument("--only", help="new users, new items; both without")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Lines of every arm on every question, and a verdict a question."""
    unknown = sorted(set(args.arm or ()) - set(ARMS))
    if unknown:
        raise UsageError(f"Expected arms among {', '.join(ARMS)}; found {', '.join(unknown)}.")
    with threadpool_limits(settings().threads):
        for cold in read(args.data, args.seed):
            if args.only in (None, cold.name):
                yield from _lines(args, cold)


@dataclass(frozen=True)
class Tried:
    """An arm with the settings that were best where one may look.

    chosen  mean nDCG@10 over the questions of `choose`, by question and in all
    scores  question → (n,) of `judge`
    """

    name: str
    chosen: list[float]
    scores: list[Array]


def _lines(args: argparse.Namespace, cold: Cold) -> Iterator[Line]:
    rng, tried = Rng.of(args.seed), list[Tried]()
    common: dict[str, Any] = {"benchmark": NAME, "data": args.data.name, "seed": args.seed}
    for name, arm in ARMS.items():
        if args.arm and name not in args.arm:
            continue
        if (why := arm.why_not(cold)) is not None:
            yield Line(arm=name, target=cold.name, why=why, **common)
            continue
        start = time.monotonic()
        try:
            best, chosen = chosen_of(arm, cold, rng.child(name))
        except StrategyError as error:
            yield Line(arm=name, target=cold.name, why=str(error), **common)
            continue
        fitted = arm.fit(best, cold.judge, rng.child(name).child("judge"))
        scores = []
        for question in cold.judge.questions:
            answer = fitted(question, DEEP)
            values = {
                f"ndcg@{K}": ndcg(answer, question),
                f"recall@{DEEP}": recall(answer, question),
            }
            for metric, value in values.items():
                yield Line(
                    arm=name,
                    target=question.name,
                    metric=metric,
                    **_interval(value, rng.child("interval")),
                    seconds=round(time.monotonic() - start, 2),
                    peak_mb=round(peak_mb()),
                    **common,
                )
            scores.append(values[f"ndcg@{K}"])
        tried.append(Tried(name, chosen, scores))
        print(f"{cold.name}: {name} {best} chosen by {np.round(chosen, 4)}", file=sys.stderr)
    for number, question in enumerate(cold.judge.questions):
        yield from _verdicts(tried, number, question, common, rng)


def chosen_of(arm: Arm, cold: Cold, rng: Rng) -> tuple[Any, list[float]]:
    """The settings with the best mean over what one may look at, and their scores.

    Settings whose training runs away on some fold are out; StrategyError where all do.
    """
    found: list[tuple[Any, list[float]]] = []
    failed: StrategyError | None = None
    for number, each in enumerate(arm.grid(cold)):
        answers: list[list[Array]] = []
        try:
            for fold, lesson in enumerate(cold.choose):
                fitted = arm.fit(each, lesson, rng.child(number).child(fold))
                answers.append([ndcg(fitted(q, DEEP), q) for q in lesson.questions])
        except StrategyError as error:
            print(f"{cold.name}: {each} is out: {error}", file=sys.stderr)
            failed = error
            continue
        joined = zip(*answers, strict=True)
        found.append((each, [float(np.concatenate(of_one).mean()) for of_one in joined]))
    if not found and failed is not None:
        raise failed
    return max(found, key=lambda pair: float(np.mean(pair[1])))


def _verdicts(
    tried: list[Tried], number: int, question: Question, common: dict[str, Any], rng: Rng
) -> Iterator[Line]:
    """The best arm that learns across users, as chosen, against the best that does not."""
    others = [each for each in tried if each.name not in META]
    if not others:
        return
    rival = max(others, key=lambda each: each.chosen[number])
    for each in tried:
        if each.name not in META:
            continue
        effect = paired_effect(
            Contrast.of_means(each.scores[number] - rival.scores[number]), rng.child("judge")
        )
        verdict = judge(
            effect, delta=DELTA, arm=each.name, baseline=rival.name, metric=f"ndcg@{K}",
            unit="users",
        )  # fmt: skip
        yield Line(
            arm=f"verdict on {each.name}",
            target=question.name,
            metric=f"ndcg@{K}",
            value=verdict.effect,
            low=verdict.low,
            high=verdict.high,
            n=effect.n,
            verdict=verdict.as_row(),
            **common,
        )
    best = max(tried, key=lambda each: each.chosen[number])
    yield Line(
        arm=f"chosen: {best.name}",
        target=question.name,
        metric=f"ndcg@{K}",
        **_interval(best.scores[number], rng.child("interval")),
        **common,
    )


def ndcg(answer: Ranking, question: Question) -> Array:
    """(n,) nDCG@10 of each user."""
    return per_user.ndcg(*per_user.relevance(answer, question.truth, K))


def recall(answer: Ranking, question: Question) -> Array:
    """(n,) Recall@20 of each user."""
    return per_user.recall(*per_user.relevance(answer, question.truth, DEEP))


def _interval(values: Array, rng: Rng) -> dict[str, Any]:
    """The mean with its 95 % interval by a bootstrap over users."""
    n = len(values)
    draw = rng.generator()
    means = [float(values[draw.integers(0, n, n)].mean()) for _ in range(1000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(values.mean()), "low": float(low), "high": float(high), "n": n}
