"""What a market declares holds from the first table to the last prediction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.domains.market import open_market
from acclimate.domains.readers import read_table
from acclimate.domains.split import Cut
from acclimate.rng import Rng
from acclimate.strategies.catalogue import arms
from acclimate.tasks.recommend import Recommend
from tests.cli.calls import LABEL, Answer, Call, Markets, events, rows

SECRETS = ("zq-female-zq", "zq-male-zq")
BANNED = ("i0", "i1")  # the most popular ones


def declare(market: Path, text: str) -> Path:
    (market / "market.toml").write_text(text, encoding="utf-8")
    return market


def ran(call: Call, *words: object) -> Answer:
    answer = call(*words)
    assert answer.code == 0, answer.err
    return answer


# ── forbidden columns ───────────────────────────────────────────────────────


def with_gender(seed: int, turned: bool = False) -> pl.DataFrame:
    table = rows(seed)
    at = ((table["fraud"] == "yes") != turned).cast(pl.Int64)
    return table.with_columns(gender=pl.Series([SECRETS[i] for i in at]))


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def adapted(call: Call, words: list[object]) -> Answer:
    """An adaptation with the baselines only."""
    return ran(call, *words, "--strategy", "target-only")


def test_a_column_forbidden_by_one_law_is_never_read_by_anyone(
    call: Call, markets: Markets
) -> None:
    """It is in no byte of what is written, and permuting it changes nothing."""
    found = []
    for turned in (False, True):
        shop = declare(markets.write("shop", with_gender(1, turned)), "")
        web = markets.write("web", with_gender(2, turned))
        declare(web, 'forbidden_columns = ["gender"]\n')
        answer = adapted(call, markets.classify(shop, web))
        files = list(contents(markets.out))
        assert any(path.name == "tensors.safetensors" for path, _ in files)
        for path, data in files:
            assert not any(secret.encode() in data for secret in SECRETS), path
        assert not any(secret in answer.out + answer.err for secret in SECRETS)
        for market in answer.json["markets"]:
            assert "gender" not in market["tables"]["rows"]["types"]
        board = [(row["arm"], row["value"], row["low"]) for row in answer.json["leaderboard"]]
        found.append((board, answer.json["gap"], answer.json["judged"]))
    assert found[0] == found[1]


# ── restricted items ────────────────────────────────────────────────────────


def shops(markets: Markets) -> tuple[Path, Path]:
    target = markets.write("jp", events(1))
    declare(target, f"restricted_items = {list(BANNED)}\n")
    ids = "".join(f"i{n}\n" for n in range(12))
    (target / "items.csv").write_text(f"item_id\n{ids}", encoding="utf-8")
    return target, markets.write("us", events(2))


@pytest.fixture
def every_model(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """The whole catalogue again."""
    monkeypatch.undo()


@pytest.mark.usefixtures("every_model")
def test_no_arm_recommends_a_restricted_item(markets: Markets) -> None:
    target, source = map(open_market, shops(markets))
    posed = Recommend(k=12).pose(target, [source], Cut(), Rng.of(0))
    (case,) = posed.exam.judge
    tried = 0
    for problem in (posed.problem, posed.whole):
        for arm in arms("items", None):
            if arm.why_not(problem) is not None:
                continue
            answer = arm.fit(problem, Rng.of(0)).answer(case)
            catalogue = problem.recipe.catalogue  # type: ignore[attr-defined]
            shown = {catalogue[item] for item in np.unique(answer.items) if item >= 0}  # type: ignore[union-attr]
            assert len(shown) > 3
            assert not shown & set(BANNED), arm.name
            tried += 1
    assert tried >= 10


def test_judged_restricted_items_are_no_misses(markets: Markets) -> None:
    target, source = map(open_market, shops(markets))
    posed = Recommend().pose(target, [source], Cut(), Rng.of(0))
    missed = posed.exam.judge[0].truth.missed
    assert missed is not None and not missed.any()


def test_a_saved_artifact_neither_lists_nor_scores_a_restricted_item(
    call: Call, markets: Markets
) -> None:
    target, source = shops(markets)
    adapted(call, markets.recommend(target, source))
    artifact = markets.out / "artifact"
    asked, answered = markets.folder / "asked.csv", markets.folder / "answered.csv"
    asked.write_text("user_id\nu1\nu2\nnobody\n", encoding="utf-8")
    ran(call, "predict", artifact, asked, "--out", answered, "--k", "12")
    lists = read_table(answered)
    assert lists["item_id"].n_unique() > 5
    assert not set(lists["item_id"]) & set(BANNED)
    asked.write_text("user_id,item_id\nu1,i0\nu1,i5\nu1,zz\n", encoding="utf-8")
    ran(call, "predict", artifact, asked, "--out", answered)
    banned, known, unknown = read_table(answered).iter_rows(named=True)
    assert (banned["score"], banned["note"]) == (None, "restricted item")
    assert known["score"] is not None and "restricted" not in (known["note"] or "")
    assert unknown["score"] is not None and "unknown item" in unknown["note"]


def test_a_target_whose_items_are_all_restricted_is_refused(
    call: Call, markets: Markets
) -> None:
    target, source = shops(markets)
    declare(target, f"restricted_items = {[f'i{n}' for n in range(12)]}\n")
    call(*markets.recommend(target, source)).refuses(
        3, "events on items of 'jp' that may be recommended", "restricted_items in market.toml"
    )


# ── kinds ───────────────────────────────────────────────────────────────────


def test_what_was_returned_is_neither_fitted_on_nor_asked_for(markets: Markets) -> None:
    table = events(1, timed=False).with_columns(
        kind=pl.lit("order"),
        time=pl.Series([f"2024-01-01 00:{i // 60:02d}:{i % 60:02d}" for i in range(280)]),
    )
    back = table.filter(pl.col("user_id") == "u0").with_columns(
        kind=pl.lit("return"), time=pl.lit("2024-02-01 00:00:00")
    )
    text = "[kinds]\norder = 1\nreturn = -1\n"
    target = declare(markets.write("jp", pl.concat([table, back])), text)
    source = open_market(markets.write("us", events(2)))
    posed = Recommend().pose(open_market(target), [source], Cut(by="last"), Rng.of(0))
    assert "u0" not in posed.problem.fit.users  # type: ignore[union-attr]
    assert "u0" not in posed.whole.fit.users  # type: ignore[union-attr]
    assert "u1" in posed.problem.fit.users  # type: ignore[union-attr]
    late = Recommend().pose(open_market(target), [source], Cut(by="time"), Rng.of(0))
    # Nobody knew of the returns where the fit ended.
    assert "u0" in late.problem.fit.users  # type: ignore[union-attr]
    assert "u0" not in late.whole.fit.users  # type: ignore[union-attr]
    (case,) = late.exam.judge
    assert case.truth.user is not None
    asked = {case.query.users[user] for user in case.truth.user}
    assert "u0" not in asked and "u1" in asked


# ── time and money ──────────────────────────────────────────────────────────


def timed(seed: int) -> pl.DataFrame:
    """Rows in which the hour of Tokyo tells the label, and the hour of UTC would not."""
    when = [
        f"2024-{1 + i % 12:02d}-{1 + i % 28:02d} {i * 7 % 24:02d}:00:00" for i in range(300)
    ]
    late = np.array([i * 7 % 24 < 4 for i in range(300)])
    fraud = np.where(late ^ (np.arange(300) % 9 == 0), "yes", "no")
    return rows(seed, 300).with_columns(time=pl.Series(when), fraud=pl.Series(fraud))


DOOR = (
    'timezone = "Asia/Tokyo"\nholidays = ["2024-03-05", "2024-06-06", "2024-09-09"]\n'
    '[currency]\ncode = "JPY"\nbase = "EUR"\nmoney = ["amount"]\n'
    "[currency.rates]\n2024-01-01 = 0.5\n2024-06-01 = 0.25\n"
)


def test_new_rows_are_read_under_the_declarations_of_training(
    call: Call, markets: Markets
) -> None:
    """The same moments and the same money, written otherwise, get the same answers."""
    for name, seed in (("shop", 1), ("web", 2)):
        declare(markets.write(name, timed(seed)), DOOR)
    adapted(call, markets.classify(markets.folder / "shop", markets.folder / "web"))
    written = [
        "amount,browser,time\n40,edge,2024-03-05 03:00:00\n",
        "amount,browser,time\n40,edge,2024-03-04T18:00:00Z\n",
        "amount,browser,time,holiday\n40,edge,2024-03-05 03:00:00,1\n",
        "amount,browser,time\n40,edge,2024-03-12 03:00:00\n",
        "amount,browser,time\n80,edge,2024-07-09 03:00:00\n",
        "amount,browser,time\n40,edge,2024-07-09 03:00:00\n",
        "amount,browser,time\n40,edge,2023-03-07 03:00:00\n",
    ]
    chances, notes = [], []
    for text in written:
        asked, answered = markets.folder / "asked.csv", markets.folder / "answered.csv"
        asked.write_text(text, encoding="utf-8")
        said = ran(call, "predict", markets.out / "artifact", asked, "--out", answered).err
        answer = read_table(answered)
        chances.append(answer["p_yes"][0])
        notes.append(answer["note"][0] or "")
    assert chances[0] == chances[1] == chances[2]
    assert chances[0] != chances[3]  # no holiday
    assert chances[3] == chances[4] != chances[5]  # another rate
    assert notes[:6] == [""] * 6
    assert "unreadable: amount" in notes[6]  # before the first rate
    assert f"1 of these have a note, such as: {notes[6]}" in said
    asked.write_text("amount,browser,time\n40,edge,2024-03-12 12:00:00\n", encoding="utf-8")
    ran(call, "predict", markets.out / "artifact", asked, "--out", answered)
    assert float(read_table(answered)["p_yes"][0]) < float(chances[3]) - 0.1


def test_money_in_two_currencies_is_said_by_gap_adapt_and_check(
    call: Call, markets: Markets
) -> None:
    shop = declare(
        markets.write("shop", rows(1)), '[currency]\ncode = "JPY"\nmoney = ["amount"]\n'
    )
    web = declare(markets.write("web", rows(2)), 'currency = "EUR"\n')
    said = "Amounts (amount) are not in the same money: JPY in shop, EUR in web"
    gap = ran(call, "gap", "--source", web, "--target", shop, *LABEL, "--json").json["gap"]
    (money,) = (row for row in gap if row["measure"] == "currency")
    assert money["sentence"].startswith(said) and money["value"] is None
    notes = adapted(call, markets.classify(shop, web)).json["notes"]
    assert any(note.startswith(said) for note in notes)
    checked = ran(call, "check", shop, web, *LABEL, "--json").json
    assert any(found["message"].startswith(said) for found in checked["together"])
