"""A listed problem, posed: what acclimate is given, and an `audit` part that it never sees.

A list is a TOML file of `[[problem]]` tables; files are named from the folder of data.

    name      of the problem
    task      classify, regress or recommend
    label     the label column, of classify and regress
    drop      columns that are not to be learned from
    target    a market, or a slice of one: FILE or FILE::column=value
    sources   the same, one or several
    labels    labelled target rows that may be fitted and chosen on; users, to recommend
    harm      "flipped": every source's classes, or numbers around their mean, turned round;
              "noise": every source's labels, or ids of items, shuffled among its rows
    harmed    the positions of the sources that are harmed, from 0; all without it
    rows      of each source at most
    strategies, models
              what is tried besides what always is; everything a plan tries unasked without

Audit rows are the latest where rows have a time, and drawn otherwise; audit users are
others than the users given, asked for their last item with all their others known.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case
from acclimate.domains.market import open_market
from acclimate.domains.pairs import interactions, positions
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions, Rows, Sample, stack_rows
from acclimate.domains.schema import ColumnType, SchemaHints
from acclimate.domains.split import Cut
from acclimate.errors import UsageError
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.numbers import number_rows
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.regress import Regress
from acclimate.tasks.tables import rows_of
from acclimate.tasks.task import Posed, Task

AUDITED = 2_000  # rows or users at most
SOURCE_ROWS = 1_000  # of each source at most: what one core solves in a minute or two
SOURCE_USERS = 1_500
AT_MOST = 2_000  # items that models keep
HARMS = (None, "flipped", "noise")


@dataclass(frozen=True)
class Listed:
    """One problem as it is written down; see the module."""

    name: str
    task: str
    target: str
    sources: tuple[str, ...]
    labels: int
    label: str | None = None
    drop: tuple[str, ...] = ()
    harm: str | None = None
    harmed: tuple[int, ...] | None = None
    strategies: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    rows: int = SOURCE_ROWS

    @property
    def data(self) -> str:
        """The folder of its data: what is left out together."""
        return Path(self.target.partition("::")[0]).parts[0]

    @property
    def files(self) -> list[str]:
        return sorted({spec.partition("::")[0] for spec in (self.target, *self.sources)})


@dataclass(frozen=True)
class Audited:
    """A posed problem and its sealed part.

    ships  what a shipped arm is fitted on: every label of the budget, and no judged row;
           of recommenders everything that was given
    audit  what nobody sees
    """

    posed: Posed
    ships: Problem
    audit: Case


def read_list(path: Path) -> list[Listed]:
    """The problems of a list; raises UsageError for a name used twice or an unknown harm."""
    found = []
    for table in tomllib.loads(path.read_text(encoding="utf-8")).get("problem", []):
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in table.items()
        }
        found.append(Listed(**plain))
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UsageError(f"Expected a name for each problem of {path}; found twice: {twice}.")
    for each in found:
        if each.harm not in HARMS or each.task not in ("classify", "regress", "recommend"):
            raise UsageError(
                f"Expected a known task and harm of problem {each.name!r} in {path}; found "
                f"{each.task!r} and {each.harm!r}."
            )
    return found


def missing(listed: Listed, data: Path) -> list[str]:
    """The files of a problem that are not there."""
    return [name for name in listed.files if not (data / name).exists()]


def audited(listed: Listed, data: Path, rng: Rng) -> Audited:
    """Open, thin out, harm, seal the audit part, and pose what is left."""
    target, *sources = (
        _opened(listed, data, spec) for spec in (listed.target, *listed.sources)
    )
    harmed = range(len(sources)) if listed.harmed is None else listed.harmed
    thinned = [
        _thinned(each, listed, rng.child(f"source/{n}")) for n, each in enumerate(sources)
    ]
    sources = [
        _harmed(each, listed.task, listed.harm, rng.child(f"harm/{n}")) if n in harmed else each
        for n, each in enumerate(thinned)
    ]
    names = [target.name, *(source.name for source in sources)]
    if len(set(names)) < len(names):  # the same slice of two files
        sources = [replace(s, name=f"{s.name} {n}") for n, s in enumerate(sources, start=1)]
    if listed.task == "recommend":
        return _audited_users(listed, target, sources, rng)
    return _audited_rows(listed, target, sources, rng)


def _opened(listed: Listed, data: Path, spec: str) -> Domain:
    table = "events" if listed.task == "recommend" else "rows"
    roles = {} if listed.label is None else {table: {"label": listed.label}}
    dropped = dict.fromkeys(listed.drop, ColumnType.IGNORED)
    return open_market(str(data / spec), SchemaHints(roles=roles, types=dropped))


def _with(domain: Domain, table: str, rows: pl.DataFrame) -> Domain:
    return replace(domain, tables={**domain.tables, table: rows})


def _thinned(domain: Domain, listed: Listed, rng: Rng) -> Domain:
    """A source of so many labelled rows, or users, at most."""
    if listed.task != "recommend":
        rows = domain.tables["rows"].filter(pl.col("label").is_not_null())
        kept = np.sort(rng.generator().permutation(rows.height)[: listed.rows])
        return _with(domain, "rows", rows[kept])
    events = domain.tables["events"]
    users = events["user"].drop_nulls().unique().sort().to_numpy()
    chosen = rng.generator().permutation(users)[:SOURCE_USERS].tolist()
    return _with(domain, "events", events.filter(pl.col("user").is_in(chosen)))


def _harmed(domain: Domain, task: str, harm: str | None, rng: Rng) -> Domain:
    if harm is None:
        return domain
    if task == "recommend":
        events = domain.tables["events"]
        if harm != "noise":
            raise UsageError(f"Expected no harm or noise of events; found {harm!r}.")
        mixed = events["item"].gather(rng.generator().permutation(events.height))
        return _with(domain, "events", events.with_columns(mixed.alias("item")))
    rows = domain.tables["rows"]
    label = rows["label"]
    if harm == "noise":
        turned = label.gather(rng.generator().permutation(rows.height))
    elif task == "regress":
        numbers = label.cast(pl.Float64).to_numpy()
        turned = pl.Series(2 * numbers.mean() - numbers).cast(label.dtype)
    else:
        classes = label.unique().sort().to_list()
        turned = label.replace_strict(classes, classes[1:] + classes[:1])
    return _with(domain, "rows", rows.with_columns(turned.alias("label")))


def given_rows(rows: int, labels: int) -> int:
    """How many of so many target rows acclimate is given: the budget's, some to see without
    labels, and a judge of about a thousand; half of a small target at most."""
    return min(2 * labels + 1500, max(rows // 2, 2 * labels), rows - rows // 5)


def _audited_rows(
    listed: Listed, target: Domain, sources: Sequence[Domain], rng: Rng
) -> Audited:
    rows = target.tables["rows"].filter(pl.col("label").is_not_null())
    if "time" in rows.columns and rows["time"].null_count() == 0:
        rows = rows.sort("time", maintain_order=True)
    else:
        rows = rows[rng.child("audit").generator().permutation(rows.height)]
    given = given_rows(rows.height, listed.labels)
    rows = rows.tail(given + AUDITED)
    task: Task = Regress(listed.label)
    if listed.task == "classify":
        task = Classify(listed.label, "log-loss")
    seen = _with(target, "rows", rows[:given])
    posed = task.pose(seen, sources, Cut(labels=listed.labels), rng.child("pose"))
    return Audited(posed, _of_budget(posed), _sealed(target, rows[given:], posed.problem.fit))


def _sealed(target: Domain, rows: pl.DataFrame, fit: Sample) -> Case:
    """Rows as a case under the columns and classes of those given."""
    assert isinstance(fit, Rows)
    if not fit.classes:
        return number_rows(_with(target, "rows", rows), fit.types).case()
    rows = rows.filter(pl.col("label").is_in(list(fit.classes)))
    zone = target.schema.declared.timezone
    return rows_of(rows, fit.types, fit.classes, zone).case()


def _of_budget(posed: Posed) -> Problem:
    """The problem with `fit` and `choose` together to fit on."""
    problem, fit = posed.problem, posed.problem.fit
    assert isinstance(fit, Rows)
    chosen = [replace(case.query, label=case.truth.label) for case in posed.exam.choose]
    return problem.with_fit(stack_rows([fit, *chosen])) if chosen else problem


def _audited_users(
    listed: Listed, target: Domain, sources: Sequence[Domain], rng: Rng
) -> Audited:
    events = target.tables["events"]
    counts = events.group_by("user").agg(pl.col("item").n_unique().alias("n"))
    users = counts.filter(pl.col("user").is_not_null())["user"].sort().to_numpy()
    order = rng.child("audit").generator().permutation(users)
    labels = min(listed.labels, len(order) - len(order) // 5)
    mine = events.filter(pl.col("user").is_in(order[:labels].tolist()))
    task = Recommend(at_most=AT_MOST)
    posed = task.pose(_with(target, "events", mine), sources, Cut(by="last"), rng.child("pose"))
    whole = posed.whole.fit
    assert isinstance(whole, Interactions)
    sealed = order[labels:][:AUDITED].tolist()
    return Audited(posed, posed.whole, last_items(events, sealed, whole))


def last_items(events: pl.DataFrame, users: Sequence[str], known: Interactions) -> Case:
    """Each user's last item asked for, all others told, over the items that are known.

    An item that nobody given had taken is a miss for everyone.
    """
    theirs = events.filter(pl.col("user").is_in(list(users)))
    if "time" in theirs.columns:
        theirs = theirs.sort("time", maintain_order=True)
    # An item taken again is asked for where it was taken first.
    theirs = theirs.unique(["user", "item"], keep="first", maintain_order=True)
    last = theirs.with_row_index("at").group_by("user").agg(pl.col("at").max())["at"]
    at = np.zeros(theirs.height, bool)
    at[last.to_numpy()] = True
    ids = np.array(sorted(users), dtype=object)
    before = interactions(theirs.filter(pl.Series(~at)), ids, known.items)
    later = theirs.filter(pl.Series(at))
    user, item = positions(later["user"], ids), positions(later["item"], known.items)
    missed = np.bincount(user[item < 0], minlength=len(ids)).astype(np.int64)
    found = Interactions(user[item >= 0], item[item >= 0], ids, known.items)
    return before.ask(found, missed)
