"""What the contract is checked on: every entry of the catalogue, on tiny made markets.

Models are the catalogue's own with less of everything that takes time; what a
contract says holds for any setting.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case, Numbers, Prediction, Probabilities, Ranking, Spans
from acclimate.domains.problem import Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.schema import ColumnType, Schema, TableSchema
from acclimate.domains.source import Derived
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.domains.tokenview import TokenRecipe
from acclimate.models.model import Model
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import MODELS, STRATEGIES
from acclimate.strategies.chain import Chain
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.strategy import Strategy
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.regress import Regress
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Posed, Task
from tests.made_numbers import make_prices
from tests.made_texts import make_texts

SEED = Rng.of(0)
AT_MOST = {
    "epochs": 1,
    "least": 2,
    "width": 8,
    "rounds": 3,
    "steps": 2,
    "most": 2,
    "folds": 2,
    "iterations": 2,
    "turns": 2,
}
FORMS = {"items": "recommend", "rows": "classify", "tokens": "tag"}
# Models of rows fit numbers too: a scene of its own, which `test_numbers` is about.
NUMBERS = "numbers"
# Where one kind of events is asked for, and users do others too.
BEHAVIOURS = "behaviours"
TASKS = {**FORMS, NUMBERS: "regress", BEHAVIOURS: "recommend, of one kind of events"}


@dataclass(frozen=True)
class Scene:
    """A task on made markets, and how its target is cut."""

    task: Task
    target: Domain
    sources: tuple[Domain, ...]
    cut: Cut

    def posed(self) -> Posed:
        """The real task's own problem and exam; rows with few columns of text."""
        posed = self.task.pose(self.target, self.sources, self.cut, SEED.child("pose"))
        return replace(posed, problem=light(posed.problem), whole=light(posed.whole))


def light(problem: Problem) -> Problem:
    """The same problem with 64 columns for text instead of 131,072; 1,024 for tokens."""
    if isinstance(problem.recipe, RowRecipe):
        return replace(problem, recipe=RowRecipe(hash_bits=6))
    if isinstance(problem.recipe, TokenRecipe):
        return replace(problem, recipe=TokenRecipe(hash_bits=10))
    return problem


@cache
def scene(form: str) -> Scene:
    """Cut by time, so that there is a clock; rows have every type of column and two labels.

    Rows of sources have users.
    """
    key = Rng.of(11).child(form)
    if form == "items":
        target = make_events(key.child("t"), 60, 30, name="target")
        near = make_events(key.child("near"), 80, 30, catalogue=0.2, name="near")
        far = make_events(key.child("far"), 80, 30, catalogue=0.5, taste=0.5, name="far")
        sources = (with_same_users(near.domain, target.domain), far.domain)
        first, *others = [with_styles(each) for each in (target.domain, *sources)]
        return Scene(Recommend(k=5), first, tuple(others), Cut(0.3, 0.25, by="time"))
    if form == "tokens":
        titles = [
            make_texts(key.child(name), n, dialect=dial, name=name)
            for name, n, dial in (("target", 80, 0.3), ("near", 60, 0.3), ("far", 60, 1.0))
        ]
        cut = Cut(0.3, 0.25, by="time", cross_below=20)
        return Scene(Tag(), titles[0], tuple(titles[1:]), cut)
    if form == NUMBERS:
        return numbers_scene()
    if form == BEHAVIOURS:
        return behaviours_scene()
    shared: dict[str, Any] = {"missing": 0.05, "text": True, "time": True, "other": True}
    made = [
        make_rows(key.child(name), n, covariate=dial, name=name, **shared)
        for name, n, dial in (("target", 120, 0.0), ("near", 150, 0.5), ("far", 150, 2.0))
    ]
    first, *others = [each.domain for each in made]
    others = [with_users(each) for each in others]
    cut = Cut(0.3, 0.25, by="time", cross_below=20)
    return Scene(Classify("label", also=("other",)), first, tuple(others), cut)


