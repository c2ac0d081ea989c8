"""Stack views of one encoder: target and source rows below each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from acclimate.domains.problem import Problem
from acclimate.domains.view import ItemView, RowView, View
from acclimate.models.design import stack_views


def stack(views: Sequence[View], own: View | None = None) -> View:
    """One view from several made by the same encoder.

    own  the view of the target's own rows, where they are among these: what it has most
         of serves users without a history, and a foreign market's bestsellers do not
    """
    rows = [view for view in views if isinstance(view, RowView)]
    if rows:
        return stack_views(rows)
    items = [view for view in views if isinstance(view, ItemView)]
    matrix = sp.csr_array(sp.vstack([view.matrix for view in items], format="csr"))
    popularity = np.sum([view.popularity for view in items], axis=0)
    counts = own.popularity if isinstance(own, ItemView) else None
    return ItemView(matrix, popularity, tuple(items), counts)


def source_views(problem: Problem) -> list[View]:
    """The view of each source, in the problem's encoder."""
    return [problem.view(source.sample) for source in problem.sources]
