"""Does the verdict guard against transfer that does not help?  Known truth, made problems.

Each problem has several transfer arms and target-only arms.  The plan's rule
picks on `choose`; the package's own `paired_effect` and `judge` decide on
`judge`.  Beside it stands the control "argmax", which adopts whatever scores
best on `choose`.

`pools` makes the problems and says how their truth is known.  "false-adopt-skewed" is
beyond the promise: two arms keep their own scores, with a skewed difference.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from scipy import special, stats

from acclimate.arrays import Array, Bools
from acclimate.rng import Rng
from acclimate.verdicts import Contrast, judge, paired_effect
from benchmarks.line import Line, peak_mb
from benchmarks.pools import (
    EFFECTS,
    FAMILIES,
    HARM,
    SETTINGS,
    Pool,
    draw,
    make,
    planted,
    precision_influence,
    tilted_to_zero,
)

Z = float(special.ndtri(0.975))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--problems", type=int, default=500, help="made problems (500)")
    parser.add_argument("--seed", type=int, default=0, help="of problems and draws (0)")
    parser.add_argument(
        "--by-family", action="store_true", help="also false adoption and power by family"
    )


def run(args: argparse.Namespace) -> Iterator[Line]:
    """One line for each arm and metric, after all problems."""
    start = time.perf_counter()
    family: list[str] = []
    verdict: list[list[bool]] = []  # (problems, settings) whether it adopted
    argmax: list[list[bool]] = []
    skewed: list[bool] = []
    for i in range(args.problems):
        rng = Rng.of(args.seed).child("guard").child(i)
        pool = make(i, rng.child("pool").generator())
        shares = planted(pool, rng.child("plant").generator())
        pairs = [decide(pool, rho, n, rng.child(k)) for k, (rho, n) in shares.items()]
        family.append(pool.family)
        verdict.append([by_verdict for by_verdict, _ in pairs])
        argmax.append([by_argmax for _, by_argmax in pairs])
        if pool.label is None:
            skewed.append(decide_skewed(pool, rng.child("skewed")))
        if (i + 1) % 50 == 0:
            print(f"guard: {i + 1} of {args.problems} problems", file=sys.stderr)

    seconds, peak = round(time.perf_counter() - start, 1), round(peak_mb(), 1)
    base = Line("guard", data="made", seed=args.seed, seconds=seconds, peak_mb=peak)
    for arm, table in (("verdict", verdict), ("argmax", argmax)):
        adopted = np.array(table, dtype=bool).reshape(-1, len(SETTINGS))
        for k, column in zip(SETTINGS, adopted.T, strict=True):
            name = {0: "false-adopt", HARM: "harm"}.get(k, f"power@{k}")
            yield rate(replace(base, arm=arm, metric=name), column, float(special.ndtr(k - Z)))
    yield rate(
        replace(base, arm="verdict", metric="false-adopt-skewed"), np.array(skewed), 1 - 0.975
    )
    yield from _looked_again(args, base)
    if args.by_family:
        null = np.array(verdict)[:, SETTINGS.index(0)]
        for name in FAMILIES:
            mine = np.array(family) == name
            line = replace(base, data=f"made {name}", arm="verdict", metric="false-adopt")
            yield rate(line, null[mine], 1 - 0.975)
            for k in EFFECTS:
                line = replace(base, data=f"made {name}", arm="verdict", metric=f"power@{k}")
                column = np.array(verdict)[mine, SETTINGS.index(k)]
                yield rate(line, column, float(special.ndtr(k - Z)))


def _looked_again(args: argparse.Namespace, base: Line) -> Iterator[Line]:
    """Data that arrives, and ten procedures on one judge; see `guard_looks`."""
    from benchmarks import guard_looks as again

    peeked: dict[int, list[tuple[bool, bool]]] = {k: [] for k in again.POWERS}
    reruns: list[tuple[bool, bool]] = []
    start = time.perf_counter()
    for i in range(args.problems):
        rng = Rng.of(args.seed).child("guard again").child(i)
        pool = make(i, rng.child("pool").generator())
        if pool.label is None:
            for k in again.POWERS:
                peeked[k].append(again.arriving(pool, k, rng.child(f"peek {k}")))
        reruns.append(again.rerun(pool, rng.child("rerun")))
        if (i + 1) % 50 == 0:
            print(f"guard, again: {i + 1} of {args.problems} problems", file=sys.stderr)
    seconds, peak = round(time.perf_counter() - start, 1), round(peak_mb(), 1)
    base = replace(base, seconds=seconds, peak_mb=peak)
    for k, found in peeked.items():
        for arm, column in zip(("anytime", "fixed"), again.rates(found), strict=True):
            metric = f"peeking-power@{k}" if k else "peeking-false-adopt"
            line = rate(replace(base, arm=arm, metric=metric), column, 1 - 0.975)
            yield line if k == 0 else replace(line, reference=None)
    for arm, column in zip(("ledger", "no ledger"), again.rates(reruns), strict=True):
        yield rate(replace(base, arm=arm, metric="ten-looks-false-adopt"), column, 0.05)


def rate(line: Line, hits: Bools, reference: float) -> Line:
    """The line with a share and its Clopper–Pearson 95 % interval (Biometrika 1934)."""
    n, count, reference = int(hits.size), int(np.count_nonzero(hits)), round(reference, 6)
    if n == 0:
        return replace(line, n=0, reference=reference)
    low = float(stats.beta.ppf(0.025, count, n - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(0.975, count + 1, n - count)) if count < n else 1.0
    return replace(line, value=count / n, low=low, high=high, n=n, reference=reference)


# --- the procedure under test -------------------------------------------------------


def decide(pool: Pool, rho: float, n: int, rng: Rng) -> tuple[bool, bool]:
    """Whether the verdict adopts, and whether argmax on `choose` does."""
    g = rng.child("draw").generator()
    chosen, label = draw(pool, rho, max(30, n // 2), g)
    arm, baseline, best = choose(chosen, label, pool.transfer)
    held, label = draw(pool, rho, n, g)
    effect = paired_effect(contrast(held, label, arm, baseline), rng.child("verdict"))
    spread = float(held.std())  # a δ that is small in any metric; adoption ignores it
    return judge(effect, delta=0.01 * spread).answer == "adopt", best < pool.transfer


def decide_skewed(pool: Pool, rng: Rng) -> bool:
    """Whether the verdict adopts when unequal arms have equal means."""
    g = rng.child("draw").generator()
    arm, baseline, _ = choose(pool.scores, None, pool.transfer)
    d = pool.scores[:, arm] - pool.scores[:, baseline]
    held = d[g.choice(d.size, size=pool.n, p=tilted_to_zero(d))]
    effect = paired_effect(Contrast.of_means(held), rng.child("verdict"))
    return judge(effect, delta=0.0).answer == "adopt"


def choose(scores: Array, label: Bools | None, transfer: int) -> tuple[int, int, int]:
    """The plan's rule on `choose`: (transfer arm, binding baseline, best arm of all).

    The binding baseline is the best target-only arm; of the transfer arms the
    simplest within one standard error (of the paired difference) of the best.
    """
    arms = scores.shape[1]
    if label is None:
        value, units = scores.mean(axis=0), scores
    else:
        found = [precision_influence(scores[:, j], label) for j in range(arms)]
        value = np.array([v for v, _ in found])
        units = np.stack([u for _, u in found], axis=1)
    best = int(np.argmax(value[:transfer]))
    gap = units[:, [best]] - units[:, :transfer]
    near = value[best] - value[:transfer] <= gap.std(axis=0) / math.sqrt(len(scores))
    arm = int(np.argmax(near))
    return arm, transfer + int(np.argmax(value[transfer:])), int(np.argmax(value))


def contrast(scores: Array, label: Bools | None, arm: int, baseline: int) -> Contrast:
    """Two columns of a draw as the package's contrast."""
    if label is None:
        return Contrast.of_means(scores[:, arm] - scores[:, baseline])
    up, down = (average_precision(scores[:, j], label) for j in (arm, baseline))
    return Contrast.of_statistic(len(label), lambda w: up(w) - down(w))


def average_precision(prediction: Array, label: Bools) -> Callable[[Array], Array]:
    """PR-AUC as a function of row weights (B, n) → (B,); NaN where no positive is left."""
    order = np.argsort(-prediction, kind="stable")
    positive = np.flatnonzero(label[order])

    def score(weights: Array) -> Array:
        w = weights[:, order]
        hit = w[:, positive]
        above = np.maximum(np.cumsum(w, axis=1)[:, positive], 1e-300)
        with np.errstate(invalid="ignore"):
            ap: Array = (hit * np.cumsum(hit, axis=1) / above).sum(axis=1) / hit.sum(axis=1)
        return ap

    return score
