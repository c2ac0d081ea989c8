"""Markets from servers: PostgreSQL and MariaDB, started for these tests alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

import pytest

from acclimate.domains import connections
from acclimate.domains.address import parse
from acclimate.domains.connections import connected
from acclimate.domains.market import open_market
from acclimate.domains.markets import open_markets
from acclimate.domains.schema import SchemaHints
from acclimate.errors import DomainError
from tests.domains.servers import PASSWORD, QUOTED, Server, mariadb, postgres

ORDERS = "(customer_id varchar(9), sku varchar(9), order_date timestamp, price decimal(10, 2))"
ROWS = "('007', 'A', '2024-01-02 10:00:00', 1.50), ('8', 'B', '2024-01-03 00:00:00', 2.00)"


@pytest.fixture(scope="session")
def elephant() -> Iterator[Server]:
    with postgres() as server:
        server.run(
            "create schema de",
            "create schema bare",
            "create sequence counter",
            f"create table orders {ORDERS}",
            f"create table de.orders {ORDERS}",
            f"insert into orders values {ROWS}",
            f"insert into de.orders values {ROWS}, ('9', 'A', '2024-01-04', 3)",
            "create view de.clients as select distinct customer_id, 'x' as city from de.orders",
            "create table leads (seen_at timestamptz, day date, score numeric, "
            "key numeric(20), ok boolean, note jsonb, tags text[], row_key uuid, "
            "stay interval, label int)",
            "insert into leads values ('2024-01-02 10:00:00+09', '2024-01-02', 1.25, "
            "12345678901234567890, true, '{\"b\": 1}', '{x,y}', "
            "'00000000-0000-0000-0000-000000000007', '90 seconds', 1)",
        )
        yield server


@pytest.fixture(scope="session")
def seal() -> Iterator[Server]:
    with mariadb() as server:
        server.run(
            f"create table orders {ORDERS}",
            f"insert into orders values {ROWS}",
            f"create table de.orders {ORDERS}",
            f"insert into de.orders values {ROWS}, ('9', 'A', '2024-01-04', 3)",
            "create table leads (seen_at datetime, day date, score decimal(10, 4), ok bit(1), "
            "note json, label int)",
            "insert into leads values ('2024-01-02 10:00:00', '2024-01-02', 1.25, 1, "
            "'{\"b\": 1}', 1)",
        )
        yield server


@pytest.fixture(params=["elephant", "seal"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def test_a_server_gives_the_market_of_its_schema(server: Server) -> None:
    only = SchemaHints(tables={"events": "orders"})
    shop, german = open_markets([server.url(), server.url(more="?schema=de")], only)
    assert (shop.name, german.name) == ("shop", "de")
    assert shop.tables["events"].row(0)[:2] == ("007", "A")
    assert shop.tables["events"]["value"].to_list() == [1.5, 2.0]
    assert german.tables["events"].height == 3


def test_tables_and_views_of_a_schema_are_recognised(elephant: Server) -> None:
    domain = open_market(elephant.url(more="?schema=de"))
    assert {name: t.height for name, t in domain.tables.items()} == {"events": 3, "users": 3}


def test_a_slice_and_a_query_work_as_on_files(server: Server) -> None:
    query = "select customer_id, sku, '100%' as share from orders where sku like 'A%' -- %s"
    hints = SchemaHints(tables={"events": query})
    assert open_market(server.url(), hints).tables["events"].rows() == [("007", "A")]
    hints = SchemaHints(tables={"events": "orders"})
    assert open_market(f"{server.url()}::sku=B", hints).tables["events"]["user"][0] == "8"


def test_moments_are_naive_utc_whatever_the_server_s_zone(server: Server) -> None:
    # The servers stand in Tokyo, and so did the writer of these rows.
    zoned = {
        "postgresql": "select timestamptz '2024-01-02 10:00:00+09' as at",
        "mysql": "select order_date as at from orders where sku = 'A'",
    }
    with connected(parse(server.url())) as database:
        frame = database.read(zoned[server.scheme], "x")
    assert frame["at"][0] == datetime(2024, 1, 2, 1)


def test_types_of_postgresql_are_read_as_a_file_gives_them(elephant: Server) -> None:
    with connected(parse(elephant.url())) as database:
        frame = database.read(database.named("leads"), "leads")
    row = dict(zip(frame.columns, frame.row(0), strict=True))
    assert row["seen_at"] == datetime(2024, 1, 2, 1)
    assert str(row["day"]) == "2024-01-02"
    assert (row["score"], row["key"], row["ok"]) == (1.25, "12345678901234567890", True)
    assert (row["note"], row["tags"]) == ('{"b": 1}', '["x", "y"]')
    assert row["row_key"] == "00000000-0000-0000-0000-000000000007"
    assert row["stay"].total_seconds() == 90


def test_types_of_mariadb_are_read_as_a_file_gives_them(seal: Server) -> None:
    with connected(parse(seal.url())) as database:
        frame = database.read(database.named("leads"), "leads")
    row = dict(zip(frame.columns, frame.row(0), strict=True))
    assert row["seen_at"] == datetime(2024, 1, 2, 10)
    assert (row["score"], row["note"], row["ok"]) == (1.25, '{"b": 1}', 1)


def test_a_connection_to_a_server_cannot_write(server: Server) -> None:
    statements = {
        # PostgreSQL reads through a cursor, which takes nothing but SELECT.
        "postgresql": ("select nextval('counter')", "select setval('counter', 7)"),
        "mysql": ("insert into orders values ('x', 'x', now(), 1)", "delete from orders"),
    }
    for statement in statements[server.scheme]:
        with (
            connected(parse(server.url())) as database,
            pytest.raises(DomainError, match=r"(?i)read.?only"),
        ):
            database.read(statement, "x")


def test_rows_are_fetched_piece_by_piece(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_ROWS", 2)
    hints = SchemaHints(tables={"events": "orders"})
    events = open_market(server.url(more="?schema=de"), hints).tables["events"]
    assert events["user"].to_list() == ["007", "8", "9"]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("password", r"as the user 'shop', found: .*(authentication failed|Access denied)"),
        ("port", r"Expected to be let in by \w+ at 127.0.0.1, port 1, .*(refused|connect)"),
        ("database", r"database 'nowhere', .*(does not exist|Access denied)"),
        ("schema", r"Expected the schema 'nowhere' in .*, found: "),
        ("table", r"Expected a table or view of .*, found 'nowhere'. There are: "),
        ("query", r"to answer for .* query, found: .*nowhere"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(
    server: Server, part: str, expected: str
) -> None:
    hints = SchemaHints()
    url = server.url()
    if part == "password":
        url = server.url(quote("Wr0ng-" + PASSWORD, safe=""))
    elif part == "port":
        url = url.replace(f":{server.port}/", ":1/")
    elif part == "database":
        url = server.url(database="nowhere")
    elif part == "schema":
        url = server.url(more="?schema=nowhere")
    else:
        named = "nowhere" if part == "table" else "select * from nowhere"
        hints = SchemaHints(tables={"events": named})
    with pytest.raises(DomainError, match=expected) as caught:
        open_market(url, hints)
    said = str(caught.value) + repr(caught.value)
    assert PASSWORD not in said and QUOTED not in said and "Wr0ng" not in said


def test_an_empty_schema_of_a_server_is_refused(elephant: Server) -> None:
    with pytest.raises(DomainError, match=r"at least one table in .*\?schema=bare, found none"):
        open_market(elephant.url(more="?schema=bare"))
