"""What an arm answered on `choose`, as named tensors and JSON, and back; never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from acclimate.domains.exam import Numbers, Prediction, Probabilities, Ranking, Spans, Truth
from acclimate.domains.ragged import Ragged

KINDS = {kind.__name__: kind for kind in (Probabilities, Numbers, Ranking, Spans)}


def packed(prediction: Prediction, truth: Truth) -> tuple[str, bytes]:
    """(JSON of what is no tensor, the tensors in the form of safetensors)."""
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    plain: dict[str, Any] = {"kind": type(prediction).__name__}
    for part, value in (("prediction", prediction), ("truth", truth)):
        plain[part] = {}
        for each in fields(value):
            held = getattr(value, each.name)
            name = f"{part}/{each.name}"
            if isinstance(held, Ragged):
                tensors[f"{name}/offsets"] = np.ascontiguousarray(held.offsets)
                tensors[f"{name}/values"] = np.ascontiguousarray(held.values)
            elif isinstance(held, np.ndarray):
                tensors[name] = np.ascontiguousarray(held)
            elif held is not None:
                plain[part][each.name] = list(held) if isinstance(held, tuple) else held
    return json.dumps(plain), save(tensors)


def unpacked(text: str, data: bytes) -> tuple[Prediction, Truth]:
    """What `packed` was given, bit for bit."""
    plain, tensors = json.loads(text), load(data)
    answer: Prediction = KINDS[plain["kind"]](**_fields("prediction", plain, tensors))
    return answer, Truth(**_fields("truth", plain, tensors))


def _fields(
    part: str, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in plain[part].items()
    }
    own = {path.split("/")[1]: path for path in tensors if path.startswith(f"{part}/")}
    for name, path in own.items():
        if path.count("/") == 1:
            found[name] = tensors[path]
        else:
            base = f"{part}/{name}"
            found[name] = Ragged(tensors[f"{base}/offsets"], tensors[f"{base}/values"])
    return found
