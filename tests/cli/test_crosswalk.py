"""`acclimate crosswalk`, and what `gap` does with its pairs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from acclimate.domains import embeddings
from acclimate.domains.catalogue import pairs_of, read_catalogue
from acclimate.errors import DomainError
from tests.cli.calls import Answer, Call, Markets, events
from tests.domains.files import put

OURS = """sku,title,ean
a1,Bosch SMV46MX01E dishwasher,4006381333931
a2,Samsung Galaxy S9 64GB black,
a3,Miele K28202D fridge,4006381333932
a4,Garden chair,
"""
THEIRS = """product_id,product_name,gtin
900,Bosch Geschirrspüler SMV46MX01E,04006381333931
901,Galaxy S9 64 GB Samsung,
902,Galaxy S8 64 GB Samsung,
903,Miele K28202D Kühlschrank,96385074
"""


@pytest.fixture
def shops(tmp_path: Path) -> tuple[str, str]:
    one = put(tmp_path / "de", items__csv=OURS, orders__csv="user_id,sku\nu,a1\nv,a2\nw,a4\n")
    two = put(tmp_path / "at", items__csv=THEIRS)
    return str(one), str(two)


@pytest.fixture(autouse=True)
def letters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "why_not", lambda: "not now")


def test_pairs_are_written_most_confident_first(
    call: Call, shops: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "pairs.csv"
    answer = call(
        "crosswalk", "--source", shops[0], "--target", shops[1], "--out", out, "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.json["by_code"] == 1
    assert answer.json["invalid_codes"] == {"source": 1, "target": 0}
    table = pl.read_csv(out, infer_schema=False)
    sides = ["source_id", "source_title", "target_id", "target_title"]
    assert table.columns == [*sides, "confidence", "how", "confirmed"]
    assert table.row(0)[0] == "a1" and table.row(0)[2] == "900"
    assert table.row(0)[4:] == ("1.0", "code", "yes")
    confidence = table["confidence"].cast(float)
    assert confidence.is_sorted(descending=True)
    pairs = dict(table.select("source_id", "target_id").iter_rows())
    assert pairs["a2"] == "901" and pairs["a3"] == "903"
    assert table.filter(pl.col("how") == "title")["confirmed"].null_count() == len(table) - 1
    assert "compared by their letters alone" in answer.err


def test_a_table_that_may_be_confirmed_is_not_written_over(
    call: Call, shops: tuple[str, str], tmp_path: Path
) -> None:
    out = put(tmp_path / "kept", pairs__csv="source_id\n") / "pairs.csv"
    answer = call("crosswalk", "--source", shops[0], "--target", shops[1], "--out", out)
    answer.refuses(2, "Expected a file that does not exist yet")
    assert out.read_text() == "source_id\n"


def test_accept_without_a_crosswalk_is_refused(call: Call, shops: tuple[str, str]) -> None:
    answer = call("gap", "--source", shops[0], "--target", shops[0], "--accept", "0.9")
    answer.refuses(2, "Expected a crosswalk beside accept")


def test_a_missing_column_of_titles_is_refused(shops: tuple[str, str]) -> None:
    with pytest.raises(DomainError, match="Expected a column of titles 'titel'"):
        read_catalogue(shops[0], "titel")


def test_a_market_without_titles_or_codes_is_refused(tmp_path: Path) -> None:
    shop = put(tmp_path / "s", items__csv="sku,price\na,1\nb,2\n")
    with pytest.raises(DomainError, match="Expected titles or codes"):
        read_catalogue(str(shop))


def test_a_market_without_items_is_refused(tmp_path: Path) -> None:
    shop = put(tmp_path / "s", loans__csv="age,city,converted\n1,a,1\n2,b,0\n3,a,1\n")
    with pytest.raises(DomainError, match="without a column of item ids"):
        read_catalogue(str(shop))


def test_a_file_of_sales_is_a_catalogue_by_its_descriptions(tmp_path: Path) -> None:
    text = "customer_id,stockcode,description\n1,x,Red chair\n2,x,Red chair\n3,y,Oak table\n"
    found = read_catalogue(str(put(tmp_path / "s", sales__csv=text) / "sales.csv"))
    assert (found.ids, found.titles) == (["x", "y"], ["Red chair", "Oak table"])


def test_a_code_on_several_items_of_the_target_pairs_none(tmp_path: Path) -> None:
    one = put(tmp_path / "a", items__csv="sku,ean\np,96385074\nq,4006381333931\n")
    two = put(tmp_path / "b", items__csv="sku,ean\nr,96385074\ns,96385074\nt,4006381333931\n")
    found = pairs_of(read_catalogue(str(one)), read_catalogue(str(two)))
    assert found.ambiguous == 1
    assert found.pairs.select("source_id", "target_id").rows() == [("q", "t")]


def test_adapt_learns_from_a_source_of_other_ids_through_a_crosswalk(
    call: Call, markets: Markets
) -> None:
    ours = pl.col("item_id").str.replace("i", "sku-")
    source = markets.write("us", events(2).with_columns(ours))
    pairs = markets.folder / "pairs.csv"
    rows = "".join(f"sku-{k},i{k},{'yes' if k else 'no'}\n" for k in range(12))
    pairs.write_text(f"source_id,target_id,confirmed\n{rows}")
    without = call(*markets.recommend(source=source))
    markets.out = markets.folder / "runs" / "joined"
    joined = call(*markets.recommend(source=source), "--crosswalk", pairs)
    assert (without.code, joined.code) == (0, 0), without.err + joined.err
    assert overlap(without) == 0 and "source-only/ease" in without.json["failed"]
    assert overlap(joined) == pytest.approx(11 / 12) and not joined.json["failed"]
    apart, together = scores(without), scores(joined)
    # Rows of other items change no count of the target's.
    assert apart["pooled/popularity"] == apart["target-only/popularity"]
    assert together["pooled/popularity"] != together["target-only/popularity"]
    assert "source-only/ease" not in apart
    stopped = {row["arm"] for row in joined.json["put_off"]}
    assert {"source-only/ease", "pooled/ease"} <= together.keys()
    assert "item-prior/ease" in together.keys() | stopped
    said = [f["message"] for f in joined.json["markets"][1]["findings"]]
    assert any("11 of 12 values of 'item' were renamed to 11 of the target" in m for m in said)


def overlap(answer: Answer) -> float:
    """The share of the target's items that the source knows."""
    found = {gap["measure"]: gap["value"] for gap in answer.json["gap"]}
    value: float = found["items-overlap"]
    return value


def scores(answer: Answer) -> dict[str, float]:
    done = [row for row in answer.json["leaderboard"] if row["status"] == "done"]
    return {row["arm"]: row["value"] for row in done}
