"""The command of the benchmarks: bad input ends in one sentence and an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shapes",), "error: Expected the features of two domains at least in"),
        (("multitask",), "error: Expected one of --table, --pairs and --cells"),
    ],
)
def test_a_folder_without_the_data_is_told_in_a_sentence(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--data", str(tmp_path), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith(said)
