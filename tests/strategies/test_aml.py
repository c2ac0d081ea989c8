"""AML: a target is served by what other tasks' gradients say, and no row is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.artifacts.states import pack, unpack
from acclimate.domains.episodes import Group
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Derived, Source
from acclimate.errors import StrategyError
from acclimate.models.attentive import Attentive
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import idle
from acclimate.models.network import Batch, Params
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.meta import aml, episodic
from acclimate.strategies.meta.aml import Aml, of_task
from acclimate.strategies.meta.attention import (
    attention,
    unit,
)
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import (
    MODEL,
    changed,
    market,
    problem,
    rows_view,
    scores,
    tensors,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
TINY = MixedNetwork(width=3)
HEADS = TINY.heads()
QUICK: dict[str, Any] = {"rounds": 6, "shots": 8, "queries": 8, "width": 4}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodic, "_META", Derived())


def asked(fit: int = 1) -> Problem:
    return problem(market(60, fit), market(120, 2), market(90, 3), on=Statistics.SOURCES)


# ── the strategy ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("masked", [True, False])
def test_a_target_is_served_by_the_kept_gradients_alone(masked: bool) -> None:
    given, strategy = asked(), Aml(masked=masked, **QUICK)
    fitted = strategy.adapt(given, MODEL, RNG)
    assert isinstance(fitted, Attentive) and fitted.keys is not None
    theta = fitted.start.parameters()
    prepared = fitted.start.prepare(rows_view(given.view(given.fit)))
    support = dict(fitted.start.stream(prepared).tensors)
    leaves = {k: v.clone().requires_grad_() for k, v in theta.items()}

    def told(rows: Batch) -> tuple[Any, Params]:
        grads = torch.autograd.grad(MODEL.loss(leaves, rows), list(leaves.values()))
        named = dict(zip(leaves, grads, strict=True))
        head = torch.cat([named[name].flatten() for name in sorted(HEADS)])
        return torch.cat([unit(MODEL.features(theta, rows).mean(0)), unit(head)]), named

    sources = []
    for source in given.sources:
        view = rows_view(given.source_view(source))
        sources.append(told(dict(fitted.start.stream(fitted.start.prepare(view)).tensors)))
    for number, (summary, named) in enumerate(sources):
        for name, value in named.items():
            np.testing.assert_allclose(fitted.gradients[name][number], value.numpy(), atol=1e-6)
        np.testing.assert_allclose(
            fitted.keys[number], (torch.from_numpy(fitted.key) @ summary).numpy(), atol=1e-5
        )
    mine = told(support)
    parts = [*sources] if masked else [*sources, mine]
    keys = torch.stack([torch.from_numpy(fitted.key) @ summary for summary, _ in parts])
    a = attention((torch.from_numpy(fitted.query) @ mine[0])[None], keys, masked=False)[0]
    served = tensors(fitted.served)
    for name, value in theta.items():
        step = sum(float(w) * named[name] for w, (_, named) in zip(a, parts, strict=True))
        np.testing.assert_allclose(
            served[name], (value - strategy.alpha * step).numpy(), atol=1e-6
        )
    assert changed(fitted.start, fitted.served) == set(theta)


def test_what_is_kept_adapts_to_another_target_without_any_row() -> None:
    """An artifact as the only source: the same answer as where the sources' rows are."""
    one_, other = asked(), asked(fit=9)
    for masked in (True, False):
        strategy = Aml(masked=masked, **QUICK)
        fitted = Fitted(one_.encoder, strategy.adapt(one_, MODEL, RNG))  # type: ignore[arg-type]
        given = Source("jp artifact", None, frozenset({"fitted"}), unpack(*pack(fitted)))
        alone = replace(other, sources=(given,)).encoded(Statistics.SOURCES)
        assert strategy.why_not(alone, MODEL) is None
        with_rows = strategy.adapt(other, MODEL, RNG)
        without = strategy.adapt(alone, MODEL, RNG)
        assert isinstance(with_rows, Attentive) and isinstance(without, Attentive)
        assert not changed(with_rows.served, without.served)
        assert changed(without.served, fitted.model.served)  # type: ignore[attr-defined]
        test = market(40, 5)
        assert np.array_equal(scores(with_rows, other, test), scores(without, alone, test))


