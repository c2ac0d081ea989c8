"""Names give roles, values give types, and a person beats both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains import names
from acclimate.domains.inference import table_by_columns, understand
from acclimate.domains.schema import ColumnType
from acclimate.domains.times import impossible, read_times, recognise
from acclimate.domains.values import canonical, identifiers, numbers
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
        ([1.0, None] * 30, ColumnType.IGNORED),
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
        ("number_of_items", list(range(N)), ColumnType.NUMERIC),
        ("seen_at", [1_424_818_500 + i for i in range(N)], ColumnType.TIME),
        ("amount", [1_424_818_500 + i for i in range(N)], ColumnType.NUMERIC),
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


# Values -----------------------------------------------------------------------


@pytest.mark.parametrize("value", ["0", "0.0", "-0", "+0", "0.", "false", "False", " 0 "])
def test_every_spelling_of_nought_is_one_label(value: str) -> None:
    assert canonical(strings("y", value)).to_list() == ["0"]


def test_labels_of_every_type_meet() -> None:
    for column in (
        strings("y", "1", "0"),
        strings("y", "1.0", "0.00"),
        strings("y", "TRUE", "false"),
        pl.Series("y", [1, 0]),
        pl.Series("y", [1.0, 0.0]),
        pl.Series("y", [True, False]),
    ):
        assert canonical(column).to_list() == ["1", "0"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("007", "007"),
        (" Yes ", "Yes"),
        ("0.50", "0.5"),
        ("1e400", "1e400"),
        (".", "."),
        ("", None),
    ],
)
def test_other_labels_stay_as_written(written: str, read: str | None) -> None:
    assert canonical(strings("y", written)).to_list() == [read]


@given(st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=8))
def test_a_canonical_value_is_its_own_canonical_value(values: list[str | None]) -> None:
    once = canonical(strings("y", *values))
    assert canonical(once).to_list() == once.to_list()


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1, max_size=8))
def test_whole_numbers_meet_as_integers_floats_and_text(values: list[int]) -> None:
    expected = [str(value) for value in values]
    assert canonical(pl.Series(values)).to_list() == expected
    assert canonical(pl.Series([float(value) for value in values])).to_list() == expected
    assert canonical(strings("y", *(f"{value}.0" for value in values))).to_list() == expected


def test_ids_from_floats_meet_ids_from_text_and_zeros_stay() -> None:
    assert identifiers(pl.Series([13085.0, None])).to_list() == ["13085", None]
    assert identifiers(strings("id", "13085.0", None, "NA")).to_list() == ["13085", None, None]
    assert identifiers(pl.Series([13085])).to_list() == ["13085"]
    assert identifiers(strings("id", "007", " 8 ")).to_list() == ["007", "8"]
    assert identifiers(strings("id", "1.0", "v2")).to_list() == ["1.0", "v2"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (("1,5", "2"), [1.5, 2.0]),
        (("1.234,5", "2"), [1234.5, 2.0]),
        (("1,234", "2"), [1234.0, 2.0]),
        (("0,125", "2"), [0.125, 2.0]),
        (("1e3", " -2 "), [1000.0, -2.0]),
        (("inf", "2"), [None, 2.0]),
        (("?", "2"), [None, 2.0]),
    ],
)
def test_numbers_are_read_in_either_notation(
    written: tuple[str, str], read: list[float | None]
) -> None:
    assert numbers(strings("x", *written)).values.to_list() == read


# Times ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2015-02-24", datetime(2015, 2, 24)),
        ("2015-02-24 22:55:01", datetime(2015, 2, 24, 22, 55, 1)),
        ("2015-02-24T22:55:01.25Z", datetime(2015, 2, 24, 22, 55, 1, 250000)),
        ("2015-02-24T22:55:01+01:30", datetime(2015, 2, 24, 21, 25, 1)),
        ("2015-02-24T22:55:01-0200", datetime(2015, 2, 25, 0, 55, 1)),
        ("2015/2/24", datetime(2015, 2, 24)),
        ("2/24/15 22:55", datetime(2015, 2, 24, 22, 55)),
        ("2/24/69", datetime(1969, 2, 24)),
        ("2/24/2015 12:05 AM", datetime(2015, 2, 24, 0, 5)),
        ("2/24/2015 12:05:07 PM", datetime(2015, 2, 24, 12, 5, 7)),
        ("24.02.2015", datetime(2015, 2, 24)),
        ("24.2.15 7:05", datetime(2015, 2, 24, 7, 5)),
        ("3.2.2015", datetime(2015, 2, 3)),
        ("02 24, 2015", datetime(2015, 2, 24)),
        ("20150224", datetime(2015, 2, 24)),
        ("20150224225501", datetime(2015, 2, 24, 22, 55, 1)),
        ("1424818501", datetime(2015, 2, 24, 22, 55, 1)),
        ("1424818501.5", datetime(2015, 2, 24, 22, 55, 1, 500000)),
        ("1424818501250", datetime(2015, 2, 24, 22, 55, 1, 250000)),
    ],
)
def test_every_notation_gives_its_moment(written: str, moment: datetime) -> None:
    series = strings("time", written)
    notation = recognise(series, named=True)
    assert notation
    read = read_times(series, notation)
    assert read.dtype == pl.Datetime("us")
    assert read.to_list() == [moment]


def test_the_order_of_day_and_month_is_the_one_that_fits_every_row() -> None:
    for written, day_first, ambiguous in [
        (("1/2/15", "24/2/15"), True, False),
        (("1/2/15", "2/24/15"), False, False),
        (("1/2/15", "3/4/15"), False, True),
        (("1.2.15", "3.4.15"), True, True),
    ]:
        notation = recognise(strings("t", *written), named=False)
        assert notation
        assert (notation.day_first, notation.ambiguous) == (day_first, ambiguous)


def test_digits_are_times_only_where_the_name_says_so() -> None:
    for written in ("20150224", "1424818501"):
        assert recognise(strings("n", written), named=False) is None


def test_less_than_half_readable_is_no_time() -> None:
    assert recognise(strings("time", "2015-01-01", "soon", "later"), named=True) is None
    assert recognise(strings("time", "2015-01-01", "soon"), named=True)
    assert recognise(strings("note", "2015-01-01", "soon"), named=False) is None


def test_days_that_do_not_exist_are_empty() -> None:
    series = strings("t", "2015-02-30", "2015-02-28", "2015-01-01 25:00")
    notation = recognise(strings("t", "2015-01-01"), named=True)
    assert notation
    assert read_times(series, notation).to_list() == [None, datetime(2015, 2, 28), None]


def test_parquet_times_become_naive_utc() -> None:
    berlin = pl.Series("t", [datetime(2015, 2, 24, 12)]).dt.replace_time_zone("Europe/Berlin")
    notation = recognise(berlin, named=False)
    assert notation
    assert read_times(berlin, notation).to_list() == [datetime(2015, 2, 24, 11)]


def test_moments_before_1990_or_ahead_of_tomorrow_are_impossible() -> None:
    now = datetime(2020, 1, 1)
    times = pl.Series([now, now + timedelta(hours=23), datetime(1989, 12, 31), None])
    assert impossible(times, now) == 1
    assert impossible(pl.Series([now + timedelta(days=2)]), now) == 1


@given(
    st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1)), min_size=1, max_size=9)
)
def test_iso_times_come_back(moments: list[datetime]) -> None:
    series = strings("t", *(moment.isoformat() for moment in moments))
    notation = recognise(series, named=False)
    assert notation
    assert read_times(series, notation).to_list() == moments


@given(st.lists(st.text("0123456789/-.: TZ+,aAmMpP", max_size=24), max_size=8))
def test_no_text_breaks_the_reading_of_times(values: list[str]) -> None:
    for named in (True, False):
        if notation := recognise(strings("t", *values), named):
            assert read_times(strings("t", *values), notation).len() == len(values)
