"""The list of mutants fits the tree, and a caught one is told from one that survived."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.strategies.catalogue import steps
from tests import forks
from tests import mutants as running
from tests.forks import Run, fork_runs
from tests.mutants import ROOT, Mutant, mutants, survivals, verdict


@pytest.mark.parametrize("mutant", mutants(), ids=lambda each: each.method)
def test_every_mutant_still_fits_the_file_it_breaks(mutant: Mutant) -> None:
    assert mutant.unfit() is None
    assert mutant.before != mutant.after
    for name, text in mutant.run().edits.items():
        compile(text, name, "exec")  # a broken line is no wrong formula
    assert mutant.tests and all((ROOT / test.split("::")[0]).exists() for test in mutant.tests)


def test_every_step_of_the_catalogue_has_a_wrong_formula() -> None:
    broken = {mutant.method for mutant in mutants()}
    ours = {
        kind for kind, step in steps().items() if type(step).__module__.startswith("acclimate.")
    }
    assert "pooled" in ours and "graph-smoothing" in ours
    assert ours - broken == set()


def test_a_mutant_is_caught_only_where_a_test_ran_and_failed() -> None:
    assert verdict(1, "") is None
    assert verdict(0, "") == "its tests pass all the same"
    assert verdict(None, "") == "its tests did not end in time"
    assert (
        verdict(4, "no tests ran") == "its tests could not be run (exit code 4): no tests ran"
    )


def test_a_mutant_whose_text_is_gone_is_no_caught_mutant() -> None:
    gone = Mutant("none", "tests/mutants.toml", "no such text", "x", ("tests/test_mutants.py",))
    assert list(survivals([gone])) == [
        (gone, "expected the text to replace once in tests/mutants.toml, found it 0 times")
    ]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [(["no-such-method"], "no-such-method"), (["--from", "9999"], "number 9999")],
)
def test_what_no_mutant_answers_to_is_refused(
    arguments: list[str], found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert running.main(arguments) == 2
    assert f"Expected methods of mutants.toml, found {found}." in capsys.readouterr().err


# ── what runs them ──────────────────────────────────────────────────────────


TREE = {
    "src/acclimate/__init__.py": "HALF = 1 / 2",
    "tests/test_half.py": """
import time
from acclimate import HALF

def test_half() -> None:
    assert HALF * 2 == 1

def test_slow() -> None:
    time.sleep(60)
""",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"',
    "README.md": "",
}
HALF = ("tests/test_half.py::test_half",)
BROKEN = Run(HALF, {"src/acclimate/__init__.py": "HALF = 1 / 3"})


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in small, whose runs import no library."""
    monkeypatch.setattr(forks, "LIBRARIES", ())
    for name in forks.COPIED:
        if "." not in name:
            (tmp_path / name).mkdir()
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_each_run_sees_its_own_edit_and_the_next_one_does_not(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "AT_ONCE", 1)
    runs = [Run(HALF, {}), BROKEN, Run(HALF, {}), Run(("tests/test_half.py::test_no",), {})]
    ended = list(fork_runs(tree, runs))
    assert [(number, code) for number, code, _ in ended] == [(0, 0), (1, 1), (2, 0), (3, 4)]
    assert "assert (0.333" in ended[1][2] and "1 passed" in ended[2][2]
    assert (tree / "src/acclimate/__init__.py").read_text("utf-8") == "HALF = 1 / 2"


def test_two_run_at_once_each_on_its_own_tree(tree: Path) -> None:
    ended = fork_runs(tree, [BROKEN, Run(HALF, {}), BROKEN, Run(HALF, {})])
    assert sorted((number, code) for number, code, _ in ended) == [
        (0, 1),
        (1, 0),
        (2, 1),
        (3, 0),
    ]


def test_a_run_that_takes_too_long_is_killed_and_the_next_one_runs(tree: Path) -> None:
    slow = Run(("tests/test_half.py::test_slow",), {}, limit_seconds=0.1)
    ended = fork_runs(tree, [slow, Run(HALF, {})])
    assert sorted((number, code) for number, code, _ in ended) == [(0, None), (1, 0)]
