"""A place that several markets are slices of is read once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.domains import market
from acclimate.domains.markets import open_markets
from acclimate.domains.once import Once, contents
from tests.domains.files import put

SALES = "user_id,item_id,country\nu,a,de\nv,b,fr\nw,a,fr\n"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the readers that were called."""
    called: list[str] = []

    def heard(name: str) -> Callable[..., Any]:
        reader = getattr(market, name)

        def read(*words: Any) -> Any:
            called.append(name)
            return reader(*words)

        return read

    for name in ("read_file", "read_folder", "read_database"):
        monkeypatch.setattr(market, name, heard(name))
    return called


def slices(place: object) -> list[str | Path]:
    return [f"{place}::country=de", f"{place}::country=fr"]


def test_slices_of_one_file_read_it_once(tmp_path: Path, reads: list[str]) -> None:
    put(tmp_path, sales__csv=SALES)
    two = open_markets(slices(tmp_path / "sales.csv"), None)
    assert reads == ["read_file"]
    assert [each.tables["events"].height for each in two] == [1, 2]
    open_markets(slices(tmp_path / "sales.csv"), None)
    assert reads == ["read_file"] * 2  # nothing is kept beyond one opening


def test_slices_of_one_folder_read_it_once(tmp_path: Path, reads: list[str]) -> None:
    shop = put(tmp_path / "shop", a__csv=SALES, b__csv=SALES)
    two = open_markets(slices(shop), None)
    assert reads == ["read_folder"]
    assert [each.tables["events"].height for each in two] == [2, 4]


def test_slices_of_one_database_read_it_once(tmp_path: Path, reads: list[str]) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table orders (user_id text, item_id text, country text)")
        database.execute("insert into orders values ('u', 'a', 'de'), ('v', 'b', 'fr')")
    two = open_markets(slices(f"sqlite:///{tmp_path}/shop.db"), None)
    assert reads == ["read_database"]
    assert [each.tables["events"].height for each in two] == [1, 1]


def test_other_places_are_read_each(tmp_path: Path, reads: list[str]) -> None:
    put(tmp_path, one__csv=SALES, two__csv=SALES)
    open_markets([tmp_path / "one.csv", tmp_path / "two.csv"], None)
    assert reads == ["read_file"] * 2


def test_a_file_that_changed_is_other_contents(tmp_path: Path) -> None:
    file = put(tmp_path, sales__csv=SALES) / "sales.csv"
    before = contents(file)
    assert contents(file) == before
    os.utime(file, ns=(1, 1))
    assert contents(file) != before != contents(tmp_path)
    assert contents(tmp_path / "none") == str(tmp_path / "none")


def test_what_could_not_be_read_is_tried_again() -> None:
    once = Once()
    with pytest.raises(ZeroDivisionError):
        once.read("place", lambda: 1 // 0)
    assert once.read("place", lambda: 2) == 2
    assert once.read("place", lambda: 3) == 2
