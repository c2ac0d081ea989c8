"""What a person sees while a command runs; with `--json` it goes to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import rich.console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from acclimate.cli.pace import Pace
from acclimate.nearest import some
from acclimate.plans.tally import Tally
from acclimate.plurals import number_of

if TYPE_CHECKING:
    from acclimate.domains.domain import Domain
    from acclimate.domains.schema import Finding
    from acclimate.domains.source import Source
    from acclimate.gaps.gap import Gap
    from acclimate.plans.plan import Step
    from acclimate.result import Result
    from acclimate.tasks.task import Posed
    from acclimate.verdicts.verdict import Verdict

MAY_BE_BACKWARDS = "it may be backwards"  # `plans.agreement` says so
STOPPING = "stopping: what was finished is judged; Ctrl-C again ends the run at once\n"
WARNINGS = 3  # of the target's tables, said again beside the verdict


class Console:
    """Prints stages as they come.

    as_json  True: people read stderr, one JSON object goes to stdout
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._out = rich.console.Console(stderr=as_json, highlight=False, soft_wrap=True)

    @contextmanager
    def listening(self) -> Iterator[Callable[[str, Any], None]]:
        """A listener for `workflow.adapt` with a progress bar and time left."""
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._out,
            transient=True,
        )
        number = bar.add_task("reading", total=1, left="")
        pace = Pace()

        def listen(stage: str, value: Any) -> None:
            if stage == "markets":
                for domain in value:
                    self.market(domain)
                bar.update(number, description="measuring the gap")
            elif stage == "gap":
                self.gap(value)
            elif stage == "screening":
                bar.update(number, description=f"screening {value}")
            elif stage == "plan":
                self._out.print("[bold]plan[/]")
                self._steps(value.steps)
                for each in value.put_off:
                    self._out.print(f"  [dim]{escape(each.arm)}: {escape(each.why)}[/]")
                pace.plan([step.arm.model.kind for step in value.steps])
            elif stage == "resume" and value:
                self._out.print(f"[cyan]{escape(value)}[/]")
            elif stage == "stopping":
                # Within a signal's handler: what the bar writes may be half-written just now.
                os.write(2, STOPPING.encode())
            elif stage == "posed":
                self._posed(value)
                pace.sign = value.task.metric.sign
            elif stage == "ended":
                pace.ended(value)
            elif stage == "remedies":
                self._steps(value)
                pace.plan([step.arm.model.kind for step in value])
            elif stage == "trial" or stage == "fit":
                self._trial(bar, number, pace, *value)
            elif stage == "trials":
                bar.update(number, description="judging and refitting", left="")
                if not self._out.is_terminal:
                    self._out.print(f"  {Tally.of(trial.status for trial in value)}")

        with bar:
            yield listen

    def market(self, domain: Domain) -> None:
        """Tables with roles, types and findings of one market; what an artifact holds."""
        if domain.learned is not None:
            self._out.print(escape(str(domain)), style="italic")
            self.findings(domain.findings)
            return
        table = Table(title=escape(str(domain)), title_justify="left", show_edge=False)
        for heading in ("table", "rows", "roles", "columns"):
            # Names of columns fold; cut short, one could be another's.
            justify: Literal["left", "right"] = "right" if heading == "rows" else "left"
            table.add_column(heading, justify=justify, overflow="fold")
        for name, schema in domain.schema.tables.items():
            if name not in domain.tables:
                continue
            kinds: dict[str, list[str]] = {}
            for column, kind in schema.types.items():
                kinds.setdefault(str(kind), []).append(column)
            columns = "; ".join(f"{kind}: {some(names, 12)}" for kind, names in kinds.items())
            roles = ", ".join(f"{role}={column}" for role, column in schema.roles.items())
            rows = f"{domain.tables[name].height:,}"
            table.add_row(name, rows, escape(roles), escape(columns))
        self._out.print(table)
        if said := domain.schema.declared.words:
            self._out.print(f"  declared: {escape('; '.join(said))}")
        self.findings(domain.findings)

    def findings(self, found: Sequence[Finding]) -> None:
        """One line each, warnings in yellow."""
        for finding in found:
            colour = "yellow" if finding.level == "warning" else "dim"
            text = escape(f"{finding.level}: {finding.table}: {finding.message}")
            self._out.print(f"  [{colour}]{text}[/]")

    def gap(self, found: Sequence[Gap]) -> None:
        """One sentence a measure."""
        self._out.print("[bold]gap[/]")
        for each in found:
            self._out.print(f"  {escape(each.sentence)}")
        if not found:
            self._out.print("  too little data to measure one")

    def finish(self, result: Result) -> None:
        """Leaderboard, verdict, and where things are; or the JSON object."""
        summary = result.summary
        if summary.get("votes"):
            self._votes(summary)
        else:
            self._board(summary)
            ways = [
                row["arm"]
                for row in summary["leaderboard"]
                if row["value"] is not None and row["strategy"] != "target-only"
            ]
            if ways and result.verdict.arm != ways[0]:
                picked = escape(result.verdict.arm)
                why = "the simplest of these whose paired difference to the best is within one"
                self._out.print(f"judged: {picked}, {why} standard error of that difference")
        for fact in summary["facts"].get(result.verdict.arm, ()):
            self._out.print(f"  [dim]{escape(fact)}[/]")
        if summary["refused"]:
            refused = number_of(len(summary["refused"]), "arm does", "arms do")
            self._out.print(f"[dim]{refused} not apply:[/]")
            whys: dict[str, list[str]] = {}
            for row in summary["refused"]:
                # What no market could change is in the report, and in docs/applies.md.
                if not row["why"].startswith(f"{row['model']} "):
                    name = f"{row['strategy']}/{row['model']}"
                    whys.setdefault(row["why"], []).append(name)
            other = len(summary["refused"]) - sum(map(len, whys.values()))
            if other:
                why = "the model does not offer what the strategy needs (see the report)"
                those = f"{other} of them: " if whys else ""
                self._out.print(f"  [dim]{those}{why}[/]")
            for why, names in whys.items():
                self._out.print(f"  [dim]{escape(some(names))}: {escape(why)}[/]")
        for line in because(summary.get("explanations") or {}):
            self._out.print(f"  [dim]{escape(line)}[/]")
        colour = "green" if result.verdict.answer == "adopt" else "cyan"
        answer = escape(result.verdict.answer)
        self._out.print(f"[bold {colour}]verdict: {answer}[/]")
        self._out.print(escape(result.verdict.sentence))
        for line in advice(result.verdict, summary["shipped"]["arm"]):
            self._out.print(f"  [dim]{escape(line)}[/]")
        for line in warned(summary):
            self._out.print(f"  [yellow]before you believe it: {escape(line)}[/]")
        self._out.print(f"ships: {escape(summary['shipped']['arm'])}")
        for name, path in (
            ("artifact", result.artifact),
            ("report", result.report),
            ("label first", summary.get("label_first")),
        ):
            if path is not None:
                self._out.print(f"{name}: {escape(str(path))}")
        self.result(summary)

    def _board(self, summary: Mapping[str, Any]) -> None:
        """Every arm on choose."""
        title = f"leaderboard: {summary['verdict']['metric']} on choose, best first"
        table = Table(title=title, title_justify="left", show_edge=False)
        for heading in ("arm", "value", "95 %", "n", "seconds", "status"):
            # Where it is narrow, names break at their spaces and figures stay whole; a name
            # cut short could be another arm's.
            table.add_column(heading, no_wrap=heading != "arm", overflow="fold")
        for row in tried(summary):
            known = row["value"] is not None
            interval = (
                f"{row['low']:.4f} to {row['high']:.4f}" if row["low"] is not None else ""
            )
            table.add_row(
                row["arm"],
                f"{row['value']:.4f}" if known else "",
                interval,
                f"{row['n']:,}",
                f"{row['seconds']:.1f}",
                row["status"],
            )
        if any(row["value"] is not None for row in summary["leaderboard"]):
            self._out.print(table)
        else:
            self._out.print(
                "no leaderboard: the target is too small to set any of it aside to choose by"
            )
        self._unscored(summary)

    def _votes(self, summary: Mapping[str, Any]) -> None:
        """What each validator says of every arm, where the target has no labels."""
        title = "without target labels: what validators say, higher is better"
        table = Table(title=title, title_justify="left", show_edge=False)
        table.add_column("arm", overflow="fold")
        names = [*next(iter(summary["votes"].values()))]
        for heading in (*names, "status"):
            table.add_column(heading, no_wrap=True)
        for row in tried(summary):
            votes = summary["votes"].get(row["arm"], {})
            said = [f"{votes[name]:.4f}" if name in votes else "" for name in names]
            table.add_row(row["arm"], *said, row["status"])
        self._out.print(table)
        self._unscored(summary)

    def _unscored(self, summary: Mapping[str, Any]) -> None:
        """How many arms ended how where not all are done, and why those are not."""
        tally = Tally.of(row["status"] for row in summary["leaderboard"])
        if tally.done < tally.arms:
            self._out.print(f"[yellow]{tally}[/]")
        if tally.abandoned:
            self._out.print(
                "  [yellow]abandoned: the budget, less what judging is expected to take, ended "
                "before they did; raise --budget[/]"
            )
        whys: dict[str, list[str]] = {}
        for arm, why in summary["failed"].items():
            whys.setdefault(why, []).append(arm)
        for why, arms in whys.items():
            self._out.print(f"  [yellow]failed: {escape(some(arms))}: {escape(why)}[/]")

    def curve(self, summary: Mapping[str, Any]) -> None:
        """Points of a learning curve and what is read off them."""
        rows = [
            {
                "arm": row["role"],
                "labels": f"{row['labels']:,}",
                summary["metric"]: f"{row['value']:.4f}",
                "interval": f"{row['low']:.4f} to {row['high']:.4f}",
                "seconds": f"{row['seconds']:.1f}",
            }
            for row in summary["points"]
        ]
        self.table(rows, f"{summary['metric']} on {summary['where']} by {summary['unit']}")
        self._out.print(escape(summary["sentence"]))

    def say(self, text: str) -> None:
        """A plain line for people."""
        self._out.print(escape(text))

    def table(self, rows: Sequence[Mapping[str, Any]], title: str) -> None:
        """Rows as a small table."""
        table = Table(title=escape(title), title_justify="left", show_edge=False)
        for column in rows[0] if rows else ():
            table.add_column(column)
        for row in rows:
            table.add_row(*(escape(str(value)) for value in row.values()))
        self._out.print(table)

    def result(self, value: Mapping[str, Any]) -> None:
        """The JSON object, where it was asked for."""
        if self._as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")

    def _posed(self, posed: Posed) -> None:
        problem = posed.problem
        theirs = ", ".join(f"{s.name} {said_of(s)}" for s in problem.sources) or "none"
        self._out.print(
            f"[bold]problem[/] {escape(posed.task.kind)} for {escape(problem.target)}: "
            f"{problem.fit.n:,} observations to fit on; sources {escape(theirs)}; "
            f"claim: {problem.claim}"
        )
        for note in posed.notes:
            self._out.print(f"  [dim]{escape(note)}[/]")

    def _steps(self, steps: Sequence[Step]) -> None:
        reasons: dict[str, list[str]] = {}
        for step in steps:
            reasons.setdefault(step.reason, []).append(step.arm.name)
        for reason, names in reasons.items():
            self._out.print(f"  {escape(', '.join(names))}: {escape(reason)}")

    def _trial(
        self,
        bar: Progress,
        number: Any,
        pace: Pace,
        text: str,
        done: int,
        total: int,
        budget: Any,
    ) -> None:
        pace.at(done, budget.spent)
        guess = pace.left(done)
        left = "" if guess is None else f"about {max(0.0, min(guess, budget.left)):.0f} s left"
        left = ", ".join(each for each in (left, pace.best) if each)
        bar.update(number, description=f"trying {text}", completed=done, total=total, left=left)
        if not self._out.is_terminal and budget.left >= 0:
            said = f" ({left})" if left else ""
            self._out.print(f"  [{done + 1}/{total}] {text}{said}", markup=False)


