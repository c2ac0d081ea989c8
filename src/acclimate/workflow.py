"""The whole story: assess a gap, adapt to a target, predict with what came of it.

    tables → Domain → Problem(splits) → Gap → Plan → trials → Verdict → Artifact → report

The command line only calls this module.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

import acclimate
from acclimate.artifacts.artifact import Contents, load, save
from acclimate.artifacts.predictor import predict as predict_with
from acclimate.domains.copies import without_copies
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.domains.schema import SchemaHints
from acclimate.domains.split import Cut
from acclimate.errors import BudgetError, UsageError
from acclimate.gaps.gap import Gap
from acclimate.plans.agreement import agreeing, agreements
from acclimate.plans.assess import assess as measure
from acclimate.plans.budget import Budget
from acclimate.plans.examine import Examined, examine
from acclimate.plans.plan import plan
from acclimate.plans.remedies import remedies
from acclimate.plans.runner import Trial, attempt, run
from acclimate.reports.report import write_report
from acclimate.result import Result, summarise
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.catalogue import arms
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Posed, Task
from acclimate.verdicts.ledger import Ledger

Market = Domain | str | Path
Listener = Callable[[str, Any], None]
"""Called with a stage ("markets", "gap", "plan", "trial", "verdict", …) and its value."""

UNSURE = ("target-only", "best-guess")


def silent(stage: str, value: Any) -> None:
    """A listener that hears nothing."""


@dataclass(frozen=True)
class Options:
    """How an adaptation is run.

    budget_seconds  > 0, for everything from reading to shipping
    seed            of every random choice
    strategies      kinds to try besides the three baselines; None: all
    when_unsure     what ships without a clear answer: "target-only" or "best-guess"
    refit           refit what ships on all target rows
    cut             how the target is cut
    """

    budget_seconds: float = 300.0
    seed: int = 0
    strategies: tuple[str, ...] | None = None
    when_unsure: str = "target-only"
    refit: bool = True
    cut: Cut = field(default_factory=Cut)

    def __post_init__(self) -> None:
        if self.when_unsure not in UNSURE:
            raise UsageError(
                f"Expected when_unsure to be {' or '.join(UNSURE)}; found {self.when_unsure!r}."
            )


def assess(
    task: Task, sources: Sequence[Market], target: Market, options: Options | None = None
) -> list[Gap]:
    """How far each source is from the target, measured on what may be fitted on."""
    options = options or Options()
    rng = Rng.of(options.seed)
    with threadpool_limits(settings().threads):
        posed = _posed(task, sources, target, options, rng)[0]
        agreed = agreements(posed.problem, rng.child("agreement"))
        found = measure(posed.task, posed.problem, rng.child("gap"))
        return found + [each.gap() for each in agreed]


def adapt(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    *,
    out: str | Path | None = None,
    options: Options | None = None,
    listen: Listener = silent,
    **settings_of_options: Any,
) -> Result:
    """Learn for a target from its sources, and know whether it helped.

    sources, target  folders, files, slices `file::column=value`, or Domains
    out              folder for artifact, report and summary; None writes nothing
    options          or its fields as keywords: budget_seconds, seed, strategies, …
    listen           hears every stage, for progress

    Raises AcclimateError with what to do for anything the caller can mend.
    """
    options = options or _options(settings_of_options)
    with threadpool_limits(settings().threads):
        return _adapt(task, sources, target, out, options, listen)


def _adapt(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    out: str | Path | None,
    options: Options,
    listen: Listener,
) -> Result:
    start, budget, rng = time.monotonic(), Budget(options.budget_seconds), Rng.of(options.seed)
    posed, target_domain, source_domains = _posed(task, sources, target, options, rng, listen)
    listen("posed", posed)
    if budget.left < 0:
        raise BudgetError(
            f"Expected to try at least one arm within {budget.seconds:g} s; reading the "
            f"markets alone took {budget.spent:.0f} s. Raise --budget."
        )
    gap = measure(posed.task, posed.problem, rng.child("gap"))
    agreed = agreements(posed.problem, rng.child("agreement"))
    gap += [each.gap() for each in agreed]
    listen("gap", gap)
    posed = replace(
        posed,
        problem=agreeing(posed.problem, agreed),
        whole=agreeing(posed.whole, agreed),
    )
    left_out = [each.sentence for each in agreed if each.contradicts]
    known = arms(posed.task.form, options.strategies)
    planned = plan(posed.problem, known, gap, left_out)
    listen("plan", planned)

    def heard(text: str, done: int, total: int) -> None:
        listen("trial", (text, done, total, budget))

    exam = posed.exam
    trials = run(planned, posed.task, posed.problem, exam, budget, rng, heard)
    more = remedies(trials, posed.task, posed.problem)
    if more:
        planned = replace(planned, steps=planned.steps + tuple(more))
        trials += [attempt(step, posed.task, posed.problem, exam, budget, rng) for step in more]
    listen("trials", trials)
    procedure = _procedure(options, task, target_domain, source_domains)
    ledger = Ledger(settings().home / "ledger.jsonl")
    alone = {"alone": "; ".join(left_out)} if left_out else {}
    examined = examine(trials, posed.task, posed.problem, exam, rng, ledger, procedure, **alone)
    listen("verdict", examined.verdict)
    fitted, shipped = _ship(examined, posed, options, rng)
    summary = summarise(
        posed, target_domain, source_domains, gap, planned, trials, examined, options.seed
    )
    summary["shipped"] = {
        "arm": shipped.arm.name,
        "settings": shipped.arm.settings,
        "refit": options.refit,
    }
    summary["seconds"] = round(time.monotonic() - start, 3)
    if out is None:
        return Result(summary, examined.verdict, fitted, None, None)
    return _write(Path(out), summary, examined, posed, fitted, target_domain, source_domains)


def _options(named: Mapping[str, Any]) -> Options:
    known = [each.name for each in fields(Options)]
    strange = sorted(set(named) - set(known))
    if strange:
        raise UsageError(
            f"Expected options among {', '.join(known)}; found {', '.join(strange)}. A label "
            "budget and the way to split go into cut=ac.Cut(labels=…, by=…)."
        )
    return Options(**named)


def predict(artifact: str | Path, table: pl.DataFrame, k: int = 10) -> pl.DataFrame:
    """Answer a table of users, pairs or rows with a saved artifact."""
    return predict_with(load(Path(artifact)), table, k)


def _posed(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    options: Options,
    rng: Rng,
    listen: Listener = silent,
) -> tuple[Posed, Domain, list[Domain]]:
    if isinstance(sources, str | Path | Domain):
        sources = [sources]
    if not sources:
        raise UsageError("Expected at least one source; found none. Name one with --source.")
    target_domain, *opened = _opened([target, *sources], hints_of(task))
    source_domains = [without_copies(source, target_domain) for source in opened]
    listen("markets", [target_domain, *source_domains])
    posed = task.pose(target_domain, source_domains, options.cut, rng.child("pose"))
    return posed, target_domain, source_domains


def hints_of(task: Task) -> SchemaHints | None:
    """What a task says about a market's columns: which one is the label."""
    label = getattr(task, "label", None)
    return SchemaHints(roles={"rows": {"label": label}}) if label else None


