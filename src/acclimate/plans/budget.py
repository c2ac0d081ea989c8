"""A budget in seconds.  It can only abandon a trial, never change a result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident

from acclimate.errors import UsageError
from acclimate.tasks.task import Posed

ALONE = "target-only"  # without which nothing can be judged
WRITING = 0.05  # of a budget, for what is written in the end
BASELINES = (ALONE, "source-only", "pooled")


class OutOfBudget(Exception):
    """Raised by a tick inside a trial; the runner turns it into the status `abandoned`."""


@dataclass
class Budget:
    """Seconds for a whole adaptation, with a reserve to judge and ship.

    seconds  > 0, finite
    clock    a monotonic clock; tests give their own
    twice    every arm is fitted once more after the trials, as a vote asks for
    growth   ≥ 1, times as many observations as the trials' fits have that what ships is fitted
             on: target-only, and a way to transfer
    due      ≥ 0, seconds of trials that must still come, set by who promised them
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    twice: bool = False
    growth: tuple[float, float] = (1.0, 1.0)
    due: float = 0.0
    _start: float = field(init=False)
    _before: float = field(init=False, default=0.0)
    stopped: bool = field(init=False, default=False)
    _slowest: dict[str, float] = field(init=False, default_factory=dict)
    _fits: float = field(init=False, default=0.0)
    _running: dict[int, tuple[str, float]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise UsageError(
                f"Expected a budget in seconds, finite and above 0; found {self.seconds:g}."
            )
        self._start = self.clock()

    @property
    def spent(self) -> float:
        """Seconds since the start, and those of trials taken from a run before this one."""
        return self.clock() - self._start + self._before

    def take(self, seconds: float) -> None:
        """A trial was taken from a run that did not end; what it took then is spent."""
        self._before += seconds

    @property
    def left(self) -> float:
        """Seconds that trials may still use; negative where they are over."""
        return self.seconds - self.reserve - self.due - self.spent

    @property
    def reserve(self) -> float:
        """Seconds kept back: what is still to be fitted, as measured, and a tenth to judge.

        Judging fits target-only, source-only, pooled and the chosen arm once more; each may be
        the slowest of its kind, and the chosen one the slowest of all that transfer.  Then the
        slower of it and target-only ships, fitted on more.  Where every arm is fitted twice, as
        much as all fits so far took, and one more.
        """
        slowest = dict(self._slowest)
        for kind, start in [*self._running.values()]:
            slowest[kind] = max(slowest.get(kind, 0.0), self.spent - start)
        if self.twice:
            again = self._fits + max(slowest.values(), default=0.0)
        else:
            alone = slowest.get(ALONE, 0.0)
            chosen = max((s for kind, s in slowest.items() if kind != ALONE), default=0.0)
            judged = sum(slowest.get(kind, 0.0) for kind in BASELINES) + chosen
            again = judged + max(alone * self.growth[0], chosen * self.growth[1])
        return min(again + 0.1 * self.seconds, 0.8 * self.seconds)

    @contextmanager
    def fitting(self, kind: str, before: float = 0.0) -> Iterator[None]:
        """Measure the fit of an arm of a kind of strategy, and what it takes to answer.

        before  seconds that encoding for it took, which fitting it again will take again

        An arm that takes longer than all before is still to be fitted twice more if it is
        chosen: it counts while it runs, and is abandoned where that is too much.
        """
        start = self.spent - before
        # The first target-only arm has to end: without it nothing can be judged.
        bound = kind != ALONE or ALONE in self._slowest
        if bound and not self.twice:
            self._running[get_ident()] = (kind, start)
        try:
            yield
        finally:
            self._running.pop(get_ident(), None)
        self.saw_fit(kind, self.spent - start)

    def saw_fit(self, kind: str, seconds: float) -> None:
        """Tell the budget how long one fit of a kind of strategy took."""
        self._slowest[kind] = max(self._slowest.get(kind, 0.0), seconds)
        self._fits += seconds

    def tick(self) -> None:
        """Raises OutOfBudget once trials have used their share, or were stopped."""
        if self.stopped or self.left < 0:
            raise OutOfBudget

    def stop(self) -> None:
        """No trial goes on; what was finished is still judged."""
        self.stopped = True

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """What must still be fitted to be judged goes on after a stop."""
        stopped, self.stopped = self.stopped, False
        try:
            yield
        finally:
            self.stopped = self.stopped or stopped

    def allows(self, seconds: float) -> bool:
        """Whether so much is left of the whole, reserve included; never after a stop."""
        return not self.stopped and self.seconds - self.spent >= seconds

    def keeping(self, seconds: float) -> Callable[[], None]:
        """A tick that raises OutOfBudget once less than this is left of the whole."""

        def tick() -> None:
            if self.seconds - self.spent < seconds:
                raise OutOfBudget

        return tick

    def part(self, share: float) -> Callable[[], None]:
        """A tick that raises OutOfBudget once so much of the whole was used from now on.

        share  0 … 1
        """
        until = self.spent + share * self.seconds

        def tick() -> None:
            if self.spent > until:
                raise OutOfBudget

        return tick

    def closing_tick(self) -> None:
        """Raises OutOfBudget once there is time left to ship one slow fit and to write."""
        self.keeping(max(self._slowest.values(), default=0.0) + WRITING * self.seconds)()


def growth(posed: Posed) -> tuple[float, float]:
    """How many times as many observations what ships is fitted on as the trials' fits have."""
    fit, whole = posed.problem.fit.n, posed.whole.fit.n
    theirs = sum(source.n for source in posed.problem.sources)
    every = sum(source.n for source in posed.whole.sources)
    grown = whole / max(fit, 1), (whole + every) / max(fit + theirs, 1)
    return max(grown[0], 1.0), max(grown[1], 1.0)
