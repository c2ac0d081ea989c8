"""Few labels of sinusoids: MAML, Reptile and AML, after ten steps on ten labels.

Reptile's settings are chosen on validation tasks, which are neither those that teach nor
those that are asked, after a fifth of its rounds: the best one that bears all of them.
MAML's are the published ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

from acclimate.arrays import Array
from acclimate.errors import StrategyError
from acclimate.models.streams import Params
from acclimate.strategies.meta.inner import Adam, Descent
from benchmarks.line import Line, peak_mb

NAME = "fewshot"
LEARNERS = ("maml-5", "maml-1", "reptile", "aml-unmasked", "aml")
TAUGHT_SEED = 10_000  # of the first batch of tasks; each later one takes the next
VALIDATION_SEED = 5_000
# (what descends, steps of a descent, ε)
REPTILES: tuple[tuple[Descent | Adam, int, float], ...] = (
    (Descent(0.02), 5, 0.5),
    (Descent(0.02), 10, 1.0),
    (Descent(0.01), 10, 1.0),
    (Descent(0.01), 20, 1.0),
    (Adam(0.003), 10, 0.5),
    (Adam(0.01), 10, 0.5),
)


def sinusoids(args: argparse.Namespace) -> Iterator[Line]:
    """The learners asked for, each with the error over tasks never seen."""
    import torch

    from benchmarks import sinusoid as made

    torch.set_num_threads(1)
    steps, others = (20, 20) if args.quick else (args.steps, args.others)
    n = 40 if args.quick else args.tasks
    support, query = made.tasks(n, 10, 100, args.seed + 1)
    begun = made.fresh(args.seed)
    asked = args.learner or LEARNERS

    def fresh_tasks() -> made.Drawn:
        return made.Drawn(25, 10, 10, TAUGHT_SEED)

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
            seconds=round(time.process_time() - since, 1),
            peak_mb=round(peak_mb()),
            reference=reference,
        )

    for descent, reference in ((5, 0.05), (1, 0.102)):
        if f"maml-{descent}" in asked:
            since = time.process_time()
            found = made.maml(begun, fresh_tasks(), 0.01, descent, 2, steps)
            own = made.descended(found, support, 0.01, 10)
            arm = f"maml, {descent} inner step{'s' * (descent > 1)}, {steps} rounds"
            yield line(arm, made.errors(own, query), since, reference)
    if "reptile" in asked:
        since = time.process_time()

        def reptile(setting: tuple[Any, int, float], rounds: int) -> Params:
            update, descent, epsilon = setting
            return made.reptile(begun, fresh_tasks(), update, descent, epsilon, rounds)

        held = made.tasks(max(2, n // 5), 10, 100, VALIDATION_SEED + args.seed)
        tried = {}
        for setting in REPTILES:
            try:
                found = reptile(setting, max(1, others // 5))
            except StrategyError:
                print(f"validation: {setting} runs away", file=sys.stderr)
                continue
            own = made.descended_by(setting[0], found, held[0], 10)
            tried[setting] = float(made.errors(own, held[1]).mean())
            print(f"validation: {setting} {tried[setting]:.4f}", file=sys.stderr)
        for best in sorted(tried, key=tried.__getitem__):
            try:
                found = reptile(best, others)
            except StrategyError:
                print(f"{told(best)} runs away after more rounds", file=sys.stderr)
                continue
            own = made.descended_by(best[0], found, support, 10)
            yield line(
                f"reptile, {others} rounds, {told(best)}", made.errors(own, query), since
            )
            break
    for masked in (False, True):
        name = "aml" if masked else "aml-unmasked"
        if name in asked:
            since = time.process_time()
            how = made.attentive(begun, 0.05, masked)
            both = made.aml(begun, fresh_tasks(), how, others)
            own = made.attended(both, how, support)
            yield line(f"{name}, 1 step, {others} rounds", made.errors(own, query), since)


def told(setting: tuple[Descent | Adam, int, float]) -> str:
    """A setting of Reptile, in words."""
    update, descent, epsilon = setting
    kind = "adam" if isinstance(update, Adam) else "sgd"
    return f"{kind} {update.rate}, {descent} inner steps, ε {epsilon}"
