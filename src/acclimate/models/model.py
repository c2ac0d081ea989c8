"""A Model: something that fits and predicts, and says what it offers.

A model is a frozen specification; `fit` returns a new one that also holds what
was learned.  Strategies ask for what a model offers by protocol (`Weighted`,
`WithPrior`, `GivesPrior`, `TakesNumbers`, `Grows`, `Network`) and never for its class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from acclimate.arrays import Array, Tensor
from acclimate.domains.exam import Prediction
from acclimate.rng import Rng

Tick = Callable[[], None]
"""Called between steps of long work; raises when the budget has ended."""


def idle() -> None:
    """A tick that never ends anything."""


@dataclass(frozen=True)
class State:
    """A fitted model as JSON, tensors and the states inside it; never a pickle."""

    kind: str
    meta: dict[str, Any]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    children: Mapping[str, State] = field(default_factory=dict)


class Model(Protocol):
    """What every model does.

    kind   its name in the catalogue
    form   "rows" or "items": the views it eats
    """

    kind: ClassVar[str]
    form: ClassVar[str]

    def why_not(self) -> str | None:
        """Why it cannot be used here (an extra that is not installed), or None."""
        ...

    def grid(self) -> tuple[Model, ...]:
        """The settings that tuning may try, in order, the default among them."""
        ...

    def prepare(self, view: Any) -> Any:
        """Label-independent work, done once per view: design matrix, bins, Gram."""
        ...

    def fit(
        self,
        prepared: Any,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Model:
        """A fitted copy.

        weight  (n,) ≥ 0, one a row, or None for equal weights
        start   a fitted model to start from (only WarmStart and Network)
        prior   what the sources say about the parameters (only WithPrior)
        """
        ...

    def predict(self, query: Any, context: Any = None) -> Prediction:
        """Answer a query; `context` is what is known at that moment."""
        ...

    def state(self) -> State:
        """Everything learned; `restore(state)` of the class gives it back."""
        ...


@runtime_checkable
class Weighted(Protocol):
    """Its `fit` takes row weights."""

    takes_weights: ClassVar[bool]


@runtime_checkable
class WithPrior(Protocol):
    """Its `fit` takes a prior: what sources know about its parameters."""

    takes_prior: ClassVar[bool]


@runtime_checkable
class TakesNumbers(Protocol):
    """It fits numbers as well as classes, where `RowView.n_classes` is 0."""

    takes_numbers: ClassVar[bool]


@runtime_checkable
class ReadsText(Protocol):
    """It reads texts as they are written, and nothing else of a row."""

    reads_text: ClassVar[bool]


@runtime_checkable
class ReadsAttributes(Protocol):
    """It recommends items that nobody took, by what is known of them."""

    reads_attributes: ClassVar[bool]

    @property
    def knows_people(self) -> bool:
        """Whether it goes by attributes of users too, once fitted."""
        ...


@runtime_checkable
class WarmStart(Protocol):
    """Its `fit` takes a fitted model to start from, and ends where it would without one."""

    takes_start: ClassVar[bool]


@runtime_checkable
class FitsOften(Protocol):
    """Its rows can be prepared for many fits, each a little coarser and much quicker."""

    def prepare_often(self, view: Any) -> Any:
        """As `prepare`."""
        ...


@runtime_checkable
class Costly(Protocol):
    """It takes long: a plan tries it after models without an effort, cheaper ones first.

    effort  1: minutes at most, as trees; 2: as networks, which need not say so
    """

    effort: ClassVar[int]


@runtime_checkable
class Waits(Protocol):
    """A plan tries it unasked only where this is true; it waits for its name otherwise."""

    unasked: ClassVar[bool]


@runtime_checkable
class NeedsBySettings(Protocol):
    """What it needs of the machine hangs on its settings, as on where its weights are."""

    def set_as(self, state: State) -> Model:
        """An unfitted one with the settings of a state."""
        ...


class Prior(Protocol):
    """What a source says about parameters, as sure as one wants it to be."""

    def times(self, strength: float) -> Any: ...


@runtime_checkable
class GivesPrior(Protocol):
    """A model that, once fitted, can be the prior of another fit."""

    def as_prior(self) -> Prior: ...


@runtime_checkable
class Grows(Protocol):
    """Trees that, once fitted, go on from what they learned with other rows."""

    def grown(
        self,
        view: Any,
        rounds: int,
        *,
        weight: Array | None = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Model:
        """With `rounds` more trees on these rows, behind those it has."""
        ...

    def releaved(
        self, view: Any, decay: float, *, weight: Array | None = None, tick: Tick = idle
    ) -> Model:
        """The same splits, each leaf decay·old + (1 − decay)·what these rows say."""
        ...


@runtime_checkable
class Network(Protocol):
    """It has a body and heads, and trains in the one loop of `models.network`."""

    def body(self) -> frozenset[str]:
        """Names of the parameters below the head."""
        ...

    def heads(self) -> frozenset[str]:
        """Names of the parameters of the heads."""
        ...

    def embed(self, view: Any) -> Array:
        """(n, width) what the body makes of a view."""
        ...
