"""Made problems whose truth is known: pools of unit scores, and draws from them.

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

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from acclimate.arrays import Array, Bools

Generator = np.random.Generator

POOL = 20_000  # units of a problem's population
SMALLEST, LARGEST = 60, 3000  # units of a judge
EFFECTS = (1, 2, 3, 4, 5)  # standard errors of the paired difference on the judge
HARM = -2
SETTINGS = (0, HARM, *EFFECTS)


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


def planted_at(pool: Pool, k: float, n: int, g: Generator) -> float:
    """The share ρ of an effect of k ≥ 0 standard errors on n units; 0 where k is 0."""
    return _share(pool, 1, int(g.integers(2**31)))(k, n) if k else 0.0


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
