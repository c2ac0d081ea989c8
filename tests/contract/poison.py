"""Scenes whose exam, or whose sources' future, is poisoned; what may be seen is the same.

Each is cut with shares that put the boundaries where the clean scene has them,
although there are more or fewer observations behind them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from tests.contract.cases import Scene


def with_table(domain: Domain, name: str, frame: pl.DataFrame) -> Domain:
    """The domain with another table under a name."""
    return Domain(domain.name, {**domain.tables, name: frame}, domain.schema, domain.findings)


def parts_of(scene: Scene) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, str]:
    """Fit, choose and judge of a scene cut by time, and the table they are in."""
    name = main_table(scene.target)
    frame = scene.target.tables[name]
    if name == "events":
        frame = frame.unique(["user", "item"], keep="first", maintain_order=True)
    frame = frame.sort("time")
    assert scene.cut.judge is not None
    judge_from = int(frame.height * (1 - scene.cut.judge))
    share = 1 - scene.cut.choose
    # As `cut_events` and `cut_rows` count: of all, and of what is left.
    choose_from = (
        int(frame.height * (1 - scene.cut.judge) * share)
        if name == "events"
        else int(judge_from * share)
    )
    return frame[:choose_from], frame[choose_from:judge_from], frame[judge_from:], name


def poisoned(scene: Scene, kind: str) -> Scene:
    """The scene with another choose and judge part.

    kind  "values": other features, labels or items; "more": further rows as well;
          "fewer": rows are gone from both parts
    """
    fit, choose, judge, name = parts_of(scene)
    if kind == "fewer":
        choose, judge = choose[: choose.height * 2 // 3], judge[: judge.height // 2]
    spoil = SPOILED[name]
    choose, judge = spoil(choose), spoil(judge)
    if kind == "more":
        choose, judge = doubled(choose), doubled(judge)
    whole = pl.concat([fit, choose, judge])
    pool = fit.height + choose.height
    cut = replace(
        scene.cut,
        judge=1 - (pool + 0.5) / whole.height,
        choose=1 - (fit.height + 0.5) / (pool + (0.5 if name == "events" else 0)),
    )
    return replace(scene, target=with_table(scene.target, name, whole), cut=cut)


def cross_fitted(scene: Scene) -> tuple[Scene, Scene]:
    """A scene whose choose part is made by cross-fitting, and one with a poisoned judge."""
    cut = replace(scene.cut, cross_below=10**6)
    fit, choose, judge, name = parts_of(scene)
    spoiled = pl.concat([fit, choose, spoiled_rows(judge)])
    other = with_table(scene.target, name, spoiled)
    return replace(scene, cut=cut), replace(scene, cut=cut, target=other)


def left_out(scene: Scene) -> tuple[Scene, Scene]:
    """Leave-last-out: each user's last two items, and the same with others in their place."""
    first = scene.target.tables["events"].unique(
        ["user", "item"], keep="first", maintain_order=True
    )
    left = pl.len().over("user") - 1 - pl.int_range(pl.len()).over("user")
    asked = (pl.len().over("user") >= 3) & (left < 2)
    spoiled = first.with_columns(
        pl.when(asked).then(pl.format("spoiled-{}", left)).otherwise("item").alias("item")
    )
    cut = Cut(0.3, 0.25, by="last")
    return (
        replace(scene, target=with_table(scene.target, "events", first), cut=cut),
        replace(scene, target=with_table(scene.target, "events", spoiled), cut=cut),
    )


def late_sources(scene: Scene, clock: datetime) -> Scene:
    """The scene with other things in its sources after a clock: values, rows, users, items."""
    spoiled = []
    for source in scene.sources:
        name = main_table(source)
        frame = source.tables[name]
        early, late = (
            frame.filter(pl.col("time") <= clock),
            frame.filter(pl.col("time") > clock),
        )
        assert late.height > 5, "nothing of this source is late"
        late = SPOILED[name](late)
        spoiled.append(with_table(source, name, pl.concat([early, doubled(late)])))
    return replace(scene, sources=tuple(spoiled))


def spoiled_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Labels flipped, or numbers all 1; every feature and other label replaced; times stay."""
    flipped = pl.when(pl.col("label") == "1").then(pl.lit("0")).otherwise(pl.lit("1"))
    names = [each for each in frame.columns if each.startswith("x")]
    return frame.with_columns(
        flipped.alias("label"),
        *(pl.Series(each, np.linspace(-1e6, 1e6, frame.height)) for each in names),
        *(
            pl.lit("spoiled words").alias(each)
            for each in ("group", "other", "note")
            if each in frame.columns
        ),
    )


def spoiled_events(frame: pl.DataFrame) -> pl.DataFrame:
    """Half of the events name items nobody knew, the others other users; times stay.

    No pair occurs twice, so that as many events are counted as there are.
    """
    new_item = pl.int_range(pl.len()) % 2 == 0
    moment = pl.col("time").dt.epoch("us")
    return frame.with_columns(
        user=pl.when(new_item).then("user").otherwise(pl.format("spoiled-u{}", moment)),
        item=pl.when(new_item).then(pl.format("spoiled-{}", moment)).otherwise("item"),
    )


def spoiled_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Other words, all of them one brand; times stay."""
    words = [json.dumps([f"spoiled{number}", "words"]) for number in range(frame.height)]
    return frame.with_columns(
        tokens=pl.Series(words), spans=pl.lit(json.dumps([[0, 2, "BRAND"]]))
    )


SPOILED = {"rows": spoiled_rows, "events": spoiled_events, "texts": spoiled_texts}


def main_table(domain: Domain) -> str:
    """The table that a domain's task is about."""
    return next(name for name in SPOILED if name in domain.tables)


def doubled(frame: pl.DataFrame) -> pl.DataFrame:
    """Every observation twice; an event's second one is by a user of its own."""
    again = frame.with_columns(pl.col("time") + timedelta(microseconds=1))
    if "user" in frame.columns:
        again = again.with_columns(user=pl.format("again-{}", "user"))
    return pl.concat([frame, again]).sort("time", maintain_order=True)
