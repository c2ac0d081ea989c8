"""What the layers below say to readers, read off their source: strings that are sentences.

A string with a blank and a word counts as one, unless it stands in a docstring, an
exception, an assertion or a log line.  A `{slot}` is written `{}`, whatever it holds.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import acclimate
from acclimate.reports.language import SLOT, Language

ROOT = Path(acclimate.__file__).parent
LAYERS = (
    "explanations",
    "plans",
    "verdicts",
    "strategies",
    "models",
    "tasks",
    "gaps",
    "domains",
)
BESIDES = ("artifacts/given.py", "release.py", "result.py", "workflow.py")
NESTED = re.compile(r"\{[^{}]*\}")

# A failed arm shows its exception: these are raised while an arm is fitted.
SHOWN = "StrategyError"
MADE = ("__init__", "__post_init__", "_repr_html_")

SILENT = {
    "domains/address.py": "database URLs; what it says is raised",
    "domains/connections.py": "SQL; what it says is raised",
    "domains/queries.py": "what it says is raised",
    "domains/vocabulary.py": "names of columns in many languages",
    "domains/declared.py": "what it says is printed by a terminal",
    "domains/nobody.py": "values that name no user",
    "domains/readers.py": "names of formats; what it says is raised",
    "domains/times.py": "names of notations",
    "plans/store.py": "SQL; what it says is printed by a terminal",
}

# Strings with a blank that no reader of a report sees.
UNSEEN = {
    # what a refusal of a whole run is made of
    "Expected at least one target-only arm that can be fitted; found: {}. Mend the target's "
    "data: transfer is judged against doing without.",
    "Expected at least one source-only arm for a target without labels; found none that could "
    "be fitted: {}. Mend the sources, or raise --budget.",
    "no source fits",
    "it reads every market in its own encoding. Let it stand alone",
    "it ends in several models, and none to go on from. Put it last",
    "looks like {}, but byte 0x{} at offset {} does not belong to it",
    "the role {}",
    "the type {}",
    "amounts of money",
    "no tables",
    # what the refusal of a folder is made of
    " of {}",
    "{}{} for {}",
    # names of made markets
    "source {}",
    # names of settings, notations and parts
    "{} ({}, {} … {}, n = {})",
    "{} = {}",
    "{} users",
    "{} from {}",
    "no commas",
    "commas as thousands separators",
    "commas as decimals",
    "{}, in {}",
    ", in ",
    " read as ",
    "task {}",
    "window {}",
    "{} query",
    "{} and {}",
    "{} artifact",
    "{} of {}",
    "{} score",
    "source prior",
    "held-out source",
    "predicted source",
    "predicted target",
    "target labels",
    # asked of other sentences
    "{} says the same as the label",
    # how lists end, which every list can
    "{} and {} more",
    " These repeat as ids do: {}.",
    "{} ({} values)",
    # shown on a terminal
    "{} {} to judge on can show nothing: at least {} are wanted.",
    "How small an effect can be shown is not known: no two arms could be compared.",
    "δ, {}, can be shown",
    "{} would show δ, {}",
    "{} {} to judge on show an effect of {} {} or more with 80 % chance (look {}); {}. "
    "Measured between {} and {} on {} others.",
    "{} on all {} {}",
    "{} on {} {}",
    "{} (an artifact: its rows stay where they are)",
}

# Keys that the code puts together at run time.
TOGETHER = {
    "{}: {}.",
    "{}: {}",
    "{}.",
    " ({})",
    ": left out",
    "{} ({})",
    "commas read as thousands separators",
    "commas read as decimals",
}


class Said(NamedTuple):
    """A sentence, where it stands, and its skeleton."""

    place: str
    text: str

    @property
    def skeleton(self) -> str:
        return NESTED.sub("{}", self.text)


@cache
def sentences() -> tuple[Said, ...]:
    """Every sentence of every layer, in the order of the files."""
    return tuple(_sentences())


def _sentences() -> Iterator[Said]:
    paths = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
    for path in (*paths, *(ROOT / name for name in BESIDES)):
        name = path.relative_to(ROOT).as_posix()
        if name not in SILENT:
            reader = _Reader(name)
            reader.visit(ast.parse(path.read_text(encoding="utf-8")))
            yield from reader.found


def forms(english: str) -> set[str]:
    """The skeletons of a pattern, with and without what may be missing."""
    return {SLOT.sub("{}", english), SLOT.sub("{}", re.sub(r"\{\w+:o\}", "", english))}


def skeletons(language: Language) -> set[str]:
    """Everything a language knows."""
    found = {form for english in language.sentences for form in forms(english)}
    return found | set(language.words) | set(language.units)


class _Reader(ast.NodeVisitor):
    def __init__(self, name: str) -> None:
        self.name, self.found = name, list[Said]()
        self.making = False

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._take(node, node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._take(node, "".join(map(_part, node.values)))
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit(value.value)  # `{' or '.join(names) or 'nothing'}`

    def visit_Raise(self, node: ast.Raise) -> None:
        if isinstance(node.exc, ast.Call) and not self.making and _name(node.exc) == SHOWN:
            self.visit(node.exc.args[0])

    def visit_Call(self, node: ast.Call) -> None:
        if not _name(node).endswith(("Error", "warn")):
            self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and not _is_alias(node.annotation):
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer, self.making = self.making, node.name in MADE
        if node.name != "_repr_html_":
            for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
                self.visit(default)
            for each in node.body:
                self.visit(each)
        self.making = outer

    def _take(self, node: ast.expr, text: str) -> None:
        bare = NESTED.sub("", text)
        if (
            " " in text.strip()
            and re.search("[a-z]{2}", bare)
            and NESTED.sub("{}", text) not in UNSEEN
        ):
            self.found.append(Said(f"{self.name}:{node.lineno}", text))


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.FormattedValue)
    return "{" + re.sub("[{}]", "", ast.unparse(node.value)) + "}"


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _is_alias(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "TypeAlias"
