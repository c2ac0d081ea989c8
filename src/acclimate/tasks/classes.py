"""The classes of a problem: the target's own, and those of sources that may still come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.values import numbers
from acclimate.errors import TaskError
from acclimate.plurals import number_of

# From this many classes on, one must be seen twice on average: no number is a class.
MANY = 20
MANY_NUMBERS = 1_000  # codes of classes are fewer
# Classes that would have shown but for so small a chance are no classes of the target.
UNLIKELY = 0.001


def own_classes(target: str, table: pl.DataFrame) -> tuple[str, ...]:
    """The target's own classes, all of them: which labels there are is no secret."""
    mine = set(table["label"].drop_nulls().unique().to_list())
    if len(mine) == 1:
        raise TaskError(
            f"Expected at least two classes in target {target!r}; found only "
            f"{next(iter(mine))!r}. Check the label column, or label rows of another class."
        )
    labelled = table.height - table["label"].null_count()
    if len(mine) > MANY_NUMBERS and numbers(pl.Series([*mine])).share == 1:
        raise TaskError(
            f"Expected classes in target {target!r}; found {len(mine):,} different "
            "numbers. Predict the number with --task regress, name another column with "
            "--label, or write the number as a few ranges."
        )
    if len(mine) > max(MANY, labelled // 2):
        raise TaskError(
            f"Expected classes that recur in target {target!r}; found {len(mine):,} "
            f"different labels in {labelled:,} rows, as of a number or an id. Predict a "
            "number with --task regress, name another column with --label, or write the "
            "number as a few ranges."
        )
    return tuple(sorted(mine))


def may_come(own: Sequence[str], labelled: int, sources: Sequence[Domain]) -> tuple[str, ...]:
    """Classes that sources alone have, and that the target may merely not have shown yet.

    Were they as frequent as in the sources, n labelled rows would have none of them with
    the chance (1 − their share)ⁿ.  The rarest stay, as many as leave it at `UNLIKELY` or
    above: a class that a third of the sources' rows have and none of 60 of the target's is
    none of the target's, and each class that stays costs every arm a little.

    own       the target's classes
    labelled  > 0, its labelled rows
    """
    counts: Counter[str] = Counter()
    for source in sources:
        label = source.tables["rows"]["label"].drop_nulls()
        counts.update(dict(label.value_counts().iter_rows()))
    rows, kept, found = sum(counts.values()), 0, []
    foreign = sorted((count, name) for name, count in counts.items() if name not in own)
    for count, name in foreign:
        kept += count
        if (1 - kept / rows) ** labelled < UNLIKELY:
            break
        found.append(name)
    return tuple(sorted(found))


def told_of_foreign(
    target: str, labelled: int, kept: Sequence[str], dropped: Sequence[str]
) -> list[str]:
    """What is said of classes that no row of the target has."""
    notes = []
    if dropped:
        notes.append(
            f"rows of sources with classes that {number_of(labelled, 'labelled row')} of "
            f"{target} would have shown are left out: {_first(dropped)}; label a row of "
            f"{target} if they can come"
        )
    if kept:
        notes.append(
            f"classes of sources that no row of {target} has yet: {_first(kept)}; every arm "
            "keeps a chance for them and loses a little by it; remove their rows from the "
            "sources if they cannot come"
        )
    return notes


def _first(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (" …" if len(names) > 5 else "")
