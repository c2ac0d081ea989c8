"""The whole story: assess a gap, adapt to a target, predict with what came of it.

    tables → Domain → Problem(splits) → Gap → Plan → trials → Verdict → Artifact → report

The command line only calls this module.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

import acclimate
from acclimate.artifacts.artifact import load
from acclimate.artifacts.given import artifact_at
from acclimate.artifacts.launch import Launch
from acclimate.artifacts.launch import launch as launch_into
from acclimate.artifacts.predictor import predict as predict_with
from acclimate.artifacts.recommender import Recommender
from acclimate.artifacts.store import require_place
from acclimate.domains.domain import Domain
from acclimate.domains.markets import Market
from acclimate.errors import UsageError
from acclimate.explanations.explanation import explain
from acclimate.gaps.gap import Gap
from acclimate.gaps.money import money
from acclimate.options import Options, options_of
from acclimate.plans.agreement import agreements
from acclimate.plans.assess import assess as measure
from acclimate.plans.budget import Budget
from acclimate.plans.examine import examine
from acclimate.plans.plan import Plan
from acclimate.plans.pool import at_once
from acclimate.plans.remedies import remedies
from acclimate.plans.runner import attempt, run, tied
from acclimate.plans.search import search
from acclimate.plans.stopping import stoppable
from acclimate.plans.store import Store
from acclimate.plans.vote import vote
from acclimate.posing import Listener, pose, prepare, silent
from acclimate.release import ARTIFACT, asked_of, refitted, require_free, write
from acclimate.repeating import record
from acclimate.result import Result, summarise
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.tasks.task import Task
from acclimate.verdicts.ledger import Ledger


def assess(
    task: Task, sources: Sequence[Market], target: Market, options: Options | None = None
) -> list[Gap]:
    """How far each source is from the target, measured on what may be fitted on."""
    options = options or Options()
    rng = Rng.of(options.seed)
    with threadpool_limits(settings().threads):
        posed, into, domains = pose(task, sources, target, options, rng)
        agreed = agreements(posed.problem, rng.child("agreement"))
        found = measure(posed.task, posed.problem, rng.child("gap"))
        found += [said for domain in domains for said in money(domain, into)]
        return found + [each.gap() for each in agreed]


def adapt(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    *,
    out: str | Path | None = None,
    options: Options | None = None,
    resume: bool = False,
    listen: Listener = silent,
    **settings_of_options: Any,
) -> Result:
    """Learn for a target from its sources, and know whether it helped.

    sources, target  folders, files, slices `file::column=value`, or Domains
    out              folder for artifact, report and summary; None writes nothing
    options          or its fields as keywords: budget_seconds, seed, strategies, …
    resume           take what an unfinished run of the same finished in `out`, and do the rest
    listen           hears every stage, for progress

    Raises AcclimateError with what to do for anything the caller can mend.
    """
    options = options or options_of(settings_of_options)
    with threadpool_limits(settings().threads):
        return _adapt(task, sources, target, out, options, resume, listen)


def _adapt(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    out: str | Path | None,
    options: Options,
    resume: bool,
    listen: Listener,
) -> Result:
    start, budget, rng = time.monotonic(), Budget(options.budget_seconds), Rng.of(options.seed)
    if out is not None:
        require_place(Path(out) / ARTIFACT)
        asked = asked_of(task, target, Path(out))
        require_free(Path(out), asked)
    elif resume:
        raise UsageError(
            "Expected the folder of the run to go on with; found none. Name it with out=…, "
            "or leave resume out."
        )
    ledger = _ledger()
    ready = prepare(task, sources, target, options, rng, listen, budget)
    posed, gap, planned = ready.posed, ready.gap, ready.plan
    target_domain, source_domains, left_out = ready.target, ready.sources, ready.left_out
    procedure = _procedure(options, task, target_domain, source_domains, planned)

    def heard(text: str, done: int, total: int) -> None:
        listen("trial", (text, done, total, budget))

    exam, store = posed.exam, None
    if out is not None:
        same = _decides(options, task, target_domain, source_domains)
        same += (settings().threads, settings().encoder)
        store = Store.at(Path(out), settings().trials, same, resume)
        listen("resume", store.sentence)
    each_of = at_once(settings().workers, settings().threads)
    how = run if options.trials is None else partial(search, trials=options.trials)
    given = posed.task, posed.problem, exam, budget, rng
    with stoppable(budget, lambda: listen("stopping", None)):
        trials = how(planned, *given, heard, store, each_of, lambda t: listen("ended", t))
        more = remedies(trials, posed.task, posed.problem)
        if more:
            planned = replace(planned, steps=planned.steps + tuple(more))
            listen("remedies", more)
            for step in more:
                heard(step.arm.name, len(trials), len(planned.steps))
                trials.append(attempt(step, *given, store))
    listen("trials", trials)
    alone = {"alone": "; ".join(left_out)} if left_out else {}
    if posed.problem.labelled:
        examined = examine(
            trials,
            posed.task,
            posed.problem,
            exam,
            rng,
            ledger,
            procedure,
            budget=budget,
            refuse_harm=options.refuse_harm,
            **alone,
        )
    else:
        examined = vote(trials, posed.task, posed.problem, rng, budget.closing_tick)
    listen("verdict", examined.verdict)
    fitted, shipped = refitted(examined, posed, options, rng)
    summary = summarise(
        posed, target_domain, source_domains, gap, planned, trials, examined, options.seed
    )
    summary["tied"] = [trial.arm.name for trial in tied(trials, posed.task, rng)]
    summary["shipped"] = {
        "arm": shipped.arm.name,
        "settings": shipped.arm.settings,
        "refit": options.refit,
    }
    summary |= {"votes": examined.votes} if examined.votes else {}
    summary["seconds"] = round(time.monotonic() - start, 3)
    if out is None:
        return Result(summary, examined.verdict, fitted, None, None)
    # Last: what ships is fitted, and what there is no time for is listed as not done.
    why = explain(examined, posed.task, posed.problem, exam, rng, budget, trials)
    summary |= {"explanations": why.as_row()} if why is not None else {}
    summary["asked"] = asked
    summary["again"] = record(task, sources, target, options, Path(out))
    summary["seconds"] = round(time.monotonic() - start, 3)
    result = write(Path(out), summary, examined, posed, fitted, target_domain, source_domains)
    if store is not None:
        store.finish()
    return result


def predict(artifact: str | Path, table: pl.DataFrame, k: int = 10) -> pl.DataFrame:
    """Answer a table of users, pairs or rows with a saved artifact."""
    return predict_with(load(Path(artifact)), table, k)


def launch(run: str | Path, items: str | Path) -> Launch:
    """Let the model of a run recommend items that nobody has taken yet, by their attributes.

    run  the folder of a run, or of its artifact
    """
    found = artifact_at(run)
    return launch_into(found if found is not None else Path(run) / ARTIFACT, items)


def recommender(artifact: str | Path) -> Recommender:
    """A saved recommender, ready to answer for baskets and users; raises as `load` does."""
    return Recommender.of(load(Path(artifact)))


def _ledger() -> Ledger:
    """The ledger of looks; a place that cannot be written is refused before the work."""
    home = settings().home
    try:
        home.mkdir(parents=True, exist_ok=True)
        writable = os.access(home, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise UsageError(
            "Expected a folder that can be read and written for the ledger of looks; "
            f"{str(home)!r} cannot. Set ACCLIMATE_HOME to one that can."
        )
    return Ledger(home / "ledger.jsonl")


def _procedure(
    options: Options,
    task: Task,
    target: Domain,
    sources: Sequence[Domain],
    planned: Plan,
) -> str:
    """Everything that decides the outcome; asking for the same again is the same look.

    Of strategies and models counts what the plan tries: naming one that does not apply
    is no second chance.
    """
    parts = (
        *_decides(options, task, target, sources),
        options.budget_seconds,
        [step.arm.name for step in planned.steps],
        *([] if options.trials is None else [options.trials]),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _decides(
    options: Options, task: Task, target: Domain, sources: Sequence[Domain]
) -> tuple[object, ...]:
    """What decides, beside an arm, what comes of it."""
    return (
        acclimate.__version__,
        repr(task),
        repr(options.cut),
        options.seed,
        target.fingerprint,
        [source.fingerprint for source in sources],
    )
