"""What a command line or a recipe asks for, as a task and options."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.errors import UsageError
from acclimate.nearest import did_you_mean, expected

if TYPE_CHECKING:
    from acclimate.options import Options
    from acclimate.tasks.task import Task


class TaskKind(StrEnum):
    """The tasks a command can name."""

    RECOMMEND = "recommend"
    CLASSIFY = "classify"
    REGRESS = "regress"
    TAG = "tag"


# section → key → type, as a recipe may hold them
KEYS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "": {
        "target": str,
        "sources": list,
        "out": str,
        "seed": int,
        "crosswalk": str,
        "accept": (int, float),
    },
    "task": {
        "kind": str,
        "label": str,
        "k": int,
        "at_most": int,
        "behaviour": str,
        "score_by": str,
        "positive": str,
        "also": list,
        "level": (int, float),
    },
    "plan": {
        "strategies": list,
        "models": list,
        "budget_seconds": (int, float),
        "trials": int,
        "when_unsure": str,
        "refuse_harm": bool,
    },
    "split": {"judge": float, "choose": float, "labels": int, "by": str},
}


@dataclass(frozen=True)
class Asked:
    """A recipe, with what the command line said on top of it.

    Every section is a plain mapping; absent keys keep their defaults.
    """

    top: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Asked:
        """A recipe file; its paths are relative to its own folder."""
        try:
            text = path.read_bytes().decode("utf-8-sig")
            found = tomllib.loads(text)
        except OSError as error:
            raise UsageError(
                f"Expected a recipe at {str(path)!r}; it cannot be read ({error.strerror}). "
                "Name an existing .toml file, or give --source and --target."
            ) from None
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"Expected TOML in the recipe {str(path)!r}; found a mistake: {error}. Mend it."
            ) from None
        _check(found, path)
        top = {key: found[key] for key in KEYS[""] if key in found}
        for key in ("target", "out", "crosswalk"):
            if key in top:
                top[key] = _beside(path, top[key])
        if "sources" in top:
            top["sources"] = [_beside(path, source) for source in top["sources"]]
        return cls(top, found.get("task", {}), found.get("plan", {}), found.get("split", {}))

    def over(self, section: str, **said: Any) -> Asked:
        """The same with what the command line said; None says nothing."""
        from dataclasses import replace

        heard = {key: value for key, value in said.items() if value not in (None, [])}
        return replace(self, **{section: {**getattr(self, section), **heard}})

    def options(self) -> Options:
        from acclimate.domains.split import Cut
        from acclimate.options import Options
        from acclimate.strategies.catalogue import arms, models

        plan = dict(self.plan)
        if "strategies" in plan:
            plan["strategies"] = tuple(plan["strategies"])
            arms("rows", plan["strategies"])  # refuses an unknown one before anything is read
        if "models" in plan:
            plan["models"] = tuple(plan["models"])
            strange = [kind for kind in plan["models"] if kind not in models()]
            if strange:
                raise UsageError(
                    f"{expected('models', models(), strange)} Use one of these, or leave "
                    "--model out."
                )
        return Options(
            seed=self.top.get("seed", 0),
            cut=Cut(**self.split),
            crosswalk=self.top.get("crosswalk"),
            accept=self.top.get("accept"),
            **plan,
        )

    def markets(self) -> tuple[list[str], str]:
        """(sources, target), or a UsageError that says which is missing."""
        sources, target = self.top.get("sources", []), self.top.get("target")
        if not target or not (sources or self.task.get("behaviour")):
            missing = "--target" if not target else "--source"
            raise UsageError(
                f"Expected {missing}; found none. Give --source and --target, or a recipe that "
                "names `sources` and `target`."
            )
        return sources, target


def task_of(kind: str | None, target: str, **said: Any) -> Task:
    """The task by name; without one, what the target's tables and its label ask for."""
    from acclimate.artifacts.given import require_market
    from acclimate.tasks.classify import Classify
    from acclimate.tasks.recommend import Recommend
    from acclimate.tasks.regress import Regress
    from acclimate.tasks.tag import Tag

    heard = {key: value for key, value in said.items() if value is not None}
    require_market(target)
    if kind is None:
        kind = inferred(target, heard.get("label"))
    if kind not in list(TaskKind):
        raise UsageError(f"{expected('a task', TaskKind, kind)} Use one of these.")
    fitting: dict[str, tuple[str, ...]] = {
        "recommend": ("k", "at_most", "behaviour"),
        "classify": ("label", "score_by", "positive", "also"),
        "regress": ("label", "score_by", "also", "level"),
        "tag": (),
    }
    if "also" in heard:
        heard["also"] = tuple(heard["also"])
    strange = sorted(set(heard) - set(fitting[kind]))
    if strange:
        raise UsageError(
            f"Expected only {', '.join(fitting[kind])} for {kind}; found {', '.join(strange)}. "
            "Leave it out, or name another task."
        )
    tasks: dict[str, Any] = {
        "recommend": Recommend,
        "classify": Classify,
        "regress": Regress,
        "tag": Tag,
    }
    task: Task = tasks[kind](**heard)
    return task


