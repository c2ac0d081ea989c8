"""Does the verdict guard against transfer that does not help?  Known truth, made problems.

Each problem has several transfer arms and target-only arms.  The plan's rule
picks on `choose`; the package's own `paired_effect` and `judge` decide on
`judge`.  Beside it stands the control "argmax", which adopts whatever scores
best on `choose`.

How the truth is known: a problem is a large pool of units with one score for
each arm, and `choose` and `judge` are independent draws from it.  In every
drawn unit the scores are dealt to the arms at random, which makes all arms
exchangeable: exactly no effect, whatever the scores' distribution.  For an
effect of k standard errors, a share ρ of the units instead gives its better
scores to the transfer arms (k > 0) or to the target-only arms (k < 0), with ρ
solved from the pool.  Zeros stay zeros and tails stay tails.

"false-adopt-skewed" is beyond the promise: the two arms keep their own scores,
with a skewed difference, and the pool is tilted until its mean is exactly 0.

The four families: `ndcg` (zero heavy, correlated), `log-loss` (made
probabilities, some overconfident), `fitted` (logistic models really fitted on
made source and target rows), `pr-auc` (no mean over units).
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats

from acclimate.arrays import Array, Bools
from acclimate.rng import Rng
from acclimate.verdicts import Contrast, judge, paired_effect
from benchmarks.line import Line, peak_mb

Generator = np.random.Generator

POOL = 20_000  # units of a problem's population
SMALLEST, LARGEST = 60, 3000  # units of a judge
EFFECTS = (1, 2, 3, 4, 5)  # standard errors of the paired difference on the judge
HARM = -2
SETTINGS = (0, HARM, *EFFECTS)
Z = float(special.ndtri(0.975))


@dataclass(frozen=True)
class Pool:
    """The population of one problem.

    scores    (POOL, arms) unit scores, or predictions in [0, 1] where `label` is given
    transfer  number of transfer arms; they come first, the simplest first
    label     (POOL,) whether the row is positive: the score is PR-AUC, not a mean
    n         units of the judge; `choose` has half as many
    """

    family: str
    scores: Array
    transfer: int
    n: int
    label: Bools | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--problems", type=int, default=500, help="made problems (500)")
    parser.add_argument("--seed", type=int, default=0, help="of problems and draws (0)")
    parser.add_argument(
        "--by-family", action="store_true", help="also false adoption by family"
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
    if args.by_family:
        null = np.array(verdict)[:, SETTINGS.index(0)]
        for name in FAMILIES:
            column = null[np.array(family) == name]
            line = replace(base, data=f"made {name}", arm="verdict", metric="false-adopt")
            yield rate(line, column, 1 - 0.975)


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


def precision_influence(prediction: Array, label: Bools) -> tuple[float, Array]:
    """PR-AUC and each row's influence on it (n,), the derivative by its share of weight."""
    n = len(label)
    order = np.argsort(-prediction, kind="stable")
    positive = label[order].astype(np.float64)
    count = max(float(positive.sum()), 1.0)
    hits, rows = np.cumsum(positive), np.arange(1, n + 1)
    precision = hits / rows
    value = float(positive @ precision) / count
    # A row counts in the precision of every positive at or below it.
    gain = np.cumsum((positive / rows)[::-1])[::-1]
    loss = np.cumsum((positive * hits / rows**2)[::-1])[::-1]
    influence = np.empty(n)
    influence[order] = n / count * (positive * (gain + precision - value) - loss)
    return value, influence


# --- the truth ----------------------------------------------------------------------


def draw(pool: Pool, rho: float, n: int, g: Generator) -> tuple[Array, Bools | None]:
    """n independent units (n, arms); a share |ρ| favours transfer (ρ > 0) or target-only."""
    row = g.integers(len(pool.scores), size=n)
    label = None if pool.label is None else pool.label[row]
    return dealt(pool.scores[row], label, pool.transfer, rho, g), label


