"""Markets from the databases that are files: SQLite and DuckDB."""

from __future__ import annotations

import sqlite3
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains import connections
from acclimate.domains.address import parse
from acclimate.domains.connections import connected
from acclimate.domains.market import open_market
from acclimate.domains.markets import open_markets
from acclimate.domains.schema import SchemaHints
from acclimate.domains.writers import write_table
from acclimate.errors import DomainError, UsageError
from acclimate.settings import settings
from tests.domains.files import messages, put

ORDERS = [
    ("007", "A", "2024-01-02 10:00:00", 1.5, "JP"),
    ("8", "B", "2024-01-03 00:00:00", 2.0, "US"),
    ("8", "A", "2024-01-04 00:00:00", 3.0, "JP"),
]
COLUMNS = "customer_id, sku, order_date, price, country"


def sqlite(path: Path, *more: str, orders: bool = True) -> str:
    """A database with orders and whatever else is said; its URL."""
    connection = sqlite3.connect(path)
    if orders:
        connection.execute(
            "create table orders(customer_id text, sku text, order_date text, price real, "
            "country text)"
        )
        connection.executemany("insert into orders values (?, ?, ?, ?, ?)", ORDERS)
    for statement in more:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def duck(path: Path, *statements: str) -> str:
    """A DuckDB database in which these were run; its URL."""
    import duckdb

    connection = duckdb.connect(str(path))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()
    return f"duckdb:///{path}"


def duck_orders(schema: str) -> tuple[str, str]:
    values = ", ".join(str(row) for row in ORDERS)
    return (
        f"create schema if not exists {schema}",
        f"create table {schema}.orders as select a as customer_id, b as sku, "
        "c::timestamp as order_date, d::decimal(10, 2) as price, e as country "
        f"from (values {values}) v(a, b, c, d, e)",
    )


# What a database gives ----------------------------------------------------------


def test_a_database_gives_the_market_its_file_would(tmp_path: Path) -> None:
    frame = pl.DataFrame(ORDERS, schema=COLUMNS.split(", "), orient="row")
    write_table(frame, tmp_path / "orders.csv")
    prints = {
        open_market(spec).fingerprint
        for spec in (
            str(tmp_path / "orders.csv"),
            sqlite(tmp_path / "shop.db"),
            duck(tmp_path / "shop.duckdb", *duck_orders("main")),
        )
    }
    assert len(prints) == 1


def test_a_market_is_called_like_its_schema_or_its_database(tmp_path: Path) -> None:
    url = duck(tmp_path / "shop.duckdb", *duck_orders("main"), *duck_orders("de"))
    assert open_market(url).name == "shop"
    german = open_market(f"{url}?schema=de")
    assert german.name == "de"
    assert german.schema.tables["events"].origin == f"{url}?schema=de orders"


def test_two_schemas_of_a_database_are_two_markets(tmp_path: Path) -> None:
    url = duck(
        tmp_path / "shop.duckdb",
        *duck_orders("de"),
        *duck_orders("jp"),
        "delete from jp.orders where country = 'US'",
    )
    german, japanese = open_markets([f"{url}?schema=de", f"{url}?schema=jp"], None)
    assert (german.tables["events"].height, japanese.tables["events"].height) == (3, 2)


def test_a_slice_of_a_database_keeps_its_rows(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "shop.db")
    domain = open_market(f"{url}::country=JP")
    assert (domain.name, domain.tables["events"]["user"].to_list()) == ("JP", ["007", "8"])
    assert domain.schema.tables["events"].origin == f"{url} orders::country=JP"


def test_tables_are_recognised_by_name_then_by_columns(tmp_path: Path) -> None:
    url = sqlite(
        tmp_path / "shop.db",
        "create table products(sku text, brand text)",
        "insert into products values ('A', 'x'), ('B', 'y')",
        "create view people as select distinct customer_id from orders",
        "create table migrations(version int)",
        "insert into migrations values (3)",
    )
    domain = open_market(url)
    assert {name: t.height for name, t in domain.tables.items()} == {
        "events": 3, "items": 2, "users": 2,
    }  # fmt: skip
    assert "neither names nor columns say what they hold: migrations" in messages(domain)


def test_one_unknown_table_alone_holds_rows(tmp_path: Path) -> None:
    url = sqlite(
        tmp_path / "a.db",
        "create table checkouts(amount real, is_fraud int)",
        "insert into checkouts values (1.5, 0), (2, 1)",
        orders=False,
    )
    assert open_market(url).tables["rows"]["label"].to_list() == ["0", "1"]


