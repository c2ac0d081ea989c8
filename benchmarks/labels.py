"""How many target labels the choice saves: doing without, given more of them, on one audit.

For every problem that `benchmarks choice` has stored: what acclimate ships there with the
problem's labels, and target-only given more and more of the rows that are there (log-spaced,
repeated draws, tuned at each size by its folds, never rising).  The saving is the number of
labels at which target-only is as good, interpolated on a log axis, over the labels of the
problem: 1 where target-only is as good with those, and at most what the rows allow, which
is "at least".  Where nothing was adopted target-only ships, and the saving is 1.

Metrics: `saving` a problem, its `median` and `upper quartile` over all, and `to-parity`: the
seconds that target-only takes where it is as good, over those of what ships.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array
from acclimate.domains.exam import Case
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.catalogue import models
from acclimate.tasks.task import Task
from benchmarks import choice_store as store
from benchmarks import choice_ways as ways
from benchmarks.choice import DATA, LIST
from benchmarks.choice_learn import learn
from benchmarks.choice_posed import Audited, Listed, audited, missing, read_list
from benchmarks.choice_replay import Replay
from benchmarks.choice_solved import about_metric, units_of, value_of
from benchmarks.line import Line

NAME = "labels"
STEPS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # times the problem's labels, and all there are
DRAWS = 2


@dataclass(frozen=True)
class Curve:
    """Target-only's errors (lower is better) at numbers of labels, and seconds of each."""

    n: list[int]
    error: list[float]
    seconds: list[float]

    def reach(self, error: float) -> tuple[float, float, bool]:
        """Labels and seconds at which an error is reached, and whether it is at all."""
        falling = np.minimum.accumulate(self.error)
        under = np.flatnonzero(falling <= error)
        if not len(under):
            return float(self.n[-1]), self.seconds[-1], False
        at = int(under[0])
        if at == 0:
            return float(self.n[0]), self.seconds[0], True
        share = float((falling[at - 1] - error) / (falling[at - 1] - falling[at]))
        low, high = math.log(self.n[at - 1]), math.log(self.n[at])
        spent = self.seconds[at - 1] + share * (self.seconds[at] - self.seconds[at - 1])
        return math.exp(low + share * (high - low)), spent, True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of data ({DATA})")
    parser.add_argument("--problems", type=Path, default=LIST, help="the list of problems")
    parser.add_argument("--results", type=Path, default=store.RESULTS, help="stored runs")
    parser.add_argument("--cached", action="store_true", help="draw no curve anew")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """A line a problem, then the summary over all of them."""
    listed = {each.name: each for each in read_list(args.problems)}
    rng = Rng.of(args.seed)
    replays = [
        Replay(solved, rng.child(solved.about["name"]))
        for solved in store.stored(args.results, [*listed.values()])
    ]
    if not replays:
        return
    tables = ways.by_leaving_out(replays, lambda some: learn(some, {}))
    saved, times = [], []
    for replay, table in zip(replays, tables, strict=True):
        chosen = ways.halved(replay, table)
        each = listed[replay.solved.about["name"]]
        line = Line(NAME, each.name, arm=replay.rows[chosen.at]["arm"], metric="saving")
        line = replace(line, value=1.0, n=each.labels, why=chosen.answer)
        if chosen.answer == "adopt":
            found = curve_of(each, replay, args, rng.child(each.name))
            if found is None:
                print(f"{each.name} is skipped: its curve is not stored", file=sys.stderr)
                continue
            error = -replay.sign * replay.value("audit", chosen.at)
            labels, seconds, reached = found.reach(error)
            saving = labels / found.n[0]
            line = replace(line, value=saving, why="adopt" if reached else "adopt, at least")
            ours = replay.cost(chosen.at) + replay.rows[chosen.at]["seconds"]["ship"]
            times.append(seconds / max(ours, 1e-9))
        saved.append(float(line.value or 1.0))
        yield line
    yield from summary(saved, times, rng.child("summary"))


