"""Folders, files and slices become Domains, or are refused with what to do."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from acclimate.domains.market import open_market, parse_spec
from acclimate.domains.schema import ColumnType, SchemaHints
from acclimate.domains.writers import write_table
from acclimate.errors import AcclimateError, DomainError
from acclimate.settings import settings
from tests.domains.files import EVENTS, LOANS, MANIFEST, messages, put

ORDERS = (
    "customer_id,sku,order_date,price,qty,note\n"
    "007,A,2020-01-02,1.5,2,x\n"
    "8,B,2020-01-03,2,1,y\n"
)


# One file -----------------------------------------------------------------------


def test_a_file_of_users_and_items_becomes_events(tmp_path: Path) -> None:
    domain = open_market(put(tmp_path, orders__csv=ORDERS) / "orders.csv")
    events = domain.tables["events"]
    assert domain.name == "orders"
    assert events.schema == {
        "user": pl.String,
        "item": pl.String,
        "time": pl.Datetime("us"),
        "value": pl.Float64,
        "quantity": pl.Float64,
    }
    assert events.row(0) == ("007", "A", datetime(2020, 1, 2), 1.5, 2.0)
    assert dict(domain.schema.tables["events"].roles) == {
        "user": "customer_id",
        "item": "sku",
        "time": "order_date",
        "value": "price",
        "quantity": "qty",
    }
    assert "left out: note" in messages(domain)
    assert domain.schema.tables["events"].origin.endswith("orders.csv")


def test_any_other_file_becomes_rows_under_their_own_names(tmp_path: Path) -> None:
    domain = open_market(str(put(tmp_path, loans__csv=LOANS) / "loans.csv"))
    rows = domain.tables["rows"]
    assert rows.columns == ["age", "shop", "label"]
    assert rows["label"].to_list() == ["1", "0", "0", "1", None]
    assert rows["age"].to_list() == [30.0, 40.0, 50.0, 60.0, 35.0]
    assert domain.schema.tables["rows"].types == {"age": "numeric", "shop": "category"}
    assert "1 of 5 rows (20.0%) have no label ('converted')" in messages(domain)


def test_a_hint_for_rows_makes_rows_of_users_and_items(tmp_path: Path) -> None:
    path = put(tmp_path, orders__csv=ORDERS) / "orders.csv"
    domain = open_market(path, SchemaHints(roles={"rows": {"label": "note"}}, name="jp"))
    assert domain.name == "jp"
    assert domain.tables["rows"]["label"].to_list() == ["x", "y"]


def test_every_kind_of_file_gives_the_same_market(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": [7, 8], "item_id": [1, 1], "rating": [5.0, 4.5]})
    prints = set()
    for extension in ("csv", "tsv.gz", "parquet", "parquet.gz", "jsonl", "ndjson.gz"):
        write_table(frame, tmp_path / f"m.{extension}")
        prints.add(open_market(tmp_path / f"m.{extension}").fingerprint)
    assert len(prints) == 1


def test_ids_from_floats_with_gaps_meet_ids_from_text(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"Customer ID": [13085.0, None, 13086.0], "StockCode": ["1", "2", "3"]}
    )
    write_table(frame, tmp_path / "a.parquet")
    write_table(frame, tmp_path / "a.csv")
    for name in ("a.parquet", "a.csv"):
        domain = open_market(tmp_path / name)
        assert domain.tables["events"]["user"].to_list() == ["13085", "13086"]
        assert "1 of 3 events have no user and were dropped." in messages(domain, "warning")


def test_events_that_name_nobody_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, e__csv="user_id,item_id\n,a\nu,\n") / "e.csv"
    with pytest.raises(
        DomainError,
        match=r"found none: 2 of 2 events have no user or no item and were dropped\. ",
    ):
        open_market(path)


def test_a_column_that_is_called_like_a_role_makes_way(tmp_path: Path) -> None:
    text = "label,time,spend\nbig,2,1.5\nsmall,4,9\nbig,7,3\nsmall,9,4\n"
    path = put(tmp_path, r__csv=text) / "r.csv"
    domain = open_market(path, SchemaHints(roles={"rows": {"label": "spend"}}))
    assert domain.tables["rows"].columns == ["label_", "time", "label"]
    assert set(domain.schema.tables["rows"].types) == {"label_", "time"}
    assert "'label' was renamed 'label_'" in messages(domain)


def test_a_path_where_nothing_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="found nothing there"):
        open_market(tmp_path / "nowhere")
    with pytest.raises(DomainError, match="found nothing there"):
        open_market(tmp_path / "nowhere.csv")


# Slices -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "name", "height"),
    [("shop=a", "a", 3), ("shop=a,c", "a+c", 4), ("age=30.0", "30.0", 1)],
)
def test_a_slice_keeps_the_rows_with_its_values(
    tmp_path: Path, part: str, name: str, height: int
) -> None:
    path = put(tmp_path, loans__csv=LOANS) / "loans.csv"
    domain = open_market(f"{path}::{part}")
    column = part.partition("=")[0]
    assert (domain.name, domain.tables["rows"].height) == (name, height)
    schema = domain.schema.tables["rows"]
    assert schema.types[column] == ColumnType.IGNORED
    assert schema.origin == f"{path}::{part}"
    assert f"{column!r} chose the rows of this slice" in messages(domain)


def test_slices_are_understood_as_their_whole_file(tmp_path: Path) -> None:
    # 24/1 in another shop's row tells how 1/2 is meant here; its repeat makes an entity.
    lines = ["shop,customer_id,date,code,converted", "a,1,1/2/15,x,0", "a,2,3/4/15,y,1"]
    lines += ["b,1,24/1/15,x,1", "b,3,25/1/15,y,0"]
    path = put(tmp_path, r__csv="\n".join(lines)) / "r.csv"
    rows = open_market(f"{path}::shop=a").tables["rows"]
    assert rows["time"].to_list() == [datetime(2015, 2, 1), datetime(2015, 4, 3)]
    assert rows["entity"].to_list() == ["1", "2"]


def test_a_value_with_a_comma_is_one_value(tmp_path: Path) -> None:
    path = put(tmp_path, r__csv='a,shop\n1,"x, y"\n2,x\n3,y\n') / "r.csv"
    assert open_market(f"{path}::shop=x, y").tables["rows"].height == 1


def test_a_slice_by_its_findings_counts_its_own_rows(tmp_path: Path) -> None:
    path = put(tmp_path, loans__csv=LOANS) / "loans.csv"
    assert "1 of 3 rows (33.3%) have no label" in messages(open_market(f"{path}::shop=a"))
    assert "have no label" not in messages(open_market(f"{path}::shop=c"))


def test_a_slice_of_nothing_lists_the_values_most_frequent_first(tmp_path: Path) -> None:
    path = put(tmp_path, loans__csv=LOANS) / "loans.csv"
    with pytest.raises(DomainError, match=r"shop = 'z', found none.*: a \(3\), "):
        open_market(f"{path}::shop=z")


def test_slices_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, loans__csv=LOANS) / "loans.csv"
    with pytest.raises(
        DomainError, match="Expected a column 'x' to slice by, found: age, shop"
    ):
        open_market(f"{path}::x=1")
    for bad in ("shop", "shop=", "=a"):
        with pytest.raises(DomainError, match="PATH::column=value"):
            open_market(f"{path}::{bad}")
    with pytest.raises(DomainError, match="slice by another column"):
        open_market(f"{path}::shop=a", SchemaHints(roles={"rows": {"label": "shop"}}))


def test_a_slice_column_does_not_become_the_label_by_its_name(tmp_path: Path) -> None:
    path = put(tmp_path, loans__csv=LOANS) / "loans.csv"
    assert "label" not in open_market(f"{path}::converted=1").tables["rows"].columns


def test_a_path_object_is_never_a_slice() -> None:
    assert parse_spec(Path("a.csv::b=c")) == (Path("a.csv::b=c"), None)


# Damage -------------------------------------------------------------------------


def mutate(text: bytes, draw: random.Random) -> bytes:
    """Change, cut or double a piece or two."""
    for _ in range(draw.randint(1, 2)):
        a = draw.randrange(len(text) + 1)
        b = min(len(text), a + draw.randint(0, 4))
        byte = bytes([draw.randrange(256)])
        piece = draw.choice([b"", text[a:b] * 2, byte, b'"', b"\n", b"9", b"x", b"-"])
        text = text[:a] + piece + text[b:]
    return text


def test_damaged_markets_give_a_domain_or_our_own_error(tmp_path: Path) -> None:
    draw = random.Random(0)
    seeds = {
        "market.toml": MANIFEST.encode(),
        "bestellungen.csv": b"kunde,artikel,date,price\nu,a,2015-01-02,1.5\nv,b,2/3/15,2\n",
        "loans.csv": b"zip,seen_at,chargeback_30d\n01,1424818500,0\n2,1424818501,1\n3,x,1\n",
        "items.jsonl": b'{"sku": 1, "tags": [1], "t": "a b c d"}\n{"sku": "2", "x": 1e5}\n',
    }
    opened = 0
    for turn in range(150):
        hurt = list(seeds)[turn % len(seeds)]
        for name, data in seeds.items():
            (tmp_path / name).write_bytes(mutate(data, draw) if name == hurt else data)
        try:
            domain = open_market(tmp_path)
        except AcclimateError:
            continue
        else:
            opened += 1
            assert domain.fingerprint
            assert domain.tables
    assert opened > 10


NAMES = [
    "user_id",
    "item_id",
    "time",
    "order_date",
    "label",
    "price",
    "event",
    "qty",
    "x",
    "date",
]
CELLS = [
    *("", " ", "NA", "nan", "inf", "-inf", "0", "0.0", "1e400", "-9e15", "007", "1,5", "1,234"),
    *("true", "2/30/15", "1/2/15", "31.12.99", "2015-02-24T25:61", "20150230", "1424818500"),
    *("99999999999999999999", "9223372036854775808", "0001-01-01", "9999-12-31 23:59:59+99:99"),
    *("é" * 40, "a b c d e", "\0", '"', "::=", "２０１５", "٣", "-", "+", ".", "1/1/1 1:1 pm"),
]


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True),
    st.lists(st.sampled_from(CELLS), min_size=1, max_size=4, unique=True),
    st.integers(1, 40),
    st.sampled_from([".parquet", ".csv"]),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_odd_values_give_a_domain_or_our_own_error(
    columns: list[str], cells: list[str], height: int, extension: str
) -> None:
    frame = pl.DataFrame(
        {
            name: [cells[(row * (place + 1)) % len(cells)] for row in range(height)]
            for place, name in enumerate(columns)
        }
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"m{extension}"
        write_table(frame, path)
        try:
            domain = open_market(path)
        except AcclimateError:
            return
    for name, table in domain.tables.items():
        assert table.height
        types = domain.schema.tables[name].types
        assert {column for column in table.columns if column in types} | set(
            domain.schema.tables[name].roles
        ) == set(table.columns)
        numeric = table.select(pl.col(pl.Float64))
        assert all(series.is_finite().fill_null(True).all() for series in numeric)


@pytest.mark.parametrize("part", ["a=b", "label=1", "::=", "user_id=\0", "a=,,,", "a==b"])
def test_any_slice_gives_a_domain_or_our_own_error(tmp_path: Path, part: str) -> None:
    put(tmp_path, e__csv=EVENTS)
    with pytest.raises(AcclimateError, match="Expected"):
        open_market(f"{tmp_path}/e.csv::{part}")


# Real files ---------------------------------------------------------------------


def real(name: str) -> str:
    path = settings().data / name
    if not path.exists():
        pytest.skip(f"{path} is absent; set ACCLIMATE_DATA to the folder of real data")
    return str(path)


def test_a_real_file_of_ratings_reads_as_events() -> None:
    domain = open_market(real("xmarket_electronics/in_5core.txt.gz"))
    events = domain.tables["events"]
    assert events.columns == ["user", "item", "time", "value"]
    assert events.height == 2015
    assert events["time"].null_count() == 0


def test_two_real_slices_of_a_file_share_every_type() -> None:
    path = real("online_shoppers_intention/online_shoppers_intention.csv.gz")
    hints = SchemaHints(roles={"rows": {"label": "Revenue"}})
    one, two = (open_market(f"{path}::Region={region}", hints) for region in (1, 9))
    assert one.schema.tables["rows"].types == two.schema.tables["rows"].types
    assert one.tables["rows"].schema == two.tables["rows"].schema
    assert one.tables["rows"]["label"].unique().sort().to_list() == ["0", "1"]


def test_a_real_file_with_two_times_takes_the_later_one() -> None:
    domain = open_market(f"{real('ecommerce_fraud/Fraud_Data_51k.csv.gz')}::source=SEO,Ads")
    schema = domain.schema.tables["rows"]
    assert schema.roles["time"] == "purchase_time"
    assert schema.types["signup_time"] == ColumnType.TIME
    rows = domain.tables["rows"]
    assert rows["time"].null_count() == 0
    assert rows["label"].drop_nulls().unique().sort().to_list() == ["0", "1"]
