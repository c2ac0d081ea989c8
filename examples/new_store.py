"""A new store learns from two old ones, on made events: the Python API from end to end.

Run it from anywhere: `python examples/new_store.py`.  The events are made so that the
stores share tastes; the new store has few households.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

import acclimate as ac
from acclimate.domains.synthetic import make_events
from acclimate.rng import Rng


def main() -> None:
    rng = Rng.of(0)
    north = make_events(rng.child("north"), 600, 80, name="north").domain
    south = make_events(rng.child("south"), 600, 80, name="south").domain
    new = make_events(rng.child("new"), 120, 80, name="new").domain
    with tempfile.TemporaryDirectory() as folder:
        result = ac.adapt(
            task=ac.Recommend(k=5),
            sources=[north, south],
            target=new,
            out=folder,
            budget_seconds=60,
        )
        print(result.leaderboard.select("arm", "value", "low", "high", "status"))
        print(result.verdict)
        households = pl.DataFrame({"user_id": ["new-u0", "somebody new"]})
        print(ac.predict(Path(folder) / "artifact", households, k=3))


if __name__ == "__main__":
    main()
