"""Networks of the contract are tiny: their size and steps are not what is claimed."""

from __future__ import annotations

from typing import Any

import pytest

from acclimate.plans import tune
from acclimate.strategies.catalogue import MODELS, STRATEGIES
from tests.contract import outside
from tests.contract.cases import less


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    outside.tiny_networks(monkeypatch)


@pytest.fixture
def few_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folds, and of every model and strategy the first two settings, quick ones."""
    monkeypatch.setattr(tune, "_fold_count", lambda problem: 2)
    kinds: set[Any] = {type(each) for each in (*MODELS, *STRATEGIES)}
    for kind in kinds:
        whole = kind.grid

        def some(self: Any, *args: Any, whole: Any = whole) -> tuple[Any, ...]:
            return tuple(less(each) for each in whole(self, *args)[:2])

        monkeypatch.setattr(kind, "grid", some)
