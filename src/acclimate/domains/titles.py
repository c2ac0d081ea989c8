"""What the titles of two markets hold: words, model codes, quantities and bare numbers.

After: `matching` compares titles by what is read here.  Everything is decided on
the titles of both markets together, so that `mwh 2421 ms` in one and `mwh2421ms` in
the other become one code, and a word's rarity means the same on both sides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse

# Written without blanks between words: read as pairs of characters.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(
    rf"[{_UNSPACED}]+|\d+(?:[.,]\d+)+[^\W\d_{_UNSPACED}]*|(?:(?![{_UNSPACED}])[^\W_])+"
)
_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)([^\W\d_]{1,5})$")
_NUMBER = re.compile(r"^\d+(?:\.\d+)?$")
_ACCENTS = re.compile("[\u0300-\u036f]")
_INCHES = re.compile(r"(?<=\d)\s*(?:\"|″|''|”)|(?<=\d)[\s-]*(?:inch(?:es)?|zoll)\b")
# One unit under the names that shops of several languages give it.
_UNITS = {
    "in": "in", "l": "l", "lt": "l", "ltr": "l", "litre": "l", "liter": "l", "litro": "l",
    "watt": "w", "watts": "w", "w": "w", "kilo": "kg", "kg": "kg", "gb": "gb",
    "tb": "tb", "mp": "mp", "mpx": "mp", "mpix": "mp", "cm": "cm", "mm": "mm",
    "g": "g", "gr": "g", "gram": "g", "ml": "ml", "rpm": "rpm", "upm": "rpm", "ghz": "ghz",
    "mhz": "mhz", "hz": "hz", "v": "v", "volt": "v", "mah": "mah", "mb": "mb",
}  # fmt: skip
# Words that tell one variant of a product from another.
_VARIANTS = frozenset(
    [
        "plus",
        "pro",
        "max",
        "mini",
        "lite",
        "ultra",
        "xl",
        "xs",
        "se",
        "note",
        "edge",
        "prime",
        "duos",
        "dual",
        "slim",
        "air",
        "neo",
        "premium",
        "compact",
        "kit",
        "body",
        "lens",
        "lenses",
        "zoom",
        "bundle",
        "box",
        "boxed",
        "tray",
        "oem",
        "bulk",
        "set",
        "pack",
        "refurbished",
        "used",
        "renewed",
        "grade",
        "mk",
        "mark",
    ]
)
_ROMAN = frozenset(["ii", "iii", "iv", "vi", "vii", "viii", "ix"])
_SHORTEST_CODE = 4
_SHORTEST_START = 6  # characters of a code that begins another
_LONGEST_JOIN = 3  # tokens; `ue 40 ju 6500` needs more, and is rare


def words_of(title: str) -> list[str]:
    """The tokens of a title: lower case, without accents, unspaced scripts by pairs."""
    plain = unicodedata.normalize("NFKC", title).lower()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", plain))
    plain = _INCHES.sub("in ", unicodedata.normalize("NFKC", plain))
    found: list[str] = []
    for token in _TOKEN.findall(plain):
        if re.match(f"[{_UNSPACED}]", token):
            found += [token[i : i + 2] for i in range(max(1, len(token) - 1))]
        else:
            found.append(token.replace(",", "."))
    return found


def is_code(token: str) -> bool:
    """Whether a token looks like a maker's code: letters with digits that are no quantity."""
    if len(token) < _SHORTEST_CODE or not any(c.isdigit() for c in token):
        return False
    if token.isdigit():
        return len(token) >= 6
    return _NUMBER.match(token) is None and _quantity(token) is None


def is_number(token: str) -> bool:
    """Whether a token counts or numbers something: `8`, `5.5`, `s9`, `iii`."""
    short = len(token) < _SHORTEST_CODE and any(c.isdigit() for c in token)
    return bool(_NUMBER.match(token)) or token in _ROMAN or (short and not _quantity(token))


def is_variant(token: str) -> bool:
    """Whether a token tells variants of a product apart."""
    return token in _VARIANTS or (len(token) == 1 and token.isalpha() and token != "a")


def _quantity(token: str) -> tuple[str, str] | None:
    """(value, unit) of `64gb`, where the unit is known; None for anything else."""
    found = _QUANTITY.match(token)
    if found is None or found[2] not in _UNITS:
        return None
    return _value(found[1]), _UNITS[found[2]]


def _value(number: str) -> str:
    return f"{float(number):g}" if len(number) < 16 else number


