"""Tables of pairs, and markets under each other's ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.domains.crosswalk import Crosswalk, join, read_crosswalk
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.errors import DomainError, UsageError
from tests.domains.files import messages, put


def pairs(folder: Path, text: str) -> Path:
    return put(folder, pairs__csv=text) / "pairs.csv"


def events(folder: Path, name: str, *items: str) -> Domain:
    text = "user_id,item_id\n" + "".join(f"u{n},{item}\n" for n, item in enumerate(items))
    return open_market(put(folder / name, orders__csv=text))


def items_of(crosswalk: Crosswalk) -> dict[str, str]:
    return dict(crosswalk.pairs["item"])


def test_a_table_of_two_columns_is_used_whole(tmp_path: Path) -> None:
    found = read_crosswalk(pairs(tmp_path, "alt,neu\na,x\nb,x\n"))
    assert items_of(found) == {"a": "x", "b": "x"}


SCORED = (
    "source_id,target_id,confidence,confirmed\na,x,0.2,yes\nb,y,0.99,\nc,z,0.99,no\nd,w,0.5,\n"
)


@pytest.mark.parametrize(
    ("accept", "used"),
    [(None, {"a"}), (0.95, {"a", "b"}), (0.5, {"a", "b", "d"}), (0, {"a", "b", "d"})],
)
def test_only_confirmed_or_confident_pairs_are_used_and_a_no_is_final(
    tmp_path: Path, accept: float | None, used: set[str]
) -> None:
    found = read_crosswalk(pairs(tmp_path, SCORED), accept)
    assert set(items_of(found)) == used
    assert found.unused == 4 - len(used)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n", "Expected columns source_id and target_id"),
        ("source_id,target_id\na,x\na,y\n", "Expected one target id for each source id"),
        ("source_id,target_id\na,\nb,y\n", "Expected an id on both sides of every pair"),
        ("source_id,target_id,confirmed\na,x,perhaps\n", "Expected yes, no or nothing"),
        ("source_id,target_id,confirmed\na,x,\n", "none of them confirmed"),
        ("source_id,target_id,confidence\na,x,0.9\n", "none of them confirmed"),
    ],
)
def test_unusable_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        read_crosswalk(pairs(tmp_path, text))


def test_a_confidence_that_is_no_number_is_refused(tmp_path: Path) -> None:
    path = pairs(tmp_path, "source_id,target_id,confidence\na,x,high\nb,y,0.9\n")
    with pytest.raises(DomainError, match="Expected numbers between 0 and 1"):
        read_crosswalk(path, 0.5)


def test_a_threshold_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Expected --accept between 0 and 1"):
        read_crosswalk(pairs(tmp_path, SCORED), 95)


def test_the_same_pair_twice_is_no_conflict(tmp_path: Path) -> None:
    assert len(read_crosswalk(pairs(tmp_path, "source_id,target_id\na,x\na,x\n"))) == 1


def test_a_source_takes_the_targets_ids(tmp_path: Path) -> None:
    source = events(tmp_path, "s", "a", "b", "c")
    found = read_crosswalk(pairs(tmp_path / "p", "source_id,target_id\na,x\nb,x\nq,y\n"))
    (joined,) = join([source], found)
    assert joined.tables["events"]["item"].to_list() == ["x", "x", "c"]
    assert source.tables["events"]["item"].to_list() == ["a", "b", "c"]
    assert joined.fingerprint != source.fingerprint
    assert "2 of 3 values of 'item' were renamed to 1" in messages(joined)
    assert "1 of its pairs name values that are not here" in messages(joined)


def test_ids_that_swap_are_renamed_at_once(tmp_path: Path) -> None:
    source = events(tmp_path, "s", "a", "b")
    found = read_crosswalk(pairs(tmp_path / "p", "source_id,target_id\na,b\nb,a\n"))
    assert join([source], found)[0].tables["events"]["item"].to_list() == ["b", "a"]


def test_variants_keep_the_attributes_of_the_first(tmp_path: Path) -> None:
    text = "item_id,colour\na,red\nb,blue\nc,green\n"
    source = open_market(put(tmp_path / "s", items__csv=text))
    found = read_crosswalk(pairs(tmp_path / "p", "source_id,target_id\na,x\nb,x\n"))
    items = join([source], found)[0].tables["items"]
    assert items.rows() == [("x", "red"), ("c", "green")]


def test_ids_of_the_target_that_nobody_paired_are_named(tmp_path: Path) -> None:
    source, target = events(tmp_path, "s", "a", "5"), events(tmp_path, "t", "x", "5")
    found = read_crosswalk(pairs(tmp_path / "p", "source_id,target_id\na,x\n"))
    (joined,) = join([source], found, target)
    assert "1 ids without a pair are ids of the target too" in messages(joined, "warning")


def test_a_crosswalk_the_wrong_way_round_is_refused(tmp_path: Path) -> None:
    found = read_crosswalk(pairs(tmp_path / "p", "source_id,target_id\nx,a\n"))
    with pytest.raises(DomainError, match="the right way round"):
        join([events(tmp_path, "s", "a")], found)


def test_categories_of_a_column_are_renamed_as_the_table_spells_them(tmp_path: Path) -> None:
    text = "age,shop,converted\n30,7.0,1\n40,8,0\n50,7,0\n60,8,1\n"
    source = open_market(put(tmp_path / "s", loans__csv=text) / "loans.csv")
    path = pairs(tmp_path / "p", "column,source_id,target_id\nshop,7,Berlin\n")
    rows = join([source], read_crosswalk(path))[0].tables["rows"]
    assert rows["shop"].to_list() == ["Berlin", "8", "Berlin", "8"]


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = pairs(tmp_path / "p", "column,source_id,target_id\nshop,7,Berlin\n")
    with pytest.raises(DomainError, match="Expected a column 'shop'"):
        join([events(tmp_path, "s", "a")], read_crosswalk(path))


def test_market_toml_names_a_crosswalk(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "s",
        orders__csv="user_id,item_id\nu,a\nv,b\n",
        crosswalk__csv="source_id,target_id\na,x\n",
        market__toml='crosswalk = "crosswalk.csv"\n',
    )
    market = open_market(folder)
    assert list(market.tables) == ["events"]
    assert market.tables["events"]["item"].to_list() == ["x", "b"]


def test_market_toml_names_no_path(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "s",
        orders__csv="user_id,item_id\nu,a\n",
        market__toml='crosswalk = "../crosswalk.csv"\n',
    )
    with pytest.raises(DomainError, match="Expected the name of a file beside"):
        open_market(folder)
