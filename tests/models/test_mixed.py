"""The network over mixed columns: what strategies may rely on."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Network, State, Weighted
from acclimate.models.network import Stream, Trainable
from acclimate.rng import Rng
from tests.models.rings import rings

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(7)
QUICK = MixedNetwork(epochs=2)  # where how long it learns is not what is said


def fit(model: MixedNetwork, view: RowView, rng: Rng = RNG, **options: Any) -> MixedNetwork:
    return model.fit(model.prepare(view), rng=rng, **options)


def accuracy(model: MixedNetwork, view: RowView) -> float:
    assert view.label is not None
    return float((model.predict(view).p.argmax(1) == view.label).mean())


def test_network_is_what_strategies_ask_for() -> None:
    model = MixedNetwork()
    assert isinstance(model, Network) and isinstance(model, Weighted)
    assert isinstance(model, Trainable)
    assert 1 < len(model.grid()) <= 4 and model.grid()[0] == model


def test_network_separates_rings_that_no_line_can() -> None:
    def few(view: RowView) -> RowView:
        return replace(view, codes=view.codes[:, [0, 3]], levels=(3, 12))

    train_view, test_view = few(rings(1500, 1)), few(rings(2000, 2))
    label = test_view.label
    assert label is not None and train_view.label is not None
    design = np.column_stack([train_view.numeric, np.ones(1500)])
    line = np.linalg.lstsq(design, train_view.label - 0.5, rcond=None)[0]
    linear = ((np.column_stack([test_view.numeric, np.ones(2000)]) @ line > 0) == label).mean()
    network = accuracy(fit(MixedNetwork(epochs=20), train_view), test_view)
    assert linear < 0.65
    assert network > 0.9


def codes_of_forty_columns(n: int, seed: int) -> RowView:
    """Forty category columns, eight of which shift the label; the rest is noise."""
    g = np.random.default_rng(seed)
    effects = np.random.default_rng(99).normal(size=(8, 8))
    codes = g.integers(0, 8, (n, 40))
    scores = 1.2 * sum(effects[column][codes[:, column]] for column in range(8))
    label = (scores + g.logistic(size=n) > 0).astype(np.int64)
    return RowView(np.zeros((n, 0)), codes, (8,) * 40, None, label, 2)


def reviews(n: int, seed: int) -> RowView:
    """TF-IDF of 80 terms of 4,000, rare ones heavier; 300 of the common ones tell."""
    import scipy.sparse as sp

    g = np.random.default_rng(seed)
    chance = 1 / (np.arange(4000) + 20.0)
    tells = np.random.default_rng(99).permutation(600)[:300]
    lean = np.zeros(4000)
    lean[tells[:150]], lean[tells[150:]] = 0.6, -0.6
    label = g.integers(0, 2, n)
    counts = []
    for sign in (-1, 1):
        p = chance * np.exp(sign * lean)
        counts.append(g.multinomial(80, p / p.sum(), n) > 0)
    seen = np.where(label[:, None] == 1, counts[1], counts[0])
    weights = seen * -np.log(chance / chance.sum())
    weights = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    padded = sp.csr_array(sp.hstack([weights, sp.csr_array((n, 2**17 - 4000))]))
    return RowView(np.zeros((n, 0)), np.zeros((n, 0), int), (), padded, label, 2)


def log_loss(model: Any, train: RowView, test: RowView) -> float:
    p = model.fit(model.prepare(train), rng=RNG).predict(test).p
    return float(-np.log(p[np.arange(test.n), test.label]).mean())


@pytest.mark.parametrize(
    ("made", "n", "penalty"),
    [(codes_of_forty_columns, 2000, 5.0), (reviews, 400, 0.2)],
    ids=["categories", "text"],
)
def test_default_network_is_near_a_linear_model_where_that_is_right(
    made: Callable[[int, int], RowView], n: int, penalty: float
) -> None:
    train, test = made(n, 1), made(2000, 2)
    linear = log_loss(Linear(penalty), train, test)
    assert linear < 0.55  # of log 2 = 0.69: there is something to learn
    assert log_loss(MixedNetwork(), train, test) < 1.1 * linear


def test_text_that_says_it_all_is_read() -> None:
    model = fit(MixedNetwork(), rings(400, 1, text=True))
    assert accuracy(model, rings(400, 2, text=True)) > 0.97


def test_probabilities_sum_to_one_and_follow_the_rows() -> None:
    view = rings(300, 1)
    model = fit(QUICK, view)
    p = model.predict(view).p
    assert p.shape == (300, 2)
    assert np.allclose(p.sum(1), 1.0, atol=1e-12)
    some = replace(view, numeric=view.numeric[9:11], codes=view.codes[9:11], label=None)
    assert np.allclose(model.predict(some).p, p[9:11], atol=1e-6)
    assert model.embed(some).shape == (2, 64)


def test_same_key_same_scores_whatever_the_threads() -> None:
    view = rings(300, 1, text=True)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        first = fit(QUICK, view).predict(view).p
        torch.manual_seed(99)
        torch.set_num_threads(1)
        again = fit(QUICK, view).predict(view).p
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, fit(QUICK, view, RNG.child(1)).predict(view).p)


def test_rows_of_weight_zero_are_as_good_as_removed() -> None:
    view = rings(300, 1, text=True)
    kept = np.flatnonzero(np.arange(300) % 3 > 0)
    assert view.sparse is not None and view.label is not None
    fewer = replace(
        view,
        numeric=view.numeric[kept],
        codes=view.codes[kept],
        sparse=view.sparse[kept],
        label=view.label[kept],
    )
    weighted = fit(QUICK, view, weight=(np.arange(300) % 3 > 0) * 1.0)
    removed = fit(QUICK, fewer)
    assert np.array_equal(weighted.predict(view).p, removed.predict(view).p)


def test_weights_count_like_copies_of_a_row() -> None:
    view = rings(60, 1)
    assert view.label is not None
    model = MixedNetwork(dropout=0.0, hide=0.0)  # full batches: nothing random is left
    twice = np.r_[np.arange(60), np.arange(20)]
    copies = replace(
        view, numeric=view.numeric[twice], codes=view.codes[twice], label=view.label[twice]
    )
    weighted = fit(model, view, weight=np.where(np.arange(60) < 20, 2.0, 1.0))
    assert np.allclose(weighted.predict(view).p, fit(model, copies).predict(view).p, atol=1e-3)
    assert not np.allclose(
        weighted.predict(view).p, fit(model, view).predict(view).p, atol=1e-3
    )


def test_network_with_zero_epochs_gives_its_start_exactly() -> None:
    view = rings(200, 1)
    source = fit(QUICK, view)
    still = fit(MixedNetwork(epochs=0), rings(100, 2), start=source)
    assert np.array_equal(still.predict(view).p, source.predict(view).p)


def test_start_with_other_classes_gives_its_body_and_a_fresh_head() -> None:
    source = fit(QUICK, rings(200, 1))
    more = replace(rings(200, 1), n_classes=3)
    still = fit(MixedNetwork(epochs=0), more, start=source)
    assert np.array_equal(still.embed(more), source.embed(more))
    assert still.predict(more).p.shape == (200, 3)


def test_start_of_another_shape_is_refused() -> None:
    source = fit(MixedNetwork(width=16), rings(100, 1))
    with pytest.raises(StrategyError, match=r"body of shape .* same width"):
        fit(QUICK, rings(100, 1), start=source)


@pytest.mark.parametrize("text", [False, True])
def test_state_round_trip_is_exact_in_whatever_order_tensors_come(text: bool) -> None:
    view = rings(200, 1, text)
    model = fit(QUICK, view)
    state = model.state()
    tensors = dict(reversed(list(state.tensors.items())))
    back = MixedNetwork.restore(State(state.kind, json.loads(json.dumps(state.meta)), tensors))
    assert np.array_equal(back.predict(view).p, model.predict(view).p)
    assert back == model and back.body() == model.body()
    assert all(isinstance(value, np.ndarray) for value in state.tensors.values())


def test_layers_hold_every_parameter_once() -> None:
    model = fit(MixedNetwork(epochs=0), rings(50, 1, text=True))
    names = [name for layer in model.layers() for name in layer]
    assert len(names) == len(set(names))
    assert set(names) == model.body() | model.heads() == set(model.parameters())


def test_inputs_are_left_unchanged() -> None:
    view = rings(200, 1, text=True)
    numeric, codes = view.numeric.copy(), view.codes.copy()
    weight = np.linspace(0, 2, 200)
    source = fit(QUICK, view)
    before = {name: value.copy() for name, value in source.state().tensors.items()}
    fit(QUICK, view, weight=weight, start=source)
    assert np.array_equal(view.numeric, numeric) and np.array_equal(view.codes, codes)
    assert np.array_equal(weight, np.linspace(0, 2, 200))
    after = source.state().tensors
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_single_class_and_absent_columns_work() -> None:
    view = rings(40, 1)
    one = replace(view, label=np.ones(40, np.int64))
    p = fit(QUICK, one).predict(one).p
    assert (p[:, 1] > 0.9).all()
    bare = RowView(
        np.zeros((40, 0)), np.zeros((40, 0), np.int64), (), None, view.label, 2
    )  # nothing to go by: the share of the classes
    assert view.label is not None
    p = fit(MixedNetwork(epochs=40, dropout=0.0), bare).predict(bare).p
    assert np.allclose(p[:, 1], view.label.mean(), atol=0.02)


def test_one_row_and_no_query_row_work() -> None:
    view = rings(1, 1)
    model = fit(QUICK, view)
    none = replace(view, numeric=view.numeric[:0], codes=view.codes[:0], label=None)
    assert model.predict(none).p.shape == (0, 2)
    assert np.isfinite(model.predict(view).p).all()


def test_steps_are_fifty_a_pass_at_least_and_bounded() -> None:
    model = MixedNetwork(epochs=6)

    def steps(n: int) -> int:
        return model.steps(Stream({"x": torch.zeros(n, 1)}, 256))

    assert steps(150) == 300
    assert steps(40_000) == 6 * 157
    assert steps(1_000_000) == 3000
    assert replace(model, epochs=0).steps(Stream({"x": torch.zeros(9, 1)}, 256)) == 0


def test_tick_that_raises_ends_the_fit() -> None:
    calls = []

    def tick() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        fit(MixedNetwork(epochs=50), rings(300, 1), tick=tick)
    assert len(calls) == 3


def test_rows_without_labels_or_weight_are_refused() -> None:
    view = rings(20, 1)
    with pytest.raises(StrategyError, match="rows without labels"):
        fit(QUICK, replace(view, label=None))
    with pytest.raises(StrategyError, match="all zero"):
        fit(QUICK, view, weight=np.zeros(20))
    empty = replace(
        view, numeric=view.numeric[:0], codes=view.codes[:0], label=np.zeros(0, np.int64)
    )
    with pytest.raises(StrategyError, match="at least one labelled row"):
        fit(QUICK, empty)


def test_query_of_other_columns_is_refused() -> None:
    view = rings(20, 1)
    model = fit(QUICK, view)
    with pytest.raises(StrategyError, match="Expected a view with"):
        model.predict(replace(view, levels=(3, 70, 300, 13)))


def test_without_torch_the_network_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None: ...

    assert MixedNetwork().why_not() is None
    monkeypatch.setattr("acclimate.models.network.find_spec", missing)
    assert importlib.util.find_spec("torch") is not None
    why = MixedNetwork().why_not()
    assert why is not None and 'pip install "acclimate[deep]"' in why


def test_importing_networks_and_strategies_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, acclimate.strategies.parameter.l2sp, acclimate.models.mixed; "
        "from acclimate.models.mixed import MixedNetwork; MixedNetwork().grid(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
