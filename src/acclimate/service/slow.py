"""The routes that are called seldom: health, models, promotion, keys, erasure.

`gate` has authorised whoever comes here; nothing listens to this application but the gate.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

import acclimate
from acclimate.errors import AcclimateError
from acclimate.service import outcomes
from acclimate.service.described import with_hot_routes
from acclimate.service.keys import EVERY, Keys
from acclimate.service.limits import status_of
from acclimate.service.shelf import Served, Shelf
from acclimate.service.tally import Tally


class Message(BaseModel):
    """Nothing but what is named."""

    model_config = ConfigDict(extra="forbid")


class Promotion(Message):
    """Which version to put in front: a number, challenger or latest."""

    version: str = Field(max_length=32, examples=["challenger"])


class NewKey(Message):
    """A key to make; market * for all."""

    role: str = Field(max_length=16, examples=["predict"])
    market: str = Field(default=EVERY, max_length=64, examples=["jp-recommend"])
    label: str = Field(default="", max_length=128, examples=["the shop's pages"])


class Erasure(Message):
    """Whom to forget."""

    user: str = Field(min_length=1, max_length=256, examples=["u17"])


def slow_app(shelf: Shelf, keys: Keys, tally: Tally) -> FastAPI:
    """The FastAPI application behind the gate."""
    app = FastAPI(
        title="acclimate",
        version=acclimate.__version__,
        docs_url=None,  # its page would fetch a script from elsewhere
        redoc_url=None,
        openapi_url=None,
    )

    @app.exception_handler(AcclimateError)
    def refused(_: Request, error: AcclimateError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_of(error))

    @app.exception_handler(RequestValidationError)
    def misunderstood(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]  # without what was sent, which may be no text at all
        where = ".".join(map(str, first["loc"])).encode("utf-8", "replace").decode()
        told = f"Expected the message of /openapi.json: {first['msg']} - at {where}."
        return JSONResponse({"error": told}, 422)

    @app.exception_handler(HTTPException)
    def unreadable(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": f"Expected JSON: {error.detail}."}, error.status_code)

    @app.get("/health")
    def health() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/ready")
    def ready() -> JSONResponse:
        """At least one model is served, and none of those asked for is missing."""
        missing = [name for name in shelf.names if name not in shelf.served]
        well = bool(shelf.served) and not missing
        told = {"ready": well, "models": len(shelf.served)}
        return JSONResponse(told, 200 if well else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        """Counts for Prometheus."""
        return Response(tally.text(shelf), media_type="text/plain; version=0.0.4")

    @app.get("/openapi.json")
    def described() -> dict[str, Any]:
        """This document."""
        return with_hot_routes(app.openapi())

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        """What is served, and champions that could not be loaded."""
        return {
            "models": [_told(each) for each in shelf.served.values()],
            "failed": dict(shelf.failed),
        }

    @app.get("/v1/models/{model}")
    def model_of(model: str) -> Any:
        """One model: its version and where that comes from."""
        served = shelf.served.get(model)
        if served is None:
            return JSONResponse(
                {"error": f"Expected a model that is served, not {model!r}."}, 404
            )
        return {**_told(served), "lineage": dict(served.version.lineage)}

    @app.post("/v1/models/{model}/promote")
    def promote(model: str, asked: Promotion) -> dict[str, Any]:
        """Put a version in front; it is served when this is answered, or `failed` says why."""
        version = shelf.registry.promote(model, asked.version)
        shelf.refresh()
        return {**version.as_row(), "failed": shelf.failed.get(model)}

    @app.post("/v1/models/{model}/rollback")
    def rollback(model: str) -> dict[str, Any]:
        """Put the champion before this one in front again."""
        version = shelf.registry.rollback(model)
        shelf.refresh()
        return {**version.as_row(), "failed": shelf.failed.get(model)}

    @app.get("/v1/keys")
    def all_keys() -> dict[str, Any]:
        """Every key, without its secret."""
        return {"keys": [each.as_row() for each in keys.all()]}

    @app.post("/v1/keys")
    def make_key(asked: NewKey) -> dict[str, Any]:
        """A new key; what its owner sends is in this reply and nowhere else."""
        key, secret = keys.make(asked.role, asked.market, asked.label)
        return {**key.as_row(), "key": secret}

    @app.delete("/v1/keys/{key}")
    def revoke(key: str) -> dict[str, str]:
        """Take a key out of force."""
        keys.revoke(key)
        return {"revoked": key}

    @app.post("/v1/erase-user")
    def erase(asked: Erasure) -> dict[str, int]:
        """Forget a user: events, outcomes, memory, and the histories of every artifact."""
        rows = outcomes.erase(shelf.registry, asked.user)
        try:
            histories = shelf.registry.erase(asked.user)
        finally:
            shelf.forget(asked.user)
        return {"interactions": histories, "rows": rows}

    return app


def _told(served: Served) -> dict[str, Any]:
    version = served.version
    return {
        "model": version.name,
        "version": version.number,
        "digest": version.digest,
        "task": version.lineage["task"],
        "target": version.lineage["target"],
        "arm": version.lineage["arm"],
        "verdict": version.verdict,
    }
