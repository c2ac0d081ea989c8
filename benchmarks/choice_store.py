"""Solved problems on disk: a JSON file of what is known of each, an NPZ of its unit scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.choice_posed import Listed
from benchmarks.choice_solved import Solved, thinned

RESULTS = Path(__file__).parent / "results" / "choice"


def path_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def write(folder: Path, solved: Solved) -> None:
    """Write a problem; its JSON comes last, so that what is there is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    small = thinned(solved)
    name = str(small.about["name"])
    array, text = folder / f"{name}.npz", path_of(folder, name)
    part = array.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **small.units)  # type: ignore[arg-type]
    part.replace(array)
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in small.arms)
    about = json.dumps(small.about, ensure_ascii=False)
    part = text.with_suffix(".part")
    part.write_text(f'{{"about": {about},\n "arms": [\n  {rows}]}}\n', encoding="utf-8")
    part.replace(text)


def read(folder: Path, name: str) -> Solved:
    """A stored problem, its scores in the metric's own units again."""
    plain = json.loads(path_of(folder, name).read_text(encoding="utf-8"))
    about = plain["about"]
    with np.load(folder / f"{name}.npz") as arrays:
        units = {
            part: arrays[part].astype(np.float64) * about["scale"] for part in arrays.files
        }
    return Solved(about, plain["arms"], units)


def stored(folder: Path, listed: Sequence[Listed]) -> list[Solved]:
    """Every listed problem that was solved, in the list's order."""
    return [read(folder, e.name) for e in listed if path_of(folder, e.name).exists()]
