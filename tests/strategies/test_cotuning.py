"""Co-Tuning: how labels are related, what both heads cost, and what begins where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Ints
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.source import Derived, Source
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import take_rows
from acclimate.models.linear import Linear
from acclimate.models.network import Trainable
from acclimate.rng import Rng
from acclimate.strategies.relation import cotuning
from acclimate.strategies.relation.cotuning import (
    CoTuning,
    relation,
    taught,
    temperature,
    tempered,
    told,
)
from tests.strategies.nets import MODEL, market, problem, with_also

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(6)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cotuning, "_TAUGHT", Derived())


def asked() -> Problem:
    return problem(market(60, 1), market(300, 2, also=True), on=Statistics.SOURCES)


def tensors(model: Any) -> dict[str, Any]:
    return dict(model.state().tensors)


def same(ours: Any, theirs: Any) -> bool:
    pairs = ((value, tensors(theirs)[name]) for name, value in tensors(ours).items())
    return all(np.array_equal(a, b) for a, b in pairs)


def test_the_relation_is_the_mean_answer_over_the_rows_of_each_class_by_hand() -> None:
    p = np.array([[0.8, 0.2, 0.0], [0.4, 0.2, 0.4], [0.0, 0.5, 0.5]])
    found = relation(p, np.array([1, 1, 0]), 3)
    # Class 2 has no row: the mean of all three.
    expected = [[0.0, 0.5, 0.5], [0.6, 0.2, 0.2], [0.4, 0.3, 0.3]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_tempering_divides_scores() -> None:
    p = np.array([[0.2, 0.8], [0.5, 0.5], [0.0, 1.0]])
    # Odds of 4 to 1 become 2 to 1 under the root.
    np.testing.assert_allclose(tempered(p, 2.0)[:2], [[1 / 3, 2 / 3], [0.5, 0.5]], rtol=1e-12)
    assert np.isfinite(tempered(p, 0.05)).all()


def test_the_temperature_takes_back_what_scores_were_multiplied_by() -> None:
    g = np.random.default_rng(0)
    right = g.dirichlet(np.ones(3), 4000)
    label = np.array([g.choice(3, p=each) for each in right])
    # Scores three times too large, and twice too small; the grid has steps of 5 %.
    assert temperature(tempered(right, 1 / 3), label) == pytest.approx(3.0, rel=0.12)
    assert temperature(tempered(right, 2.0), label) == pytest.approx(0.5, rel=0.12)
    assert temperature(right[:0], label[:0]) == 1.0


def test_a_fifth_of_the_rows_is_kept_from_the_network_for_its_temperature() -> None:
    parts: list[set[int]] = []

    def watched(view: RowView, rows: Ints) -> RowView:
        parts.append({int(each) for each in rows})
        return take_rows(view, rows)

    given = asked()
    weight = (np.arange(300) >= 50).astype(float)  # the first fifty are as good as removed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cotuning, "take_rows", watched)
        _, heat = taught(given.with_sources([given.sources[0].weighed(weight)]), MODEL, RNG)
    learned, held = parts
    assert heat > 0 and not learned & held and len(held) == 50
    assert learned | held == set(range(50, 300))


def test_both_losses_are_those_of_the_paper_by_hand() -> None:
    given = asked()
    start, _ = taught(given, MODEL, RNG)
    prepared = MODEL.prepare(given.view(given.fit))  # type: ignore[arg-type]
    params = MODEL.begin(prepared, None, RNG)
    before = {f"before/{name}": start.parameters()[name] for name in MODEL.heads()}
    related = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    step = CoTuning(strength=2.5).both(MODEL, torch.tensor(related, dtype=torch.float32))
    losses = step({**params, **before}, {"rows": prepared.tensors}, 0.0)

    features = MODEL.features(params, prepared.tensors)
    theirs = MODEL.head(start.parameters(), features).detach().numpy().astype(float)
    scores = theirs - np.log(np.exp(theirs).sum(axis=1, keepdims=True))
    label = prepared.tensors["label"].numpy()
    expected = -2.5 * (related[label] * scores).sum(axis=1).mean()
    assert float(losses["before"]) == pytest.approx(expected, rel=1e-5)
    plain = MODEL.loss(params, prepared.tensors)
    assert float(losses["label"]) == pytest.approx(float(plain), rel=1e-6)


def test_it_begins_with_the_body_that_the_sources_taught_under_a_fresh_head() -> None:
    given = asked()
    # Two classes on both sides: a head that could be taken over, and means something else.
    source = given.sources[0]
    assert isinstance(source.held, Rows) and source.held.also is not None
    only = replace(source.held, also=source.held.also.select("gift"))
    given = given.with_sources([Source("us", only)])
    found = told(given)
    assert found == ("gift", ("0", "1"))
    start, _ = taught(given, MODEL, RNG)
    stood = tensors(CoTuning(epochs=0).adapt(given, MODEL, RNG))
    before = tensors(start)
    assert all(np.array_equal(stood[name], before[name]) for name in start.body())
    assert not np.array_equal(stood["head.weight"], before["head.weight"])


def test_the_strength_is_what_the_head_of_the_sources_pulls_with() -> None:
    given = asked()
    none, some = (CoTuning(strength=s).adapt(given, MODEL, RNG) for s in (0.0, 1.0))
    assert not same(none, some)
    # Without a pull the relation is nothing to the network: neither are tempers.
    silent = CoTuning(strength=0.0)
    hot = taught(given, MODEL, RNG)[0]
    assert isinstance(hot, Trainable)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cotuning, "relation", lambda p, label, n: np.full((n, 3), 1 / 3))
        assert same(none, silent.adapt(given, MODEL, RNG))
        assert not same(some, CoTuning(strength=1.0).adapt(given, MODEL, RNG))


def test_other_labels_of_the_target_are_not_read() -> None:
    given = asked()
    assert isinstance(given.fit, Rows)
    sizes = pl.DataFrame({"size": ["l", "m"] * 30})
    other = given.with_fit(replace(given.fit, also=sizes))
    assert same(CoTuning().adapt(given, MODEL, RNG), CoTuning().adapt(other, MODEL, RNG))


def test_rows_whose_other_label_is_unknown_or_rare_teach_nothing() -> None:
    given = asked()
    source = given.sources[0].sample
    assert isinstance(source, Rows) and source.also is not None
    sizes = [*source.also["size"].to_list()[:-2], None, "once"]
    assert told(given.with_sources([Source("us", with_also(source, "size", sizes))])) == (
        "size",
        ("l", "m", "s"),
    )


def test_what_co_tuning_cannot_relate_is_refused() -> None:
    given = asked()
    why = CoTuning().why_not(given, Linear())
    assert why == "linear has no body that two heads could share: not a network"
    bare = problem(market(60, 1), market(300, 2), on=Statistics.SOURCES)
    why = CoTuning().why_not(bare, MODEL)
    assert why == "no other label of the sources' rows has two values that recur"
    assert isinstance(given.fit, Rows)
    numbers = replace(given.fit, classes=(), label=np.arange(60.0))
    why = CoTuning().why_not(given.with_fit(numbers), MODEL)
    assert why == "it relates classes to classes, and the label is a number"
    with pytest.raises(StrategyError, match="strength of at least 0 and a rate above 0, found"):
        CoTuning(strength=-1.0)
