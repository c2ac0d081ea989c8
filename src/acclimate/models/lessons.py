"""Lessons: candidates of users who were asked, and which of them they took.

What trees learned of some has to show on others before it is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from acclimate.arrays import Array, Bools, Ints
from acclimate.models.hiding import Hidden
from acclimate.rng import Rng

Score = Callable[[Array], Array]  # (p, f) features → (p,), higher is better
PLACES = 10  # of a list that count
FEW = 20  # answers among the candidates; from fewer nothing is learned


@dataclass(frozen=True)
class Lesson:
    """Candidates of users who were asked, and which of them are right.

    user      (p,) increasing, a number for each user and question
    features  (p, f)
    found     (p,)
    wanted    (users,) ≥ 1, right ones in all, those included that are no candidates
    fold      (users,) the question each belongs to
    timed     whether folds are other times
    """

    user: Ints
    features: Array
    found: Bools
    wanted: Ints
    fold: Ints
    timed: bool = False

    @classmethod
    def of_fold(cls, hidden: Hidden, user: Ints, item: Ints, features: Array) -> Lesson:
        """Candidates (user, item) of what one fold hides; user as positions in those asked."""
        n = hidden.rest.shape[1]
        found = np.isin(user * n + item, hidden.asker * n + hidden.item)
        fold = np.zeros(len(hidden.wanted), np.int64)
        return cls(user, features, found, hidden.wanted, fold, hidden.origin is not None)

    @classmethod
    def joined(cls, parts: Sequence[Lesson]) -> Lesson:
        """The lessons of several folds, numbered in this order."""
        if not parts:
            none: Ints = np.empty(0, np.int64)
            return cls(none, np.empty((0, 0)), none > 0, none, none)
        starts = np.cumsum([0, *(part.users for part in parts)])
        return cls(
            np.concatenate([part.user + at for part, at in zip(parts, starts, strict=False)]),
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.found for part in parts]),
            np.concatenate([part.wanted for part in parts]),
            np.concatenate([np.full(part.users, n) for n, part in enumerate(parts)]),
            any(part.timed for part in parts),
        )

    @property
    def users(self) -> int:
        """How many were asked, those included who have no right candidate."""
        return len(self.wanted)

    def of(self, users: Bools) -> Lesson:
        """The candidates of some users, who keep their numbers."""
        kept = users[self.user]
        return replace(
            self, user=self.user[kept], features=self.features[kept], found=self.found[kept]
        )

    def teachers(self) -> Lesson:
        """Those with a right candidate; the others teach no order."""
        right = np.zeros(self.users, bool)
        right[self.user[self.found]] = True
        return self.of(right)

    def gain(self, score: Array) -> Array:
        """(users,) nDCG@10 of the candidates in the order of a score, ties against us."""
        order = np.lexsort((self.found, -score, self.user))
        user = self.user[order]
        place = np.arange(len(user)) - np.searchsorted(user, user)
        right = self.found[order] & (place < PLACES)
        worth = 1.0 / np.log2(np.arange(PLACES) + 2.0)
        gained = np.bincount(user[right], worth[place[right]], minlength=self.users)
        best: Array = np.cumsum(worth)[np.minimum(self.wanted, PLACES) - 1]
        return gained / best

    def earns(self, teach: Callable[[Lesson], Score | None], alone: Array, rng: Rng) -> bool:
        """Whether what is learned beats what answers alone, by more than a standard error, on
        users that did not teach it.

        teach  what a lesson teaches; None where there is nothing to learn
        alone  (users,) what is gained without it

        By the clock, what is popular in a stretch of time is learned by heart from any half of
        its users; so other folds teach than those that ask.
        """
        if self.found.sum() < FEW:
            return False
        side = rng.child("halves").generator().permutation(np.arange(self.users) % 2)
        if self.timed:
            side = self.fold % 2
        gain = np.zeros(self.users)
        for part in (0, 1):
            score = teach(self.of(side != part))
            if score is None:
                return False
            mine = self.of(side == part)
            found = score(mine.features) if len(mine.user) else np.empty(0)
            gain[side == part] = mine.gain(found)[side == part]
        better = gain - alone
        return bool(better.mean() > better.std(ddof=1) / np.sqrt(self.users))
