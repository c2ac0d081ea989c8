"""A Result: what an adaptation found, decided and wrote."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Prediction, Ranking
from acclimate.gaps.gap import Gap
from acclimate.plans.examine import Examined
from acclimate.plans.plan import Plan
from acclimate.plans.trial import Trial
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Posed
from acclimate.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Result:
    """Everything `adapt` found out.

    summary   the machine-readable output, as `--json` prints it
    verdict   whether transfer may replace doing without
    fitted    what ships, refitted on all target rows
    artifact  its folder, or None where no folder was asked for
    report    the HTML page, or None
    """

    summary: Mapping[str, Any]
    verdict: Verdict
    fitted: Fitted = field(repr=False)
    artifact: Path | None
    report: Path | None

    @property
    def leaderboard(self) -> pl.DataFrame:
        """One row an arm, best first; scores are those on `choose`."""
        schema = {
            "arm": pl.String,
            "strategy": pl.String,
            "model": pl.String,
            "metric": pl.String,
            "value": pl.Float64,
            "low": pl.Float64,
            "high": pl.Float64,
            "n": pl.Int64,
            "seconds": pl.Float64,
            "status": pl.String,
        }
        return pl.DataFrame(self.summary["leaderboard"], schema=schema)

    @property
    def gap(self) -> pl.DataFrame:
        """One row a measure and source."""
        return pl.DataFrame(self.summary["gap"], infer_schema_length=None)

    def __str__(self) -> str:
        return self.verdict.sentence

    def _repr_html_(self) -> str:
        where = "".join(
            f"<p>{name}: <code>{html.escape(str(path))}</code></p>"
            for name, path in (("artifact", self.artifact), ("report", self.report))
            if path is not None
        )
        return self.verdict._repr_html_() + self.leaderboard._repr_html_() + where


def summarise(
    posed: Posed,
    target: Domain,
    sources: Sequence[Domain],
    gap: Sequence[Gap],
    planned: Plan,
    trials: Sequence[Trial],
    examined: Examined,
    seed: int,
) -> dict[str, Any]:
    """The machine-readable output of an adaptation; JSON types only."""
    sign = posed.task.metric.sign
    order = sorted(trials, key=lambda t: (t.status != "done", -sign * t.value))
    return {
        "task": posed.task.kind,
        "target": target.name,
        "sources": [source.name for source in sources],
        "verdict": examined.verdict.as_row(),
        "leaderboard": [trial.as_row() for trial in order],
        "gap": [each.as_row() for each in gap],
        "refused": [refusal.as_row() for refusal in planned.refused],
        "put_off": [each._asdict() for each in planned.put_off],
        "artifact": None,
        "report": None,
        "seconds": 0.0,
        "seed": seed,
        "sentence": examined.verdict.sentence,
        "plan": planned.as_rows(),
        "notes": list(posed.notes),
        "judged": examined.scores,
        "beyond": examined.beyond,
        "failed": {t.arm.name: t.why for t in trials if t.status == "failed"},
        "facts": {name: told for name, told in _facts(order).items() if told},
        "settings": {t.arm.name: t.arm.settings for t in trials if t.status == "done"},
        "markets": [describe(domain) for domain in (target, *sources)],
    }


def _facts(order: Sequence[Trial]) -> dict[str, list[str]]:
    """What each arm's steps found out, and whose answer it repeats on `choose`.

    order  best first; of two alike the first is named
    """
    found = {trial.arm.name: list(trial.facts) for trial in order}
    known: dict[str, str] = {}
    for trial in order:
        if trial.answer is not None:
            first = known.setdefault(_content(trial.answer[0]), trial.arm.name)
            if first != trial.arm.name:
                found[trial.arm.name].append(f"it answers exactly as {first} does")
    return found


def _content(answer: Prediction) -> str:
    """A digest of what is answered: of a ranking its order, scores being on any scale."""
    digest = hashlib.sha256(type(answer).__name__.encode())
    named = {"items": answer.items} if isinstance(answer, Ranking) else vars(answer)
    for name, part in named.items():
        if isinstance(part, np.ndarray):
            digest.update(name.encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def describe(domain: Domain) -> dict[str, Any]:
    """What was understood of a market, ready for JSON."""
    return {
        "name": domain.name,
        "tables": {
            name: {
                "rows": domain.tables[name].height,
                "origin": schema.origin,
                "roles": dict(schema.roles),
                "types": {column: str(kind) for column, kind in schema.types.items()},
            }
            for name, schema in domain.schema.tables.items()
            if name in domain.tables
        },
        "declared": domain.schema.declared.as_row(),
        "findings": [asdict(finding) for finding in domain.findings],
    }
