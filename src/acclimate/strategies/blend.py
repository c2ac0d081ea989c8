"""A blend: a model of each source and the target's own, mixed by how well they explain it.

    maximise  Σ_i log Σ_m w_m p_m(c_i | x_i)   over w ≥ 0, Σ w = 1

on target rows that no member was fitted on: the target's own model answers by folds,
the sources' never saw a target row.  The maximum is found by EM for mixture weights
(Dempster, Laird & Rubin 1977); the objective is concave, so it is the only one.

Of numbers the mixture is that of least squares, Σ_i (y_i − Σ_m w_m ŷ_m(x_i))² over the
same weights (stacking: Breiman, Machine Learning 24, 1996, with weights that sum to 1).

Then harmful members go: while leaving a source out costs less than one standard
error of the difference, the one that costs least is dropped.  Every member sees rows
through its own encoder, so that a source may be an artifact whose rows nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import positions
from acclimate.domains.moved import Several
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows, spread
from acclimate.domains.source import Source
from acclimate.domains.view import RowView, View, Views
from acclimate.errors import StrategyError
from acclimate.models.design import take_rows
from acclimate.models.ensemble import LEAST, Ensemble, content
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.given import serves_fitted
from acclimate.strategies.seen import teaches_nothing
from acclimate.strategies.strategy import Adapt

STEPS = 200
FEW = 10


@dataclass(frozen=True)
class Blend(Adapt):
    """Mix fitted models by evidence, and leave out those that harm.

    folds   ≥ 2, of the target, for the answers of its own model
    errors  ≥ 0, standard errors that leaving a source out must cost for it to stay
    """

    folds: int = 5
    errors: float = 1.0

    kind: ClassVar[str] = "blend"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.EACH
    complexity: ClassVar[int] = 3
    hands_on: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.folds < 2 or not self.errors >= 0:
            raise StrategyError(
                f"Expected at least 2 folds and errors of at least 0, found {self.folds} and "
                f"{self.errors}."
            )

    def why_not_source(self, source: Source) -> str | None:
        return None if serves_fitted(source) else super().why_not_source(source)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if model.form != "rows":
            what = "spans" if model.form == "tokens" else "rankings"
            return f"{model.kind} answers with {what}, and only probabilities are mixed"
        if not isinstance(problem.fit, Rows) or problem.fit.n < FEW:
            return f"the target has fewer than {FEW} labelled rows to weigh members by"
        if problem.fit.units().max() < FEW - 1:
            return f"the target's rows are of fewer than {FEW} entities to weigh members by"
        for source in problem.sources:
            if source.fitted is None:
                if (why := teaches_nothing(problem.with_sources([source]))) is not None:
                    return why
                continue
            classes = tuple(source.fitted.encoder.classes)
            if classes != problem.fit.classes:
                return (
                    f"source {source.name!r} tells apart {', '.join(classes)}, and the target "
                    f"{', '.join(problem.fit.classes)}"
                )
        return None

    def models(self, model: Model) -> tuple[Model, ...]:
        """Three settings, spread over its grid: each is fitted for every member."""
        grid = model.grid()
        return tuple(dict.fromkeys((grid[0], grid[len(grid) // 2], grid[-1])))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        fit, encoder = problem.fit, problem.encoder
        assert isinstance(fit, Rows) and fit.label is not None and isinstance(encoder, Several)
        seen = problem.view(fit)
        assert isinstance(seen, Views)
        sees = [encoder.names.index(s.name) for s in problem.sources]
        own, members, answers = seen.parts[0], list[Model](), list[Array]()
        fold = spread(fit.units(), fit.label, self.folds, rng.child("folds"))
        answers.append(blind_answers(model, own, fold, rng.child("target"), tick))
        members.append(_fitted(model, own, rng.child("target"), tick))
        for at, source in zip(sees, problem.sources, strict=True):
            tick()
            if source.fitted is not None:
                member: Model = source.fitted.model
            else:
                theirs = source.view or encoder.parts[at].encode(source.sample)
                member = _fitted(
                    model, theirs, rng.child(source.name), tick, weight=source.weight
                )
            members.append(member)
            answers.append(_answer(member, seen.parts[at]))
        if fit.numbers:
            away = np.column_stack([fit.label - y for y in answers])
            weights = least_wrong(away, fit.units(), self.errors)
        else:
            true = positions(fit.label)
            right = np.column_stack([p[np.arange(fit.n), true] for p in answers])
            weights = evidence(right, fit.units(), self.errors)
        return Ensemble(tuple(members), tuple(weights.tolist()), (0, *sees))


def evidence(right: Array, units: Ints, errors: float = 1.0) -> Array:
    """What each member's answers are worth; those that harm are worth 0.

    right    (n, m) probability that member m gave to the true class of row i; member 0 is
             the target's own and stays.  Below LEAST counts as LEAST
    units    (n,) the independent unit of each row
    errors   ≥ 0, standard errors that leaving a member out must cost for it to stay
    returns  (m,) ≥ 0, sum 1
    """
    right = np.maximum(right, LEAST)
    return _kept(right, units, errors, mixture, lambda p: -np.log(p))


def least_wrong(away: Array, units: Ints, errors: float = 1.0) -> Array:
    """`evidence` of numbers: what each member is worth by squared error.

    away     (n, m) y minus what member m answered to row i; member 0 is the target's own
    returns  (m,) ≥ 0, sum 1
    """
    return _kept(away, units, errors, least_squares, np.square)


def _kept(
    answers: Array,
    units: Ints,
    errors: float,
    mix: Callable[[Array], Array],
    loss: Callable[[Array], Array],
) -> Array:
    """The weights of `mix` once members have gone that leaving out costs too little.

    answers  (n, m) of members, such that a mixture's loss is that of their weighted mean
    """
    kept = list(range(answers.shape[1]))
    while len(kept) > 1:
        whole = loss(answers[:, kept] @ mix(answers[:, kept]))
        costs = []
        for member in kept[1:]:
            rest = [each for each in kept if each != member]
            more = loss(answers[:, rest] @ mix(answers[:, rest])) - whole
            each = np.bincount(units, more)
            error = float(each.std(ddof=1) * np.sqrt(len(each))) if len(each) > 1 else np.inf
            costs.append((float(each.sum()) - errors * error, member))
        cost, least = min(costs)
        if cost > 0:
            break
        kept.remove(least)
    weights = np.zeros(answers.shape[1])
    weights[kept] = mix(answers[:, kept])
    return weights


def least_squares(away: Array) -> Array:
    """(m,) the weights ≥ 0 with sum 1 under which Σ_i (Σ_m w_m away_im)² is least.

    away  (n, m)

    With u ≥ 0 of any sum, ‖away·u‖² + c²(Σu − 1)² is least at a multiple of those weights,
    whatever c > 0 is: for u = t·w the best t leaves c²‖away·w‖² / (c² + ‖away·w‖²), which
    grows with ‖away·w‖.
    """
    from scipy.optimize import nnls

    scale = float(np.sqrt((away**2).sum() / away.shape[1]))
    if scale == 0:
        return np.full(away.shape[1], 1 / away.shape[1])
    # ‖away·u‖ is that of the triangle, which has as many rows as members.
    triangle = np.linalg.qr(away / scale, mode="r")
    found, _ = nnls(
        np.vstack([triangle, np.ones(away.shape[1])]), np.eye(len(triangle) + 1)[-1]
    )
    weights: Array = found / found.sum()
    return weights


def mixture(right: Array) -> Array:
    """(m,) the weights under which the mixture makes the true classes likeliest, by EM.

    right  (n, m) > 0
    """
    weights = np.full(right.shape[1], 1 / right.shape[1])
    for _ in range(STEPS):
        shares = right * weights
        after = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(after - weights).max() < 1e-7:
            break
        weights = after
    return weights


def blind_answers(model: Model, view: RowView, fold: Ints, rng: Rng, tick: Tick) -> Array:
    """(n, n_classes), or (n,) numbers, for each row by a model fitted on the other folds."""
    p = np.empty(view.n if view.numbers else (view.n, view.n_classes))
    for each in range(int(fold.max(initial=0)) + 1):
        tick()
        rest = take_rows(view, np.flatnonzero(fold != each))
        asked = np.flatnonzero(fold == each)
        p[asked] = _answer(_fitted(model, rest, rng, tick), take_rows(view, asked))
    return p


def _fitted(
    model: Model, view: View, rng: Rng, tick: Tick, weight: Array | None = None
) -> Model:
    return model.fit(model.prepare(view), weight=weight, rng=rng, tick=tick)


def _answer(model: Model, view: RowView) -> Array:
    return content(model.predict(view))
