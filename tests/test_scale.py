"""The benchmark of large markets, on a small one."""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl
import pytest

from acclimate.rng import Rng
from benchmarks import scale


@pytest.mark.parametrize("ids", ["text", "int"])
def test_made_events_are_those_of_their_seed(
    tmp_path: Path, ids: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "_CHUNK", 300)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        scale.make(tmp_path / f"{name}.parquet", 1000, 50, ids, Rng.of(seed))
    a, b, c = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in "abc")
    assert a.height == 1000 and a.equals(b) and not a.equals(c)
    assert a["customer_id"].n_unique() > 50 and a["product_id"].n_unique() > 25
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.parquet", "b.parquet", "c.parquet",
    ]  # fmt: skip


def test_every_step_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    args = argparse.Namespace(events=5000, ids="text", seed=0, folder=tmp_path)
    lines = list(scale.run(args))
    assert list(dict.fromkeys(line.arm for line in lines)) == [*scale.STEPS, "together"]
    together = {line.metric: line for line in lines if line.arm == "together"}
    assert together["seconds"].reference == 60 and together["peak_mb"].reference == 4000
    assert all(line.value is not None and line.value >= 0 for line in lines)
    assert together["peak_mb"].value == max(line.peak_mb or 0 for line in lines)
