"""Co-Tuning: the head that knew the sources' other label stays, and teaches the body on.

    minimise  mean CE(target head(f(x)), y) + λ · mean CE(source head(f(x)), p(y_s | y))
    p(y_s | y = c) = mean over target rows x of class c of  softmax(source scores(x) / T)

The sources' label set is another than the target's: their own label where it shares no
class with it, or another label of their rows, such as the kind of a product where the
target is asked whether it is sent back.  Both heads sit on one body; the target's alone is
served.

Source: You, Kou, Long & Wang, "Co-Tuning for transfer learning", NeurIPS 2020, eq. 2 and 3;
the relation by its direct approach (Algorithm 1).  T: Guo, Pleiss, Sun & Weinberger, ICML
2017 (arXiv:1706.04599), section 4.2.
Departures: T and the source network come from one cut of the sources' rows, a fifth of
which is kept from the network and used for T alone; a class that no row has gets the mean
over all rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from acclimate.arrays import Array, Ints, Tensor
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Derived
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import take_rows
from acclimate.models.joint import of_task, own
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Batch, Losses, Params, Step, Trainable
from acclimate.rng import Rng
from acclimate.strategies.multitask.lessons import SEEN, column, places
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.seen import source_rows
from acclimate.strategies.stacking import row_weights, source_views, stack
from acclimate.strategies.strategy import Adapt, Strategy

if TYPE_CHECKING:
    import torch

HELD = 5  # one of so many rows of the sources is kept for T
HEATS = np.exp(np.linspace(math.log(0.05), math.log(20.0), 121))
BEFORE = "before"  # the task whose head the sources taught
_TAUGHT = Derived(2**28)


@dataclass(frozen=True)
class CoTuning(Adapt):
    """Fine-tune from another label of the sources, whose head goes on learning.

    strength  λ ≥ 0: weight of the source head's loss; 0 is fine-tuning under a fresh head
    rate      > 0, factor on the network's own rate
    epochs    ≥ 0, passes over the target, or None for the network's own number
    """

    strength: float = 1.0
    rate: float = 1.0
    epochs: int | None = None

    kind: ClassVar[str] = "co-tuning"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.SOURCES
    complexity: ClassVar[int] = 7
    unasked: ClassVar[bool] = False
    relates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (0 <= self.strength < math.inf and self.rate > 0):
            raise StrategyError(
                "Expected a finite strength of at least 0 and a rate above 0, found "
                f"{self.strength} and {self.rate}."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Trainable):
            return f"{model.kind} has no body that two heads could share: not a network"
        if problem.numbers:
            return "it relates classes to classes, and the label is a number"
        if told(problem) is None:
            return "no other label of the sources' rows has two values that recur"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, strength=0.3), replace(self, strength=3.0))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        import torch

        assert isinstance(model, Trainable)
        start, heat = taught(problem, model, rng, tick)
        view = problem.view(problem.fit)
        assert isinstance(view, RowView) and view.label is not None
        says = start.predict(view)  # type: ignore[attr-defined]
        assert isinstance(says, Probabilities)
        related = relation(tempered(says.p, heat), np.asarray(view.label), view.n_classes)
        prepared = model.prepare(view)
        learned, heads = start.parameters(), model.heads()
        # The target's head is fresh, even where both labels have as many classes.
        fresh = model.begin(prepared, None, rng)
        begun = {name: fresh[name] if name in heads else learned[name] for name in fresh}
        beside = {own(BEFORE, name): learned[name] for name in heads}
        rows = model.stream(prepared)
        multipliers = FineTune("all", self.rate).tuning(start)
        return model.learn(
            prepared,
            self.both(model, torch.tensor(related, dtype=torch.float32)),
            {"rows": rows},
            replace(multipliers, epochs=self.epochs),
            begun=begun,
            beside=beside,
            steps=model.steps(rows, self.epochs),
            rng=rng.child("cotuning"),
            tick=tick,
        )

    def both(self, model: Trainable, related: torch.Tensor) -> Step:
        """The label's loss, and that of the sources' head against what the label says of it.

        related  (n_classes, n_before) p(y_s | y)
        """
        import torch

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            batch = batches["rows"]
            features = model.features(params, batch)
            scores = model.head(of_task(params, BEFORE, model.heads()), features)
            wanted = related[batch["label"]]
            away = -(wanted * torch.log_softmax(scores, 1)).sum(1).mean()
            return {
                "label": model.cost(params, features, batch),
                "before": self.strength * away,
            }

        return step


def told(problem: Problem) -> tuple[str, tuple[str, ...]] | None:
    """The first other label of the sources' rows with two values that recur, and these."""
    rows = source_rows(problem)
    names = [name for each in rows if each.also is not None for name in each.also.columns]
    for name in dict.fromkeys(names):
        counts = Counter(v for each in rows for v in column(each, name).drop_nulls().to_list())
        classes = sorted(value for value, count in counts.items() if count >= SEEN)
        if len(classes) > 1:
            return name, tuple(classes)
    return None


def taught(
    problem: Problem, model: Trainable, rng: Rng, tick: Tick = idle
) -> tuple[Trainable, float]:
    """A network of the sources' other label, and its temperature; computed once a seed."""
    found = told(problem)
    assert found is not None and problem.encoder is not None
    name, classes = found
    seed = rng.key.partition("/")[0]
    prints = [source.fingerprint for source in problem.sources]
    key = (*prints, problem.encoder.base.fingerprint, repr(model), name, seed)

    def compute() -> tuple[Trainable, float, tuple[Tensor, ...]]:
        whole = stack(source_views(problem))
        assert isinstance(whole, RowView)
        label = np.concatenate([places(each, name, classes) for each in source_rows(problem)])
        weight = row_weights(problem.sources)
        counts = label >= 0
        if weight is not None:
            counts &= weight > 0
        g = Rng(seed).child("held").generator()
        order = g.permutation(np.flatnonzero(counts))
        held, rest = order[: len(order) // HELD], np.sort(order[len(order) // HELD :])
        view = replace(whole, label=np.maximum(label, 0), n_classes=len(classes))
        own_rng = Rng(seed).child("pretrain")
        fitted = model.fit(  # type: ignore[attr-defined]
            model.prepare(take_rows(view, rest)),
            weight=None if weight is None else weight[rest],
            rng=own_rng,
            tick=tick,
        )
        says = fitted.predict(take_rows(view, held))
        heat = temperature(says.p, label[held])
        return fitted, heat, tuple(fitted.state().tensors.values())

    start, heat, _ = _TAUGHT.get(key, compute)
    return start, heat


def tempered(p: Array, heat: float) -> Array:
    """softmax(scores / T) of p = softmax(scores); (n, k), T > 0."""
    scores = np.log(np.maximum(p, 1e-30)) / heat
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    scaled: Array = raised / raised.sum(axis=1, keepdims=True)
    return scaled


def temperature(p: Array, label: Ints) -> float:
    """T of the least mean log loss, among 121 from 1/20 to 20; 1 without rows."""
    if not len(label):
        return 1.0
    at = np.arange(len(label))
    losses = [
        -np.log(np.maximum(tempered(p, float(heat))[at, label], 1e-30)).mean() for heat in HEATS
    ]
    return float(HEATS[int(np.argmin(losses))])


def relation(p: Array, label: Ints, n_classes: int) -> Array:
    """(n_classes, n_before) p(y_s | y): the mean of p over the rows of each class.

    p  (n, n_before) what the source network says of target rows, calibrated
    """
    table = np.tile(p.mean(axis=0), (n_classes, 1))
    for each in np.unique(label):
        table[each] = p[label == each].mean(axis=0)
    return table
