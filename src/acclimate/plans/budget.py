"""A budget in seconds.  It can only abandon a trial, never change a result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from acclimate.errors import UsageError


class OutOfBudget(Exception):
    """Raised by a tick inside a trial; the runner turns it into the status `abandoned`."""


@dataclass
class Budget:
    """Seconds for a whole adaptation, with a reserve to judge and ship.

    seconds  > 0, finite
    clock    a monotonic clock; tests give their own
    twice    every arm is fitted once more after the trials, as a vote asks for
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    twice: bool = False
    _start: float = field(init=False)
    _slowest_fit: float = field(init=False, default=0.0)
    _fits: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise UsageError(
                f"Expected a budget in seconds, finite and above 0; found {self.seconds:g}."
            )
        self._start = self.clock()

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._start

    @property
    def left(self) -> float:
        """Seconds that trials may still use; negative where they are over."""
        return self.seconds - self.reserve - self.spent

    @property
    def reserve(self) -> float:
        """Seconds kept back: five more fits as slow as the slowest, and a tenth to judge.

        Judging refits up to four arms and shipping one.  Where every arm is fitted twice,
        as much as all fits so far took, and one more.
        """
        again = self._fits + self._slowest_fit if self.twice else 5 * self._slowest_fit
        return min(again + 0.1 * self.seconds, 0.8 * self.seconds)

    def saw_fit(self, seconds: float) -> None:
        """Tell the budget how long one fit took."""
        self._slowest_fit = max(self._slowest_fit, seconds)
        self._fits += seconds

    def tick(self) -> None:
        """Raises OutOfBudget once trials have used their share."""
        if self.left < 0:
            raise OutOfBudget

    def allows(self, seconds: float) -> bool:
        """Whether so much is left of the whole, reserve included."""
        return self.seconds - self.spent >= seconds

    def keeping(self, seconds: float) -> Callable[[], None]:
        """A tick that raises OutOfBudget once less than this is left of the whole."""

        def tick() -> None:
            if not self.allows(seconds):
                raise OutOfBudget

        return tick

    def closing_tick(self) -> None:
        """Raises OutOfBudget once there is time left for shipping one slow fit, and no more."""
        self.keeping(self._slowest_fit)()
