"""Launch: items that nobody has taken yet can be recommended from the minute they are listed.

Before: an artifact that was fitted for a market with an items table.  After: the same artifact
knows more items; nothing was trained.  Each new item gets, for every user, the score that its
attributes lead one to expect from those of the items that are known (`models.content`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array, Sparse, Strings
from acclimate.artifacts.artifact import Artifact, load, save
from acclimate.domains import names
from acclimate.domains.attributes import Attributes, Space, similar
from acclimate.domains.market import open_market
from acclimate.domains.readers import read_file
from acclimate.domains.sample import Interactions
from acclimate.domains.schema import ColumnType, SchemaHints
from acclimate.domains.view import ItemEncoder
from acclimate.errors import DataError, UsageError
from acclimate.models.content import around
from acclimate.nearest import some
from acclimate.plurals import number_of
from acclimate.strategies.fitted import Fitted

NEIGHBOURS = 3  # that are told of each new item
KNOWN, NOTHING, RESTRICTED = "known already", "no attribute that is known", "restricted item"
_SHOWN = 20


@dataclass(frozen=True)
class Launch:
    """What came of a launch.

    items     of those launched
    near      (n, at most 3) the known items that are most alike, nearest first
    alike     the same shape: how alike, 0 … 1
    left_out  item → why it was not launched
    columns   the attributes that were read
    """

    artifact: Path
    items: Strings
    near: Strings
    alike: Array
    left_out: dict[str, str]
    columns: tuple[str, ...]
    seconds: float

    def as_row(self) -> dict[str, Any]:
        """JSON types only."""
        listed = [
            {
                "item": item,
                "near": [
                    {"item": each, "alike": round(float(how), 4)}
                    for each, how in zip(near, alike, strict=True)
                    if how > 0
                ],
            }
            for item, near, alike in zip(self.items, self.near, self.alike, strict=True)
        ]
        return {
            "artifact": str(self.artifact),
            "launched": listed,
            "left_out": [{"item": item, "why": why} for item, why in self.left_out.items()],
            "columns": list(self.columns),
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        said = [
            f"{number_of(len(self.items), 'new item')} placed by {', '.join(self.columns)}; "
            f"`acclimate predict {self.artifact}` recommends them now."
        ]
        for item, near, alike in zip(self.items[:_SHOWN], self.near, self.alike, strict=False):
            pairs = [f"{a} ({b:.2f})" for a, b in zip(near, alike, strict=True) if b > 0]
            said.append(f"  {item}: near {', '.join(pairs)}")
        if len(self.items) > _SHOWN:
            said.append(f"  … and {len(self.items) - _SHOWN:,} more")
        for why in sorted(set(self.left_out.values())):
            those = [item for item, each in self.left_out.items() if each == why]
            said.append(f"left out, {why}: {some(those, _SHOWN)}")
        return "\n".join(said)


def launch(folder: str | Path, items: str | Path) -> Launch:
    """Write an artifact anew that also knows the items of a file.

    folder  of the artifact
    items   a file with a column of ids, and columns as the target's items table had

    Raises UsageError for an artifact that does not recommend or knows no attributes, DataError
    for a file without ids, without any attribute that is known, or without a new item.
    """
    start = time.monotonic()
    artifact = load(folder)
    encoder = artifact.fitted.encoder
    space = encoder.about.items if isinstance(encoder, ItemEncoder) else None
    if not isinstance(encoder, ItemEncoder):
        raise UsageError(
            f"Expected an artifact for recommend at {str(folder)!r}; found one for "
            f"{artifact.contents.task.kind}, which has no items to launch."
        )
    if space is None:
        raise UsageError(
            f"Expected an artifact that knows attributes of items at {str(folder)!r}; found "
            f"one of {artifact.contents.target!r}, whose items table has none. Add an items "
            "table (ids, and columns such as brand, category, price or title) to the target's "
            "folder and run adapt again."
        )
    found = _read(Path(items), space, artifact)
    features = space.encode(found.told, found.told.n)
    known = set(encoder.catalogue[encoder.known].tolist())
    barred = set(artifact.contents.reading.declared.restricted)
    left_out = {}
    for item, much in zip(found.ids, np.diff(features.indptr), strict=True):
        if item in known:
            left_out[item] = KNOWN
        elif item in barred:
            left_out[item] = RESTRICTED
        elif not much:
            left_out[item] = NOTHING
    kept = np.array([n for n, item in enumerate(found.ids) if item not in left_out], np.int64)
    if not len(kept):
        raise DataError(
            f"Expected a new item in {Path(items).name!r}; found none of its "
            f"{number_of(len(found.ids), 'item')}: {_reasons(left_out)}. List items that the "
            "artifact does not know, with their attributes."
        )
    fitted = _with(artifact.fitted, encoder, found.ids[kept], features[kept])
    save(artifact.folder, replace(artifact.contents, fitted=fitted))
    assert encoder.about.features is not None
    at, alike = similar(features[kept], encoder.about.features, NEIGHBOURS)
    near: Strings = encoder.catalogue[encoder.known][at]
    columns = tuple(found.told.types)
    spent = round(time.monotonic() - start, 3)
    return Launch(artifact.folder, found.ids[kept], near, alike, left_out, columns, spent)


def _with(fitted: Fitted, encoder: ItemEncoder, ids: Strings, features: Sparse) -> Fitted:
    nothing, nobody = np.empty(0, np.int64), np.array([""], dtype=object)
    view = encoder.encode(Interactions(nothing, nothing, nobody, encoder.catalogue))
    model = around(fitted.model, view, features)
    return replace(fitted, encoder=encoder.with_items(ids, features), model=model)


@dataclass(frozen=True)
class _Listed:
    ids: Strings
    told: Attributes


def _read(path: Path, space: Space, artifact: Artifact) -> _Listed:
    """The items of a file as the target's items table was read."""
    columns = read_file(path).frame.columns
    roles = artifact.contents.reading.roles
    key = next((c for c in (space.key, roles.get("item"), "item_id") if c in columns), None)
    if key is None:
        ranked = [(r, i, c) for i, c in enumerate(columns) if (r := names.item(c)) is not None]
        key = min(ranked)[2] if ranked else None
    if key is None:
        raise DataError(
            f"Expected a column that names items in {path.name!r}, {space.key!r} as in the "
            f"target's items table or 'item_id'; found {some(columns, 12)}. Rename "
            "the one with ids."
        )
    types = {name: kind for name, kind in space.types.items() if name in columns}
    if not types:
        raise DataError(
            f"Expected at least one attribute of {some(list(space.types), 12)} in "
            f"{path.name!r}, as the target's items have; found {some(columns, 12)}. "
            "Call columns as the target's items table does."
        )
    others = {c: ColumnType.IGNORED for c in columns if c != key and c not in types}
    hints = SchemaHints(roles={"items": {"item": key}}, types={**types, **others})
    table = open_market(path, hints).tables["items"]
    ids = np.array(table["item"].to_list(), dtype=object)
    told = Attributes.of(table, types, ids, ladders=space.ladders)
    assert told is not None
    return _Listed(ids, told)


def _reasons(left_out: dict[str, str]) -> str:
    counted = pl.Series(list(left_out.values()), dtype=pl.String).value_counts(sort=True)
    return ", ".join(f"{n:,} {why}" for why, n in counted.iter_rows())
