"""Stack views of one encoder: target and source rows below each other, weights beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.problem import Problem
from acclimate.domains.source import Source
from acclimate.domains.taken import Taken
from acclimate.domains.tokenview import TokenView, stack_tokens
from acclimate.domains.view import ItemView, RowView, View
from acclimate.models.design import stack_views


def stack(views: Sequence[View], own: View | None = None) -> View:
    """One view from several made by the same encoder.

    own  the view of the target's own rows, where they are the first of these: what it has most
         of serves users without a history, and a foreign market's bestsellers do not
    """
    rows = [view for view in views if isinstance(view, RowView)]
    if rows:
        return stack_views(rows)
    sentences = [view for view in views if isinstance(view, TokenView)]
    if sentences:
        return stack_tokens(sentences)
    items = [view for view in views if isinstance(view, ItemView)]
    matrix = sp.csr_array(sp.vstack([view.matrix for view in items], format="csr"))
    popularity = np.sum([view.popularity for view in items], axis=0)
    counts = own.popularity if isinstance(own, ItemView) else None
    events = [view.taken for view in items if view.taken is not None]
    first = own.matrix.shape[0] if isinstance(own, ItemView) else None
    taken = Taken.stacked(events, first) if len(events) == len(items) else None
    last = None if taken is None else taken.last
    known = [view.users for view in items if view.users is not None]
    users = sp.csr_array(sp.vstack(known, format="csr")) if known else None
    return ItemView(
        matrix,
        popularity,
        tuple(items),
        counts,
        last,
        taken,
        users=users,
        items=items[0].items,
    )


def source_views(problem: Problem) -> list[View]:
    """The view of each source, in the problem's encoder."""
    return [problem.source_view(source) for source in problem.sources]


def row_weights(sources: Sequence[Source], target_rows: int = 0) -> Array | None:
    """Weights of so many target rows, 1 each, then of the sources'; None for all equal."""
    if all(source.weight is None for source in sources):
        return None
    parts = [np.ones(s.n) if s.weight is None else s.weight for s in sources]
    return np.concatenate([np.ones(target_rows), *parts])


def target_view(problem: Problem) -> RowView:
    """Every row of the target that may be seen, labelled or not, without labels."""
    samples = [problem.fit] if problem.fit.n else []
    samples += [problem.unlabelled] if problem.unlabelled is not None else []
    views = [problem.view(sample) for sample in samples]
    rows = [replace(view, label=None) for view in views if isinstance(view, RowView)]
    return stack_views(rows)