def test_values_of_duckdb_are_read_as_a_file_gives_them(tmp_path: Path) -> None:
    url = duck(
        tmp_path / "shop.duckdb",
        """create table leads as select timestamptz '2024-01-02 10:00:00+09' as seen_at,
           1.50::decimal(10, 2) as price, 7::hugeint as visits, interval 90 second as stay,
           {'a': [1]} as basket, '{"b": 1}'::json as note, 'x'::enum('x', 'y') as kind,
           uuid() as row_key, '101'::bit as flags, true as is_fraud""",
    )
    with connected(parse(url)) as database:
        frame = database.read(database.named("leads"), "leads").drop("row_key")
    assert frame.row(0) == (
        datetime(2024, 1, 2, 1), 1.5, 7, 90.0, '{"a":[1]}', '{"b": 1}', "x", "101", True,
    )  # fmt: skip


def test_tables_that_must_be_joined_are_refused_with_how(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "a.db", "create table order_lines as select 1 as sku, 2 as qty")
    with pytest.raises(
        DomainError, match=r"Expected the same columns .* a SELECT that joins"
    ) as e:
        open_market(url)
    assert "[tables] events = 'order_lines'" in str(e.value)


def test_tables_whose_names_say_held_out_are_left_out(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "a.db", "create table orders_test as select * from orders")
    domain = open_market(url)
    assert domain.tables["events"].height == 3
    assert "held out: orders_test. Name one in [tables]" in messages(domain)


# What a person names ------------------------------------------------------------


def test_a_market_toml_names_tables_and_queries(tmp_path: Path) -> None:
    sqlite(tmp_path / "shop.db", "create table clients(id text)")
    text = (
        'name = "jp"\nurl = "sqlite:///shop.db"\n[tables]\n'
        "events = \"select customer_id, sku from orders where sku like 'A%' and price < 9\"\n"
    )
    put(tmp_path / "market", market__toml=text.replace("shop.db", "../shop.db"))
    put(tmp_path, jp__toml=text)
    for spec in (tmp_path / "market", tmp_path / "jp.toml", str(tmp_path / "jp.toml")):
        domain = open_market(spec)
        assert (domain.name, list(domain.tables)) == ("jp", ["events"])
        assert domain.tables["events"].rows() == [("007", "A"), ("8", "A")]


def test_a_named_table_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    url = sqlite(
        tmp_path / "shop.db",
        "create table \"what; 'is' it\" as select customer_id, sku from orders",
    )
    hints = SchemaHints(tables={"events": "what; 'is' it"})
    assert open_market(url, hints).tables["events"].height == 3


def test_a_query_reads_the_schema_that_was_asked_for(tmp_path: Path) -> None:
    url = duck(tmp_path / "shop.duckdb", *duck_orders("de"))
    hints = SchemaHints(tables={"events": "select customer_id, sku from orders"})
    assert open_market(f"{url}?schema=de", hints).tables["events"].height == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[tables]\nevents = "orders"', r"Expected the url of a database .* beside \[tables\]"),
        ('name = "x"', "Expected the url of a database in 'm.toml', found none"),
        ("url = 3", "Expected a string for 'url' in market.toml, found int"),
        ('url = "sqlite:///x.db"\n[tables]\norders = "o"', r"Expected a table of \[tables\]"),
        ('url = "sqlite:///x.db"\n[files]\nevents = "o"', r"Expected \[tables\] beside url"),
        ('url = "sqlite:///x.db"\n[tables]\nevents = 3', "Expected a string"),
    ],
)
def test_a_toml_that_names_no_database_well_is_refused(
    tmp_path: Path, text: str, expected: str
) -> None:
    put(tmp_path, m__toml=text)
    with pytest.raises(DomainError, match=expected):
        open_market(tmp_path / "m.toml")


# Only reading -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_connection_to_a_file_cannot_write(tmp_path: Path, kind: str) -> None:
    if kind == "sqlite":
        url = sqlite(tmp_path / "shop.db")
    else:
        url = duck(tmp_path / "shop.db", *duck_orders("main"))
    before = (tmp_path / "shop.db").read_bytes()
    for statement in ("delete from orders", "create table x(a int)"):
        with (
            connected(parse(url)) as database,
            pytest.raises(DomainError, match=r"(?i)read.?only"),
        ):
            database.read(statement, "x")
    assert (tmp_path / "shop.db").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shop.db"]


