"""Regress from files to answers: a source that helps, ones that do not, and what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from acclimate import workflow
from acclimate.cli.asked import TaskKind, inferred, task_of
from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.domains.writers import write_table
from acclimate.errors import UsageError
from acclimate.options import Options
from acclimate.reports.report import read_summary
from acclimate.result import Result
from acclimate.tasks.classify import Classify
from acclimate.tasks.regress import Regress
from tests.cli.calls import Call, caller
from tests.made_numbers import make_prices

CUT = Cut(labels=25, by="random")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    return caller(monkeypatch, capsys)


def write(folder: Path, market: Domain) -> Path:
    path = folder / f"{market.name}.csv"
    write_table(market.tables["rows"].rename({"label": "price"}), path)
    return path


def adapt(source: Domain, *, task: Regress | None = None, **said: Any) -> Result:
    target = make_prices(1, 500, name="jp")
    options = Options(
        strategies=("source-prior", "blend"), models=("linear",), cut=CUT, budget_seconds=120
    )
    return workflow.adapt(task or Regress("price"), [source], target, options=options, **said)


def test_a_source_that_is_alike_is_adopted(tmp_path: Path) -> None:
    result = adapt(make_prices(2, 400, name="us"), out=tmp_path / "run")
    verdict = result.verdict
    assert verdict.answer == "adopt" and verdict.metric == "rmse" and verdict.unit == "rows"
    assert verdict.low is not None and verdict.low > 0
    summary = read_summary(tmp_path / "run")
    assert summary["task"] == "regress" and summary["shipped"]["arm"] == verdict.arm
    # Noise has deviation 4; what ships knows the rest.
    assert 3.5 < summary["judged"][verdict.arm]["rmse"] < 4.5
    assert summary["judged"][verdict.arm]["rmse"] < summary["judged"][verdict.baseline]["rmse"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "regress" in page and "label-distance" in page


def test_a_source_of_which_nothing_holds_here_is_not_adopted() -> None:
    useless = adapt(make_prices(2, 400, slope=0.0, level=300.0, name="us"))
    assert useless.verdict.answer != "adopt"
    assert useless.summary["shipped"]["arm"].startswith("target-only")


def test_a_source_that_points_backwards_is_left_out() -> None:
    backwards = adapt(make_prices(2, 400, slope=-10.0, name="us"))
    assert backwards.verdict.answer == "keep-target-only"
    assert "order jp's rows backwards, with a rank correlation" in backwards.verdict.reason


def test_answers_hold_the_number_and_its_quantiles(tmp_path: Path) -> None:
    task = Regress("price", score_by="pinball", level=0.9)
    result = adapt(make_prices(2, 400, name="us"), task=task, out=tmp_path / "run")
    asked = make_prices(3, 1000, name="new").tables["rows"]
    assert result.artifact is not None
    answers = workflow.predict(result.artifact, asked.drop("label"))
    assert {"prediction", "q_0.9", "note"} <= set(answers.columns)
    empty = workflow.predict(result.artifact, asked.drop("label").clear())
    assert empty.schema == answers.schema
    price = asked["label"].cast(float)
    below = float((price <= answers["q_0.9"]).mean())  # type: ignore[arg-type]
    # Of 1,000 rows, under a quantile taken from 500.
    assert 0.85 < below < 0.95
    # The middle of what is expected: far fewer lie below it.
    assert 0.4 < float((price <= answers["prediction"]).mean()) < 0.6  # type: ignore[arg-type]


def test_the_command_line_infers_the_task_and_prints_one_object(
    tmp_path: Path, call: Call
) -> None:
    target, source = (
        write(tmp_path, make_prices(seed, n, name=name))
        for seed, n, name in ((1, 200, "jp"), (2, 200, "us"))
    )
    words = ["--label", "price", "--source", source, "--target", target]
    words += ["--model", "linear", "--strategy", "pooled", "--labels", 30]
    out = tmp_path / "run"
    answer = call("adapt", *words, "--out", out, "--json", "--metric", "mae", "--lang", "zh")
    assert answer.code == 0, answer.err
    assert "task: regress, as the label 'price' holds" in answer.err
    found = json.loads(answer.out)
    assert found["task"] == "regress" and found["verdict"]["metric"] == "mae"
    assert "回归" in (out / "report.html").read_text(encoding="utf-8")
    scored = tmp_path / "scored.csv"
    assert call("predict", out / "artifact", source, "--out", scored).code == 0
    assert pl.read_csv(scored)["prediction"].dtype == pl.Float64
    assert call("report", out).code == 0
    assert call("gap", *words[:6]).code == 0


def test_an_artifact_of_quantiles_is_a_source_by_its_mean(tmp_path: Path) -> None:
    task = Regress("price", score_by="pinball", level=0.9)
    first = adapt(make_prices(2, 400, name="us"), task=task, out=tmp_path / "run")
    assert first.artifact is not None
    options = Options(strategies=("source-prior",), models=("linear",), cut=CUT)
    second = workflow.adapt(
        Regress("price"), [tmp_path / "run"], make_prices(4, 300, name="kr"), options=options
    )
    tried = {row["arm"]: row["status"] for row in second.summary["leaderboard"]}
    assert tried["source-prior/linear"] == tried["source-only/linear"] == "done"


@pytest.mark.parametrize("label", ["price", None])
def test_a_task_is_inferred_from_the_label(tmp_path: Path, label: str | None) -> None:
    path = write(tmp_path, make_prices(1, 80, name="jp"))
    kind = inferred(str(path), label)
    assert kind == (TaskKind.REGRESS if label else TaskKind.CLASSIFY)
    assert task_of("classify", str(path), label="price") == Classify("price")
    with pytest.raises(UsageError, match="only label, score_by, also, level for regress"):
        task_of("regress", str(path), positive="1")
