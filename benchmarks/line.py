"""One line of a benchmark's result: the same keys for every benchmark.

A benchmark is a module that exposes

    add_arguments(parser)              its own options, `--seed` included
    run(args) -> Iterator[Line]        lines as soon as each is known

and that has an entry in `benchmarks/__main__.py`.  Progress goes to stderr.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from dataclasses import asdict, dataclass
from typing import Any

_ONLY_IF_SET = ("verdict", "ratio", "peer", "why", "fitted_on")


@dataclass(frozen=True)
class Line:
    """A measured number with its interval.  What is missing is None, printed as null.

    benchmark       its name in the registry
    data            which data, in words or a folder's name
    source, target  domains, several sources joined by "+"
    arm, metric     what was measured, and how
    value           in the metric's units, with low and high of its 95 % interval
    n               independent units behind `value`
    seconds         wall time of the work behind this line
    peak_mb         largest resident memory of the process so far, MB of 10⁶ bytes
    reference       what the value should be near: a theory or a published number
    verdict         an answer with its numbers, on lines that carry one
    ratio, peer     times as fast as which other library, on lines about speed
    why             why there is no value, on lines of arms that do not apply or did not end
    fitted_on       what else an arm was fitted on, where that is more than training rows
    """

    benchmark: str
    data: str | None = None
    source: str | None = None
    target: str | None = None
    arm: str | None = None
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    seed: int | None = None
    seconds: float | None = None
    peak_mb: float | None = None
    reference: float | None = None
    verdict: dict[str, Any] | None = None
    ratio: float | None = None
    peer: str | None = None
    why: str | None = None
    fitted_on: str | None = None

    def as_row(self) -> dict[str, Any]:
        """The fourteen common keys, and those of `_ONLY_IF_SET` where they are set."""
        row = {}
        for key, value in asdict(self).items():
            if value is None and key in _ONLY_IF_SET:
                continue
            known = not isinstance(value, float) or math.isfinite(value)
            row[key] = value if known else None
        return row

    def to_json(self) -> str:
        """`as_row` as one line of JSON."""
        return json.dumps(self.as_row(), ensure_ascii=False, allow_nan=False)


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB of 10⁶ bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6
