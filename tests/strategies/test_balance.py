"""Balancing tasks: each formula by hand, against torchjd, and in a shared network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.network import Params
from acclimate.rng import Rng
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.multitask import balance as balances
from acclimate.strategies.multitask.balance import (
    BALANCES,
    Balance,
    GradNorm,
    balancing,
    cagrad,
    nash,
    pcgrad,
    uncertain,
    weighing,
)
from acclimate.strategies.multitask.balanced import BalancedSharing
from acclimate.strategies.multitask.sharing import HardSharing
from tests.strategies.nets import MODEL, changed, market, problem, scores

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
CONFLICT = np.array([[1.0, 0.0], [-1.0, 1.0]])
THREE = np.array([[1.0, 0.0, 0.5], [-1.0, 1.0, 0.0], [0.2, -0.6, 2.0]])


class InOrder:
    """A generator whose permutations are the order itself."""

    def permutation(self, n: int) -> Ints:
        return np.arange(n)


def generator() -> Any:
    return InOrder()


def gram(gradients: Array) -> Array:
    return np.asarray(gradients @ gradients.T)


def asked() -> Problem:
    return problem(market(80, 1), market(300, 2), market(200, 3))


# ── PCGrad ──────────────────────────────────────────────────────────────────────


def test_two_conflicting_gradients_are_projected_as_by_hand() -> None:
    """g₁·g₂ = −1: g₁ becomes g₁ + g₂/2 = (½, ½), and g₂ becomes g₂ + g₁ = (0, 1)."""
    weights = pcgrad(gram(CONFLICT), generator())
    assert weights.tolist() == [2.0, 1.5]
    assert (weights @ CONFLICT).tolist() == [0.5, 1.5]


def test_gradients_that_agree_are_left_alone() -> None:
    agree = np.array([[1.0, 0.0], [1.0, 1.0]])
    assert pcgrad(gram(agree), generator()).tolist() == [1.0, 1.0]


def test_each_projection_starts_from_the_one_before_it() -> None:
    """By hand, of the first: off the second (1,0)+(−1,1)/2 = (½,½), then off the third."""
    three = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
    first = np.array([0.5, 0.5]) + 0.5 * three[2]
    second = three[1] + three[0]  # off the first
    second = second + three[2]  # off the third: (0,1)·(0,−1) = −1
    third = three[2] + 0.5 * three[1]  # no conflict with the first; off the second
    # (−½, −½) conflicts with the first now, which was passed already.
    together = pcgrad(gram(three), generator()) @ three
    assert np.allclose(together, first + second + third)


def test_projections_agree_with_torchjd(monkeypatch: pytest.MonkeyPatch) -> None:
    aggregation = pytest.importorskip("torchjd.aggregation")
    monkeypatch.setattr(torch, "randperm", lambda n: torch.arange(n))
    for seed in range(5):
        gradients = np.random.default_rng(seed).normal(size=(4, 3))
        theirs = aggregation.PCGrad()(torch.from_numpy(gradients)).numpy()
        ours = pcgrad(gram(gradients), generator()) @ gradients
        assert np.allclose(ours, theirs, atol=1e-10)


# ── CAGrad ──────────────────────────────────────────────────────────────────────


def test_without_a_radius_the_gradients_are_summed() -> None:
    assert np.allclose(cagrad(gram(THREE), 0.0), 1.0)


def test_the_direction_is_that_of_torchjd() -> None:
    """Of torchjd 0.18 with Clarabel: CAGrad(c=c, norm_eps=1e-9)(J) in float64."""
    golden = {
        0.5: [0.010072959145611654, 0.519163221793629, 0.9979514250073758],
        0.8: [0.08232564107910294, 0.73575742915454, 1.1423748709314667],
    }
    for radius, direction in golden.items():
        ours = cagrad(gram(THREE), radius) @ THREE / 3
        assert np.allclose(ours, direction, atol=5e-5)


def test_the_worst_off_task_gains_most_within_the_ball() -> None:
    """The definition (eq. 1): max over ‖d − g₀‖ ≤ c‖g₀‖ of the least g_k·d, by brute force."""
    mean = CONFLICT.mean(0)
    reach = 0.5 * np.linalg.norm(mean)
    turn = np.linspace(0, 2 * np.pi, 20_001)
    ball = mean + reach * np.stack([np.cos(turn), np.sin(turn)], 1)
    best = (ball @ CONFLICT.T).min(1).max()
    ours = cagrad(gram(CONFLICT), 0.5) @ CONFLICT / 2
    assert (CONFLICT @ ours).min() == pytest.approx(best, abs=1e-6)


def test_where_gradients_cancel_no_direction_is_taken() -> None:
    opposed = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert np.allclose(cagrad(gram(opposed)), 0.0)
    assert np.linalg.norm(nash(gram(opposed)) @ opposed) < 1e-2


# ── Nash ────────────────────────────────────────────────────────────────────────


def test_every_task_gains_the_same_share() -> None:
    """G α = 1/α: each α_k g_k·d is 1, and ‖d‖² the number of tasks."""
    for gradients in (CONFLICT, THREE):
        alpha = nash(gram(gradients))
        assert np.allclose(gram(gradients) @ alpha * alpha, 1.0, atol=1e-4)
        assert np.sum((alpha @ gradients) ** 2) == pytest.approx(len(gradients), rel=1e-4)


def test_the_bargain_is_that_of_torchjd() -> None:
    """Of torchjd 0.18 with ECOS, as a unit vector: NashMTL(n, optim_niter=500)(J)."""
    direction = nash(gram(THREE)) @ THREE
    golden = [0.05826310501964081, 0.542137931384572, 0.8382671852980572]
    assert np.allclose(direction / np.linalg.norm(direction), golden, atol=1e-5)


def test_the_bargain_does_not_care_how_long_a_gradient_is() -> None:
    scale = np.array([[100.0], [1.0], [0.01]])
    assert np.allclose(nash(gram(THREE)) @ THREE, nash(gram(scale * THREE)) @ (scale * THREE))


def test_solvers_of_torchjd_agree_where_they_are_installed() -> None:
    pytest.importorskip("cvxpy", reason="torchjd's CAGrad and Nash-MTL need cvxpy")
    pytest.importorskip("ecos", reason="torchjd's Nash-MTL needs ecos")
    aggregation = pytest.importorskip("torchjd.aggregation")
    for seed in range(3):
        gradients = np.random.default_rng(seed).normal(size=(3, 5))
        given = torch.from_numpy(gradients)
        theirs = aggregation.CAGrad(c=0.5, norm_eps=1e-9)(given).numpy()
        assert np.allclose(cagrad(gram(gradients)) @ gradients / 3, theirs, atol=1e-4)
        theirs = aggregation.NashMTL(n_tasks=3, optim_niter=500)(given).numpy()
        ours = nash(gram(gradients)) @ gradients
        assert np.allclose(
            ours / np.linalg.norm(ours), theirs / np.linalg.norm(theirs), atol=1e-3
        )


# ── what weights are applied to ─────────────────────────────────────────────────


def test_shared_parameters_follow_the_weights_and_a_task_s_own_their_own() -> None:
    gradients: dict[str, Params] = {
        "rows": {"w": torch.tensor([1.0, 0.0]), "head": torch.tensor([3.0])},
        "task 1": {"w": torch.tensor([-1.0, 1.0]), "head": torch.tensor([0.0])},
        "leash": {"w": torch.tensor([10.0, 10.0]), "head": torch.tensor([0.5])},
    }
    tasks = ["rows", "task 1"]
    combine = weighing(lambda g: pcgrad(g, generator()), tasks, frozenset({"w"}))
    found = combine(gradients)
    assert found["w"].tolist() == [10.5, 11.5]  # (½, 1½) and the penalty, once
    assert found["head"].tolist() == [3.5]


def test_a_task_without_a_gradient_takes_no_part() -> None:
    gradients = {
        name: {"w": torch.tensor(values)}
        for name, values in {"rows": [1.0, 0.0], "a": [0.0, 0.0], "b": [-1.0, 1.0]}.items()
    }
    combine = weighing(nash, ["rows", "a", "b"], frozenset({"w"}))
    alpha = nash(gram(CONFLICT))
    assert np.allclose(combine(gradients)["w"].numpy(), alpha @ CONFLICT, atol=1e-6)


# ── weights of losses ───────────────────────────────────────────────────────────


def test_the_loss_under_uncertainty_is_that_of_the_paper() -> None:
    """exp(−s)·ℓ + share·s/2 of classes, half of the first of numbers; s = log σ²."""
    balanced = uncertain({"rows": 1.0, "task 1": 0.3}, ["task 1"])
    step = balanced.step(
        lambda params, batches, progress: {"rows": params["a"], "task 1": params["b"]}
    )
    params = {
        "a": torch.tensor(0.7),
        "b": torch.tensor(0.2),
        "uncertainty/rows": torch.tensor(0.4, requires_grad=True),
        "uncertainty/task 1": torch.tensor(-0.6, requires_grad=True),
    }
    losses = step(params, {}, 0.0)
    assert float(losses["rows"]) == pytest.approx(0.7 * np.exp(-0.4) + 0.2)
    assert float(losses["task 1"]) == pytest.approx(0.5 * 0.2 * np.exp(0.6) - 0.3 * 0.3)
    torch.stack([*losses.values()]).sum().backward()
    slopes = [params[f"uncertainty/{name}"].grad for name in ("rows", "task 1")]
    assert [float(each) for each in slopes] == pytest.approx(
        [-0.7 * np.exp(-0.4) + 0.5, -0.5 * 0.2 * np.exp(0.6) + 0.15]
    )


def test_the_best_variance_does_not_depend_on_the_share() -> None:
    """Of a task of mean loss 0.2 with numbers: σ² = 0.2, at s = log 0.2, whatever the share."""
    for share in (1.0, 0.3):
        balanced = uncertain({"rows": share}, ["rows"])
        s = torch.tensor(np.log(0.2), requires_grad=True)
        step = balanced.step(lambda *_, share=share: {"rows": torch.tensor(share * 0.2)})
        loss = step({"uncertainty/rows": s}, {}, 0.0)["rows"]
        assert float(torch.autograd.grad(loss, s)[0]) == pytest.approx(0.0, abs=1e-7)


def watched(norms: GradNorm, *values: float) -> None:
    tasks = dict(zip(norms.tasks, map(torch.tensor, values), strict=True))
    norms.step(lambda *_: dict(tasks))({}, {}, 0.0)


def test_gradnorm_s_targets_are_those_of_the_paper() -> None:
    """Losses fell to ½ and ¼ of the first: r = 4/3 and 2/3; mean norm (2 + 6)/2 = 4."""
    norms = GradNorm(("rows", "task 1"), frozenset({"w"}))
    watched(norms, 1.0, 8.0)
    watched(norms, 0.5, 2.0)
    assert norms.targets(np.array([2.0, 6.0])) == pytest.approx(
        [4 * (4 / 3) ** 1.5, 4 * (2 / 3) ** 1.5]
    )


def test_gradnorm_s_weights_step_towards_the_targets_and_sum_to_the_tasks() -> None:
    norms = GradNorm(("rows", "task 1"), frozenset({"w"}))
    watched(norms, 1.0, 8.0)
    watched(norms, 0.5, 2.0)
    # |2 − 6.16| falls as the first weight grows, |6 − 2.18| as the second shrinks.
    moved = np.array([1 + 0.025 * 2 / 4, 1 - 0.025 * 6 / 4])
    assert norms.after(np.array([2.0, 6.0])) == pytest.approx(2 * moved / moved.sum())


def test_gradnorm_reads_the_last_shared_layer_and_weighs_everything() -> None:
    norms = GradNorm(("rows", "task 1"), frozenset({"w"}))
    watched(norms, 1.0, 1.0)
    norms.weights = np.array([1.5, 0.5])
    given = {
        "rows": {"w": torch.tensor([3.0, 4.0]), "v": torch.tensor([100.0])},
        "task 1": {"w": torch.tensor([0.0, 1.0]), "v": torch.tensor([0.0])},
    }
    found = norms.combine(given)
    assert found["w"].tolist() == [4.5, 6.5] and found["v"].tolist() == [150.0]
    before = GradNorm(("rows", "task 1"), frozenset({"w"}))
    watched(before, 1.0, 1.0)
    before.weights = np.array([1.5, 0.5])
    assert norms.weights == pytest.approx(before.after(np.array([5.0, 1.0])))


# ── in training ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("balance", [each for each in BALANCES if each != "equal"])
def test_a_balance_changes_what_is_learned_and_nothing_of_a_single_task(
    balance: Balance,
) -> None:
    given = asked()
    plain = HardSharing().adapt(given, MODEL, RNG)
    ours = HardSharing(balance=balance)
    fitted = ours.adapt(given, MODEL, RNG)
    assert changed(plain, fitted)
    assert not changed(fitted, ours.adapt(given, MODEL, RNG))
    assert scores(fitted, given, market(20, 9)).shape == (20, 2)
    alone = TargetOnly().adapt(given, MODEL, RNG)
    assert not changed(alone, replace(ours, others=0.0).adapt(given, MODEL, RNG))


@pytest.mark.parametrize("balance", BALANCES)
def test_the_entry_of_the_catalogue_tries_every_balance_once(balance: Balance) -> None:
    tried = [each.balance for each in BalancedSharing().grid(asked())]  # type: ignore[attr-defined]
    assert tried.count(balance) == (balance != "equal")


def test_its_tasks_are_labels_where_there_are_others() -> None:
    with_labels = problem(market(80, 1, also=True), market(300, 2, also=True))
    names = [lesson.name for lesson in BalancedSharing().lessons(with_labels)]
    assert names == ["label", "size", "gift"]
    assert [each.name for each in BalancedSharing().lessons(asked())] == ["jp", "us", "de"]


def test_an_unknown_balance_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StrategyError, match=r"balance among equal, uncertainty.*found 'fair'"):
        HardSharing(balance="fair")  # type: ignore[arg-type]


def test_one_task_alone_needs_no_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balances, "GradNorm", None)
    shares = {"rows": 1.0, "task 1": 0.0}
    options: dict[str, Any] = {"shared": [], "upper": [], "numbers": []}
    for balance in BALANCES:
        found = balancing(balance, shares, rng=RNG, **options)
        assert found.combine is None and not found.beside
