"""A Domain: one market, category, store, campaign or user group.

Before: `readers` turned files into tables.  After: a task cuts a Problem out
of one target and its sources.  Tables carry canonical role names, so nothing
below this point knows what a file called its columns.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import polars as pl

from acclimate.domains.schema import ColumnType, Finding, Schema


@dataclass(frozen=True)
class Learned:
    """What an artifact tells of a market whose rows nobody sees.

    task          the kind of task it serves
    fitted        its encoder and model (`strategies.fitted.Fitted`)
    types         how it reads each feature; empty where it has no rows
    classes       the label's values it tells apart, in order
    digest        of the artifact
    fingerprints  of the data it was fitted on
    said          what it is, in a few words
    """

    task: str
    fitted: Any
    types: Mapping[str, ColumnType]
    classes: tuple[str, ...]
    digest: str
    fingerprints: frozenset[str]
    said: str = ""


@dataclass(frozen=True)
class Domain:
    """One market: a name, its tables, its schema.

    tables    `events`: user (str), item (str), and where known kind (str),
              time (datetime), value (float), quantity (float), in file order.
              `items`, `users`: first column item / user (str, unique), then attributes.
              `rows`: the columns of the file under their own names, but for the
              roles, which are called label, time, entity.
    schema    what each column was understood to be
    findings  what its owner should know
    learned   where it is an artifact, what that holds; there are no tables then
    """

    name: str
    tables: Mapping[str, pl.DataFrame]
    schema: Schema
    findings: tuple[Finding, ...] = ()
    learned: Learned | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of names, types and values; equal content gives equal prints."""
        if self.learned is not None:
            return self.learned.digest
        digest = hashlib.sha256()
        for name in sorted(self.tables):
            frame = self.tables[name]
            digest.update(repr((name, frame.schema)).encode())
            digest.update(frame.hash_rows(seed=0).to_numpy().tobytes())
        declared = self.schema.declared
        if declared.restricted or declared.kinds:  # the rest is in the tables already
            digest.update(repr((declared.restricted, declared.kinds)).encode())
        return digest.hexdigest()

    def before(self, clock: datetime | None) -> Domain:
        """This market as it was known at `clock`: later events and rows are gone.

        Rows without a time stay.  With `clock` None nothing is cut.
        """
        if clock is None or self.learned is not None:
            return self
        tables = {
            name: frame.filter(pl.col("time").is_null() | (pl.col("time") <= clock))
            if "time" in frame.columns
            and name in ("events", "rows", "texts")
            and (frame["time"] > clock).any()  # a copy of millions of rows is not made for none
            else frame
            for name, frame in self.tables.items()
        }
        return Domain(self.name, tables, self.schema, self.findings)

    def __str__(self) -> str:
        if self.learned is not None:
            return f"{self.name} (an artifact: its rows stay where they are)"
        sizes = ", ".join(f"{frame.height:,} {name}" for name, frame in self.tables.items())
        return f"{self.name} ({sizes})"

    def _repr_html_(self) -> str:
        tables = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{frame.height:,} rows</td>"
            f"<td>{html.escape(', '.join(frame.columns[:12]))}</td></tr>"
            for name, frame in self.tables.items()
        )
        return f"<b>{html.escape(self.name)}</b><table>{tables}</table>"
