"""What spreadsheets write is read: marks, separators, decimal commas, currencies, titles."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.domains.market import open_market
from acclimate.domains.schema import ColumnType
from tests.domains.files import messages

GERMAN = (
    "Kundennummer;Artikelnummer;Ereignis;Bestelldatum;Preis;Menge\r\n"
    "1;A;Kauf;05.03.2024 14:30;€ 1.234,50;1.000\r\n"
    "2;B;Retoure;13.03.2024 09:00;€ 3,20;2.000\r\n"
)
TITLES = [f"无线蓝牙耳机 第{i}代 超长续航运动款" for i in range(30)]


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        GERMAN.encode("cp1252"),
        ("sep=;\r\n" + GERMAN).encode("utf-8-sig"),
        ("\ufeff" + GERMAN.replace(";", "\t")).encode("utf-16-le"),
    ],
    ids=["semicolons", "sep=", "Unicode text"],
)
def test_every_export_of_a_german_spreadsheet_gives_the_same_market(
    tmp_path: Path, data: bytes
) -> None:
    domain = open_market(put(tmp_path, "Bestellungen.csv", data))
    events = domain.tables["events"]
    assert events["value"].to_list() == [1234.5, 3.2]
    assert events["quantity"].to_list() == [1000.0, 2000.0]
    assert events["kind"].to_list() == ["order", "return"]
    assert events["time"].dt.day().to_list() == [5, 13]
    said = messages(domain)
    assert "'Preis': commas read as decimals, points as thousands separators, " in said
    assert "without its sign €" in said
    assert "'Menge': commas read as decimals, points as thousands separators." in said


def test_a_column_of_percents_and_one_of_yen_are_numbers(tmp_path: Path) -> None:
    lines = [f'{i},{i}.5 %,"￥{i},200",{i % 2}' for i in range(1, 40)]
    text = "\n".join(["nr,折扣率,定价,标签", *lines])
    domain = open_market(put(tmp_path, "r.csv", text.encode("gbk")))
    rows = domain.tables["rows"]
    assert rows["折扣率"].to_list() == [i + 0.5 for i in range(1, 40)]
    assert rows["定价"].to_list() == [i * 1000 + 200 for i in range(1, 40)]
    assert "'折扣率': in percent (12 % is 12)." in messages(domain)
    assert "'定价': commas read as thousands separators, without its sign ¥." in messages(
        domain
    )
    assert domain.schema.tables["rows"].notations["定价"].endswith("in ¥")


def test_titles_without_blanks_are_text_and_short_names_are_not(tmp_path: Path) -> None:
    kinds = ["手机", "电脑", "耳机"]
    lines = [f"{i},{title},{kinds[i % 3]}" for i, title in enumerate(TITLES)]
    text = "\n".join(["商品编号,商品名称,类目", *lines])
    types = open_market(put(tmp_path, "商品.csv", text.encode())).schema.tables["rows"].types
    assert types["商品名称"] == ColumnType.TEXT
    assert types["类目"] == ColumnType.CATEGORY
