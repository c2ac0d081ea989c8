"""Images as published features: one domain's labels for another's, which are not seen.

Every ordered pair of the domains found: all rows of the source with labels, all of the
target without, accuracy on these.  Bags of words are scaled to sum 1 and standardised
within each domain, pixels to length 1, as their protocols say.  `chosen` is what the vote
of the label-free validators would ship.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array, Ints
from acclimate.settings import settings
from benchmarks.blindly import Pair, add_arms, means, tried
from benchmarks.dense import Dense, Nearest
from benchmarks.line import Line

NAME = "shapes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, action="append", help="a folder; repeat")
    add_arms(parser)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Each arm's accuracy for each pair, what the vote chose, and means over pairs."""
    known = [settings().data / each for each in ("office_caltech_surf", "mnist_usps")]
    with threadpool_limits(settings().threads):
        for folder in args.data or known:
            yield from means(_lines(folder, args))


def _lines(folder: Path, args: argparse.Namespace) -> Iterator[Line]:
    recipe, rows = Dense.of(read(folder))
    for source, target in permutations(rows, 2):
        pair = Pair(NAME, folder.name, source, target, recipe, Nearest())
        yield from tried(pair, rows[source], rows[target], rows[target], args)


def read(folder: Path) -> dict[str, tuple[Array, Ints]]:
    """Domain → its features, scaled as the protocol of their kind says, and labels.

    A `.mat` file a domain holds bags of words as `fts` and `labels`; an `.npz` file pixels
    as `X_NAME` and `y_NAME`.
    """
    import scipy.io

    found: dict[str, tuple[Array, Ints]] = {}
    for path in sorted(folder.glob("*.mat")):
        held = scipy.io.loadmat(path)
        x = np.asarray(held["fts"], float)
        x = x / np.maximum(x.sum(axis=1, keepdims=True), 1e-12)
        spread = x.std(axis=0)
        x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        found[path.stem.split("_")[0]] = (x, np.ravel(held["labels"]).astype(np.int64))
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            for name in [key[2:] for key in arrays if key.startswith("X_")]:
                x = np.asarray(arrays[f"X_{name}"], float)
                x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
                y = arrays[f"Y_{name}" if f"Y_{name}" in arrays else f"y_{name}"]
                found[name] = (x, np.ravel(y).astype(np.int64))
    if len(found) < 2:
        raise FileNotFoundError(
            f"Expected the features of two domains at least in {folder}, as NAME.mat files or "
            f"arrays X_NAME and y_NAME of an .npz file; found {', '.join(found) or 'none'}."
        )
    return found
