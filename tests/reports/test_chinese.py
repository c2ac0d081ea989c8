"""Nothing English is left in a Chinese report but names, and none will come unseen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from acclimate.domains.market import open_market
from acclimate.reports.language import SLOT, language
from acclimate.reports.report import render
from acclimate.result import describe
from tests.reports import said
from tests.reports.page import parse
from tests.reports.runs import RUNS, latin, names_of, summary_of
from tests.reports.sample import summary

CHINESE = language("zh")
TABLE = "src/acclimate/reports/languages/zh.toml"
REPORTS = said.ROOT / "reports"
APPLIES = Path(__file__).parents[2] / "docs" / "applies.md"

# What fills the slots of a pattern when it is tried by itself.
FILLING = {
    "": "Xy7",
    "n": "7",
    "w": "users",
    "u": "rows",
    "l": "a, b",
    "m": "moments, gradients",
    "s": "there is no source",
    "c": "Xy7",
    "k": "7 rows",
    "o": "",
}


def test_every_sentence_of_the_layers_below_has_a_translation() -> None:
    known = said.skeletons(CHINESE)
    missing = {each.skeleton: each for each in said.sentences() if each.skeleton not in known}
    lines = [f'  {each.place}\n    "{each.text}" = "…"' for each in missing.values()]
    assert not missing, (
        f"A report in Chinese would show these in English. Add each to [sentences] in {TABLE}, "
        "with `{name}` for every slot of the string (kinds such as `{n:n}` are explained in "
        "reports/language.py), or, if no report shows it, to UNSEEN in tests/reports/said.py:\n"
        + "\n".join(lines)
    )


def test_no_translation_is_of_a_sentence_that_nobody_says() -> None:
    told = {each.skeleton for each in said.sentences()} | said.TOGETHER
    stale = [
        english
        for english in CHINESE.sentences
        if " " in english.strip() and not said.forms(english) & told
    ]
    assert not stale, f"Take these out of [sentences] in {TABLE}, or mend them: {stale}"


@pytest.mark.parametrize("english", CHINESE.sentences)
def test_every_pattern_reads_what_it_is_written_for(english: str) -> None:
    """No other pattern takes its sentences from it, and none of its slots is forgotten."""
    slots = SLOT.findall(english)
    text = SLOT.sub(lambda slot: FILLING[slot[2] or ""], english)
    here = {
        name: {
            "w": CHINESE.words["users"],
            "u": CHINESE.units["rows"],
            "l": "a、b",
            "m": "矩统计量、梯度",
            "s": CHINESE.sentences["there is no source"],
            "k": "7 行",
        }.get(kind, FILLING[kind])
        for name, kind in slots
    }
    assert CHINESE.translated(text) == CHINESE.sentences[english].format(**here)
    used = {name for name, _ in SLOT.findall(CHINESE.sentences[english])}
    assert used == {name for name, _ in slots}


def test_every_text_of_the_page_has_a_translation() -> None:
    asked = set(page_texts())
    missing, stale = asked - set(CHINESE.page), set(CHINESE.page) - asked
    assert not missing, f"Add these to [page] in {TABLE}: {sorted(missing)}"
    assert not stale, f"Take these out of [page] in {TABLE}: {sorted(stale)}"
    for english, here in CHINESE.page.items():
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", here))
        assert set(re.findall("<.*?>", english)) == set(re.findall("<.*?>", here))


def test_every_reason_in_the_table_of_what_applies_is_translated() -> None:
    reasons = re.findall(r"^\d+\. (.+)$", APPLIES.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(reasons) > 30
    assert not [why for why in reasons if CHINESE.translated(why) is None]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_leaves_nothing_english_but_names(name: str) -> None:
    run = summary_of(name)
    tree = parse(render(run, CHINESE))
    left = [node.text for node in tree.every("span") if node.attributes.get("lang") == "en"]
    assert not left, f"no pattern in {TABLE} reads: {left}"
    allowed = names_of(run) | {word for text in written() for word in latin(text)}
    shown = [node for node in tree.nodes() if node.name not in ("style", "code")]
    strange = {word for node in shown for text in node.own for word in latin(text)} - allowed
    assert not strange, f"English words on the Chinese page: {sorted(strange)}"


def test_the_runs_meet_every_answer_and_task() -> None:
    runs = [summary_of(name) for name in RUNS]
    assert {run["task"] for run in runs} == {"classify", "recommend", "regress", "tag"}
    answers = {run["verdict"]["answer"] for run in runs}
    assert answers >= {"adopt", "keep-target-only", "not-enough-data"}


def test_what_is_found_in_a_messy_file_is_told_in_chinese(tmp_path: Path) -> None:
    path = tmp_path / "jp.csv"
    lines = [
        f'{i},"{i},5 €",0{i % 9 + 1}/0{i % 7 + 1}/2024,{"yes" if i % 3 else "no"},,one,'
        f"{i if i % 50 else 'many'}"
        for i in range(200)
    ]
    head = "row_id,price,date,label,empty,same,count"
    path.write_text("\n".join([head, *lines, lines[-1]]), encoding="utf-8")
    made = summary() | {"markets": [describe(open_market(path))]}
    messages = [each["message"] for each in made["markets"][0]["findings"]]
    assert len(messages) >= 4
    assert not [message for message in messages if CHINESE.translated(message) is None]


def page_texts() -> Iterator[str]:
    """What the modules and the template of the reports ask a language for."""
    template = (REPORTS / "templates" / "report.html").read_text(encoding="utf-8")
    yield from re.findall(r'say\("(.*?)"[,)]', template)
    for path in REPORTS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield from _asked(node)
    from acclimate.reports.report import BADGES, NO_BADGE

    yield from (badge[2] for badge in (*BADGES.values(), NO_BADGE))


def _asked(call: ast.Call) -> Iterator[str]:
    name = getattr(call.func, "id", "")
    texts = [
        each.value
        for each in call.args
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    if name in ("say", "self"):
        yield from texts[:1]
    elif name == "columns":
        yield from (text.removeprefix("#") for text in texts)


def written() -> Iterator[str]:
    """The Chinese texts: a Latin word in one stands there by intention."""
    for table in (CHINESE.page, CHINESE.words, CHINESE.units, CHINESE.sentences):
        yield from (SLOT.sub("", here) for here in table.values())
