"""Entropic optimal transport between rows, without a matrix of them where it would be large.

Source: Cuturi, NIPS 2013 (arXiv:1306.0895): the plan γ that minimises ⟨γ, C⟩ + reg Σ γ ln γ
with marginals a and b is γ_ij = u_i exp((f_i + g_j − C_ij) / reg) v_j.  Potentials f and g
take up u and v before these grow (Schmitzer, SIAM J. Sci. Comput. 2019, section 3,
arXiv:1610.06519), and begin where each row and column has a kernel value of 1, so that no
row underflows to nothing.

C is the squared distance between rows plus, where classes are told, what a column asks of
each class.  One sweep over blocks of rows is one iteration: a block's u needs v alone, and
the next v needs what the blocks add up to.  Up to 2^20 pairs are in double precision, more
in single; the kernel is held where it takes at most `HELD` bytes, else made anew each sweep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.models.model import Tick, idle

HELD = 2**28  # bytes
BLOCK = 2**20  # pairs of rows that are looked at together
EXACT = 2**20  # pairs that are in double precision
LARGE = 12.0  # of |ln u| and |ln v|, from which on potentials take them up


@dataclass(frozen=True)
class Ground:
    """What it costs to move each row of one side to each of the other.

    xs, xt  (n, d) and (m, d), scaled so that squared distances are costs
    label   (n,) class of each row that is moved, where classes are told
    extra   (classes, m) what is added for a row of a class, or None
    """

    xs: Array
    xt: Array
    label: Ints | None = None
    extra: Array | None = None

    @property
    def precision(self) -> Any:
        return np.float64 if len(self.xs) * len(self.xt) <= EXACT else np.float32

    def blocks(self) -> Iterator[slice]:
        """Rows of `xs`, so many that a block of costs stays small."""
        size = max(BLOCK // len(self.xt), 1)
        for first in range(0, len(self.xs), size):
            yield slice(first, first + size)

    def cost(self, rows: slice) -> Array:
        """(rows, m)."""
        xs = np.asarray(self.xs[rows], self.precision)
        xt = np.asarray(self.xt, self.precision)
        found: Array = xs @ (-2 * xt.T)
        found += (xs**2).sum(axis=1)[:, None]
        found += (xt**2).sum(axis=1)
        np.maximum(found, 0.0, out=found)
        if self.extra is not None and self.label is not None:
            found += np.asarray(self.extra, self.precision)[self.label[rows]]
        return found


@dataclass(frozen=True)
class Plan:
    """Which share of each row goes where.

    u, f    (n,), v, g (m,): γ_ij = u_i exp((f_i + g_j − C_ij) / reg) v_j, columns exact
    missed  ≥ 0, Σ_i |Σ_j γ_ij − a_i| before the last round: the mass that was misplaced
    """

    ground: Ground
    reg: float
    u: Array
    v: Array
    f: Array
    g: Array
    missed: float

    def kernel(self, rows: slice) -> Array:
        """(rows, m) exp((f_i + g_j − C_ij) / reg)."""
        value = self.ground.cost(rows)
        value -= self.f[rows, None].astype(value.dtype)
        value -= self.g.astype(value.dtype)
        value *= -1.0 / self.reg
        found: Array = np.exp(value, out=value)
        return found

    def barycentres(self, onto: Array) -> Array:
        """(n, d′) Σ_j γ_ij y_j / Σ_j γ_ij: where each row lands among (m, d′) others."""
        weighted = np.column_stack([onto, np.ones(len(onto))]) * self.v[:, None]
        weighted = weighted.astype(self.ground.precision)
        moved = [self.kernel(rows) @ weighted for rows in self.ground.blocks()]
        found = np.concatenate(moved).astype(np.float64)
        landed: Array = found[:, :-1] / found[:, -1:]
        return landed

    def of_classes(self, classes: int) -> Array:
        """(classes, m) the mass that each column gets from each class."""
        label = self.ground.label
        assert label is not None
        found = np.zeros((classes, len(self.v)))
        for rows in self.ground.blocks():
            gamma = self.kernel(rows)
            gamma *= self.u[rows, None].astype(gamma.dtype)
            given = np.eye(classes, dtype=gamma.dtype)[label[rows]]  # (rows, classes)
            found += given.T @ gamma
        mass: Array = found * self.v
        return mass


def sinkhorn(
    ground: Ground,
    reg: float,
    rounds: int,
    tolerance: float,
    begin: Array | None = None,
    tick: Tick = idle,
) -> Plan:
    """The plan between equal weights on both sides.

    reg        > 0, in units of the cost
    rounds     ≥ 1, at most so many
    tolerance  ≥ 0, mass misplaced at which it is good enough
    begin      (m,) potentials of columns to begin with, 0 for none
    """
    n, m = len(ground.xs), len(ground.xt)
    g = np.zeros(m) if begin is None else begin
    # The hard potentials: each row, then each column, has a largest kernel value of 1.
    f = np.concatenate([(ground.cost(r) - g).min(axis=1) for r in ground.blocks()])
    least = [(ground.cost(r) - f[r, None]).min(axis=0) for r in ground.blocks()]
    f, g = f.astype(np.float64), np.min(least, axis=0).astype(np.float64)
    plan = Plan(ground, reg, np.ones(n), np.ones(m), f, g, np.inf)
    held = n * m * np.dtype(ground.precision).itemsize <= HELD
    kernels: dict[int, Array] = {}
    for _ in range(rounds):
        tick()
        u, v = plan.u.copy(), plan.v.astype(ground.precision)
        total, missed = np.zeros(m), 0.0
        for rows in ground.blocks():
            kernel = kernels.get(rows.start)
            if kernel is None:
                kernel = plan.kernel(rows)
                if held:
                    kernels[rows.start] = kernel
            sums = (kernel @ v).astype(np.float64)
            missed += float(np.abs(u[rows] * sums - 1.0 / n).sum())
            u[rows] = 1.0 / n / sums
            total += u[rows].astype(kernel.dtype) @ kernel
        plan = replace(plan, u=u, v=1.0 / m / total, missed=missed)
        if missed <= tolerance:
            break
        rises = np.log(n * plan.u), np.log(plan.v)
        if max(float(np.abs(rise).max()) for rise in rises) > LARGE:
            f, g = plan.f + reg * rises[0], plan.g + reg * rises[1]
            plan = replace(plan, u=np.full(n, 1.0 / n), v=np.ones(m), f=f, g=g)
            kernels.clear()
    return plan
