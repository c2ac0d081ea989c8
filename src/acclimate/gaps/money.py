"""Is money the same money?  Said, not measured: no distance makes yen comparable to euros."""

from __future__ import annotations

from acclimate.domains.domain import Domain
from acclimate.domains.together import currencies
from acclimate.gaps.gap import Gap


def money(source: Domain, target: Domain) -> list[Gap]:
    """A Gap without a number, unless amounts of both are known to be in one currency."""
    nothing = (None, None, None, None, None, 0, 0)
    return [
        Gap("currency", source.name, target.name, float("nan"), *nothing, finding.message)
        for finding in currencies([target, source])
    ]
