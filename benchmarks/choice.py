"""How well acclimate chooses: listed problems solved exhaustively once, and choices replayed.

Every problem of the list is solved by trying everything (`choice_solved`) and kept, a file
a problem; one that is there is not solved again, so that a run can be stopped and gone on
with.  What each way of choosing would have shipped (`choice_ways`), and what that is worth
on rows nobody saw (`choice_replay`), is then worked out from the stored runs alone.

The metrics of a way of choosing, each a line:

    problems      how many it was replayed on
    regret        mean over problems of what is lost against the best arm in hindsight, as a
                  share of that arm's score; with a 95 % bootstrap interval over problems
    regret-p90    its 90th percentile
    above-oracle, above-oracle-p90
                  the same of the difference to the oracle that chooses the same way
    cost          seconds of trying, as a share of trying everything, mean over problems
    cost-of-sum   the same of the sums over problems
    harm          share of problems where what ships is significantly worse than target-only
    power         share that adopt, of the problems whose oracle gains over 3.5 errors
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array
from acclimate.plans.prior import TABLE
from acclimate.rng import Rng
from benchmarks import choice_store as store
from benchmarks import choice_ways as ways
from benchmarks.choice_learn import learn, to_json
from benchmarks.choice_posed import Listed, audited, missing, read_list
from benchmarks.choice_replay import Replay
from benchmarks.choice_solved import solve
from benchmarks.line import Line

NAME = "choice"
LIST = Path(__file__).with_name("choice_problems.toml")
DATA = Path("../shared/data")
ORACLE = "oracle choosing the same way"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of data ({DATA})")
    parser.add_argument("--problems", type=Path, default=LIST, help="the list of problems")
    parser.add_argument("--results", type=Path, default=store.RESULTS, help="stored runs")
    parser.add_argument("--only", action="append", help="a problem to solve; all without")
    parser.add_argument("--cached", action="store_true", help="solve nothing, replay alone")
    parser.add_argument("--learn", action="store_true", help="write what plans start from")
    parser.add_argument("--each", action="store_true", help="lines a problem too")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Solve what is not stored yet, then the lines of every way of choosing."""
    listed = read_list(args.problems)
    if not args.cached:
        solve_missing(listed, args)
    rng = Rng.of(args.seed)
    replays = [
        Replay(solved, rng.child(solved.about["name"]))
        for solved in store.stored(args.results, listed)
    ]
    if replays:
        yield from _lines(replays, args, rng)
    if replays and args.learn:
        provenance = {
            "command": "python -m benchmarks choice --cached --learn",
            "problems": len(replays),
            "data": sorted({replay.solved.about["data"] for replay in replays}),
        }
        TABLE.write_text(to_json(learn(replays, provenance)), encoding="utf-8")


def solve_missing(listed: list[Listed], args: argparse.Namespace) -> None:
    """Solve and store every problem that is not stored; absent data are named."""
    wanted = [each for each in listed if not args.only or each.name in args.only]
    for each in wanted:
        if store.path_of(args.results, each.name).exists():
            continue
        if absent := missing(each, args.data):
            print(f"{each.name} is skipped: no {', '.join(absent)}", file=sys.stderr)
            continue
        rng = Rng.of(args.seed).child(each.name)
        with threadpool_limits(1):  # seconds of the processor are compared
            store.write(args.results, solve(each, audited(each, args.data, rng), rng))
        print(f"{each.name} is stored (load {os.getloadavg()[0]:.1f})", file=sys.stderr)


