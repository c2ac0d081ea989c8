"""Adapting a rich market of a million pairs to a small one of 11,000, and as good as anew.

The union is retrained by EASE on both; adapting draws the small market's EASE towards the
rich one's, which is solved once and for every market.  Five small markets are drawn, each
with 1,000 users whose last item is to be found among all 5,000 on offer; settings were
chosen on three other draws (seeds 100 to 102).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from acclimate.arrays import Array, Ints, Strings
from acclimate.domains.exam import Ranking, RankQuery
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.models.ease import Ease
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, TargetOnly
from acclimate.strategies.relation.itemprior import ItemItemPrior, SourceSettings, given_items
from benchmarks.line import Line, peak_mb
from benchmarks.programs.launch_data import launch
from benchmarks.programs.watch import Watch
from benchmarks.races import Measured

DRAWS = 5
RECORDED = 6.2  # seconds of BPR on the union, in compiled loops on two threads
MOST_SECONDS, LEAST_SHARE = 1.0, 0.95
RESAMPLES = 2000
PRIOR = ItemItemPrior(strength=30.0, source_penalty=100.0)
ADAPTED, UNION = Arm(PRIOR, Ease(30.0)), Arm(Pooled(), Ease(100.0))
ARMS = (
    Arm(TargetOnly(), Popularity()),
    Arm(TargetOnly(), ItemKnn()),
    Arm(TargetOnly(), Ease(30.0)),
    UNION,
    ADAPTED,
)


@dataclass(frozen=True)
class Asked:
    """A small market with its source, and the catalogue position each user takes last."""

    problem: Problem
    wanted: Ints


def asked(seed: int, scale: float = 1.0) -> Asked:
    """A drawn small market beside the rich one, which is the same for every seed.

    scale  times a million pairs in the rich one
    """
    made = launch(scale, seed)
    offered = np.sort(made.offered)
    user, item = made.target
    users = ids(np.arange(len(made.ask)), "u")
    fit = Interactions(user, np.searchsorted(offered, item), users, ids(offered, "i"))
    rich = [np.unique(each, return_inverse=True) for each in made.source]
    (who, of), (sold, what) = rich
    source = Source("rich", Interactions(of, what, ids(who, "s"), ids(sold, "i")))
    problem = Problem("small", fit, (source,), Claim.LATER, ItemRecipe(fit.items))
    return Asked(problem, np.searchsorted(offered, made.wanted))


def ids(numbers: Ints, letter: str) -> Strings:
    """Numbers as ids."""
    found: Strings = np.array([f"{letter}{number:07d}" for number in numbers], dtype=object)
    return found


def gains(arm: Arm, case: Asked) -> tuple[Watch, Array]:
    """What a fit took, and nDCG@10 of each user."""
    with Watch() as watch:
        fitted = arm.fit(case.problem, Rng.of(0))
    fit = case.problem.fit
    assert isinstance(fit, Interactions)
    ranking = fitted.predict(RankQuery(fit.users, None, 10), fit)
    assert isinstance(ranking, Ranking)
    hit = ranking.items == case.wanted[:, None]
    found = np.where(hit.any(axis=1), 1.0 / np.log2(hit.argmax(axis=1) + 2.0), 0.0)
    return watch, found


def adapting(rounds: int, seed: int, data: Path | None, scale: float = 1.0) -> Iterator[Line]:
    """Seconds and nDCG of each way, the share of the union's nDCG, and how much sooner.

    rounds  is not looked at: there are as many laps as draws
    """
    laps: dict[str, list[tuple[Watch, Array]]] = {arm.name: [] for arm in ARMS}
    prepared: list[float] = []
    for draw in range(DRAWS):
        case = asked(7 + DRAWS * seed + draw, scale)
        settings = SourceSettings.for_recipe(case.problem.recipe, PRIOR.source_penalty)
        with Watch() as watch:
            given_items(case.problem.sources[0], settings)
        prepared.append(watch.seconds)
        for arm in ARMS:
            laps[arm.name].append(gains(arm, case))
    common: dict[str, Any] = {
        "benchmark": "speed",
        "data": f"{scale:g} million pairs to 11,000, {DRAWS} draws",
        "source": "rich",
        "target": "small",
        "seed": seed,
    }
    seconds = {name: median(each[0].seconds for each in lap) for name, lap in laps.items()}
    used = {name: median(each[0].processor for each in lap) for name, lap in laps.items()}
    found = {name: np.concatenate([each[1] for each in lap]) for name, lap in laps.items()}
    n = len(found[UNION.name])
    some = Rng.of(seed).child("users").generator().integers(0, n, (RESAMPLES, n))
    means = {name: each[some].mean(axis=1) for name, each in found.items()}
    yield Line(arm="preparing the source", metric="seconds", value=max(prepared), n=1, **common)
    for name, each in found.items():
        low, high = np.quantile(means[name], [0.025, 0.975])
        yield Line(
            arm=name,
            metric="ndcg@10",
            value=float(each.mean()),
            low=float(low),
            high=float(high),
            n=n,
            seconds=seconds[name],
            peak_mb=round(peak_mb()),
            **common,
        )
    shares = means[ADAPTED.name] / means[UNION.name]
    low, high = np.quantile(shares, [0.025, 0.975])
    yield Line(
        arm=ADAPTED.name,
        metric="share of the union's ndcg@10",
        value=float(found[ADAPTED.name].mean() / found[UNION.name].mean()),
        low=float(low),
        high=float(high),
        n=n,
        reference=LEAST_SHARE,
        **common,
    )
    yield Line(
        arm=ADAPTED.name,
        metric="seconds",
        value=seconds[ADAPTED.name],
        n=DRAWS,
        reference=MOST_SECONDS,
        **common,
    )
    yield Line(
        arm=ADAPTED.name, metric="cpu_seconds", value=used[ADAPTED.name], n=DRAWS, **common
    )
    for peer, ratio in (
        (f"{UNION.name}, by the processor", used[UNION.name] / used[ADAPTED.name]),
        ("BPR on the union, as recorded on another day", RECORDED / seconds[ADAPTED.name]),
    ):
        yield Line(
            arm=ADAPTED.name,
            metric="ratio",
            value=ratio,
            ratio=ratio,
            peer=peer,
            n=DRAWS,
            **common,
        )


RACES = (Measured("adapting", adapting, "recommend"),)
