"""The README's snippets run, in the order they stand."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.synthetic import make_events, make_rows
from acclimate.domains.writers import write_table
from acclimate.rng import Rng

README = Path(__file__).parent.parent / "README.md"
CHINESE = README.with_name("README.zh.md")
GLOSSARY = "## 术语表"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert found, f"the README has no {language} snippet"
    return [str(block) for block in found]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the markets that the snippets name."""
    folder = tmp_path_factory.mktemp("readme")
    rng = Rng.of(0)
    for name, users in (("us", 120), ("uk", 100), ("jp", 60)):
        made = make_events(rng.child(name), users, 40)
        write_table(made.domain.tables["events"], folder / "markets" / name / "events.csv")
    visitors = pl.DataFrame({"user_id": ["nobody", "somebody"]})
    write_table(visitors, folder / "markets" / "visitors.csv")
    parts = []
    for channel in ("seo", "direct"):
        rows = make_rows(rng.child(channel), 400).domain.tables["rows"]
        renamed = rows.rename({"label": "chargeback"})
        parts.append(renamed.with_columns(pl.lit(channel).alias("channel")))
    write_table(pl.concat(parts), folder / "orders.csv")
    return folder


def test_every_shell_snippet_runs(place: Path) -> None:
    command = Path(sys.executable).parent / "acclimate"
    surroundings = {**os.environ, "ACCLIMATE_HOME": str(place / "home")}
    for line in "".join(blocks("sh")).splitlines():
        words = shlex.split(line)
        assert words[0] == "acclimate"
        ran = subprocess.run(
            [str(command), *words[1:]],
            cwd=place,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{line}\n{ran.stderr}"
    lists = pl.read_csv(place / "runs" / "lists.csv")
    assert lists.columns[:4] == ["user_id", "item_id", "score", "rank"]
    assert lists.height == 10
    scored = pl.read_csv(place / "runs" / "scored.csv")
    assert {"prediction", "p_0", "p_1"} <= set(scored.columns)


def test_the_python_snippet_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    scope: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, str(README), "exec"), scope)
    assert isinstance(getattr(scope["result"], "leaderboard", None), pl.DataFrame)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(README.parent / "examples" / "new_store.py"), run_name="__main__")
    assert "somebody new" in capsys.readouterr().out


def fenced(text: str) -> list[str]:
    """Every code block with its language, in order."""
    return re.findall(r"^```.*?^```$", text, re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def pages() -> tuple[str, str]:
    """The README in English and in Chinese, which has a glossary at its end."""
    english, chinese = (page.read_text("utf-8") for page in (README, CHINESE))
    whole, _, glossary = chinese.partition(GLOSSARY)
    assert glossary.count("\n|") > 5
    return english, whole


def test_both_readmes_hold_the_same_code(pages: tuple[str, str]) -> None:
    english, chinese = map(fenced, pages)
    assert english == chinese, "copy the code blocks of README.md into README.zh.md"


def test_both_readmes_have_the_same_sections(pages: tuple[str, str]) -> None:
    english, chinese = (re.findall(r"^#+(?= )", prose(page), re.MULTILINE) for page in pages)
    assert english == chinese, "a section of README.md is missing in README.zh.md, or beyond it"
    rows = [len(re.findall(r"^(?:\||- )", prose(page), re.MULTILINE)) for page in pages]
    assert rows[0] == rows[1], "tables and lists of README.md and README.zh.md differ"


def test_the_chinese_readme_names_every_option_and_page_of_the_english_one(
    pages: tuple[str, str],
) -> None:
    """So that what is new in one is missed in the other."""
    english, chinese = (
        {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(page))}
        for page in pages
    )
    assert not english - chinese, "translate these from README.md into README.zh.md"
    links = [set(re.findall(r"\]\((?!http)(.*?)\)", page)) for page in pages]
    assert links[0] ^ links[1] == {"README.md", "README.zh.md"}
    for link in links[0] | links[1]:
        assert (README.parent / link).exists()


def test_the_chinese_readme_is_chinese() -> None:
    """A paragraph that was left in English would show."""
    text = re.sub(r"`[^`]*`|\]\(.*?\)", "", prose(CHINESE.read_text("utf-8")))
    for part in re.split(r"\n\n|\n(?=[|-])", text):
        latin, letters = re.findall("[A-Za-z]+", part), re.findall("[\u4e00-\u9fff]", part)
        assert len(latin) <= max(2, len(letters)), part