def test_saved_and_restored_it_is_the_same_to_the_bit() -> None:
    given = asked()
    fitted = Fitted(given.encoder, Aml(**QUICK).adapt(given, MODEL, RNG))  # type: ignore[arg-type]
    tree, kept = pack(fitted)
    again, same = pack(unpack(tree, kept))
    assert tree == again
    assert set(kept) == set(same)
    assert all(np.array_equal(kept[name], same[name]) for name in kept)
    tasks = {len(v) for k, v in kept.items() if "gradient." in k}
    assert tasks == {2}


def test_meta_learning_moves_theta_and_attention() -> None:
    given = asked()
    still = Aml(**QUICK | {"rounds": 0}).start(given, MODEL, RNG, idle)
    assert not changed(pretrained(given, MODEL, RNG), still.start)
    learned = Aml(**QUICK).start(given, MODEL, RNG, idle)
    assert changed(still.start, learned.start) == set(tensors(still.start))
    three = [*given.sources, replace(given.sources[0], name="fr", held=market(80, 6))]
    more = given.with_sources(three)
    still, learned = (
        Aml(**QUICK | {"rounds": n}).start(more, MODEL, RNG, idle) for n in (0, 6)
    )
    for before, after in ((still.query, learned.query), (still.key, learned.key)):
        assert before is not None and after is not None and np.abs(before - after).max() > 0.001


def test_unmasked_learns_from_a_task_its_own_gradient_too() -> None:
    given = asked()
    masked, free = (
        Aml(masked=masked, **QUICK).start(given, MODEL, RNG, idle) for masked in (True, False)
    )
    assert changed(masked.start, free.start) == set(tensors(free.start))
    assert masked.masked and not free.masked


def test_rows_are_read_some_at_a_time_and_tell_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = asked()
    whole = Aml(**QUICK).start(given, MODEL, RNG, idle)
    monkeypatch.setattr(aml, "AT_ONCE", 50)
    episodic._META = Derived()
    parts = Aml(**QUICK).start(given, MODEL, RNG, idle)
    for name, value in whole.gradients.items():
        np.testing.assert_allclose(parts.gradients[name], value, atol=1e-6)


def test_of_many_tasks_the_gradients_of_some_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aml, "KEPT", 3)
    kept = Aml(by="category", **QUICK).start(asked(), MODEL, RNG, idle)
    assert len(kept.keys) == 3  # type: ignore[arg-type]


def test_rows_of_a_task_weigh_as_its_source_says() -> None:
    group = Group("us", np.array([1, 3]), np.array([0, 1]), np.array([1.0, 3.0]))
    found = of_task(group, {"label": torch.arange(5)})
    assert found["label"].tolist() == [1, 3] and found["weight"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize("settings", [{"own": True}, {"width": 0}, {"tasks": 1}])
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected at least 2 tasks a step, a width"):
        Aml(**settings)


def test_an_artifact_of_another_kind_is_refused() -> None:
    given = asked()
    for model in (pretrained(given, MODEL, RNG), Linear()):
        fitted = Fitted(given.encoder, model)  # type: ignore[arg-type]
        source = Source("jp", None, frozenset({"fitted"}), fitted)
        alone = replace(given, sources=(source,)).encoded(Statistics.SOURCES)
        why = Aml().why_not(alone, MODEL)
        assert why == f"source 'jp' is a fitted {model.kind}, not attentive"
        both = replace(given, sources=(source, given.sources[0]))
        assert Aml().why_not(both, MODEL) == (
            "'jp' is a fitted model, which is used alone or not at all"
        )


def test_a_model_that_is_no_network_is_refused_with_an_artifact_too() -> None:
    given = asked()
    fitted = Fitted(given.encoder, Attentive())  # type: ignore[arg-type]
    source = Source("jp", None, frozenset({"fitted"}), fitted)
    alone = replace(given, sources=(source,))
    why = Aml().why_not(alone, Linear())
    assert why == "linear has no loss that could be differentiated twice: not a network"


def test_kinds_are_of_the_catalogue() -> None:
    assert Aml().kind == "aml" and Aml(masked=False).kind == "aml-unmasked"
    assert not Aml.unasked and not Aml.hands_on
    assert isinstance(Maml(), episodic.Episodic)
