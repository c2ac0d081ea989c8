"""Most of the largest inner products, without a look at every item.

Before: a model holds factors of very many items.  After: serving ranks the few that are found.

Items get one more coordinate, √(M² − ‖y‖²), M the largest norm, and a query 0 in its place:
then the nearest items are those with the largest products.  Their space is cut into lists by
k-means, and only the lists nearest to a query are read (Faiss, of the extra `index`).  Nothing
of it is kept on disk: it is built from the factors in seconds.

Source: Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean
transformation for inner-product spaces", RecSys 2014, theorem 1; Jégou, Douze & Schmid,
"Product quantization for nearest neighbor search", TPAMI 33 (2011), section IV for the lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.models.search import largest, without
from acclimate.rng import Rng
from acclimate.settings import settings

WANTED = 0.98  # recall on the sample, so that others have 0.95
SAMPLE = 256  # queries by which recall is measured
_FEWEST = 4  # lists read
_MOST = 8  # one in so many lists read is no gain over blocks of all items
_A_LIST, _PASSES = 40, 6  # items of each list that k-means sees, and how often


@dataclass(frozen=True)
class Approximate:
    """An index of items.

    items   (m, d) in single precision
    index   Faiss's, of d + 1 coordinates
    probes  ≥ 1, lists read for each query
    k       ≥ 1, of the k best that are new to a history it found
    recall  0 … 1, on a sample
    sample  of so many histories
    """

    items: Tensor = field(repr=False)
    index: Any = field(repr=False)
    probes: int
    k: int
    recall: float
    sample: int

    @classmethod
    def of(
        cls, items: Tensor, queries: Tensor, known: Sparse, k: int, rng: Rng
    ) -> Approximate | None:
        """The index that reads the fewest lists and finds enough.

        items    (m, d)
        queries  (n, d), n ≥ 1, the sample
        known    (n, m) CSR of what is not to be found: whoever took much is asked for what
                 lies further off

        None where Faiss is not installed, or where items lie so that too many lists would
        have to be read, as those of independent coordinates do: blocks are as fast then.
        """
        if find_spec("faiss") is None:
            return None
        items, queries = (
            np.ascontiguousarray(each, dtype=np.float32) for each in (items, queries)
        )
        index = _built(items, rng)
        more = min(len(items), k + int(np.diff(known.indptr).max()))
        best, _ = without(*largest(queries, items, more), known, k)
        probes = _FEWEST
        while probes * _MOST <= index.nlist:
            tried = cls(items, index, probes, k, 0.0, len(queries))
            found, _ = without(*tried.largest(queries, more), known, k)
            # What is missing is −1 in both, and no find.
            both = (found[:, None, :] == best[:, :, None]).any(axis=2)[best >= 0]
            if (recall := float(both.mean())) >= WANTED:
                return cls(items, index, probes, k, recall, len(queries))
            probes *= 2
        return None

    def largest(self, queries: Tensor, k: int) -> tuple[Ints, Array]:
        """(n, k) as `search.largest` has it; −1 and −∞ where the lists read hold fewer.

        queries  (n, d)
        """
        import faiss

        queries = np.ascontiguousarray(queries, dtype=np.float32)
        asked = np.hstack([queries, np.zeros((len(queries), 1), np.float32)])
        faiss.omp_set_num_threads(settings().threads)
        reads = faiss.SearchParametersIVF()
        reads.nprobe = self.probes
        at = self.index.search(asked, k, params=reads)[1]
        # A distance has lost the digits of a small product.
        top = np.einsum("nd,nkd->nk", queries, self.items[at]).astype(np.float64)
        top[at < 0] = -np.inf
        order = np.lexsort((at, -top))
        return np.take_along_axis(at, order, axis=1), np.take_along_axis(top, order, axis=1)

    @property
    def said(self) -> str:
        """What a person should know of its lists."""
        return (
            f"an index was searched, and not every one of {len(self.items):,} items: it found "
            f"{self.recall:.1%} of the best {self.k} for {self.sample} histories"
        )


def _built(items: Tensor, rng: Rng) -> Any:
    """Faiss's index of the lists."""
    import faiss

    m, d = items.shape
    lists = max(1, int(2 * np.sqrt(m)))
    squares = np.einsum("md,md->m", items, items)
    more = np.sqrt(np.maximum(squares.max() - squares, 0.0))
    wide = np.hstack([items, more[:, None]])
    faiss.omp_set_num_threads(settings().threads)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d + 1), d + 1, lists)
    index.cp.niter, index.cp.seed = _PASSES, rng.seed
    index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = _A_LIST, 1
    seen = rng.generator().permutation(m)[: _A_LIST * lists]
    index.train(wide[np.sort(seen)])
    index.add(wide)
    return index
