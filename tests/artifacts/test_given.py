"""An artifact as a source gives what the same model gives where its rows are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.artifacts.artifact import Contents, save
from acclimate.artifacts.given import artifact_at, open_artifact, open_sources, require_unseen
from acclimate.artifacts.store import TENSORS
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions, Rows
from acclimate.domains.schema import ColumnType, Schema, TableSchema
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.domains.view import ItemRecipe
from acclimate.errors import DomainError, IntegrityError, TaskError, UsageError
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.models.trees import Trees
from acclimate.plans.plan import formed
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.blend import Blend
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.strategies.relation.itemprior import ItemItemPrior
from acclimate.strategies.strategy import Strategy
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Posed, Task
from acclimate.verdicts.verdict import provisional
from tests.contract.cases import answers, cases, light

KEY = Rng.of(21)
CUT = Cut(cross_below=20)
SHARED: dict[str, Any] = {"missing": 0.05, "text": True, "time": True}
TARGET = make_rows(KEY.child("t"), 90, **SHARED, name="jp").domain
US = make_rows(KEY.child("us"), 150, covariate=0.5, **SHARED, name="us").domain
DE = make_rows(KEY.child("de"), 150, **SHARED, name="de").domain
SHOP = make_events(KEY.child("shop"), 60, 30, catalogue=0.1, name="shop").domain
MALL = make_events(KEY.child("mall"), 80, 30, name="mall").domain


def posed(sources: Sequence[Domain], target: Domain = TARGET) -> Posed:
    task: Task = Classify("label") if "rows" in target.tables else Recommend(k=5)
    given = task.pose(target, sources, CUT, Rng.of(0))
    return replace(given, problem=light(given.problem), whole=light(given.whole))


def written(
    folder: Path, market: Domain, fitted: Fitted, task: Task | None = None, name: str = ""
) -> Domain:
    """An artifact of a market with this inside, saved and opened again."""
    task = task or (Classify("label") if "rows" in market.tables else Recommend(k=5))
    own = task.pose(market, [], CUT, Rng.of(0))
    held = Contents.of(
        own,
        fitted,
        replace(market, name=name or market.name),
        [],
        arm="target-only/some",
        settings={},
        verdict=provisional(arm="target-only/some"),
        plan=[],
        seed=0,
    )
    save(folder / "artifact", held)
    return open_artifact(folder / "artifact", task.kind)


def rows_alone(model: Model, source: Domain = US) -> tuple[Problem, Fitted]:
    """The problem in which the source's rows are seen, and `model` fitted on them alone,
    with their own statistics."""
    problem = posed([source]).problem
    return problem, Arm(SourceOnly(), model).fit(problem, Rng.of(0))


def learned(folder: Path, model: Model, source: Domain = US) -> tuple[Posed, Posed]:
    """The target beside a source's rows, and beside the artifact of `model` fitted on them."""
    _, fitted = rows_alone(model, source)
    return posed([source]), posed([written(folder, source, fitted)])


def same(strategy: Strategy, model: Model, seen: Posed, given: Posed) -> None:
    """A strategy answers alike from rows and from the artifact."""
    arm = Arm(strategy, model)
    assert arm.why_not(given.problem) is None
    asked = cases(seen)
    ours = answers(arm.fit(given.problem, Rng.of(3)), asked)
    theirs = answers(arm.fit(seen.problem, Rng.of(3)), asked)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


# ── the same as with rows ───────────────────────────────────────────────────


@pytest.mark.parametrize("strategy", [SourceOnly(), SourcePrior(3.0)], ids=lambda s: s.kind)
def test_a_fitted_linear_model_is_worth_the_rows_it_was_fitted_on(
    strategy: Strategy, tmp_path: Path
) -> None:
    same(strategy, Linear(5.0), *learned(tmp_path, Linear(5.0)))


def test_a_blend_with_an_artifact_is_that_with_its_rows(tmp_path: Path) -> None:
    same(Blend(), Linear(), *learned(tmp_path, Linear()))


