"""DANN: which gradient goes where, by how much, and what is aligned by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.source import ALL, Source
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Trainable, train
from acclimate.rng import Rng
from acclimate.strategies.baselines import Pooled, SourceOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.adversarial import (
    HIDDEN,
    OUT,
    AdapterDann,
    Dann,
    discriminator,
    domain_loss,
    ramp,
    reverse,
)
from acclimate.strategies.feature.aligning import Shape, foreign_weights
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import (
    MODEL,
    NONE,
    arange,
    changed,
    market,
    problem,
    rows_view,
    scores,
    tensors,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)


def asked(**options: Any) -> Problem:
    return problem(market(80, 1, away=1.0), market(300, 2), market(200, 3), **options)


def unlabelled(n: int = 120) -> Rows:
    return market(n, 4, away=1.0).unlabelled()


def bare() -> Problem:
    """A target without any label."""
    return problem(market(9, 1).take(NONE), market(300, 2), unlabelled=unlabelled())


# ── the formula ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("progress", "value"),  # 2/(1 + e^(−10p)) − 1 = tanh(5p), by hand
    [(0.0, 0.0), (0.1, 0.46211715726), (0.5, 0.98661429815), (1.0, 0.99990920426)],
)
def test_reversal_grows_as_the_paper_says(progress: float, value: float) -> None:
    assert ramp(progress) == pytest.approx(value, abs=1e-10)


def test_reversal_leaves_values_alone_and_turns_gradients_round() -> None:
    x = torch.tensor([0.1, -3.7, 1e6], requires_grad=True)
    out = reverse(x, 0.3)
    assert torch.equal(out, x)
    (grad,) = torch.autograd.grad((out * torch.tensor([1.0, 2.0, 3.0])).sum(), x)
    assert torch.allclose(grad, -0.3 * torch.tensor([1.0, 2.0, 3.0]))


def test_domain_loss_is_the_sum_of_both_sides_means_and_2_ln_2_where_blind() -> None:
    blind = {k: torch.zeros_like(v) for k, v in discriminator(5, 4, RNG).items()}
    ours, theirs = torch.randn(7, 5), torch.randn(3, 5)
    loss = domain_loss(blind, theirs, ours, torch.tensor([1.0, 0.0, 5.0]))
    assert float(loss) == pytest.approx(2 * np.log(2))
    # A constant score s: sources cost ln(1 + e^s), the target ln(1 + e^−s), however many rows.
    sure = blind | {f"{OUT}.bias": torch.tensor([2.0])}
    loss = domain_loss(sure, theirs, ours, torch.tensor([1.0, 0.0, 5.0]))
    assert float(loss) == pytest.approx(np.log1p(np.exp(2)) + np.log1p(np.exp(-2)))


def test_rows_of_weight_zero_do_not_enter_the_domain_loss() -> None:
    params = discriminator(5, 4, RNG)
    ours, theirs = torch.randn(7, 5), torch.randn(4, 5)
    kept = domain_loss(params, theirs[1:], ours, torch.tensor([1.0, 2.0, 1.0]))
    whole = domain_loss(params, theirs, ours, torch.tensor([0.0, 1.0, 2.0, 1.0]))
    assert torch.allclose(kept, whole)
    none = domain_loss(params, theirs, ours, torch.zeros(4))
    alike = domain_loss(params, ours, ours, torch.ones(7))
    twice = domain_loss(params, theirs, ours[:1], torch.zeros(4))
    assert bool(torch.isfinite(none)) and 0.0 < float(none) < float(alike)
    assert bool(torch.isfinite(twice))


def double(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.double() if v.is_floating_point() else v for k, v in values.items()}


def losses_at(progress: float, strength: float = 1.0) -> tuple[Any, Any, Any]:
    """One step's parameters, losses as a function of them, and gradient of their sum."""
    g = torch.Generator().manual_seed(0)
    model = MixedNetwork(width=6, dropout=0.0, hide=0.0)
    given = asked()
    fit = model.prepare(rows_view(given.view(given.fit)))
    theirs = model.prepare(rows_view(given.source_view(given.sources[0])))
    rows = {name: value[:20] for name, value in theirs.tensors.items()}
    market = torch.randint(3, (20,), generator=g)
    rows |= {"market": market, "weight": torch.rand(20, generator=g)}
    params = double(model.begin(fit, None, RNG) | discriminator(6, 4, RNG))
    batches = {"rows": double(rows), "target": double(dict(fit.tensors))}
    step = Dann(strength=strength).against(model, Shape(6, 2, 2), RNG)

    def each(p: Any) -> dict[str, Any]:
        return dict(step(p, batches, progress))

    return params, each, torch.func.grad(lambda p: sum(each(p).values()))(params)


