"""Hard sharing: what each head teaches the body, and which one is served."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import ALL, Source
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Params, Tuning, total
from acclimate.rng import Rng
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.multitask.lessons import column, samples
from acclimate.strategies.multitask.sharing import (
    HardSharing,
    LabelSharing,
    several,
)
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.stacking import stack
from tests.strategies.nets import (
    MODEL,
    NONE,
    arange,
    changed,
    labelled,
    market,
    problem,
    rows_view,
    scores,
    tensors,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)


def asked(**options: Any) -> Problem:
    return problem(market(80, 1), market(300, 2), market(200, 3), **options)


# ── against the single task ─────────────────────────────────────────────────────


def test_without_weight_the_other_markets_leave_target_only_bit_for_bit() -> None:
    given = asked()
    alone = TargetOnly().adapt(given, MODEL, RNG)
    assert not changed(alone, HardSharing(others=0.0).adapt(given, MODEL, RNG))
    assert changed(alone, HardSharing().adapt(given, MODEL, RNG)) == set(tensors(alone))


@pytest.mark.parametrize("weighed", [False, True])
def test_without_weight_the_other_labels_leave_pooling_bit_for_bit(weighed: bool) -> None:
    given = labelled()
    if weighed:
        given = given.weighed({"us": arange(300) % 3})
    pooled = Pooled().adapt(given, MODEL, RNG)
    assert not changed(pooled, LabelSharing(others=0.0).adapt(given, MODEL, RNG))
    assert changed(pooled, LabelSharing().adapt(given, MODEL, RNG)) == set(tensors(pooled))


def test_a_target_without_its_label_is_taught_by_its_other_labels() -> None:
    given = replace(labelled(), fit=market(9, 1, also=True).take(NONE))
    alone = SourceOnly().adapt(given, MODEL, RNG)
    assert LabelSharing().why_not(given, MODEL) is None
    assert not changed(alone, LabelSharing(others=0.0).adapt(given, MODEL, RNG))
    ours = LabelSharing().adapt(given, MODEL, RNG)
    blind = replace(given, unlabelled=market(90, 4).unlabelled())
    assert changed(ours, LabelSharing().adapt(blind, MODEL, RNG))


def test_a_source_of_weight_zero_is_as_good_as_absent() -> None:
    given = asked()
    without = given.with_sources(given.sources[:1])
    silenced = given.weighed({"de": np.zeros(200)})
    assert not changed(
        HardSharing().adapt(without, MODEL, RNG), HardSharing().adapt(silenced, MODEL, RNG)
    )
    nobody = silenced.weighed({"us": np.zeros(300)})
    assert not changed(
        TargetOnly().adapt(given, MODEL, RNG), HardSharing().adapt(nobody, MODEL, RNG)
    )


def test_row_weights_of_a_source_count_in_its_task() -> None:
    given = asked()
    weight = arange(300) % 2
    kept = replace(given.sources[0], held=given.sources[0].sample.take(np.arange(1, 300, 2)))
    assert not changed(
        HardSharing().adapt(given.weighed({"us": weight}), MODEL, RNG),
        HardSharing().adapt(given.with_sources([kept, given.sources[1]]), MODEL, RNG),
    )


def test_another_label_counts_rows_by_the_weights_of_their_source() -> None:
    given, weight = labelled(), arange(300) % 3
    size, gift = LabelSharing().lessons(given.weighed({"us": weight}))[1:]
    everyone = np.r_[np.ones(80 + 90), weight, np.ones(200)]
    known = [column(each, "gift").is_not_null().to_numpy() for each in samples(given)]
    assert size.weight is not None and gift.weight is not None
    assert size.weight.tolist() == everyone.tolist()
    assert gift.weight.tolist() == everyone[np.concatenate(known)].tolist()


# ── what teaches what ───────────────────────────────────────────────────────────


def test_every_head_teaches_the_body_and_no_head_another() -> None:
    model = MixedNetwork(width=8, dropout=0.0, hide=0.0)
    lessons = LabelSharing(others=0.5).lessons(labelled())
    prepared = [model.prepare(lesson.view) for lesson in lessons]
    params = model.begin(prepared[0], None, RNG)
    for number in (1, 2):
        fresh = model.begin(prepared[number], None, RNG.child(number))
        params |= {f"task {number}/{name}": fresh[name] for name in model.heads()}
    names = ["rows", "task 1", "task 2"]
    batches = {name: rows.tensors for name, rows in zip(names, prepared, strict=True)}
    step = several(model, dict(zip(names, (1.0, 0.25, 0.5), strict=True)))

    def gradient(name: str) -> Params:
        found: Params = torch.func.grad(lambda p: step(p, batches, 0.0)[name])(params)
        return found

    plain = torch.func.grad(model.loss)(
        model.begin(prepared[0], None, RNG), prepared[0].tensors
    )
    for name in names:
        moved = {k for k, v in gradient(name).items() if bool(v.any())}
        heads = {k for k in params if "head." in k}
        assert moved - heads == set(params) - heads
        prefix = "" if name == "rows" else f"{name}/"
        assert moved & heads == {f"{prefix}head.weight", f"{prefix}head.bias"}
    assert all(torch.equal(gradient("rows")[k], plain[k]) for k in plain)
    # The share is a factor on the mean loss of the task.
    once = several(model, dict.fromkeys(names, 1.0))(params, batches, 0.0)
    assert float(step(params, batches, 0.0)["task 1"]) == pytest.approx(
        0.25 * float(once["task 1"])
    )


def test_a_row_of_another_task_weighs_so_much_whatever_the_task() -> None:
    def shares(strategy: HardSharing, given: Problem) -> list[float]:
        return [lesson.share for lesson in strategy.lessons(given)]

    half = HardSharing(others=0.5)
    assert shares(half, asked()) == [1.0, 0.5 * 300 / 80, 0.5 * 200 / 80]
    weighed = asked().weighed({"us": arange(300) % 2})
    assert shares(half, weighed) == [1.0, 0.5 * 150 / 80, 0.5 * 200 / 80]
    size, gift = shares(LabelSharing(others=0.5), labelled())[1:]
    known = LabelSharing().lessons(labelled())[2].view.n
    assert (size, gift) == (0.5 * 670 / 580, 0.5 * known / 580)


def test_at_weight_one_the_losses_add_up_to_the_mean_over_all_rows() -> None:
    model = MixedNetwork(width=8, dropout=0.0, hide=0.0)
    lessons = HardSharing().lessons(asked())
    prepared = [model.prepare(lesson.view) for lesson in lessons]
    params = model.begin(prepared[0], None, RNG)
    for number in (1, 2):  # the same head everywhere: then all rows are one task
        params |= {f"task {number}/{name}": params[name] for name in model.heads()}
    names = ["rows", "task 1", "task 2"]
    shares = {name: lesson.share for name, lesson in zip(names, lessons, strict=True)}
    batches = {name: rows.tensors for name, rows in zip(names, prepared, strict=True)}
    summed = sum(float(loss) for loss in several(model, shares)(params, batches, 0.0).values())
    whole = stack([lesson.view for lesson in lessons])
    one = float(model.loss(params, model.prepare(rows_view(whole)).tensors))
    assert summed * 80 == pytest.approx(one * 580, rel=1e-5)


def test_losses_come_to_combine_task_by_task(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    def combine(gradients: Any) -> Params:
        seen.add(tuple(gradients))
        return total(gradients)

    monkeypatch.setattr(HardSharing, "tuning", lambda self: Tuning(None, combine=combine))
    ours = HardSharing().adapt(asked(), MODEL, RNG)
    assert seen == {("rows", "task 1", "task 2")}
    monkeypatch.undo()
    plain = HardSharing().adapt(asked(), MODEL, RNG)
    test = market(50, 9)
    assert np.allclose(scores(ours, asked(), test), scores(plain, asked(), test), atol=1e-3)


def test_training_passes_over_the_largest_task(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for = []
    learn = MixedNetwork.learn

    def counted(self: MixedNetwork, *args: Any, **options: Any) -> MixedNetwork:
        asked_for.append(options["steps"])
        return learn(self, *args, **options | {"steps": 1})

    monkeypatch.setattr(MixedNetwork, "learn", counted)
    given, model = asked(), replace(MODEL, batch_size=4, epochs=2)
    HardSharing().adapt(given, model, RNG)  # 300 rows of the first source
    HardSharing(epochs=3).adapt(given, model, RNG)
    HardSharing(others=0.0).adapt(given, model, RNG)  # 80 rows of the target: 50 steps at least
    assert asked_for == [2 * 75, 3 * 75, 2 * 50]


# ── what is served ──────────────────────────────────────────────────────────────


def test_the_served_network_is_plain_with_the_head_of_the_label() -> None:
    given = labelled()
    fitted = LabelSharing().adapt(given, MODEL, RNG)
    assert isinstance(fitted, MixedNetwork) and fitted == MODEL
    assert set(tensors(fitted)) == set(tensors(Pooled().adapt(given, MODEL, RNG)))
    assert [lesson.view.n_classes for lesson in LabelSharing().lessons(given)] == [2, 3, 2]
    assert scores(fitted, given, market(50, 9)).shape == (50, 2)


def test_the_target_is_served_its_own_head() -> None:
    """Sources say the opposite: one head for all cannot serve both, one each can."""
    flipped = market(600, 2)
    assert flipped.label is not None
    given = problem(market(300, 1), replace(flipped, label=1 - flipped.label))
    model, test = MixedNetwork(width=16, epochs=6), market(1000, 9)
    pooled, shared = (
        scores(strategy.adapt(given, model, RNG), given, test).argmax(1)
        for strategy in (Pooled(), HardSharing())
    )
    assert (shared == test.label).mean() > 0.7
    assert (pooled == test.label).mean() < 0.5


def test_another_label_teaches_the_body_what_the_label_has_too_few_rows_for() -> None:
    seen = replace(market(1500, 2, also=True), label=None)
    given = problem(market(60, 1, also=True), market(20, 3, also=True), unlabelled=seen)
    model, test = MixedNetwork(width=16, epochs=8), market(2000, 9)
    assert test.label is not None
    losses = []
    for strategy in (Pooled(), LabelSharing()):
        p = scores(strategy.adapt(given, model, RNG), given, test)
        losses.append(-np.log(p[np.arange(test.n), test.label]).mean())
    assert losses[1] < losses[0] - 0.02, losses


def test_fine_tuning_the_head_behind_it_holds_the_shared_body() -> None:
    given = asked()
    shared = HardSharing().adapt(given, MODEL, RNG.child("0"))
    _, fitted = Chain((HardSharing(), FineTune("head"))).step(given, MODEL, RNG)
    assert changed(shared, fitted) == {"head.weight", "head.bias"}


@pytest.mark.parametrize("strategy", [HardSharing(epochs=0), LabelSharing(epochs=0)])
def test_in_a_chain_it_goes_on_from_what_was_handed_on(strategy: HardSharing) -> None:
    given = labelled()
    start = Pooled().adapt(given, MODEL, RNG)
    assert not changed(start, strategy.adapt(given, start, RNG.child(1)))
    on = replace(strategy, epochs=1).adapt(given, start, RNG.child(1))
    assert changed(start, on) == set(tensors(start))


def test_same_key_same_answer_and_another_key_another() -> None:
    for strategy, given in ((HardSharing(), asked()), (LabelSharing(), labelled())):
        first = strategy.adapt(given, MODEL, RNG)
        assert not changed(first, strategy.adapt(given, MODEL, RNG))
        assert changed(first, strategy.adapt(given, MODEL, Rng.of(4)))


# ── settings and refusals ───────────────────────────────────────────────────────


def test_grids_are_short_and_begin_with_the_default() -> None:
    for strategy in (HardSharing(), LabelSharing()):
        grid = strategy.grid(asked())
        assert grid[0] == strategy and len(set(grid)) == len(grid) == 3
        assert {each.kind for each in grid} == {strategy.kind}


@pytest.mark.parametrize("others", [-1.0, float("nan"), float("inf")])
def test_a_weight_out_of_range_is_a_mistake(others: float) -> None:
    with pytest.raises(StrategyError, match="Expected a finite weight of other tasks' rows"):
        HardSharing(others=others)


@pytest.mark.parametrize("strategy", [HardSharing(), LabelSharing()])
def test_what_cannot_be_shared_is_refused(strategy: HardSharing) -> None:
    given = labelled()
    assert strategy.why_not(given, MODEL) is None
    assert strategy.why_not(given, Linear()) == (
        "linear has no body that several heads could share: not a network"
    )
    assert strategy.why_not(given.with_sources([]), MODEL) == "there is no source"
    shy = given.with_sources([Source("us", market(50, 2), ALL - {"rows"})])
    assert strategy.why_not(shy, MODEL) == "source 'us' does not share its rows"
    blank = given.with_sources([Source("us", market(50, 2).unlabelled())])
    assert strategy.why_not(blank, MODEL) == "source 'us' has no labelled rows to learn from"


def test_a_target_without_labels_has_no_head_of_its_own() -> None:
    given = asked().with_fit(market(9, 1).take(NONE))
    why = HardSharing().why_not(given, MODEL)
    assert why == "the target has no labelled rows to fit on"


def test_rows_without_another_label_are_refused() -> None:
    assert LabelSharing().why_not(asked(), MODEL) == (
        "the rows have no other label than the one to predict"
    )
    given = asked()
    assert isinstance(given.fit, Rows)
    nulls = pl.DataFrame({"size": [str(k) for k in range(80)]})
    odd = given.with_fit(replace(given.fit, also=nulls))
    assert LabelSharing().why_not(odd, MODEL) == "no two values recur in any other label: size"


def test_tick_that_raises_ends_the_training() -> None:
    def tick() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        HardSharing().adapt(asked(), MODEL, RNG, tick)
