"""The list of mutants fits the tree, and a caught one is told from one that survived."""

from __future__ import annotations

import subprocess

import pytest

from acclimate.strategies.catalogue import steps
from tests import mutants as running
from tests.mutants import ROOT, Mutant, mutants, survival, verdict


@pytest.mark.parametrize("mutant", mutants(), ids=lambda each: each.method)
def test_every_mutant_still_fits_the_file_it_breaks(mutant: Mutant) -> None:
    assert mutant.unfit() is None
    assert mutant.before != mutant.after
    assert mutant.tests and all((ROOT / test.split("::")[0]).exists() for test in mutant.tests)


def test_every_step_of_the_catalogue_has_a_wrong_formula() -> None:
    broken = {mutant.method for mutant in mutants()}
    ours = {
        kind for kind, step in steps().items() if type(step).__module__.startswith("acclimate.")
    }
    assert "pooled" in ours and "graph-smoothing" in ours
    assert ours - broken == set()


def done(code: int) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, stdout="no tests ran")


def test_a_mutant_is_caught_only_where_a_test_ran_and_failed() -> None:
    assert verdict(done(1)) is None
    assert verdict(done(0)) == "its tests pass all the same"
    assert verdict(done(4)) == "its tests could not be run (exit code 4): no tests ran"


def test_a_mutant_whose_text_is_gone_is_no_caught_mutant() -> None:
    gone = Mutant("none", "tests/mutants.toml", "no such text", "x", ("tests/test_mutants.py",))
    assert survival(gone) == (
        "expected the text to replace once in tests/mutants.toml, found it 0 times"
    )


def test_an_unknown_method_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert running.main(["no-such-method"]) == 2
    assert "Expected methods of mutants.toml, found no-such-method." in capsys.readouterr().err
