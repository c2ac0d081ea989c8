"""Learn from solved problems what a plan puts off.

Put off is what alone takes more than a fifth of the time of trying everything, for a plan
that may take a quarter has no room for it, and what even to screen takes a twentieth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from acclimate.plans.prior import Prior, Standing
from benchmarks.choice_replay import Replay

DEAR, DEAR_TO_SCREEN = 0.2, 0.05

Name = tuple[str, str]


def kind(replay: Replay) -> str:
    return str(replay.solved.about["kind"])


def learn(replays: Sequence[Replay], provenance: Mapping[str, Any]) -> Prior:
    """The table that these problems teach."""
    kinds = dict.fromkeys(kind(replay) for replay in replays)
    found = {}
    for each in kinds:
        standings = of_kind([replay for replay in replays if kind(replay) == each])
        found[each] = {(s.strategy, s.model): s for s in standings}
    return Prior(found, provenance)


def of_kind(replays: Sequence[Replay]) -> list[Standing]:
    """Every way to transfer, those that were near the best most often first."""
    placed = [(replay, _places(replay)) for replay in replays]
    names = dict.fromkeys(name for _, places in placed for name in places)
    standings = []
    for name in names:
        told = [(replay, places[name]) for replay, places in placed if name in places]
        near = _mean([replay.near(at) for replay, at in told])
        cost = _mean([replay.cost(at) / replay.whole_cost for replay, at in told])
        screen = _mean([replay.screening(at) / replay.whole_cost for replay, at in told])
        put_off = cost > DEAR or screen > DEAR_TO_SCREEN
        standings.append(Standing(*name, len(told), near, cost, screen, put_off))
    return sorted(standings, key=lambda each: (-each.near, each.cost))


def _places(replay: Replay) -> dict[Name, int]:
    return {
        (row["strategy"], row["model"]): at
        for at, row in enumerate(replay.rows)
        if row["transfers"] and not row["remedy"]
    }


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def to_json(prior: Prior) -> str:
    """The table as it is shipped: a line an arm."""
    kinds = []
    for kind, standings in prior.kinds.items():
        rows = ",\n".join(f"   {json.dumps(asdict(each))}" for each in standings.values())
        kinds.append(f'  "{kind}": [\n{rows}\n  ]')
    inside = ",\n".join(kinds)
    provenance = json.dumps(prior.provenance, indent=1, ensure_ascii=False)
    return f'{{"provenance": {provenance},\n "kinds": {{\n{inside}\n }}}}\n'
