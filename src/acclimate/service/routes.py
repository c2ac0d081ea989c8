"""Every route with the permission that it needs; what is not here does not exist.

The hot ones are answered on plain ASGI by `gate`, the others by FastAPI in `slow`; a test
demands that both know exactly these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ANYBODY = "anybody"


@dataclass(frozen=True)
class Route:
    """One method on one path.

    path        with {model} where it names one
    permission  of `keys.GRANTS`, or anybody
    hot         answered without FastAPI
    """

    method: str
    path: str
    permission: str
    hot: bool = False


ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", ANYBODY),
    Route("GET", "/ready", ANYBODY),
    Route("GET", "/metrics", "read"),
    Route("GET", "/openapi.json", "read"),
    Route("GET", "/v1/models", "read"),
    Route("GET", "/v1/models/{model}", "read"),
    Route("POST", "/v1/models/{model}/recommend", "predict", hot=True),
    Route("POST", "/v1/models/{model}/recommend-batch", "predict", hot=True),
    Route("POST", "/v1/models/{model}/predict", "predict", hot=True),
    Route("POST", "/v1/models/{model}/why", "predict", hot=True),
    Route("POST", "/v1/models/{model}/events", "feedback", hot=True),
    Route("POST", "/v1/models/{model}/outcomes", "feedback", hot=True),
    Route("POST", "/v1/models/{model}/promote", "release"),
    Route("POST", "/v1/models/{model}/rollback", "release"),
    Route("GET", "/v1/keys", "admin"),
    Route("POST", "/v1/keys", "admin"),
    Route("DELETE", "/v1/keys/{key}", "admin"),
    Route("POST", "/v1/erase-user", "admin"),
)

_MODEL = "/v1/models/"
_FIXED = {(each.method, each.path): each for each in ROUTES if "{" not in each.path}
_OF_MODEL = {
    (each.method, each.path.removeprefix("/v1/models/{model}")): each
    for each in ROUTES
    if "{model}" in each.path
}
_KEY = next(each for each in ROUTES if "{key}" in each.path)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def find(method: str, path: str) -> tuple[Route, str | None] | None:
    """The route of a request and the model that it names."""
    fixed = _FIXED.get((method, path))
    if fixed is not None:
        return fixed, None
    if path.startswith(_MODEL):
        name, slash, rest = path[len(_MODEL) :].partition("/")
        route = _OF_MODEL.get((method, slash + rest))
        if route is not None and _NAME.fullmatch(name):
            return route, name
    elif method == _KEY.method and re.fullmatch(r"/v1/keys/[0-9a-f]{12}", path):
        return _KEY, None
    return None
