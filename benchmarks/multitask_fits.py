"""Learn several tasks together and each alone, on all rows and on folds of them.

Before: `multitask_data` read the tasks.  After: `multitask` compares what was measured.
Both sides are tuned alike: every method and every single network is fitted at each of the
penalties that a network's own tuning tries, and folds of the training rows say which one
counts; for a method one for all tasks, for single networks one for each task.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views, take_rows
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Tick
from acclimate.rng import Rng
from acclimate.strategies.catalogue import named
from acclimate.strategies.multitask.affinity import AffinitySharing
from acclimate.strategies.multitask.autolambda import AutoLambda
from acclimate.strategies.multitask.balance import BALANCES
from acclimate.strategies.multitask.lessons import Lesson
from acclimate.strategies.multitask.sharing import HardSharing
from benchmarks.multitask_data import Task

SHARING = (
    "soft-sharing",
    "trace-norm",
    "cross-stitch",
    "mmoe",
    "ple",
    "mtan",
    "auto-lambda",
    "affinity-sharing",
)
POOLED = "pooled"
WIDTH = 32
FOLDS = 5
PENALTIES = tuple(dict.fromkeys(each.penalty for each in MixedNetwork().grid()))
MANY = 20  # tasks, beyond which no method trains all of them anew for each

Losses = list[Array]  # task → (n,)


@dataclass
class Measured:
    """Losses of every row, by method and task.

    judged   method → of judged rows, at the penalty that folds prefer
    folded   method → of rows to fit on, out of fold, at the penalty that other folds prefer
    penalty  method → that penalty
    width    method → that of the single network with as many parameters
    alone    (width, penalty) → of single networks, out of fold
    refused  method → why it has no losses
    """

    tasks: list[Task]
    rng: Rng
    penalties: Sequence[float] = PENALTIES
    judged: dict[str, Losses] = field(default_factory=dict)
    folded: dict[str, Losses] = field(default_factory=dict)
    penalty: dict[str, float] = field(default_factory=dict)
    width: dict[str, int] = field(default_factory=dict)
    alone: dict[tuple[int, float], Losses] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    served: dict[tuple[int, float, int], Array] = field(default_factory=dict)

    def best(self, at: int, width: int | None = None) -> tuple[int, float]:
        """The single network of least loss on a task, out of fold; of one width, or any."""
        asked = [each for each in self.alone if width is None or each[0] == width]
        return min(asked, key=lambda each: float(self.alone[each][at].mean()))

    def apart(self, at: int) -> Array:
        """(n,) losses out of fold of the single networks that other folds prefer."""
        return told_by_others({each: [tasks[at]] for each, tasks in self.alone.items()})[0]

    def single(self, at: int, width: int | None = None) -> Array:
        """(n,) losses of judged rows under that network, fitted on all rows of the task."""
        wide, penalty = self.best(at, width)
        if (wide, penalty, at) not in self.served:
            task = self.tasks[at]
            (model,) = singles([task], wide, penalty, self.rng)
            self.served[wide, penalty, at] = each_loss(model, task.judge)
        return self.served[wide, penalty, at]


class Late(Exception):
    """An arm took longer than it may."""


def measure(
    tasks: list[Task],
    rng: Rng,
    arms: Sequence[str] = (),
    minutes: float = np.inf,
    penalties: Sequence[float] = PENALTIES,
) -> Measured:
    """Fit the methods and single networks as large as each.

    arms     names of the methods, all where none is given
    minutes  > 0, of an arm, after which it is given up
    """
    found = Measured(tasks, rng, penalties)
    for name, strategy in methods(arms).items():
        since = time.monotonic()
        try:
            learned(found, name, strategy, until(since + 60 * minutes))
        except StrategyError as error:
            found.refused[name] = str(error)
        except Late:
            found.refused[name] = f"it took longer than {minutes:g} minutes"
        said = found.refused.get(name) or f"penalty {found.penalty[name]:g}"
        print(f"{name}: {time.monotonic() - since:.0f} s, {said}", file=sys.stderr, flush=True)
    for wide in sorted({WIDTH, *found.width.values()}):
        for penalty in penalties:
            fitting = partial(singles, width=wide, penalty=penalty, rng=rng)
            found.alone[wide, penalty] = out_of_fold(fitting, tasks)
        print(f"single networks of width {wide}", file=sys.stderr, flush=True)
    return found


def learned(found: Measured, name: str, strategy: HardSharing | None, tick: Tick) -> None:
    """One method: folds at each penalty, then all rows at the one of least loss.

    Those that train all tasks anew for each follow plain hard sharing's penalty.
    """
    tasks, penalties = found.tasks, found.penalties
    if isinstance(strategy, AffinitySharing | AutoLambda):
        if len(tasks) > MANY:
            raise StrategyError(f"it trains {len(tasks)} tasks anew for each of them")
        penalties = [found.penalty.get("hard-sharing, equal", penalties[0])]
    fitting = partial(together, strategy, rng=found.rng, tick=tick)
    if strategy is None and (tasks[0].rows is not None or tasks[0].fit.n_classes):
        raise StrategyError(
            "its tasks are no numbers in units of their own, on rows of their own"
        )
    tried = {
        penalty: out_of_fold(partial(fitting, penalty=penalty), tasks) for penalty in penalties
    }
    best = min(tried, key=lambda each: relative_mean(tried[each], tried[penalties[0]]))
    models = fitting(tasks, penalty=best)
    pairs = zip(models, tasks, strict=True)
    found.judged[name] = [each_loss(model, task.judge) for model, task in pairs]
    found.folded[name], found.penalty[name] = told_by_others(tried), best
    size = max(parameters(model) for model in models)
    found.width[name] = width_of(tasks[0].fit, size, found.rng)


def told_by_others(tried: Mapping[Any, Losses]) -> Losses:
    """Losses out of fold, each of the setting that all *other* folds prefer.

    The least of several losses is less than any of them is worth: a setting taken and told
    by the same rows would flatter whoever has more of them to take from.

    tried  setting → task → (n,) out of fold
    """
    first = next(iter(tried.values()))
    fold = [np.arange(len(losses)) % FOLDS for losses in first]
    found = [np.zeros(len(losses)) for losses in first]
    for number in range(FOLDS):
        rest = {
            setting: [each[of != number] for each, of in zip(losses, fold, strict=True)]
            for setting, losses in tried.items()
        }
        base = next(iter(rest.values()))
        best = min(rest, key=lambda setting: relative_mean(rest[setting], base))
        for mine, theirs, of in zip(found, tried[best], fold, strict=True):
            mine[of == number] = theirs[of == number]
    return found


def relative_mean(ours: Losses, base: Losses) -> float:
    """The mean over tasks of one loss over another."""
    pairs = zip(ours, base, strict=True)
    return float(np.mean([one.mean() / other.mean() for one, other in pairs]))


def until(end: float) -> Tick:
    """Raises after that time."""

    def tick() -> None:
        if time.monotonic() > end:
            raise Late

    return tick


def methods(arms: Sequence[str] = ()) -> dict[str, HardSharing | None]:
    """One network for all, hard sharing under every balance, and every other sharing."""
    found: dict[str, HardSharing | None] = {POOLED: None}
    found |= {f"hard-sharing, {each}": HardSharing(balance=each) for each in BALANCES}
    for kind in SHARING:
        strategy = named(kind)
        assert isinstance(strategy, HardSharing)
        found[kind] = strategy
    return {name: found[name] for name in arms or found}


# ── fitting ─────────────────────────────────────────────────────────────────


def together(
    strategy: HardSharing | None,
    tasks: Sequence[Task],
    *,
    penalty: float,
    rng: Rng,
    tick: Tick,
) -> list[Any]:
    """The network served for each task, after one training; without a strategy one for all."""
    if strategy is None:
        return pooled(tasks, penalty, rng, tick)
    lessons = [Lesson(task.name, task.fit, rows=task.rows) for task in tasks]
    lessons = strategy.shared(lessons)
    model = MixedNetwork(width=WIDTH, penalty=penalty)
    if isinstance(strategy, AffinitySharing | AutoLambda):
        return [served(strategy, lessons, at, model, rng, tick) for at in range(len(tasks))]
    taught = strategy.taught(lessons, model, rng.child("fit"), tick)
    return [taught.serve(at) for at in range(len(tasks))]


def served(
    strategy: AffinitySharing | AutoLambda,
    lessons: list[Lesson],
    at: int,
    model: MixedNetwork,
    rng: Rng,
    tick: Tick,
) -> Any:
    """The network of one task, for which others are left out or weighed."""
    mine, others = lessons[at], [each for k, each in enumerate(lessons) if k != at]
    lessons = strategy.shared([mine, *others])
    if isinstance(strategy, AffinitySharing):
        kept, _ = strategy.kept(lessons, model, rng.child("affinity"), tick)
        return strategy.taught(kept, model, rng.child("fit"), tick).serve()
    order = rng.child("folds").generator().permutation(mine.view.n)
    folds = []
    for part in np.array_split(order, 3):
        rest = np.setdiff1d(order, part)
        rows = None if mine.rows is None else mine.rows[rest]
        first = replace(mine, view=take_rows(mine.view, rest), rows=rows)
        folds.append(([first, *lessons[1:]], take_rows(mine.view, part)))
    weights = strategy.learned(folds, model, rng.child("weights"), tick)
    weighed = [
        replace(each, share=each.share * weight)
        for each, weight in zip(lessons, weights, strict=True)
    ]
    return strategy.taught(weighed, model, rng.child("fit"), tick).serve()


def pooled(tasks: Sequence[Task], penalty: float, rng: Rng, tick: Tick) -> list[Any]:
    """One network for the rows of all tasks, each label in units of its own task's."""
    model = MixedNetwork(width=WIDTH, penalty=penalty)
    prepared = [model.prepare(task.fit) for task in tasks]
    own = [
        replace(t.fit, label=p.tensors["label"].double().numpy())
        for t, p in zip(tasks, prepared, strict=True)
    ]
    learned = model.fit(model.prepare(stack_views(own)), rng=rng.child("fit"), tick=tick)
    return [model.holding(each, learned.parameters()) for each in prepared]


