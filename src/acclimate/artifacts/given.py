"""An artifact as a source: what was learned elsewhere, from rows that nobody here sees.

Before: somebody ran adapt and handed over the artifact.  After: a task poses a
problem in which it stands beside markets with rows.
"""

from __future__ import annotations

from pathlib import Path

from acclimate.artifacts import store
from acclimate.artifacts.artifact import load
from acclimate.domains.domain import Domain, Learned
from acclimate.domains.schema import Schema
from acclimate.errors import UsageError


def artifact_at(market: object) -> Path | None:
    """The folder of the artifact that a source names: itself, or inside a run's folder."""
    if not isinstance(market, str | Path):
        return None
    folder = Path(market)
    for each in (folder, folder / "artifact"):
        try:
            if (each / store.MANIFEST).is_file() and (each / store.TENSORS).is_file():
                return each
        except (OSError, ValueError):
            return None
    return None


def open_artifact(folder: Path, task: str) -> Domain:
    """An artifact as a market without tables.

    task  the kind of task it must serve

    Raises what `load` raises, and UsageError for an artifact of another task.
    """
    artifact = load(folder)
    held = artifact.contents
    if held.task.kind != task:
        raise UsageError(
            f"Expected an artifact for {task} at {str(folder)!r}; found one for "
            f"{held.task.kind}. Name another source, or leave it out."
        )
    learned = Learned(
        task=held.task.kind,
        fitted=held.fitted,
        types=held.reading.types,
        classes=held.reading.classes,
        digest=artifact.digest,
        fingerprints=frozenset(held.fingerprints.values()),
    )
    schema = Schema({}, held.reading.declared)
    return Domain(f"{held.target} artifact", {}, schema, learned=learned)


def require_unseen(target: Domain, sources: list[Domain]) -> None:
    """Raises UsageError for an artifact that was fitted on the target's own data."""
    for source in sources:
        if source.learned is not None and target.fingerprint in source.learned.fingerprints:
            raise UsageError(
                f"Expected artifacts that have not seen target {target.name!r}; found that "
                f"{source.name!r} was fitted on the same data, judge and all. Leave it out, or "
                "give rows that came later as the target."
            )
