"""What a task says of artifacts among its sources: what they know of its target, and what not.

Before: `artifacts.given` opened them.  After: strategies take what they learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from acclimate.arrays import Strings
from acclimate.domains.domain import Domain
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder
from acclimate.errors import DomainError, TaskError
from acclimate.nearest import some
from acclimate.plurals import number_of


def artifacts_of(given: Sequence[Domain]) -> tuple[Source, ...]:
    """Each artifact as a source that shares nothing but what it learned."""
    return tuple(
        Source(each.name, None, frozenset({"fitted"}), each.learned.fitted)
        for each in given
        if each.learned is not None
    )


def classes_told(given: Sequence[Domain]) -> list[set[str]]:
    """The classes that each artifact tells apart."""
    return [set(each.learned.classes) for each in given if each.learned is not None]


def require_common_classes(
    target: str, classes: Sequence[str], given: Sequence[Domain]
) -> None:
    """Raises TaskError for an artifact that knows no class of the target."""
    for each, theirs in zip(given, classes_told(given), strict=True):
        if not theirs & set(classes):
            raise TaskError(
                f"Expected {each.name!r} to share classes with target {target!r}; found "
                f"{some(sorted(theirs))} in the artifact and "
                f"{some(sorted(classes))} in the target. Map one label to the other, "
                "or leave it out."
            )


def agreed(types: Mapping[str, ColumnType], given: Sequence[Domain]) -> dict[str, ColumnType]:
    """How the target's columns are read beside artifacts.

    Nothing is taken from the target: a column is read the artifact's way only where that
    keeps every value, as words of text instead of whole categories.
    """
    found = dict(types)
    for each in given:
        theirs = {} if each.learned is None else each.learned.types
        for name, kind in theirs.items():
            if (found.get(name), kind) == (ColumnType.CATEGORY, ColumnType.TEXT):
                found[name] = kind
    return found


def columns_said(
    target: str, types: Mapping[str, ColumnType], given: Sequence[Domain]
) -> list[str]:
    """What each artifact misses of the target's rows.

    Raises DomainError for one that can read none of its columns.
    """
    notes = []
    for each in given:
        theirs = {} if each.learned is None else each.learned.types
        lacking = [name for name in theirs if name not in types]
        unlike = [name for name in theirs if name in types and types[name] != theirs[name]]
        if theirs and len(lacking) + len(unlike) == len(theirs):
            listed = [
                ", ".join(f"{n} ({kind})" for n, kind in t.items()) for t in (theirs, types)
            ]
            raise DomainError(
                f"Expected columns of target {target!r} that {each.name!r} can read; found "
                f"none: {listed[0]} in the artifact, {listed[1]} in the target. Rename columns "
                "so that they meet, set their types in market.toml, or leave it out."
            )
        said = [f"{name}, which {target} does not have" for name in lacking]
        said += [f"{n} ({theirs[n]} there, {types[n]} in {target})" for n in unlike]
        if said:
            notes.append(f"{each.name} does without {'; '.join(said)}")
    return notes


def items_said(target: str, items: Strings, given: Sequence[Domain]) -> list[str]:
    """How many of the target's items each artifact knows."""
    notes = []
    for each in given:
        encoder = None if each.learned is None else each.learned.fitted.encoder
        if isinstance(encoder, ItemEncoder):
            known = int(np.isin(items, encoder.catalogue[encoder.known]).sum())
            notes.append(
                f"{each.name} knows {known:,} of {target}'s {number_of(len(items), 'item')}"
            )
    return notes


def unchecked(target: str, given: Sequence[Domain]) -> list[str]:
    """What nobody can check, as the rows of artifacts are not seen."""
    return [
        f"what {each.name} was fitted on is not seen: that none of it is among {target}'s "
        "judged data, or came later, is for its owner to know"
        for each in given
    ]
