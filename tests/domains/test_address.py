"""Where a database is, and that nobody reads its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.domains.address import Address, beside, is_database, parse
from acclimate.domains.market import parse_spec
from acclimate.errors import DomainError, without_password


def test_a_url_names_each_part_of_an_address() -> None:
    address = parse("postgres://ann:s%40crt@localhost:5433/shop?schema=de&sslmode=require")
    assert address == Address(
        "postgresql", "shop", "de", "localhost", 5433, "ann", "s@crt", {"sslmode": "require"}
    )
    assert (address.name, address.place) == ("de", "localhost")
    assert str(address) == "postgresql://localhost:5433/shop?schema=de"


@pytest.mark.parametrize(
    ("url", "kind", "database", "name"),
    [
        ("sqlite:///data/shop.db", "sqlite", "data/shop.db", "shop"),
        ("sqlite+pysqlite:////data/shop.db", "sqlite", "/data/shop.db", "shop"),
        ("duckdb:///us.duckdb?schema=de", "duckdb", "us.duckdb", "de"),
        ("mysql+pymysql://h/shop", "mysql", "shop", "shop"),
        ("mariadb://h/", "mysql", "", "h"),
    ],
)
def test_every_spelling_of_a_scheme_is_understood(
    url: str, kind: str, database: str, name: str
) -> None:
    address = parse(url)
    assert (address.kind, address.database, address.name) == (kind, database, name)


def test_a_variable_stands_for_a_part_whatever_signs_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_PW", "a@b/c:d?e%40")
    monkeypatch.setenv("SHOP_PORT", "5433")
    address = parse("postgresql://ann:${SHOP_PW}@h:${SHOP_PORT}/shop")
    assert (address.password, address.port, address.host) == ("a@b/c:d?e%40", 5433, "h")
    monkeypatch.setenv("SHOP_URL", "mysql://ann:pw@h/shop")
    assert parse("${SHOP_URL}").database == "shop"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PW", raising=False)
    with pytest.raises(DomainError, match=r"variable 'SHOP_PW', which .* names, found none"):
        parse("mysql://ann:${SHOP_PW}@h/shop")
    monkeypatch.setenv("SHOP_PW", "")
    with pytest.raises(DomainError, match="found it empty"):
        parse("mysql://ann:${SHOP_PW}@h/shop")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("oracle://ann:s3cret@h/shop", "Expected a database among sqlite.*found 'oracle'"),
        ("mysql://ann:s3@cret@h/shop", "Expected a mysql URL that can be read"),
        ("mysql://ann:s3cret@h:port/shop", "Expected a mysql URL that can be read"),
        ("mysql://h/shop?password=s3cret", "behind the '\\?' of a mysql URL, found password"),
        ("sqlite://", "Expected a file in a sqlite URL, found none"),
        ("duckdb://h/shop.db", "three slashes, found a host"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(
    url: str, expected: str
) -> None:
    with pytest.raises(DomainError, match=expected) as caught:
        parse(url)
    assert "s3" not in str(caught.value) and "cret" not in str(caught.value)


def test_no_form_of_an_address_shows_its_password() -> None:
    address = parse("postgresql://ann:p%40ss w@h/shop")
    assert address.password == "p@ss w"
    for shown in (str(address), repr(address), f"{address}"):
        assert "p@ss" not in shown and "p%40ss" not in shown
    assert address.hidden("no entry with p@ss w or p%40ss%20w") == "no entry with *** or ***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at 'mysql://ann:s3@c/r@h/shop', none", "at 'mysql://ann:***@h/shop', none"),
        ("postgresql:/ann:s3 cret@h/shop", "postgresql:/ann:***@h/shop"),
        ("mysql://h/shop?password=s3cret&x=1", "mysql://h/shop?password=***&x=1"),
        ("orders.csv::at=10:00", "orders.csv::at=10:00"),
    ],
)
def test_passwords_of_urls_are_stars_in_every_message(text: str, shown: str) -> None:
    assert without_password(text) == shown
    assert str(DomainError(text)) == shown


def test_paths_are_no_databases() -> None:
    assert is_database("sqlite:///x.db") and is_database("${SHOP_URL}::country=JP")
    assert not is_database("shop.db") and not is_database("C:/shop.csv")
    assert not is_database(Path("sqlite:/x.db")) and not is_database("${DIR}/orders.csv")


def test_a_slice_is_told_from_the_colons_of_a_host() -> None:
    url, part = parse_spec("postgresql://ann:a::b=c@[::1]:5432/shop?schema=de::country=JP")
    assert url == "postgresql://ann:a::b=c@[::1]:5432/shop?schema=de"
    assert str(part) == "country=JP"
    assert parse_spec("postgresql://[::1]/shop") == ("postgresql://[::1]/shop", None)
    with pytest.raises(DomainError, match=r"PATH::column=value") as caught:
        parse_spec("mysql://ann:s3cret@h/shop::country")
    assert "s3cret" not in str(caught.value)


def test_a_relative_file_lies_beside_what_names_it(tmp_path: Path) -> None:
    assert beside(tmp_path, "sqlite:///shop.db") == f"sqlite:///{tmp_path}/shop.db"
    assert parse(beside(tmp_path, "duckdb:///d/s.db")).database == f"{tmp_path}/d/s.db"
    for whole in ("sqlite:////data/shop.db", "sqlite:///~/x.db", "mysql://h/shop", "${URL}"):
        assert beside(tmp_path, whole) == whole