def test_a_query_of_duckdb_reads_no_other_files(tmp_path: Path) -> None:
    url = duck(tmp_path / "shop.duckdb", *duck_orders("main"))
    put(tmp_path, other__csv="user_id,item_id\nu,a\n")
    hints = SchemaHints(tables={"events": f"select * from '{tmp_path}/other.csv'"})
    with pytest.raises(DomainError, match=r"to answer for .* query, found"):
        open_market(url, hints)


def test_a_query_that_writes_is_never_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite(tmp_path / "shop.db")
    monkeypatch.setattr(connections._Alchemy, "read", lambda *_: pytest.fail("was sent"))
    hints = SchemaHints(tables={"events": "delete from orders"})
    with pytest.raises(DomainError, match="Expected a single SELECT for 'events'"):
        open_market(url, hints)


# What cannot be read ------------------------------------------------------------


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=r"Expected a sqlite file at .*, found nothing there"):
        open_market(f"sqlite:///{tmp_path}/no.db")
    with pytest.raises(DomainError, match="found a folder"):
        open_market(f"duckdb:///{tmp_path}")
    sqlite(tmp_path / "shop.db")
    with pytest.raises(
        DomainError, match=f"Write four slashes .*: sqlite:///{tmp_path}/shop.db"
    ):
        open_market(f"sqlite:///{str(tmp_path)[1:]}/shop.db")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("sqlite", "file is not a database"), ("duckdb", "Expected a DuckDB file .* cannot be")],
)
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, kind: str, expected: str
) -> None:
    put(tmp_path, shop__db="user_id,item_id\n" * 1000)
    with pytest.raises(DomainError, match=expected):
        open_market(f"{kind}:///{tmp_path}/shop.db")


def test_a_schema_or_table_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path,
) -> None:
    lite = sqlite(tmp_path / "shop.db")
    url = duck(tmp_path / "shop.duckdb", *duck_orders("de"))
    with pytest.raises(DomainError, match=r"Expected the schema 'fr' in .*, found: de, main"):
        open_market(f"{url}?schema=fr")
    with pytest.raises(DomainError, match=r"Expected the schema 'fr' in .*, found: main"):
        open_market(f"{lite}?schema=fr")
    for market in (lite, f"{url}?schema=de"):
        with pytest.raises(
            DomainError, match=r"for 'events', found 'order'. There are: orders"
        ):
            open_market(market, SchemaHints(tables={"events": "order"}))
        with pytest.raises(DomainError, match=r"to answer for .* query, found.*nowhere"):
            open_market(market, SchemaHints(tables={"events": "select * from nowhere"}))


def test_an_empty_schema_and_an_empty_table_are_refused(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "a.db", orders=False)
    with pytest.raises(DomainError, match=r"Expected at least one table in .*, found none"):
        open_market(url)
    url = sqlite(tmp_path / "b.db", "delete from orders")
    with pytest.raises(DomainError, match=r"Expected rows in .*b.db orders, found none"):
        open_market(url)


def test_a_result_past_the_cap_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = "insert into orders select * from orders"
    lite = sqlite(tmp_path / "shop.db", *[many] * 6)
    other = duck(tmp_path / "shop.duckdb", *duck_orders("main"), *[many] * 6)
    monkeypatch.setenv("ACCLIMATE_MAX_BYTES", "4096")
    settings.cache_clear()
    for url in (lite, other):
        with pytest.raises(DomainError, match=r"at most 4,096 bytes .*192 rows of 5 columns"):
            open_market(url)


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    query = "select sku, sku, customer_id from orders"
    url = sqlite(tmp_path / "shop.db")
    with pytest.raises(DomainError, match=r"Expected different column names .* sku twice"):
        open_market(url, SchemaHints(tables={"events": query}))


def test_a_driver_that_is_absent_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for url, module in (("postgresql://h/x", "psycopg"), ("mysql://h/x", "pymysql")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(DomainError, match=rf'{module}.*pip install "acclimate\[sql\]"'):
            open_market(url)


def test_databases_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("jp", "us"):
        (tmp_path / folder).mkdir()
        sqlite(tmp_path / folder / "shop.db")
    urls = [f"sqlite:///{tmp_path}/{folder}/shop.db" for folder in ("jp", "us")]
    assert [domain.name for domain in open_markets(urls, None)] == ["jp-shop", "us-shop"]
    with pytest.raises(UsageError, match="Expected sources other than the target; found"):
        open_markets([urls[0], urls[0]], None)
