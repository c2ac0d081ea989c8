"""A language reads sentences by patterns, keeps names, and marks what it does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acclimate.cli.adapt import adapt
from acclimate.cli.report import report
from acclimate.domains.writers import write_table
from acclimate.errors import UsageError
from acclimate.reports.language import ENGLISH, LONGEST, MOST, Language, known, language
from acclimate.reports.report import read_summary, render, write_report
from tests.reports.page import parse
from tests.reports.runs import rows, summary_of
from tests.reports.sample import large, summary
from tests.reports.test_report import EVIL, poisoned

CHINESE = language("zh")


def of(**patterns: str) -> Language:
    """A language from `name="english → here"`."""
    pairs = (each.split(" → ") for each in patterns.values())
    return Language(
        "xx", "xx", {}, {"rows": "R", "moments": "M", "none": "0"}, {"rows": "r"}, dict(pairs)
    )


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="among en, zh; found 'xx'") as caught:
        language("xx")
    assert "--lang" in str(caught.value)
    assert known() == ["en", "zh"] and language("en") is ENGLISH


@pytest.mark.parametrize("code", ["../zh", "zh.toml", "", "ZH"])
def test_a_language_is_a_name_and_no_path(code: str) -> None:
    with pytest.raises(UsageError, match="Expected a language of reports"):
        language(code)


def test_slots_of_every_kind_are_filled() -> None:
    say = of(
        a="{n:n} {unit:u} of {name} share {what:m} → {name}:{what}:{n}{unit}",
        b="{said:s} since {why:s}{more:o} → {why}>{said}{more}",
        c="it rains → RAIN",
        d=", and {x:l} too → +{x}",
        e="{w:w} differ → {w}!",
        f="{column:c} moved → {column}~",
        g="{name} missing → {name}?",
    )
    assert say.translated("1,204.5 rows of a b share rows, moments and it rains") == (
        "a b:R、M、RAIN:1,204.5r"
    )
    assert say.translated("it rains since moments differ, and x, y or z too") == (
        "M!>RAIN+x、y、z"
    )
    assert say.translated("it rains since it rains") == "RAIN>RAIN"
    assert say.translated("rows missing moved") == "rows?~"
    assert say.translated("rows moved") == "rows~"  # a column of that name keeps it


def test_a_slot_that_cannot_be_read_leaves_the_whole_sentence() -> None:
    say = of(a="{n:n} {unit:u} differ → {n}{unit}", b="as {why:s} → {why}")
    assert say.translated("many rows differ") is None
    assert say.translated("7 apples differ") is None
    assert say.translated("as 7 apples differ") is None
    assert say.translated("as 7 rows differ") == "7r"


def test_sentences_may_be_joined_and_may_hold_the_joint() -> None:
    say = of(a="{x} wins → {x}+", b="{x} wins; hurrah → {x}!", c="So: {rest:s}. → S{rest}。")
    assert say.translated("a wins; b wins") == "a+；b+"
    assert say.translated("So: a wins; hurrah; b wins.") == "Sa!；b+。"
    assert say.translated("a wins; b sleeps") is None


def test_a_list_that_was_cut_short_says_how_much_is_missing() -> None:
    said = CHINESE.translated("Constant columns: a, b and 5 more. They are not used.")
    assert said == "只有一个取值的列：a、b 等，另有 5 个。未使用。"


def test_a_whole_sentence_is_read_before_what_may_stand_within_one() -> None:
    """Else the end of `x read as y.` would be taken for a part of the name y."""
    said = CHINESE.translated("'price': commas read as decimals, without its sign €.")
    assert said == "'price'：逗号按小数点读取、去掉了符号 €。"
    said = CHINESE.translated(
        "pooled/trees for classify, fitted for jp with us, uk; reads a, b."
    )
    assert said == "pooled/trees，用于分类，为 jp 训练，源市场为 us、uk；读取的列是 a、b。"


def test_what_is_not_known_stays_english_and_is_marked_and_escaped() -> None:
    assert CHINESE.sentence("<b>odd</b>") == '<span lang="en">&lt;b&gt;odd&lt;/b&gt;</span>'
    assert CHINESE.sentence("–") == "–"
    assert ENGLISH.sentence("<b>odd</b>") == "<b>odd</b>"
    assert CHINESE.spoken("odd") == "odd"


def test_braces_in_names_are_only_letters() -> None:
    assert CHINESE.translated("source '{0.__class__}' has no labelled rows to learn from") == (
        "源市场 '{0.__class__}' 没有可供学习的有标签数据"
    )


def test_very_long_texts_are_given_up_rather_than_searched() -> None:
    say = of(a="{x} of {y} in {z} → {x}{y}{z}", b="{x} of {y} → {x}{y}")
    name = "x" * LONGEST
    assert say.translated("a of b in c") == "abc"
    assert say.translated(f"{name} of b in c") == f"{name}b in c"
    many = "; ".join(["it rains"] * (MOST + 1))
    assert of(a="it rains → r", b="{x:s} → {x}").translated(many) is None
    assert CHINESE.translated("'a': " * 800 + ".") is None
    for tail in (" and 1 more", ", moments", "; it rains"):
        assert CHINESE.translated(f"Kinds of events: a{tail * 2_000}.") is None
    listed = ", ".join(f"column_{number}" for number in range(2_000))
    said = CHINESE.translated(f"Constant columns: {listed}. They are not used.")
    assert said is not None and "column_1999" in said


def test_english_is_what_it_is_without_a_language() -> None:
    for run in (summary(), large(), {}):
        assert render(run, ENGLISH) == render(run)
    assert '<html lang="en">' in render(summary()) and "PingFang" not in render(summary())


def test_the_chinese_page_says_its_language_and_names_fonts_that_hold_it() -> None:
    tree = parse(render(summary(), CHINESE))
    assert tree.one("html").attributes["lang"] == "zh-CN"
    css = tree.one("style").text
    for font in ("PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"):
        assert font in css


def test_the_chinese_page_is_as_safe_small_and_whole_as_the_english_one() -> None:
    evil = poisoned(summary())
    evil["samples"], evil["failed"] = [{EVIL: EVIL}], {EVIL: EVIL}
    page = render(evil, CHINESE)
    allowed = {node.name for node in parse(render(summary())).nodes()}
    assert {node.name for node in parse(page).nodes()} <= allowed
    assert not [part for part in ("<script", "http:", "https:", "url(") if part in page]
    assert len(render(large(arms=200, gaps=50), CHINESE).encode()) < 2_000_000
    english, chinese = (parse(render(summary(), say)) for say in (ENGLISH, CHINESE))
    for name in ("section", "table", "tr", "th", "td", "svg", "li", "h2", "h3", "circle"):
        assert len(list(chinese.every(name))) == len(list(english.every(name)))


@pytest.mark.parametrize("key", sorted(summary()))
def test_the_chinese_page_renders_without_any_one_key(key: str) -> None:
    run = summary()
    del run[key]
    text = parse(render(run, CHINESE)).text
    assert "None" not in text and "undefined" not in text.lower()


def test_the_summary_is_the_same_in_every_language(tmp_path: Path) -> None:
    for name, say in (("en", ENGLISH), ("zh", CHINESE)):
        write_report(summary(), tmp_path / name / "report.html", say)
    assert read_summary(tmp_path / "en") == read_summary(tmp_path / "zh")


def test_report_draws_a_run_in_chinese_and_says_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = summary_of("recommended")
    write_report(run, tmp_path / "report.html")
    english = (tmp_path / "report.html").read_bytes()
    report(tmp_path, lang="zh")
    said = capsys.readouterr().out.splitlines()
    assert said == [CHINESE.translated(run["sentence"]), str(tmp_path / "report.html")]
    assert 'lang="zh-CN"' in (tmp_path / "report.html").read_text(encoding="utf-8")
    report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == english
    assert capsys.readouterr().out.startswith(run["sentence"])


def test_commands_refuse_an_unknown_language_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="among en, zh"):
        report(tmp_path / "nowhere", lang="xx")
    with pytest.raises(UsageError, match="among en, zh"):
        adapt(target=str(tmp_path / "nowhere"), lang="xx")


def test_adapt_writes_its_report_in_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("jp", "us"):
        write_table(rows(name, 80).tables["rows"], tmp_path / f"{name}.csv")
    sources = [str(tmp_path / "us.csv")]
    out = tmp_path / "out"
    adapt(
        label="label",
        source=sources,
        target=str(tmp_path / "jp.csv"),
        strategy=["pooled"],
        model=["linear"],
        out=str(out),
        as_json=True,
        lang="zh",
    )
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page == render(read_summary(out), CHINESE)
    printed = json.loads(capsys.readouterr().out)
    assert printed["sentence"] == read_summary(out)["sentence"]  # a program's English
