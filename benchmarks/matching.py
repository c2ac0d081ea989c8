"""Match the titles of one market with those of others, where the truth is known.

Markets are put into two halves by chance: `--refit` learns the weights on the first,
and everything reported is measured on the second, whose titles no weight has seen.
A source title counts as found where the proposed target has its truth and the confidence
reaches the threshold, which is chosen on the first half as well.  Intervals resample
markets.  Beside it stands how often the truth of two markets agrees where they write the
very same title: no method that reads titles can be expected to do better than that.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array, Bools, Ints, Tensor
from acclimate.domains import embeddings, matching
from acclimate.domains.evidence import NAMES, compare
from acclimate.domains.readers import is_table, read_table
from acclimate.domains.titles import words_of
from acclimate.errors import UsageError
from acclimate.rng import Rng
from acclimate.settings import settings
from benchmarks.line import Line, peak_mb

NAME = "matching"
_SMALLEST = 25  # titles of a market that is a source here
_WANTED = 0.95  # precision that the threshold is chosen for
_BINS = 10
_RESAMPLES = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="a table, or its folder")
    parser.add_argument("--title", default="product_title", help="column of titles")
    parser.add_argument("--market", default="vendor_id", help="column of markets")
    parser.add_argument("--truth", default="cluster_id", help="column: equal for one product")
    parser.add_argument("--letters", action="store_true", help="without embeddings")
    parser.add_argument("--markets", type=int, default=40, help="sources measured, by chance")
    parser.add_argument("--refit", action="store_true", help="print the weights learned anew")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Threshold of the first half; precision, recall, reliability of the second."""
    with threadpool_limits(settings().threads):
        offers = read_offers(args)
        first, second = offers.halves(Rng.of(args.seed))
        if args.refit:
            refit(offers, first, args)
            return
        yield from _measured(offers, first, second, args)


@dataclass(frozen=True)
class Offers:
    """Titles, each of a market, each with the product it truly names."""

    titles: list[str]
    market: Ints
    truth: Ints
    near: Tensor | None

    def halves(self, rng: Rng) -> tuple[Ints, Ints]:
        """Markets in two halves by chance."""
        mixed = rng.child("halves").generator().permutation(np.unique(self.market))
        return mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]

    def sources(self, half: Ints, most: int, rng: Rng) -> Ints:
        """The markets of a half that are large enough to be a source, `most` by chance."""
        names, sizes = np.unique(self.market[np.isin(self.market, half)], return_counts=True)
        large = names[sizes >= _SMALLEST]
        return np.sort(rng.child("sources").generator().permutation(large)[:most])

    def pair(self, source: int, half: Ints) -> tuple[Ints, Ints]:
        """Rows of one market, and of all others of its half."""
        others = np.isin(self.market, half) & (self.market != source)
        return np.flatnonzero(self.market == source), np.flatnonzero(others)

    def vectors(self, a: Ints, b: Ints) -> tuple[Tensor, Tensor] | None:
        return None if self.near is None else (self.near[a], self.near[b])

    def of(self, rows: Ints) -> list[str]:
        return [self.titles[row] for row in rows]


def read_offers(args: argparse.Namespace) -> Offers:
    """The table of titles; raises UsageError for a column that is not there."""
    path = args.data
    if path.is_dir():
        path = next((p for p in sorted(path.iterdir()) if is_table(p)), path)
    table = read_table(path)
    wanted = [args.title, args.market, args.truth]
    if missing := [name for name in wanted if name not in table.columns]:
        raise UsageError(
            f"Expected columns {', '.join(wanted)}; found no {', '.join(missing)} among "
            f"{', '.join(table.columns)}. Name them with --title, --market and --truth."
        )
    table = table.drop_nulls(wanted)
    titles = table[args.title].cast(str).to_list()
    codes = [
        np.unique(table[name].cast(str).to_numpy(), return_inverse=True)[1].astype(np.int64)
        for name in wanted[1:]
    ]
    near = None if args.letters else embeddings.embed(titles)[0]
    return Offers(titles, codes[0], codes[1], near)


@dataclass(frozen=True)
class Answers:
    """What was proposed for one source market.

    findable  source titles that have a counterpart
    """

    confidence: Array
    right: Bools
    findable: int


def _answers(offers: Offers, source: int, half: Ints) -> Answers:
    a, b = offers.pair(source, half)
    found = matching.propose(offers.of(a), offers.of(b), offers.vectors(a, b))
    right = offers.truth[a[found.source]] == offers.truth[b[found.target]]
    return Answers(
        found.confidence, right, int(np.isin(offers.truth[a], offers.truth[b]).sum())
    )


def _measured(
    offers: Offers, first: Ints, second: Ints, args: argparse.Namespace
) -> Iterator[Line]:
    rng = Rng.of(args.seed)
    tuned = _all(offers, first, args, rng)
    threshold = threshold_of(tuned)
    start = time.monotonic()
    held = _all(offers, second, args, rng)
    seconds = round(time.monotonic() - start, 1)
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": args.data.name,
        "arm": "letters" if args.letters else "meaning",
        "seed": args.seed,
        "source": f"{len(held)} markets",
        "target": "all others of their half",
    }
    yield Line(metric="threshold", value=threshold, n=len(tuned), **common)
    for name, level in (("threshold", threshold), ("0.9", 0.9), ("0.5", 0.5)):
        for metric in ("precision", "recall"):
            value, low, high = interval(held, metric, level, rng)
            yield Line(
                metric=f"{metric} at {name}",
                value=value,
                low=low,
                high=high,
                n=sum(answer.findable for answer in held),
                seconds=seconds,
                peak_mb=round(peak_mb()),
                **common,
            )
    confidence = np.concatenate([answer.confidence for answer in held])
    right = np.concatenate([answer.right for answer in held])
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for number in range(_BINS):
        inside = place == number
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
            yield Line(
                metric=f"right where confidence is {confidence[inside].mean():.3f}",
                value=float(right[inside].mean()),
                n=int(inside.sum()),
                **common,
            )
    yield Line(metric="calibration error", value=float(error), n=len(right), **common)
    share, pairs = agreement(offers, second)
    yield Line(metric="truth agrees where titles are equal", value=share, n=pairs, **common)


