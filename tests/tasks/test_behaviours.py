"""One kind of events is asked for: what is judged, what else is known, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from acclimate.cli.asked import Asked
from acclimate.domains.declared import Declared, Kinds
from acclimate.domains.domain import Domain
from acclimate.domains.sample import Interactions
from acclimate.domains.schema import Schema, TableSchema
from acclimate.domains.split import Cut
from acclimate.errors import TaskError, UsageError
from acclimate.rng import Rng
from acclimate.tasks.behaviours import by_behaviour
from acclimate.tasks.recommend import Recommend
from acclimate.workflow import adapt

START = datetime(2024, 1, 1)


def market(name: str = "t", timed: bool = True, kinds: Kinds | None = None) -> Domain:
    """Every user orders one item a day, and views the item of the next day."""
    rows = [
        (f"{name}u{user}", f"i{day + move}", kind, START + timedelta(days=day, minutes=user))
        for day in range(20)
        for user in range(30)
        for kind, move in (("order", user % 3), ("view", user % 3 + 1))
    ]
    events = pl.DataFrame(rows, ["user", "item", "kind", "time"], orient="row")
    if not timed:
        events = events.drop("time")
    roles = {column: column for column in events.columns}
    schema = Schema({"events": TableSchema(roles, {}, "made")}, Declared(kinds=kinds))
    return Domain(name, {"events": events}, schema)


def test_orders_are_judged_and_views_are_known_until_the_clock() -> None:
    posed = Recommend(behaviour="order").pose(
        market(), [market("s")], Cut(by="time"), Rng.of(0)
    )
    other, views = posed.problem.sources
    fit = posed.problem.fit
    assert isinstance(fit, Interactions) and isinstance(views.sample, Interactions)
    assert (views.name, views.behaviour, other.name, other.behaviour) == (
        "t view",
        "view",
        "s",
        None,
    )
    days = max(int(item[1:]) for item in fit.items[fit.item])
    viewed = max(int(item[1:]) for item in views.sample.items)
    assert viewed == days + 1  # of the last day of fit, nobody's of a later one
    assert f"i{viewed}" in set(fit.items) and f"i{viewed + 1}" not in set(fit.items)
    assert [kind for kind, _ in other.also] == ["view"]
    judged = posed.exam.judge[0].context
    assert isinstance(judged, Interactions) and judged.beside is not None
    later = judged.beside["t view"]
    # The judge begins with day 14; a third of the users viewed i16 on the day before.
    assert max(int(item[1:]) for item in later.items) == 16 > viewed
    assert posed.exam.choose[0].context.beside is None
    assert isinstance(other.sample, Interactions) and other.sample.n == fit.n
    assert not [note for note in posed.notes if "nothing says when" in note]


def test_without_times_it_is_said_that_everything_else_is_known() -> None:
    posed = Recommend(behaviour="order").pose(market(timed=False), [], Cut(), Rng.of(0))
    assert (
        "nothing says when users did what else they do (view), so that what they did with a "
        "judged item is known"
    ) in posed.notes


def test_returns_take_back_what_is_asked_for_and_kinds_of_weight_0_are_left_out() -> None:
    weights = {"order": 2.0, "view": 0.1, "return": -2.0, "cart": 0.0}
    given = market(kinds=Kinds(weights, {}, 0.1))
    events = given.tables["events"]
    more = [
        ("tu0", "i0", "return", START + timedelta(days=1)),
        ("tu0", "i0", "cart", START + timedelta(days=1)),
    ]
    extra = pl.DataFrame(more, events.schema, orient="row")
    whole = Domain("t", {"events": pl.concat([events, extra])}, given.schema)
    found = by_behaviour(whole, "order")
    assert found.market.schema.declared.kinds == Kinds({"order": 2.0, "return": -2.0}, {}, 2.0)
    assert list(found.others) == ["view"]
    assert set(found.market.tables["events"]["kind"]) == {"order", "return"}
    posed = Recommend(behaviour="order").pose(whole, [], Cut(by="last"), Rng.of(0))
    fit = posed.problem.fit
    assert isinstance(fit, Interactions)
    mine = fit.item[fit.user == list(fit.users).index("tu0")]
    assert "i0" not in set(fit.items[mine])


def test_a_kind_that_is_not_there_is_refused() -> None:
    with pytest.raises(
        TaskError, match="Expected events of the kind 'play' in 't'; found order, view"
    ):
        by_behaviour(market(), "play")
    bare = market()
    none = Domain("t", {"events": bare.tables["events"].drop("kind")}, bare.schema)
    with pytest.raises(TaskError, match=r"column of kinds of events in .*; found none"):
        by_behaviour(none, "order")
    assert by_behaviour(none, None).market is none


def test_a_market_with_behaviours_needs_no_source(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    market().tables["events"].write_csv(path)
    result = adapt(
        Recommend(behaviour="order"), [], str(path), models=("ease",), budget_seconds=60.0
    )
    tried = {row["arm"] for row in result.summary["leaderboard"]}
    planned = tried | {row["arm"] for row in result.summary["put_off"]}
    assert {"behaviours/ease", "shared-users/ease", "pooled/ease"} <= planned
    with pytest.raises(UsageError, match="Expected at least one source"):
        adapt(Recommend(), [], str(path))
    asked = Asked({"target": str(path)}, {"behaviour": "order"})
    assert asked.markets() == ([], str(path))
    with pytest.raises(UsageError, match="Expected --source"):
        Asked({"target": str(path)}).markets()
