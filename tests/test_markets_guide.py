"""The guide to markets says what there is: its example opens, its tables are complete."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest

from acclimate.domains.inference import ROLES
from acclimate.domains.manifest import read_manifest
from acclimate.domains.market import open_market
from acclimate.domains.schema import ColumnType
from acclimate.domains.sections import KEYS
from tests.domains.files import put

GUIDE = (Path(__file__).parent.parent / "docs" / "markets.md").read_text(encoding="utf-8")


def example() -> str:
    (block,) = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_example_opens_a_market(tmp_path: Path) -> None:
    market = put(
        tmp_path,
        market__toml=example(),
        bestellungen__csv=(
            "kunde,artikel,zeitpunkt,was,preis\n"
            "u,sku-1,2024-05-03 08:00,Kauf,1000\n"
            "v,sku-18,2024-05-04 08:00,view,500\n"
        ),
        rows__csv="zip,gender,fee,label\n1,f,100,0\n2,m,200,1\n3,f,100,1\n",
        rates__csv="date,currency,rate\n2024-01-01,JPY,0.0064\n",
    )
    found = open_market(market)
    assert (found.name, set(found.tables)) == ("jp", {"events", "rows"})
    first = found.tables["events"].row(0, named=True)
    assert first["time"] == datetime(2024, 5, 2, 23)
    assert (first["kind"], first["value"]) == ("order", pytest.approx(6.4))
    assert found.tables["rows"]["fee"].to_list() == pytest.approx([0.64, 1.28, 0.64])
    assert "gender" not in found.tables["rows"].columns
    declared = found.schema.declared
    assert declared.restricted == ("sku-18", "sku-21")
    assert declared.holidays == (date(2024, 1, 1), date(2024, 5, 3))


def test_the_example_shows_every_entry(tmp_path: Path) -> None:
    (tmp_path / "market.toml").write_text(example(), encoding="utf-8")
    with pytest.raises(Exception, match=re.escape("rates.csv")):
        read_manifest(tmp_path / "market.toml")  # the rates stand in a file of their own
    for key in (*KEYS, "name", "files", "roles", "types"):
        assert re.search(rf"^(\[{key}[\].]|{key} = )", example(), re.MULTILINE), key


def test_every_role_and_type_is_in_the_guide() -> None:
    for table, roles in ROLES.items():
        assert f"`[roles.{table}]`" in GUIDE
        for role in roles:
            assert f"`{role}`" in GUIDE
    for kind in ColumnType:
        assert f"`{kind}`" in GUIDE
