"""The example of a plug-in: it installs, is known by name, and holds the contract."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from acclimate.artifacts.states import pack, unpack
from acclimate.domains.moved import Moved
from acclimate.domains.problem import Problem
from acclimate.models.linear import Linear
from acclimate.models.model import Tick, idle
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng
from acclimate.strategies import catalogue
from acclimate.strategies.arm import Arm
from acclimate.strategies.feature.coral import Coral
from tests.cli.calls import Markets, caller
from tests.contract import outside
from tests.strategies.shapes import RNG, chances, market, problem, rows, views_of

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example was installed to, without a network."""
    folder = tmp_path_factory.mktemp("plugin")
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(EXAMPLE, folder / "from", ignore=ignored)
    words = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    words += ["--no-build-isolation", "--target", str(folder / "site"), str(folder / "from")]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def plugged(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example is on the path, and the catalogue is read anew."""
    monkeypatch.syspath_prepend(str(installed))
    catalogue.strategies.cache_clear()
    yield
    catalogue.strategies.cache_clear()
    sys.modules.pop("acclimate_centre", None)


@pytest.fixture
def centre(plugged: None) -> Any:
    return import_module("acclimate_centre").CENTRE


def test_it_is_in_the_catalogue_by_its_entry_point(centre: Any) -> None:
    assert catalogue.named("centre").kind == "centre + pooled"
    assert catalogue.named("centre + finetune").kind == "centre + finetune"
    assert "centre + pooled" in catalogue.strategies()


def test_each_side_loses_its_own_mean_and_the_targets_is_kept_to_predict(centre: Any) -> None:
    given = problem(market(60, 1, shift=2.0), market(80, 2), market(90, 3, shift=-1.0))
    after = centre.reshape(given, RNG)
    for seen in (rows(after.view(after.fit)), *views_of(after)):
        np.testing.assert_allclose(seen.numeric.mean(axis=0), 0, atol=1e-12)
    assert np.abs(rows(given.view(given.fit)).numeric.mean(axis=0)).max() > 0.3
    bare = problem(market(60, 1, shift=2.0), market(80, 2), on=None)
    fitted = Arm(catalogue.completed(centre), Linear()).fit(bare, RNG)
    assert isinstance(fitted.encoder, Moved)
    asked = market(9, 5, shift=2.0).unlabelled()
    one = chances(fitted.predict(asked))
    np.testing.assert_array_equal(chances(unpack(*pack(fitted)).predict(asked)), one)


def test_its_refusals_say_why(centre: Any) -> None:
    given = problem(market(20, 1), market(20, 2), on=None)
    assert centre.why_not(given, Linear()) is None
    why = centre.why_not(given, Popularity())
    assert why == "popularity reads no numbers that could be centred"
    codes = market(20, 1)
    codes = replace(
        codes, columns=codes.columns.select("group"), types={"group": codes.types["group"]}
    )
    assert centre.why_not(problem(codes, codes, on=None), Linear()) == (
        "source and target share no numeric columns"
    )
    none = market(20, 1).take(np.empty(0, np.int64))
    assert centre.why_not(problem(none, market(9, 2), on=None), Linear()) == (
        "a side has no rows to take a mean of"
    )


def test_it_holds_the_contract_that_built_ins_hold(centre: Any) -> None:
    lines = [*outside.held(centre, [Linear()])]
    assert len(lines) == len(outside.PROMISES)
    assert (
        lines[0]
        == "centre + pooled/linear: same seed, same answers, whatever was computed before"
    )


@dataclass(frozen=True)
class Careless(Coral):
    """Draws from a generator of its own."""

    kind: ClassVar[str] = "careless"

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        shrink = float(np.random.default_rng().uniform(0.1, 10))
        return replace(self, shrink=shrink)._moved(problem, rng, tick)

    def _moved(self, problem: Problem, rng: Rng, tick: Tick) -> Problem:
        return Coral.reshape(self, problem, rng, tick)


def test_one_that_breaks_the_contract_is_caught() -> None:
    with pytest.raises(AssertionError):
        [*outside.held(Careless(), [Linear()])]


def test_one_that_refuses_everything_does_not_hold_it() -> None:
    with pytest.raises(AssertionError, match="coral applies to nothing: popularity reads no"):
        outside.arms_of(Coral(), [Popularity()])


@pytest.mark.usefixtures("plugged")
def test_what_is_held_to_the_contract_is_said_by_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outside, "PROMISES", (lambda arm: None,))
    assert outside.main(["centre"]) == 0 and "centre + pooled/linear" in capsys.readouterr().out
    assert outside.main(["centra"]) == 2 and "found 'centra'" in capsys.readouterr().err
    assert outside.main([]) == 2 and "usage" in capsys.readouterr().err

    def broken(arm: Arm) -> None:
        raise AssertionError("it drew from a generator of its own")

    monkeypatch.setattr(outside, "PROMISES", (broken,))
    assert outside.main(["centre"]) == 1
    assert "centre breaks the contract: it drew" in capsys.readouterr().err


@pytest.mark.usefixtures("plugged")
def test_adapt_tries_it_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    call, markets = caller(monkeypatch, capsys), Markets(tmp_path)
    monkeypatch.setattr(catalogue, "MODELS", (Linear(),))
    catalogue.models.cache_clear()
    try:
        answer = call(*markets.classify(), "--strategy", "centre")
    finally:
        catalogue.models.cache_clear()
    assert answer.code == 0, answer.err
    assert "centre + pooled/linear" in answer.out


def test_without_it_adapt_names_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    call, markets = caller(monkeypatch, capsys), Markets(tmp_path)
    answer = call(*markets.classify(), "--strategy", "centre")
    answer.refuses(2, "Expected strategies among target-only, ", "found 'centre'.")
