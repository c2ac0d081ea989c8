"""`acclimate crosswalk`: propose which item of a source is which item of the target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acclimate.plurals import number_of


def crosswalk(
    source: Annotated[str, typer.Option(help="The source market.")],
    target: Annotated[str, typer.Option(help="The target market.")],
    out: Annotated[Path, typer.Option(help="The table of pairs to write.")] = Path(
        "crosswalk.csv"
    ),
    accept: Annotated[
        float, typer.Option(help="Count pairs from this confidence on.", min=0, max=1)
    ] = 0.95,
    least: Annotated[
        float, typer.Option(help="Leave out pairs below this confidence.", min=0, max=1)
    ] = 0.05,
    title: Annotated[str | None, typer.Option(help="The column of titles.")] = None,
    item: Annotated[str | None, typer.Option(help="The column of item ids.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Pair items by shared codes (EAN, GTIN, UPC, ISBN) and by titles, to be confirmed."""
    import polars as pl
    from threadpoolctl import threadpool_limits

    from acclimate.cli.adapt import require_writable
    from acclimate.cli.console import Console
    from acclimate.domains import embeddings
    from acclimate.domains.catalogue import pairs_of, read_catalogue
    from acclimate.domains.writers import write_table
    from acclimate.errors import UsageError, without_password
    from acclimate.settings import settings

    if out.exists():
        raise UsageError(
            f"Expected a file that does not exist yet at {str(out)!r}; found one, which may "
            "hold what a person confirmed. Name another with --out, or remove it."
        )
    require_writable(out.parent)
    console = Console(as_json)
    with threadpool_limits(settings().threads):
        ours, theirs = (read_catalogue(each, title, item) for each in (source, target))
        reason = embeddings.why_not()
        near = None if reason else embeddings.embed(ours.titles, theirs.titles)
        found = pairs_of(ours, theirs, (near[0], near[1]) if near else None)
    pairs = found.pairs.filter(pl.col("confidence") >= least)
    write_table(pairs, out)
    sure = int((pairs["confidence"] >= accept).sum())
    notes = []
    if reason:
        notes.append(f"Titles were compared by their letters alone: {reason}.")
    for side in (ours, theirs):
        if side.invalid:
            notes.append(
                f"{side.name}: {number_of(side.invalid, 'code is', 'codes are')} no EAN, GTIN, "
                "UPC or ISBN (length or check digit): ignored."
            )
    if found.ambiguous:
        notes.append(
            f"{number_of(found.ambiguous, 'code is', 'codes are')} on several target items: "
            "not paired."
        )
    by_title = pairs.height - found.by_code
    console.say(
        f"{ours.name} {number_of(len(ours), 'item')}, {theirs.name} {len(theirs):,}: "
        f"{number_of(found.by_code, 'pair')} by code, {by_title:,} proposed by title; "
        f"{sure:,} of all at {accept:g} or more. Written to {out}; write yes or no under "
        "confirmed."
    )
    for each in notes:
        console.say(each)
    console.result(
        {
            "source": without_password(source),
            "target": without_password(target),
            "items": {"source": len(ours), "target": len(theirs)},
            "by_code": found.by_code,
            "by_title": by_title,
            "accepted": sure,
            "accept": accept,
            "invalid_codes": {"source": ours.invalid, "target": theirs.invalid},
            "ambiguous_codes": found.ambiguous,
            "embeddings": reason is None,
            "notes": notes,
            "out": str(out),
        }
    )
