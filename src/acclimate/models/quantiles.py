"""Quantiles: what may come instead of a number, from errors on rows that were held out.

    q(x) = ŷ(x) + the quantile of y − ŷ(x) over target rows that ŷ was not fitted on

Before: an arm fitted its model, and once more for each fold of the target's rows.  After:
answers hold the quantiles that the task asked for beside the mean.

Source: the split-conformal idea, Lei, G'Sell, Rinaldo, Tibshirani & Wasserman, JASA 2018,
section 2.3.  Departures: signed errors, a quantile at a time; errors of all folds are taken
together, as those of the model fitted on every row would be (their cross-validated form,
CV+, is Barber et al., Annals of Statistics 2021).  The spread is the same for every row: a
market whose dear things are harder to tell gets too wide quantiles for cheap ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Numbers
from acclimate.models.made import Made
from acclimate.models.model import Model, State


@dataclass(frozen=True)
class Quantiles(Made):
    """A fitted model of numbers, and how far its answers are off.

    mean     gives the number expected
    levels   (n_levels,) of the quantiles, between 0 and 1
    offsets  (n_levels,) what is added to the number for each
    """

    mean: Model | None = field(default=None, repr=False)
    levels: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()

    kind: ClassVar[str] = "quantiles"

    def around(self, away: Array) -> Quantiles:
        """The same with the offsets that errors on held-out rows show.

        away  (n,) y − ŷ
        """
        return replace(self, offsets=tuple(np.quantile(away, self.levels).tolist()))

    def predict(self, query: Any, context: Any = None) -> Numbers:
        assert self.mean is not None
        answer = self.mean.predict(query, context)
        assert isinstance(answer, Numbers)
        return replace(
            answer, quantiles=answer.y[:, None] + np.array(self.offsets), levels=self.levels
        )

    def state(self) -> State:
        assert self.mean is not None
        meta = {"levels": list(self.levels), "offsets": list(self.offsets)}
        return State(self.kind, meta, {}, {"mean": self.mean.state()})

    @classmethod
    def restore_with(cls, state: State, parts: Mapping[str, Model]) -> Quantiles:
        """The quantiles around this restored model."""
        levels: Sequence[float] = state.meta["levels"]
        return cls(parts["mean"], tuple(levels), tuple(state.meta["offsets"]))


def without_quantiles(model: Model) -> Model:
    """The model that gives the mean; what others start from, or mix."""
    return model.mean if isinstance(model, Quantiles) and model.mean is not None else model