def _all(offers: Offers, half: Ints, args: argparse.Namespace, rng: Rng) -> list[Answers]:
    found = []
    for source in offers.sources(half, args.markets, rng):
        found.append(_answers(offers, int(source), half))
        print(f"[{len(found)}] {len(found[-1].right):,} titles", file=sys.stderr)
    return found


def threshold_of(answers: list[Answers]) -> float:
    """The lowest confidence above which precision is as wanted; else the 0.9 of a reader."""
    confidence = np.concatenate([answer.confidence for answer in answers])
    right = np.concatenate([answer.right for answer in answers])
    order = np.argsort(-confidence, kind="stable")
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= _WANTED)
    return float(confidence[order[enough[-1]]]) if len(enough) else 0.9


def interval(
    answers: list[Answers], metric: str, level: float, rng: Rng
) -> tuple[float, float, float]:
    """Precision or recall at a confidence, with the 95 % interval over markets."""
    table = np.array(
        [
            (
                answer.right[answer.confidence >= level].sum(),
                (answer.confidence >= level).sum()
                if metric == "precision"
                else answer.findable,
            )
            for answer in answers
        ],
        float,
    )
    draws = rng.child("markets").generator().integers(len(table), size=(_RESAMPLES, len(table)))
    sums = table[draws].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / np.maximum(sums[:, 1], 1), [0.025, 0.975])
    total = table.sum(axis=0)
    return float(total[0] / max(total[1], 1)), float(low), float(high)


def agreement(offers: Offers, half: Ints) -> tuple[float, int]:
    """How often the truth agrees between markets that write the very same words."""
    rows = np.flatnonzero(np.isin(offers.market, half))
    words = np.array([" ".join(words_of(offers.titles[row])) for row in rows])
    same = pairs = 0
    order = np.argsort(words, kind="stable")
    edges = np.flatnonzero(np.r_[True, words[order][1:] != words[order][:-1], True])
    for start, end in itertools.pairwise(edges):
        group = rows[order[start:end]]
        a, b = np.triu_indices(len(group), 1)
        apart = offers.market[group[a]] != offers.market[group[b]]
        pairs += int(apart.sum())
        same += int((offers.truth[group[a]] == offers.truth[group[b]])[apart].sum())
    return same / max(pairs, 1), pairs


def refit(offers: Offers, half: Ints, args: argparse.Namespace) -> None:
    """Print the weights that the markets of a half teach, as `matchweights` holds them."""
    rng = Rng.of(args.seed)
    read: list[Array] = []
    truth: list[Bools] = []
    pairs = []
    jobs = [offers.pair(int(m), half) for m in offers.sources(half, args.markets, rng)]
    # Beside all others, each market also meets one other, as markets do.
    alone = offers.sources(half, args.markets, rng)
    jobs += [
        (np.flatnonzero(offers.market == a), np.flatnonzero(offers.market == b))
        for a, b in zip(alone, np.roll(alone, 1), strict=True)
    ]
    for a, b in jobs:
        evidence = compare(offers.of(a), offers.of(b), offers.vectors(a, b))
        pairs.append(evidence)
        read.append(matching.features(evidence))
        truth.append(offers.truth[a[evidence.source]] == offers.truth[b[evidence.target]])
        print(f"[{len(pairs)}/{len(jobs)}] {len(truth[-1]):,} pairs", file=sys.stderr)
    weights, bias = _logistic(np.concatenate(read), np.concatenate(truth))
    chosen, right = [], []
    for evidence, each, true in zip(pairs, read, truth, strict=True):
        best, choice = matching.choose(evidence, each @ weights + bias)
        chosen.append(np.column_stack([choice, each[best]]))
        right.append(true[best])
    choice_weights, choice_bias = _logistic(np.concatenate(chosen), np.concatenate(right))
    name = "BY_LETTERS" if args.letters else "BY_MEANING"
    assert len(weights) == len(NAMES) + len(matching.PRODUCTS)
    print(
        f"{name} = Weights(\n    {_numbers(weights)},\n    {bias:.4f},\n"
        f"    {_numbers(choice_weights)},\n    {choice_bias:.4f},\n)"
    )


def _numbers(values: Array) -> str:
    return f"({', '.join(f'{value:.4f}' for value in values)})"


def _logistic(x: Array, y: Bools) -> tuple[Array, float]:
    """Weights and bias for the columns as they are."""
    from sklearn.linear_model import LogisticRegression

    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    fitted = LogisticRegression(C=1.0, max_iter=500).fit((x - centre) / scale, y)
    weights = fitted.coef_[0] / scale
    return weights, float(fitted.intercept_[0] - weights @ centre)