def singles(tasks: Sequence[Task], width: int, penalty: float, rng: Rng) -> list[Any]:
    """The plain network of a width, on each task by itself."""
    model = MixedNetwork(width=width, penalty=penalty)
    return [model.fit(model.prepare(task.fit), rng=rng.child("fit")) for task in tasks]


def width_of(view: RowView, size: int, rng: Rng) -> int:
    """The least doubling of `WIDTH` at which the plain network has so many parameters."""
    width = WIDTH
    while True:
        model = MixedNetwork(width=width)
        begun = model.begin(model.prepare(view), None, rng)
        if sum(value.numel() for value in begun.values()) >= size:
            return width
        width *= 2


def parameters(model: Any) -> int:
    """How many numbers a network learned."""
    return sum(value.size for value in model.state().tensors.values())


def each_loss(model: Any, view: RowView) -> Array:
    """(n,) log loss, or the squared error of numbers."""
    assert view.label is not None
    answer = model.predict(view)
    if view.n_classes == 0:
        return np.asarray((answer.y - view.label) ** 2)
    p = answer.p[np.arange(view.n), view.label.astype(np.int64)]
    return np.asarray(-np.log(np.clip(p, 1e-9, 1.0)))


def out_of_fold(
    fitting: Callable[[list[Task]], list[Any]], tasks: list[Task], folds: int = FOLDS
) -> Losses:
    """The loss of each training row under the fit that left it out.

    A row that tasks have in common is left out of all of them at once.
    """
    found = [np.zeros(task.fit.n) for task in tasks]
    places = [np.arange(task.fit.n) if task.rows is None else task.rows for task in tasks]
    for fold in range(folds):
        parts = [place % folds == fold for place in places]
        pairs = [*zip(tasks, parts, strict=True)]
        models = fitting([task.taking(np.flatnonzero(~part)) for task, part in pairs])
        for at, (model, (task, part)) in enumerate(zip(models, pairs, strict=True)):
            rows = np.flatnonzero(part)
            found[at][rows] = each_loss(model, take_rows(task.fit, rows))
    return found
