"""What is asked and answered by the routes that are called most, as typed messages.

Types bound what may be nested: a row is a flat object, and nothing else is decoded.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec

Id: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Cell: TypeAlias = str | int | float | bool | None


class Recommend(msgspec.Struct, forbid_unknown_fields=True):
    """A list for a user, for a basket, or for a user with what came since.

    among    only these candidates; none: all items that the model knows
    again    whether what was taken may be named again
    spread   0 … 1, how much the list avoids items like those it has
    """

    user: Id | None = None
    basket: list[Id] = []
    among: list[Id] | None = None
    k: Annotated[int, msgspec.Meta(ge=1)] = 10
    again: bool = False
    spread: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class Recommended(msgspec.Struct):
    """The list, best first, and the version that made it.

    note  why the list does not follow from a history, or ""
    """

    model: str
    version: int
    digest: str
    items: list[str]
    scores: list[float]
    note: str


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Several lists at once."""

    requests: list[Recommend]


class Predict(msgspec.Struct, forbid_unknown_fields=True):
    """Rows as the target's file has them; users, or users and items, of a recommender."""

    rows: list[dict[str, Cell]]
    k: Annotated[int, msgspec.Meta(ge=1)] = 10


class Predicted(msgspec.Struct):
    """The rows with their answers, as `acclimate predict` writes them."""

    model: str
    version: int
    digest: str
    rows: list[dict[str, Any]]


class Why(msgspec.Struct, forbid_unknown_fields=True):
    """What of a history speaks for an item."""

    item: Id
    user: Id | None = None
    basket: list[Id] = []


class Reasons(msgspec.Struct):
    """Contributions that sum to the score, the largest first."""

    model: str
    version: int
    digest: str
    item: str
    reasons: list[dict[str, Any]]


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """A user took an item."""

    user: Id
    item: Id


class Events(msgspec.Struct, forbid_unknown_fields=True):
    """What users took just now."""

    events: Annotated[list[Event], msgspec.Meta(min_length=1)]


class Outcome(msgspec.Struct, forbid_unknown_fields=True):
    """What came of a list, later: an order, a click, a return.

    version  that the list was answered with
    value    in the market's currency
    """

    user: Id
    outcome: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z_-]{0,31}$")]
    item: Id | None = None
    value: float | None = None
    version: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Outcomes(msgspec.Struct, forbid_unknown_fields=True):
    """Outcomes that arrived."""

    outcomes: Annotated[list[Outcome], msgspec.Meta(min_length=1)]


class Kept(msgspec.Struct):
    """How many were kept."""

    kept: int