def joined(titles: Sequence[list[str]]) -> list[list[str]]:
    """Tokens that stand together somewhere in both markets become one wherever they adjoin.

    `64 gb` becomes `64gb` by its unit; `mwh 2421 ms` becomes `mwh2421ms` where that is
    written anywhere.
    """
    codes = {token for title in titles for token in title if is_code(token)}
    return [_join(title, codes) for title in titles]


def _join(title: list[str], codes: set[str]) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(title):
        for width in range(min(_LONGEST_JOIN, len(title) - at), 1, -1):
            together = "".join(title[at : at + width])
            sized = width == 2 and _apart(title[at], title[at + 1])
            if together in codes or sized:
                found.append(together)
                at += width
                break
        else:
            found.append(title[at])
            at += 1
    return found


def _apart(number: str, unit: str) -> bool:
    """Whether two tokens are one quantity; in `8 64gb` the second is one already."""
    # "2 in 1" holds no inches; those were given their unit while reading.
    known = unit in _UNITS and unit != "in"
    return known and _NUMBER.match(number) is not None


@dataclass(frozen=True)
class Vocabulary:
    """Every token of two markets by its column, and what kind of token it is.

    rarity  (v,) log of titles per title that holds the token, ≥ 0
    codes   (v,) whether it is a model code
    numbers (v,) whether it is a bare number or a short mark such as `s9` or `iii`
    variant (v,) whether it tells variants apart: `plus`, `mini`, a single letter
    units   (v, u) ones where a token is a quantity in that unit
    begins  (v, v) ones where one code begins another
    """

    tokens: tuple[str, ...]
    rarity: Array
    codes: Ints
    numbers: Ints
    variants: Ints
    units: Sparse
    begins: Sparse

    @property
    def most(self) -> float:
        """The rarity of a token that one title holds."""
        return float(self.rarity.max(initial=1e-9))


@dataclass(frozen=True)
class Titles:
    """One market's titles as (n, v) presence of tokens."""

    present: Sparse


def read_titles(
    source: Sequence[str], target: Sequence[str]
) -> tuple[Titles, Titles, Vocabulary]:
    """Both markets' titles over one vocabulary."""
    lists = [_spelled(tokens) for tokens in joined([words_of(t) for t in [*source, *target]])]
    column: dict[str, int] = {}
    indptr, indices = [0], []
    for tokens in lists:
        indices += sorted({column.setdefault(token, len(column)) for token in tokens})
        indptr.append(len(indices))
    shape = (len(lists), max(1, len(column)))
    matrix = sp.csr_array(
        (np.ones(len(indices), np.float32), np.array(indices, np.int64), np.array(indptr)),
        shape=shape,
    )
    holding = np.maximum(np.asarray(matrix.sum(axis=0)).ravel(), 1.0)
    known = tuple(column) or ("",)
    vocabulary = Vocabulary(
        known,
        np.log((len(lists) + 1.0) / holding),
        np.array([is_code(token) for token in known], np.int64),
        np.array([is_number(token) for token in known], np.int64),
        np.array([is_variant(token) for token in known], np.int64),
        _units(known),
        _begins(known),
    )
    return Titles(matrix[: len(source)]), Titles(matrix[len(source) :]), vocabulary


def _spelled(tokens: Iterable[str]) -> list[str]:
    """Quantities and numbers in their one spelling: `16 litre` and `16.0l` are `16l`."""
    found = []
    for token in tokens:
        if quantity := _quantity(token):
            found.append("".join(quantity))
        elif _NUMBER.match(token):
            found.append(_value(token))
        else:
            found.append(token)
    return found


def _units(tokens: Sequence[str]) -> Sparse:
    names = sorted(set(_UNITS.values()))
    found = [(row, q[1]) for row, token in enumerate(tokens) if (q := _quantity(token))]
    rows = np.array([row for row, _ in found], np.int64)
    columns = np.array([names.index(unit) for _, unit in found], np.int64)
    return sp.csr_array(
        (np.ones(len(found), np.float32), (rows, columns)), shape=(len(tokens), len(names))
    )


def _begins(tokens: Sequence[str]) -> Sparse:
    """(v, v) `wmaqf721p` begins `wmaqf721puk`: shops add a country's or a colour's letters."""
    codes = {token: row for row, token in enumerate(tokens) if is_code(token)}
    pairs = [
        (row, codes[code[:end]])
        for code, row in codes.items()
        for end in range(_SHORTEST_START, len(code))
        if code[:end] in codes
    ]
    both = np.array(pairs + [(b, a) for a, b in pairs], np.int64).reshape(-1, 2)
    return sp.csr_array(
        (np.ones(len(both), np.float32), (both[:, 0], both[:, 1])),
        shape=(len(tokens), len(tokens)),
    )