def slope(function: Any, params: Any, name: str, at: tuple[int, ...]) -> float:
    """The central difference of a scalar function of parameters."""
    nudge = torch.zeros_like(params[name])
    nudge[at] = 1e-5
    up, down = (function(params | {name: params[name] + s * nudge}) for s in (1, -1))
    return float(up - down) / 2e-5


@pytest.mark.parametrize(("progress", "strength"), [(0.1, 1.0), (0.5, 0.3), (0.0, 1.0)])
def test_body_follows_label_minus_lambda_domain_and_the_discriminator_all_of_domain(
    progress: float, strength: float
) -> None:
    params, each, gradient = losses_at(progress, strength)
    factor = strength * ramp(progress)

    def of(name: str) -> Any:
        return lambda p: each(p)[name]

    for name, at in (
        ("hidden1.weight", (2, 1)),
        ("hidden2.bias", (3,)),
        ("codes.4", (2, 1)),
        ("head.weight", (1, 4)),
    ):
        label = slope(of("label"), params, name, at)
        domain = slope(of("domain"), params, name, at)
        assert (domain == 0.0) == name.startswith("head")
        assert float(gradient[name][at]) == pytest.approx(
            label - factor * domain, rel=1e-5, abs=1e-9
        )
    for name, at in (
        (f"{HIDDEN}.weight", (1, 2)),
        (f"{OUT}.weight", (0, 3)),
        (f"{OUT}.bias", (0,)),
    ):
        domain = slope(of("domain"), params, name, at)
        assert domain != 0.0 and slope(of("label"), params, name, at) == 0.0
        assert float(gradient[name][at]) == pytest.approx(domain, rel=1e-5)


# ── the whole training ──────────────────────────────────────────────────────────


@pytest.mark.parametrize("weighed", [False, True])
def test_strength_zero_is_pooling_bit_for_bit(weighed: bool) -> None:
    given = asked(unlabelled=unlabelled())
    if weighed:
        given = given.weighed({"us": arange(300) % 3})
    pooled = Pooled().adapt(given, MODEL, RNG)
    assert not changed(pooled, Dann(strength=0.0).adapt(given, MODEL, RNG))
    assert changed(pooled, Dann().adapt(given, MODEL, RNG)) == set(tensors(pooled))


def test_without_target_labels_strength_zero_is_source_only_bit_for_bit() -> None:
    given = bare()
    alone = SourceOnly().adapt(given, MODEL, RNG)
    assert not changed(alone, Dann(strength=0.0).adapt(given, MODEL, RNG))
    assert changed(alone, Dann().adapt(given, MODEL, RNG)) == set(tensors(alone))
    # Rows to fit on that lost their labels are rows to align with.
    stripped = replace(given, fit=unlabelled(), unlabelled=None)
    assert not changed(Dann().adapt(given, MODEL, RNG), Dann().adapt(stripped, MODEL, RNG))


def test_the_discriminator_is_not_kept_and_the_answer_is_a_plain_network() -> None:
    fitted = Dann().adapt(asked(), MODEL, RNG)
    pooled = Pooled().adapt(asked(), MODEL, RNG)
    assert isinstance(fitted, MixedNetwork) and fitted == MODEL
    assert [*tensors(fitted)] == [*tensors(pooled)]


