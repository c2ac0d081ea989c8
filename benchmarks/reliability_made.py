"""A small artifact of a made market, to release and to serve."""

from __future__ import annotations

from pathlib import Path

from acclimate.artifacts.artifact import Contents, save
from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events
from acclimate.models.model import Model
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.catalogue import models
from acclimate.tasks.recommend import Recommend
from acclimate.verdicts.verdict import Verdict


def made(
    folder: Path, users: int = 60, items: int = 40, model: Model | None = None, seed: int = 0
) -> Path:
    """The folder of an artifact that keeps to its target; model None: popular items."""
    rng = Rng.of(seed)
    target: Domain = make_events(rng.child("target"), users, items).domain
    return made_of(target, folder, model or models()["popularity"], seed)


def made_of(
    target: Domain, folder: Path, model: Model, seed: int = 0, at_most: int = 6000
) -> Path:
    """The same on a target that is given, of so many items at most."""
    rng = Rng.of(seed)
    posed = Recommend(k=10, at_most=at_most).pose(target, [], Cut(), rng)
    arm = Arm(TargetOnly(), model)
    verdict = Verdict(
        "keep-target-only", arm.name, arm.name, posed.task.metric.name, 0.0, 0.0, 0.0, 60, 0.5
    )
    contents = Contents.of(
        posed,
        arm.fit(posed.whole, rng),
        target,
        [],
        arm=arm.name,
        settings=arm.settings,
        verdict=verdict,
        plan=[],
        seed=seed,
        threads=1,
    )
    save(folder / "artifact", contents)
    return folder / "artifact"
