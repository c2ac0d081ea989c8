"""What a market sells: ids with titles and codes, and the pairs two markets propose.

After: a person confirms pairs, and `crosswalk` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from acclimate.arrays import Tensor
from acclimate.domains.market import open_market
from acclimate.domains.matching import propose
from acclimate.domains.names import item as item_rank
from acclimate.domains.names import squeeze
from acclimate.domains.productcodes import code_columns, product_codes
from acclimate.domains.schema import ColumnType, SchemaHints
from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean, some

_TITLES = (
    "title",
    "producttitle",
    "itemtitle",
    "productname",
    "itemname",
    "name",
    "description",
)
SCHEMA = {
    "source_id": pl.String, "source_title": pl.String, "target_id": pl.String,
    "target_title": pl.String, "confidence": pl.Float64, "how": pl.String,
    "confirmed": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """A market's items.

    ids     (n,) unique
    titles  (n,) empty where unknown
    codes   (n,) 14 digits, or None
    column  where the titles came from, or None
    invalid codes that were none
    """

    name: str
    ids: list[str]
    titles: list[str]
    codes: list[str | None]
    column: str | None
    invalid: int

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Proposed:
    """Pairs by `SCHEMA`, most confident first, and how they came about.

    by_code, by_title  pairs of each kind
    ambiguous          codes that several items of one market carry, which pair nothing
    """

    pairs: pl.DataFrame
    by_code: int
    by_title: int
    ambiguous: int


def read_catalogue(spec: str, title: str | None = None, item: str | None = None) -> Catalogue:
    """The items of a market: its items table, or what its one file says of items.

    title  the column of titles; None: by its name, else the first column of text
    item   the column of ids, where its name does not tell

    Raises DomainError where items or titles cannot be found.
    """
    hints = SchemaHints(roles={"items": {"item": item}}) if item else None
    try:
        domain = open_market(spec, hints)
    except DomainError:
        if item is None:
            raise
        domain = open_market(spec)
    if "items" not in domain.tables:
        # One file of sales or of products: its ids and titles are a catalogue as well.
        other = next((t for t in ("events", "rows") if t in domain.tables), None)
        key = item or (domain.schema.tables[other].roles.get("item") if other else None)
        if key is None and other:
            named = [c for c in domain.tables[other].columns if item_rank(c) is not None]
            key = min(named, key=lambda c: item_rank(c) or 0) if named else None
        if key is None:
            raise DomainError(
                f"Expected items in {domain.name!r}, found {', '.join(domain.tables)} without "
                "a column of item ids. Add an items table, or name the column with --item."
            )
        domain = open_market(spec, SchemaHints(roles={"items": {"item": key}}))
    table = domain.tables["items"]
    types = domain.schema.tables["items"].types
    column = _title_column(table, types, title, domain.name)
    codes = [product_codes(table[each]) for each in code_columns(table.columns)]
    ids = table["item"].to_list()
    if codes:
        found = pl.select(pl.coalesce([each.values for each in codes])).to_series().to_list()
    elif role := code_columns([domain.schema.tables["items"].roles["item"]]):
        # The id is the code: `ean` as the key of a table.
        codes = [product_codes(table["item"].alias(role[0]))]
        found = codes[0].values.to_list()
    else:
        found = [None] * len(ids)
    titles = [""] * len(ids)
    if column:
        titles = table[column].cast(pl.String).fill_null("").to_list()
    if column is None and not any(found):
        raise DomainError(
            f"Expected titles or codes (EAN, GTIN, UPC, ISBN) in {domain.name!r}, found "
            f"{some(table.columns, 12)}. Name the column of titles with --title."
        )
    invalid = sum(each.invalid for each in codes)
    return Catalogue(domain.name, ids, titles, found, column, invalid)


def _title_column(
    table: pl.DataFrame, types: object, title: str | None, name: str
) -> str | None:
    free = [column for column in table.columns if column != "item"]
    if title is not None:
        if title not in free:
            raise DomainError(
                f"Expected a column of titles {title!r} in {name!r}, found: "
                f"{some(free, 12)}.{did_you_mean(title, free)} Name one of these with --title."
            )
        return title
    by_name = {squeeze(column): column for column in reversed(free)}
    for known in _TITLES:
        if known in by_name and table[by_name[known]].dtype == pl.String:
            return by_name[known]
    assert isinstance(types, dict) or hasattr(types, "get")
    texts = [c for c in free if types.get(c) == ColumnType.TEXT]
    return texts[0] if texts else None


def pairs_of(
    source: Catalogue, target: Catalogue, near: tuple[Tensor, Tensor] | None = None
) -> Proposed:
    """Pairs by code, confirmed by it, then by title for the items no code pairs.

    near  unit vectors of the titles of both
    """
    coded, ambiguous = _by_code(source, target)
    rows: list[tuple[object, ...]] = [
        (source.ids[i], source.titles[i], target.ids[j], target.titles[j], 1.0, "code", "yes")
        for i, j in coded
    ]
    done = {i for i, _ in coded}
    left = np.array(
        [i for i, t in enumerate(source.titles) if t.strip() and i not in done], np.int64
    )
    right = np.array([j for j, t in enumerate(target.titles) if t.strip()], np.int64)
    vectors = (near[0][left], near[1][right]) if near else None
    found = propose(
        [source.titles[i] for i in left], [target.titles[j] for j in right], vectors
    )
    rows += [
        (
            source.ids[left[i]], source.titles[left[i]],
            target.ids[right[j]], target.titles[right[j]],
            round(float(sure), 4), "title", None,
        )
        for i, j, sure in zip(found.source, found.target, found.confidence, strict=True)
    ]  # fmt: skip
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    table = table.sort("confidence", descending=True, maintain_order=True)
    return Proposed(table, len(coded), len(found.source), ambiguous)


def _by_code(source: Catalogue, target: Catalogue) -> tuple[list[tuple[int, int]], int]:
    """Pairs of positions with one code, and how many codes several targets carry."""
    where: dict[str, list[int]] = {}
    for j, code in enumerate(target.codes):
        if code:
            where.setdefault(code, []).append(j)
    pairs, ambiguous = [], set()
    for i, code in enumerate(source.codes):
        if code and len(there := where.get(code, [])) == 1:
            pairs.append((i, there[0]))
        elif code and there:
            ambiguous.add(code)
    return pairs, len(ambiguous)
