"""Small real runs for every task and answer, as summaries, each made once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl

from acclimate import workflow
from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.options import Options
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.regress import Regress
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Task
from tests.made_numbers import make_prices, with_labels
from tests.made_texts import make_texts

KEY = Rng.of(5)


def rows(name: str, n: int, **gap: Any) -> Domain:
    """A market of rows with two classes."""
    return make_rows(KEY.child(name), n, name=name, **gap).domain


def adopted() -> dict[str, Any]:
    """Forty labels of the target, and a source without any gap."""
    cut = Cut(labels=40, by="random")
    return _run(Classify("label"), [rows("us", 300)], rows("jp", 500), "linear", cut)


def backwards() -> dict[str, Any]:
    """One source is the target with its labels turned round: it is left out."""
    wrong = rows("us", 300)
    flipped = wrong.tables["rows"].with_columns(
        pl.col("label").replace({"0": "1", "1": "0"}).alias("label")
    )
    source = replace(wrong, tables={"rows": flipped})
    return _run(Classify("label"), [source], rows("jp", 400), "linear", Cut())


def few() -> dict[str, Any]:
    """Too few rows to judge on, two sources far away, every model."""
    shared: dict[str, Any] = {"time": True, "missing": 0.1}
    sources = [rows("us", 120, covariate=3.0, **shared), rows("uk", 90, label=0.3, **shared)]
    return _run(Classify("label"), sources, rows("jp", 60, **shared), "linear", Cut())


def unlabelled() -> dict[str, Any]:
    """A target without labels."""
    target = rows("jp", 120, covariate=1.0)
    bare = target.tables["rows"].with_columns(pl.lit(None, pl.String).alias("label"))
    return _run(
        Classify("label"), [rows("us", 200)], replace(target, tables={"rows": bare}), "linear"
    )


def recommended() -> dict[str, Any]:
    """Events by time, and a source that knows half of the items."""
    target = make_events(KEY.child("jp"), 60, 30, name="jp").domain
    source = make_events(KEY.child("us"), 120, 30, catalogue=0.4, name="us").domain
    return _run(Recommend(k=5), [source], target, "popularity")


def tagged() -> dict[str, Any]:
    """Titles; one source labels nothing that the target calls so."""
    target, near = (make_texts(KEY.child(n), 26, name=n) for n in ("jp", "us"))
    strange = make_texts(KEY.child("uk"), 12, name="uk", classes={"BRAND": "MAKER"})
    return _run(Tag(), [near, strange], target, "tagger", Cut(labels=10))


def regressed() -> dict[str, Any]:
    """Prices; one of the target's lies far out."""
    target, source = make_prices(1, 120, time=True, name="jp"), make_prices(2, 150, name="us")
    label = target.tables["rows"]["label"].to_list()
    strange = with_labels(target, pl.Series(["1e7", *label[1:]]))
    return _run(Regress("price"), [source], strange, "linear", Cut(by="random"))


RUNS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "adopted": adopted,
    "backwards": backwards,
    "few": few,
    "unlabelled": unlabelled,
    "recommended": recommended,
    "tagged": tagged,
    "regressed": regressed,
}


@cache
def summary_of(name: str) -> dict[str, Any]:
    """The summary of a run by its name."""
    return RUNS[name]()


def _run(
    task: Task, sources: list[Domain], target: Domain, model: str, cut: Cut | None = None
) -> dict[str, Any]:
    options = Options(
        budget_seconds=600, strategies=("pooled",), models=(model,), cut=cut or Cut()
    )
    return dict(workflow.adapt(task, sources, target, options=options).summary)


def names_of(summary: Mapping[str, Any]) -> set[str]:
    """Every Latin word of the names in a summary: markets, arms, columns, metrics, classes."""
    return {word for name in _names(summary) for word in latin(name)}


def latin(text: str) -> list[str]:
    """The words of two Latin letters or more."""
    return re.findall(r"[A-Za-z]{2,}", text)


def _names(run: Mapping[str, Any]) -> Iterator[str]:
    yield from (run["target"], *run["sources"], run["shipped"]["arm"])
    for row in run["leaderboard"]:
        yield from (row["arm"], row["metric"])
    for row in run["refused"]:
        yield from (row["strategy"], row["model"])
    yield from (row["measure"] for row in run["gap"])
    for metrics in run["judged"].values():
        yield from metrics
    yield str(run["settings"])
    yield "BRAND MODEL PRODUCT MAKER"  # the classes of the made titles
    for market in run["markets"]:
        for table in market["tables"].values():
            yield from (*table["roles"].values(), *table["types"], str(table["origin"]))
