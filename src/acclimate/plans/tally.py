"""How many arms of a plan ended how: counted here, said alike wherever it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from acclimate.plurals import number_of


@dataclass(frozen=True)
class Tally:
    """Every arm that applies, by its status.

    done       has an answer
    failed     its data or its formula did not let it; why is told beside it
    abandoned  the budget ended before it did, or before it began
    """

    done: int
    failed: int
    abandoned: int

    @classmethod
    def of(cls, statuses: Iterable[str]) -> Tally:
        """Raises ValueError for a status that no trial has."""
        found = [*statuses]
        if strange := set(found) - {"done", "failed", "abandoned"}:
            raise ValueError(f"no status of a trial: {', '.join(sorted(strange))}")
        return cls(*(found.count(name) for name in ("done", "failed", "abandoned")))

    @property
    def arms(self) -> int:
        return self.done + self.failed + self.abandoned

    def __str__(self) -> str:
        ends = (("done", self.done), ("failed", self.failed), ("abandoned", self.abandoned))
        listed = ", ".join(f"{n:,} {name}" for name, n in ends if n)
        return f"{number_of(self.arms, 'arm')}: {listed or 'none'}"
