"""Call the command line as a shell would, and write the tiny markets it is called on."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.cli.main import main
from acclimate.domains.writers import write_table

COMMAND = Path(sys.executable).parent / "acclimate"
LABEL = ("--label", "fraud")


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout; NaN and a second object are refused."""
        assert self.out.endswith("}\n") and self.out.count("\n") == 1, self.out

        def refuse(name: str) -> float:
            raise AssertionError(f"{name} is no JSON")

        found: dict[str, Any] = json.loads(self.out, parse_constant=refuse)
        return found

    def refuses(self, code: int, *parts: str) -> None:
        """One clear message on stderr, the exit code, and nothing else on stdout than the same
        for a program that asked for JSON."""
        assert self.code == code, self.err
        assert "Traceback" not in self.err
        errors = re.findall(r"^error: .*$", self.err, re.MULTILINE)
        assert len(errors) == 1, self.err
        # It is the last thing said, and one line.
        assert self.err.endswith(errors[0] + "\n"), self.err
        if self.out:
            said = self.json
            assert [*said] == ["error", "exit"] and said["exit"] == code
            assert f"error: {said['error']['message']}" == errors[0]
        for part in parts:
            assert part in errors[0], errors[0]


Call = Callable[..., Answer]


def caller(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """A function that calls `acclimate` with some words, in this process."""

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["acclimate", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        code = stopped.value.code
        assert isinstance(code, int)
        return Answer(code, out, err)

    return call


def events(seed: int, users: int = 40, items: int = 12, timed: bool = True) -> pl.DataFrame:
    """user_id, item_id, time: seven events a user, popular items with small numbers."""
    generator = np.random.default_rng(seed)
    n = 7 * users
    table = pl.DataFrame(
        {
            "user_id": [f"u{i % users}" for i in range(n)],
            "item_id": [f"i{k}" for k in (items * generator.random(n) ** 2).astype(int)],
            "time": [f"2024-{1 + 8 * i // n:02d}-{1 + i % 28:02d} 10:00:00" for i in range(n)],
        }
    )
    return table if timed else table.drop("time")


def rows(seed: int, n: int = 80) -> pl.DataFrame:
    """amount, browser, fraud: more amount, more "yes"."""
    generator = np.random.default_rng(seed)
    amount = generator.lognormal(3, 1, n).round(2)
    browser = generator.choice(["firefox", "safari", "edge"], n)
    odds = np.log(amount) - 3 + (browser == "edge")
    fraud = np.where(generator.random(n) < 1 / (1 + np.exp(-odds)), "yes", "no")
    return pl.DataFrame({"amount": amount, "browser": browser, "fraud": fraud})


def days(n: int) -> pl.Series:
    """n ≤ 336 different times, about a day apart."""
    return pl.Series(
        "time",
        [
            f"2024-{1 + i // 28 % 12:02d}-{1 + i % 28:02d} {i // 336:02d}:00:00"
            for i in range(n)
        ],
    )


def labels(*shares: tuple[str, int]) -> pl.Series:
    """A label column: each value so many times, in this order."""
    return pl.Series("fraud", [value for value, count in shares for _ in range(count)])


class Markets:
    """Writes markets below a folder, and says how to call on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "runs" / "out"

    def write(self, name: str, table: pl.DataFrame | str, file: str | None = None) -> Path:
        """A market of one file; text is written as it is."""
        market = self.folder / name
        if isinstance(table, str):
            market.mkdir(parents=True, exist_ok=True)
            (market / (file or "rows.csv")).write_text(table, encoding="utf-8")
        else:
            kind = "events.csv" if "item_id" in table.columns else "rows.csv"
            write_table(table, market / (file or kind))
        return market

    def recommend(self, target: object = None, source: object = None) -> list[object]:
        """The words of `adapt` for events; markets that are not given are ordinary ones."""
        target = self.write("jp", events(1)) if target is None else target
        source = self.write("us", events(2)) if source is None else source
        return self._adapt(source, target)

    def classify(self, target: object = None, source: object = None) -> list[object]:
        """The words of `adapt` for rows with a label `fraud`."""
        target = self.write("shop", rows(1)) if target is None else target
        source = self.write("web", rows(2)) if source is None else source
        return [*self._adapt(source, target), *LABEL]

    def _adapt(self, source: object, target: object) -> list[object]:
        where = ("--source", source, "--target", target, "--out", self.out)
        return ["adapt", "--json", *where]

    def nothing_written(self) -> bool:
        return not self.out.exists()
