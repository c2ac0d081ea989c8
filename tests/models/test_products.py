"""Products through oneDNN beside PyTorch's own: values, derivatives and `torch.func`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from acclimate.models import products
from acclimate.models.layers import rows_at
from acclimate.models.products import dense

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")
F = torch.nn.functional


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    """x, W and b, on which every product counts as large."""
    monkeypatch.setattr(products, "LARGE", 1)
    if products._apply() is None:
        pytest.skip("this PyTorch is built without oneDNN")
    generator = torch.Generator().manual_seed(0)
    shapes = ((40, 12), (9, 12), (9,))
    x, weight, bias = (torch.randn(each, generator=generator) for each in shapes)
    return x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


def test_a_dense_layer_and_its_derivatives_are_those_of_pytorch(given: Any) -> None:
    """Exact within rounding: the worst error of 12 products in float32 is 12 · 2⁻²⁴ each."""
    slope = torch.linspace(-1, 1, 40 * 9).reshape(40, 9)
    found = [dense(*given), *torch.autograd.grad((dense(*given) * slope).sum(), given)]
    wanted = [F.linear(*given), *torch.autograd.grad((F.linear(*given) * slope).sum(), given)]
    assert type(found[0].grad_fn).__name__ == "ProductBackward"
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5, rtol=1e-5)


def test_rows_with_gaps_and_turned_weights_are_read_right(given: Any) -> None:
    x, weight, bias = (each.detach() for each in given)
    wide = torch.randn(40, 36)[:, 12:24]
    assert torch.allclose(dense(wide, weight, bias), F.linear(wide, weight, bias), atol=1e-5)
    turned = weight.T.contiguous().T
    assert torch.allclose(dense(x, turned, bias), F.linear(x, weight, bias), atol=1e-5)


def test_second_derivatives_are_those_of_pytorch(given: Any) -> None:
    x, weight, bias = given

    def twice(layer: Any) -> Any:
        (first,) = torch.autograd.grad(
            layer(x, weight, bias).sin().sum(), [weight], create_graph=True
        )
        return torch.autograd.grad(first.square().sum(), [x, weight, bias])

    for ours, theirs in zip(twice(dense), twice(F.linear), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-3, rtol=1e-4)


def test_tasks_side_by_side_are_those_one_by_one(given: Any) -> None:
    """`vmap` of a gradient, as meta-learning takes it: each task its own rows and weights."""
    _, weight, bias = (each.detach() for each in given)
    xs = torch.randn(3, 40, 12)
    weights = torch.stack([weight, 2 * weight, -weight])

    def slope(layer: Any) -> Any:
        return torch.func.grad(lambda w, x: layer(x, w, bias).sin().sum())

    found = torch.func.vmap(slope(dense))(weights, xs)
    for ours, w, x in zip(found, weights, xs, strict=True):
        assert torch.allclose(ours, slope(F.linear)(w, x), atol=1e-4)


def test_small_products_and_other_numbers_stay_with_pytorch() -> None:
    x, weight, bias = torch.randn(5, 4), torch.randn(3, 4), torch.randn(3)
    assert torch.equal(dense(x, weight, bias), F.linear(x, weight, bias))
    exact = [each.double() for each in (x, weight, bias)]
    assert dense(*exact).dtype == torch.float64


def test_rows_of_a_table_have_the_gradient_of_an_embedding() -> None:
    """The same numbers added in the same order: equal to the last bit."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(30, 8, generator=generator).requires_grad_()
    at = torch.from_numpy(np.random.default_rng(0).integers(0, 30, (500, 4)))
    slope = torch.randn(500, 4, 8, generator=generator)
    ours, theirs = rows_at(table, at), F.embedding(at, table)
    assert torch.equal(ours, theirs)
    found = [torch.autograd.grad((each * slope).sum(), table)[0] for each in (ours, theirs)]
    assert torch.equal(*found)
