"""Encode sentences: each token as hashed features of a window of five tokens.

Features are those of maximum-entropy taggers (Ratnaparkhi, EMNLP 1996; for characters,
Ng & Low, EMNLP 2004): the tokens around, pairs and a triple of them, what the token
looks like (letters, digits, signs), and how it begins and ends.  Hashing needs no
statistics, so every arm sees the same columns and nothing of a source can leak.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.ragged import Ragged
from acclimate.domains.sample import Sample
from acclimate.domains.sentences import Sentences
from acclimate.domains.view import EncoderState
from acclimate.errors import StrategyError

Hashes = NDArray[np.uint64]
_OUTSIDE = np.uint64(0x9E3779B97F4A7C15)  # stands before and behind a sentence
_NOTHING = np.uint64(0)  # a prefix that is as long as the token
_AFFIX = 3  # characters of a prefix or suffix, at most
_SHAPE = 4  # runs of a shape


@dataclass(frozen=True)
class TokenView:
    """Encoded sentences.

    matrix   (tokens, width) CSR of ones, sentence after sentence
    lengths  (n,) tokens of each sentence
    spans    (m, 3) start, end, class; None without labels
    """

    matrix: Sparse
    lengths: Ints
    spans: Ragged | None
    n_classes: int

    @property
    def n(self) -> int:
        return len(self.lengths)

    def arrays(self) -> tuple[Tensor | None, ...]:
        """Everything in it, for fingerprints."""
        spans = (None, None) if self.spans is None else (self.spans.offsets, self.spans.values)
        return (self.matrix.indptr, self.matrix.indices, self.lengths, *spans)


@dataclass(frozen=True)
class TokenRecipe:
    """How sentences are encoded.

    hash_bits  1 … 24: features fall into 2^hash_bits columns
    """

    hash_bits: int = 18

    def fit(self, own: Sequence[Sample], others: Sequence[object]) -> TokenEncoder:
        """The encoder for these sentences' classes; nothing else is read off them."""
        samples = [each for each in (*own, *others) if isinstance(each, Sentences)]
        if not samples:
            raise StrategyError(
                "Expected sentences of the target or of a source to learn from; found none. "
                "Give the target labelled sentences, or let a source share its rows."
            )
        return TokenEncoder(self.hash_bits, samples[0].classes)


@dataclass(frozen=True)
class TokenEncoder:
    """The width of the hash and the classes; there are no statistics."""

    hash_bits: int
    classes: tuple[str, ...]

    @property
    def base(self) -> TokenEncoder:
        return self

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(
            repr(("tokens", self.hash_bits, self.classes)).encode()
        ).hexdigest()

    def encode(self, sample: Sentences) -> TokenView:
        import scipy.sparse as sp

        columns = _features(sample.tokens, sample.lengths, self.hash_bits)
        there = columns >= 0
        ends = np.r_[0, np.cumsum(there.sum(axis=1))]
        matrix = sp.csr_array(
            (np.ones(int(ends[-1])), columns[there], ends),
            shape=(len(columns), 2**self.hash_bits),
        )
        return TokenView(matrix, sample.lengths, sample.spans, len(self.classes))

    def state(self) -> EncoderState:
        return EncoderState(
            "tokens", {"hash_bits": self.hash_bits, "classes": list(self.classes)}
        )

    @classmethod
    def restore(cls, state: EncoderState) -> TokenEncoder:
        return cls(int(state.meta["hash_bits"]), tuple(state.meta["classes"]))


def stack_tokens(views: Sequence[TokenView]) -> TokenView:
    """One view from several made by the same encoder; spans where every part has them."""
    import scipy.sparse as sp

    from acclimate.domains.ragged import joined

    spans = [view.spans for view in views if view.spans is not None]
    return TokenView(
        sp.csr_array(sp.vstack([view.matrix for view in views], format="csr")),
        np.concatenate([view.lengths for view in views]),
        joined(spans) if len(spans) == len(views) else None,
        views[0].n_classes,
    )


def shape_of(token: str) -> str:
    """What a token looks like: runs of X (upper), x (lower), 9, c (no case), or the sign."""
    runs: list[str] = []
    for character in token:
        if character.isdigit():
            kind = "9"
        elif character.isupper():
            kind = "X"
        elif character.islower():
            kind = "x"
        else:
            kind = "c" if character.isalpha() else character
        if not runs or runs[-1] != kind:
            runs.append(kind)
    return "".join(runs[:_SHAPE])


@cache
def _text_hash(text: str) -> int:
    """64 bits that are the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _hashes(tokens: Sequence[str]) -> tuple[Hashes, Hashes, Hashes]:
    """Hashes of each token, (n,), of its shape, (n,), and of its affixes, (n, 6)."""
    words = [token.lower() for token in tokens]
    affixes = np.full((len(words), 2 * _AFFIX), _NOTHING)
    for row, word in enumerate(words):
        for size in range(1, min(_AFFIX, len(word) - 1) + 1):
            affixes[row, size - 1] = _text_hash(word[:size])
            affixes[row, _AFFIX + size - 1] = _text_hash(word[-size:])
    return (
        np.array([_text_hash(word) for word in words], np.uint64),
        np.array([_text_hash(shape_of(token)) for token in tokens], np.uint64),
        affixes,
    )


def _features(tokens: pl.Series, lengths: Ints, bits: int) -> Ints:
    """(total tokens, features) columns of each token's features, −1 where there is none."""
    flat = tokens.explode() if lengths.sum() else pl.Series([], dtype=pl.String)
    distinct = flat.unique().sort()
    at = distinct.search_sorted(flat).to_numpy() if flat.len() else np.zeros(0, np.int64)
    word, shape, affix = (part[at] for part in _hashes(distinct.to_list()))
    starts = np.cumsum(lengths) - lengths
    place = np.arange(flat.len()) - np.repeat(starts, lengths)
    left = np.repeat(lengths, lengths) - 1 - place

    def at_offset(values: Hashes, offset: int) -> Hashes:
        inside = place >= -offset if offset < 0 else left >= offset
        return np.where(inside, np.roll(values, -offset), _OUTSIDE)

    w = {offset: at_offset(word, offset) for offset in (-2, -1, 0, 1, 2)}
    s = {offset: at_offset(shape, offset) for offset in (-1, 0, 1)}
    windows: list[tuple[Hashes, ...]] = [
        (),
        *((w[offset],) for offset in w),
        (w[-2], w[-1]),
        (w[-1], w[0]),
        (w[0], w[1]),
        (w[1], w[2]),
        (w[-1], w[1]),
        (w[-1], w[0], w[1]),
        *((s[offset],) for offset in s),
        (s[-1], s[0], s[1]),
        *((affix[:, each],) for each in range(2 * _AFFIX)),
    ]
    columns = np.empty((flat.len(), len(windows)), np.int64)
    for number, parts in enumerate(windows):
        column = (_mixed(number, parts, flat.len()) >> np.uint64(64 - bits)).astype(np.int64)
        if number >= len(windows) - 2 * _AFFIX:
            column[parts[0] == _NOTHING] = -1
        columns[:, number] = column
    return columns


def _mixed(number: int, parts: tuple[Hashes, ...], n: int) -> Hashes:
    """(n,) one hash of a window's number and parts, after splitmix64 (Steele et al. 2014)."""
    mixed = np.full(n, _text_hash(f"window {number}"), np.uint64)
    for part in parts:
        mixed = (mixed ^ part) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(31)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def token_scores(view: TokenView, coefficients: Array) -> Array:
    """(tokens, tags) the score of each tag at each token."""
    return np.asarray(view.matrix @ coefficients, np.float64)
