"""CDAN: what the discriminator sees, what it may move, and how sure rows count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.sample import Rows
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.feature.adversarial import HIDDEN, discriminator, ramp
from acclimate.strategies.feature.aligning import Shape
from acclimate.strategies.feature.conditional import Cdan, multilinear, products, sureness
from tests.strategies.nets import MODEL, rows_view
from tests.strategies.test_adversarial import asked, double, slope

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)


def test_every_feature_meets_every_answer() -> None:
    f, g = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.25, 0.75]])
    seen = multilinear(Shape(3, 2, 1), RNG)(f, g)
    assert seen.tolist() == [[0.25, 0.5, 0.75, 0.75, 1.5, 2.25]]
    assert products(Shape(64, 64, 1)) == 4096 and products(Shape(64, 65, 1)) == 1024


def test_random_products_keep_inner_products_on_average() -> None:
    """⟨T(x), T(y)⟩ ≈ ⟨f, f'⟩⟨g, g'⟩, theorem 1 of the paper; it is exact for f ⊗ g."""
    g = torch.Generator().manual_seed(0)
    f = torch.randn(2, 64, generator=g)
    said = torch.softmax(torch.randn(2, 100, generator=g), 1)
    small = multilinear(Shape(64, 40, 1), RNG)(f, said[:, :40])
    wanted = float((f[0] @ f[1]) * (said[0, :40] @ said[1, :40]))
    assert float(small[0] @ small[1]) == pytest.approx(wanted, rel=1e-5)
    drawn = [multilinear(Shape(64, 100, 1), RNG.child(n))(f, said) for n in range(60)]
    found = np.array([float(each[0] @ each[0]) for each in drawn])
    wanted = float((f[0] @ f[0]) * (said[0] @ said[0]))
    assert abs(found.mean() - wanted) < 4 * found.std() / np.sqrt(60)
    assert found.std() < 0.3 * wanted


def test_sure_rows_count_up_to_two_and_unsure_ones_one_and_a_share() -> None:
    p = torch.tensor([[0.25] * 4, [1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    assert sureness(p).tolist() == pytest.approx([1.25, 2.0, 1.5])


def step_of(entropy: bool, strength: float = 1.0) -> tuple[Any, Any, Any, Any]:
    """Parameters, losses as a function of them and of progress, the network, and batches."""
    g = torch.Generator().manual_seed(0)
    model = MixedNetwork(width=5, dropout=0.0, hide=0.0)
    given = asked()
    fit = model.prepare(rows_view(given.view(given.fit)))
    theirs = model.prepare(rows_view(given.source_view(given.sources[0])))
    rows = {name: value[:30] for name, value in theirs.tensors.items()}
    rows |= {"market": torch.randint(3, (30,), generator=g)}
    rows |= {"weight": torch.rand(30, generator=g)}
    told_by = discriminator(10, 4, RNG)
    params = double(model.begin(fit, None, RNG) | told_by)
    batches = {"rows": double(rows), "target": double(dict(fit.tensors))}
    step = Cdan(strength=strength, entropy=entropy).against(model, Shape(5, 2, 2), RNG)

    def each(p: Any, progress: float) -> dict[str, Any]:
        return dict(step(p, batches, progress))

    return params, each, model, batches


def slow_domain_loss(params: Any, held: Any, model: Any, batches: Any, entropy: bool) -> float:
    """The discriminator's loss row by row; the answers are those of the parameters `held`."""
    total = 0.0
    for name, sign in (("rows", 1.0), ("target", -1.0)):
        batch = batches[name]
        features = model.features(params, batch)
        g = torch.softmax(model.head(held, model.features(held, batch)), 1)
        top, bottom = 0.0, 0.0
        for row in range(len(features)):
            w = 1.0
            if name == "rows":
                w = float(batch["weight"][row]) * (int(batch["market"][row]) > 0)
            if entropy:
                w *= 1 + float(np.exp(sum(float(p * np.log(p)) for p in g[row].tolist())))
            h = torch.outer(g[row], features[row]).flatten()
            score = params["domain.out.weight"] @ torch.nn.functional.gelu(
                params["domain.hidden.weight"] @ h + params["domain.hidden.bias"]
            )
            score = float(score + params["domain.out.bias"])
            top += w * float(np.log1p(np.exp(sign * score)))
            bottom += w
        total += top / bottom
    return total


@pytest.mark.parametrize("entropy", [False, True])
def test_the_loss_is_that_of_products_row_by_row(entropy: bool) -> None:
    params, each, model, batches = step_of(entropy)
    expected = slow_domain_loss(params, params, model, batches, entropy)
    assert float(each(params, 0.5)["domain"]) == pytest.approx(expected, rel=1e-9)
    plain = slow_domain_loss(params, params, model, batches, not entropy)
    assert abs(plain - expected) > 1e-5


@pytest.mark.parametrize("entropy", [False, True])
def test_gradients_go_where_the_answers_are_held(entropy: bool) -> None:
    """The body: label − λ·domain with g held.  The head: label alone."""
    params, each, model, batches = step_of(entropy, strength=0.4)
    factor = 0.4 * ramp(0.1)
    gradient = torch.func.grad(lambda p: sum(each(p, 0.1).values()))(params)

    def label(p: Any) -> Any:
        return each(p, 0.1)["label"]

    def domain(p: Any) -> float:
        return slow_domain_loss(p, params, model, batches, entropy)

    for name, at in (("hidden1.weight", (2, 1)), ("hidden2.bias", (3,)), ("codes.4", (2, 1))):
        held, free = (
            slope(domain, params, name, at),
            slope(lambda p: slow_domain_loss(p, p, model, batches, entropy), params, name, at),
        )
        expected = slope(label, params, name, at) - factor * held
        assert float(gradient[name][at]) == pytest.approx(expected, rel=1e-4, abs=1e-8)
        assert abs(held - free) > 1e-6, "a gradient through the answers would be seen"
    at = (1, 4)
    assert float(gradient["head.weight"][at]) == pytest.approx(
        slope(label, params, "head.weight", at), rel=1e-6
    )
    told = slope(domain, params, f"{HIDDEN}.weight", (1, 2))
    assert float(gradient[f"{HIDDEN}.weight"][1, 2]) == pytest.approx(told, rel=1e-4)


def test_two_entries_have_kinds_of_their_own() -> None:
    assert (Cdan().kind, Cdan(entropy=True).kind) == ("cdan", "cdan-e")
    assert replace(Cdan(entropy=True), entropy=False).kind == "cdan"


@pytest.mark.parametrize("entropy", [False, True])
def test_a_label_that_is_a_number_is_refused(entropy: bool) -> None:
    strategy, given = Cdan(entropy=entropy), asked()
    assert isinstance(given.fit, Rows)
    numbers = given.with_fit(replace(given.fit, classes=()))
    assert strategy.refuses(numbers, MODEL) == (
        f"the label is a number, and {strategy.kind} aligns by classes; dann does without"
    )
