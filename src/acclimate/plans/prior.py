"""What other problems taught of the arms: which take too much of a plan's time to be tried.

`prior.json` is a small table learned from problems that were solved exhaustively; it says
which and how many (`python -m benchmarks choice --cached --learn`).  For each kind of
problem it holds how every way to transfer did there under every model, and what it takes.

Before: `plan` listed what applies.  After: `halving` acts on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.strategies.arm import Arm

TABLE = Path(__file__).with_name("prior.json")


@dataclass(frozen=True)
class Standing:
    """How one arm did on the solved problems of a kind that it applied to.

    problems  how many
    near      0 … 1, the share in which it was within a standard error of the best on `choose`
    cost      0 … 1, its share of the time of trying everything
    screen    0 … 1, the share that screening it takes
    put_off   whether trying it, or screening it, takes too much of everything
    """

    strategy: str
    model: str
    problems: int
    near: float
    cost: float
    screen: float
    put_off: bool

    @property
    def why(self) -> str:
        """Why it is put off, in words."""
        return (
            f"put off: on {self.problems} solved problems of this kind it took {self.cost:.0%} "
            f"of the time of trying everything, and was within a standard error of the best in "
            f"{self.near:.0%} of them; name it with --strategy to try it"
        )


@dataclass(frozen=True)
class Prior:
    """Standings by kind of problem and (strategy, model).

    provenance  the command, the data and how many problems, in plain values
    """

    kinds: Mapping[str, Mapping[tuple[str, str], Standing]]
    provenance: Mapping[str, Any]

    def why_put_off(self, kind: str, arm: Arm) -> str | None:
        """Why an arm is put off; None where it is not, or nothing is known of it."""
        found = self.kinds.get(kind, {}).get((arm.strategy.kind, arm.model.kind))
        return found.why if found is not None and found.put_off else None


def kind_of(task: str, problem: Problem) -> str:
    """What experience is kept apart by: the task, and whether its rows hold texts.

    task  its kind, such as "classify"
    """
    types = problem.fit.types.values() if isinstance(problem.fit, Rows) else ()
    return f"{task}-texts" if ColumnType.TEXT in types else task


def of_json(text: str) -> Prior:
    """The table that a file holds."""
    plain = json.loads(text)
    kinds = {
        kind: {(row["strategy"], row["model"]): Standing(**row) for row in rows}
        for kind, rows in plain["kinds"].items()
    }
    return Prior(kinds, plain["provenance"])


@cache
def shipped() -> Prior:
    """The table that comes with acclimate."""
    return of_json(TABLE.read_text(encoding="utf-8"))
