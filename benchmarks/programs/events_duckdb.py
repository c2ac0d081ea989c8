# mypy: disable-error-code="import-not-found"
"""Ten million events by DuckDB, and NumPy for what SQL has no word for: the negatives."""

from __future__ import annotations

import sys

import duckdb
import numpy as np
from watch import Watch, tell


def main() -> None:
    """Print what reading, indexing, cutting and drawing took, and how many pairs there are."""
    path, threads, each = sys.argv[3], int(sys.argv[2]), int(sys.argv[4])
    with Watch() as watch:
        db = duckdb.connect()
        db.execute(f"SET threads = {threads}")
        db.execute(
            "CREATE TABLE pairs AS SELECT user, item, min(ts) AS first "
            f"FROM read_parquet('{path}') GROUP BY user, item"
        )
        for kind in ("user", "item"):
            db.execute(
                f"CREATE TABLE {kind}s AS SELECT {kind}, row_number() OVER () - 1 AS place "
                f"FROM (SELECT DISTINCT {kind} FROM pairs ORDER BY {kind})"
            )
        db.execute(
            "CREATE TABLE ranked AS SELECT users.place::INT AS u, items.place::INT AS i, "
            "row_number() OVER (PARTITION BY users.place ORDER BY first DESC) AS back "
            "FROM pairs JOIN users USING (user) JOIN items USING (item)"
        )
        rest = db.execute("SELECT u, i FROM ranked WHERE back > 1 ORDER BY u").fetchnumpy()
        held = db.execute("SELECT u, i FROM ranked WHERE back = 1").fetchnumpy()
        counted = db.execute("SELECT count(*) FROM items").fetchone()
        assert counted is not None
        user, items = np.asarray(rest["u"], np.int64), int(counted[0])
        drawn = negatives(user, np.asarray(rest["i"]), items, each)
    assert len(drawn) == each * len(user)
    tell(watch, float(len(user) + len(held["u"])))


def negatives(user: np.ndarray, item: np.ndarray, items: int, each: int) -> np.ndarray:
    """So many items for every pair, those drawn again that the user took."""
    g = np.random.default_rng(0)
    taken = np.sort(user * items + item)
    who = np.repeat(user, each)
    drawn = g.integers(0, items, len(who))
    again = np.arange(len(who))
    while len(again):
        asked = who[again] * items + drawn[again]
        at = np.minimum(np.searchsorted(taken, asked), len(taken) - 1)
        again = again[taken[at] == asked]
        drawn[again] = g.integers(0, items, len(again))
    return drawn


main()
