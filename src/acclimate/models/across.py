"""Across: LightGBM ranks what a user may take next by what every market says of it.

Source: Burges, "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82, as LightGBM's
`lambdarank`, over statistics and scores that have not seen the label, as in Wolpert, "Stacked
generalization", Neural Networks 5 (1992).

What each of some users took last, or by the clock from a moment on, is hidden, fold by fold
(`models.hiding`), and trees learn to put it before other items.  Two questions are learned
apart, as they are asked apart: which of given candidates, drawn at random, as protocols with
sampled negatives ask; and which item of all, among those that single scores name.
By the clock, a conditional logit of a few scores (`models.odds`) stands in the place of trees.
Each has to earn its place: taught by others, it must beat the best single score by more
than a standard error (`models.lessons`), or that score answers alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.taken import Taken
from acclimate.domains.view import ItemView
from acclimate.models.best import best
from acclimate.models.hiding import Hidden, drawn, hide
from acclimate.models.items import BLOCK, ItemQuery
from acclimate.models.known import Known, Reach
from acclimate.models.lambdarank import asked, read, taught
from acclimate.models.lessons import Lesson, Score
from acclimate.models.model import State, Tick, idle
from acclimate.models.odds import logs, weights
from acclimate.models.voices import Effects, Market, Order
from acclimate.rng import Rng


@dataclass(frozen=True)
class Judgement:
    """How candidates of one kind of question are ordered.

    column  the feature that orders them best by itself
    model   LightGBM's own text; "" where that feature or the odds answer
    theta   what the logarithms of `columns` weigh (`models.odds`); empty where they do not
    """

    column: int
    model: str = field(default="", repr=False)
    theta: Array = field(default_factory=lambda: np.empty(0), repr=False)
    columns: Ints = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    floors: Array = field(default_factory=lambda: np.empty(0), repr=False)

    @cached_property
    def booster(self) -> Any:
        """Read from `model` and never from training, so that a restored fit agrees."""
        return read(self.model)

    @property
    def learned(self) -> bool:
        """Whether it is more than the best single score."""
        return bool(self.model) or len(self.theta) > 0

    def score(self, features: Array) -> Array:
        """(p,) higher is better."""
        if len(self.theta):
            return np.asarray(logs(features, self.columns, self.floors) @ self.theta)
        if not self.model or not len(features):
            return features[:, self.column].astype(np.float64)
        return asked(self.booster, features)

    def tensors(self, name: str) -> dict[str, Tensor]:
        text = np.frombuffer(self.model.encode(), np.uint8)
        odds = {"theta": self.theta, "columns": self.columns, "floors": self.floors}
        return {name: text} | {f"{name}-{key}": value for key, value in odds.items()}

    @classmethod
    def restore(cls, name: str, column: int, tensors: Mapping[str, Tensor]) -> Judgement:
        text = np.asarray(tensors[name], np.uint8).tobytes().decode()
        theta, floors = (tensors[f"{name}-{key}"].astype(float) for key in ("theta", "floors"))
        return cls(column, text, theta, tensors[f"{name}-columns"].astype(np.int64), floors)


@dataclass(frozen=True)
class Evidence:
    """What `Across` learns from: the target's events, and each source's counts.

    taken    the target's own
    sources  as they are known now
    earlier  as they were known at each origin (`domains.origins`), the latest first; empty
             without a clock, where they are the same in every fold
    now      the moment up to which all is known, in seconds; None without a clock
    """

    taken: Taken
    sources: tuple[Market, ...]
    earlier: tuple[tuple[Market, ...], ...] = ()
    now: float | None = None

    def of(self, kept: Sequence[bool]) -> Evidence:
        """Of some of the sources, in order."""
        mine = [n for n, each in enumerate(kept) if each]
        return replace(
            self,
            sources=tuple(self.sources[n] for n in mine),
            earlier=tuple(tuple(then[n] for n in mine) for then in self.earlier),
        )

    def at(self, fold: int, hidden: Hidden) -> list[Market]:
        """What sources said where a fold begins, of the items that it knows."""
        markets = self.sources if hidden.origin is None else self.earlier[fold]
        return [each.of_items(hidden.columns) for each in markets]


@dataclass(frozen=True)
class Across:
    """A LambdaRank stack over markets.

    reach   of the single scores
    names   ≥ 1, items that each single score names for a user of the whole catalogue
    users   ≥ 0, at most so many hide an item
    folds   ≥ 2, each of which counts everything once more
    leaves  ≥ 2, of each tree
    rate    0 < rate ≤ 1, learning rate
    rounds  > 0, trees
    """

    reach: Reach = field(default_factory=Reach)
    names: int = 30
    users: int = 6000
    folds: int = 3
    leaves: int = 15
    rate: float = 0.07
    rounds: int = 100
    known: Known | None = field(default=None, repr=False, compare=False)
    given: Judgement | None = field(default=None, repr=False, compare=False)
    named: Judgement | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "across"
    form: ClassVar[str] = "items"
    effort: ClassVar[int] = 1

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Across, ...]:
        return (self,)

    def prepare(self, view: Any) -> Any:
        return view

    def fit(
        self,
        prepared: Evidence,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Across:
        """Hide and learn to find, then count everything; `rng` says whose items hide."""
        given, named = self.lessons(prepared, rng, tick)
        known = Known.of(prepared.taken, prepared.sources, self.reach, tick, prepared.now)
        return replace(
            self,
            known=known,
            given=self.judged(given, known, rng.child("given"), tick),
            named=self.judged(named, known, rng.child("named"), tick),
        )

    def lessons(self, prepared: Evidence, rng: Rng, tick: Tick = idle) -> tuple[Lesson, Lesson]:
        """Among items drawn at random, and among those that single scores name."""
        folds = hide(prepared.taken, self.users, self.folds, rng.child("hide").generator())
        given, named = [], []
        for number, hidden in enumerate(folds):
            if not len(hidden.user):
                continue
            markets = prepared.at(number, hidden)
            known = Known.of(hidden.rest, markets, self.reach, tick, hidden.origin)
            generator = rng.child(f"drawn/{number}").generator()
            given.append(_lesson(known, hidden, *drawn(hidden, generator), tick))
            place, column = _named(known, hidden.histories, self.names, tick)
            named.append(_lesson(known, hidden, place, column, tick))
        return Lesson.joined(given), Lesson.joined(named)

    def judged(self, lesson: Lesson, known: Known, rng: Rng, tick: Tick) -> Judgement:
        """What is learned where it beats the best single score, else that score.

        Trees, or by the clock the odds of a few scores.
        """
        ordering = known.ordering
        if not lesson.users:
            return Judgement(int(ordering[0]))
        gains = [lesson.gain(lesson.features[:, column]).mean() for column in ordering]
        alone = Judgement(int(ordering[int(np.argmax(gains))]))

        def learn(some: Lesson) -> Judgement | None:
            if not some.found.any():
                return None
            if lesson.timed:
                columns, floors = known.speaking
                theta = weights(some, columns, floors)
                return replace(alone, theta=theta, columns=columns, floors=floors)
            return replace(alone, model=self.boost(some, rng, tick))

        def teach(some: Lesson) -> Score | None:
            told = learn(some)
            return None if told is None else told.score

        if not lesson.earns(teach, lesson.gain(alone.score(lesson.features)), rng):
            return alone
        return learn(lesson) or alone

    def boost(self, lesson: Lesson, rng: Rng, tick: Tick) -> str:
        """The text of trees that put what was hidden first; "" where nothing was found."""
        lesson = lesson.teachers()
        n = len(lesson.user)
        if not n:
            return ""
        own: dict[str, Any] = {
            "num_leaves": self.leaves,
            "learning_rate": self.rate,
            "min_data_in_leaf": max(1, min(100, n // 50)),
            "feature_fraction": 0.4,
            "lambda_l2": 5.0,
            "max_bin": 63,
        }
        pairs = lesson.features, lesson.found, lesson.user
        return taught(*pairs, own, self.rounds, rng, tick)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        """Candidates by what was learned of given ones; else the best of those named."""
        assert context is not None
        items = context.matrix.shape[1]
        last = context.last
        if last is None:
            last = np.full(context.matrix.shape[0], -1)
        blocks = []
        for start in range(0, context.matrix.shape[0], BLOCK):
            of = slice(start, start + BLOCK)
            histories = context.matrix[of]
            histories.sort_indices()
            if query.candidates is None:
                blocks.append(self._whole(histories, last[of], min(query.k, items)))
            else:
                blocks.append(self._among(histories, last[of], query.candidates[of]))
        found = [np.concatenate(each) for each in zip(*blocks, strict=True)] if blocks else None
        if found is None:
            empty = (0, query.k)
            return Ranking(np.empty(empty, np.int64), np.empty(empty), items)
        return Ranking(found[0], found[1], items, pool=query.candidates is not None)

    def pairs(self, context: ItemView, lists: Ints) -> tuple[Ints, Ints, Array]:
        """Of given candidates the user, the place in its list, and the features with, behind
        them, the score of what was learned.

        lists  (m, width) columns, −1 for none
        """
        assert self.known is not None and self.given is not None and context.last is not None
        user, place = np.nonzero(lists >= 0)
        features = self.known.features(context.matrix, context.last, user, lists[user, place])
        return user, place, np.column_stack([features, self.given.score(features)])

    def _among(self, histories: Sparse, last: Ints, lists: Ints) -> tuple[Ints, Array]:
        """The candidates as they were given, and a score of each."""
        assert self.known is not None and self.given is not None
        user, place = np.nonzero(lists >= 0)
        item = lists[user, place]
        scores = np.full(lists.shape, -np.inf)
        scores[user, place] = self.known.standing[item]  # others are told what is popular
        heard = np.diff(histories.indptr)[user] > 0
        user, place, item = user[heard], place[heard], item[heard]
        features = self.known.features(histories, last, user, item)
        scores[user, place] = self.given.score(features)
        return lists, scores

    def _whole(self, histories: Sparse, last: Ints, k: int) -> tuple[Ints, Array]:
        """The k best new items: those named as they are judged, then all markets' popular."""
        assert self.known is not None and self.named is not None
        known, standing = self.known, self.known.standing
        user, item = known.named(histories, max(self.names, k))
        heard = np.diff(histories.indptr)[user] > 0  # others are told what is popular
        user, item = user[heard], item[heard]
        score = self.named.score(known.features(histories, last, user, item))
        # Ranks instead of scores: no answer looks at who else is asked.
        favoured = np.argsort(-standing, kind="stable")
        below = np.empty(len(standing))
        below[favoured] = -1.0 - np.arange(len(standing))
        scores = np.tile(below, (len(last), 1))
        order = np.lexsort((-item, standing[item], score, user))
        rank = np.empty(len(order))
        rank[order] = np.arange(len(order))
        first = np.searchsorted(user, user)
        scores[user, item] = rank - first
        scores[histories.nonzero()] = -np.inf
        return best(scores, favoured, k)

    def state(self) -> State:
        assert self.known is not None and self.given is not None and self.named is not None
        known = self.known
        meta = {name: getattr(self, name) for name in _SETTINGS}
        meta["reach"] = vars(self.reach).copy()
        judges = {"given": self.given, "named": self.named}
        meta |= {name: judge.column for name, judge in judges.items()}
        tensors: dict[str, Tensor] = dict(vars(known.order))
        for name, judge in judges.items():
            tensors |= judge.tensors(name)
        for number, model in enumerate(known.models):
            tensors |= {f"{name}{number}": value for name, value in vars(model).items()}
        children = {
            str(number): State("market", {}, market.tensors())
            for number, market in enumerate(known.markets)
        }
        return State(self.kind, meta, tensors, children)

    @classmethod
    def restore(cls, state: State, parts: Mapping[str, Any] | None = None) -> Across:
        tensors, meta = state.tensors, dict(state.meta)
        markets = [
            Market.restore(state.children[str(number)].tensors)
            for number in range(len(state.children))
        ]
        models = [
            Effects(tensors[f"items{n}"].astype(np.int64), tensors[f"matrix{n}"])
            for n in (0, 1)
        ]
        order = Order(tensors["usual"].astype(float), tensors["latest"].astype(float))
        return cls(
            reach=Reach(**meta.pop("reach")),
            known=Known(tuple(markets), tuple(models), order),
            given=Judgement.restore("given", int(meta.pop("given")), tensors),
            named=Judgement.restore("named", int(meta.pop("named")), tensors),
            **meta,
        )


_SETTINGS = ("names", "users", "folds", "leaves", "rate", "rounds")


def _named(known: Known, histories: Sparse, n: int, tick: Tick) -> tuple[Ints, Ints]:
    """`Known.named` of many histories, block by block."""
    users, items = [], []
    for start in range(0, histories.shape[0], BLOCK):
        tick()
        user, item = known.named(histories[start : start + BLOCK], n)
        users.append(user + start)
        items.append(item)
    return np.concatenate(users), np.concatenate(items)


def _lesson(known: Known, hidden: Hidden, user: Ints, column: Ints, tick: Tick) -> Lesson:
    features = known.features(hidden.histories, hidden.last, user, column, tick)
    return Lesson.of_fold(hidden, user, column, features)
