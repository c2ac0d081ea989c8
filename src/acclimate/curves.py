"""What the target's labels buy, with transfer and without: the learning curve of a run.

Before: `workflow.adapt` wrote a run.  After: run.json and the report say how many labels the
transfer is worth, how many fewer it needs for the same score, and when it stops paying.

Scored on `choose`, on which the arm was chosen, too: where many arms were close, transfer looks
a little better here than the verdict, which alone has looked at `judge`, says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array
from acclimate.domains.markets import Market
from acclimate.domains.problem import Problem
from acclimate.errors import UsageError
from acclimate.plans.agreement import agreeing, agreements
from acclimate.plans.budget import Budget
from acclimate.plans.learning import DRAWS, REPLICATES, Fits, learn
from acclimate.posing import Listener, pose, silent
from acclimate.release import REPORT
from acclimate.repeating import asked_again
from acclimate.reports.curve import headline
from acclimate.reports.language import ENGLISH, Language
from acclimate.reports.report import read_summary, write_report
from acclimate.result import describe
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.tasks.task import Metric
from acclimate.verdicts.curve import POINTS, Worth, fit, span, worth

TRANSFER, ALONE, SOURCES = "transfer", "target-only", "source-only"
AHEAD = (1.5, 2.0, 3.0, 5.0, 10.0)  # times the labels here, to which curves are drawn on


@dataclass(frozen=True)
class Curve:
    """A learning curve; `summary` is what `--json` prints and run.json holds under "curve"."""

    summary: Mapping[str, Any]

    def __str__(self) -> str:
        return " ".join(headline(self.summary, ENGLISH))


def curve(
    run: str | Path,
    *,
    sources: Sequence[Market] = (),
    target: Market | None = None,
    labels: Sequence[int] = (),
    draws: int = DRAWS,
    budget_seconds: float = 120.0,
    language: Language = ENGLISH,
    listen: Listener = silent,
) -> Curve:
    """Draw the learning curve of a run that `adapt` wrote, into its run.json and report.

    run              its folder
    sources, target  in the place of the markets it names, where these cannot be opened
    labels           numbers of labels to fit on; none: six, evenly apart on a log scale
    draws            ≥ 1, random draws of labels, at most: the budget may end before
    listen           hears "markets", "posed" and "fit"

    Raises AcclimateError with what to do for anything the caller can mend.
    """
    start, folder = time.monotonic(), Path(run)
    if draws < 1:
        raise UsageError(f"Expected at least 1 draw of labels; found {draws}.")
    summary = read_summary(folder)
    asked = asked_again(summary, folder, sources, target)
    budget, rng = Budget(budget_seconds), Rng.of(asked.options.seed)
    with threadpool_limits(settings().threads):
        posed, mine, theirs = pose(
            asked.task, asked.sources, asked.target, asked.options, rng, listen
        )
        listen("posed", posed)
        problem = agreeing(posed.problem, agreements(posed.problem, rng.child("agreement")))
        arms = arms_of(summary, problem)

        def heard(text: str, done: int, total: int) -> None:
            listen("fit", (text, done, total, budget))

        fits = learn(
            arms,
            posed.task,
            problem,
            posed.exam,
            budget,
            rng.child("curve"),
            labels,
            draws,
            heard,
        )
    found = drawn(fits, posed.task.metric, rng.child("resample"))
    tables = [describe(domain)["tables"] for domain in (mine, *theirs)]
    found |= {
        "target": posed.problem.target,
        "arms": {role: arm.name for role, arm in arms.items()},
        "changed": [each["tables"] for each in summary.get("markets", tables)] != tables,
        "seed": asked.options.seed,
        "seconds": round(time.monotonic() - start, 3),
    }
    found["sentence"] = " ".join(headline(found, ENGLISH))
    summary["curve"] = found
    write_report(summary, folder / REPORT, language)
    return Curve(found)


def arms_of(summary: Mapping[str, Any], problem: Problem) -> dict[str, Arm]:
    """The chosen arm, the best target-only and the best source-only of a run.

    Raises UsageError where nothing was chosen, or what it stood on is not there any more.
    """
    verdict = summary["verdict"]
    rows = {row["arm"]: row for row in summary["leaderboard"] if row["status"] == "done"}
    chosen, alone = (rows.get(str(verdict.get(key))) for key in ("arm", "baseline"))
    if chosen is None or alone is None or chosen is alone or alone["strategy"] != ALONE:
        raise UsageError(
            "Expected a run in which a way to transfer was held against target-only; found "
            f"the verdict {verdict.get('answer')!r} without. A curve compares the two."
        )
    source = next((row for row in rows.values() if row["strategy"] == SOURCES), None)
    wanted = {TRANSFER: chosen, ALONE: alone, SOURCES: source}
    if source is chosen:
        del wanted[SOURCES]
    return {role: _arm(row, problem) for role, row in wanted.items() if row is not None}


def _arm(row: Mapping[str, Any], problem: Problem) -> Arm:
    tail = str(row["arm"]).removeprefix(f"{row['strategy']}/{row['model']}")
    only = tuple(tail.removeprefix(" from ").split("+")) if tail else None
    if (
        only is not None
        and len(only) > 1
        and tail.removeprefix(" from ") in {source.name for source in problem.sources}
    ):
        only = (tail.removeprefix(" from "),)
    arm = Arm(named(str(row["strategy"])), models()[str(row["model"])], only)
    known = [source.name for source in problem.sources]
    if only is not None and (gone := [name for name in only if name not in known]):
        raise UsageError(
            f"Expected the sources of {row['arm']!r}; found no {', '.join(gone)} among "
            f"{', '.join(known)}. Give the run's own markets, or run `acclimate adapt` again."
        )
    return arm


def drawn(fits: Fits, metric: Metric, rng: Rng) -> dict[str, Any]:
    """Points with bands, laws, and what is read off them; JSON types but for the infinite."""
    here = float(fits.labels[-1])
    again = rng.generator().integers(fits.draws, size=(REPLICATES, fits.draws))
    means, bands = {}, {}
    for role, errors in fits.errors.items():
        means[role] = errors[:, :, 0].mean(axis=0)  # (s,)
        bands[role] = np.stack(
            [errors[again[b], :, 1 + b].mean(axis=0) for b in range(REPLICATES)]
        )  # (REPLICATES, s)
    known = np.all([np.isfinite(band).all(axis=1) for band in bands.values()], axis=0)
    bands = {role: band[known] for role, band in bands.items()}
    points = []
    for role, mean in means.items():
        low, high = np.quantile(bands[role], [0.025, 0.975], axis=0)
        for at, size in enumerate(fits.labels):
            points.append(
                {
                    "role": role,
                    "labels": int(size),
                    **_turned(metric, mean[at], low[at], high[at]),
                    "seconds": round(float(fits.seconds[role][at]), 4),
                }
            )
    found: dict[str, Any] = {
        "metric": metric.name,
        "higher": metric.higher,
        "delta": metric.delta,
        "unit": fits.unit,
        "here": int(here),
        "scored": fits.scored,
        "where": fits.where,
        "draws": fits.draws,
        "points": points,
        "left_out": {str(size): why for size, why in fits.left_out.items()},
    }
    if len(fits.labels) < POINTS:
        return found | {"laws": {}, "ahead": [], "worth": None, "training": None}
    return found | _read(fits, metric, means, bands, here)


def _read(
    fits: Fits,
    metric: Metric,
    means: Mapping[str, Array],
    bands: Mapping[str, Array],
    here: float,
) -> dict[str, Any]:
    """Laws of the two curves, continued, and the headlines with their intervals."""
    n, least = fits.labels, -1.0 if metric.higher else 0.0
    roles = (TRANSFER, ALONE)
    laws = {role: fit(n, means[role], least) for role in roles}
    again = {role: [fit(n, each, least) for each in bands[role]] for role in roles}
    best = worth(n, means[TRANSFER], means[ALONE], metric.delta, least)
    pairs = zip(bands[TRANSFER], bands[ALONE], strict=True)
    drawn_ = [worth(n, ours, theirs, metric.delta, least) for ours, theirs in pairs]
    read = {}
    for name in Worth.NAMES:
        low, high = span(np.array([getattr(each, name) for each in drawn_]))
        value = getattr(best, name)
        read[name] = {
            key: None if math.isinf(x) else float(x)
            for key, x in (("value", value), ("low", low), ("high", high))
        }
    ahead = []
    for role in roles:
        for times in AHEAD:
            at = times * here
            spread = np.array([law.at(at) for law in again[role]])
            low, high = np.quantile(spread, [0.025, 0.975])
            value = float(laws[role].at(at))
            ahead.append({"role": role, "labels": at, **_turned(metric, value, low, high)})
    x = np.log(n)
    seconds = fits.seconds[TRANSFER]
    training = {
        ALONE: float(fits.seconds[ALONE][-1]),
        TRANSFER: None
        if math.isinf(best.parity)
        else float(np.interp(math.log(best.parity), x, seconds)),
    }
    return {
        "laws": {
            role: {"level": law.level, "drop": law.drop, "rate": law.rate}
            for role, law in laws.items()
        },
        "ahead": ahead,
        "worth": read,
        "training": training,
    }


def _turned(metric: Metric, value: float, low: float, high: float) -> dict[str, float]:
    """Errors as scores again, the interval's lower end first."""
    sign = -metric.sign
    ends = sorted((sign * float(low), sign * float(high)))
    return {"value": sign * float(value), "low": ends[0], "high": ends[1]}
