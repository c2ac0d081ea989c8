"""A recipe that cannot be understood says where, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import Call, Markets

USAGE = 2


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("target = ", ("Expected TOML", "Mend it")),
        ("a = " + "[" * 5000, ("Expected TOML",)),
        ("tagret = 'jp'", ("target, sources, out, seed", "[plan]", "found tagret")),
        ("[plam]\nstrategies = []", ("[plan]", "found plam")),
        ("[plan]\nbudget = 3", ("budget_seconds", "under [plan]", "found budget")),
        ("[task]\nk = 'ten'", ("k to be int", "'ten' (str)")),
        ("[task]\nk = true", ("k to be int", "True (bool)")),
        ("[plan]\nbudget_seconds = '9'", ("int or float", "'9' (str)")),
        ("sources = 'us'", ("sources to be list", "'us' (str)")),
        ("sources = [1]", ("sources to list strings", "found [1]", "quotes")),
        ("task = 3", ("[task] to be a table", "found 3")),
        ("seed = 1.5", ("seed to be int", "1.5 (float)")),
        ("[split]\njudge = 1.5", ("judge between 0 and 1", "found 1.5")),
        ("[plan]\nstrategies = ['prayer']", ("Expected strategies among", "prayer")),
        ("[plan]\nmodels = ['oracle']", ("Expected models among popularity", "oracle")),
        ("[task]\nkind = 'divine'", ("recommend, classify", "'divine'", "Use one")),
    ],
    ids=lambda value: value.replace("\n", " ")[:30] if isinstance(value, str) else "",
)
def test_a_recipe_that_cannot_be_understood_says_where(
    call: Call, markets: Markets, text: str, parts: tuple[str, ...]
) -> None:
    markets.recommend()
    recipe = markets.folder / "bad.toml"
    # Keys of the top come before any section.
    named = (
        "" if text.startswith(("target", "sources")) else "sources = ['us']\ntarget = 'jp'\n"
    )
    recipe.write_text(f"{named}out = 'runs/out'\n{text}\n", encoding="utf-8")
    call("adapt", recipe, "--json").refuses(USAGE, *parts)
    assert markets.nothing_written()


def test_a_recipe_that_is_no_text_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(b"target = '\xff'")
    call("adapt", tmp_path / "r.toml").refuses(USAGE, "Expected TOML", "utf-8")


def test_a_missing_recipe_is_named(call: Call, tmp_path: Path) -> None:
    call("adapt", tmp_path / "nowhere.toml").refuses(USAGE, "nowhere.toml", "--target")
