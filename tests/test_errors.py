"""Exit codes are one list: the errors, the help and both READMEs say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acclimate.errors import EXIT_CODES, INTERRUPTED, AcclimateError
from tests.cli.calls import Call, caller

README = Path(__file__).parent.parent / "README.md"


def every(kind: type[AcclimateError]) -> list[type[AcclimateError]]:
    """An error and all that descend from it."""
    return [kind, *(each for child in kind.__subclasses__() for each in every(child))]


def table(page: Path) -> dict[int, str]:
    """The exit codes of a README."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|$", page.read_text("utf-8"), re.MULTILINE)
    return {int(code): said.replace("`", "") for code, said in rows}


def test_the_readme_lists_every_exit_code_in_the_words_of_the_help() -> None:
    assert table(README) == dict(EXIT_CODES)
    assert [*table(README.with_name("README.zh.md"))] == [*EXIT_CODES]


def test_every_error_leaves_with_a_listed_code_and_every_code_but_drift_is_left_with() -> None:
    # The root is never raised itself; monitors will bring 5.
    left = {kind.exit_code for kind in every(AcclimateError)[1:]}
    assert left == {*EXIT_CODES} - {0, 5, INTERRUPTED}


def test_the_tree_of_errors_names_each_with_its_code() -> None:
    import acclimate.errors

    drawn = re.findall(r"── (\w+) +(\d)", acclimate.errors.__doc__ or "")
    assert {name: int(code) for name, code in drawn} == {
        kind.__name__: kind.exit_code for kind in every(AcclimateError)[1:]
    }


def test_the_help_names_every_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call: Call = caller(monkeypatch, capsys)
    answer = call("--help")
    assert answer.code == 0
    said = " ".join(answer.out.split())
    for code, words in EXIT_CODES.items():
        assert f"{code} {words}" in said
