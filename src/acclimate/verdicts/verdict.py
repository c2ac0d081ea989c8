"""The answer of the negative-transfer test, for a program, a page and a manager.

Before: `compare` measured the best transfer arm against the best target-only
arm on the judge.  After: a workflow ships transfer only on `adopt`.  "Do not
transfer" is a valid answer, and so is "too few units to say".
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from scipy import special

from acclimate.errors import IntegrityError, UsageError
from acclimate.plurals import number_of, one_of
from acclimate.verdicts.compare import Effect
from acclimate.verdicts.segments import Group

Answer: TypeAlias = Literal["adopt", "keep-target-only", "not-enough-data", "provisional"]

ANSWERS: tuple[Answer, ...] = ("adopt", "keep-target-only", "not-enough-data", "provisional")

# Below this no bootstrap of a skewed score holds its level (0003-interval.md).
MIN_UNITS = 30
POWER = 0.8  # chance of settling that `units_wanted` aims at
# The baseline that is the adopted arm itself, fitted on sources that know nothing.
SHUFFLED = "shuffled sources"


class Against(NamedTuple):
    """The arm's contrast with another baseline; positive: the arm is better."""

    baseline: str
    effect: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """What was decided and on what grounds.  Numbers that nobody can know are None.

    arm, baseline  the best transfer arm and the target-only arm it must beat
    metric         name of the score
    effect         arm minus baseline in the metric's units; positive: transfer helps
    low, high      its two-sided interval at `level`
    n              independent units judged, each one `unit`
    probability    [0, 1] that transfer helps
    looks          ≥ 1, procedures that have looked at this judge, this one included
    level          two-sided level of this look
    delta          ≥ 0, the smallest effect worth having
    units_wanted   units that would settle it with 80 % chance if the effect is as
                   it looks; None where it is settled or nothing can be said
    against        the same contrast with source-only, pooled and others; of an arm to adopt
                   with itself on shuffled sources
    reason         one sentence
    unit           plural word for the independent unit, e.g. "users"
    hurt           groups of units that the arm is shown to be worse for
    before, after  the score of the baseline and of the arm on the judge, None where unknown
    unshuffled     why an arm to adopt was not compared with itself on shuffled sources
    """

    answer: Answer
    arm: str
    baseline: str
    metric: str
    effect: float | None
    low: float | None
    high: float | None
    n: int
    probability: float | None
    looks: int = 1
    level: float = 0.05
    delta: float = 0.0
    units_wanted: int | None = None
    against: tuple[Against, ...] = ()
    reason: str = ""
    unit: str = "units"
    unshuffled: str = ""
    before: float | None = None
    after: float | None = None
    hurt: tuple[Group, ...] = ()

    @property
    def likelier(self) -> bool:
        """Whether the arm is the best guess while nothing is decided: not judged worse."""
        return self.effect is None or self.effect > 0

    def as_row(self) -> dict[str, Any]:
        """The keys of the machine-readable output, then the extras; JSON types only."""
        return {
            "answer": self.answer,
            "arm": self.arm,
            "metric": self.metric,
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "probability": self.probability,
            "looks": self.looks,
            "against": [a._asdict() for a in self.against],
            "baseline": self.baseline,
            "level": self.level,
            "delta": self.delta,
            "units_wanted": self.units_wanted,
            "reason": self.reason,
            "unit": self.unit,
            "unshuffled": self.unshuffled,
            "before": self.before,
            "after": self.after,
            "hurt": [group._asdict() for group in self.hurt],
        }

    def to_json(self) -> str:
        """`as_row` as one line of JSON; never NaN or infinity."""
        return json.dumps(self.as_row(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Verdict:
        """The verdict that `as_row` wrote.  Raises IntegrityError if it is not one."""
        try:
            against = tuple(Against(**a) for a in row["against"])
            hurt = tuple(Group(**each) for each in row.get("hurt", ()))
            made = cls(**{**row, "against": against, "hurt": hurt})
        except (KeyError, TypeError) as problem:
            raise IntegrityError(
                f"Expected a verdict with the keys of Verdict.as_row, found {sorted(row)} "
                f"({problem}). The file was written by something else, or changed since."
            ) from None
        if made.answer not in ANSWERS:
            raise IntegrityError(
                f"Expected one of {', '.join(ANSWERS)} as answer, found {made.answer!r}."
            )
        return made

    @property
    def sentence(self) -> str:
        """One sentence for a manager, with how it stands against the simplest transfers."""
        alone = "" if self.baseline == "target-only" else f" ({self.baseline})"
        over = (
            "" if self.arm == self.baseline else f" to choose {self.arm} over {self.baseline}"
        )
        opening = {
            "adopt": f"Adopt {self.arm}",
            "keep-target-only": f"Keep target-only{alone}",
            "not-enough-data": f"Not enough data{over}",
            "provisional": f"{self.arm} is provisional",
        }[self.answer]
        rest = [f"{opening}: {self.reason}"]
        if (change := self.change) is not None:
            rest.append(change)
        rest += [_standing(a, self.arm) for a in self.against if a.baseline != self.arm]
        if self.hurt and self.answer == "adopt":
            rest.append(f"but it hurts {', '.join(map(str, self.hurt))}")
        if self.unshuffled:
            rest.append(f"not compared with shuffled sources: {self.unshuffled}")
        return "; ".join(rest) + "."

    @property
    def change(self) -> str | None:
        """What the effect is in business terms: from which score to which, as a share.

        None where a score is not known; no share of a score of 0 or below.
        """
        if self.before is None or self.after is None:
            return None
        before, after = f"{self.before:.4g}", f"{self.after:.4g}"
        if self.before <= 0:
            return f"{self.metric} goes from {before} to {after}"
        share = f"{100 * (self.after / self.before - 1):+.3g}"
        return f"{self.metric} goes from {before} to {after} ({share} %)"

    def __str__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        rows = [Against(self.baseline, self.effect, self.low, self.high), *self.against]
        cells = "".join(
            f"<tr><td>{html.escape(a.baseline)}</td><td>{_signed(a.effect)}</td>"
            f"<td>{_signed(a.low)}</td><td>{_signed(a.high)}</td></tr>"
            for a in rows
        )
        return (
            f"<p><strong>{self.answer}</strong> {html.escape(self.sentence)}</p>"
            f"<table><caption>{html.escape(self.arm)}, {html.escape(self.metric)}, "
            f"n = {self.n:,}, {_percent(1 - self.level)} intervals, look {self.looks}</caption>"
            "<thead><tr><th>against</th><th>effect</th><th>low</th><th>high</th></tr></thead>"
            f"<tbody>{cells}</tbody></table>"
        )


def judge(
    effect: Effect,
    *,
    delta: float,
    arm: str = "transfer",
    baseline: str = "target-only",
    metric: str = "score",
    looks: int = 1,
    against: Iterable[tuple[str, Effect]] = (),
    unit: str = "units",
) -> Verdict:
    """Adopt if low > 0; keep target-only if high < delta; otherwise say what is missing.

    effect   of `arm` against the binding baseline, at the level of this look
    delta    ≥ 0, in the metric's units
    against  other baselines with the arm's effect against them; they inform the
             sentence and decide nothing

    Fewer than 30 units are never enough, whatever the interval.  Two arms that
    agree on every unit keep target-only: there is nothing to gain.
    Raises UsageError for a negative or infinite delta or looks below 1.
    """
    if not (math.isfinite(delta) and delta >= 0):
        raise UsageError(
            f"Expected delta, the smallest effect worth having, finite and ≥ 0, found {delta}."
        )
    if looks < 1:
        raise UsageError(f"Looks count from 1, found {looks}. Take it from Ledger.look.")
    same = effect.low == effect.high == 0
    answer: Answer
    if effect.n < MIN_UNITS or effect.says_nothing:
        answer = "not-enough-data"
    elif effect.low > 0:
        answer = "adopt"
    elif effect.high < delta or same:
        answer = "keep-target-only"
    else:
        answer = "not-enough-data"
    wanted = units_to_settle(effect, delta) if answer == "not-enough-data" else None
    return Verdict(
        answer=answer,
        arm=arm,
        baseline=baseline,
        metric=metric,
        effect=_known(effect.value),
        low=_known(effect.low),
        high=_known(effect.high),
        n=effect.n,
        probability=_known(effect.probability),
        looks=looks,
        level=effect.level,
        delta=delta,
        units_wanted=wanted,
        against=told(against),
        reason=_reason(answer, effect, delta, wanted, baseline, metric, unit),
        unit=unit,
    )


def told(against: Iterable[tuple[str, Effect]]) -> tuple[Against, ...]:
    """Contrasts with other baselines as a verdict tells them."""
    return tuple(
        Against(name, _known(e.value), _known(e.low), _known(e.high)) for name, e in against
    )


def provisional(
    *,
    arm: str,
    baseline: str = "target-only",
    metric: str = "score",
    reason: str = "no target labels to judge on, so nothing shows yet that transfer helps",
    unit: str = "units",
) -> Verdict:
    """The verdict without target labels: never `adopt`, no number claimed."""
    return Verdict(
        "provisional",
        arm,
        baseline,
        metric,
        None,
        None,
        None,
        0,
        None,
        reason=reason,
        unit=unit,
    )


def units_to_settle(effect: Effect, delta: float) -> int | None:
    """Units at which this effect would be settled with 80 % chance, ≥ 30.

    The standard error shrinks as 1/√n, so that low > 0 takes
    n·((z + z_power)·se / effect)² units and high < delta takes
    n·((z + z_power)·se / (delta − effect))²; the smaller is told.  It takes
    the effect as it looks, which is what is uncertain: a plan, no promise.
    None where the spread is unknown and there are 30 units or more.
    """
    if not (0 < effect.se < math.inf):
        return MIN_UNITS if effect.n < MIN_UNITS else None
    z = float(special.ndtri(1 - effect.level / 2) + special.ndtri(POWER))
    distances = [d for d in (effect.value, delta - effect.value) if d > 0]
    if not distances:  # only at effect = delta = 0
        return None
    wanted = math.ceil(effect.n * (z * effect.se / max(distances)) ** 2)
    return max(MIN_UNITS, effect.n + 1, wanted)


def _reason(
    answer: Answer,
    effect: Effect,
    delta: float,
    wanted: int | None,
    baseline: str,
    metric: str,
    unit: str,
) -> str:
    if effect.n < MIN_UNITS:
        told = number_of(effect.n, one_of(unit), unit)
        return f"{told} to judge on, at least {wanted} wanted"
    if effect.says_nothing:
        return f"{effect.n:,} {unit} say nothing about {metric}"
    if effect.low == effect.high == 0:
        return f"on all {effect.n:,} {unit} judged the two score the same {metric}"
    span = (
        f"{_signed(effect.value)} {metric} against {baseline} on {effect.n:,} {unit} "
        f"({_percent(1 - effect.level)} interval {_signed(effect.low)} to "
        f"{_signed(effect.high)})"
    )
    if answer == "adopt":
        return span
    if answer == "keep-target-only":
        excluded = f"a gain of {delta:.3g}" if delta > 0 else "any gain"
        return f"transfer gives {span}, which excludes {excluded}"
    more = f", about {wanted:,} {unit} would settle it" if wanted is not None else ""
    return f"{span}, {100 * effect.probability:.0f} % likely to help{more}"


def _standing(a: Against, arm: str) -> str:
    if a.effect is None or a.low is None or a.high is None:
        return f"{arm} against {a.baseline} is unknown"
    owed = a.low > 0
    if a.baseline == SHUFFLED:
        relation = f"{arm} is not ahead of the same way with its sources shuffled"
        if owed:
            relation = f"the gain needs what the sources know, as {arm} beats itself without it"
    elif owed:
        relation = f"{arm} beats {a.baseline}"
    elif a.high < 0:
        relation = f"{arm} loses to {a.baseline}"
    else:
        relation = f"{arm} cannot be told from {a.baseline}"
    span = f"{relation} ({_signed(a.effect)}, {_signed(a.low)} to {_signed(a.high)})"
    if a.baseline == SHUFFLED and not owed:
        return (
            f"{span}, so that the gain may be owed to the method (one more penalty, another "
            "model) and not to the sources: try target-only with more settings and models"
        )
    return span


def _known(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _signed(x: float | None) -> str:
    return "unknown" if x is None or not math.isfinite(x) else f"{x:+.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
