"""What `acclimate recommend` asks of a recommender, as tables and reasons.

Before: an artifact became a `recommender.Recommender`.  After: lists on a screen, in a file,
or in a shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.artifacts.predictor import id_column, ids
from acclimate.artifacts.recommender import Filters, Recommender
from acclimate.domains import names
from acclimate.domains.market import open_market, parse_spec
from acclimate.domains.pairs import ids_of, interactions
from acclimate.domains.readers import read_file
from acclimate.domains.sample import Interactions
from acclimate.domains.values import identifiers
from acclimate.errors import DataError, UsageError
from acclimate.nearest import did_you_mean, some
from acclimate.tasks.pasts import events_of

REASONS = 5  # of each item, the largest


@dataclass(frozen=True)
class Asked:
    """One of `basket`, `user`, `baskets` and `everybody`, and how to answer.

    basket     items of one basket
    baskets    a table of basket ids and items
    among      a table whose items alone may be named: FILE or FILE::column=value
    why        whether each list comes with its reasons
    sources    markets in which to count who took both
    """

    basket: Sequence[str] = ()
    users: Sequence[str] = ()
    baskets: Path | None = None
    everybody: bool = False
    k: int = 10
    among: str | None = None
    again: bool = False
    spread: float = 0.0
    why: bool = False
    sources: Sequence[str] = ()


@dataclass(frozen=True)
class Served:
    """Lists, and a row for each item of a history that speaks for an item of a list.

    unknown   items of baskets that the model does not know; they say nothing
    searched  how well an index of very many items found them; None: all were looked at
    """

    lists: pl.DataFrame
    why: list[dict[str, Any]]
    unknown: tuple[str, ...] = ()
    searched: str | None = None


def served(shop: Recommender, asked: Asked) -> Served:
    """Answer what is asked.

    Raises UsageError where not exactly one of the four was named, DataError for tables
    without the columns that are needed.
    """
    said = [bool(asked.basket), bool(asked.users), asked.baskets is not None, asked.everybody]
    if sum(said) != 1:
        raise UsageError(
            "Expected one of --basket, --user, --baskets and --all-users; found "
            f"{sum(said)} of them. Name whom the lists are for."
        )
    filters = Filters(
        _items_of(asked.among) if asked.among is not None else None, asked.again, asked.spread
    )
    named: list[tuple[str, list[str]]]
    unknown: tuple[str, ...] = ()
    if asked.everybody or asked.users:
        users = None if asked.everybody else list(dict.fromkeys(ids_in(asked.users)))
        lists = shop.lists(users, asked.k, filters)
        named = [(user, shop.history(user)) for user in users or ()] if asked.why else []
        if asked.everybody and asked.why:
            raise UsageError(
                "Expected --why for a basket or for users by name; found --all-users, whose "
                "reasons would be a table for each. Name some with --user."
            )
    else:
        named = (
            [("basket", ids_in(asked.basket))]
            if asked.baskets is None
            else _baskets(asked.baskets)
        )
        lists = shop.baskets(named, asked.k, filters)
        every = dict.fromkeys(item for _, items in named for item in items)
        unknown = tuple(item for item in every if item not in shop.column)
    why = _reasons(shop, lists, named, asked.sources) if asked.why else []
    return Served(lists, why, unknown, shop.searched)


def _reasons(
    shop: Recommender,
    lists: pl.DataFrame,
    named: Sequence[tuple[str, Sequence[str]]],
    sources: Sequence[str],
) -> list[dict[str, Any]]:
    histories, name = dict(named), lists.columns[0]
    markets = [(each.name, _taken(events_of(each), shop)) for each in map(open_market, sources)]
    found = []
    for who, item in lists.select(name, "item_id").iter_rows():
        strongest = shop.why(histories[who], item)
        for row in strongest.head(REASONS).iter_rows(named=True):
            users = {shop.target or "target": row.pop("users")}
            pair = [shop.column[row["from_item"]], shop.column[item]]
            users |= {market: _both(taken, pair) for market, taken in markets}
            found.append({name: who, "item_id": item, **row, "users": users})
    return found


def _taken(events: pl.DataFrame, shop: Recommender) -> Interactions:
    """Who took what of the items that the model knows."""
    return interactions(events, ids_of(events["user"]), shop.items)


def _both(taken: Interactions, pair: Sequence[int]) -> int:
    """How many users took both of two items."""
    first, other = (taken.user[taken.item == item] for item in pair)
    return len(np.intersect1d(first, other))


def _items_of(spec: str) -> list[str]:
    """The item ids of a table, or of those of its rows that a slice keeps."""
    path, part = parse_spec(spec)
    table = read_file(Path(path)).frame
    if part is not None:
        if part.column not in table.columns:
            raise DataError(
                f"Expected a column {part.column!r} in {str(path)!r}; found "
                f"{some(table.columns, 12)}.{did_you_mean(part.column, table.columns)} Name "
                "one of these after '::'."
            )
        table = table.filter(part.rows(table[part.column]))
    column = id_column(table, "item", names.item, None)
    if column is None:
        raise DataError(
            f"Expected a column that names items in {str(path)!r}, as item_id; found "
            f"{some(table.columns, 12) or 'no columns'}. Rename the one with items."
        )
    return ids(table, column).drop_nulls().to_list()


def _baskets(path: Path) -> list[tuple[str, list[str]]]:
    """Baskets of a table in its order: (id, items)."""
    table = read_file(path).frame
    item = id_column(table, "item", names.item, None)
    who = id_column(table, "basket", names.basket, None)
    who = who or id_column(table, "user", names.user, None)
    if item is None or who is None:
        lacking = ["with baskets"] * (who is None) + ["with items"] * (item is None)
        raise DataError(
            "Expected columns basket_id (or session_id, user_id) and item_id in "
            f"{str(path)!r}; found {some(table.columns, 12) or 'no columns'}. Rename the one "
            f"{' and the one '.join(lacking)}."
        )
    both = pl.DataFrame([ids(table, who).alias("who"), ids(table, item).alias("item")])
    kept = both.drop_nulls("who").group_by("who", maintain_order=True).agg("item")
    return [(name, [i for i in items if i is not None]) for name, items in kept.iter_rows()]


def ids_in(values: Sequence[str]) -> list[str]:
    """Ids as the target's events spell them."""
    found = identifiers(pl.Series(list(values), dtype=pl.String)).cast(pl.String)
    return [each for each in found.to_list() if each is not None]
