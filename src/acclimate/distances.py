"""How far every market is from every other: a source × target matrix of one measure.

Before: markets that are each a source or a target for some.  After: a person sees which markets
lie together, and which source is nearest to a target that is still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.domains.markets import Market
from acclimate.errors import AcclimateError
from acclimate.options import Options
from acclimate.tasks.task import Task
from acclimate.workflow import assess

# form → measure; of rows high is far, of ids high is near
MEASURES = {"rows": "a-distance", "items": "items-event-overlap", "tokens": "tokens-overlap"}


@dataclass(frozen=True)
class Distances:
    """One measure of every pair.

    cells  (source, target) → value, p; a pair that could not be measured is not there
    why    target → why it could not be measured
    """

    measure: str
    cells: dict[tuple[str, str], tuple[float, float | None]]
    why: dict[str, str]

    def as_rows(self) -> list[dict[str, Any]]:
        """A row a source, a column a target, by name."""
        targets = dict.fromkeys(target for _, target in self.cells)
        return [
            {
                "source": source,
                **{target: self._cell(source, target) for target in targets},
            }
            for source in dict.fromkeys(source for source, _ in self.cells)
        ]

    def _cell(self, source: str, target: str) -> float | None:
        found = self.cells.get((source, target))
        return None if found is None else found[0]


def distances(
    task: Task, markets: Sequence[Market], options: Options | None = None
) -> Distances:
    """Measure every market as a target of all the others, in turn.

    markets  ≥ 2
    """
    measure, cells, why = MEASURES[task.form], {}, {}
    for position, target in enumerate(markets):
        others = [each for number, each in enumerate(markets) if number != position]
        try:
            found = assess(task, others, target, options)
        except AcclimateError as error:
            why[str(target)] = str(error)
            continue
        for gap in found:
            if gap.measure == measure:
                cells[gap.source, gap.target] = gap.value, gap.p
    return Distances(measure, cells, why)
