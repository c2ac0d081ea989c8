"""Tables take their canonical form, and their owner is told what was seen on the way."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.domains.schema import ColumnType, SchemaHints
from acclimate.domains.writers import write_table
from tests.domains.files import messages, put


def rows_of(tmp_path: Path, frame: pl.DataFrame, **roles: str) -> Domain:
    write_table(frame, tmp_path / "r.parquet")
    return open_market(
        tmp_path / "r.parquet", SchemaHints(roles={"rows": {"label": "y", **roles}})
    )


def test_a_column_equal_to_the_label_is_warned_of(tmp_path: Path) -> None:
    frame = pl.DataFrame({"y": [0, 1, 1, 0], "copy": [0.0, 1.0, 1.0, 0.0], "age": [1, 2, 3, 4]})
    assert "'copy' says the same as the label 'y'" in messages(
        rows_of(tmp_path, frame), "warning"
    )
    assert "'age' says the same" not in messages(rows_of(tmp_path, frame))


def test_a_renamed_copy_of_the_label_is_warned_of(tmp_path: Path) -> None:
    y = [i % 3 == 0 for i in range(60)]
    frame = pl.DataFrame({"y": y, "outcome_text": ["won" if v else "lost" for v in y]})
    assert "'outcome_text' says the same" in messages(rows_of(tmp_path, frame), "warning")


def test_a_label_of_one_class_or_none_is_warned_of(tmp_path: Path) -> None:
    one = pl.DataFrame({"y": [1, 1, None], "a": [1, 2, 3]})
    assert "one class only, '1'" in messages(rows_of(tmp_path, one), "warning")
    none = pl.DataFrame({"y": ["", "NA", None], "a": [1, 2, 3]})
    assert "'y' is empty in every row" in messages(rows_of(tmp_path, none), "warning")


def test_constant_empty_and_repeated_are_found(tmp_path: Path) -> None:
    frame = pl.DataFrame({"y": [0, 0, 1], "c": [5, 5, 5], "e": [None] * 3, "a": [1, 1, 2]})
    found = messages(rows_of(tmp_path, frame))
    assert "Constant columns: c." in found
    assert "Empty columns: e." in found
    assert "1 of 3 rows repeat another row exactly" in found


def test_impossible_unreadable_and_ambiguous_times_are_found(tmp_path: Path) -> None:
    frame = pl.DataFrame({"y": [0, 1, 1], "order_time": ["1/2/1950", "soon", "1/2/2015"]})
    found = messages(rows_of(tmp_path, frame), "warning")
    assert "1 times in 'order_time' lie before 1990" in found
    assert "1 of 3 values of 'order_time' are not times, for example 'soon'" in found
    assert "it was read as month/day" in found


def test_unreadable_numbers_are_counted_with_an_example(tmp_path: Path) -> None:
    text = "user_id,item_id,price\nu,a,1\nu,b,free\nu,c,2\n"
    domain = open_market(put(tmp_path, e__csv=text) / "e.csv")
    assert domain.tables["events"]["value"].to_list() == [1.0, None, 2.0]
    assert "1 of 3 values of 'price' are not finite numbers, for example 'free'" in messages(
        domain, "warning"
    )


def test_rows_without_a_label_say_how_to_name_one(tmp_path: Path) -> None:
    domain = open_market(put(tmp_path, r__csv="a,b\n1,2\n3,4\n") / "r.csv")
    assert '[roles.rows] label = "COLUMN"' in messages(domain)


def test_nested_columns_are_left_out_with_a_note(tmp_path: Path) -> None:
    text = '{"y": 0, "tags": [1], "a": 1}\n{"y": 1, "tags": [2, 3], "a": 2}\n'
    domain = open_market(put(tmp_path, r__jsonl=text) / "r.jsonl")
    assert domain.tables["rows"].columns == ["label", "a"]
    assert domain.schema.tables["rows"].types["tags"] == ColumnType.IGNORED
    assert "'tags' holds nested" in messages(domain)
    assert domain.fingerprint


def test_how_times_and_numbers_are_written_is_kept_under_the_names_of_the_table(
    tmp_path: Path,
) -> None:
    text = (
        "order_time;delivered_at;time;price;list_price;amount;y\n"
        "13/4/2015;2015-04-20;1,5;1.234,5;1,234;7;0\n"
        "14/4/2015;2015-04-21;2,5;2;2,345;8;1\n"
    )
    hints = SchemaHints(roles={"rows": {"label": "y", "time": "order_time"}})
    schema = open_market(put(tmp_path, r__csv=text) / "r.csv", hints).schema.tables["rows"]
    assert schema.roles["time"] == "order_time"
    assert schema.notations == {
        "time": "day first or digits",
        "delivered_at": "year first or digits",
        "time_": "commas as decimals",
        "price": "commas as decimals",
        "list_price": "commas as decimals",  # alone it would be 1234
    }
    assert json.loads(json.dumps(schema.notations)) == schema.notations


def test_one_value_with_gaps_is_a_feature_and_no_constant_in_any_slice(tmp_path: Path) -> None:
    coupon = [None, "yes", None, "yes", "yes", "yes"]
    shop = ["a", "a", "b", "b", "c", "c"]
    frame = pl.DataFrame({"y": [0, 1, 1, 0, 0, 1], "coupon": coupon, "shop": shop})
    domain = rows_of(tmp_path, frame)
    assert domain.schema.tables["rows"].types["coupon"] == ColumnType.CATEGORY
    assert domain.tables["rows"]["coupon"].to_list() == coupon
    assert "Constant" not in messages(domain)
    hints = SchemaHints(roles={"rows": {"label": "y"}})
    one, three = (open_market(f"{tmp_path / 'r.parquet'}::shop={x}", hints) for x in "bc")
    assert "Constant" not in messages(one)
    assert "Constant columns: coupon." in messages(three)


def test_a_column_that_is_there_for_one_label_only_is_warned_of(tmp_path: Path) -> None:
    y = [i % 3 == 0 for i in range(60)]
    frame = pl.DataFrame({"y": y, "refund": ["yes" if v else None for v in y]})
    assert "'refund' says the same" in messages(rows_of(tmp_path, frame), "warning")
    frame = frame.with_columns(refund=pl.Series(["yes", None, None, "yes", "yes", None] * 10))
    assert "'refund' says the same" not in messages(rows_of(tmp_path, frame), "warning")
