"""Races of moved rows: CORAL and entropic transport beside skada's, at equal accuracy.

5,000 rows of a source and of a target without labels, 100 numbers; the target's columns are
mixed and moved.  Both sides get numbers and end with a linear model; 2,000 other rows of the
target say how good it is.  Transport has the same entropy on both sides and no class term,
which skada's has not either; it grows from 1,250 to 20,000 rows a side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from acclimate.domains.exam import Probabilities
from acclimate.domains.view import RowView
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from acclimate.strategies.feature.coral import recoloured
from acclimate.strategies.feature.transport import Transport, planned
from benchmarks.programs.shift_data import ASKED, ENTROPY, FITS, made
from benchmarks.programs.watch import Watch
from benchmarks.races import Lap, Race, Runner
from benchmarks.speed_deep import PEER, theirs
from benchmarks.speed_instance import rows

SHRINK = 0.1  # the peer estimates its own, which is next to nothing here
UNIT = 1.89  # of the largest cost in medians, which ours counts entropy in


def ours(moved: Callable[[RowView, RowView], RowView], times: int) -> Runner:
    """Laps of a step that moves a source's rows, and of the model fitted on them."""

    def lap(scale: float, threads: int) -> Lap:
        xs, ys, xt, yt = made(scale)

        def fit() -> Linear:
            view = moved(rows(xs, ys), rows(xt[:-ASKED], None))
            return Linear().fit(Linear().prepare(view), rng=Rng.of(0))

        model = fit() if times > 1 else None  # imports what it needs
        with Watch() as watch:
            for _ in range(times):
                model = fit()
        assert model is not None
        answer = model.predict(rows(xt[-ASKED:], None))
        assert isinstance(answer, Probabilities)
        return Lap.of(watch, float((answer.p.argmax(1) == yt[-ASKED:]).mean()), times)

    return lap


def coral(source: RowView, target: RowView) -> RowView:
    """A source with the target's means and covariance."""
    return recoloured(source, target, SHRINK)


def transport(source: RowView, target: RowView) -> RowView:
    """A source where the plan takes it."""
    settings = Transport(reg=ENTROPY * UNIT, classes=0.0)
    plan = planned(source.numeric, None, target.numeric, settings, Rng.of(0))
    return replace(source, numeric=plan.barycentres(target.numeric))


RACES = (
    Race("coral", PEER, ours(coral, FITS), theirs("skada_coral.py"), goal=1.5, recorded=0.083),
    Race(
        "transport",
        PEER,
        ours(transport, 1),
        theirs("skada_transport.py"),
        goal=5.0,
        recorded=30.0,
        scales=(0.25, 1, 4),
    ),
)
