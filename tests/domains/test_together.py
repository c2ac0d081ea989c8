"""Several markets are asked where they meet."""

from __future__ import annotations

from pathlib import Path

from acclimate.domains.market import open_market
from acclimate.domains.together import compare
from tests.domains.files import put


def said(folder: Path, **markets: dict[str, str]) -> str:
    domains = [open_market(put(folder / name, **files)) for name, files in markets.items()]
    return "\n".join(f"{f.level}: {f.table}: {f.message}" for f in compare(domains))


def events(*items: str, user: str = "u", time: bool = False) -> dict[str, str]:
    stamp = ("", "") if not time else (",time", ",2024-01-01 10:00:00")
    lines = [f"{user}{n},{item}{stamp[1]}\n" for n, item in enumerate(items)]
    return {"orders__csv": f"user_id,item_id{stamp[0]}\n" + "".join(lines)}


def table(text: str) -> dict[str, str]:
    return {"rows__csv": text}


def test_markets_without_a_shared_item_need_a_crosswalk(tmp_path: Path) -> None:
    found = said(tmp_path, de=events("a", "b"), jp=events("x", "y", user="j"))
    assert "warning: events: de and jp share no item, so transfer by items is impossi" in found
    assert "one has for example 'a', the other 'x'" in found and "crosswalk" in found


def test_little_overlap_is_a_note_and_enough_is_none(tmp_path: Path) -> None:
    many = [f"i{n}" for n in range(30)]
    others = ["i0", *(f"j{n}" for n in range(30))]
    found = said(tmp_path / "a", de=events(*many), jp=events(*others, user="j"))
    assert "note: events: de and jp share 1 of 30 items (3.3%)" in found
    enough = said(tmp_path / "b", de=events(*many), jp=events(*many, user="j"))
    assert "items" not in enough


def test_shared_users_are_asked_about(tmp_path: Path) -> None:
    found = said(tmp_path, de=events("a", "b"), jp=events("a", "b"))
    assert "share 2 users (100.0% of the smaller side). If equal ids are other peop" in found


def test_every_pair_is_compared(tmp_path: Path) -> None:
    found = said(tmp_path, a=events("x"), b=events("y"), c=events("z"))
    for pair in ("a and b", "a and c", "b and c"):
        assert f"{pair} share no item" in found


def test_rows_without_a_shared_column_are_said(tmp_path: Path) -> None:
    one = table("age,shop,y\n1,a,0\n2,b,1\n3,a,1\n")
    found = said(tmp_path, de=one, jp=table("alter,laden,y\n1,a,0\n2,b,1\n3,a,1\n"))
    assert "warning: rows: de and jp share no column" in found
    assert "age, shop beside alter, laden. Rename columns that mean the same" in found


def test_columns_of_another_type_and_columns_of_one_market_are_said(tmp_path: Path) -> None:
    one = table("age,shop,y\n1,a,0\n2,b,1\n3,a,1\n")
    other = table("age,tax,y\nyoung,1,0\nold,2,1\nyoung,3,1\n")
    found = said(tmp_path, de=one, jp=other)
    assert "'age' is numeric in de and category in jp" in found
    assert "Columns that only one of de and jp has are not used: shop, tax" in found


def test_labels_that_share_no_class_are_said(tmp_path: Path) -> None:
    one = table("age,y\n1,yes\n2,no\n3,no\n")
    found = said(tmp_path, de=one, jp=table("age,y\n1,oui\n2,non\n3,non\n"))
    assert "de and jp share no class: no, yes beside non, oui. Write the label alike" in found


def declared(text: str, *items: str, user: str = "u", time: bool = False) -> dict[str, str]:
    return {**events(*items, user=user, time=time), "market__toml": text}


def test_money_that_is_not_the_same_is_said(tmp_path: Path) -> None:
    found = said(
        tmp_path / "a",
        de=declared('currency = "EUR"', "a"),
        jp=declared('currency = "JPY"', "a", user="j"),
    )
    assert "warning: currency: Amounts are not in the same money: EUR in de, JPY in jp" in found
    assert "same `base` and its rates" in found
    silent = said(
        tmp_path / "b", de=declared('currency = "EUR"', "a"), jp=events("a", user="j")
    )
    assert "note: currency: Amounts are EUR in de; jp does not say" in silent


def test_money_turned_into_one_base_is_the_same(tmp_path: Path) -> None:
    rated = '[currency]\ncode = "JPY"\nbase = "EUR"\nrates = 0.006\n'
    found = said(
        tmp_path, de=declared('currency = "EUR"', "a"), jp=declared(rated, "a", user="j")
    )
    assert found == ""


def test_a_time_zone_that_only_some_declare_is_said(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        de=events("a", time=True),
        jp=declared('timezone = "Asia/Tokyo"', "a", user="j", time=True),
    )
    assert "note: time: Times of de are read as UTC, those of jp as declared" in found


def test_kinds_that_only_some_weigh_are_said(tmp_path: Path) -> None:
    text = {"orders__csv": "user_id,item_id,event\nu,a,view\nv,a,order\n"}
    other = {"orders__csv": "user_id,item_id,event\nj,a,view\nk,a,order\n"}
    weighed = {**text, "market__toml": "[kinds]\nview = 0.1\norder = 1\n"}
    found = said(tmp_path, de=weighed, jp=other)
    assert "note: events: Kinds of events are weighed in de, but not in jp" in found


def test_what_one_law_takes_from_the_others_is_said(tmp_path: Path) -> None:
    rows = table("age,gender,y\n1,f,0\n2,m,1\n3,f,1\n")
    eu = {**rows, "market__toml": 'forbidden_columns = ["gender"]\n'}
    found = said(tmp_path, eu=eu, us=rows)
    assert "us: forbidden in another market, so left out here: gender" in found
