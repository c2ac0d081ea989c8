"""The truth behind a made domain: what tests and benchmarks may know and models may not.

Before: `synthetic` drew the tables.  After: the answers are exact, with no other
sample to estimate them from: the chance of a label, the distance between two
markets' features, what a perfect transfer would still cost, who is liked with whom.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from scipy.special import expit, logit, ndtr

from acclimate.arrays import Array, Ints
from acclimate.domains.domain import Domain
from acclimate.errors import UsageError

SIGNAL = 2.0  # length of the coefficients: the best log loss is near 0.45
AFFINITY = 0.8
MOODS = {"bad": -1.0, "good": 1.0}


@dataclass(frozen=True)
class MadeRows:
    """Labelled rows and the truth behind them.

    domain     `rows`: x0, x1, … and where asked for group, note, time; label "0" or "1"
    covariate  by how much the mean of x2 was moved, in standard deviations
    label      share of "1" above one half
    concept    half turns of the coefficients: 1 reverses every effect
    """

    domain: Domain = field(repr=False)
    covariate: float
    label: float
    concept: float
    numeric: int
    levels: int
    text: bool

    def bayes(self, rows: pl.DataFrame) -> Array:
        """(n,) true probability of "1" given the features; missing ones are averaged out."""
        known = np.zeros(rows.height)
        unknown = np.zeros(rows.height)
        for j, (weight, mean) in enumerate(zip(self._weights(), self._mean(), strict=True)):
            x = rows[f"x{j}"].cast(pl.Float64).to_numpy()
            absent = np.isnan(x)
            known += weight * np.where(absent, mean, x)
            unknown += np.where(absent, weight**2, 0.0)
        points, mass = _normal()
        scores = known[:, None] + np.sqrt(unknown)[:, None] * points
        parts = [(scores, np.tile(mass, (rows.height, 1)))]
        for effects, value in self._categories(rows):
            parts = [_with_category(*part, effects, value) for part in parts]
        (scores, mass_of) = parts[0]
        base: Array = (expit(scores) * mass_of).sum(axis=1)
        return expit(logit(base) + logit(0.5 + self.label))

    def divergence(self, other: MadeRows) -> float:
        """KL divergence between the features of two domains, in nats.

        Raises UsageError unless both have label 0, where features are one Gaussian
        times independent categories.
        """
        return 0.5 * self._apart(other) ** 2

    def separability(self, other: MadeRows) -> float:
        """Accuracy of the best rule that tells rows of the two apart; ½ … 1.

        Twice its excess over ½, times 2, is the A-distance (0 … 2).
        """
        return float(ndtr(self._apart(other) / 2))

    def regret(self, other: MadeRows) -> float:
        """Expected log loss here of the other's true probabilities, above that of ours.

        0 where only features differ; what transferring everything perfectly costs, in nats,
        on rows without missing values.
        """
        points, mass = _normal()
        x0, x1 = (grid.ravel() for grid in np.meshgrid(points, points))
        weight = np.outer(mass, mass).ravel()
        grid = pl.DataFrame({"x0": x0, "x1": x1})
        rows = [grid.with_columns(mass=pl.Series(weight))]
        for j in range(2, self.numeric):
            rows = [part.with_columns(pl.lit(self._mean()[j]).alias(f"x{j}")) for part in rows]
        if self.levels:
            each = [f"g{g}" for g in range(self.levels)]
            rows = [part.with_columns(group=pl.lit(g)) for part in rows for g in each]
        if self.text:
            rows = [part.with_columns(note=pl.lit(m)) for part in rows for m in MOODS]
        table = pl.concat(rows)
        p, q = self.bayes(table), other.bayes(table)
        base = expit(logit(p) - logit(0.5 + self.label))
        share = 0.5 + self.label
        density = table["mass"].to_numpy() * 2 * (base * share + (1 - base) * (1 - share))
        gap = p * (np.log(p) - np.log(q)) + (1 - p) * (np.log1p(-p) - np.log1p(-q))
        return float((density * gap).sum() / density.sum())

    def _apart(self, other: MadeRows) -> float:
        if self.label or other.label:
            raise UsageError(
                "Expected made rows with label 0, whose features are Gaussian; found "
                f"{self.label} and {other.label}."
            )
        return abs(self.covariate - other.covariate)

    def _weights(self) -> Array:
        return weights_of(self.numeric, self.concept)

    def _mean(self) -> Array:
        return means_of(self.numeric, self.covariate)

    def _categories(self, rows: pl.DataFrame) -> list[tuple[Array, Ints]]:
        """For each category its effects and (n,) which level a row has, −1 inside here only."""
        turn, found = np.cos(np.pi * self.concept), []
        if self.levels:
            names = [f"g{g}" for g in range(self.levels)]
            found.append((turn * effects_of(self.levels), _which(rows["group"], names)))
        if self.text:
            mood = rows["note"].str.extract(r"\b(bad|good)\b")
            found.append((turn * np.array(list(MOODS.values())), _which(mood, list(MOODS))))
        return found


@dataclass(frozen=True)
class MadeEvents:
    """Events and the truth behind them.

    domain      `events`: user, item and where asked for time; and an `items` table
    ids         (n_items,) the id of each item of the world here
    popularity  (n_items,) probability that an event is about the item
    group       (n_items,) who is liked together
    """

    domain: Domain = field(repr=False)
    ids: tuple[str, ...] = field(repr=False)
    popularity: Array = field(repr=False)
    group: Ints = field(repr=False)

    @property
    def relations(self) -> Array:
        """(n_items, n_items) probability that two events of one user are about i and j."""
        member = (self.group[:, None] == np.unique(self.group)).astype(float)  # (items, groups)
        mass = self.popularity @ member
        given = AFFINITY * member / mass + (1 - AFFINITY)
        given = given * self.popularity[:, None]
        joint: Array = (given * mass) @ given.T
        return joint

    @property
    def lift(self) -> Array:
        """(n_items, n_items) `relations` over what independent items would give."""
        both: Array = self.relations / np.outer(self.popularity, self.popularity)
        return both

    def shared(self, other: MadeEvents) -> float:
        """Share of our items that the other has too."""
        theirs = set(other.ids)
        return sum(each in theirs for each in self.ids) / len(self.ids)


def weights_of(numeric: int, concept: float) -> Array:
    weights = np.zeros(numeric)
    weights[:2] = SIGNAL * np.cos(np.pi * concept), SIGNAL * np.sin(np.pi * concept)
    return weights


def means_of(numeric: int, covariate: float) -> Array:
    mean = np.zeros(numeric)
    mean[2] = covariate
    return mean


def effects_of(levels: int) -> Array:
    """(levels,) symmetric about 0, so that half of the labels stay "1"."""
    return np.linspace(-1.0, 1.0, levels) if levels > 1 else np.zeros(levels)


def _normal() -> tuple[Array, Array]:
    """Points and masses of a standard normal; exact for polynomials of degree 79."""
    points, mass = np.polynomial.hermite_e.hermegauss(40)
    return points, mass / mass.sum()


def _which(values: pl.Series, names: list[str]) -> Ints:
    return (
        values.replace_strict(names, list(range(len(names))), default=-1, return_dtype=pl.Int64)
        .fill_null(-1)
        .to_numpy()
    )


def _with_category(
    scores: Array, mass: Array, effects: Array, value: Ints
) -> tuple[Array, Array]:
    """Scores and masses with one more column of which each row knows its level or none."""
    levels = len(effects)
    each = np.where(value[:, None] < 0, effects, effects[value][:, None])  # (n, levels)
    scores = (scores[:, :, None] + each[:, None, :]).reshape(len(scores), -1)
    return scores, np.repeat(mass / levels, levels, axis=1)