def _lines(replays: Sequence[Replay], args: argparse.Namespace, rng: Rng) -> Iterator[Line]:
    oracle = [ways.everything(replay) for replay in replays]
    best = np.array([replay.regret(c.at) for replay, c in zip(replays, oracle, strict=True)])
    tables = ways.by_leaving_out(replays, lambda some: learn(some, {}))
    ours = [ways.halved(r, table) for r, table in zip(replays, tables, strict=True)]

    def searched(replay: Replay, like: ways.Chosen) -> list[ways.Chosen]:
        return ways.random(replay, like.cost, replay.rng.child("random"))

    found: dict[str, list[list[ways.Chosen]]] = {
        "acclimate": [[each] for each in ours],
        ORACLE: [[each] for each in oracle],
        "textbook": [[ways.textbook(replay)] for replay in replays],
        "random": [searched(*pair) for pair in zip(replays, ours, strict=True)],
    }
    for strategy in ways.strategies(replays):
        found[strategy] = [[ways.fixed(replay, strategy)] for replay in replays]
    for arm, chosen in found.items():
        yield from summary(arm, replays, chosen, best, rng.child("summary"))
    if args.each:
        for replay, mine, theirs in zip(replays, ours, oracle, strict=True):
            yield from _each(replay, mine, theirs)


def summary(
    arm: str,
    replays: Sequence[Replay],
    chosen: Sequence[Sequence[ways.Chosen]],
    oracle: Array,
    rng: Rng,
) -> Iterator[Line]:
    """The lines of one way of choosing, whose draws are averaged within a problem."""

    def mean(of: Callable[[Replay, ways.Chosen], float]) -> Array:
        return np.array(
            [
                np.mean([of(replay, each) for each in draws])
                for replay, draws in zip(replays, chosen, strict=True)
            ]
        )

    n = len(replays)
    line = Line(NAME, arm=arm, n=n)
    yield replace(line, metric="problems", value=float(n))
    regret = mean(lambda replay, each: replay.regret(each.at))
    for name, values in (("regret", regret), ("above-oracle", regret - oracle)):
        low, high = _around(values, rng)
        mean_value = float(values.mean())
        yield replace(line, metric=name, value=mean_value, low=low, high=high)
        yield replace(line, metric=f"{name}-p90", value=float(np.quantile(values, 0.9)))
    cost = mean(lambda replay, each: each.cost)
    seconds = np.array([replay.whole_cost for replay in replays])
    yield replace(line, metric="cost", value=float(cost.mean()))
    yield replace(line, metric="cost-of-sum", value=float(cost @ seconds / seconds.sum()))
    harmed = mean(lambda replay, each: float(replay.harmed(each.at)))
    yield replace(line, metric="harm", **_share(float(harmed.sum()), n))
    strong = np.array([replay.strong for replay in replays])
    if chosen[0][0].answer is not None:
        adopted = mean(lambda replay, each: float(each.answer == "adopt"))
        count = int(strong.sum())
        yield replace(line, metric="power", **_share(float(adopted[strong].sum()), count))


def _each(replay: Replay, ours: ways.Chosen, oracle: ways.Chosen) -> Iterator[Line]:
    """What acclimate and the oracle shipped for one problem."""
    about = replay.solved.about
    for way, chosen in (("acclimate", ours), (ORACLE, oracle)):
        yield Line(
            NAME,
            about["name"],
            "+".join(source["name"] for source in about["sources"]),
            arm=f"{way}: {replay.rows[chosen.at]['arm']}, {chosen.answer}",
            metric="regret",
            value=replay.regret(chosen.at),
            n=about["n_units"]["audit"],
            seconds=round(chosen.cost * replay.whole_cost, 2),
        )


def _around(values: Array, rng: Rng) -> tuple[float, float]:
    """A 95 % percentile bootstrap of the mean over problems."""
    draws = rng.generator().integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _share(count: float, n: int) -> dict[str, Any]:
    """A share with its exact 95 % interval (Clopper & Pearson 1934), where it is of a count."""
    if not n:
        return {"n": 0}
    found: dict[str, Any] = {"value": count / n, "n": n}
    if float(count).is_integer():
        interval = stats.binomtest(int(count), n).proportion_ci()
        found |= {"low": float(interval.low), "high": float(interval.high)}
    return found
