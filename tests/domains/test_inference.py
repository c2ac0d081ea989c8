"""Names give roles, values give types, and a person beats both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest

from acclimate.domains import names
from acclimate.domains.inference import table_by_columns, understand
from acclimate.domains.schema import ColumnType
from acclimate.errors import DomainError

N = 60


def strings(name: str, *values: str | None) -> pl.Series:
    return pl.Series(name, values, dtype=pl.String)


def rows(**columns: Sequence[object]) -> pl.DataFrame:
    """Rows with a label and the given columns."""
    height = len(next(iter(columns.values())))
    return pl.DataFrame({**columns, "label": [i % 2 for i in range(height)]}, strict=False)


def type_of(values: Sequence[object], name: str = "x") -> ColumnType:
    columns: dict[str, Sequence[object]] = {name: values, "stamp": ["2015-01-01"] * len(values)}
    frame = rows(**columns)
    return understand(frame, "rows", {"time": "stamp"}).types[name]


def test_a_column_that_numbers_the_rows_is_an_id_whatever_its_name() -> None:
    assert type_of(range(N)) == ColumnType.ID
    assert type_of([str(1_000 + i) for i in range(N)]) == ColumnType.ID
    assert type_of([2 * i for i in range(N)]) == ColumnType.NUMERIC
    assert type_of([*range(N - 1), N + 5]) == ColumnType.NUMERIC
    assert type_of(range(19)) == ColumnType.NUMERIC  # too few to tell


# Roles ------------------------------------------------------------------------

USERS = [
    "user_id",
    "userId",
    "customer_id",
    "CustomerID",
    "household_id",
    "visitor_id",
    "visitorid",
    "member",
    "reviewer_id",
    "reviewerID",
    "account_id",
    "uid",
    "client_id",
    "user",
    "client",
    "buyer",
    "purchaser_id",
    "Shopper ID",
    "User-ID",
    "buyer_id",
]
ITEMS = [
    "item_id",
    "product_id",
    "sku",
    "asin",
    "article_id",
    "StockCode",
    "itemId",
    "parent_asin",
    "item",
    "productID",
    "article",
    "ean",
    "GTIN",
    "barcode",
    "product_code",
    "title_id",
    "productRef",
    "meal_id",
    "isbn",
    "movieId",
]
TIMES = [
    "timestamp",
    "time",
    "date",
    "event_time",
    "order_date",
    "purchase_time",
    "transaction_timestamp",
    "InvoiceDate",
    "created_at",
    "unixReviewTime",
    "updatedAt",
    "ts",
]


@pytest.mark.parametrize("name", [*USERS, "Customer ID", " customer id "])
def test_a_name_for_the_one_who_acts_is_a_user(name: str) -> None:
    assert names.user(name) is not None
    assert names.item(name) is None


@pytest.mark.parametrize("name", [*ITEMS, "Product Code"])
def test_a_name_for_the_thing_acted_on_is_an_item(name: str) -> None:
    assert names.item(name) is not None
    assert names.user(name) is None


@pytest.mark.parametrize("name", TIMES)
def test_a_name_that_says_time_says_time(name: str) -> None:
    assert names.says_time(name)
    assert names.time(name) is not None


@pytest.mark.parametrize(
    "name", ["use", "users_count", "stock", "card", "offer", "itemized", "account", "userland"]
)
def test_attributes_that_sound_like_ids_are_neither_user_nor_item(name: str) -> None:
    assert names.user(name) is None
    assert names.item(name) is None


@pytest.mark.parametrize("name", ["candidate", "update", "sometimes", "daytime_share", "age"])
def test_words_that_contain_time_do_not_say_time(name: str) -> None:
    assert not names.says_time(name)


def events(**columns: Sequence[object]) -> pl.DataFrame:
    return pl.DataFrame({"userId": ["u1", "u2"], "itemId": ["a", "b"], **columns})


@pytest.mark.parametrize("name", ["event", "event_type", "behavior", "action", "eventType"])
def test_a_column_of_kinds_is_the_kind(name: str) -> None:
    frame = events(**{name: ["view", "order"]})
    assert understand(frame, "events").roles["kind"] == name


@pytest.mark.parametrize(
    "name", ["rating", "rate", "price", "amount", "sales_value", "overall"]
)
def test_a_column_of_numbers_named_for_worth_is_the_value(name: str) -> None:
    assert understand(events(**{name: ["1.5", "2"]}), "events").roles["value"] == name
    assert "value" not in understand(events(**{name: ["good", "bad"]}), "events").roles


@pytest.mark.parametrize("name", ["quantity", "Qty", "units"])
def test_a_column_of_units_is_the_quantity(name: str) -> None:
    assert understand(events(**{name: [1, 2]}), "events").roles["quantity"] == name


def test_a_rating_is_the_value_rather_than_a_price() -> None:
    assert understand(events(price=[9, 8], rating=[5, 4]), "events").roles["value"] == "rating"


def test_a_readable_time_wins_over_an_unreadable_one() -> None:
    frame = events(timestamp=["soon", "late"], reviewTime=["02 28, 2014", "3 1, 2014"])
    assert understand(frame, "events").roles["time"] == "reviewTime"


def test_a_lone_column_of_dates_is_the_time_whatever_its_name() -> None:
    frame = events(Datum=["24.02.2015", "25.02.2015"])
    assert understand(frame, "events").roles["time"] == "Datum"


def test_keys_win_over_bare_words() -> None:
    frame = pl.DataFrame(
        {"user": ["Ann"], "user_id": ["1"], "item": ["pen"], "parent_asin": ["B0"]}
    )
    roles = understand(frame, "events").roles
    assert (roles["user"], roles["item"]) == ("user_id", "parent_asin")


def test_events_without_a_user_are_refused_with_the_line_to_write() -> None:
    with pytest.raises(DomainError, match=r'\[roles.events\] user = "COLUMN"'):
        understand(pl.DataFrame({"item_id": ["a"]}), "events")


LABELS = [
    "label",
    "target",
    "class",
    "y",
    "outcome",
    "is_fraud",
    "fraud",
    "churn",
    "Churn",
    "converted",
    "conversion",
    "purchased",
]


@pytest.mark.parametrize("name", LABELS)
def test_a_column_of_few_values_named_like_a_label_is_the_label(name: str) -> None:
    few = pl.DataFrame({"a": range(50), name: ["0", "1"] * 25, "b": range(50)})
    many = few.with_columns(pl.Series(name, [str(i) for i in range(50)]))
    assert understand(few, "rows").roles["label"] == name
    assert "label" not in understand(many, "rows").roles


@pytest.mark.parametrize("name", ["default", "Revenue", "click", "deposit"])
def test_a_weak_label_name_counts_at_the_edge_only(name: str) -> None:
    values = pl.Series(name, ["no", "yes"] * 5)
    other = pl.Series("age", range(10))
    last = pl.Series("z", range(10))
    assert understand(pl.DataFrame([other, values]), "rows").roles["label"] == name
    assert "label" not in understand(pl.DataFrame([other, values, last]), "rows").roles


def test_other_columns_that_could_be_the_label_are_warned_of() -> None:
    frame = pl.DataFrame({"churn": [0, 1] * 5, "converted": [1, 0, 0, 1, 0] * 2})
    understood = understand(frame, "rows")
    assert understood.roles["label"] == "churn"
    assert any("'converted' could also be" in f.message for f in understood.findings)


def test_a_named_label_beats_every_name_and_may_have_many_values() -> None:
    frame = pl.DataFrame({"label": [0, 1] * 25, "spend": range(50)})
    assert understand(frame, "rows", {"label": "spend"}).roles["label"] == "spend"


def test_the_latest_median_is_the_time_of_a_row() -> None:
    start = datetime(2015, 1, 1)
    frame = rows(
        purchase_time=[start + timedelta(days=i) for i in range(9)],
        refund_date=[str(start + timedelta(days=i + 30)) for i in range(9)],
        signup_time=[start] * 4 + [start + timedelta(days=300)] * 5,
    )
    understood = understand(frame.drop("signup_time"), "rows")
    assert understood.roles["time"] == "refund_date"
    assert understood.types["purchase_time"] == ColumnType.TIME
    assert understand(frame, "rows").roles["time"] == "signup_time"


def test_a_birthday_an_expiry_or_a_mostly_empty_time_is_not_the_time_of_a_row() -> None:
    frame = rows(
        order_date=["2015-01-01", "2015-01-02", "2015-01-03"],
        date_of_birth=["1999-01-01", "1998-01-01", "1997-01-01"],
        expiry_date=["2030-01-01", "2030-01-02", "2030-01-03"],
        return_date=[None, None, "2015-03-01"],
    )
    assert understand(frame, "rows").roles["time"] == "order_date"


def test_a_user_that_repeats_is_the_entity_and_one_that_does_not_is_an_id() -> None:
    repeating = understand(rows(customer_id=["1", "2", "3", "3"]), "rows")
    unique = understand(rows(customer_id=["1", "2", "3", "4"]), "rows")
    assert repeating.roles["entity"] == "customer_id"
    assert "entity" not in unique.roles
    assert unique.types["customer_id"] == ColumnType.ID


def test_columns_tell_what_a_file_of_unknown_name_holds() -> None:
    assert table_by_columns(events()) == "events"
    assert table_by_columns(pl.DataFrame({"sku": ["a", "b"]})) == "items"
    assert table_by_columns(pl.DataFrame({"user_id": ["a", "b"]})) == "users"
    assert table_by_columns(pl.DataFrame({"user_id": ["a", "a"]})) == "rows"
    assert table_by_columns(pl.DataFrame({"sku": ["a", None, None]})) == "rows"


def test_hints_that_do_not_fit_are_refused() -> None:
    frame = rows(a=["x", "y"])
    with pytest.raises(
        DomainError, match=r"a role of 'rows' \(label, time, entity\), found 'it"
    ):
        understand(frame, "rows", {"item": "a"})
    with pytest.raises(
        DomainError, match=r"Expected column 'b' for the role 'label'.*found: a"
    ):
        understand(frame, "rows", {"label": "b"})
    with pytest.raises(DomainError, match=r"Expected times in column 'a', found.*'x'"):
        understand(frame, "rows", {"time": "a"})
    with pytest.raises(DomainError, match="'a' named twice"):
        understand(frame, "rows", {"label": "a", "entity": "a"})
    with pytest.raises(DomainError, match="declared a time"):
        understand(frame, "rows", types={"a": ColumnType.TIME})


# Types ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3] * 20, ColumnType.NUMERIC),
        (["1.5", "2", "NA"] * 20, ColumnType.NUMERIC),
        (["1,5", "2"] * 30, ColumnType.NUMERIC),
        (["red", "blue", "green"] * 20, ColumnType.CATEGORY),
        (["01", "2", "3"] * 20, ColumnType.CATEGORY),
        ([True, False] * 30, ColumnType.CATEGORY),
        (["TRUE", "FALSE"] * 30, ColumnType.CATEGORY),
        ([f"very nice pen number {i} indeed" for i in range(N)], ColumnType.TEXT),
        (["a long sentence that is always the same", "b"] * 30, ColumnType.CATEGORY),
        ([f"2015-01-{i % 28 + 1:02}" for i in range(N)], ColumnType.TIME),
        ([f"QX{i}" for i in range(N)], ColumnType.ID),
        ([f"QX{i // 2}" for i in range(N)], ColumnType.CATEGORY),
        (["same"] * N, ColumnType.IGNORED),
        ([None] * N, ColumnType.IGNORED),
        ([[1]] * N, ColumnType.IGNORED),
        ([1.0, None] * 30, ColumnType.CATEGORY),
        (["yes", None] * 30, ColumnType.CATEGORY),
        (["yes"] * 3 + [None] * 297, ColumnType.CATEGORY),
        (["yes"] * 2 + [None] * 298, ColumnType.IGNORED),
        (["yes"] * 297 + [None] * 3, ColumnType.CATEGORY),
        (["yes"] * 298 + [None] * 2, ColumnType.IGNORED),
        (["2015-01-01", None] * 30, ColumnType.CATEGORY),
        (list(range(20150101, 20150131)) * 2, ColumnType.NUMERIC),
    ],
)
def test_values_give_a_type(values: Sequence[object], expected: ColumnType) -> None:
    assert type_of(values) == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("order_id", list(range(N)), ColumnType.ID),
        ("meal_id", list(range(30)) * 2, ColumnType.CATEGORY),
        ("zip_code", [80331, 10115] * 30, ColumnType.CATEGORY),
        ("device_id", [f"D{i // 2}" for i in range(N)], ColumnType.CATEGORY),
        ("Unnamed: 0", list(range(N)), ColumnType.ID),
        ("price_index", [i + 0.5 for i in range(N)], ColumnType.NUMERIC),
        ("number_of_items", list(range(N, 0, -1)), ColumnType.NUMERIC),
        ("seen_at", [1_424_818_500 + i for i in range(N)], ColumnType.TIME),
        ("amount", [1_424_818_500 - i for i in range(N)], ColumnType.NUMERIC),
        ("session_time", [i * 3.5 for i in range(N)], ColumnType.NUMERIC),
    ],
)
def test_a_name_decides_where_values_leave_it_open(
    name: str, values: Sequence[object], expected: ColumnType
) -> None:
    assert type_of(values, name) == expected


def test_a_declared_type_beats_the_values() -> None:
    frame = rows(zip=[1, 2, 3] * 9)
    understood = understand(frame, "rows", types={"zip": ColumnType.CATEGORY})
    assert understood.types["zip"] == ColumnType.CATEGORY


BASKETS = ["basket", "basket_id", "session_id", "InvoiceNo", "Warenkorb", "panier", "购物篮ID"]


@pytest.mark.parametrize("name", BASKETS)
def test_a_basket_stands_for_the_user_where_none_is_named(name: str) -> None:
    frame = pl.DataFrame({name: ["1", "1", "2", "3"], "sku": ["a", "b", "a", "a"]})
    assert table_by_columns(frame) == "events"
    found = understand(frame, "events")
    assert found.roles == {"user": name, "item": "sku"}
    assert [f.message for f in found.findings] == [
        f"No column names users: each {name!r} stands for one."
    ]
    known = frame.with_columns(client=pl.Series(["x", "y", "x", "z"]))
    assert understand(known, "events").roles["user"] == "client"


def test_rows_that_each_have_their_own_transaction_are_no_baskets() -> None:
    frame = pl.DataFrame({"transaction_id": ["1", "2", "3"], "product_code": ["a", "b", "a"]})
    assert table_by_columns(frame) == "rows"


def test_orders_with_a_label_are_rows() -> None:
    frame = pl.DataFrame({"order_id": list("1123"), "sku": list("abaa")})
    assert table_by_columns(frame) == "events"
    assert table_by_columns(frame.with_columns(is_fraud=pl.lit(0))) == "rows"


def test_a_client_of_rows_may_be_a_browser_and_groups_nothing() -> None:
    frame = rows(client=["web", "ios", "app"] * 4, age=list(range(12)))
    assert "entity" not in understand(frame, "rows").roles
    frame = rows(client_id=["web", "ios", "app"] * 4, age=list(range(12)))
    assert understand(frame, "rows").roles["entity"] == "client_id"
