"""Adam over tables of which each step touches few rows, at the cost of those rows.

Dense Adam moves every row at every step: where no gradient comes, the momentum of earlier
ones still does.  A step therefore costs what the whole table costs, and four times the data
cost twelve times the time.  Here a row pays its debt when it is next touched, in closed form:
k steps without a gradient after step L move it by

    − rate · m/√v · Σ_{j=1..k} r^j c_{L+j},   r = β₁/√β₂,   c_t = √(1 − β₂^t) / (1 − β₁^t)

and leave β₁^k m and β₂^k v.  With S_L = r (c_{L+1} + S_{L+1}) the sum is S_L − r^k S_{L+k}.

Source: Kingma & Ba, "Adam", ICLR 2015 (arXiv:1412.6980), Algorithm 1, with the efficient
order of section 2.
Departure: ε is left out of the steps without a gradient; in the others it is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from acclimate.arrays import Ints, Tensor

SMALL = np.float32(1e-30)  # keeps 0/0 of rows that had no gradient yet at 0


@dataclass
class LazyAdam:
    """A table under Adam.  `take` rows, then `give` their gradient, once a step.

    table  (n, d) float32, changed in place; whole only after `settle`
    steps  ≥ 1, how many there will be
    rate   > 0
    """

    table: Tensor
    steps: int
    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        t = np.arange(self.steps + 2, dtype=np.float64)
        self._r = self.beta1 / np.sqrt(self.beta2)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._c = np.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t)
        tail = np.zeros(self.steps + 2)
        for at in range(self.steps, -1, -1):
            tail[at] = self._r * (self._c[at + 1] + tail[at + 1])
        self._tail = tail
        self._powers = np.stack([x**t for x in (self._r, self.beta1, self.beta2)])
        self._m = np.zeros_like(self.table)
        self._v = np.zeros_like(self.table)
        self._last = np.zeros(len(self.table), np.int64)
        self._held: tuple[Tensor, ...] = ()

    def take(self, rows: Ints) -> Tensor:
        """(k, d) what the rows are at the next step, all debts paid.

        rows  (k,) each once
        """
        self.step += 1
        self._held = self._paid(rows, self.step - 1)
        return self._held[0]

    def give(self, rows: Ints, gradient: Tensor) -> None:
        """Move the rows that were just taken.

        gradient  (k, d), overwritten
        """
        p, m, v = self._held
        m *= np.float32(self.beta1)
        v *= np.float32(self.beta2)
        scaled = gradient * np.float32(1.0 - self.beta1)
        m += scaled
        gradient *= gradient
        gradient *= np.float32(1.0 - self.beta2)
        v += gradient
        np.sqrt(v, out=gradient)
        gradient += np.float32(self.eps * np.sqrt(1.0 - self.beta2**self.step))
        np.divide(m, gradient, out=scaled)
        scaled *= np.float32(self.rate * self._c[self.step])
        p -= scaled
        self.table[rows], self._m[rows], self._v[rows] = p, m, v
        self._last[rows] = self.step

    def settle(self) -> Tensor:
        """The whole table after the last step taken."""
        everything = np.arange(len(self.table))
        p, m, v = self._paid(everything, self.step)
        self.table[:], self._m[:], self._v[:] = p, m, v
        self._last[:] = self.step
        return self.table

    def _paid(self, rows: Ints, now: int) -> tuple[Tensor, Tensor, Tensor]:
        """Parameters, momentum and squares of rows as they are after step `now`."""
        p, m, v = (np.take(each, rows, axis=0) for each in (self.table, self._m, self._v))
        last = self._last[rows]
        k = now - last
        debt = self._tail[last] - self._powers[0][k] * self._tail[now]
        moved = np.sqrt(v)
        moved += SMALL
        np.divide(m, moved, out=moved)
        moved *= (self.rate * debt).astype(np.float32)[:, None]
        p -= moved
        m *= self._powers[1][k].astype(np.float32)[:, None]
        v *= self._powers[2][k].astype(np.float32)[:, None]
        return p, m, v
