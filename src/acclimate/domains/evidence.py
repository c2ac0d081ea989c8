"""Which titles of two markets might name one product, and what speaks for and against it.

Before: `titles` read both markets.  After: `matching` weighs the evidence.  Pairs are
found through shared rare tokens, shared character runs and, where embeddings are
given, nearness of meaning; only found pairs are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.titles import Titles, Vocabulary, read_titles

_BLOCK = 1000  # source titles compared at once
_MOST = 10  # candidates per source title and way of finding them
_COMMON = 0.02  # tokens held by more titles than this find no candidates by themselves
_FEWEST = 50  # but a token held by at most this many titles always does
_RUN = 4  # characters


@dataclass(frozen=True)
class Evidence:
    """Compared pairs.

    source, target  (n,) positions of the titles
    values          (n, len(NAMES)) what is known of each pair
    """

    source: Ints
    target: Ints
    values: Array


NAMES = (
    "words",  # cosine of rarity-weighted tokens
    "runs",  # cosine of rarity-weighted runs of characters
    "meaning",  # cosine of embeddings, 0 without
    "contained",  # share of the smaller title's rarity that both hold
    "covered",  # share of the larger title's rarity that both hold
    "code",  # they share a model code
    "code-start",  # a code of one begins a code of the other
    "code-other",  # both hold codes, and none agrees
    "code-one",  # only one holds codes
    "number",  # they share a bare number
    "number-other",  # each holds a number that the other lacks
    "units",  # quantities that agree, by unit, up to 2
    "units-other",  # quantities of one unit that differ, up to 2
    "rarest",  # rarity of the rarest shared token over the largest possible
    "unmatched",  # rarity of the tokens each lacks of the other, the smaller side, logged
    "short",  # 1 / tokens of the shorter title
    "extra",  # as `unmatched`, the larger side
    "number-one",  # one holds a number the other lacks, not the other way round
    "variant",  # they share a word that tells variants apart
    "variant-other",  # such words that one holds and the other lacks, up to 2
    "same",  # the same tokens on both sides
)


def compare(
    source: Sequence[str],
    target: Sequence[str],
    near: tuple[Tensor, Tensor] | None = None,
) -> Evidence:
    """Find pairs worth comparing and compare them.

    source, target  titles
    near            ((n_source, d), (n_target, d)) unit vectors of the titles, or None
    returns         pairs ordered by source, then target, each once
    """
    left, right, vocabulary = read_titles(source, target)
    run_left, run_right = _runs(source, target)
    word_left = _unit(left.present * vocabulary.rarity)
    word_right = _unit(right.present * vocabulary.rarity)
    found = [
        _nearest(word_left, word_right),
        _nearest(run_left, run_right),
    ]
    if near is not None:
        found.append(_nearest_dense(*near))
    width = max(1, len(target))
    pairs = np.unique(np.concatenate([i * width + j for i, j in found]))
    i, j = pairs // width, pairs % width
    values = np.zeros((len(pairs), len(NAMES)))
    values[:, 0] = _dots(word_left, word_right, i, j)
    values[:, 1] = _dots(run_left, run_right, i, j)
    if near is not None:
        values[:, 2] = _dense_dots(*near, i, j)
    values[:, 3:] = _tokens(left, right, vocabulary, i, j)
    return Evidence(i, j, values)


def _tokens(left: Titles, right: Titles, vocabulary: Vocabulary, i: Ints, j: Ints) -> Array:
    """(n, 18) the evidence of shared, missing and contradicting tokens."""
    rarity = vocabulary.rarity
    mass_left, mass_right = left.present @ rarity, right.present @ rarity
    columns: list[Array] = []
    for start in range(0, max(1, len(i)), 50_000):
        a, b = i[start : start + 50_000], j[start : start + 50_000]
        of_a, of_b = left.present[a], right.present[b]
        both = sp.csr_array(of_a.multiply(of_b))
        shared = both @ rarity
        mass_a, mass_b = mass_left[a], mass_right[b]
        small, large = np.minimum(mass_a, mass_b), np.maximum(mass_a, mass_b)
        code = (both @ vocabulary.codes) > 0
        has_a, has_b = (of_a @ vocabulary.codes) > 0, (of_b @ vocabulary.codes) > 0
        starts = ~code & (_dots(left.present @ vocabulary.begins, right.present, a, b) > 0)
        number = both @ vocabulary.numbers
        extra_a, extra_b = (
            of_a @ vocabulary.numbers - number,
            of_b @ vocabulary.numbers - number,
        )
        in_both = sp.csr_array(
            (of_a @ vocabulary.units).sign().multiply((of_b @ vocabulary.units).sign())
        )
        variants = both @ vocabulary.variants
        strange = (of_a + of_b) @ vocabulary.variants - 2 * variants
        agree = (both @ vocabulary.units).sign()
        agreed = agree.sum(axis=1)
        rarest = sp.csr_array(both * rarity).max(axis=1).toarray().ravel()
        lacking = np.maximum(small - shared, 0.0)
        columns.append(
            np.column_stack(
                [
                    shared / np.maximum(small, 1e-9),
                    shared / np.maximum(large, 1e-9),
                    code,
                    starts,
                    has_a & has_b & ~code & ~starts,
                    has_a != has_b,
                    number > 0,
                    (extra_a > 0) & (extra_b > 0),
                    np.minimum(agreed, 2),
                    np.minimum(in_both.sum(axis=1) - agreed, 2),
                    rarest / vocabulary.most,
                    np.log1p(lacking),
                    1 / np.maximum(1, np.minimum(of_a.sum(axis=1), of_b.sum(axis=1))),
                    np.log1p(np.maximum(large - shared, 0.0)),
                    (extra_a > 0) != (extra_b > 0),
                    variants > 0,
                    np.minimum(strange, 2),
                    shared >= large - 1e-3,
                ]
            )
        )
    return np.concatenate(columns)


def _runs(source: Sequence[str], target: Sequence[str]) -> tuple[Sparse, Sparse]:
    """Rarity-weighted runs of characters within words, as unit rows over one vocabulary."""
    from sklearn.feature_extraction.text import HashingVectorizer

    reader = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(_RUN, _RUN),
        norm=None,
        alternate_sign=False,
        binary=True,
        n_features=2**18,
        dtype=np.float32,
    )
    counted = sp.csr_array(reader.transform([*source, *target]))
    holding = np.bincount(counted.indices, minlength=counted.shape[1])
    weighted = _unit(counted * np.log((counted.shape[0] + 1.0) / np.maximum(holding, 1)))
    return weighted[: len(source)], weighted[len(source) :]


def _unit(matrix: Any) -> Sparse:
    rows: Sparse = sp.csr_array(matrix, dtype=np.float32)
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = 1 / np.maximum(length, 1e-9)
    rows.data *= np.repeat(scale, np.diff(rows.indptr)).astype(np.float32)
    return rows


def _nearest(left: Sparse, right: Sparse) -> tuple[Ints, Ints]:
    """Pairs of each left row and its nearest right rows, by tokens that are not common."""
    holding = np.bincount(right.indices, minlength=right.shape[1])
    telling = holding <= max(_FEWEST, _COMMON * right.shape[0])
    rare = sp.csr_array(left * telling.astype(np.float32))
    rare.eliminate_zeros()
    turned = sp.csr_array(right.T)
    rows: list[Ints] = []
    columns: list[Ints] = []
    for start in range(0, left.shape[0], _BLOCK):
        scores = rare[start : start + _BLOCK] @ turned
        row = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
        order = np.lexsort((scores.indices, -scores.data, row))
        place = np.arange(len(row)) - scores.indptr[row]
        keep = order[place < _MOST]
        rows.append(row[keep] + start)
        columns.append(scores.indices[keep].astype(np.int64))
    return np.concatenate(rows), np.concatenate(columns)


def _nearest_dense(left: Tensor, right: Tensor) -> tuple[Ints, Ints]:
    most = min(_MOST // 2, len(right))
    rows: list[Ints] = []
    columns: list[Ints] = []
    for start in range(0, len(left), _BLOCK):
        scores = left[start : start + _BLOCK] @ right.T
        top = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        rows.append(np.repeat(np.arange(start, start + len(top)), most))
        columns.append(top.ravel().astype(np.int64))
    return np.concatenate(rows), np.concatenate(columns)


def _dots(left: Sparse, right: Sparse, i: Ints, j: Ints) -> Array:
    found = [
        np.asarray(
            left[i[s : s + 50_000]].multiply(right[j[s : s + 50_000]]).sum(axis=1)
        ).ravel()
        for s in range(0, max(1, len(i)), 50_000)
    ]
    return np.concatenate(found).astype(float)


def _dense_dots(left: Tensor, right: Tensor, i: Ints, j: Ints) -> Array:
    found = [
        np.einsum("nd,nd->n", left[i[s : s + 50_000]], right[j[s : s + 50_000]])
        for s in range(0, max(1, len(i)), 50_000)
    ]
    return np.concatenate(found).astype(float)
