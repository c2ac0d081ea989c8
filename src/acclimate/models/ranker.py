"""Stack: LightGBM ranks anew what popularity, item-kNN and EASE name.

Source: Burges, "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82, as
LightGBM's `lambdarank`, over scores of models that have not seen the label, as in
Wolpert, "Stacked generalization", Neural Networks 5 (1992).

The last item of each user is hidden, as an exam asks for what comes next.  Users fall
into folds; for each, the bases are fitted without what it hides, and name candidates for
what is left of its histories.  The re-ranker learns to put the hidden item first.  A hidden
item that no base names is not slipped in among the candidates: nothing comes that way at
prediction, and trees taught by such pairs would trust what every base ranks low.  In the
end the bases are fitted on everything.

The re-ranker has to earn its place: trained on one half of the users, it must beat the
best base on the other by more than a standard error, or the best base answers alone.
Items that are no candidates stand below them in the order of the last base, EASE with
the greater penalty: others leave most of a catalogue without a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.models.candidates import (
    OutOfFold,
    hide,
    listed_gain,
    scored_gain,
    slate,
    without,
)
from acclimate.models.ease import Ease
from acclimate.models.items import BLOCK, ItemGram, ItemQuery, gram_of, rank
from acclimate.models.lambdarank import asked, read, taught
from acclimate.models.model import Model, State, Tick, idle
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng

FEW = 20  # hidden items among the candidates; from fewer nothing is learned

Bases = tuple[Popularity | ItemKnn | Ease, ...]


@dataclass(frozen=True)
class StackFit:
    """What was learned.

    bases     fitted on everything
    best      position of the base that found hidden items best
    model     LightGBM's own text, or "" where the best base answers alone
    standing  (n_items,) breaks ties and serves users without a history
    """

    bases: Bases
    best: int
    model: str = field(repr=False)
    standing: Array = field(repr=False)

    @cached_property
    def booster(self) -> Any:
        """Read from `model` and never from training, so that a restored fit agrees."""
        return read(self.model)

    def scores(self, histories: Sparse, names: int) -> Array:
        """(m, n_items) of every item for each history."""
        if not self.model:
            return np.array(self.bases[self.best].scores(histories), np.float64)
        named = slate(self.bases, _weights(self.bases), histories, self.standing, names)
        scores = named.scores[-1]
        if not len(named.user):
            return scores
        found = asked(self.booster, named.features)
        # Below whatever the trees can say, so that no answer looks at who else is asked.
        scores -= scores.max(axis=1, keepdims=True) - (self.floor - 1.0)
        scores[named.user, named.item] = found
        return scores

    @cached_property
    def floor(self) -> float:
        """A score below every one that the trees can give: the sum of their lowest leaves."""
        trees = self.booster.dump_model()["tree_info"]
        return float(sum(min(_leaves(tree["tree_structure"])) for tree in trees))


@dataclass(frozen=True)
class Stack:
    """A LambdaRank stack over item models.

    penalty, second  λ > 0, in users: of the two EASE bases
    neighbours       ≥ 1, of the item-kNN base
    names            ≥ 1, items that each base names for a user
    users            ≥ 0, at most so many hide an item
    folds            ≥ 1, each of which fits the bases once more
    leaves           ≥ 2, of each tree
    rate             0 < rate ≤ 1, learning rate
    rounds           > 0, trees
    """

    penalty: float = 100.0
    second: float = 1000.0
    neighbours: int = 100
    names: int = 50
    users: int = 4000
    folds: int = 2
    leaves: int = 7
    rate: float = 0.05
    rounds: int = 60
    fitted: StackFit | None = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "stack"
    form: ClassVar[str] = "items"
    effort: ClassVar[int] = 1

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Stack, ...]:
        """Itself: a fit costs as much as the tuning of a base, and chooses among bases."""
        return (self,)

    def prepare(self, view: ItemView) -> ItemGram:
        return gram_of(view)

    def fit(
        self,
        prepared: ItemGram,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Stack:
        """Hide and learn to find, then fit the bases on all; `rng` says whose items hide."""
        seen = self.out_of_fold(prepared, rng, tick)
        best = int(np.argmax(seen.gains.mean(axis=0))) if len(seen.gains) else -1
        model = ""
        if self._earns(seen, best, rng, tick):
            model = self._boost(seen.teachers(), rng, tick)
        bases = self._bases(prepared, rng, tick)
        fitted = StackFit(bases, best % len(bases), model, prepared.standing)
        return replace(self, fitted=fitted)

    def out_of_fold(self, prepared: ItemGram, rng: Rng, tick: Tick = idle) -> OutOfFold:
        """Candidates, features and answers of everyone who hides an item."""
        users, features, found, gains, count = [], [], [], [], 0
        hidden = hide(prepared, self.users, self.folds, rng.child("hide").generator())
        for fold in hidden:
            if not len(fold.user):
                continue
            rest = without(prepared, fold)
            bases = self._bases(rest, rng, tick)
            for start in range(0, len(fold.user), BLOCK):
                tick()
                item = fold.item[start : start + BLOCK]
                histories = rest.rows[fold.user[start : start + BLOCK]]
                named = slate(bases, _weights(bases), histories, rest.standing, self.names)
                users.append(named.user + count)
                features.append(named.features)
                found.append(named.item == item[named.user])
                gains.append(np.column_stack([listed_gain(each, item) for each in named.lists]))
                count += len(item)
        if not users:
            none = np.zeros((0, 1))
            return OutOfFold(np.zeros(0, np.int64), none, np.zeros(0, bool), none)
        return OutOfFold(*(np.concatenate(each) for each in (users, features, found, gains)))

    def _bases(self, prepared: ItemGram, rng: Rng, tick: Tick) -> Bases:
        fitted = []
        for base in (
            Popularity(),
            ItemKnn(self.neighbours),
            Ease(self.penalty),
            Ease(self.second),
        ):
            tick()
            fitted.append(base.fit(prepared, rng=rng, tick=tick))
        return tuple(fitted)

    def _earns(self, seen: OutOfFold, best: int, rng: Rng, tick: Tick) -> bool:
        """Whether trees of one half beat the best base on the other by a standard error."""
        if seen.found.sum() < FEW:
            return False
        count = len(seen.gains)
        half = rng.child("halves").generator().permutation(np.arange(count) % 2)
        gain = np.zeros(count)
        for side in (0, 1):
            others = seen.of_users(np.flatnonzero(half != side)).teachers()
            mine = seen.of_users(np.flatnonzero(half == side))
            if not len(others.user):
                return False
            score = asked(read(self._boost(others, rng, tick)), mine.features)
            gain[half == side] = scored_gain(mine, score, count)[half == side]
        better = gain - seen.gains[:, best]
        return bool(better.mean() > better.std(ddof=1) / np.sqrt(count))

    def _boost(self, seen: OutOfFold, rng: Rng, tick: Tick) -> str:
        """The text of trees that put what was hidden first."""
        own: dict[str, Any] = {
            "num_leaves": self.leaves,
            "learning_rate": self.rate,
            "min_data_in_leaf": max(1, min(200, len(seen.user) // 50)),
            "feature_fraction": 0.8,
            "lambda_l2": 1.0,
        }
        return taught(seen.features, seen.found, seen.user, own, self.rounds, rng, tick)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert context is not None
        return rank(self.scores, context, query, self._known().standing)

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of every item for each history."""
        return self._known().scores(histories, self.names)

    def _known(self) -> StackFit:
        assert self.fitted is not None, "fit() comes first"
        return self.fitted

    def state(self) -> State:
        fitted = self._known()
        names = ("penalty", "second", "neighbours", "names", "users", "folds")
        meta = {name: getattr(self, name) for name in (*names, "leaves", "rate", "rounds")}
        tensors: dict[str, Tensor] = {
            "model": np.frombuffer(fitted.model.encode(), np.uint8),
            "standing": fitted.standing,
        }
        children = {str(number): base.state() for number, base in enumerate(fitted.bases)}
        return State(self.kind, {**meta, "best": fitted.best}, tensors, children)

    @classmethod
    def restore(cls, state: State, parts: Mapping[str, Model] | None = None) -> Stack:
        """The same fit; its bases are read from the state, and `parts` are not needed."""
        kinds = {kind.kind: kind for kind in (Popularity, ItemKnn, Ease)}
        children = [state.children[str(number)] for number in range(len(state.children))]
        bases = tuple(kinds[child.kind].restore(child) for child in children)
        text = np.asarray(state.tensors["model"], np.uint8).tobytes().decode()
        standing = np.asarray(state.tensors["standing"], np.float64)
        meta = dict(state.meta)
        fitted = StackFit(bases, int(meta.pop("best")), text, standing)
        return cls(**meta, fitted=fitted)


def _weights(bases: Bases) -> Tensor:
    """(n_items, n_items) of the first EASE base."""
    first = next(base for base in bases if isinstance(base, Ease))
    assert first.matrix is not None
    return first.matrix


def _leaves(node: Mapping[str, Any]) -> list[float]:
    """The values of the leaves below a node."""
    if "leaf_value" in node:
        return [float(node["leaf_value"])]
    return [*_leaves(node["left_child"]), *_leaves(node["right_child"])]
