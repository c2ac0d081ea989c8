"""Races of ranking: the best ten for everyone, and the best hundred of a million items.

`everybody`: an epoch of BPR on a million pairs was learned by each side and is not counted;
then each finds the ten best new items of every user with something to be found and tells
nDCG@10.  `largest`: 256 queries and a million items of 64 factors, exactly.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from acclimate.domains.view import ItemView
from acclimate.models.bpr import Bpr
from acclimate.models.items import ItemQuery
from acclimate.models.search import largest
from acclimate.rng import Rng
from benchmarks.peers import asked, interpreter
from benchmarks.programs.clicks_data import BATCH, FACTORS, RATE, made
from benchmarks.programs.watch import Watch
from benchmarks.races import Lap, NoPeer, Race
from benchmarks.speed_recommend import INSTALLS, PEER

QUERIES, ITEMS, LIST = 256, 1_000_000, 100
AT_ONCE = 64  # queries whose products with all items PyTorch holds; 256 MB


def everybody(scale: float, threads: int) -> Lap:
    """A lap of ours: histories folded in, ranked, and scored."""
    user, item, ask, wanted = made(scale)
    # As the peer, whose vocabulary is that of training.
    known = np.isin(wanted, item)
    ask, wanted = ask[known], wanted[known]
    shape = (int(user.max()) + 1, int(item.max()) + 1)
    X = sp.csr_array((np.ones(len(user)), (user, item)), shape=shape)
    view = ItemView(X, np.asarray(X.sum(axis=0)).ravel())
    model = Bpr(FACTORS, RATE, epochs=1, batch=BATCH, least=0)
    fitted = model.fit(model.prepare(view), rng=Rng.of(0))
    with Watch() as watch:
        ranking = fitted.predict(ItemQuery(10), ItemView(X[ask], view.popularity))
        hit = ranking.items == wanted[:, None]
        gain = np.where(hit.any(axis=1), 1.0 / np.log2(hit.argmax(axis=1) + 2.0), 0.0)
        quality = float(gain.mean())
    return Lap.of(watch, quality)


def theirs(scale: float, threads: int) -> Lap:
    """A lap of the peer's, in an environment of its own."""
    return asked(interpreter("recbole", *INSTALLS), "recbole_fullsort.py", scale, threads)


def factors(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """(256, 64) queries and (scale · 1,000,000, 64) items, drawn alike, in single precision."""
    g = np.random.default_rng(0)
    shapes = ((QUERIES, FACTORS), (round(scale * ITEMS), FACTORS))
    drawn = [g.standard_normal(shape, np.float32) for shape in shapes]
    return drawn[0], drawn[1]


def ours_of_a_million(scale: float, threads: int) -> Lap:
    """A lap of ours; its quality is the mean of what it found."""
    queries, items = factors(scale)
    with Watch() as watch:
        _, top = largest(queries, items, LIST)
    return Lap.of(watch, float(top.mean()))


def torch_of_a_million(scale: float, threads: int) -> Lap:
    """A lap of PyTorch: products in batches and `topk`."""
    try:
        import torch
    except ImportError as error:
        raise NoPeer("PyTorch is not installed here: pip install '.[deep]'") from error
    queries, items = (torch.from_numpy(each) for each in factors(scale))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with Watch() as watch:
            found = [
                torch.topk(queries[at : at + AT_ONCE] @ items.T, LIST, dim=1)[0]
                for at in range(0, QUERIES, AT_ONCE)
            ]
    finally:
        torch.set_num_threads(before)
    return Lap.of(watch, float(torch.cat(found).double().mean()))


RACES = (
    Race(
        "everybody",
        PEER,
        everybody,
        theirs,
        goal=5.0,
        scales=(0.25, 1),
        suite="recommend",
    ),
    Race(
        "largest",
        "PyTorch",
        ours_of_a_million,
        torch_of_a_million,
        goal=2.0,
        recorded=1.67,
        scales=(0.0625, 0.25, 1),
        suite="recommend",
    ),
)