def told_apart(fitted: Any, given: Problem) -> float:
    """How well a straight line in its features tells fresh rows' markets apart: AUC."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    parts = []
    for seed in (21, 31):
        rows = [market(600, seed, away=1.5), market(600, seed + 1)]
        features = [fitted.embed(given.view(each)) for each in rows]
        parts.append((np.concatenate(features), np.repeat([1, 0], 600)))
    line = LogisticRegression(max_iter=1000).fit(*parts[0])
    return float(roc_auc_score(parts[1][1], line.decision_function(parts[1][0])))


def far(on: Statistics = Statistics.BOTH) -> Problem:
    """A target without labels whose amounts b are 1.5 deviations away."""
    return problem(
        market(9, 1).take(NONE),
        market(800, 2),
        unlabelled=market(800, 5, away=1.5).unlabelled(),
        on=on,
    )


# Features turn slowly against a discriminator: hundreds of steps.
LONG = MixedNetwork(width=16, epochs=12)


def test_features_tell_markets_apart_less_than_without_and_labels_as_well() -> None:
    given, test = far(), market(2000, 9, away=1.5)
    alone, aligned = (s.adapt(given, LONG, RNG) for s in (SourceOnly(), Dann(strength=0.3)))
    before, after = told_apart(alone, given), told_apart(aligned, given)
    assert before > 0.7 and abs(after - 0.5) < 0.7 * abs(before - 0.5), (before, after)
    right = [(scores(m, given, test).argmax(1) == test.label).mean() for m in (alone, aligned)]
    assert right[1] > right[0] - 0.02


def test_row_weights_of_sources_count_in_the_domain_loss_and_the_targets_own_rows_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learn, seen = MixedNetwork.learn, []

    def heard(
        self: MixedNetwork, prepared: Any, step: Any, streams: Any, *a: Any, **k: Any
    ) -> Any:
        seen.append(streams["rows"].tensors)
        return learn(self, prepared, step, streams, *a, **k)

    monkeypatch.setattr(MixedNetwork, "learn", heard)
    given = asked()
    Dann(epochs=0).adapt(given.weighed({"us": arange(300) % 3}), MODEL, RNG)
    Dann(epochs=0).adapt(given, MODEL, RNG)
    weighed, plain = (foreign_weights(tensors).numpy() for tensors in seen)
    own, us, de = np.zeros(80), np.tile([1.0, 2.0], 100), np.ones(200)
    assert np.array_equal(plain, np.r_[own, np.ones(500)])
    expected = np.r_[own, us, de]
    assert np.allclose(weighed, expected / np.r_[own + 1, us, de].mean())


def test_labels_of_the_target_are_not_read_where_there_are_rows_without() -> None:
    given = asked(unlabelled=market(120, 4, away=1.0))  # with labels, by mistake
    assert not changed(
        Dann().adapt(given, MODEL, RNG),
        Dann().adapt(replace(given, unlabelled=unlabelled()), MODEL, RNG),
    )


def test_in_a_chain_it_goes_on_from_what_was_handed_on() -> None:
    given = asked()
    start = Pooled().adapt(given, MODEL, RNG)
    still = Dann(epochs=0).adapt(given, start, RNG.child("another"))
    assert not changed(start, still)
    assert changed(start, Dann(epochs=1).adapt(given, start, RNG)) == set(tensors(start))
    problem_, fitted = Chain((Dann(), FineTune("head"))).step(given, MODEL, RNG)
    aligned = Dann().adapt(given, MODEL, RNG.child("0"))
    assert changed(aligned, fitted) == {"head.weight", "head.bias"}
    assert problem_ is given


def test_same_key_same_answer_and_another_key_another() -> None:
    given = asked()
    assert not changed(Dann().adapt(given, MODEL, RNG), Dann().adapt(given, MODEL, RNG))
    assert changed(Dann().adapt(given, MODEL, RNG), Dann().adapt(given, MODEL, Rng.of(4)))


# ── the adapter ─────────────────────────────────────────────────────────────────


def test_only_the_adapter_moves_and_what_is_held_comes_back_bit_for_bit() -> None:
    given = asked(on=Statistics.SOURCES, unlabelled=unlabelled())
    start = pretrained(given, MODEL, RNG)
    fitted = AdapterDann(adapter=4).adapt(given, MODEL, RNG)
    assert isinstance(fitted, MixedNetwork) and fitted.adapter == 4
    before, after = tensors(start), tensors(fitted)
    assert set(after) - set(before) == fitted.adapters()
    assert all(np.array_equal(after[name], before[name]) for name in before)
    assert np.abs(after["adapter.up.weight"]).min() > 0.0
    assert not np.array_equal(scores(fitted, given, given.fit), scores(start, given, given.fit))  # type: ignore[arg-type]


def test_without_steps_the_adapter_changes_no_answer() -> None:
    given = asked(on=Statistics.SOURCES)
    start = pretrained(given, MODEL, RNG)
    still = AdapterDann(epochs=0).adapt(given, MODEL, RNG)
    test = market(50, 9)
    assert np.array_equal(scores(still, given, test), scores(start, given, test))


def test_the_adapter_aligns_what_a_held_body_makes_of_the_rows() -> None:
    given = far(Statistics.SOURCES)
    start = pretrained(given, LONG, RNG)
    before = told_apart(start, given)
    after = told_apart(AdapterDann().adapt(given, LONG, RNG), given)
    assert abs(after - 0.5) < 0.7 * abs(before - 0.5), (before, after)


def test_a_chain_hands_an_adapter_on_and_grows_no_second_one() -> None:
    given = asked(on=Statistics.SOURCES)
    first = AdapterDann(adapter=4).adapt(given, MODEL, RNG)
    assert isinstance(first, MixedNetwork)
    again = AdapterDann(adapter=8).adapt(given, first, RNG.child(1))
    assert changed(first, again) == first.adapters()
    tuned = FineTune("head").adapt(given, first, RNG)
    assert changed(first, tuned) == first.heads()
    assert changed(first, FineTune("all").adapt(given, first, RNG)) == set(tensors(first))


# ── settings and refusals ───────────────────────────────────────────────────────


def test_grids_are_short_and_begin_with_the_default() -> None:
    for strategy in (Dann(), AdapterDann()):
        grid = strategy.grid(asked())
        assert grid[0] == strategy and len(set(grid)) == len(grid) == 3
        assert {each.kind for each in grid} == {strategy.kind}


@pytest.mark.parametrize(
    "settings", [{"strength": -0.1}, {"strength": np.nan}, {"pace": 0.0}, {"hidden": 0}]
)
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected a finite strength of at least 0"):
        Dann(**settings)


def test_an_adapter_without_units_is_a_mistake() -> None:
    with pytest.raises(StrategyError, match="Expected an adapter of at least 1 unit, found 0"):
        AdapterDann(adapter=0)


@pytest.mark.parametrize("strategy", [Dann(), AdapterDann()])
def test_what_cannot_be_aligned_is_refused(strategy: Dann) -> None:
    given = asked()
    assert strategy.why_not(given, MODEL) is None
    assert strategy.why_not(bare(), MODEL) is None
    assert strategy.why_not(given, Linear()) == (
        "linear has no features that training could align: not a network"
    )
    assert strategy.why_not(given.with_sources([]), MODEL) == "there is no source"
    shy = given.with_sources([Source("us", market(50, 2), ALL - {"rows"})])
    assert strategy.why_not(shy, MODEL) == "source 'us' does not share its rows"
    blank = given.with_sources([Source("us", market(50, 2).unlabelled())])
    assert strategy.why_not(blank, MODEL) == "source 'us' has no labelled rows to learn from"
    nobody = given.with_fit(market(9, 1).take(NONE))
    assert strategy.why_not(nobody, MODEL) == (
        "the target has no rows that the sources' could be aligned with"
    )


def test_a_network_without_a_place_for_an_adapter_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(MixedNetwork, "adapters")
    assert isinstance(MODEL, Trainable)
    assert AdapterDann().refuses(asked(), MODEL) == "network has no place for an adapter"
    assert Dann().refuses(asked(), MODEL) is None


def test_tick_that_raises_ends_the_training() -> None:
    def tick() -> None:
        raise TimeoutError

    for strategy in (Dann(), AdapterDann()):
        with pytest.raises(TimeoutError):
            strategy.adapt(asked(), MODEL, RNG, tick)


def test_training_goes_through_the_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def counted(*args: Any, **options: Any) -> Any:
        ran.append(set(options["batches"].__next__()))
        return train(*args, **options)

    monkeypatch.setattr("acclimate.models.rownetwork.train", counted)
    Dann().adapt(asked(), MODEL, RNG)
    assert ran == [{"rows", "target"}]
