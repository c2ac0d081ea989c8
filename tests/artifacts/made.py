"""Tiny markets, and artifacts fitted on them as `adapt` would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from acclimate.artifacts.artifact import Artifact, Contents
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.domains.split import Cut
from acclimate.models.model import Model
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Posed, Task
from acclimate.verdicts.verdict import provisional

TASKS: dict[str, Task] = {"items": Recommend(k=5), "rows": Classify(), "tokens": Tag()}


def events(seed: int, users: int = 24, items: int = 15) -> pl.DataFrame:
    """CustomerID, StockCode, InvoiceDate; popular items have small numbers."""
    generator = np.random.default_rng(seed)
    n = 8 * users
    return pl.DataFrame(
        {
            "CustomerID": [str(100 + n) for n in generator.integers(0, users, n)],
            "StockCode": [f"i{n}" for n in (items * generator.random(n) ** 2).astype(int)],
            "InvoiceDate": [f"2024-0{1 + i * 8 // n}-{1 + i % 28:02d}" for i in range(n)],
        }
    )


def rows(seed: int, n: int = 120) -> pl.DataFrame:
    """amount, browser, comment, signup, time, fraud; more amount, more fraud."""
    generator = np.random.default_rng(seed)
    amount = generator.lognormal(3, 1, n).round(2)
    browser = generator.choice(["firefox", "safari", "edge"], n)
    odds = np.log(amount) - 3 + (browser == "edge")
    fraud = generator.random(n) < 1 / (1 + np.exp(-odds))
    words = np.array(
        ["gift for mother please wrap", "leave with the neighbour", "asap thank you"]
    )
    comment = [f"{words[generator.integers(3)]} {generator.integers(10**6)}" for _ in range(n)]
    return pl.DataFrame(
        {
            "amount": amount,
            "browser": browser,
            "comment": comment,
            "signup": [f"2023-0{1 + i % 9}-11" for i in range(n)],
            "time": [f"2024-03-{1 + i % 28:02d} {i % 24:02d}:30:00" for i in range(n)],
            "fraud": np.where(fraud, "yes", "no"),
        }
    )


def texts(seed: int, n: int = 60) -> list[dict[str, object]]:
    """Titles with a brand at their start."""
    generator = np.random.default_rng(seed)
    brands, things = ("acme", "globex", "initech"), ("kettle", "lamp", "chair")
    titles = [
        (brands[generator.integers(3)], f"{things[generator.integers(3)]} {i % 7} cm")
        for i in range(n)
    ]
    return [
        {"text": f"{brand} {thing}", "spans": [[0, len(brand), "BRAND"]]}
        for brand, thing in titles
    ]


def contents(folder: Path, model: Model, posed_for: Task | None = None) -> Contents:
    """A model fitted on a made target, with what an artifact keeps of the run."""
    markets = []
    for name, seed in (("jp", 1), ("us", 2)):
        path = folder / "markets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        markets.append(open_market(_written(path, model.form, seed)))
    return of_markets(markets, model, posed_for or TASKS[model.form])


def of_markets(markets: Sequence[Domain], model: Model, task: Task) -> Contents:
    """The same on markets that are given, the target first."""
    posed: Posed = task.pose(markets[0], markets[1:], Cut(), Rng.of(0))
    arm = Arm(TargetOnly(), model)
    return Contents.of(
        posed,
        arm.fit(posed.whole, Rng.of(0)),
        markets[0],
        markets[1:],
        arm=arm.name,
        settings=arm.settings,
        verdict=provisional(arm="pooled/ease", metric=posed.task.metric.name),
        plan=[{"arm": arm.name, "reason": "what transfer must beat"}],
        seed=0,
        threads=1,
    )


def _written(path: Path, form: str, seed: int) -> Path:
    """The file of a made market for a form."""
    if form == "tokens":
        file = path.with_suffix(".jsonl")
        file.write_text("".join(f"{json.dumps(row)}\n" for row in texts(seed)), "utf-8")
        return file
    file = path.with_suffix(".csv")
    (events(seed) if form == "items" else rows(seed)).write_csv(file)
    return file


def in_memory(made: Contents) -> Artifact:
    """The same contents as if they had been loaded."""
    return Artifact(made, Path("nowhere"), "0" * 64, "0")
