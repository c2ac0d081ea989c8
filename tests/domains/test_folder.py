"""The files of a folder become the tables of a market."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.market import open_market
from acclimate.domains.writers import write_table
from acclimate.errors import DomainError
from tests.domains.files import EVENTS, LOANS, messages, put

ITEMS = "item_id,colour,price\na,red,1\nb,blue,2\n"
USERS = "user_id,age\nu,30\nv,40\n"


@pytest.mark.parametrize(
    "stem",
    [
        "events",
        "orders",
        "transactions",
        "interactions",
        "ratings",
        "purchases",
        "clicks",
        "train",
    ],
)
def test_a_stem_names_events(tmp_path: Path, stem: str) -> None:
    assert set(open_market(put(tmp_path, **{f"{stem}__csv": EVENTS})).tables) == {"events"}


@pytest.mark.parametrize("stem", ["items", "products", "articles", "catalog", "product_list"])
def test_a_stem_names_items(tmp_path: Path, stem: str) -> None:
    folder = put(tmp_path, **{f"{stem}__csv": ITEMS, "x__csv": EVENTS})
    items = open_market(folder).tables["items"]
    assert items.columns == ["item", "colour", "price"]


@pytest.mark.parametrize("stem", ["users", "customers", "households", "members"])
def test_a_stem_names_users(tmp_path: Path, stem: str) -> None:
    folder = put(tmp_path, **{f"{stem}__csv": USERS, "x__csv": EVENTS})
    assert open_market(folder).tables["users"].columns == ["user", "age"]


def test_columns_decide_where_the_stem_says_nothing(tmp_path: Path) -> None:
    folder = put(tmp_path, a__csv=EVENTS, b__csv=ITEMS, c__csv=USERS, d__csv=LOANS)
    domain = open_market(folder)
    assert list(domain.tables) == ["events", "items", "users", "rows"]
    assert domain.name == tmp_path.name


def test_files_of_one_table_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    other = "item_id,user_id\nz,w\n"
    domain = open_market(put(tmp_path, orders_2__csv=EVENTS, orders_1__csv=other))
    assert domain.tables["events"].rows() == [("w", "z"), ("u", "a"), ("v", "b")]
    assert "events: orders_1.csv, orders_2.csv together" in messages(domain)


def test_files_of_one_table_may_write_ids_differently(tmp_path: Path) -> None:
    put(tmp_path, orders_1__csv="user_id,item_id\n7,a\n")
    frame = pl.DataFrame({"user_id": [7.0, None], "item_id": ["b", "c"]})
    write_table(frame, tmp_path / "orders_2.parquet")
    events = open_market(tmp_path).tables["events"]
    assert events.rows() == [("7", "a"), ("7", "b")]


def test_files_of_one_table_with_unequal_columns_are_refused(tmp_path: Path) -> None:
    put(tmp_path, orders_1__csv=EVENTS, orders_2__csv="user_id,item_id,price\nu,a,1\n")
    with pytest.raises(DomainError, match="same columns in every file of 'events'"):
        open_market(tmp_path)


def test_one_table_in_two_formats_is_refused(tmp_path: Path) -> None:
    put(tmp_path, orders__csv=EVENTS, orders__tsv=EVENTS)
    with pytest.raises(DomainError, match="Expected each table once"):
        open_market(tmp_path)


def test_the_names_of_files_tell_kinds_where_no_column_does(tmp_path: Path) -> None:
    put(tmp_path, views__csv=EVENTS, add_to_cart__csv=EVENTS, purchases__csv=EVENTS)
    assert open_market(tmp_path).tables["events"]["kind"].unique().sort().to_list() == [
        "cart",
        "order",
        "view",
    ]


def test_unrelated_files_are_skipped_with_a_note(tmp_path: Path) -> None:
    put(tmp_path, orders__csv=EVENTS, README__md="hi", LICENSE="x", __DS_Store="x")
    (tmp_path / "more").mkdir()
    domain = open_market(tmp_path)
    assert list(domain.tables) == ["events"]
    assert "Skipped, as no tables: .DS_Store, LICENSE, README.md, more." in messages(domain)


def test_held_out_files_stay_out_unless_there_is_nothing_else(tmp_path: Path) -> None:
    put(tmp_path / "a", train__csv=EVENTS, valid_qrel__csv=EVENTS)
    domain = open_market(tmp_path / "a")
    assert domain.tables["events"].height == 2
    assert "held out: valid_qrel.csv" in messages(domain)
    assert open_market(put(tmp_path / "b", test__csv=EVENTS)).tables["events"].height == 2


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=r"at least one table .* Add a file ending in \.csv"):
        open_market(put(tmp_path, README__md="hi"))


def test_repeated_and_missing_ids_of_items_are_dropped_with_findings(tmp_path: Path) -> None:
    text = "item_id,colour\na,red\na,blue\n,green\nb,red\n"
    domain = open_market(put(tmp_path, items__csv=text, orders__csv=EVENTS))
    assert domain.tables["items"].rows() == [("a", "red"), ("b", "red")]
    assert "1 of 3 rows repeat the id of another item" in messages(domain, "warning")
    assert "1 of 4 items have no id" in messages(domain, "warning")


def test_a_slice_of_a_folder_cuts_its_events(tmp_path: Path) -> None:
    text = "user_id,item_id,store\nu,a,1\nv,b,2\n"
    domain = open_market(f"{put(tmp_path, orders__csv=text, items__csv=ITEMS)}::store=2")
    assert domain.tables["events"].rows() == [("v", "b")]
    assert domain.tables["items"].height == 2


def test_a_cut_gzip_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orders.csv.gz").write_bytes(gzip.compress(EVENTS.encode())[:-4])
    with pytest.raises(DomainError, match="cut or damaged"):
        open_market(tmp_path)
