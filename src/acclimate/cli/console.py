"""What a person sees while a command runs; with `--json` it goes to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import rich.console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from acclimate.plurals import number_of

if TYPE_CHECKING:
    from acclimate.domains.domain import Domain
    from acclimate.domains.schema import Finding
    from acclimate.domains.source import Source
    from acclimate.gaps.gap import Gap
    from acclimate.plans.plan import Plan
    from acclimate.result import Result
    from acclimate.tasks.task import Posed


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

        def listen(stage: str, value: Any) -> None:
            if stage == "markets":
                for domain in value:
                    self.market(domain)
                bar.update(number, description="measuring the gap")
            elif stage == "posed":
                self._posed(value)
            elif stage == "gap":
                self.gap(value)
            elif stage == "plan":
                self._plan(value)
            elif stage == "trial":
                self._trial(bar, number, *value)
            elif stage == "trials":
                bar.update(number, description="judging and refitting", left="")

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
            columns = "; ".join(f"{kind}: {_some(names)}" for kind, names in kinds.items())
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
                if row["status"] == "done" and row["strategy"] != "target-only"
            ]
            if ways and result.verdict.arm != ways[0]:
                picked = escape(result.verdict.arm)
                why = "the simplest of these within one standard error of the best"
                self._out.print(f"judged: {picked}, {why}")
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
                some = f"{other} of them" if whys else "all of them"
                self._out.print(f"  [dim]{some}: {why}[/]")
            for why, names in whys.items():
                self._out.print(f"  [dim]{escape(_some(names))}: {escape(why)}[/]")
        colour = "green" if result.verdict.answer == "adopt" else "cyan"
        answer = escape(result.verdict.answer)
        self._out.print(f"[bold {colour}]verdict: {answer}[/]")
        self._out.print(escape(result.verdict.sentence))
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
        self._out.print(table)
        self._untried(summary)

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
        self._untried(summary)

    def _untried(self, summary: Mapping[str, Any]) -> None:
        """How many arms the budget did not reach."""
        missed = len(summary["leaderboard"]) - len(tried(summary))
        if missed:
            arms = number_of(missed, "arm")
            self._out.print(
                f"[yellow]the budget, less what judging is expected to take, ended before "
                f"{arms}; raise --budget[/]"
            )

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

    def _plan(self, plan: Plan) -> None:
        self._out.print("[bold]plan[/]")
        reasons: dict[str, list[str]] = {}
        for step in plan.steps:
            reasons.setdefault(step.reason, []).append(step.arm.name)
        for reason, names in reasons.items():
            self._out.print(f"  {escape(', '.join(names))}: {escape(reason)}")

    def _trial(
        self, bar: Progress, number: Any, text: str, done: int, total: int, budget: Any
    ) -> None:
        pace = budget.spent / done * (total - done) if done else budget.left
        left = max(0.0, min(pace, budget.left))
        bar.update(
            number,
            description=f"trying {text}",
            completed=done,
            total=total,
            left=f"about {left:.0f} s left",
        )
        if not self._out.is_terminal and (budget.left >= 0 or done == total):
            self._out.print(
                f"  [{done}/{total}] {text} (about {left:.0f} s left)", markup=False
            )


def tried(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of a leaderboard that the budget reached."""
    rows = summary["leaderboard"]
    return [row for row in rows if row["status"] != "abandoned" or row["seconds"] >= 0.05]


def said_of(source: Source) -> str:
    """How much of a source there is to see."""
    if source.seen:
        return f"{source.n:,}"
    return "(rows not seen)" if source.held is None else f"{source.n:,} (rows not shared)"


def _some(names: Sequence[str], at_most: int = 12) -> str:
    shown = ", ".join(names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"
