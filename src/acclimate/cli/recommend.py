"""`acclimate recommend`: lists for baskets, users or all of them, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import polars as pl


def recommend(
    artifact: Annotated[
        Path, typer.Argument(help="The artifact of a run, e.g. runs/jp/artifact.")
    ],
    basket: Annotated[
        list[str] | None, typer.Option(help="An item of one basket; repeat for its others.")
    ] = None,
    user: Annotated[list[str] | None, typer.Option(help="A user; repeat for several.")] = None,
    baskets: Annotated[
        Path | None,
        typer.Option(
            help="Many baskets: a table with a basket (or session, or user) and an item a row."
        ),
    ] = None,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="Everybody whose history is known.")
    ] = False,
    k: Annotated[int, typer.Option(help="Items in a list.", min=1)] = 10,
    among: Annotated[
        str | None,
        typer.Option(help="Only items of this table: FILE, or FILE::category=shoes."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="What was taken already may be named too.")
    ] = False,
    spread: Annotated[
        float, typer.Option(help="0 … 1: how much a list avoids items like those it has.")
    ] = 0.0,
    why: Annotated[
        bool, typer.Option("--why", help="What of the history speaks for each item.")
    ] = False,
    source: Annotated[
        list[str] | None,
        typer.Option(help="With --why: a market to count who took both in; repeat."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the lists go: .csv, .parquet, .jsonl, or .gz.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Recommend from a basket, for users, or for everybody, without learning anew."""
    from acclimate import workflow
    from acclimate.artifacts.serving import Asked, served
    from acclimate.cli.console import Console
    from acclimate.domains.writers import write_answers
    from acclimate.errors import UsageError
    from acclimate.nearest import some
    from acclimate.plurals import number_of

    if why and out is not None:
        raise UsageError(
            "Expected --why with lists on the screen or as --json; found --out too, whose "
            "table has no place for reasons. Leave one of them out."
        )
    asked = Asked(
        tuple(basket or ()),
        tuple(user or ()),
        baskets,
        all_users,
        k,
        among,
        again,
        spread,
        why,
        tuple(source or ()),
    )
    found = served(workflow.recommender(artifact), asked)
    if found.unknown:
        items = number_of(len(found.unknown), "item is", "items are")
        known = some(found.unknown)
        typer.echo(
            f"{items} unknown to the model and left out of the baskets: {known}", err=True
        )
    if found.searched is not None:
        typer.echo(found.searched, err=True)
    if out is not None:
        write_answers(found.lists, ["score", "note"], out)
        typer.echo(f"{number_of(found.lists.height, 'row')} written to {out}", err=True)
    if as_json:
        Console(True).result(
            {
                "lists": found.lists.to_dicts(),
                "why": found.why,
                "unknown": [*found.unknown],
                "searched": found.searched,
            }
        )
    elif out is None:
        _show(found.lists, found.why)


def _show(lists: pl.DataFrame, why: list[dict[str, Any]]) -> None:
    """One line an item, its reasons below it."""
    name = lists.columns[0]
    reasons: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in why:
        reasons.setdefault((row[name], row["item_id"]), []).append(row)
    for row in lists.iter_rows(named=True):
        note = f"  {row['note']}" if row["note"] else ""
        typer.echo(f"{row[name]}  {row['rank']:>3}  {row['item_id']}  {row['score']:.4g}{note}")
        for each in reasons.get((row[name], row["item_id"]), []):
            counted = ", ".join(f"{n} in {market}" for market, n in each["users"].items())
            typer.echo(
                f"       {each['contribution']:+.4g} from {each['from_item']} "
                f"(took both: {counted})"
            )