def summary(saved: Sequence[float], times: Sequence[float], rng: Rng) -> Iterator[Line]:
    """Quartiles over problems with bootstrap intervals, and the time to parity."""
    values = np.array(saved)
    draws = rng.generator().integers(len(values), size=(2000, len(values)))
    for name, share in (("median", 0.5), ("upper quartile", 0.75)):
        low, high = np.quantile(np.quantile(values[draws], share, axis=1), [0.025, 0.975])
        value = float(np.quantile(values, share))
        common = {"value": value, "low": float(low), "high": float(high), "n": len(values)}
        yield Line(NAME, arm="acclimate", metric=name, **common)  # type: ignore[arg-type]
    if times:
        middle = float(np.median(times))
        yield Line(NAME, arm="acclimate", metric="to-parity", value=middle, n=len(times))


def curve_of(
    listed: Listed, replay: Replay, args: argparse.Namespace, rng: Rng
) -> Curve | None:
    """Target-only's curve of one problem, stored beside its run."""
    path = args.results / f"{listed.name}.curve.json"
    if path.exists():
        return Curve(**json.loads(path.read_text(encoding="utf-8")))
    if args.cached or missing(listed, args.data):
        return None
    models_of = [replay.rows[at]["model"] for at in replay.baselines()]
    print(f"{listed.name}: target-only's curve", file=sys.stderr)
    with threadpool_limits(1):
        given = audited(listed, args.data, rng)
        users = listed.task == "recommend"
        found = _users(listed, models_of, args, rng) if users else _rows(given, models_of, rng)
    path.write_text(json.dumps(vars(found)) + "\n", encoding="utf-8")
    return found


def _rows(given: Audited, kinds: Sequence[str], rng: Rng) -> Curve:
    """Target-only on more and more of the rows given, those that judge among them."""
    problem, whole = given.ships, given.posed.whole.fit
    assert isinstance(problem.fit, Rows) and isinstance(whole, Rows)
    n, error, seconds = [], [], []
    for size in sizes(problem.fit.n, whole.n):
        told = []
        for draw in range(DRAWS if size < whole.n else 1):
            order = rng.child(f"labels/{draw}").generator().permutation(whole.n)
            more = problem.with_fit(whole.take(np.sort(order[:size])))
            told.append(_alone(given.posed.task, more, given.audit, kinds, rng))
        n.append(size)
        error.append(float(np.mean([each[0] for each in told])))
        seconds.append(float(np.mean([each[1] for each in told])))
    return Curve(n, error, seconds)


def _users(listed: Listed, kinds: Sequence[str], args: argparse.Namespace, rng: Rng) -> Curve:
    """Target-only on more and more users; each size is asked the audit of its own."""
    n: list[int] = []
    error: list[float] = []
    seconds: list[float] = []
    for times in STEPS:
        given = audited(replace(listed, labels=int(listed.labels * times)), args.data, rng)
        users = len(given.posed.problem.fit.users)  # type: ignore[union-attr]
        if n and users <= n[-1]:
            break
        found = _alone(given.posed.task, given.ships, given.audit, kinds, rng)
        n.append(users)
        error.append(found[0])
        seconds.append(found[1])
    return Curve(n, error, seconds)


def sizes(here: int, most: int) -> list[int]:
    """Numbers of labels: doublings of those here, and all there are."""
    found = [int(here * step) for step in STEPS if here * step < most]
    return [*found, most] if most > found[-1] else found


def _alone(
    task: Task, problem: Problem, audit: Case, kinds: Sequence[str], rng: Rng
) -> tuple[float, float]:
    """The audit's error of the target-only arm that its folds prefer, and seconds of all."""
    start, best = time.process_time(), (math.inf, math.inf)
    metric = about_metric(task)
    for kind in dict.fromkeys(kinds):
        arm = Arm(TargetOnly(), models()[kind])
        encoded = arm.encoded(problem)
        tuned = tune(arm, task, encoded, rng.child("tune"), cross_fit=True)
        if tuned.prediction is None or tuned.truth is None:
            continue
        seen = -metric["sign"] * value_of(metric, units_of(task, tuned.prediction, tuned.truth))
        if seen < best[0]:
            fitted = tuned.arm.fit(encoded, rng.child("fit"))
            units: Array = units_of(task, fitted.answer(audit), audit.truth)
            best = (seen, -metric["sign"] * value_of(metric, units))
    return best[1], time.process_time() - start
