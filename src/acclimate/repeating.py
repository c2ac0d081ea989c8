"""What a run was asked, kept in its run.json so that a later command may ask it again.

Before: `workflow.adapt` was called.  After: `curves` poses the same problem once more.
Paths are kept as seen from the run's folder, so that a project that moves stays the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from acclimate.artifacts.artifact import TASKS
from acclimate.domains.address import is_database
from acclimate.domains.domain import Domain
from acclimate.domains.market import parse_spec
from acclimate.domains.markets import Market
from acclimate.domains.split import Cut
from acclimate.errors import UsageError, without_password
from acclimate.options import Options
from acclimate.tasks.task import Task


@dataclass(frozen=True)
class Asked:
    """The words of a call of `adapt`."""

    task: Task
    sources: tuple[Market, ...]
    target: Market
    options: Options


def record(
    task: Task, sources: Sequence[Market], target: Market, options: Options, out: Path
) -> dict[str, Any]:
    """The call as JSON; a market that was given as a Domain, or with a password, is None."""
    if isinstance(sources, str | Path | Domain):
        sources = [sources]
    how = asdict(options)
    if options.crosswalk is not None:
        how["crosswalk"] = _seen_from(out, options.crosswalk)
    return {
        "task": {"kind": task.kind, "settings": asdict(task)},  # type: ignore[call-overload]
        "target": _place(target, out),
        "sources": [_place(each, out) for each in sources],
        "options": how,
    }


def asked_again(
    summary: Mapping[str, Any],
    run: Path,
    sources: Sequence[Market] = (),
    target: Market | None = None,
) -> Asked:
    """The call that a run's summary tells of.

    run              the run's folder, from which its paths are seen
    sources, target  in the place of those it names

    Raises UsageError where the summary does not tell, and nothing was given instead.
    """
    again = summary.get("again")
    if not isinstance(again, Mapping):
        raise UsageError(
            f"Expected a run that says what it was asked at {str(run)!r}; found one that was "
            "made before runs said so. Run `acclimate adapt` again."
        )
    named = [_found(each, run) for each in again["sources"]]
    theirs: Sequence[Market | None] = sources or named
    mine = target if target is not None else _found(again["target"], run)
    if mine is None or None in theirs:
        missing = "its target" if mine is None else "a source"
        raise UsageError(
            f"Expected to know where {missing} of the run {str(run)!r} is; it was given as a "
            "table in memory, or by a URL with a password, which no file keeps. Name all its "
            "markets with --source and --target."
        )
    how = dict(again["options"])
    for key in ("strategies", "models"):
        how[key] = None if how[key] is None else tuple(how[key])
    if how["crosswalk"] is not None:
        how["crosswalk"] = _found(how["crosswalk"], run)
    options = Options(**{**how, "cut": Cut(**how["cut"])})
    task = TASKS[again["task"]["kind"]](**again["task"]["settings"])
    return Asked(task, tuple(each for each in theirs if each is not None), mine, options)


def _place(market: Market, out: Path) -> str | None:
    if isinstance(market, Domain):
        return None
    if is_database(market):
        name = str(market)
        return None if without_password(name) != name else name
    path, part = parse_spec(market)
    return _seen_from(out, str(path)) + (f"::{part}" if part else "")


def _found(name: str | None, run: Path) -> str | None:
    """A place as it is called from here."""
    if name is None:
        return None
    if is_database(name):
        return name
    path, part = parse_spec(name)
    return os.path.normpath(run / path) + (f"::{part}" if part else "")


def _seen_from(out: Path, name: str) -> str:
    """A path, with the slice behind it, as seen from a folder."""
    try:
        return Path(os.path.relpath(Path(name).absolute(), out.absolute())).as_posix()
    except ValueError:  # on another drive
        return Path(name).absolute().as_posix()
