"""A market of other classes teaches through the command line: kinds, and what came back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from acclimate.models.mixed import MixedNetwork
from acclimate.strategies.relation.cotuning import CoTuning
from tests.cli.calls import Call, Markets
from tests.cli.conftest import keep_models

KINDS = ("bag", "coat", "hat", "shoe")


def table(seed: int, n: int, label: str) -> pl.DataFrame:
    """Products of 40 brands, each of which makes one kind; bags and hats come back, mostly.

    label  "kind": what a product is; "fate": whether it came back
    """
    g = np.random.default_rng(seed)
    brand = g.integers(0, 40, n)
    kind = brand * 7 % 4
    back = np.isin(kind, (0, 2)) ^ (g.random(n) < 0.05)
    says = {"kind": np.array(KINDS)[kind], "fate": np.where(back, "back", "kept")}
    brands = [f"brand {each}" for each in brand]
    return pl.DataFrame({"brand": brands, "price": g.normal(size=n), "fraud": says[label]})


def test_what_other_classes_have_to_do_with_the_labels_is_learned_and_adopted(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")
    keep_models(monkeypatch, "network")
    # Settings are compared elsewhere; one of each, and a small network, are quick.
    small = MixedNetwork(width=16, epochs=4, penalty=1.25)
    monkeypatch.setattr(MixedNetwork, "grid", lambda self: (small,))
    monkeypatch.setattr(CoTuning, "grid", lambda self, problem: (self,))
    source = markets.write("shelf", table(1, 600, "kind"))
    target = markets.write("desk", table(2, 400, "fate"))
    asked = markets.classify(target, source)
    call(*asked).refuses(3, "back, kept in the target and bag, coat, hat, shoe", "co-tuning")
    found = call(*asked, "--labels", 40, "--strategy", "co-tuning").json
    values = {row["strategy"]: row["value"] for row in found["leaderboard"]}
    assert set(values) == {"target-only", "co-tuning"}
    verdict = found["verdict"]
    assert verdict["answer"] == "adopt" and verdict["arm"] == "co-tuning/network", values
    assert verdict["effect"] > 0.1
    refused = {(row["strategy"], row["why"]) for row in found["refused"]}
    why = (
        "source 'shelf' tells other classes apart than the target, which co-tuning alone "
        "learns from"
    )
    assert refused == {("source-only", why), ("pooled", why)}
