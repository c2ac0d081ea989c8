"""One OpenAPI document for both kinds of routes, with an example of each message."""

from __future__ import annotations

from typing import Any

import msgspec

from acclimate.service import messages
from acclimate.service.routes import ANYBODY, ROUTES

_ASKED: dict[str, tuple[Any, Any, Any]] = {
    "recommend": (
        messages.Recommend,
        messages.Recommended,
        {"user": "u17", "basket": ["SKU1"], "k": 5},
    ),
    "recommend-batch": (
        messages.Batch,
        list[messages.Recommended],
        {"requests": [{"user": "u17"}, {"basket": ["SKU1", "SKU2"], "k": 3}]},
    ),
    "predict": (
        messages.Predict,
        messages.Predicted,
        {"rows": [{"amount": 12.5, "browser": "firefox"}]},
    ),
    "why": (messages.Why, messages.Reasons, {"user": "u17", "item": "SKU9"}),
    "events": (messages.Events, messages.Kept, {"events": [{"user": "u17", "item": "SKU3"}]}),
    "outcomes": (
        messages.Outcomes,
        messages.Kept,
        {"outcomes": [{"user": "u17", "item": "SKU9", "outcome": "order", "value": 19.9}]},
    ),
}


def with_hot_routes(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's document with the routes of the gate, keys and errors beside."""
    kinds = [kind for asked, reply, _ in _ASKED.values() for kind in (asked, reply)]
    schemas, parts = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    of = dict(zip(map(str, kinds), schemas, strict=True))
    paths = {path: dict(methods) for path, methods in document["paths"].items()}
    for route in ROUTES:
        what = route.path.rpartition("/")[2]
        if route.hot:
            asked, reply, example = _ASKED[what]
            paths.setdefault(route.path, {})[route.method.lower()] = {
                "summary": (asked.__doc__ or "").partition("\n")[0],
                "operationId": what.replace("-", "_"),
                "parameters": [
                    {
                        "name": "model",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                    }
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": of[str(asked)], "example": example}
                    },
                },
                "responses": {
                    "200": {
                        "description": "Answered by one version.",
                        "content": {"application/json": {"schema": of[str(reply)]}},
                    }
                },
            }
        operation = paths[route.path][route.method.lower()]
        if route.permission != ANYBODY:
            operation["security"] = [{"key": []}]
            operation["x-permission"] = route.permission
        operation["responses"] = {**operation["responses"], "default": _ERROR}
    components = document.get("components", {})
    return {
        **document,
        "paths": paths,
        "components": {
            **components,
            "schemas": {**components.get("schemas", {}), **parts},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


_ERROR = {
    "description": "What was expected, what was found and what to do.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"error": {"type": "string"}},
                "required": ["error"],
            }
        }
    },
}
