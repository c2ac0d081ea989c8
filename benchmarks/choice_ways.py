"""Ways of choosing, replayed on stored problems: what each tries, ships and costs.

`acclimate`     the plan that `plans.halving` shortens, by a table that was learned without the
                data set the problem is of; pick, remedies and verdict as always
`oracle choosing the same way`   everything tried; pick, remedies and verdict as always
`textbook`      the first arms that the textbook's rules name, and the verdict
`random`        ways to transfer drawn until acclimate's cost is spent, and the verdict
a strategy      that one alone, with the model that is best on `choose`, shipped unjudged;
                target-only where it does not apply
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acclimate.plans.halving import ALWAYS, going_on
from acclimate.plans.plan import FAR
from acclimate.plans.prior import Prior
from acclimate.rng import Rng
from benchmarks.choice_learn import kind
from benchmarks.choice_replay import Replay, Shipped

DRAWS = 10  # of random search


@dataclass(frozen=True)
class Chosen:
    """What a way of choosing came to on one problem.

    at      what ships
    answer  of the verdict; None where nothing was judged
    cost    seconds of trying, as a share of trying everything
    """

    at: int
    answer: str | None
    cost: float


def everything(replay: Replay) -> Chosen:
    shipped = replay.ship(range(len(replay.rows)))
    return Chosen(shipped.at, shipped.answer, 1.0)


def halved(replay: Replay, prior: Prior) -> Chosen:
    """What acclimate's own plan tunes of the stored arms, and what it screens before."""
    tried = list(replay.baselines())
    asked: list[int] = []
    known = kind(replay) in prior.kinds
    for at, row in enumerate(replay.rows):
        arm = replay.trials[at].arm
        if row["remedy"] or not row["transfers"]:
            continue
        if known and prior.why_put_off(kind(replay), arm) is not None:
            continue
        (tried if not known or row["strategy"] in ALWAYS else asked).append(at)
    task: Any = replay.task
    going = {trial.arm.name for trial in going_on(replay.screened(asked), task)}
    tried += [at for at in asked if replay.rows[at]["arm"] in going]
    spent = float(np.sum([replay.screening(at) for at in asked])) / replay.whole_cost
    chosen = _tried(replay, sorted(tried))
    return replace(chosen, cost=chosen.cost + spent)


def textbook(replay: Replay) -> Chosen:
    """The rules alone: one family by sizes and distance, every model, judged.

    Far apart: align features.  Few target rows and many of sources: weigh instances.
    Several sources: share among tasks, which needs networks; without them, pool.  Of
    recommenders: source histories for users both have, else a prior from the sources.
    """
    about = replay.solved.about
    mine, theirs = about["n_fit"], sum(source["n"] for source in about["sources"])
    far = any(g["measure"] == "a-distance" and g["value"] > FAR for g in about["gap"])
    if about["task"] == "recommend":
        order = ["joint-histories", "item-prior", "pooled"]
    elif far:
        order = ["coral + pooled", "coral + source-only", "pooled"]
    elif theirs > 5 * mine:
        order = ["tradaboost", "density-ratio + pooled", "pooled"]
    elif len(about["sources"]) > 2:
        order = ["hard-sharing", "source-prior", "pooled"]
    else:
        order = ["source-prior", "finetune", "pooled"]
    for strategy in order:
        found = _of(replay, strategy)
        if found:
            return _tried(replay, [*replay.baselines(), *found])
    return _tried(replay, replay.baselines())


def fixed(replay: Replay, strategy: str) -> Chosen:
    """One strategy, whatever the problem, with its best model on `choose`."""
    found = _of(replay, strategy) or replay.baselines()
    best = max(found, key=lambda at: replay.sign * replay.value("choose", at))
    return Chosen(best, None, _share(replay, found))


def random(replay: Replay, allowed: float, rng: Rng) -> list[Chosen]:
    """Draws of arms that transfer, as many as an allowed share of the time pays for."""
    alone = replay.baselines()
    others = [
        at for at, row in enumerate(replay.rows) if row["transfers"] and not row["remedy"]
    ]
    found = []
    for draw in range(DRAWS):
        tried = list(alone)
        for at in rng.child(f"draw/{draw}").generator().permutation(others):
            if _share(replay, [*tried, int(at)]) <= allowed:
                tried.append(int(at))
        found.append(_tried(replay, tried))
    return found


def strategies(replays: Sequence[Replay]) -> list[str]:
    """Every strategy that some problem tried."""
    return sorted({row["strategy"] for replay in replays for row in replay.rows})


def by_leaving_out(
    replays: Sequence[Replay], learn: Callable[[Sequence[Replay]], Prior]
) -> list[Prior]:
    """For each problem the table learned from the problems of other data sets."""
    sets = dict.fromkeys(replay.solved.about["data"] for replay in replays)
    tables = {
        each: learn([replay for replay in replays if replay.solved.about["data"] != each])
        for each in sets
    }
    return [tables[replay.solved.about["data"]] for replay in replays]


def _of(replay: Replay, strategy: str) -> list[int]:
    return [
        at
        for at, row in enumerate(replay.rows)
        if row["strategy"] == strategy and not row["remedy"]
    ]


def _tried(replay: Replay, tried: Sequence[int]) -> Chosen:
    whole = replay.with_remedies(tried)
    shipped: Shipped = replay.ship(whole)
    return Chosen(shipped.at, shipped.answer, _share(replay, whole))


def _share(replay: Replay, tried: Sequence[int]) -> float:
    return float(np.sum([replay.cost(at) for at in tried]) / replay.whole_cost)
