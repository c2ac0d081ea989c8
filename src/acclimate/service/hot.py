"""The routes that are called most: bytes in, bytes out, by one version."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from acclimate.service import answers
from acclimate.service.limits import Limits
from acclimate.service.messages import Batch, Events, Kept, Outcomes, Predict, Recommend, Why
from acclimate.service.outcomes import keep
from acclimate.service.shelf import Served, Shelf

Handler: TypeAlias = Callable[[Shelf, Served, Limits, bytes], Awaitable[Any]]

_recommend = msgspec.json.Decoder(Recommend)
_batch = msgspec.json.Decoder(Batch)
_predict = msgspec.json.Decoder(Predict)
_why = msgspec.json.Decoder(Why)
_events = msgspec.json.Decoder(Events)
_outcomes = msgspec.json.Decoder(Outcomes)
encode = msgspec.json.Encoder().encode


async def recommend(shelf: Shelf, served: Served, limits: Limits, body: bytes) -> Any:
    """One list."""
    return answers.recommend(shelf, served, _recommend.decode(body), limits)


async def recommend_batch(shelf: Shelf, served: Served, limits: Limits, body: bytes) -> Any:
    """Several."""
    return answers.recommend_all(shelf, served, _batch.decode(body), limits)


async def predict(shelf: Shelf, served: Served, limits: Limits, body: bytes) -> Any:
    """Rows."""
    return answers.predict(served, _predict.decode(body), limits)


async def why(shelf: Shelf, served: Served, limits: Limits, body: bytes) -> Any:
    """What speaks for an item."""
    return answers.why(shelf, served, _why.decode(body), limits)


async def events(shelf: Shelf, served: Served, limits: Limits, body: bytes) -> Any:
    """What users took just now; written down outside of the loop, as a disk takes its time."""
    taken = [(each.user, each.item) for each in _events.decode(body).events]
    answers.require_within("events", len(taken), limits.batch)
    await asyncio.to_thread(shelf.add_events, served.version.name, taken)
    return Kept(len(taken))


async def outcomes(shelf: Shelf, served: Served, limits: Limits, body: bytes) -> Any:
    """What came of lists."""
    came = _outcomes.decode(body).outcomes
    answers.require_within("outcomes", len(came), limits.batch)
    await asyncio.to_thread(keep, shelf.registry, served.version.name, came)
    return Kept(len(came))


HANDLERS: dict[str, Handler] = {
    "/v1/models/{model}/recommend": recommend,
    "/v1/models/{model}/recommend-batch": recommend_batch,
    "/v1/models/{model}/predict": predict,
    "/v1/models/{model}/why": why,
    "/v1/models/{model}/events": events,
    "/v1/models/{model}/outcomes": outcomes,
}
