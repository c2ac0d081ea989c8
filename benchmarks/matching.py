"""Match the titles of one market with those of another, where the truth is known.

Markets are put into two halves by chance: `--refit` learns the weights on the first, and
everything reported is measured on the second, whose titles no weight has seen.  Two ways
to ask:

    pairs   every ordered pair of two markets with at least 50 titles each and 20 products
            in common; what `acclimate crosswalk` is for, and does: one market's ids
            become another's
    others  one market against all others of its half thrown together, 40 of them by chance;
            harder, as most products are there several times under labels that disagree

A source title counts as found where the proposed target has its truth and the confidence
reaches the threshold, which is chosen on the first half.  All pairs count together.
Intervals resample markets; a pair counts as often as both of its markets together.  Beside
it stands how often the truth agrees where two markets write the very same title: no method
that reads titles can be expected to do better than that.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array, Ints
from acclimate.domains import matching
from acclimate.rng import Rng
from acclimate.settings import settings
from benchmarks.line import Line, peak_mb
from benchmarks.offers import Answers, Offers, agreement, read_offers
from benchmarks.refit import refit

NAME = "matching"
_WANTED = 0.95  # precision that the threshold is chosen for
_FOUND = 0.6  # recall at which precision is reported
_BINS = 10
_RESAMPLES = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="a table, or its folder")
    parser.add_argument("--title", default="product_title", help="column of titles")
    parser.add_argument("--market", default="vendor_id", help="column of markets")
    parser.add_argument("--truth", default="cluster_id", help="column: equal for one product")
    parser.add_argument("--kind", default="category_label", help="column to report by")
    parser.add_argument("--letters", action="store_true", help="without embeddings")
    parser.add_argument("--against", choices=("pairs", "others"), default="pairs")
    parser.add_argument("--markets", type=int, default=40, help="others: markets measured")
    parser.add_argument("--tune", action="store_true", help="look at the first half alone")
    parser.add_argument("--refit", action="store_true", help="print the weights learned anew")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Threshold of the first half; precision, recall, reliability of the second."""
    with threadpool_limits(settings().threads):
        rng = Rng.of(args.seed)
        offers = read_offers(args)
        first, second = offers.halves(rng)
        if args.refit:
            print(refit(offers, first, args.letters))
            return
        start = time.process_time()
        tuned = answers(offers, first, args, rng)
        held = tuned if args.tune else answers(offers, second, args, rng)
        common: dict[str, Any] = {
            "benchmark": NAME,
            "data": args.data.name,
            "arm": "letters" if args.letters else "meaning",
            "seed": args.seed,
            "seconds": round(time.process_time() - start, 1),
            "peak_mb": round(peak_mb()),
            "source": f"{len({each.source for each in held})} markets",
            "target": "another" if args.against == "pairs" else "all others of their half",
        }
        threshold = threshold_of(tuned)
        yield Line(metric="threshold", value=threshold, n=len(tuned), **common)
        yield from _measured(held, threshold, common, rng)
        yield from _by_kind(offers, held, threshold, common, rng)
        if args.against == "pairs":
            yield from _ceiling(offers, held, common)


def answers(offers: Offers, half: Ints, args: argparse.Namespace, rng: Rng) -> list[Answers]:
    """What is proposed for the markets of a half."""
    if args.against == "pairs":
        jobs = [(s, t, *offers.two(s, t)) for s, t in offers.pairs(half)]
    else:
        sources = offers.sources(half, args.markets, rng)
        jobs = [(int(s), -1, *offers.others(int(s), half)) for s in sources]
    found = []
    for source, target, a, b in jobs:
        got = matching.propose(offers.of(a), offers.of(b), offers.vectors(a, b))
        right = (offers.truth[a[got.source]] == offers.truth[b[got.target]]).astype(float)
        findable = a[np.isin(offers.truth[a], offers.truth[b])]
        found.append(
            Answers(
                source, target, a[got.source], got.confidence, right.astype(float), findable
            )
        )
        if len(found) % 20 == 0:
            print(f"[{len(found)}/{len(jobs)}]", file=sys.stderr)
    return found


def _measured(
    held: list[Answers], threshold: float, common: dict[str, Any], rng: Rng
) -> Iterator[Line]:
    n = sum(len(each.findable) for each in held)
    for name, level in (("threshold", threshold), ("0.95", 0.95), ("0.9", 0.9), ("0.5", 0.5)):
        for metric in ("precision", "recall"):
            value, low, high = interval(held, lambda w, m=metric, at=level: rate(w, m, at), rng)
            yield Line(
                metric=f"{metric} at {name}", value=value, low=low, high=high, n=n, **common
            )
    for name, of in (
        (f"precision at recall {_FOUND}", precision_at_recall),
        (f"recall at precision {_WANTED}", recall_at_precision),
    ):
        value, low, high = interval(held, of, rng)
        yield Line(metric=name, value=value, low=low, high=high, n=n, **common)
    confidence = np.concatenate([each.confidence for each in held])
    right = np.concatenate([each.right for each in held])
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for number in range(_BINS):
        inside = place == number
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
            name = f"right where confidence is {confidence[inside].mean():.3f}"
            yield Line(metric=name, value=right[inside].mean(), n=int(inside.sum()), **common)
    yield Line(metric="calibration error", value=float(error), n=len(right), **common)


