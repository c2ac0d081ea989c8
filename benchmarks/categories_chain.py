"""The chain for a category left out: shared body, held; adapter; meta-learned head.

Before: `categories` learned the tasks together under one body.  After: a target's network,
fitted on few rows of it.

1. The shared body is held, bit for bit.
2. An adapter behind it learns, through the held heads, the labels of all tasks that share,
   against a discriminator of their rows and the target's rows to fit on (`adapter-dann`):
   it reads no label of the target, so that other classes are no obstacle.
3. A head is meta-learned on the held body and adapter: the tasks that share are the
   episodes (`meta-head`).  It descends on the target's rows for as many steps as rows left
   out bear, at the rate that they prefer.

Departure: classes of two categories have no meaning in common.  What they share is a place:
class k of each is the product that its category sold k-th most, so that a head meta-learned
across them begins at how popular a place is, and for whom.  Places that no category has
begin as the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.arrays import Ints
from acclimate.domains.episodes import Episodes, Group
from acclimate.domains.view import RowView
from acclimate.models.design import stack_views
from acclimate.models.model import idle
from acclimate.models.network import Batch, Losses, Params, Step
from acclimate.rng import Rng
from acclimate.strategies.feature.adversarial import AdapterDann, domain_loss, ramp, reverse
from acclimate.strategies.feature.aligning import Shape
from acclimate.strategies.meta.episodic import Lessons
from acclimate.strategies.meta.metahead import MetaHead
from benchmarks.multitask_data import Task

if TYPE_CHECKING:
    import torch

FOLDS = 3
SHOTS = 32  # rows to learn from in an episode, and as many to be asked
NEVER = -30.0  # the score of a place that a category does not have


def chained(target: RowView, shared: Sequence[Task], models: Sequence[Any], rng: Rng) -> Any:
    """The target's network.

    target  its rows to fit on
    shared  the tasks that share, and under `models` what serves each: one body, a head each
    """
    rows, groups = stacked(shared)
    body = aligned(target, rows, groups, models, rng.child("adapter"))
    fold = rng.child("folds").generator().permutation(target.n) % FOLDS
    tried = []
    rates = (MetaHead().alpha, 5 * MetaHead().alpha)  # those of its grid
    for number, strategy in enumerate(MetaHead(alpha=rate) for rate in rates):
        start = meta_learned(strategy, body, rows, groups, rng.child(f"head/{number}"))
        tried.append(descended(strategy, start, target, fold, rng.child("descent")))
    return min(tried, key=lambda each: each[0])[1]


def stacked(tasks: Sequence[Task]) -> tuple[RowView, list[Group]]:
    """The rows to fit on of all tasks, as of one label: the place among those sold most."""
    places = max(task.fit.n_classes for task in tasks)
    views = [replace(task.fit, n_classes=places) for task in tasks]
    groups, start = [], 0
    for task, view in zip(tasks, views, strict=True):
        assert view.label is not None
        at = np.arange(start, start + view.n)
        groups.append(Group(task.name, at, view.label.astype(np.int64)))
        start += view.n
    return stack_views(views), groups


# ── the adapter ─────────────────────────────────────────────────────────────


def aligned(
    target: RowView, rows: RowView, groups: Sequence[Group], models: Sequence[Any], rng: Rng
) -> Any:
    """The shared body with an adapter, under the mean of the tasks' heads."""
    import torch

    method = AdapterDann()
    network = replace(models[0], adapter=method.adapter, fitted=None)
    prepared = network.prepare(rows)
    kept = [each.parameters() for each in models]
    heads = [
        torch.stack([padded(each[name], rows.n_classes, fill) for each in kept])
        for name, fill in (("head.weight", 0.0), ("head.bias", NEVER))
    ]
    begun = network.begin(prepared, None, rng.child("begin"))
    begun |= {name: kept[0][name] for name in models[0].body()}
    begun |= {"head.weight": heads[0].mean(0), "head.bias": heads[1].mean(0)}
    moving = network.adapters()
    task = np.repeat(np.arange(len(groups)), [group.n for group in groups])
    stream = network.stream(prepared, None, moving)
    stream = replace(stream, tensors={**stream.tensors, "task": torch.from_numpy(task)})
    blind = network.prepare(replace(target, label=None, n_classes=rows.n_classes))
    shape = Shape(network.width, rows.n_classes, len(groups))
    beside = method.beside(shape, rng)
    return network.learn(
        prepared,
        against(network, heads, method.strength),
        {"rows": stream, "target": network.stream(blind, None, moving)},
        method.tuning(beside, moving),
        begun=begun,
        beside=beside,
        rows=stream.mass,
        steps=network.steps(stream),
        rng=rng,
    )


