"""Feature augmentation: every feature once for all markets and once for each market alone.

Source: Daumé III, ACL 2007 (arXiv:0907.1815), section 3: Φ_s(x) = ⟨x, x, 0⟩ and
Φ_t(x) = ⟨x, 0, x⟩; section 3.3 for several domains, ⟨x, 0, …, x, …, 0⟩ with one copy each.
A model that is penalised learns in the shared copy what holds everywhere, and in its own
copy how a market differs.

Departures: the constant is a feature like any other, so that each market has an intercept
of its own beside the shared one; a category's copy is a column of codes of its own, 0
(which says nothing) for rows of other markets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem
from acclimate.domains.view import EncoderState, RowView
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.strategy import Reshape


@dataclass(frozen=True)
class Augment:
    """The target's rows in its own copy, the first of several.

    copies  ≥ 2, the target's and one for each source
    """

    copies: int

    kind: ClassVar[str] = "augment"

    def __call__(self, view: RowView) -> RowView:
        return augmented(view, 0, self.copies)

    def state(self) -> EncoderState:
        return EncoderState(self.kind, {"copies": self.copies})

    @classmethod
    def restore(cls, state: EncoderState) -> Augment:
        return cls(int(state.meta["copies"]))


@dataclass(frozen=True)
class FeatureAugmentation(Reshape):
    """Copy features for each market.  Needs target labels: without, no row fills its copy.

    Followed by pooling.
    """

    kind: ClassVar[str] = "augmentation"
    complexity: ClassVar[int] = 1
    needs_labels: ClassVar[bool] = True
    unasked: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if model.form != "rows":
            return f"{model.kind} reads no features that could be copied for each market"
        return None

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        copies = 1 + len(problem.sources)
        views = {}
        for own, source in enumerate(problem.sources, start=1):
            tick()
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            views[source.name] = augmented(view, own, copies)
        return problem.reshaped(views, Augment(copies))


def augmented(view: RowView, own: int, copies: int) -> RowView:
    """⟨x, 0, …, x, …, 0⟩: the features, then room for each market's copy, filled for one.

    own      0 … copies − 1, the market whose rows these are
    returns  numbers [x | (x, 1) or 0 for each market], codes and text alike without the 1
    """
    import scipy.sparse as sp

    mine = np.column_stack([view.numeric, np.ones(view.n)])
    numeric = np.concatenate([view.numeric, _placed(mine, own, copies)], axis=1)
    codes: Ints = np.concatenate([view.codes, _placed(view.codes, own, copies)], axis=1)
    sparse = view.sparse
    if sparse is not None:
        blank = sp.csr_array(sparse.shape)
        parts = [sparse if at == own else blank for at in range(copies)]
        sparse = sp.csr_array(sp.hstack([sparse, *parts], format="csr"))
    levels = view.levels * (1 + copies)
    return replace(view, numeric=numeric, codes=codes, levels=levels, sparse=sparse)


def _placed(x: Array | Ints, own: int, copies: int) -> Array:
    """(n, copies·k) zeros but for the own block of (n, k)."""
    room = np.zeros((len(x), copies * x.shape[1]), x.dtype)
    room[:, own * x.shape[1] : (own + 1) * x.shape[1]] = x
    return room
