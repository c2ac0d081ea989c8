"""Fine-tuning: what starts where, what is held, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import ALL, Derived, Source
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.rng import Rng
from acclimate.strategies.parameter import pretrain
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.pretrain import pretrained
from acclimate.strategies.stacking import stack

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3).child("trial/finetune/fold 1")
MODEL = MixedNetwork(width=16, epochs=5)


def market(n: int, seed: int, shift: float = 0.0) -> Rows:
    """Orders whose label depends on two amounts and a brand; `shift` moves the brands."""
    g = np.random.default_rng(seed)
    x = g.normal(size=(n, 2))
    brand = g.integers(0, 6, n)
    logit = 2 * x[:, 0] * x[:, 1] + 3 * np.sin(brand + shift)
    return Rows(
        pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "brand": [f"brand {k}" for k in brand]}),
        {"a": ColumnType.NUMERIC, "b": ColumnType.NUMERIC, "brand": ColumnType.CATEGORY},
        ("no", "yes"),
        (logit + g.logistic(size=n) > 0).astype(np.int64),
    )


def problem(n: int = 80, sources: tuple[Source, ...] | None = None) -> Problem:
    bare = Problem(
        target="jp",
        fit=market(n, 1, shift=0.7),
        sources=(Source("us", market(600, 2)), Source("de", market(400, 3)))
        if sources is None
        else sources,
        claim=Claim.LATER,
        recipe=RowRecipe(),
    )
    return bare.encoded(Statistics.SOURCES) if bare.sources else bare


def tensors(model: Any) -> dict[str, Any]:
    return dict(model.state().tensors)


def view_of(asked: Problem, rows: Rows) -> RowView:
    view = asked.view(rows)
    assert isinstance(view, RowView)
    return view


def scores(model: Model, view: RowView) -> Array:
    answer = model.predict(view)
    assert isinstance(answer, Probabilities)
    return answer.p


def fitted_on(asked: Problem) -> RowView:
    assert isinstance(asked.fit, Rows)
    return view_of(asked, asked.fit)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "_PRETRAINED", Derived())


def test_zero_epochs_give_the_source_network_exactly() -> None:
    asked = problem()
    view = fitted_on(asked)
    source = pretrained(asked, MODEL, RNG)
    for layers in ("all", "head"):
        still = FineTune(layers, epochs=0).adapt(asked, MODEL, RNG)
        assert np.array_equal(scores(still, view), scores(source, view))


def test_fine_tuning_moves_every_layer_away_from_the_source() -> None:
    asked = problem()
    before = tensors(pretrained(asked, MODEL, RNG))
    after = tensors(FineTune().adapt(asked, MODEL, RNG))
    assert all(not np.array_equal(after[name], before[name]) for name in before)


def test_head_only_changes_the_head_and_leaves_the_body_bit_for_bit() -> None:
    asked = problem()
    before = tensors(pretrained(asked, MODEL, RNG))
    after = tensors(FineTune("head").adapt(asked, MODEL, RNG))
    changed = {name for name in before if not np.array_equal(after[name], before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_a_held_body_sees_no_dropout_and_a_free_one_does() -> None:
    asked = problem()
    start = pretrained(asked, MODEL, RNG)
    prepared = MODEL.prepare(fitted_on(asked))

    def tuned(layers: Any, silenced: float) -> dict[str, Any]:
        model = replace(MODEL, dropout=silenced, hide=silenced)
        return tensors(
            model.tune(prepared, FineTune(layers).tuning(start), start=start, rng=RNG)
        )

    calm_head, wild_head = tuned("head", 0.0), tuned("head", 0.5)
    calm_all, wild_all = tuned("all", 0.0), tuned("all", 0.5)
    assert np.array_equal(calm_head["head.weight"], wild_head["head.weight"])
    assert not np.array_equal(calm_all["head.weight"], wild_all["head.weight"])


def test_rates_fall_with_the_distance_from_the_head() -> None:
    asked = problem()
    start = pretrained(asked, MODEL, RNG)
    rates = FineTune(rate=0.8, falling=0.5).tuning(start).multipliers
    assert rates["head.weight"] == 0.8
    assert rates["hidden2.bias"] == 0.4
    assert rates["hidden1.weight"] == 0.2
    assert {rates[name] for name in rates if name.startswith("codes")} == {0.1}
    assert set(rates) == start.body() | start.heads()


def test_sources_are_pretrained_on_once_for_all_folds_and_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, fitted = problem(), []
    fit = MixedNetwork.fit

    def counted(self: MixedNetwork, prepared: Any, **options: Any) -> MixedNetwork:
        fitted.append(prepared.n)
        return fit(self, prepared, **options)

    monkeypatch.setattr(MixedNetwork, "fit", counted)
    for number, (fold, _) in enumerate(asked.inner(3, RNG)):
        for strategy in FineTune().grid(asked)[:2]:
            strategy.step(fold, MODEL, RNG.child(number))
    assert fitted == [1000]  # both sources, stacked
    FineTune().adapt(asked, replace(MODEL, epochs=2), RNG)
    FineTune().adapt(asked.with_sources(asked.sources[:1]), MODEL, RNG)
    FineTune().adapt(asked, MODEL, Rng.of(4))
    assert fitted == [1000, 1000, 600, 1000]


def test_pretraining_counts_rows_by_the_weights_of_their_source() -> None:
    asked = problem()
    weight = np.arange(600, dtype=np.float64) % 3
    found = tensors(pretrained(asked.weighed({"us": weight}), MODEL, RNG))
    stacked = stack([asked.source_view(source) for source in asked.sources])
    prepared, own = MODEL.prepare(stacked), Rng.of(3).child("pretrain")  # type: ignore[arg-type]
    by_hand = MODEL.fit(prepared, weight=np.r_[weight, np.ones(400)], rng=own)
    assert all(np.array_equal(found[name], value) for name, value in tensors(by_hand).items())


def test_what_is_kept_does_not_depend_on_who_asked_first() -> None:
    asked = problem()
    first = tensors(pretrained(asked, MODEL, RNG))
    pretrain._PRETRAINED = Derived()
    again = tensors(pretrained(asked, MODEL, RNG.child("another trial")))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_adapting_leaves_the_kept_source_network_alone() -> None:
    asked = problem()
    before = {k: v.copy() for k, v in tensors(pretrained(asked, MODEL, RNG)).items()}
    FineTune().adapt(asked, MODEL, RNG)
    after = tensors(pretrained(asked, MODEL, RNG))
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_fine_tuning_beats_the_target_alone_where_markets_are_alike() -> None:
    asked = problem(n=60, sources=(Source("us", market(3000, 2, shift=0.7)),))
    model, test = MixedNetwork(), market(2000, 9, shift=0.7)
    alone = asked.encoded(Statistics.TARGET)
    target_only = model.fit(model.prepare(fitted_on(alone)), rng=RNG)
    tuned = FineTune("all").adapt(asked, model, RNG)
    assert test.label is not None
    p = scores(target_only, view_of(alone, test))
    q = scores(tuned, view_of(asked, test))
    assert (q.argmax(1) == test.label).mean() > (p.argmax(1) == test.label).mean() + 0.1


def test_same_key_same_scores_and_inputs_unchanged() -> None:
    asked = problem()
    before = asked.fit.fingerprint, [source.sample.fingerprint for source in asked.sources]
    view = fitted_on(asked)
    first = scores(FineTune().adapt(asked, MODEL, RNG), view)
    pretrain._PRETRAINED = Derived()
    assert np.array_equal(first, scores(FineTune().adapt(asked, MODEL, RNG), view))
    fresh = replace(asked.fit), [replace(source.sample) for source in asked.sources]
    assert before == (fresh[0].fingerprint, [sample.fingerprint for sample in fresh[1]])
    assert MODEL.fitted is None


def test_both_forms_have_kinds_and_short_grids_of_their_own() -> None:
    everything, head = FineTune("all"), FineTune("head")
    assert (everything.kind, head.kind) == ("finetune", "finetune-head")
    assert head.complexity < everything.complexity
    assert replace(head, layers="all").kind == "finetune"
    for strategy in (everything, head):
        grid = strategy.grid(problem())
        assert grid[0] == strategy and 1 < len(set(grid)) == len(grid) <= 4
        assert {each.kind for each in grid} == {strategy.kind}


def test_tick_that_raises_ends_the_pretraining_and_keeps_nothing() -> None:
    def tick() -> None:
        raise TimeoutError

    asked = problem()
    with pytest.raises(TimeoutError):
        FineTune().adapt(asked, MODEL, RNG, tick)
    assert scores(FineTune().adapt(asked, MODEL, RNG), fitted_on(asked)).shape == (80, 2)


def test_models_without_layers_are_refused() -> None:
    why = FineTune().why_not(problem(), Linear())
    assert why is not None and "linear has no layers" in why


def test_sources_that_cannot_be_pretrained_on_are_refused() -> None:
    assert FineTune().why_not(problem(), MODEL) is None
    assert FineTune().why_not(problem(sources=()), MODEL) == "there is no source"
    shy = Source("us", market(50, 2), ALL - {"rows"})
    assert FineTune().why_not(problem().with_sources([shy]), MODEL) == (
        "source 'us' does not share its rows"
    )
    bare = Source("us", market(50, 2).unlabelled())
    assert FineTune().why_not(problem(sources=(bare,)), MODEL) == (
        "source 'us' has no labelled rows to pretrain on"
    )


def test_target_without_labels_is_refused() -> None:
    asked = problem()
    for fit in (market(9, 1).unlabelled(), market(9, 1).take(np.empty(0, np.int64))):
        why = FineTune().why_not(asked.with_fit(fit), MODEL)
        assert why == "the target has no labelled rows to fit on"


@pytest.mark.parametrize("settings", [{"rate": 0.0}, {"falling": 0.0}, {"falling": 1.5}])
def test_rates_out_of_range_are_mistakes(settings: dict[str, float]) -> None:
    with pytest.raises(StrategyError, match="Expected a rate above 0"):
        FineTune(**settings)  # type: ignore[arg-type]


def test_unknown_layers_are_mistakes() -> None:
    with pytest.raises(
        StrategyError, match=r"Expected layers 'all', 'head' or a number .* found 'last'"
    ):
        FineTune("last")  # type: ignore[arg-type]


def test_no_layers_are_mistakes_and_so_is_letting_some_go_gradually() -> None:
    with pytest.raises(StrategyError, match="a number of at least 1, found 0"):
        FineTune(0)
    with pytest.raises(
        StrategyError, match="Expected all layers to be let go gradually, found"
    ):
        FineTune(2, gradual=True)


# ── the last layers, and one after the other ────────────────────────────────────

HEAD = {"head.weight", "head.bias"}
SECOND = {"hidden2.weight", "hidden2.bias"}
FIRST = {"hidden1.weight", "hidden1.bias"}


def moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before if not np.array_equal(after[name], before[name])}


def test_the_last_layers_move_and_those_below_are_held_bit_for_bit() -> None:
    asked = problem()
    before = tensors(pretrained(asked, MODEL, RNG))
    for k, layers in ((1, HEAD), (2, HEAD | SECOND), (3, HEAD | SECOND | FIRST)):
        after = tensors(FineTune(k).adapt(asked, MODEL, RNG))
        assert moved(before, after) == layers
    assert moved(before, tensors(FineTune(9).adapt(asked, MODEL, RNG))) == set(before)
    assert (FineTune(2).kind, FineTune(2).complexity) == ("finetune-last2", 4)


def test_layers_are_let_go_one_after_the_other_from_the_head_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, seen, steps = problem(), [], []
    start = pretrained(asked, MODEL, RNG)
    tune = MixedNetwork.tune

    def heard(self: MixedNetwork, prepared: Any, tuning: Any, **options: Any) -> MixedNetwork:
        fitted = tune(self, prepared, tuning, **options)
        seen.append((tensors(options["start"]), tensors(fitted)))
        steps.append(tuning.epochs)
        return fitted

    monkeypatch.setattr(MixedNetwork, "tune", heard)
    fitted = FineTune(gradual=True, falling=1 / 2.6).adapt(asked, MODEL, RNG)
    stages = [moved(before, after) for before, after in seen]
    every = set(tensors(start))
    assert stages == [HEAD, HEAD | SECOND, HEAD | SECOND | FIRST, every]
    assert steps == [1, 1, 1, 2], "a pass each, then two with all layers"
    assert moved(seen[0][0], tensors(start)) == set()
    for (_, end), (begin, _) in pairwise(seen):
        assert not moved(end, begin), "each stage begins where the one before ended"
    assert not moved(seen[-1][1], tensors(fitted))


def test_a_gradual_rate_falls_by_2_6_a_layer_and_zero_epochs_stand_still() -> None:
    asked = problem()
    start = pretrained(asked, MODEL, RNG)
    gradual = FineTune(gradual=True, rate=1.0, falling=1 / 2.6)
    for stage in gradual.stages(start):
        assert stage.multipliers["head.weight"] == 1.0
        assert stage.multipliers["hidden2.weight"] == pytest.approx(1 / 2.6)
        assert stage.multipliers["hidden1.weight"] == pytest.approx(1 / 2.6**2)
    still = replace(gradual, epochs=0).adapt(asked, MODEL, RNG)
    assert not moved(tensors(start), tensors(still))
    assert [stage.epochs for stage in replace(gradual, epochs=0).stages(start)] == [0] * 4
    assert gradual.kind == "finetune-gradual" and not gradual.unasked and FineTune().unasked
    assert {each.kind for each in gradual.grid(asked)} == {"finetune-gradual"}
