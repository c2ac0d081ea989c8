"""What a market declares is applied once, at the door."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from acclimate.domains.market import open_market
from acclimate.domains.markets import open_markets
from acclimate.domains.schema import SchemaHints
from acclimate.errors import DomainError
from tests.domains.files import messages, put

ORDERS = (
    "user_id,item_id,event,time,price\n"
    "u,a,view,2024-01-05 10:00,100\n"
    "u,a,kauf,2024-01-10 10:00,100\n"
    "v,b,order,2024-02-20 10:00,200\n"
)
LOANS = (
    "when,gender,fee,age,converted\n"
    "2024-01-10 20:00:00,secret-f,10,30,1\n"
    "2024-05-03 20:00:00,secret-m,20,40,0\n"
    "2024-02-02 20:00:00,secret-f,30,50,0\n"
)
RATES = "date,currency,rate\n2024-01-10,JPY,0.5\n2024-02-01,JPY,0.25\n"
MONEY = '[currency]\ncode = "JPY"\nbase = "EUR"\nrates = "rates.csv"\n'
FORBID = 'forbidden_columns = ["Gender"]\n'
ROLES = '[roles.rows]\ntime = "when"\n'


def market_of(folder: Path, text: str, **files: str) -> Path:
    rates = {"rates__csv": RATES} if "rates.csv" in text else {}
    return put(folder, market__toml=text, **files, **rates)


def orders(folder: Path, text: str) -> Path:
    return market_of(folder, text, orders__csv=ORDERS)


def loans(folder: Path, text: str) -> Path:
    return market_of(folder, text, loans__csv=LOANS)


# ── money ───────────────────────────────────────────────────────────────────


def test_the_value_of_an_event_takes_the_rate_of_its_day(tmp_path: Path) -> None:
    found = open_market(orders(tmp_path, MONEY))
    assert found.tables["events"]["value"].to_list() == [None, 50.0, 50.0]
    assert set(found.tables) == {"events"}  # the rates are no table
    assert "'price': JPY turned into EUR at the rate of each day" in messages(found)
    assert "1 of 3 amounts in 'price' lie before 2024-01-10, the first rate" in messages(
        found, "warning"
    )


def test_columns_of_money_are_converted_and_others_are_not(tmp_path: Path) -> None:
    rows = open_market(loans(tmp_path, MONEY + 'money = ["fee"]\n' + ROLES)).tables["rows"]
    assert rows["fee"].to_list() == [5.0, 5.0, 7.5]
    assert rows["age"].to_list() == [30.0, 40.0, 50.0]


def test_the_day_of_a_rate_is_the_local_one(tmp_path: Path) -> None:
    # 20:00 on 31 January in New York is 1 February in UTC.
    text = 'timezone = "America/New_York"\n' + MONEY + 'money = ["fee"]\n' + ROLES
    market = loans(tmp_path, text)
    (market / "loans.csv").write_text(LOANS.replace("2024-02-02", "2024-01-31"))
    assert open_market(market).tables["rows"]["fee"].to_list() == [5.0, 5.0, 15.0]


def test_a_table_without_times_takes_the_last_rate_and_says_so(tmp_path: Path) -> None:
    market = put(
        orders(tmp_path, MONEY + 'money = ["price"]\n'), items__csv="item_id,price\na,8\nb,4\n"
    )
    found = open_market(market)
    assert found.tables["items"]["price"].to_list() == [2.0, 1.0]
    assert "the last rate, of 2024-02-01, as there are no times" in messages(found)


def test_ratings_are_no_money(tmp_path: Path) -> None:
    market = put(
        tmp_path,
        market__toml='[currency]\ncode = "JPY"\nbase = "EUR"\nrates = 0.5\n',
        e__csv="user_id,item_id,rating\nu,a,4\nv,b,5\n",
    )
    assert open_market(market).tables["events"]["value"].to_list() == [4.0, 5.0]


def test_amounts_without_a_time_or_long_after_the_last_rate_are_said(tmp_path: Path) -> None:
    market = orders(tmp_path, MONEY)
    (market / "orders.csv").write_text(
        ORDERS.replace("2024-01-05 10:00", "") + "w,a,order,2024-06-01,8\n"
    )
    found = open_market(market)
    assert found.tables["events"]["value"].to_list() == [None, 50.0, 50.0, 2.0]
    warned = messages(found, "warning")
    assert "1 of 4 amounts in 'price' have no day to take a rate of JPY for" in warned
    assert "The last rate of JPY is 121 days older than the latest amount" in warned


def test_no_rate_for_any_amount_is_refused(tmp_path: Path) -> None:
    market = orders(tmp_path, MONEY)
    (market / "rates.csv").write_text("date,currency,rate\n2025-01-01,JPY,1\n")
    with pytest.raises(DomainError, match=r"none on or before any of their days.*2025-01-01"):
        open_market(market)


@pytest.mark.parametrize("column", ["nothing", "when"])
def test_money_in_a_column_without_numbers_is_refused(tmp_path: Path, column: str) -> None:
    with pytest.raises(DomainError, match=f"under `money` in .currency., found {column!r}"):
        open_market(loans(tmp_path, MONEY + f'money = ["{column}"]\n' + ROLES))


# ── time ────────────────────────────────────────────────────────────────────


def test_local_times_become_utc(tmp_path: Path) -> None:
    found = open_market(orders(tmp_path, 'timezone = "Asia/Tokyo"\n'))
    assert found.tables["events"]["time"][0] == datetime(2024, 1, 5, 1)


def test_holidays_are_a_feature_by_the_local_day(tmp_path: Path) -> None:
    text = 'timezone = "America/New_York"\nholidays = ["2024-05-03"]\n' + ROLES
    found = open_market(loans(tmp_path, text))
    assert found.tables["rows"]["holiday"].to_list() == ["0", "1", "0"]
    assert found.schema.tables["rows"].types["holiday"] == "category"
    assert "'holiday' was added: 1 row." in messages(found)


def test_holidays_need_times_and_do_not_replace_a_column(tmp_path: Path) -> None:
    text = 'holidays = ["2024-05-03"]\n'
    without = put(tmp_path / "a", market__toml=text, l__csv="age,y\n1,0\n2,1\n3,1\n")
    assert "rows have no time" in messages(open_market(without))
    rows = LOANS.replace("gender", "holiday")
    own = put(tmp_path / "b", market__toml=text + ROLES, loans__csv=rows)
    assert "is the table's own column" in messages(open_market(own))
    assert "secret-f" in open_market(own).tables["rows"]["holiday"].to_list()


# ── law ─────────────────────────────────────────────────────────────────────


def test_a_forbidden_column_is_nowhere_behind_the_door(tmp_path: Path) -> None:
    found = open_market(loans(tmp_path, FORBID))
    assert "gender" not in found.tables["rows"].columns
    assert "gender" not in found.schema.tables["rows"].types
    assert "forbidden, never read: gender" in messages(found)


def test_permuting_a_forbidden_column_changes_nothing(tmp_path: Path) -> None:
    one = open_market(loans(tmp_path / "m", FORBID))
    swapped = LOANS.replace("secret-f", "x").replace("secret-m", "secret-f").replace("x", "-m")
    (tmp_path / "m" / "loans.csv").write_text(swapped)
    other = open_market(tmp_path / "m")
    assert one.fingerprint == other.fingerprint
    assert one.findings == other.findings


def test_a_file_opened_by_itself_is_under_the_law_of_its_folder(tmp_path: Path) -> None:
    market = loans(tmp_path, FORBID + 'timezone = "Asia/Tokyo"\n')
    found = open_market(market / "loans.csv")
    assert "gender" not in found.tables["rows"].columns
    assert found.schema.declared.timezone == "Asia/Tokyo"


def test_what_is_declared_of_other_files_of_the_folder_does_not_matter_here(
    tmp_path: Path,
) -> None:
    text = 'forbidden_columns = ["race"]\n' + MONEY + 'money = ["price"]\n' + ROLES
    found = open_market(loans(tmp_path, text) / "loans.csv")
    assert "race" not in messages(found)


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ('[roles.rows]\nlabel = "gender"\n', "the role 'label'"),
        ('[types]\ngender = "category"\n', "the type 'category'"),
        ('[currency]\ncode = "EUR"\nmoney = ["gender"]\n', "amounts of money"),
    ],
)
def test_a_forbidden_column_with_a_use_is_refused(tmp_path: Path, text: str, use: str) -> None:
    with pytest.raises(DomainError, match=f"another column for {use} .*found 'gender'"):
        open_market(loans(tmp_path, FORBID + text))


def test_a_label_that_is_asked_for_may_not_be_a_forbidden_column(tmp_path: Path) -> None:
    hints = SchemaHints(roles={"rows": {"label": "gender"}})
    with pytest.raises(DomainError, match="another column for the role 'label'"):
        open_market(loans(tmp_path, FORBID), hints)


def test_a_slice_by_a_forbidden_column_is_refused(tmp_path: Path) -> None:
    market = loans(tmp_path, FORBID)
    with pytest.raises(DomainError, match="Expected a column 'gender' to slice by"):
        open_market(f"{market}::gender=secret-f")


def test_a_forbidden_column_that_no_table_has_is_said(tmp_path: Path) -> None:
    found = open_market(loans(tmp_path, 'forbidden_columns = ["gendr"]\n'))
    assert "Forbidden columns that no table has: gendr" in messages(found, "warning")


def test_a_table_of_forbidden_columns_only_is_refused(tmp_path: Path) -> None:
    market = put(tmp_path, market__toml=FORBID, a__csv="gender\nf\nm\n")
    with pytest.raises(DomainError, match="a column of 'rows' that is not forbidden"):
        open_market(market)


def test_a_column_forbidden_in_one_market_is_dropped_from_all_of_a_problem(
    tmp_path: Path,
) -> None:
    eu = loans(tmp_path / "eu", FORBID)
    us = loans(tmp_path / "us", "")
    assert "gender" in open_market(us).tables["rows"].columns
    for order in ([eu, us], [us, eu]):
        for domain in open_markets(order, None):
            assert "gender" not in domain.tables["rows"].columns
            assert "gender" not in domain.schema.tables["rows"].types
            assert "secret" not in str(domain.tables["rows"].rows())


def test_a_value_forbidden_in_one_market_is_dropped_from_events_of_all(tmp_path: Path) -> None:
    eu = orders(tmp_path / "eu", 'forbidden_columns = ["price"]\n')
    us = orders(tmp_path / "us", "")
    for domain in open_markets([eu, us], None):
        assert "value" not in domain.tables["events"].columns
        assert "value" not in domain.schema.tables["events"].roles


def test_restricted_items_are_counted_and_looked_for(tmp_path: Path) -> None:
    found = open_market(orders(tmp_path / "a", 'restricted_items = ["a", "zz"]\n'))
    assert "1 of 2 restricted items are here; they are never recommended" in messages(found)
    none = open_market(orders(tmp_path / "b", 'restricted_items = ["zz"]\n'))
    assert "None of 1 restricted items is in a table, for example 'zz'" in messages(
        none, "warning"
    )


# ── kinds ───────────────────────────────────────────────────────────────────

KINDS = "[kinds]\norder = 1\nview = 0\n[kinds.names]\nKauf = 'order'\n"


def test_kinds_get_one_name_and_those_of_weight_0_are_left_out(tmp_path: Path) -> None:
    found = open_market(orders(tmp_path, KINDS))
    assert found.tables["events"]["kind"].to_list() == ["order", "order"]
    assert "1 of 3 events are of weight 0" in messages(found)


def test_a_kind_without_a_weight_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=r"a weight for every kind .*'view' \(1\)"):
        open_market(orders(tmp_path, "[kinds]\norder = 1\n[kinds.names]\nkauf = 'order'\n"))


def test_kinds_need_a_column(tmp_path: Path) -> None:
    market = put(tmp_path, market__toml=KINDS, e__csv="user_id,item_id\nu,a\nv,b\n")
    with pytest.raises(DomainError, match="a column with the kind of each event"):
        open_market(market)


def test_events_of_no_kind_are_left_out_and_said(tmp_path: Path) -> None:
    market = orders(tmp_path, KINDS)
    (market / "orders.csv").write_text(ORDERS.replace(",kauf,", ",,"))
    found = open_market(market)
    assert found.tables["events"].height == 1
    assert "1 of 3 events have no kind and were left out" in messages(found, "warning")


def test_kinds_that_leave_no_event_are_refused(tmp_path: Path) -> None:
    market = orders(tmp_path, KINDS)
    (market / "orders.csv").write_text(ORDERS.splitlines()[0] + "\nu,a,view,2024-01-05,1\n")
    with pytest.raises(DomainError, match="events with a weight, found 1 of weight 0"):
        open_market(market)


def test_what_is_restricted_or_weighed_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    plain = open_market(orders(tmp_path / "m", "")).fingerprint
    some = open_market(orders(tmp_path / "m", 'restricted_items = ["a"]\n')).fingerprint
    assert plain != some
