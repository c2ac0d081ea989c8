"""What accuracy does not tell of lists: novelty, diversity, popularity, and whom they serve.

Before: arms answered the judge.  After: the report shows a row for every arm and segment.

    novelty    mean of −log2 of the share of the target's users who took an item (Zhou et al.,
               PNAS 2010; Vargas & Castells, RecSys 2011, eq. 11 with their popularity model)
    diversity  one less the mean cosine of two items of a list over the target's users (Ziegler
               et al., WWW 2005, with that similarity)
    lift       mean popularity of a list over that of the user's history, less one
               (Abdollahpouri et al., RMSE workshop at RecSys 2019); above 0: bestsellers are
               pushed
    coverage   share of the catalogue that stands in anyone's list

Segments are by the number of items in a history: new has 1, light 2 to 4, heavy 5 or more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints
from acclimate.domains.exam import Case, Ranking
from acclimate.domains.sample import Interactions
from acclimate.models.diverse import cosines, marginal
from acclimate.tasks import ranking as per_user

SEGMENTS = (("new", 1, 1), ("light", 2, 4), ("heavy", 5, np.inf))
SPREADS = (0.1, 0.3, 0.5)
MOST = 1000  # users re-ranked; cosines of their candidates are made
BLOCK = 256
WIDE = 1.96  # standard errors to each side of a mean


@dataclass(frozen=True)
class Segment:
    """Means over the users of a segment.

    value, low, high  nDCG with its 95 % interval over users
    """

    arm: str
    segment: str
    n: int
    value: float
    low: float
    high: float
    novelty: float
    diversity: float
    lift: float
    coverage: float


@dataclass(frozen=True)
class Spread:
    """What re-ranking one arm's lists costs: change is that of nDCG, paired over users."""

    arm: str
    spread: float
    n: int
    value: float
    change: float
    low: float
    high: float
    diversity: float


@dataclass(frozen=True)
class Lists:
    """An arm's answer to a case of users, with what the target's users took.

    case      with histories as context
    known     what popularity and likeness are counted on: the target's fit
    """

    arm: str
    case: Case
    ranking: Ranking
    known: Interactions
    k: int

    @property
    def items(self) -> Ints:
        """(n, at most k)"""
        return self.ranking.items[:, : self.k]

    @cached_property
    def rows(self) -> Any:
        """(users, catalogue) CSC of ones, of the target's fit."""
        known = self.known
        shape = (len(known.users), len(known.items))
        return sp.csc_array((np.ones(known.n), (known.user, known.item)), shape=shape)

    def ndcg(self, items: Ints) -> Array:
        """(n,) of these lists."""
        ranking = Ranking(items, np.zeros(items.shape), self.ranking.size)
        return per_user.ndcg(*per_user.relevance(ranking, self.case.truth, self.k))

    def segments(self) -> list[dict[str, Any]]:
        """A row for all users, and one for each segment that has any."""
        context = self.case.context
        length = np.bincount(context.user, minlength=len(context.users))
        popular = np.asarray(self.rows.sum(axis=0)).ravel() / max(1, len(self.known.users))
        ndcg, diverse = self.ndcg(self.items), self.diversity(self.items)
        there = self.items >= 0
        bits = -np.log2(np.maximum(popular, 1.0 / max(1, len(self.known.users))))
        novel = _mean(np.where(there, bits[self.items], np.nan))
        mine = np.bincount(context.user, popular[context.item], minlength=len(context.users))
        listed = _mean(np.where(there, popular[self.items], np.nan))
        with np.errstate(divide="ignore", invalid="ignore"):
            lift = listed / (mine / length) - 1.0
        found = []
        for name, least, most in (("all", 1, np.inf), *SEGMENTS):
            some = (length >= least) & (length <= most)
            if some.any():
                found.append(_row(self._segment(name, some, ndcg, novel, diverse, lift)))
        return found

    def _segment(
        self, name: str, some: Bools, ndcg: Array, novel: Array, diverse: Array, lift: Array
    ) -> Segment:
        value, error = _with_error(ndcg[some])
        listed = self.items[some]
        covered = len(np.unique(listed[listed >= 0])) / max(1, self.ranking.size)
        novelty, diversity, lifted = (
            float(_mean(np.where(np.isfinite(each[some]), each[some], np.nan)[None, :])[0])
            for each in (novel, diverse, lift)
        )
        return Segment(
            self.arm,
            name,
            int(some.sum()),
            value,
            value - WIDE * error,
            value + WIDE * error,
            novelty,
            diversity,
            lifted,
            covered,
        )

    def diversity(self, items: Ints) -> Array:
        """(n,) of each list, NaN where it has not two items."""
        found, rows = np.full(len(items), np.nan), self.rows
        for start in range(0, len(items), BLOCK):
            block = items[start : start + BLOCK]
            there = block >= 0
            columns, place = np.unique(np.where(there, block, 0), return_inverse=True)
            place = place.reshape(block.shape)
            alike = cosines(rows, columns)
            each = alike[place[:, :, None], place[:, None, :]]
            pairs = there[:, :, None] & there[:, None, :] & ~np.eye(block.shape[1], dtype=bool)
            count = pairs.sum(axis=(1, 2))
            with np.errstate(invalid="ignore"):
                found[start : start + BLOCK] = 1.0 - (each * pairs).sum(axis=(1, 2)) / count
        return found

    def spreads(self) -> list[dict[str, Any]]:
        """What a spread costs in nDCG and gives in diversity, of at most 1,000 users."""
        n = len(self.ranking.items)
        some = np.linspace(0, n - 1, min(n, MOST)).astype(np.int64)
        items, scores = self.ranking.items[some], self.ranking.scores[some]
        whole = np.full_like(self.items, -1)
        plain, rows = self.ndcg(self.items)[some], self.rows
        found = []
        for spread in SPREADS:
            blocks = [
                marginal(items[at : at + BLOCK], scores[at : at + BLOCK], rows, self.k, spread)
                for at in range(0, len(some), BLOCK)
            ]
            place = np.concatenate(blocks)
            listed = np.where(place >= 0, np.take_along_axis(items, place, axis=1), -1)
            whole[some, : listed.shape[1]] = listed
            ndcg = self.ndcg(whole)[some]
            change, error = _with_error(ndcg - plain)
            diverse = self.diversity(listed)
            row = Spread(
                self.arm,
                spread,
                len(some),
                float(ndcg.mean()),
                change,
                change - WIDE * error,
                change + WIDE * error,
                float(_mean(diverse[None, :])[0]),
            )
            found.append(_row(row))
        return found


def _row(found: Segment | Spread) -> dict[str, Any]:
    """JSON types only; what nobody knows is None."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in asdict(found).items()
    }


def _mean(values: Array) -> Array:
    """(n,) of each row, of what is finite there; NaN where nothing is."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        found: Array = np.where(finite, values, 0.0).sum(axis=1) / finite.sum(axis=1)
    return found


def _with_error(values: Array) -> tuple[float, float]:
    """Mean and its standard error, which nobody knows of one."""
    n = len(values)
    error = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return float(values.mean()), error
