"""Answers of one version to decoded messages.

Every answer is made by the one `Served` that it is given, and carries its version and digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from acclimate.artifacts.predictor import predict as predict_with
from acclimate.artifacts.recommender import Filters, Recommender
from acclimate.errors import DataError
from acclimate.service.limits import Limits, Refused
from acclimate.service.messages import (
    Batch,
    Predict,
    Predicted,
    Reasons,
    Recommend,
    Recommended,
    Why,
)
from acclimate.service.shelf import Served, Shelf


def recommend(shelf: Shelf, served: Served, asked: Recommend, limits: Limits) -> Recommended:
    """One list.  What a user took since counts, and is not named again."""
    shop = _shop(served)
    require_within("k", asked.k, limits.k)
    require_within("basket", len(asked.basket), limits.batch)
    require_within("among", len(asked.among or ()), 100 * limits.batch)
    name = served.version.name
    since = shelf.since(name, asked.user) if asked.user is not None else []
    items = [*since, *asked.basket] if since else asked.basket
    if served.quick is not None and not asked.spread:
        found, note = served.quick.answer(asked.user, items, asked.k, asked.among, asked.again)
    else:
        filters = Filters(asked.among, asked.again, asked.spread)
        found, note = shop.answer(asked.user, items, asked.k, filters)
    version = served.version
    return Recommended(
        version.name,
        version.number,
        version.digest,
        [item for item, _ in found],
        [score for _, score in found],
        note,
    )


def recommend_all(
    shelf: Shelf, served: Served, asked: Batch, limits: Limits
) -> list[Recommended]:
    """A list for each request of a batch, all by one version."""
    require_within("requests", len(asked.requests), limits.batch)
    return [recommend(shelf, served, each, limits) for each in asked.requests]


def predict(served: Served, asked: Predict, limits: Limits) -> Predicted:
    """Rows with their answers, as `predictor.predict` gives them."""
    require_within("rows", len(asked.rows), limits.batch)
    require_within("k", asked.k, limits.k)
    try:
        table = pl.DataFrame(asked.rows, infer_schema_length=None, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"Expected rows that make a table, found some that do not: {error}. Send the "
            "columns of the target's file, each of one type."
        ) from None
    answers = predict_with(served.artifact, table, asked.k)
    version = served.version
    return Predicted(version.name, version.number, version.digest, _plain(answers))


def why(shelf: Shelf, served: Served, asked: Why, limits: Limits) -> Reasons:
    """What each item of a history says for another."""
    shop = _shop(served)
    require_within("basket", len(asked.basket), limits.batch)
    past: Sequence[str] = ()
    if asked.user is not None:
        past = [*shop.history(asked.user), *shelf.since(served.version.name, asked.user)]
    rows = shop.why([*past, *asked.basket], asked.item)
    version = served.version
    return Reasons(version.name, version.number, version.digest, asked.item, rows.to_dicts())


def _plain(answers: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows that JSON can hold: no NaN, no infinity."""
    floats = [name for name, kind in answers.schema.items() if kind.is_float()]
    finite = [
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in floats
    ]
    return answers.with_columns(finite).to_dicts()


def _shop(served: Served) -> Recommender:
    if served.shop is None:
        raise Refused(
            409,
            f"Expected a recommender at {served.version.name!r}; found one that answers "
            f"{served.version.lineage['task']}. Ask it with /predict.",
        )
    return served.shop


def require_within(what: str, found: int, most: int) -> None:
    """Raises Refused with 413 for more than a request may ask for."""
    if found > most:
        raise Refused(
            413, f"Expected {what} of at most {most:,}; found {found:,}. Ask for less."
        )
