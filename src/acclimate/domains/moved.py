"""Encoders made of others: several markets' side by side, and one whose rows a step moves.

Before: each encoder was fitted on its arm's own rows.  After: a reshaping step's map
travels with the encoder, so that what is asked later is moved as the target's rows were.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.view import Encoder, EncoderState, RowView, Views


@dataclass(frozen=True)
class Several:
    """Encoders side by side: each part of a model sees a sample with its own statistics.

    names  of the markets they were fitted on
    """

    names: tuple[str, ...]
    parts: tuple[Encoder, ...]

    @property
    def fingerprint(self) -> str:
        return "+".join(part.fingerprint for part in self.parts)

    @property
    def base(self) -> Several:
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """As the target's own part, the first, says."""
        found: tuple[str, ...] = self.parts[0].classes  # type: ignore[attr-defined]
        return found

    def reads(self, name: str) -> bool:
        """Whether any part reads a column, or a number made of one."""
        return any(part.reads(name) for part in self.parts)  # type: ignore[attr-defined]

    def encode(self, sample: Any) -> Views:
        return Views(tuple(part.encode(sample) for part in self.parts))

    def unseen(self, sample: Any) -> list[str]:
        """(n,) the columns whose value the target's own part, the first, has not seen."""
        found: list[str] = self.parts[0].unseen(sample)  # type: ignore[attr-defined]
        return found

    def state(self) -> EncoderState:
        children = {f"{number:03d}": part.state() for number, part in enumerate(self.parts)}
        return EncoderState("several", {"names": list(self.names)}, children=children)


class Move(Protocol):
    """What a reshaping step does to every encoded row of the target, now and at prediction.

    It may replace numbers and text; codes and labels pass through.  Row by row: what
    becomes of one must not depend on the others of a view.

    kind  its name in `strategies.catalogue.MOVES`, by which an artifact reads it back
    """

    kind: ClassVar[str]

    def __call__(self, view: RowView) -> RowView: ...

    def state(self) -> EncoderState:
        """Everything it needs, under its `kind`."""
        ...

    @classmethod
    def restore(cls, state: EncoderState) -> Move: ...


@dataclass(frozen=True)
class Affine:
    """An affine map of a view's numeric columns: x ↦ (x − centre) @ matrix + shift.

    centre  (d,)
    matrix  (d, d′)
    shift   (d′,)
    """

    centre: Array
    matrix: Array
    shift: Array

    kind: ClassVar[str] = "affine"

    def __call__(self, view: RowView) -> RowView:
        return replace(view, numeric=(view.numeric - self.centre) @ self.matrix + self.shift)

    def state(self) -> EncoderState:
        parts = {"centre": self.centre, "matrix": self.matrix, "shift": self.shift}
        return EncoderState(self.kind, {}, parts)

    @classmethod
    def restore(cls, state: EncoderState) -> Affine:
        return cls(*(np.asarray(state.tensors[n]) for n in ("centre", "matrix", "shift")))


@dataclass(frozen=True)
class Moved:
    """An encoder whose rows a reshaping step moves; the map is kept to predict.

    Sources are encoded by `base`: what a step does to them stands in their own views.
    """

    inner: Encoder
    move: Move

    @cached_property
    def fingerprint(self) -> str:
        state = self.move.state()
        digest = hashlib.sha256(self.inner.fingerprint.encode())
        digest.update(f"{state.kind} {json.dumps(state.meta, sort_keys=True)}".encode())
        for name in sorted(state.tensors):
            digest.update(np.ascontiguousarray(state.tensors[name]).tobytes())
        return digest.hexdigest()

    @property
    def base(self) -> Encoder:
        return self.inner.base

    @property
    def classes(self) -> tuple[str, ...]:
        """What rows are told apart by, as `inner` says."""
        found: tuple[str, ...] = self.inner.classes  # type: ignore[attr-defined]
        return found

    def reads(self, name: str) -> bool:
        """Whether `inner` reads a column, or a number made of one."""
        return self.inner.reads(name)  # type: ignore[attr-defined,no-any-return]

    def encode(self, sample: Any) -> RowView:
        return self.move(self.inner.encode(sample))

    def unseen(self, sample: Any) -> list[str]:
        """(n,) the columns whose value was not seen, as `inner` says."""
        found: list[str] = self.inner.unseen(sample)  # type: ignore[attr-defined]
        return found

    def state(self) -> EncoderState:
        children = {"inner": self.inner.state(), "move": self.move.state()}
        return EncoderState("moved", {}, children=children)
