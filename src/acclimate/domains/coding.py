"""Millions of ids, pairs and moments as whole numbers, by sorting packed words.

A word of 64 bits holds what is sorted by above the place where it stood.  Sorting plain words
is many times as fast as sorting places by what they point to, or as a table of hashes;
whatever does not fit into a word is sorted in the usual way.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from acclimate.arrays import Bools, Ints, Strings, Tensor


def coded(values: pl.Series) -> tuple[Ints, Strings]:
    """(n,) the position of each value among the distinct ones, and these in their order.

    values  (n,) ids without nulls: text, or whole numbers that text can be made of later

    Texts of one code are compared, so that two that share a hash are told apart.
    """
    n = len(values)
    if values.dtype.is_integer():
        numbers = values.cast(pl.Int64).to_numpy()
        place = order_of(numbers)
        ordered = np.take(numbers, place)
        begins = _begins(ordered)
        code = np.empty(n, np.int64)
        code[place] = np.cumsum(begins) - 1
        return code, ordered[begins].astype(object)
    shift = np.uint64(_bits(n))
    words = values.hash(seed=0).to_numpy() >> shift << shift
    words |= np.arange(n, dtype=np.uint64)
    words.sort()
    begins = _begins(words >> shift)
    place = (words & ((np.uint64(1) << shift) - np.uint64(1))).astype(np.int64)
    code = np.empty(n, np.int64)
    code[place] = np.cumsum(begins) - 1
    distinct = values.gather(place[begins])
    if not (distinct.gather(code) == values).all():
        ids = values.unique().sort()
        return values.cast(pl.Enum(ids)).to_physical().cast(pl.Int64).to_numpy(), _objects(ids)
    order = distinct.arg_sort().to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return np.take(rank, code), _objects(distinct.gather(order))


def order_of(key: Ints) -> Ints:
    """(n,) places in the order of their keys; equal keys keep theirs.

    key  (n,) whole numbers of any range, such as microseconds
    """
    n = len(key)
    if not n:
        return np.empty(0, np.int64)
    low, high = int(key.min()), int(key.max())
    if high - low >= 2**63:
        return np.argsort(key, kind="stable")
    apart = key - low
    # Moments in microseconds are mostly whole seconds, or days.
    unit = max(1, int(np.gcd.reduce(apart)))
    bits = _bits(n)
    if _bits((high - low) // unit + 1) + bits > 63:
        return np.argsort(key, kind="stable")
    if unit > 1:
        apart //= unit
    apart <<= bits
    apart |= np.arange(n)
    apart.sort()
    apart &= (1 << bits) - 1
    return apart


def places_from_last(code: Ints) -> tuple[Ints, Ints]:
    """(n,) how many of the same code come later, and (n,) how many there are of it.

    code  (n,) whole numbers from 0 on, few of them unused
    """
    order, count = order_of(code), np.bincount(code)
    ends = np.cumsum(count)
    left = np.empty(len(code), np.int64)
    left[order] = np.repeat(ends, count) - 1 - np.arange(len(code))
    return left, np.take(count, code)


def firsts(key: Ints) -> Bools:
    """(n,) whether a key stands here for the first time.

    key  (n,) whole numbers ≥ 0
    """
    n, first = len(key), np.zeros(len(key), bool)
    if not n:
        return first
    bits = _bits(n)
    if _bits(int(key.max()) + 1) + bits > 63:
        once: Bools = pl.Series(key).is_first_distinct().to_numpy()
        return once
    words = (key << bits) | np.arange(n)
    words.sort()
    begins = _begins(words >> bits)
    first[words[begins] & ((1 << bits) - 1)] = True
    return first


def repeated(hashes: Tensor) -> Bools:
    """(n,) whether another hash is like this one, in all but as many bits as tell n apart.

    hashes  (n,) of 64 bits.  A few that are not alike may be said to be
    """
    n, found = len(hashes), np.zeros(len(hashes), bool)
    shift = np.uint64(_bits(n))
    words = hashes >> shift << shift
    words |= np.arange(n, dtype=np.uint64)
    words.sort()
    begins = _begins(words >> shift)
    alone = begins & np.r_[begins[1:], True]
    place = words[~alone] & ((np.uint64(1) << shift) - np.uint64(1))
    found[place.astype(np.int64)] = True
    return found


def _begins(ordered: Tensor) -> Bools:
    """(n,) whether another value begins here."""
    begins = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return begins


def _bits(count: int) -> int:
    """Bits that tell so many places apart."""
    return max(1, (count - 1).bit_length())


def _objects(ids: pl.Series) -> Strings:
    found: Strings = np.array(ids.to_list(), dtype=object)
    return found