def dealt(scores: Array, label: Bools | None, transfer: int, rho: float, g: Generator) -> Array:
    """Each unit's scores dealt to the arms at random, or sorted in favour of one side."""
    even = g.permuted(scores, axis=1)
    order = -np.sort(-scores, axis=1)  # best first
    if label is not None:
        order = np.where(label[:, None], order, order[:, ::-1])
    if rho < 0:
        order = order[:, ::-1]
    favour = np.hstack(
        [g.permuted(order[:, :transfer], axis=1), g.permuted(order[:, transfer:], axis=1)]
    )
    return np.where(g.random(len(scores))[:, None] < abs(rho), favour, even)


def planted(pool: Pool, g: Generator) -> dict[int, tuple[float, int]]:
    """For each effect of k standard errors the share ρ and the judge's units.

    Where even ρ = 0.95 is too little for k = 5 (few units, nearly all zero), the
    judge of every setting but the first has more units.
    """
    seed = int(g.integers(2**31))
    share = {sign: _share(pool, sign, seed) for sign in (-1, 1)}
    shares: dict[int, tuple[float, int]] = {0: (0.0, pool.n)}
    enough = pool.n
    while share[1](max(EFFECTS), enough) > 0.95:
        enough = math.ceil(1.25 * enough)
    for k in SETTINGS[1:]:
        sign = 1 if k > 0 else -1
        shares[k] = (sign * share[sign](abs(k), enough), enough)
    return shares


def _share(pool: Pool, sign: int, seed: int) -> Callable[[float, int], float]:
    """ρ(k, n) ≥ 0 that favours transfer (sign 1) or target-only (sign −1) by k errors."""
    if pool.label is not None:
        return _of_precision(pool, pool.label, sign, seed)
    best = -np.sort(-pool.scores, axis=1)
    cut = pool.transfer if sign > 0 else best.shape[1] - pool.transfer
    top, bottom = best[:, :cut], best[:, cut:]
    # ρM = k·√((ρB + (1−ρ)A − ρ²M²)/n), with A and B the mean squared differences.
    m = float(top.mean() - bottom.mean())
    a = float(2 * pool.scores.var(axis=1, ddof=1).mean())
    b = float(((top[:, :, None] - bottom[:, None, :]) ** 2).mean())

    def share(k: float, n: int) -> float:
        square = m**2 * (n / k**2 + 1)
        return (b - a + math.sqrt((b - a) ** 2 + 4 * square * a)) / (2 * square)

    return share


def _of_precision(
    pool: Pool, label: Bools, sign: int, seed: int
) -> Callable[[float, int], float]:
    """ρ(k, n) for PR-AUC, to first order: effect and spread of the whole pool on a grid."""
    grid = np.linspace(0, 1, 11)
    ratio = np.empty(grid.size)
    start = 0.0
    for i, rho in enumerate(grid):
        # The same deal for every ρ, so that its noise, the effect at ρ = 0, cancels.
        g = np.random.default_rng(seed)
        deal = dealt(pool.scores, label, pool.transfer, sign * rho, g)
        up, by_up = precision_influence(deal[:, 0], label)
        down, by_down = precision_influence(deal[:, -1], label)
        start = up - down if i == 0 else start
        ratio[i] = sign * (up - down - start) / (by_up - by_down).std()
    ratio = np.maximum.accumulate(ratio)

    def share(k: float, n: int) -> float:
        return float(np.interp(k / math.sqrt(n), ratio, grid))

    return share


def tilted_to_zero(d: Array) -> Array:
    """Draw probabilities ∝ exp(λd) under which the mean of d is 0 (found by bisection)."""
    x = d / max(float(d.std()), 1e-300)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        p = special.softmax(middle * x)
        low, high = (low, middle) if p @ x > 0 else (middle, high)
    return np.asarray(p, dtype=np.float64)


# --- the families -------------------------------------------------------------------


def make(i: int, g: Generator) -> Pool:
    """The i-th problem: its family in turn, all else drawn."""
    family = list(FAMILIES)[i % len(FAMILIES)]
    transfer, alone = int(g.integers(2, 6)), int(g.integers(1, 4))
    n = int(np.exp(g.uniform(np.log(SMALLEST), np.log(LARGEST))))
    scores, label = FAMILIES[family](transfer + alone, transfer, g)
    if label is not None:
        n = max(n, math.ceil(20 / label.mean()))  # 20 positives expected
    return Pool(family, scores, transfer, n, label)