def test_serving_an_artifact_is_its_own_answer_encoder_and_all(tmp_path: Path) -> None:
    models: tuple[Model, ...] = (Linear(), Trees(rounds=6))
    for number, model in enumerate(models):
        _, fitted = rows_alone(model)
        given = posed([written(tmp_path / str(number), US, fitted)])
        served = Arm(SourceOnly(), model).fit(given.problem, Rng.of(0))
        asked = cases(given)
        for ours, theirs in zip(answers(served, asked), answers(fitted, asked), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_an_item_prior_from_a_fitted_ease_is_that_from_its_events(tmp_path: Path) -> None:
    whole = posed([MALL], SHOP)
    own = Recommend(k=5).pose(MALL, [], CUT, Rng.of(0)).problem
    events = whole.problem.sources[0].held
    assert isinstance(events, Interactions) and isinstance(own.recipe, ItemRecipe)
    fitted = Arm(TargetOnly(), Ease(penalty=300.0)).fit(
        replace(own, fit=events, recipe=replace(own.recipe, catalogue=events.items)),
        Rng.of(0),
    )
    given = posed([written(tmp_path, MALL, fitted)], SHOP)
    same(ItemItemPrior(50.0, source_penalty=300.0), Ease(), whole, given)
    assert any("mall artifact knows" in note for note in given.notes)


@pytest.mark.parametrize(
    "strategy", [FineTune("all", epochs=0), FineTune("all"), L2SP()], ids=lambda s: s.kind
)
def test_a_network_goes_on_from_an_artifact(strategy: Strategy, tmp_path: Path) -> None:
    model = MixedNetwork(epochs=1, width=8)
    if (why := model.why_not()) is not None:
        pytest.skip(why)
    _, fitted = rows_alone(model)
    given = posed([written(tmp_path, US, fitted)])
    arm = Arm(strategy, model)
    assert arm.why_not(given.problem) is None
    asked = cases(given)
    served, moved = answers(fitted, asked), answers(arm.fit(given.problem, Rng.of(0)), asked)
    still = isinstance(strategy, FineTune) and strategy.epochs == 0
    assert np.allclose(served[-1], moved[-1], atol=1e-6) == still


# ── beside other sources ────────────────────────────────────────────────────


def test_beside_rows_an_artifact_gets_arms_of_its_own(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    problem = posed([DE, written(tmp_path, US, fitted)]).problem

    def names(strategy: Strategy, model: Model) -> list[str]:
        return [arm.name for arm in formed(Arm(strategy, model), problem)[0]]

    assert names(SourceOnly(), Linear()) == [
        "source-only/linear from de",
        "source-only/linear from us artifact",
    ]
    assert names(SourceOnly(), Trees()) == ["source-only/trees from de"]
    assert names(Pooled(), Linear()) == ["pooled/linear from de"]
    assert names(Blend(), Trees()) == ["blend/trees"]


def test_two_artifacts_of_one_market_are_told_apart_by_their_runs(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    for run in ("first", "second"):
        written(tmp_path / run, US, fitted)
    found = open_sources([tmp_path / "first", DE, str(tmp_path / "second")], "classify")
    names = [each.name for each in found if isinstance(each, Domain)]
    assert names == ["us artifact of first", "de", "us artifact of second"]
    problem = posed([each for each in found if isinstance(each, Domain)]).problem
    fitting, _ = formed(Arm(Blend(), Linear()), problem)
    assert [arm.name for arm in fitting] == ["blend/linear"]
    fitted_blend = fitting[0].fit(problem, Rng.of(0))
    assert isinstance(fitted_blend.predict(problem.fit), Probabilities)


# ── columns and classes ─────────────────────────────────────────────────────


def changed(domain: Domain, **to: tuple[pl.Expr, ColumnType]) -> Domain:
    """The market with other values and types of columns."""
    schema = domain.schema.tables["rows"]
    rows = domain.tables["rows"].with_columns(
        expr.alias(name) for name, (expr, _) in to.items()
    )
    types = {**schema.types, **{name: kind for name, (_, kind) in to.items()}}
    return Domain(
        domain.name, {"rows": rows}, Schema({"rows": TableSchema(schema.roles, types, "made")})
    )


def without(domain: Domain, *names: str) -> Domain:
    schema = domain.schema.tables["rows"]
    types = {name: kind for name, kind in schema.types.items() if name not in names}
    return Domain(
        domain.name,
        {"rows": domain.tables["rows"].drop(names)},
        Schema({"rows": TableSchema(schema.roles, types, "made")}),
    )


def test_columns_that_only_one_side_has_are_used_where_they_are(tmp_path: Path) -> None:
    few = without(US, "x1", "note")
    _, fitted = rows_alone(Linear(), few)
    target = without(TARGET, "x2")
    given = posed([written(tmp_path, few, fitted)], target)
    fit = given.problem.fit
    assert isinstance(fit, Rows) and {"x1", "note"} <= set(fit.types)
    assert "us artifact does without x2, which jp does not have" in given.notes
    alone = Arm(TargetOnly(), Linear())
    ours = answers(alone.fit(given.problem, Rng.of(0)), cases(given))
    nothing = posed([], target)
    for a, b in zip(
        ours, answers(alone.fit(nothing.problem, Rng.of(0)), cases(nothing)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    served = Arm(SourceOnly(), Linear()).fit(given.problem, Rng.of(0))
    assert np.isfinite(answers(served, cases(given))[0]).all()


@pytest.mark.parametrize("theirs", ["numeric", "category"])
def test_a_column_read_differently_stays_as_the_target_has_it(
    theirs: str, tmp_path: Path
) -> None:
    words = (pl.col("x0").round(0).cast(pl.String), ColumnType.CATEGORY)
    source, target = (US, TARGET) if theirs == "numeric" else (changed(US, x0=words), TARGET)
    target = changed(target, x0=words) if theirs == "numeric" else target
    _, fitted = rows_alone_of(source)
    given = posed([written(tmp_path, source, fitted)], target)
    fit = given.problem.fit
    mine = {"numeric": "category", "category": "numeric"}[theirs]
    assert isinstance(fit, Rows) and fit.types["x0"] == mine
    assert fit.columns["x0"].null_count() <= TARGET.tables["rows"]["x0"].null_count()
    assert f"us artifact does without x0 ({theirs} there, {mine} in jp)" in given.notes


def rows_alone_of(source: Domain) -> tuple[Problem, Fitted]:
    """A model fitted on a market as its own target."""
    own = Classify("label").pose(source, [], CUT, Rng.of(0)).whole
    problem = light(own)
    return problem, Arm(TargetOnly(), Linear()).fit(problem, Rng.of(0))


def test_an_artifact_that_can_read_no_column_is_refused(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    artifact = written(tmp_path, US, fitted)
    target = without(TARGET, "x0", "x1", "x2", "x3", "group", "note")
    target = changed(target, y=(pl.lit(1.0) + pl.int_range(pl.len()), ColumnType.NUMERIC))
    says = (
        "Expected columns of target 'jp' that 'us artifact' can read; found none: x0 (numeric)"
    )
    with pytest.raises(DomainError, match=re.escape(says)):
        posed([artifact], target)


def renamed(domain: Domain, names: dict[str, str]) -> Domain:
    rows = domain.tables["rows"].with_columns(pl.col("label").replace(names))
    return Domain(domain.name, {"rows": rows}, domain.schema)


def test_an_artifact_of_other_classes_is_refused(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    artifact = written(tmp_path, US, fitted)
    says = (
        "Expected 'us artifact' to share classes with target 'jp'; found 0, 1 in the artifact "
        "and no, yes in the target."
    )
    with pytest.raises(TaskError, match=re.escape(says)):
        posed([artifact], renamed(TARGET, {"0": "no", "1": "yes"}))


def test_an_artifact_that_lacks_a_class_cannot_stand_for_the_model(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    artifact = written(tmp_path, US, fitted)
    some = TARGET.tables["rows"].with_row_index("i")
    third = some.with_columns(
        pl.when(pl.col("i") % 3 == 0).then(pl.lit("2")).otherwise("label").alias("label")
    ).drop("i")
    problem = posed([artifact], Domain("jp", {"rows": third}, TARGET.schema)).problem
    why = "source 'us artifact' tells apart 0, 1, and the target 0, 1, 2"
    for strategy in (SourceOnly(), SourcePrior(), Blend()):
        assert Arm(strategy, Linear()).why_not(problem) == why
    assert Arm(TargetOnly(), Linear()).why_not(problem) is None


# ── the door ────────────────────────────────────────────────────────────────


def test_a_run_and_its_artifact_name_the_same(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    written(tmp_path / "run", US, fitted)
    assert artifact_at(tmp_path / "run") == tmp_path / "run" / "artifact"
    assert artifact_at(str(tmp_path / "run" / "artifact")) == tmp_path / "run" / "artifact"
    assert artifact_at(tmp_path) is None and artifact_at("rows.csv::a=b") is None
    found = open_artifact(tmp_path / "run" / "artifact")
    assert found.name == "us artifact" and str(found).startswith("us artifact (an artifact:")
    assert "tells apart 0, 1; reads x0" in found.findings[0].message


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_damaged_artifact_is_refused_as_one(how: str, tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    written(tmp_path, US, fitted)
    tensors = tmp_path / "artifact" / TENSORS
    if how == "gone":
        tensors.unlink()
    else:
        tensors.write_bytes(tensors.read_bytes()[:-1] + b"!")
    with pytest.raises(IntegrityError, match=TENSORS) as refused:
        open_sources([tmp_path], "classify")
    assert refused.value.exit_code == 7


def test_an_artifact_of_another_task_is_refused(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    written(tmp_path, US, fitted)
    says = "Expected an artifact for recommend at .*; found one for classify. Name another"
    with pytest.raises(UsageError, match=says):
        open_sources([tmp_path], "recommend")


def test_an_artifact_that_saw_the_target_is_refused(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    artifact = written(tmp_path, TARGET, fitted)
    says = "'jp artifact' was fitted on the same data, judge and all. Leave it out"
    with pytest.raises(UsageError, match=says):
        require_unseen(TARGET, [DE, artifact])
    require_unseen(US, [DE, artifact])


def test_a_fitted_model_says_nothing_of_rows_it_does_not_have(tmp_path: Path) -> None:
    _, fitted = rows_alone(Linear())
    problem = posed([written(tmp_path, US, fitted)]).problem
    source = problem.sources[0]
    assert (source.n, source.seen, source.shares) == (0, False, frozenset({"fitted"}))
    why = Arm(Pooled(), Linear()).why_not(problem)
    assert why == "source 'us artifact' does not share its rows"
    assert problem.encoded(Statistics.SOURCES).encoder == source.fitted.encoder
    network = Arm(SourceOnly(), Trees()).why_not(problem)
    assert network == "source 'us artifact' is a fitted linear, not trees"
