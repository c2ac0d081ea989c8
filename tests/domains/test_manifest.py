"""market.toml says what names do not, and what is wrong with it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.domains.market import open_market
from acclimate.domains.schema import ColumnType, SchemaHints
from acclimate.errors import DomainError
from tests.domains.files import EVENTS, MANIFEST, messages, put


def market(folder: Path, manifest: str = MANIFEST) -> Path:
    return put(
        folder,
        market__toml=manifest,
        bestellungen__csv="kunde,artikel\nu,a\n",
        loans__csv="zip,chargeback_30d\n1,0\n2,1\n3,1\n4,0\n",
    )


def test_market_toml_names_the_market_its_files_roles_and_types(tmp_path: Path) -> None:
    domain = open_market(market(tmp_path))
    assert domain.name == "jp"
    assert domain.tables["events"].rows() == [("u", "a")]
    assert domain.tables["rows"]["label"].to_list() == ["0", "1", "1", "0"]
    assert domain.schema.tables["rows"].types == {"zip": "category"}
    assert domain.tables["rows"]["zip"].to_list() == ["1", "2", "3", "4"]


def test_arguments_beat_market_toml(tmp_path: Path) -> None:
    hints = SchemaHints(
        roles={"events": {"user": "artikel", "item": "kunde"}},
        types={"zip": ColumnType.NUMERIC},
        name="de",
    )
    domain = open_market(market(tmp_path), hints)
    assert domain.name == "de"
    assert domain.tables["events"].rows() == [("a", "u")]
    assert domain.schema.tables["rows"].types == {"zip": "numeric"}


def test_other_files_of_a_named_table_are_left_out(tmp_path: Path) -> None:
    put(market(tmp_path), orders__csv=EVENTS)
    domain = open_market(tmp_path)
    assert domain.tables["events"].height == 1
    assert "'orders.csv' was left out, as [files] names events" in messages(domain)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("nme = 'x'", r"key of market.toml among name, files, roles, types, .*found 'nme'"),
        ("name = 3", "a string for 'name' in market.toml, found int"),
        ("name = ''", "a string for 'name'"),
        ("files = 3", "a section for 'files'"),
        ("[files]\nevents = ['a.csv']", r"a string for 'files\.events'.*found list"),
        (
            "[files]\nevent = 'a.csv'",
            r"a table of \[files\] among events, items.*found 'event'",
        ),
        ("[files]\nevents = 'none.csv'", "Expected the file 'none.csv' for 'events'"),
        ("[files]\nevents = '../x.csv'", "a file inside the market's folder"),
        ("[files]\nevents = '/etc/x.csv'", "a file inside the market's folder"),
        ("[roles]\nrows = 'x'", r"a section for 'roles\.rows'"),
        (
            "[roles]\nuser = 'x'",
            r"found 'user' right under \[roles\]\. Write \[roles\.events\] above user = 'x', "
            r"or \[roles\.users\]\.",
        ),
        ("[roles.row]\nlabel = 'x'", r"a table of \[roles\] among .*found 'row'"),
        (
            "[roles.rows]\nlable = 'x'",
            r"among label, time, entity, found 'lable'\. Did you mean 'label'\?",
        ),
        ("[roles.rows]\nlabel = 1", r"a string for 'roles\.rows\.label'"),
        ("[roles.rows]\nlabel = 'x'", "Expected column 'x' for the role 'label'"),
        (
            "[roles.users]\nuser = 'x'",
            r"found roles for 'users' \(x\)\. Its tables and their columns are events: "
            r"user_id, item_id; rows: zip, y\. Spell the columns as they are there, name "
            r"what holds users under \[files\], or remove the roles\.",
        ),
        ("[types]\nzip = 'nominal'", "among numeric, category, text.*found 'nominal'"),
        (
            "[types]\nzp = 'text'",
            r"found 'zp'\. Did you mean 'zip'\? The columns are: item_id, ",
        ),
        ("[files", "Expected TOML"),
        ("a = " + "[" * 3000, "Expected TOML"),
        ("#" + "x" * 2**20, "at most 1,048,576 bytes"),
    ],
)
def test_a_market_toml_that_is_wrong_is_refused(
    tmp_path: Path, manifest: str, message: str
) -> None:
    put(tmp_path, market__toml=manifest, a__csv=EVENTS, loans__csv="zip,y\n1,0\n2,1\n")
    with pytest.raises(DomainError, match=message):
        open_market(tmp_path)


def test_roles_name_the_table_of_a_file_that_nothing_else_tells(tmp_path: Path) -> None:
    said = "[roles.events]\nuser = 'knd'\nitem = 'ding'\n"
    folder = put(tmp_path, market__toml=said, stuff__csv="knd,ding\nu,a\nv,b\n")
    for market in (folder, folder / "stuff.csv"):
        assert open_market(market).tables["events"].rows() == [("u", "a"), ("v", "b")]


def test_a_file_takes_roles_and_types_of_the_market_toml_beside_it(
    tmp_path: Path,
) -> None:
    said = (
        "crosswalk = 'pairs.csv'\n[files]\nevents = 'one.csv'\n"
        "[roles.events]\nuser = 'knd'\nitem = 'ding'\n"
        "[roles.users]\nuser = 'knd'\n[roles.rows]\nlabel = 'y'\n"
        "[types]\nzip = 'category'\n"
    )
    folder = put(
        tmp_path,
        market__toml=said,
        one__csv="knd,ding\nu,a\nv,b\n",
        other__csv="zip,y\n1,0\n2,1\n3,1\n4,0\n",
    )
    one, other = open_market(folder / "one.csv"), open_market(folder / "other.csv")
    assert one.tables["events"]["item"].to_list() == ["a", "b"]
    assert "The crosswalk of market.toml is for its folder, and not used for one" in (
        messages(one)
    )
    assert "[roles.users] and [roles.rows] and [types] of the market.toml beside 'one.csv'" in (
        messages(one)
    )
    assert other.schema.tables["rows"].types == {"zip": "category"}
    assert other.schema.tables["rows"].roles == {"label": "y"}


def test_roles_of_columns_that_a_file_lacks_are_said_to_be_unused(tmp_path: Path) -> None:
    said = "[roles.events]\nuser = 'knd'\nitem = 'ding'\n"
    put(tmp_path, market__toml=said, stuff__csv="kunden,ding\nu,a\n")
    assert (
        "[roles.events] of the market.toml beside 'stuff.csv' name no columns of its own, or "
        "of another table, and are not used. Its columns are: kunden, ding."
    ) in messages(open_market(tmp_path / "stuff.csv"))
