"""The race of learning by pairs: an epoch of BPR beside RecBole's, at equal nDCG.

A million pairs of 50,000 users and 20,000 items, 64 factors, batches of 2,048 and one epoch
of Adam at its own rate.  Ours folds its histories in, as it would serve them, which is timed
with the epoch; the peer asks the factors of users it has trained.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from acclimate.domains.view import ItemView
from acclimate.models.bpr import Bpr
from acclimate.rng import Rng
from benchmarks.peers import asked, interpreter
from benchmarks.programs.clicks_data import BATCH, FACTORS, RATE, made, ndcg
from benchmarks.programs.watch import Watch
from benchmarks.races import Lap, Race

PEER = "RecBole 1.2.1"
INSTALLS = (
    ("torch>=2.6,<2.14", "numpy", "scipy", "pandas", "scikit-learn", "tqdm"),
    ("pyyaml", "colorlog", "colorama", "texttable", "tabulate", "tensorboard", "psutil"),
    ("--no-deps", "recbole==1.2.1", "thop", "plotly"),
)


def bpr(scale: float, threads: int) -> Lap:
    """A lap of ours: an epoch, and the ridge that folds histories in."""
    user, item, ask, wanted = made(scale)
    shape = (int(user.max()) + 1, int(item.max()) + 1)
    X = sp.csr_array((np.ones(len(user)), (user, item)), shape=shape)
    view = ItemView(X, np.asarray(X.sum(axis=0)).ravel())
    model = Bpr(FACTORS, RATE, epochs=1, batch=BATCH, least=0)
    with Watch() as watch:
        fitted = model.fit(model.prepare(view), rng=Rng.of(0))
    return Lap.of(watch, ndcg(lambda rows: fitted.scores(X[rows]), user, item, ask, wanted))


def theirs(scale: float, threads: int) -> Lap:
    """A lap of the peer's, in an environment of its own."""
    return asked(interpreter("recbole", *INSTALLS), "recbole_bpr.py", scale, threads)


RACES = (
    Race(
        "bpr",
        PEER,
        bpr,
        theirs,
        goal=10.0,
        recorded=15.3,
        scales=(0.25, 1, 4),
        suite="recommend",
    ),
)
