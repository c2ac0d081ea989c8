"""A transformer over texts: an encoder trained elsewhere, mean pooling, and a linear head.

It reads the columns of text, joined, and nothing else of a row; numbers and categories are
for other models, with which a blend may mix it.  Mean pooling: Reimers & Gurevych, EMNLP 2019
(arXiv:1908.10084), section 3.

Before: `encoders` found the weights.  After: strategies train it as any network: pure functions
of named tensors, in the one loop.  What is kept is what moved away from the weights the encoder
came with, and the digest of these; whoever loads it needs the same encoder.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from acclimate.domains.view import RowView
from acclimate.errors import IntegrityError, StrategyError
from acclimate.models.columns import PreparedRows, Shape
from acclimate.models.design import Layout
from acclimate.models.encoders import Encoder, encoder, no_encoder
from acclimate.models.layers import HEAD
from acclimate.models.lowrank import DOWN, UP
from acclimate.models.model import State
from acclimate.models.rownetwork import Learned, RowNetwork
from acclimate.models.streams import Batch, Params, Stream, torch_generator
from acclimate.rng import Rng
from acclimate.settings import settings

if TYPE_CHECKING:
    import torch

_LAYER = re.compile(r"\.(\d+)\.")  # a block of the encoder, in a parameter's name


@dataclass(frozen=True)
class TextLearned(Learned):
    """What was learned, as far as it is not what the encoder came with.

    digest  of the weights it came with
    """

    digest: str = ""


@dataclass(frozen=True)
class Transformer(RowNetwork):
    """A text encoder that goes on learning under a linear head.

    weights     a folder, the name of an encoder that a package carries, or of one on the hub
    epochs      ≥ 0, passes over the rows; 0 stays where it started
    rate        > 0, first rate of Adam for the head, and for matrices of low rank
    body_rate   > 0, factor on it for the encoder
    penalty     ≥ 0, λ of summed loss + (λ/2)·‖w‖² over the head's weights
    batch_size  > 0, rows; at most all of them
    tokens      > 0, of a text; what follows is cut off
    """

    kind: ClassVar[str] = "transformer"
    form: ClassVar[str] = "rows"
    takes_weights: ClassVar[bool] = True
    reads_text: ClassVar[bool] = True
    unasked: ClassVar[bool] = False
    rows_at_once: ClassVar[int] = 128

    weights: str = field(default_factory=lambda: settings().encoder)
    epochs: int = 3
    rate: float = 1e-3
    body_rate: float = 0.05
    penalty: float = 0.1
    batch_size: int = 16
    tokens: int = 128
    fitted: TextLearned | None = field(default=None, repr=False, compare=False)

    def why_not(self) -> str | None:
        return no_encoder(self.weights)

    def grid(self) -> tuple[Transformer, ...]:
        return (self,)  # a fit takes minutes

    # ── data ────────────────────────────────────────────────────────────────

    def prepare(self, view: RowView) -> PreparedRows:
        import torch

        if view.texts is None:
            raise StrategyError(
                "Expected rows with texts for a transformer, found a view without. Encode rows "
                "that have a column of text."
            )
        tokens, there = self._encoder().tokens(list(view.texts), self.tokens)
        tensors = {"tokens": tokens, "there": there}
        if view.label is not None:
            tensors["label"] = torch.from_numpy(np.asarray(view.label).astype(np.int64))
        return PreparedRows(Shape(Layout.of(view), view.n_classes), view.n, tensors)

    def stream(
        self,
        prepared: PreparedRows,
        weight: Any = None,
        trainable: Collection[str] | None = None,
    ) -> Stream:
        """Batches of a prepared view, without noise."""
        mass = 0.0 if weight is None else float(np.sum(weight))
        return Stream(prepared.weighed(weight), self.batch_size, None, mass)

    # ── the network, pure functions ─────────────────────────────────────────

    def features(self, params: Params, batch: Batch) -> torch.Tensor:
        own = self._encoder()
        names = own.names
        body = {
            name: value
            for name, value in params.items()
            if name.removeprefix(DOWN).removeprefix(UP) in names
        }
        return own.pooled(body, batch["tokens"], batch["there"])

    def rate_of(self, name: str) -> float:
        return self.body_rate if name.rpartition("/")[-1] in self._encoder().names else 1.0

    def anchored(self, names: Collection[str]) -> Collection[str]:
        """The encoder: its weights are knowledge, which no penalty should draw to 0."""
        return set(names) - HEAD

    # ── fitting ─────────────────────────────────────────────────────────────

    def begin(self, prepared: PreparedRows, start: Any, rng: Rng) -> Params:
        """The encoder as it came under a fresh head, or what `start` learned in their place.

        The head of `start` is taken over where it has as many classes.
        """
        import torch

        own = self._encoder()
        generator = torch_generator(rng.child("init"))
        drawn = torch.rand(prepared.shape.outputs, own.width, generator=generator) * 2 - 1
        head = {
            "head.weight": drawn / math.sqrt(own.width),
            "head.bias": torch.zeros(prepared.shape.outputs),
        }
        if start is None:
            return own.parameters() | head
        learned: Params = start.parameters()
        body = {name: value for name, value in learned.items() if name not in HEAD}
        missing = own.names - set(body)
        if missing:
            raise StrategyError(
                f"Expected a network to start from with the body of {self.weights}, found one "
                f"that lacks {len(missing)} of its parameters. Start from one of that encoder."
            )
        fits = all(learned[name].shape == value.shape for name, value in head.items())
        return body | ({name: learned[name] for name in head} if fits else head)

    def steps(self, stream: Stream, epochs: int | None = None) -> int:
        """Steps that so many passes make."""
        return (self.epochs if epochs is None else epochs) * stream.batches_a_pass

    def holding(self, prepared: PreparedRows, params: Params) -> Transformer:
        """This network, fitted with these parameters."""
        import torch

        own = self._encoder()
        came = dict(own.module.named_parameters())
        moved = {
            name: value.detach().numpy().copy()
            for name, value in params.items()
            if name not in came or not torch.equal(value.detach(), came[name].detach())
        }
        return replace(self, fitted=TextLearned(prepared.shape, moved, own.digest))

    # ── using what was learned ──────────────────────────────────────────────

    def body(self) -> frozenset[str]:
        return (self._encoder().names | frozenset(self._learned().tensors)) - self.heads()

    def layers(self) -> tuple[frozenset[str], ...]:
        """The embeddings, each block of the encoder, and the head."""
        found: dict[int, set[str]] = {}
        for name in self.body():
            place = _LAYER.search(name)
            found.setdefault(-1 if place is None else int(place[1]), set()).add(name)
        return (*(frozenset(found[at]) for at in sorted(found)), self.heads())

    def parameters(self) -> Params:
        import torch

        learned = self._learned()
        own = self._encoder()
        assert isinstance(learned, TextLearned)
        if learned.digest != own.digest:
            raise IntegrityError(
                f"Expected the encoder {self.weights} with the weights that this model was "
                "fitted on, found other weights. Install the version it was fitted with."
            )
        moved = {name: torch.from_numpy(v.copy()) for name, v in learned.tensors.items()}
        return own.parameters() | moved

    # ── low rank ────────────────────────────────────────────────────────────

    def why_no_factors(self) -> str | None:
        """What is missing to run matrices of low rank beside the encoder's, or None."""
        if find_spec("peft") is None:
            return 'PEFT is not installed: pip install "acclimate[transformers]"'
        return None

    def matrices(self) -> list[str]:
        return self._encoder().matrices()

    # ── on disk ─────────────────────────────────────────────────────────────

    def state(self) -> State:
        learned = self._learned()
        assert isinstance(learned, TextLearned)
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        del plain["fitted"]
        meta = {
            "settings": plain,
            "layout": asdict(learned.shape.layout) | {"levels": [*learned.shape.layout.levels]},
            "n_classes": learned.shape.n_classes,
            "digest": learned.digest,
        }
        return State(self.kind, meta, dict(learned.tensors))

    def set_as(self, state: State) -> Transformer:
        return Transformer(**state.meta["settings"])

    @classmethod
    def restore(cls, state: State) -> Transformer:
        meta = state.meta
        layout = Layout(**(meta["layout"] | {"levels": tuple(meta["layout"]["levels"])}))
        tensors = {name: np.array(state.tensors[name]) for name in sorted(state.tensors)}
        learned = TextLearned(Shape(layout, meta["n_classes"]), tensors, meta["digest"])
        return cls(**meta["settings"], fitted=learned)

    def _encoder(self) -> Encoder:
        return encoder(self.weights)
