"""Made rows of two tasks, for ours and the peer's programs alike: NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

ROWS, ASKED = 60_000, 20_000
COLUMNS, NUMBERS, LEVELS = 20, 20, 1000
EPOCHS, BATCH, WIDTH, EXPERTS, LAYERS, TOWER = 3, 2048, 16, 4, (128, 64), 32


def made(scale: float) -> tuple[Any, Any, Any]:
    """Codes (n, 20), numbers (n, 20) and labels (n, 2); the last 20,000 rows are to be asked.

    Both labels follow the same sum of effects; the second has a product of its own.
    """
    g = np.random.default_rng(0)
    n = round(scale * ROWS) + ASKED
    codes = g.integers(0, LEVELS, (n, COLUMNS))
    numbers = g.standard_normal((n, NUMBERS)).astype(np.float32)
    effects = g.standard_normal((COLUMNS, LEVELS)) * 0.4
    score = effects[np.arange(COLUMNS), codes].sum(1)
    score += numbers @ (g.standard_normal(NUMBERS) * 0.2)
    other = 0.7 * score + numbers[:, 0] * effects[0, codes[:, 0]] - 1
    chance = 1 / (1 + np.exp(-np.stack([score, other], 1)))
    return codes, numbers, (g.random((n, 2)) < chance).astype(np.int64)


def auc(label: Any, score: Any) -> float:
    """The area under the curve, by ranks."""
    order = np.empty(len(score))
    order[np.argsort(score)] = np.arange(1, len(score) + 1)
    positive = label == 1
    many = int(positive.sum())
    return float((order[positive].sum() - many * (many + 1) / 2) / (many * (len(label) - many)))
