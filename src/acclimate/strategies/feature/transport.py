"""Optimal transport: move each source row to where its share of the target's rows lies.

Source: Courty, Flamary, Tuia & Rakotomamonjy, IEEE TPAMI 2017 (arXiv:1507.00504): entropic
plan between equal weights on both sides (equation 9), with the ℓp-ℓ1 class term of their
section 4.2, p = ½, minimised by majorisation (Courty, Flamary & Tuia, ECML 2014, Algorithm
1): a column is asked less by the class that already sends it most.  A source row becomes the
barycentre of where its mass goes (equation 14).

Departures: the cost is the squared distance over its median, so that `reg` has no unit; the
class term counts shares of what a column receives instead of masses, which shrink as rows
grow more; each of several sources has a plan of its own; weights of rows are not looked at;
text stays as it is.  Only sources move: the target's rows are encoded as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.feature.monge import why_no_transport
from acclimate.strategies.feature.sinkhorn import Ground, Plan, sinkhorn
from acclimate.strategies.feature.tca import source_rows
from acclimate.strategies.instance.kernels import squared_distances
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape, Strategy

SEEN = 1_000  # rows of each side whose distances give the median
POWER = 0.5  # p
MISPLACED = 0.01  # mass from which on a plan counts as unfinished
FLOOR = 1e-3  # share below which a class asks no more of a column


@dataclass(frozen=True)
class Transport(Reshape):
    """Move source rows onto the target's.  Needs no target labels; takes classes as even.

    reg      > 0, in medians of the cost; larger spreads each row over more others
    classes  ≥ 0, what it costs a target row to receive from several classes; 0 for labels
             that are numbers
    turns    ≥ 1, how often costs of classes are taken anew
    rounds   ≥ 1, at most so many of Sinkhorn's iterations a turn
    """

    reg: float = 0.05
    classes: float = 0.1
    turns: int = 5
    rounds: int = 500

    kind: ClassVar[str] = "transport"
    complexity: ClassVar[int] = 2
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.reg) and self.reg > 0 and np.isfinite(self.classes)):
            raise StrategyError(
                f"Expected a finite reg above 0, found {self.reg}, and finite classes, found "
                f"{self.classes}. Without entropy a plan of many rows takes too long."
            )
        if self.classes < 0 or min(self.turns, self.rounds) < 1:
            raise StrategyError(
                f"Expected classes of 0 or more and at least one turn and round, found "
                f"{self.classes}, {self.turns} and {self.rounds}. A negative cost would mix "
                "classes on purpose."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return why_no_transport(problem, model)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, reg=0.2), replace(self, classes=0.0))

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        xt = target_view(problem).numeric
        views, facts = source_rows(problem), []
        for name, view in views.items():
            told = None if problem.numbers else np.asarray(view.label, np.int64)
            plan = planned(view.numeric, told, xt, self, rng.child(name), tick)
            views[name] = replace(view, numeric=plan.barycentres(xt))
            if plan.missed > MISPLACED:
                facts.append(
                    f"transport from {name} ended with {plan.missed:.1%} of its mass misplaced"
                )
        return problem.reshaped(views).knowing(*facts)


def planned(
    xs: Array,
    label: Ints | None,
    xt: Array,
    settings: Transport,
    rng: Rng,
    tick: Tick = idle,
    tolerance: float = 1e-4,
) -> Plan:
    """The plan from source rows to the target's.

    xs, xt     (n, d) and (m, d)
    label      (n,) classes, None to leave them out
    tolerance  mass that may be misplaced
    """
    scale = median_cost(xs, xt, rng)
    ground = Ground(xs / np.sqrt(scale), xt / np.sqrt(scale), label)
    plan = sinkhorn(ground, settings.reg, settings.rounds, tolerance, tick=tick)
    if label is None or settings.classes == 0:
        return plan
    count = int(label.max()) + 1
    for _ in range(settings.turns):
        share = plan.of_classes(count) * len(xt)
        extra = settings.classes * asked_of_classes(share, FLOOR)
        ground = replace(ground, extra=extra)
        begin = plan.g + settings.reg * np.log(plan.v)
        plan = sinkhorn(ground, settings.reg, settings.rounds, tolerance, begin, tick)
    return plan


def asked_of_classes(share: Array, floor: float) -> Array:
    """(classes, m) the slope p (s + floor)^(p − 1) of a column's class term."""
    slope: Array = POWER * (share + floor) ** (POWER - 1)
    return slope


def median_cost(xs: Array, xt: Array, rng: Rng) -> float:
    """The median squared distance between a row of each side, 1 where that is 0.

    At most 1,000 rows of each side are drawn for it.
    """
    drawn = [
        side[np.sort(rng.child(name).generator().permutation(len(side))[:SEEN])]
        for name, side in (("source", xs), ("target", xt))
    ]
    middle = float(np.median(squared_distances(*drawn)))
    return middle if middle > 0 else 1.0