def inferred(target: str, label: str | None = None) -> TaskKind:
    """The task that a target's tables ask for: recommend where there are events.

    Rows are classified, but where the label's values are numbers too many to be classes;
    that is said on stderr, with how to ask for the other.
    """
    import sys

    from acclimate.domains.market import open_market
    from acclimate.domains.schema import SchemaHints
    from acclimate.tasks.numbers import counts_numbers

    hints = None
    if label is not None:
        named = {"rows": {"label": label}}
        hints = SchemaHints(roles=named, may_lack=frozenset({"label"}))
    market = open_market(target, hints)
    if [*market.tables] == ["texts"]:
        return TaskKind.TAG
    if "events" in market.tables and label is None:
        return TaskKind.RECOMMEND
    rows = market.tables.get("rows")
    if rows is None or "label" not in rows.columns or not counts_numbers(market):
        return TaskKind.CLASSIFY
    column = market.schema.tables["rows"].roles["label"]
    different = rows["label"].drop_nulls().n_unique()
    sys.stderr.write(
        f"task: regress, as the label {column!r} holds {different:,} different numbers; "
        "--task classify makes a class of each\n"
    )
    return TaskKind.REGRESS


def _check(found: Mapping[str, Any], path: Path) -> None:
    sections = {name for name in KEYS if name}
    unknown = sorted(set(found) - sections - set(KEYS[""]))
    if unknown:
        known = ", ".join([*KEYS[""], *(f"[{name}]" for name in sorted(sections))])
        raise UsageError(
            f"Expected {known} in the recipe {str(path)!r}; found {', '.join(unknown)}."
            f"{did_you_mean(unknown, [*KEYS[''], *sections])} Spell it as one of these, or "
            "remove it."
        )
    for section, keys in KEYS.items():
        values = found.get(section, {}) if section else found
        if not isinstance(values, Mapping):
            raise UsageError(
                f"Expected [{section}] to be a table in {str(path)!r}; found {values!r}. "
                f"Write [{section}] on a line of its own, with its keys below."
            )
        for key, value in values.items():
            if not section and key in sections:
                continue
            if key not in keys:
                raise UsageError(
                    f"Expected {', '.join(keys)} under [{section}] in {str(path)!r}; "
                    f"found {key}.{did_you_mean(key, keys)} Spell it as one of these, or "
                    "remove it."
                )
            kinds = keys[key] if isinstance(keys[key], tuple) else (keys[key],)
            if not isinstance(value, kinds) or isinstance(value, bool) != (kinds == (bool,)):
                wanted = " or ".join(kind.__name__ for kind in kinds)  # type: ignore[union-attr]
                raise UsageError(
                    f"Expected {key} to be {wanted} in {str(path)!r}; "
                    f"found {value!r} ({type(value).__name__}). Change it."
                )
            if isinstance(value, list) and not all(isinstance(each, str) for each in value):
                raise UsageError(
                    f"Expected {key} to list strings in {str(path)!r}; found {value!r}. "
                    "Put each in quotes."
                )


def _beside(recipe: Path, name: str) -> str:
    from acclimate.domains.address import beside, is_database

    if is_database(name):
        return beside(recipe.parent, name)
    path = Path(name)
    return name if path.is_absolute() else str(recipe.parent / path)
