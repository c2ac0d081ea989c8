"""Tags and spans: one tag a token, or stretches of tokens with a class.

Read are BIO, IOB, BIOES, BMES and BILOU; a model has BIO inside: tag 0 is O, tag
1 + 2c begins class c and tag 2 + 2c goes on with it.

Broken sequences are read as conlleval does (Tjong Kim Sang & Buchholz, CoNLL 2000): an
I without a beginning, or with another class before it, begins a span itself, and a span
that is never closed ends where its class does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Bools, Ints
from acclimate.domains.ragged import Ragged, gather

TAG = re.compile(r"O|[BIEMSLU][-_](.+)")
# What a letter means in any of the schemes, in those of BIOES.
_MEANS = {"O": "O", "B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}


@dataclass(frozen=True)
class Read:
    """Tags as spans.

    spans    (m, 3) start, end, position in `classes`
    classes  names in alphabetical order
    scheme   "BIO", "BIOES", "BMES" or "BILOU", by the letters that occur
    broken   spans that begin without a B or S, or are left open where ends are marked
    """

    spans: Ragged
    classes: tuple[str, ...]
    scheme: str
    broken: int


def is_tag(text: object) -> bool:
    """Whether this may be a tag of one of the schemes."""
    return isinstance(text, str) and TAG.fullmatch(text) is not None


def read_tags(tags: Sequence[Sequence[str]]) -> Read:
    """The spans of many tag sequences; every tag has to pass `is_tag`."""
    counts = np.array([len(each) for each in tags], np.int64)
    flat = np.array([tag for each in tags for tag in each], dtype=object)
    distinct, at = np.unique(flat.astype(str), return_inverse=True)
    names = sorted({tag[2:] for tag in distinct if tag != "O"})
    class_of = {name: position for position, name in enumerate(names)}
    letter = np.array([_MEANS[tag[0]] for tag in distinct], dtype="<U1")[at]
    label = np.array([class_of.get(tag[2:], -1) for tag in distinct], np.int64)[at]
    first = np.zeros(len(flat), bool)
    first[(np.cumsum(counts) - counts)[counts > 0]] = True
    inside = letter != "O"
    before = np.r_[False, inside[:-1] & np.isin(letter[:-1], ("B", "I"))]
    same = np.r_[False, label[1:] == label[:-1]]
    onward = inside & np.isin(letter, ("I", "E")) & before & same & ~first
    begins = np.flatnonzero(inside & ~onward)
    ends = np.flatnonzero(inside & ~np.r_[onward[1:], False]) + 1
    letters = {tag[0] for tag in distinct}
    broken = np.isin(letter[begins], ("I", "E"))
    if letters & set("ESLU"):
        broken |= np.isin(letter[ends - 1], ("B", "I"))
    row = np.repeat(np.arange(len(counts)), counts)[begins]
    begin_of = (np.cumsum(counts) - counts)[row]
    values = np.column_stack([begins - begin_of, ends - begin_of, label[begins]])
    per_row = np.bincount(row, minlength=len(counts))
    spans = Ragged(np.r_[0, np.cumsum(per_row, dtype=np.int64)], values.astype(np.int64))
    return Read(spans, tuple(names), scheme_of(letters), int(broken.sum()))


def scheme_of(letters: set[str]) -> str:
    """The scheme that has these letters."""
    if letters & set("LU"):
        return "BILOU"
    if "M" in letters:
        return "BMES"
    return "BIOES" if letters & set("ES") else "BIO"


def tags_of(spans: Ragged, lengths: Ints) -> Ints:
    """(total tokens,) BIO tags of every sentence, one after another.

    spans    (m, 3) that do not overlap
    lengths  (n,) tokens of each sentence
    """
    tags = np.zeros(int(lengths.sum()), np.int64)
    start, end, label = spans.values.T
    begin = (np.cumsum(lengths) - lengths)[spans.row] + start
    size = end - start
    tags[gather(begin, size)] = np.repeat(2 + 2 * label, size)
    tags[begin] = 1 + 2 * label
    return tags


def spans_of(tags: Ints, lengths: Ints) -> Ragged:
    """Spans of BIO tags (total tokens,); the inverse of `tags_of`, broken ones mended."""
    inside = tags > 0
    label = (tags - 1) // 2
    first = np.zeros(len(tags), bool)
    starts = np.cumsum(lengths) - lengths
    first[starts[lengths > 0]] = True
    goes_on = inside & (tags % 2 == 0) & ~first
    goes_on &= np.r_[False, inside[:-1] & (label[1:] == label[:-1])]
    begins = np.flatnonzero(inside & ~goes_on)
    ends = np.flatnonzero(inside & ~np.r_[goes_on[1:], False]) + 1
    row = np.repeat(np.arange(len(lengths)), lengths)[begins]
    values = np.column_stack([begins - starts[row], ends - starts[row], label[begins]])
    counts = np.bincount(row, minlength=len(lengths))
    return Ragged(np.r_[0, np.cumsum(counts, dtype=np.int64)], values.astype(np.int64))


def allowed(n_classes: int) -> Bools:
    """(1 + k, k) what may follow what, k = 1 + 2·n_classes; the last row is the start.

    Going on with a class needs that class before.
    """
    k = 1 + 2 * n_classes
    may = np.ones((k + 1, k), bool)
    for each in range(n_classes):
        onward = 2 + 2 * each
        may[:, onward] = False
        may[[onward - 1, onward], onward] = True
    return may