def _by_kind(
    offers: Offers, held: list[Answers], threshold: float, common: dict[str, Any], rng: Rng
) -> Iterator[Line]:
    kinds = sorted(set(offers.kind))
    for kind in kinds if len(kinds) > 1 else []:
        rows = np.flatnonzero(offers.kind == kind)
        part = [each.only(rows) for each in held]
        n = sum(len(each.findable) for each in part)
        for metric in ("precision", "recall"):
            value, low, high = interval(part, lambda w, m=metric: rate(w, m, threshold), rng)
            name = f"{metric} at threshold, {kind}"
            yield Line(metric=name, value=value, low=low, high=high, n=n, **common)


def _ceiling(offers: Offers, held: list[Answers], common: dict[str, Any]) -> Iterator[Line]:
    found = agreement(offers, [(each.source, each.target) for each in held])
    rows = np.concatenate([row for row, _ in found])
    right = np.concatenate([each for _, each in found])
    name = "truth agrees where titles are equal"
    yield Line(metric=name, value=float(right.mean()), n=len(rows), **common)
    kinds = sorted(set(offers.kind[rows]))
    for kind in kinds if len(kinds) > 1 else []:
        of = right[offers.kind[rows] == kind]
        yield Line(metric=f"{name}, {kind}", value=float(of.mean()), n=len(of), **common)


Weighed = list[tuple[float, Answers]]


def rate(weighed: Weighed, metric: str, level: float) -> float:
    """Precision or recall at a confidence."""
    right = sum(w * float(a.right[a.confidence >= level].sum()) for w, a in weighed)
    if metric == "precision":
        of = sum(w * int((a.confidence >= level).sum()) for w, a in weighed)
    else:
        of = sum(w * len(a.findable) for w, a in weighed)
    return right / max(of, 1e-9)


def curve(weighed: Weighed) -> tuple[Array, Array, Array]:
    """Confidence, falling, with precision and recall down to each."""
    confidence = np.concatenate([a.confidence for _, a in weighed])
    order = np.argsort(-confidence, kind="stable")
    weight = np.concatenate([np.full(len(a.right), w) for w, a in weighed])[order]
    right = np.cumsum(np.concatenate([a.right for _, a in weighed])[order] * weight)
    findable = sum(w * len(a.findable) for w, a in weighed)
    return confidence[order], right / np.cumsum(weight), right / max(findable, 1e-9)


def precision_at_recall(weighed: Weighed) -> float:
    """Of the most confident proposals, as many as find the wanted share; 0: never found."""
    _, precision, recall = curve(weighed)
    enough = np.flatnonzero(recall >= _FOUND)
    return float(precision[enough[0]]) if len(enough) else 0.0


def recall_at_precision(weighed: Weighed) -> float:
    """The largest share found while the wanted share of proposals is right."""
    _, precision, recall = curve(weighed)
    enough = np.flatnonzero(precision >= _WANTED)
    return float(recall[enough[-1]]) if len(enough) else 0.0


def threshold_of(answers: list[Answers]) -> float:
    """The lowest confidence above which precision is as wanted; else the 0.9 of a reader."""
    confidence, precision, _ = curve([(1.0, each) for each in answers])
    enough = np.flatnonzero(precision >= _WANTED)
    return float(confidence[enough[-1]]) if len(enough) else 0.9


def interval(held: list[Answers], of: Any, rng: Rng) -> tuple[float, float, float]:
    """A figure of all answers, with its 95 % interval over markets."""
    markets = np.unique([m for each in held for m in (each.source, each.target) if m >= 0])
    place = {int(m): i for i, m in enumerate(markets)}
    generator = rng.child("markets").generator()
    values = []
    for _ in range(_RESAMPLES if len(held) < 100 else _RESAMPLES // 5):
        times = np.bincount(
            generator.integers(len(markets), size=len(markets)), minlength=len(markets)
        )
        weight = [
            float(times[place[each.source]])
            * (times[place[each.target]] if each.target >= 0 else 1.0)
            for each in held
        ]
        kept = [(w, each) for w, each in zip(weight, held, strict=True) if w]
        if kept:
            values.append(of(kept))
    low, high = np.quantile(values, [0.025, 0.975])
    return of([(1.0, each) for each in held]), float(low), float(high)