def warned(summary: Mapping[str, Any]) -> list[str]:
    """What was found wrong with the target's tables, which bears on every figure."""
    target: Mapping[str, Any] = next(iter(summary.get("markets", ())), {})
    found = [
        each["message"] for each in target.get("findings", ()) if each["level"] == "warning"
    ]
    backwards = [
        each["sentence"]
        for each in summary.get("gap", ())
        if each["measure"] == "label-agreement" and MAY_BE_BACKWARDS in each["sentence"]
    ]
    return [*backwards, *found][:WARNINGS]


def because(found: Mapping[str, Any]) -> list[str]:
    """Which sources help or hurt the chosen arm, and which columns carry its gain."""
    said = []
    for row in found.get("sources", ()):
        if row["low"] is not None and (row["low"] > 0 or row["high"] < 0):
            verb = "helps" if row["low"] > 0 else "hurts"
            span = f"{row['low']:+.3g} to {row['high']:+.3g}"
            said.append(
                f"source {row['source']} {verb} {found['arm']}: {row['effect']:+.3g} "
                f"{found['metric']} with it ({span}, n = {row['n']:,})"
            )
    if told := [
        f"{row['validator']} {row['right']} of {row['of']}"
        for row in found.get("reliability", ())
    ]:
        said.append("right on the sources, each in turn taken for a target: " + ", ".join(told))
    carry = [row["column"] for row in found.get("columns", ()) if (row["low"] or 0) > 0]
    if carry:
        said.append(f"columns that carry the gain: {some(carry)}")
    return said


def tried(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of a leaderboard that the budget reached."""
    rows = summary["leaderboard"]
    return [row for row in rows if row["status"] != "abandoned" or row["seconds"] >= 0.05]


def said_of(source: Source) -> str:
    """How much of a source there is to see."""
    if source.seen:
        return f"{source.n:,}"
    return "(rows not seen)" if source.held is None else f"{source.n:,} (rows not shared)"


def advice(verdict: Verdict, ships: str) -> list[str]:
    """What the figures of a verdict do not say by themselves."""
    said = []
    if verdict.looks > 1:
        said.append(
            f"look {verdict.looks} at these judged {verdict.unit}: each look is paid for, so "
            f"the interval is of {100 * (1 - verdict.level):.4g} % where the first had 95 %"
        )
    if verdict.answer == "not-enough-data" and ships == verdict.baseline != verdict.arm:
        alone = "target-only" if ships.startswith("target-only") else ships
        said.append(
            f"until there are more {verdict.unit} to judge on, {alone} ships"
            + (
                f"; --when-unsure best-guess ships {verdict.arm} instead"
                if verdict.likelier
                else ", the best guess as well"
            )
        )
    return said
