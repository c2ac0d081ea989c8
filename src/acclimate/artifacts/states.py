"""What was learned as JSON and named tensors, and back through the catalogue.

Tensors are named by their path: `encoder/known`, `model/matrix`,
`model/children/body/weight`.  The JSON half repeats the tree and says which
tensors belong to which state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from acclimate.arrays import Tensor
from acclimate.domains.beside import BesideEncoder
from acclimate.domains.moved import Move, Moved, Several
from acclimate.domains.rowview import RowEncoder
from acclimate.domains.tokenview import TokenEncoder
from acclimate.domains.view import Encoder, EncoderState, ItemEncoder
from acclimate.errors import IntegrityError, UsageError
from acclimate.models.model import Model, NeedsBySettings, State
from acclimate.strategies.catalogue import moves, restorable
from acclimate.strategies.fitted import Fitted

ENCODERS: dict[str, type[ItemEncoder] | type[RowEncoder] | type[TokenEncoder]] = {
    "items": ItemEncoder,
    "items-beside": BesideEncoder,
    "rows": RowEncoder,
    "tokens": TokenEncoder,
}
"""Encoders without others inside them; `several` and `moved` are read back below."""


def pack(fitted: Fitted) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The tree of states as plain values, and every tensor under its path."""
    tensors: dict[str, Tensor] = {}
    tree = {
        "encoder": _node(fitted.encoder.state(), "encoder", tensors),
        "model": _node(fitted.model.state(), "model", tensors),
    }
    return tree, tensors


def _node(state: State | EncoderState, path: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    for name, tensor in state.tensors.items():
        assert "/" not in name, f"{name!r} would be taken for a path"
        # ascontiguousarray would give a scalar an axis.
        tensors[f"{path}/{name}"] = np.asarray(tensor, order="C")
    return {
        "kind": state.kind,
        "meta": state.meta,
        "tensors": sorted(state.tensors),
        "children": {
            name: _node(child, f"{path}/children/{name}", tensors)
            for name, child in state.children.items()
        },
    }


def unpack(tree: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Fitted:
    """The encoder and the model of a packed tree.

    Raises UsageError where a model needs an extra or a plug-in that is not
    installed, IntegrityError where a state is not one its class wrote.
    """
    encoder = _state(tree["encoder"], "encoder", tensors)
    model = _state(tree["model"], "model", tensors)
    try:
        return Fitted(_encoder(encoder), _model(model))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise IntegrityError(
            f"Expected the state of an encoder {encoder.kind!r} and a model {model.kind!r} as "
            f"this version writes them, found another form ({type(error).__name__}: {error}). "
            "Load it with the version that wrote it, or run adapt again."
        ) from None


def _state(node: Mapping[str, Any], path: str, tensors: Mapping[str, Tensor]) -> State:
    return State(
        node["kind"],
        node["meta"],
        {name: tensors[f"{path}/{name}"] for name in node["tensors"]},
        {
            name: _state(child, f"{path}/children/{name}", tensors)
            for name, child in node["children"].items()
        },
    )


def _encoder(state: State) -> Encoder:
    if state.kind == "several":
        parts = tuple(_encoder(state.children[name]) for name in sorted(state.children))
        return Several(tuple(state.meta["names"]), parts)
    if state.kind == "moved":
        return Moved(_encoder(state.children["inner"]), _move(state.children["move"]))
    return ENCODERS[state.kind].restore(EncoderState(state.kind, state.meta, state.tensors))


def _move(state: State) -> Move:
    """What a reshaping step does to the target's rows."""
    known = moves()
    if state.kind not in known:
        raise UsageError(
            f"Expected a move among {', '.join(known)}; found {state.kind!r}. "
            "Install the plug-in that brings it."
        )
    return known[state.kind].restore(EncoderState(state.kind, state.meta, state.tensors))


def _model(state: State) -> Model:
    """A model of the catalogue; one of several parts gets them restored."""
    known = restorable()
    if state.kind not in known:
        raise UsageError(
            f"Expected a model among {', '.join(known)}; found {state.kind!r}. "
            "Install the plug-in that brings it."
        )
    model = known[state.kind]
    like = model.set_as(state) if isinstance(model, NeedsBySettings) else model
    if (why := like.why_not()) is not None:
        raise UsageError(f"Expected to use a model {state.kind!r}, found that {why}.")
    kind: Any = type(model)
    # A model of parts that may be any model of the catalogue gets them restored.
    whole = getattr(kind, "restore_with", None)
    if whole is not None:
        parts = {name: _model(child) for name, child in state.children.items()}
        return whole(state, parts)  # type: ignore[no-any-return]
    return kind.restore(state)  # type: ignore[no-any-return]
