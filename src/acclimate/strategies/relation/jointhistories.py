"""Joint histories: who shops in several markets has one history.

A chain opens a store where its customers have shopped elsewhere, the same items by the same
ids.  EASE is solved over users' histories of all markets as one, and a user of the target is
served by theirs; what was taken elsewhere and not here may be recommended, and more so by
`again`, for much of what people buy they buy again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Sparse, Strings
from acclimate.domains.beside import BesideEncoder, shared_users
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder
from acclimate.models.ease import Ease
from acclimate.models.model import Model, Tick, idle
from acclimate.models.wideease import WideEase
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.strategies.relation.sharedusers import FEW, others
from acclimate.strategies.strategy import Adapt, Strategy


@dataclass(frozen=True)
class JointHistories(Adapt):
    """EASE of histories that run through all markets.

    again  ≥ 0, added to the score of an item that the user took elsewhere
    """

    again: float = 0.1

    kind: ClassVar[str] = "joint-histories"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 2
    hands_on: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Ease):
            return f"{model.kind} solves no item–item matrix that joint histories could teach"
        mine, there = problem.fit, others(problem).values()
        assert isinstance(mine, Interactions)
        users = len(set(mine.user))
        most = max(shared_users(other, mine) for other in there)
        if most < FEW * users:
            return (
                f"{number_of(most, 'user')} of the target's {users:,} took something in a "
                f"source, fewer than {FEW:.0%}"
            )
        if not set(mine.items[np.unique(mine.item)]) & {i for o in there for i in o.items}:
            return "no source has an item of the target's; shared-users asks for none"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, again=again) for again in (0.1, 0.0, 0.03, 0.3))

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        encoder, fit, there = problem.encoder, problem.fit, others(problem)
        assert isinstance(encoder, ItemEncoder) and isinstance(fit, Interactions)
        assert isinstance(model, Ease)
        tick()
        both = BesideEncoder.aligned(encoder, there)
        view, views = both.encode(fit), [encoder.encode(each) for each in there.values()]
        samples = (fit, *there.values())
        rows = merged([view.matrix, *(v.matrix for v in views)], [s.users for s in samples])
        fitted = WideEase(model.penalty, 1.0).joined(rows, view, self.again)
        shared = max(shared_users(each, fit) for each in there.values())
        return (
            replace(problem, encoder=both).knowing(
                f"{shared:,} of {len(set(fit.user)):,} users have a history in a source too"
            ),
            fitted,
        )

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]


def merged(matrices: Sequence[Sparse], users: Sequence[Strings]) -> Sparse:
    """(all users, n_items) CSR of ones: what each user took anywhere.

    matrices  one a market, (its users, n_items)
    users     the ids of their rows
    """
    ids = sorted({user for each in users for user in each})
    place = {user: at for at, user in enumerate(ids)}
    stacked = sp.csr_array(sp.vstack(matrices, format="csr"))
    rows = np.array([place[user] for each in users for user in each], np.int64)
    shape = (len(ids), len(rows))
    sums = sp.csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=shape)
    found = sp.csr_array(sums @ stacked)
    found.data[:] = 1.0
    return found