Made = tuple[Array, Bools | None]


def ndcg(arms: int, transfer: int, g: Generator) -> Made:
    """nDCG@10 of one relevant item a user: a hit with probability .03 to .4, else 0."""
    together = g.uniform(0.3, 0.9)
    taste = g.normal(size=(POOL, 1))
    place = math.sqrt(together) * taste + math.sqrt(1 - together) * g.normal(size=(POOL, arms))
    rank = np.floor(10 * special.ndtr(place) / g.uniform(0.03, 0.4, size=arms))
    return np.where(rank < 10, 1 / np.log2(2 + rank), 0.0), None


def log_loss(arms: int, transfer: int, g: Generator) -> Made:
    """Log-likelihoods of made probabilities; an arm up to 3 times too sure of itself."""
    truth = g.normal(g.uniform(-3, 0), g.uniform(0.5, 2), size=(POOL, 1))
    label = g.random((POOL, 1)) < special.expit(truth)
    noise = g.uniform(0.2, 1.2, arms) * g.normal(size=(POOL, arms))
    logit = g.uniform(0.6, 3, arms) * (truth + noise)
    return special.log_expit(np.where(label, logit, -logit)), None


def fitted(arms: int, transfer: int, g: Generator) -> Made:
    """Logistic models fitted on made rows: pooled, anchored at the source, or alone."""
    d, rows = 8, int(g.integers(40, 400))
    beta = g.normal(size=d) * 0.7
    source = beta + g.uniform(0, 0.6) * g.normal(size=d)
    x_s, x_t, x = (g.normal(size=(m, d)) for m in (4000, rows, POOL))
    y_s = g.random(4000) < special.expit(x_s @ source - 1)
    y_t = g.random(rows) < special.expit(x_t @ beta - 1)
    y = g.random(POOL) < special.expit(x @ beta - 1)
    start = logistic(x_s, y_s, np.ones(4000), 1.0, np.zeros(d + 1))
    everything = np.vstack([x_s, x_t]), np.concatenate([y_s, y_t])
    models = []
    for j in range(transfer):
        if j % 2 == 0:  # source rows at a falling weight
            weight = np.r_[np.full(4000, 0.3**j), np.ones(rows)]
            models.append(logistic(*everything, weight, 1.0, np.zeros(d + 1)))
        else:
            models.append(logistic(x_t, y_t, np.ones(rows), 10.0**j, start))
    for j in range(arms - transfer):
        models.append(logistic(x_t, y_t, np.ones(rows), 10.0 ** (j - 1), np.zeros(d + 1)))
    logit = np.stack([x @ b[1:] + b[0] for b in models], axis=1)
    return special.log_expit(np.where(y[:, None], logit, -logit)), None


def pr_auc(arms: int, transfer: int, g: Generator) -> Made:
    """Predictions for a rare label, correlated between arms."""
    truth = g.normal(size=(POOL, 1))
    label = g.random(POOL) < special.expit(2 * truth[:, 0] - g.uniform(1.5, 4))
    return special.expit(truth + g.uniform(0.5, 1.5) * g.normal(size=(POOL, arms))), label


def logistic(x: Array, y: Bools, weight: Array, penalty: float, anchor: Array) -> Array:
    """Weighted logistic regression (d + 1,), ridge towards `anchor`, by 8 Newton steps."""
    design = np.column_stack([np.ones(len(x)), x])
    b = anchor.copy()
    for _ in range(8):
        p = special.expit(design @ b)
        slope = design.T @ (weight * (p - y)) + penalty * (b - anchor)
        curve = (design.T * (weight * p * (1 - p))) @ design + penalty * np.eye(len(b))
        b = b - np.linalg.solve(curve, slope)
    return b


FAMILIES: dict[str, Callable[[int, int, Generator], Made]] = {
    "ndcg": ndcg,
    "log-loss": log_loss,
    "fitted": fitted,
    "pr-auc": pr_auc,
}
