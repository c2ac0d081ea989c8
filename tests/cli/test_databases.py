"""Markets in databases from the command line; nobody reads their password."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from acclimate.settings import settings
from tests.cli.calls import Answer, Call, Markets, events
from tests.domains.servers import PASSWORD, QUOTED, Server, postgres


@pytest.fixture(scope="session")
def elephant() -> Iterator[Server]:
    with postgres() as server:
        for schema, seed in (("jp", 1), ("us", 2)):
            rows = ", ".join(map(str, events(seed).rows()))
            server.run(
                f"create schema {schema}",
                f"create table {schema}.orders (user_id text, item_id text, at timestamp)",
                f"insert into {schema}.orders values {rows}",
            )
        server.run(
            "create schema stock",
            "create table stock.products (item_id text, title text)",
            "insert into stock.products values ('a', 'Red chair'), ('b', 'Oak table')",
        )
        yield server


def silent(answer: Answer, *secrets: str) -> None:
    """None of these stands in what a command wrote to its streams."""
    for secret in (PASSWORD, QUOTED, *secrets):
        assert secret not in answer.out + answer.err


def test_a_password_is_in_nothing_that_an_adaptation_leaves(
    call: Call, markets: Markets, elephant: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PW", PASSWORD)
    source, target = (
        elephant.url(more="?schema=us"),
        elephant.url("${SHOP_PW}", more="?schema=jp"),
    )
    answer = call(*markets.recommend(target, source))
    assert answer.code == 0, answer.err
    assert (answer.json["target"], answer.json["sources"]) == ("jp", ["us"])
    silent(answer)
    written = [p for p in (*markets.out.rglob("*"), *settings().home.rglob("*")) if p.is_file()]
    assert len(written) > 3
    for path in written:
        content = path.read_bytes()
        assert PASSWORD.encode() not in content and QUOTED.encode() not in content, path


def test_check_and_gap_hide_the_password_of_a_market(call: Call, elephant: Server) -> None:
    us, jp = (elephant.url(more=f"?schema={schema}") for schema in ("us", "jp"))
    checked = call("check", "--json", us, jp)
    assert checked.code == 0, checked.err
    silent(checked)
    found = call("gap", "--json", "--source", us, "--target", jp)
    assert found.code == 0, found.err
    silent(found)
    assert "shop:***@127.0.0.1" in found.json["target"]


def test_crosswalk_hides_the_password_of_its_markets(
    call: Call, elephant: Server, tmp_path: Path
) -> None:
    stock = elephant.url(more="?schema=stock")
    out = tmp_path / "pairs.csv"
    found = call("crosswalk", "--json", "--source", stock, "--target", stock, "--out", out)
    assert found.code == 0, found.err
    silent(found)
    assert "shop:***@127.0.0.1" in found.json["source"]
    assert "shop:***@127.0.0.1" in found.json["target"]
    assert PASSWORD not in out.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("check", "URL?schema=nowhere"),
        ("check", "URL::order"),
        ("check", "WRONG"),
        ("check", "URL", "WRONG"),
        ("report", "URL"),
        ("predict", "URL", "URL"),
        ("gap", "--source", "URL", "--target", "WRONG"),
        ("adapt", "URL"),
        ("adapt", "--source", "WRONG", "--target", "URL"),
        ("adapt", "--source", "URL", "--target", "URL", "--out", "/dev/null/x"),
        ("crosswalk", "--source", "URL", "--target", "WRONG"),
        ("crosswalk", "--source", "URL?schema=jp", "--target", "URL?schema=us"),
        ("demo", "URL"),
        ("URL",),
    ],
)
def test_a_refusal_hides_the_password_of_what_it_was_given(
    call: Call, elephant: Server, words: tuple[str, ...]
) -> None:
    url = elephant.url()
    wrong = elephant.url("Wr0ng-pw")
    answer = call(*(word.replace("URL", url).replace("WRONG", wrong) for word in words))
    assert answer.code in (2, 3)
    assert "Traceback" not in answer.err and "rror" in answer.err
    silent(answer, "Wr0ng-pw")


def lite(path: Path, table: pl.DataFrame) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table orders (user_id text, item_id text, at text)")
    connection.executemany("insert into orders values (?, ?, ?)", table.rows())
    connection.commit()
    connection.close()


def test_a_recipe_names_databases_beside_itself(call: Call, tmp_path: Path) -> None:
    lite(tmp_path / "jp.db", events(1))
    lite(tmp_path / "us.db", events(2))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'target = "sqlite:///jp.db"\nsources = ["sqlite:///us.db"]\n'
        f'out = "{tmp_path}/out"\n[task]\nkind = "recommend"\n'
    )
    answer = call("adapt", recipe, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["target"], answer.json["sources"]) == ("jp", ["us"])


def test_runs_are_kept_under_the_name_of_a_database(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lite(tmp_path / "jp.db", events(1))
    lite(tmp_path / "us.db", events(2))
    monkeypatch.chdir(tmp_path)
    answer = call("adapt", "--source", "sqlite:///us.db", "--target", "sqlite:///jp.db")
    assert answer.code == 0, answer.err
    assert (tmp_path / "runs" / "jp" / "artifact").is_dir()


def test_an_unset_variable_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PW", raising=False)
    call("check", "mysql://ann:${SHOP_PW}@h/shop").refuses(3, "variable 'SHOP_PW'", "Set it")
