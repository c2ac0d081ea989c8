"""New users are answered by what a table says of them, where the model goes by that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.artifacts.artifact import Artifact, load, save
from acclimate.artifacts.predictor import ATTRIBUTES, NEW, predict
from acclimate.domains.market import open_market
from acclimate.domains.writers import write_table
from acclimate.models.content import Content
from acclimate.models.popularity import Popularity
from acclimate.tasks.recommend import Recommend
from tests.artifacts import made


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """Users under 30 take a to d, the others e to h; there is no other difference."""
    draw = np.random.default_rng(0)
    rows = []
    for user in range(60):
        mine = "abcd" if user % 2 else "efgh"
        for at, item in enumerate(draw.permutation(list(mine))[:3]):
            rows.append((f"u{user}", str(item), f"2024-0{1 + at}-{1 + user % 28:02d}"))
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "time"], orient="row")
    users = pl.DataFrame(
        {
            "user_id": [f"u{user}" for user in range(60)],
            "age": [20.0 + user % 5 if user % 2 else 50.0 + user % 5 for user in range(60)],
            "city": [("rome", "oslo")[user % 3 % 2] for user in range(60)],
        }
    )
    for name in ("jp", "us"):
        write_table(events, tmp_path / name / "events.csv")
        write_table(users, tmp_path / name / "users.csv")
    markets = [open_market(tmp_path / name) for name in ("jp", "us")]
    contents = made.of_markets(markets, Content(Popularity(), people=1.0), Recommend(k=5))
    save(tmp_path / "artifact", contents)
    return load(tmp_path / "artifact")


def test_a_new_user_gets_what_people_of_their_age_take(artifact: Artifact) -> None:
    asked = pl.DataFrame({"user_id": ["x", "y", "z"], "age": ["22", "53", None]})
    found = predict(artifact, asked, 4)
    by_user = {
        user: "".join(sorted(found.filter(pl.col("user_id") == user)["item_id"]))
        for user in ("x", "y", "z")
    }
    assert by_user["x"] == "abcd" and by_user["y"] == "efgh"
    notes = dict(found.select("user_id", "note").unique().iter_rows())
    assert notes == {"x": ATTRIBUTES, "y": ATTRIBUTES, "z": NEW}


def test_pairs_of_a_new_user_are_scored_by_their_attributes(artifact: Artifact) -> None:
    asked = pl.DataFrame({"user_id": ["x", "x"], "item_id": ["a", "e"], "age": [22, 22]})
    first, second = predict(artifact, asked)["score"]
    assert first > second


def test_without_attributes_in_the_table_nothing_changes(artifact: Artifact) -> None:
    found = predict(artifact, pl.DataFrame({"user_id": ["x"]}), 2)
    assert found["note"].unique().to_list() == [NEW]
