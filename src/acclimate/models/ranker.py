"""Stack: LightGBM ranks anew what popularity, item-kNN and EASE name.

Source: Burges, "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82, as
LightGBM's `lambdarank`, over scores of models that have not seen the label, as in
Wolpert, "Stacked generalization", Neural Networks 5 (1992).

What the exam would ask for is hidden (`models.hiding`): each user's last item, or by the clock
all from a moment on.  For each fold the bases are fitted without what it hides, and name
candidates for what is left of its histories.  The re-ranker learns to put what was hidden
first.  A hidden item that no base names is not slipped in among the candidates: nothing comes
that way at prediction, and trees taught by such pairs would trust what every base ranks low.
In the end the bases are fitted on everything.

The re-ranker has to earn its place: taught by others, it must beat the best base by more than
a standard error (`models.lessons`), or the best base answers alone.  Items that are no
candidates stand below them in the order of the last base, EASE with the greater penalty: others
leave most of a catalogue without a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.taken import Taken
from acclimate.domains.view import ItemView
from acclimate.models.candidates import slate
from acclimate.models.ease import Ease
from acclimate.models.hiding import hide
from acclimate.models.items import BLOCK, ItemGram, ItemQuery, gram_of, rank
from acclimate.models.lambdarank import asked, read, taught
from acclimate.models.lessons import Lesson, Score
from acclimate.models.model import Model, State, Tick, idle
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import RECENT, Popularity
from acclimate.rng import Rng

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
        lesson = self.lessons(prepared, rng, tick)
        bases = self._bases(prepared, rng, tick)
        best, model = len(bases) - 1, ""
        if lesson.users:
            # The score of a base is the first of the two features that it gives.
            gains = [lesson.gain(lesson.features[:, 2 * n]) for n in range(len(bases))]
            best = int(np.argmax([gain.mean() for gain in gains]))

            def teach(some: Lesson) -> Score | None:
                text = self._boost(some, rng, tick)
                return partial(asked, read(text)) if text else None

            if lesson.earns(teach, gains[best], rng):
                model = self._boost(lesson, rng, tick)
        fitted = StackFit(bases, best, model, prepared.standing)
        return replace(self, fitted=fitted)

    def lessons(self, prepared: ItemGram, rng: Rng, tick: Tick = idle) -> Lesson:
        """Candidates, features and answers of everyone of whom something is hidden."""
        taken = prepared.taken or Taken.of(prepared.rows, rng.child("order").generator())
        generator = rng.child("hide").generator()
        parts = []
        for hidden in hide(taken, self.users, self.folds, generator, least=1):
            if not len(hidden.user):
                continue
            rest = gram_of(known_by(hidden.rest))
            bases = self._bases(rest, rng, tick)
            users, items, features = [], [], []
            for start in range(0, len(hidden.user), BLOCK):
                tick()
                histories = rest.rows[hidden.user[start : start + BLOCK]]
                named = slate(bases, _weights(bases), histories, rest.standing, self.names)
                users.append(named.user + start)
                items.append(named.item)
                features.append(named.features)
            user, item = np.concatenate(users), np.concatenate(items)
            parts.append(Lesson.of_fold(hidden, user, item, np.concatenate(features)))
        return Lesson.joined(parts)

    def _bases(self, prepared: ItemGram, rng: Rng, tick: Tick) -> Bases:
        """By the clock, also what was popular lately."""
        timed = prepared.taken is not None and prepared.taken.time is not None
        popular = (None, *RECENT) if timed else (None,)
        others = (ItemKnn(self.neighbours), Ease(self.penalty), Ease(self.second))
        bases: Bases = (*(Popularity(days) for days in popular), *others)
        fitted = []
        for base in bases:
            tick()
            fitted.append(base.fit(prepared, rng=rng, tick=tick))
        return tuple(fitted)

    def _boost(self, seen: Lesson, rng: Rng, tick: Tick) -> str:
        """The text of trees that put what was hidden first; "" where nothing was found."""
        seen = seen.teachers()
        if not len(seen.user):
            return ""
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


def known_by(taken: Taken) -> ItemView:
    """A view of these events; everyone's counts break ties."""
    count = np.bincount(taken.item, minlength=taken.shape[1]).astype(np.float64)
    return ItemView(taken.rows, count, taken=taken)


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