def against(network: Any, heads: Sequence[torch.Tensor], strength: float) -> Step:
    """The losses of a step: labels through the head of each row's task, and who is whose.

    heads  (tasks, places, width) and (tasks, places), held
    """
    import torch
    import torch.nn.functional as F

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        rows = batches["rows"]
        theirs = network.features(params, rows)
        ours = network.features(params, batches["target"])
        weight, bias = (each[rows["task"]] for each in heads)
        scores = (weight @ theirs.unsqueeze(-1)).squeeze(-1) + bias
        scale = strength * ramp(progress)
        sides = reverse(theirs, scale), reverse(ours, scale)
        told = domain_loss(params, *sides, torch.ones(len(theirs)))
        return {"label": F.cross_entropy(scores, rows["label"]), "domain": told}

    return step


def padded(value: torch.Tensor, places: int, fill: float | None = None) -> torch.Tensor:
    """(places, …) the first rows of a head, further ones filled, or as the last one."""
    import torch

    more = max(0, places - len(value))
    last = value[-1:] if fill is None else torch.full_like(value[-1:], fill)
    return torch.cat([value[:places], last.expand(more, *value.shape[1:])])


# ── the head ────────────────────────────────────────────────────────────────


def meta_learned(
    strategy: MetaHead, body: Any, rows: RowView, groups: Sequence[Group], rng: Rng
) -> Any:
    """The body under a head from which descents on the tasks go furthest."""
    prepared = body.prepare(rows)
    params = body.parameters()
    seen, loss = strategy.seen(body, params, prepared, idle)
    shots = min(SHOTS, *(group.n // 2 for group in groups))
    drawn = Episodes("domain", tuple(groups), shots, shots, rng.child("drawn"))
    lessons = Lessons(prepared, params, seen, loss, drawn)
    return strategy.learned(body, lessons, rng, idle)


def descended(
    strategy: MetaHead, start: Any, target: RowView, fold: Ints, rng: Rng
) -> tuple[float, Any]:
    """The target's network, and its loss on folds left out."""
    import torch

    network = replace(start, fitted=None)
    prepared = network.prepare(target)
    params = start.parameters()
    for name in start.heads():
        params[name] = padded(params[name], target.n_classes)
    seen, loss = strategy.seen(network, params, prepared, idle)
    learner = strategy.learner(loss, start.heads())

    def fitted(at: Ints, key: Rng) -> Params:
        some = {name: value[torch.from_numpy(at)] for name, value in seen.items()}
        parts = key.child("parts").generator().permutation(len(at)) % FOLDS
        steps = learner.best_stop(params, some, parts, key.child("stops"))
        return learner.descend(params, some, steps, key.child("descent"))

    total = 0.0
    for number in range(FOLDS):
        now = fitted(np.flatnonzero(fold != number), rng.child(f"{number}"))
        held = np.flatnonzero(fold == number)
        rest = {name: value[torch.from_numpy(held)] for name, value in seen.items()}
        with torch.no_grad():
            total += float(loss(now, rest)) * len(held)
    whole = fitted(np.arange(target.n), rng.child("all"))
    return total, network.holding(prepared, whole)
