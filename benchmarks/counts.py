"""Rows of counts as published: a folder of NAME_train and NAME_test files, and a recipe.

A row's text is its place in a matrix of counts; the recipe reads counts as they are, so
that nothing stands between a published protocol and the models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from acclimate.arrays import Sparse, Strings
from acclimate.domains.sample import Rows, Sample
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import ItemCounts
from acclimate.domains.view import EncoderState, RowView

TRAIN, TEST = "_train.svmlight.gz", "_test.svmlight.gz"
CLASSES = ("-1", "1")


@dataclass(frozen=True)
class Counts:
    """What a recipe and an encoder read: every row of every file, in one matrix.

    matrix  (n, d) CSR of counts
    """

    matrix: Sparse = field(repr=False)

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(str(self.matrix.shape).encode())
        for part in (self.matrix.indptr, self.matrix.indices, self.matrix.data):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    # A recipe and an encoder have no statistics here and are the same thing.

    def fit(self, own: Sequence[Sample], others: Sequence[Sample | ItemCounts]) -> Counts:
        return self

    @property
    def base(self) -> Counts:
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    def reads(self, name: str) -> bool:
        return name == "place"

    def unseen(self, sample: Rows) -> list[str]:
        return [""] * sample.n

    def encode(self, sample: Rows) -> RowView:
        places = sample.columns["place"].cast(pl.Int64).to_numpy()
        return RowView(
            np.zeros((sample.n, 0)),
            np.zeros((sample.n, 0), np.int64),
            (),
            self.matrix[places],
            sample.label,
            len(CLASSES),
        )

    def state(self) -> EncoderState:
        return EncoderState("counts", {})


def read(folder: Path) -> tuple[Counts, dict[str, tuple[Rows, Rows]]]:
    """The recipe, and the labelled train and test rows of each name found in a folder.

    Raises FileNotFoundError where a train file has no test file, or there are fewer than two.
    """
    import scipy.sparse as sp
    from sklearn.datasets import load_svmlight_files

    names = sorted(path.name.removesuffix(TRAIN) for path in folder.glob(f"*{TRAIN}"))
    paths = [folder / f"{name}{end}" for name in names for end in (TRAIN, TEST)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing or len(names) < 2:
        raise FileNotFoundError(
            f"Expected two NAME{TRAIN} with NAME{TEST} beside them at least in {folder}; "
            f"found {', '.join(names) or 'none'}, without {', '.join(missing) or 'any'}."
        )
    loaded = load_svmlight_files([str(path) for path in paths])
    parts, labels = loaded[::2], loaded[1::2]
    ends = np.cumsum([0, *(part.shape[0] for part in parts)])
    rows = [
        _rows(np.arange(first, last), np.asarray(label))
        for first, last, label in zip(ends[:-1], ends[1:], labels, strict=True)
    ]
    matrix = sp.csr_array(sp.vstack(parts, format="csr"))
    return Counts(matrix), {
        name: (rows[2 * at], rows[2 * at + 1]) for at, name in enumerate(names)
    }


def _rows(places: Strings, label: Strings) -> Rows:
    frame = pl.DataFrame({"place": [str(place) for place in places]})
    return Rows(frame, {"place": ColumnType.TEXT}, CLASSES, (label > 0).astype(np.int64))