def _opened(markets: Sequence[Market], hints: SchemaHints | None) -> list[Domain]:
    """The markets as domains; files of one name are told apart by their folders."""
    found = [m if isinstance(m, Domain) else open_market(m, hints) for m in markets]
    twice = _repeated(found)
    for position, market in enumerate(markets):
        if found[position].name in twice and not isinstance(market, Domain):
            folder = Path(str(market).partition("::")[0]).resolve().parent.name
            found[position] = replace(found[position], name=f"{folder}-{found[position].name}")
    twice = _repeated(found)
    if twice:
        raise UsageError(
            f"Expected markets with different names; found {', '.join(twice)} twice. Give one "
            "of them another name in its market.toml, or leave it out."
        )
    return found


def _repeated(domains: Sequence[Domain]) -> list[str]:
    names = [domain.name for domain in domains]
    return sorted({name for name in names if names.count(name) > 1})


def _procedure(
    options: Options,
    task: Task,
    target: Domain,
    sources: Sequence[Domain],
) -> str:
    """Everything that was asked for; asking the same again is the same look."""
    parts = (
        acclimate.__version__,
        repr(task),
        repr(options.cut),
        options.seed,
        target.fingerprint,
        [source.fingerprint for source in sources],
        options.budget_seconds,
        options.strategies,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _ship(examined: Examined, posed: Posed, options: Options, rng: Rng) -> tuple[Fitted, Trial]:
    """Refit what the verdict says on every target row."""
    answer = examined.verdict.answer
    take = answer == "adopt" or (
        options.when_unsure == "best-guess" and answer in ("not-enough-data", "provisional")
    )
    shipped = examined.chosen if take and examined.chosen is not None else examined.baseline
    problem = posed.whole if options.refit else posed.problem
    return shipped.arm.fit(problem, rng.child("ship")), shipped


def _write(
    out: Path,
    summary: dict[str, Any],
    examined: Examined,
    posed: Posed,
    fitted: Fitted,
    target: Domain,
    sources: Sequence[Domain],
) -> Result:
    """Artifact first, then summary and report: what is named exists."""
    artifact, report = out / "artifact", out / "report.html"
    summary |= {"artifact": str(artifact), "report": str(report)}
    contents = Contents.of(
        posed,
        fitted,
        target,
        sources,
        arm=summary["shipped"]["arm"],
        settings=summary["shipped"]["settings"],
        verdict=examined.verdict,
        plan=summary["plan"],
        seed=summary["seed"],
        threads=settings().threads,
    )
    save(artifact, contents)
    write_report(summary, report)
    return Result(summary, examined.verdict, fitted, artifact, report)
