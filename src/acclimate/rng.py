"""Randomness as a key: the same name below the same seed gives the same numbers.

A child depends on its name alone, never on how much was drawn before it, so
that adding a trial, or abandoning one, changes no other trial's result.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rng:
    """A key from which generators are made.

    key   the path of names from the seed, e.g. `"0/trial/ease"`
    """

    key: str = "0"

    @classmethod
    def of(cls, seed: int) -> Rng:
        """The root key of a seed."""
        return cls(str(int(seed)))

    def child(self, name: object) -> Rng:
        """The key below this one called `name`."""
        return Rng(f"{self.key}/{name}")

    @property
    def seed(self) -> int:
        """A 31-bit seed for libraries that want an integer."""
        return int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:4], "big") >> 1

    def generator(self) -> np.random.Generator:
        """A fresh NumPy generator; two calls give the same stream."""
        digest = hashlib.sha256(self.key.encode()).digest()
        return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
