"""`acclimate adapt --launch`: new items can be recommended at once, and mistakes are told."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.readers import read_file
from tests.cli.calls import Call, Markets, events
from tests.cli.conftest import keep_models

ITEMS = pl.DataFrame(
    {
        "item_id": [f"i{n}" for n in range(12)],
        "brand": ["acme" if n % 2 else "globex" for n in range(12)],
        "price": [100.0 + n for n in range(12)],
    }
)


@pytest.fixture(autouse=True)
def content(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """What answers for new items is read back from the catalogue."""
    keep_models(monkeypatch, "popularity", "linear", "content")


@pytest.fixture
def run(call: Call, markets: Markets) -> Path:
    """A run of popularity alone, whose target has an items table."""
    target = markets.write("jp", events(1))
    ITEMS.write_csv(target / "items.csv")
    words = [*markets.recommend(target), "--model", "popularity"]
    answer = call(*words)
    assert answer.code == 0, answer.err
    return markets.out


def listed(folder: Path, text: str) -> Path:
    path = folder / "new.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_new_items_are_recommended_at_once(call: Call, run: Path, tmp_path: Path) -> None:
    new = listed(tmp_path, "item_id,brand,price,colour\nn1,globex,99,red\ni3,acme,9,red\n")
    answer = call("adapt", "--launch", new, "--out", run, "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert [each["item"] for each in found["launched"]] == ["n1"]
    assert found["launched"][0]["near"][0]["item"] == "i0"  # globex, and the lowest price
    assert found["left_out"] == [{"item": "i3", "why": "known already"}]
    assert found["columns"] == ["brand", "price"]
    users, out = listed(tmp_path, "user_id\nu1\nnobody\n"), tmp_path / "out.csv"
    assert call("predict", run / "artifact", users, "--out", out, "--k", "13").code == 0
    answers = read_file(out).frame
    for user in ("u1", "nobody"):
        assert "n1" in answers.filter(pl.col("user_id") == user)["item_id"].to_list()


def test_a_launch_is_told_in_words(call: Call, run: Path, tmp_path: Path) -> None:
    new = listed(tmp_path, "item_id,brand\nn1,globex\nn2,never\ni3,acme\n")
    answer = call("adapt", "--launch", new, "--out", run)
    assert answer.code == 0
    assert "1 new item placed by brand" in answer.out and "n1: near i0 (0.71)" in answer.out
    assert "left out, known already: i3" in answer.out
    assert "left out, no attribute that is known: n2" in answer.out


def test_markets_and_a_launch_together_adapt_first(call: Call, markets: Markets) -> None:
    target = markets.write("jp", events(1))
    ITEMS.write_csv(target / "items.csv")
    new = listed(markets.folder, "item_id,brand\nn1,globex\n")
    words = [*markets.recommend(target), "--model", "popularity", "--launch", new]
    answer = call(*words)
    assert answer.code == 0, answer.err
    assert answer.json["launch"]["launched"][0]["item"] == "n1"


def test_a_launch_without_a_run_is_refused(call: Call, tmp_path: Path) -> None:
    new = listed(tmp_path, "item_id,brand\nn1,globex\n")
    call("adapt", "--launch", new).refuses(2, "folder of a run to launch into", "--out")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("brand,price\nglobex,3\n", ("a column that names items", "'item_id'", "brand, price")),
        ("item_id,colour\nn1,red\n", ("one attribute of brand, price", "item_id, colour")),
        ("item_id,brand\ni1,acme\n", ("a new item", "none of its 1 item: 1 known already")),
    ],
)
def test_a_file_that_launches_nothing_is_refused(
    call: Call, run: Path, tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    answer = call("adapt", "--launch", listed(tmp_path, text), "--out", run)
    answer.refuses(3, *parts)


def test_an_artifact_without_attributes_is_refused(
    call: Call, markets: Markets, tmp_path: Path
) -> None:
    assert call(*markets.recommend(), "--model", "popularity").code == 0
    new = listed(tmp_path, "item_id,brand\nn1,globex\n")
    answer = call("adapt", "--launch", new, "--out", markets.out)
    answer.refuses(2, "knows attributes of items", "whose items table has none")


def test_an_artifact_of_rows_is_refused(call: Call, markets: Markets, tmp_path: Path) -> None:
    assert call(*markets.classify()).code == 0
    new = listed(tmp_path, "item_id,brand\nn1,globex\n")
    answer = call("adapt", "--launch", new, "--out", markets.out)
    answer.refuses(2, "an artifact for recommend", "one for classify")
