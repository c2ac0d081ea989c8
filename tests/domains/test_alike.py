"""Files of one table whose columns have other names; users who are nobody; returns."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.alike import renamed
from acclimate.domains.market import open_market
from acclimate.domains.nobody import nobody
from acclimate.errors import DomainError
from tests.domains.files import messages, put

FIRST = """Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID,Country
489434,85048,12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom
C48943,85048,-12,2009-12-02 07:45:00,6.95,13085.0,United Kingdom
489435,22041,2,2009-12-03 07:45:00,1.25,13086.0,Germany
489436,22042,2,2009-12-03 07:45:00,1.25,,Germany
"""
SECOND = """InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,22041,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536366,22041,6,2010-12-01 08:28:00,1.85,13086.0,Germany
"""
COLUMNS = ("Invoice", "Price", "Customer ID")


def years(folder: Path) -> Path:
    return put(folder, sales_2009__csv=FIRST, sales_2010__csv=SECOND)


def test_files_whose_columns_differ_by_name_become_one_table(tmp_path: Path) -> None:
    market = open_market(f"{years(tmp_path / 'shop')}::Country=Germany")
    assert market.name == "Germany"
    assert market.tables["events"]["user"].to_list() == ["13086", "13086"]
    assert market.tables["events"]["item"].to_list() == ["22041", "22041"]
    assert "'CustomerID' as 'Customer ID'" in messages(market)


def test_a_slice_may_hold_a_blank(tmp_path: Path) -> None:
    market = open_market(f"{years(tmp_path / 'shop')}::Country=United Kingdom")
    assert market.name == "United Kingdom"
    assert market.tables["events"].height == 3


@pytest.mark.parametrize(
    ("columns", "called"),
    [
        (
            ("InvoiceNo", "UnitPrice", "CustomerID"),
            {"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"},
        ),
        (("Price", "Customer ID", "Invoice"), {}),
        (("Invoice", "Price", "Colour"), None),
        (("Invoice", "Price"), None),
        # Two prices may both be the one price: nothing is guessed.
        (("UnitPrice", "Amount", "Customer ID"), None),
    ],
)
def test_columns_are_renamed_only_where_each_has_one_partner(
    columns: tuple[str, ...], called: dict[str, str] | None
) -> None:
    assert renamed(columns, COLUMNS, "events") == called


def test_a_role_pairs_columns_of_events_only() -> None:
    assert renamed(("UnitPrice",), ("Price",), "rows") is None


def test_files_with_really_other_columns_are_refused(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "shop", sales_1__csv=FIRST, sales_2__csv="user,item,colour\na,b,c\n"
    )
    with pytest.raises(DomainError, match="Expected the same columns in every file"):
        open_market(folder)


def test_a_zero_that_buys_everything_is_nobody(tmp_path: Path) -> None:
    lines = ["user_id,item_id", *(f"0,i{n}" for n in range(40)), "7,i1", "8,i2"]
    market = open_market(put(tmp_path / "shop", orders__csv="\n".join(lines) + "\n"))
    assert market.tables["events"]["user"].to_list() == ["7", "8"]
    assert "'user_id' is '0' for too many events to be one user" in messages(market, "warning")


def test_an_ordinary_user_called_zero_stays() -> None:
    assert nobody(pl.Series("user", ["0", "0", "1", "1", "2"])) == []


@pytest.mark.parametrize("word", ["0", "0.0", "-1", "Guest", "anonymous"])
def test_every_word_for_nobody_is_known(word: str) -> None:
    assert nobody(pl.Series("user", [word] * 30 + ["a", "b"])) == [word]


def test_a_busy_user_with_a_name_stays() -> None:
    assert nobody(pl.Series("user", ["ann"] * 30 + ["a", "b"])) == []


def test_a_quantity_below_zero_is_a_return(tmp_path: Path) -> None:
    market = open_market(put(tmp_path / "shop", orders__csv=FIRST))
    events = market.tables["events"]
    assert events["kind"].to_list() == ["order", "return", "order"]
    assert market.schema.declared.kinds is not None
    assert dict(market.schema.declared.kinds.weights) == {"order": 1.0, "return": -1.0}
    assert "1 of 3 events have a quantity below 0" in messages(market)


def test_quantities_mostly_below_zero_mean_something_else(tmp_path: Path) -> None:
    text = "user_id,item_id,quantity\na,x,-1\nb,y,-2\nc,z,1\n"
    market = open_market(put(tmp_path / "shop", orders__csv=text))
    assert "kind" not in market.tables["events"].columns
    assert "too many to be returns" in messages(market, "warning")


def test_a_column_of_kinds_beats_the_sign(tmp_path: Path) -> None:
    text = "user_id,item_id,quantity,kind\na,x,-1,view\nb,y,2,order\nc,z,1,order\n"
    market = open_market(put(tmp_path / "shop", orders__csv=text))
    assert market.tables["events"]["kind"].to_list() == ["view", "order", "order"]
    assert market.schema.declared.kinds is None