def behaviours_scene() -> Scene:
    """The scene of events, which are orders now, with a view of something before each."""
    plain = scene("items")
    task = Recommend(k=5, behaviour="order")
    sources = tuple(map(with_views, plain.sources))
    return Scene(task, with_views(plain.target), sources, plain.cut)


def with_views(domain: Domain) -> Domain:
    """The market with what is there as orders, and a view of something a minute before each."""
    orders = domain.tables["events"].with_columns(kind=pl.lit("order"))
    views = orders.with_columns(
        pl.col("item").reverse(), pl.col("time").dt.offset_by("-1m"), kind=pl.lit("view")
    )
    events = pl.concat([orders, views]).sort("time", maintain_order=True)
    tables = {**domain.tables, "events": events}
    return Domain(domain.name, tables, domain.schema, domain.findings)


def numbers_scene() -> Scene:
    """Prices with a clock; sources, which have users, differ in level and in what x0 does."""
    target = make_prices(1, 90, time=True, other=True, name="target")
    near = make_prices(2, 110, users=5, time=True, other=True, level=103.0, name="near")
    far = make_prices(3, 110, users=5, time=True, slope=4.0, shift=1.0, name="far")
    cut = Cut(0.3, 0.25, by="time", cross_below=20)
    return Scene(Regress("price", also=("other",)), target, (near, far), cut)


def with_same_users(domain: Domain, target: Domain) -> Domain:
    """The market of events with users who are the target's, as far as those go."""
    events = domain.tables["events"]
    users = pl.col("user").str.replace(f"{domain.name}-", f"{target.name}-", literal=True)
    tables = {**domain.tables, "events": events.with_columns(users)}
    return Domain(domain.name, tables, domain.schema, domain.findings)


def with_styles(domain: Domain) -> Domain:
    """The market of events with a table that tells a style of each item that was taken."""
    ids = domain.tables["events"]["item"].unique().sort()
    number = ids.str.extract(r"(\d+)$").cast(pl.Int64)
    style = (number % 4).cast(pl.String).alias("style")
    items = pl.DataFrame([ids, style])
    schema = TableSchema({"item": "item"}, {"style": ColumnType.CATEGORY}, "made")
    tables = {**domain.tables, "items": items}
    schemas = Schema({**domain.schema.tables, "items": schema}, domain.schema.declared)
    return Domain(domain.name, tables, schemas, domain.findings)


def with_users(domain: Domain, users: int = 5) -> Domain:
    """The market with rows of users, who come in turn."""
    table = domain.tables["rows"]
    entity = pl.Series("entity", [f"u{row % users}" for row in range(table.height)])
    tables = {**domain.tables, "rows": table.with_columns(entity)}
    return Domain(domain.name, tables, domain.schema, domain.findings)


@cache
def posed(form: str) -> Posed:
    """The scene of a form, posed once."""
    return scene(form).posed()


@cache
def small(form: str) -> Posed:
    """A still smaller scene, for whole runs: numbers and one category, no text."""
    if form in ("items", "tokens"):
        return posed(form)
    key = Rng.of(12)
    target, near = (
        make_rows(key.child(n), 80, time=True, other=True, name=n).domain for n in ("t", "near")
    )
    cut = Cut(0.3, 0.25, by="time", cross_below=20)
    sources = (with_users(near),)
    return Scene(Classify("label", also=("other",)), target, sources, cut).posed()


def quick(arm: Arm) -> Arm:
    """The same arm with less of what takes time."""
    return Arm(less(arm.strategy), less(arm.model))


def less(value: Any) -> Any:
    """A model or strategy with less of what takes time; of a chain, each step."""
    if isinstance(value, Chain):
        return replace(value, steps=tuple(map(less, value.steps)))
    smaller = {
        each.name: AT_MOST[each.name]
        for each in fields(value)
        if each.name in AT_MOST and (getattr(value, each.name) or 0) > AT_MOST[each.name]
    }
    return replace(value, **smaller)


