"""Real rows beside their twins: the same adaptation where help and harm are planted.

`real`     the sources as they are
`harm`     the sources' labels flipped: must never be adopted
`benefit`  the source is a third of the target's own rows: should be adopted

A fifth of the target, the latest where there is time, is kept as `audit`, outside of
everything acclimate is given; what ships is scored on it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

import acclimate as ac
from acclimate.artifacts.artifact import load
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Probabilities, Truth
from acclimate.domains.market import open_market
from acclimate.domains.rowview import RowEncoder
from acclimate.domains.schema import SchemaHints
from acclimate.domains.split import Cut
from acclimate.plans.budget import Budget
from acclimate.plans.runner import interval
from acclimate.result import Result
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from benchmarks.line import Line, peak_mb

NAME = "twins"
TWINS = ("real", "harm", "benefit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--source", action="append", required=True, help="a market or slice")
    parser.add_argument("--target", required=True, help="a market or slice")
    parser.add_argument("--label", required=True, help="the label column")
    parser.add_argument("--labels", type=int, action="append", help="label budgets; 200, 1000")
    parser.add_argument("--twin", action="append", choices=TWINS, help="all without it")
    parser.add_argument("--judge", type=float, help="share judged; as adapt has it without")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds a run")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Per twin and label budget: the verdict, and what shipped on `audit`."""
    hints = SchemaHints(roles={"rows": {"label": args.label}})
    target = open_market(args.target, hints)
    sources = [open_market(source, hints) for source in args.source]
    rng = Rng.of(args.seed)
    seen, audit = cut_audit(target, rng.child("audit"))
    for twin in args.twin or TWINS:
        mine, theirs = planted(twin, seen, sources, rng.child("twin"))
        for labels in args.labels or (200, 1000):
            print(f"{twin}, {labels} labels", file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder:
                result = ac.adapt(
                    Classify(label=args.label),
                    theirs,
                    mine,
                    out=folder,
                    listen=_heard,
                    budget_seconds=args.budget,
                    seed=args.seed,
                    cut=Cut(labels=labels, judge=args.judge),
                )
                yield from lines(result, twin, labels, audit, theirs, args, rng)


def _heard(stage: str, value: Any) -> None:
    if stage == "trial":
        text, done, total, budget = value
        assert isinstance(budget, Budget)
        print(f"  [{done}/{total}] {text} at {budget.spent:.0f} s", file=sys.stderr)


def cut_audit(target: Domain, rng: Rng) -> tuple[Domain, Domain]:
    """The target without a fifth of its labelled rows, and that fifth."""
    rows = target.tables["rows"]
    labelled = rows.filter(pl.col("label").is_not_null())
    if "time" in labelled.columns and labelled["time"].null_count() == 0:
        ordered = labelled.sort("time", maintain_order=True)
    else:
        ordered = labelled[rng.generator().permutation(labelled.height)]
    kept = int(labelled.height * 0.8)
    return _with_rows(target, ordered[:kept]), _with_rows(target, ordered[kept:])


def planted(
    twin: str, target: Domain, sources: Sequence[Domain], rng: Rng
) -> tuple[Domain, list[Domain]]:
    """The target and sources of a twin."""
    if twin == "real":
        return target, list(sources)
    if twin == "harm":
        return target, [flipped(source) for source in sources]
    rows = target.tables["rows"]
    order = rng.generator().permutation(rows.height)
    third = rows.height // 3
    twin_of = replace(
        _with_rows(target, rows[np.sort(order[:third])]), name=f"{target.name}-twin"
    )
    return _with_rows(target, rows[np.sort(order[third:])]), [twin_of]


def flipped(source: Domain) -> Domain:
    """A source whose two classes have changed places."""
    rows = source.tables["rows"]
    classes = sorted(rows["label"].drop_nulls().unique().to_list())
    if len(classes) != 2:
        raise SystemExit(f"expected two classes to flip in {source.name}; found {len(classes)}")
    swapped = rows["label"].replace_strict(classes, classes[::-1])
    return _with_rows(source, rows.with_columns(swapped))


def lines(
    result: Result,
    twin: str,
    labels: int,
    audit: Domain,
    sources: Sequence[Domain],
    args: argparse.Namespace,
    rng: Rng,
) -> Iterator[Line]:
    """The verdict of one run, and the score of what shipped on `audit`."""
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": f"{twin}, {labels} labels",
        "source": "+".join(source.name for source in sources),
        "target": result.summary["target"],
        "seed": args.seed,
        "seconds": result.summary["seconds"],
        "peak_mb": round(peak_mb()),
    }
    verdict = result.verdict
    yield Line(
        arm=f"verdict: {verdict.answer}",
        metric=verdict.metric,
        value=verdict.effect,
        low=verdict.low,
        high=verdict.high,
        n=verdict.n,
        verdict=verdict.as_row(),
        **common,
    )
    value, low, high = audited(result, audit, rng.child("interval"))
    arm = f"shipped: {result.summary['shipped']['arm']}"
    yield Line(
        arm=arm,
        metric=f"{verdict.metric} on audit",
        value=value,
        low=low,
        high=high,
        n=audit.tables["rows"].height,
        **common,
    )


def audited(result: Result, audit: Domain, rng: Rng) -> tuple[float, float, float]:
    """The primary metric of what shipped, through the same door that users have."""
    assert result.artifact is not None
    rows = audit.tables["rows"]
    roles = audit.schema.tables["rows"].roles
    asked = rows.drop("label")
    asked = asked.rename({role: name for role, name in roles.items() if role in asked.columns})
    artifact = load(result.artifact)
    task = artifact.contents.task
    assert isinstance(task, Classify)
    encoder = artifact.fitted.encoder
    assert isinstance(encoder, RowEncoder)
    answers = ac.predict(result.artifact, asked)
    p = answers.select([f"p_{name}" for name in encoder.classes]).to_numpy()
    label = rows["label"].replace_strict(encoder.classes, range(len(encoder.classes)))
    truth = Truth(units=np.arange(rows.height), label=label.to_numpy().astype(np.int64))
    return interval(task, Probabilities(p), truth, rng)


def _with_rows(domain: Domain, rows: pl.DataFrame) -> Domain:
    return replace(domain, tables={**domain.tables, "rows": rows})