# A transformer has a contract of its own, in `test_transformer`: with every strategy it would
# take as long as all other models together.
CONTRACTED = tuple(model for model in MODELS if model.kind != "transformer")


def combinations(
    strategies: Sequence[Strategy] = STRATEGIES, models: Sequence[Model] = CONTRACTED
) -> list[Arm]:
    """Every strategy with every model, refused or not."""
    return [Arm(strategy, model) for strategy in strategies for model in models]


@cache
def applicable() -> tuple[Arm, ...]:
    """Every combination that is not refused, quick."""
    return tuple(
        quick(arm)
        for arm in combinations()
        if arm.why_not(posed(arm.model.form).problem) is None
    )


@cache
def scene_of(strategy: Strategy, form: str) -> str:
    """The scene that an arm of this strategy with a model of this form is asked on.

    That of the form; for rows that of numbers where the strategy serves these alone, and
    for items that of behaviours.
    """
    if form == "items":
        arms = [Arm(strategy, model) for model in MODELS if model.form == form]
        plain = any(arm.why_not(posed(form).problem) is None for arm in arms)
        other = any(arm.why_not(posed(BEHAVIOURS).problem) is None for arm in arms)
        return BEHAVIOURS if other and not plain else form
    arms = [Arm(strategy, model) for model in MODELS if model.form == form == "rows"]
    served = [
        name
        for name in ("rows", NUMBERS)
        if any(arm.why_not(posed(name).problem) is None for arm in arms)
    ]
    return NUMBERS if served == [NUMBERS] else form


def of_form(form: str) -> list[Arm]:
    """The applicable combinations of one form, or those of rows on numbers."""
    if form == NUMBERS:
        problem = posed(NUMBERS).problem
        arms = [arm for arm in combinations() if arm.model.form == "rows"]
        return [quick(arm) for arm in arms if arm.why_not(problem) is None]
    return [arm for arm in applicable() if arm.model.form == form]


def named(arm: Arm) -> str:
    """A readable id: `pooled/ease`."""
    return arm.name


def cases(of: Posed) -> list[Case]:
    """Fixed questions: what is chosen and judged on, with what may be known then."""
    return [*of.exam.choose, *of.exam.judge]


def answers(fitted: Fitted, asked: Sequence[Case]) -> list[Array]:
    """Every number of every answer."""
    return [numbers(fitted.answer(case)) for case in asked]


def numbers(prediction: Prediction) -> Array:
    """A prediction as one array; a ranking's items stand above its scores."""
    if isinstance(prediction, Probabilities):
        return prediction.p
    if isinstance(prediction, Numbers):
        return prediction.y[:, None]
    if isinstance(prediction, Spans):
        # A sentence is a row: its spans and their chances, as many as the longest title has.
        table = np.full((prediction.ragged.n, 8, 4), -1.0)
        place = np.arange(len(prediction.p)) - prediction.ragged.offsets[prediction.ragged.row]
        values = np.column_stack([prediction.ragged.values, prediction.p])
        table[prediction.ragged.row, place] = values
        return table.reshape(prediction.ragged.n, -1)
    assert isinstance(prediction, Ranking)
    return np.stack([prediction.items.astype(float), prediction.scores])


@cache
def fitted(arm: Arm) -> Fitted:
    """An arm fitted on its scene, once for all tests that only ask it."""
    return arm.fit(posed(arm.model.form).problem, SEED.child("fit"))


@cache
def fitted_on_numbers(arm: Arm) -> Fitted:
    """An arm fitted on the scene of numbers, once for all tests that only ask it."""
    return arm.fit(posed(NUMBERS).problem, SEED.child("fit"))


def forget() -> None:
    """Empty every cache of derived values, as a fresh process would begin."""
    for value in gc.get_referrers(Derived):  # its instances are among them
        if type(value) is Derived:
            value._values.clear()
