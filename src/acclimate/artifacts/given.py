"""An artifact as a source: what was learned elsewhere, from rows that nobody here sees.

Before: somebody ran adapt and handed over the artifact.  After: a task poses a
problem in which it stands beside markets with rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.artifacts import store
from acclimate.artifacts.artifact import Artifact, load
from acclimate.domains.domain import Domain, Learned
from acclimate.domains.schema import Finding, Schema
from acclimate.domains.view import ItemEncoder
from acclimate.errors import UsageError
from acclimate.models.quantiles import without_quantiles
from acclimate.plurals import number_of

if TYPE_CHECKING:
    from acclimate.domains.markets import Market


def artifact_at(market: object) -> Path | None:
    """The folder of the artifact that a market names: itself, or inside a run's folder.

    Two of its files tell one, so that a damaged artifact is refused as such.
    """
    if not isinstance(market, str | Path):
        return None
    folder = Path(market)
    for each in (folder, folder / "artifact"):
        try:
            if sum((each / name).is_file() for name in store.REQUIRED) >= 2:
                return each
        except (OSError, ValueError):
            return None
    return None


def open_sources(markets: Sequence[Market], task: str) -> list[Market]:
    """The sources, those that are artifacts verified and opened; others as they were named.

    task  the kind of task that artifacts must serve

    Two artifacts of one market are told apart by the folders of their runs.  Raises what
    `load` raises, and UsageError for an artifact of another task.
    """
    folders = [artifact_at(market) for market in markets]
    found = {n: open_artifact(folder, task) for n, folder in enumerate(folders) if folder}
    names = [domain.name for domain in found.values()]
    for number, domain in found.items():
        folder = folders[number]
        if names.count(domain.name) > 1 and folder is not None:
            found[number] = replace(domain, name=f"{domain.name} of {_place(folder)}")
    return [found.get(number, market) for number, market in enumerate(markets)]


def _place(folder: Path) -> str:
    """The name of a run's folder, or of an artifact that stands alone."""
    whole = folder.resolve()
    return whole.parent.name if whole.name == "artifact" else whole.name


def open_artifact(folder: Path, task: str | None = None) -> Domain:
    """An artifact as a market without tables.

    task  the kind of task it must serve, or None for any

    Raises what `load` raises, and UsageError for an artifact of another task.
    """
    artifact = load(folder)
    held = artifact.contents
    if task not in (None, held.task.kind):
        raise UsageError(
            f"Expected an artifact for {task} at {str(folder)!r}; found one for "
            f"{held.task.kind}. Name another source, or leave it out."
        )
    learned = Learned(
        task=held.task.kind,
        fitted=replace(held.fitted, model=without_quantiles(held.fitted.model)),
        types=held.reading.types,
        classes=held.reading.classes,
        digest=artifact.digest,
        fingerprints=frozenset(held.fingerprints.values()),
        said=_said(artifact),
    )
    schema = Schema({}, held.reading.declared)
    finding = Finding("note", "artifact", f"{_said(artifact)}.")
    return Domain(f"{held.target} artifact", {}, schema, (finding,), learned)


def _said(artifact: Artifact) -> str:
    """What an artifact holds, in a few words."""
    held = artifact.contents
    words = f"{held.arm} for {held.task.kind}, fitted for {held.target}"
    words += f" with {', '.join(held.sources)}" if held.sources else ""
    if held.reading.classes:
        words += f"; tells apart {', '.join(held.reading.classes)}"
    if held.reading.types:
        words += f"; reads {', '.join(held.reading.types)}"
    encoder = held.fitted.encoder
    if isinstance(encoder, ItemEncoder):
        words += f"; knows {number_of(len(encoder.known), 'item')}"
    return words


def require_market(target: object) -> None:
    """Raises UsageError for a target that is an artifact: nothing could be judged on it."""
    if artifact_at(target) is not None:
        raise UsageError(
            f"Expected a market with tables as target; found the artifact {str(target)!r}, "
            "whose rows nobody sees. Name it with --source, and the market it should serve "
            "with --target."
        )


def require_unseen(target: Domain, sources: Sequence[Domain]) -> None:
    """Raises UsageError for an artifact that was fitted on the target's own data."""
    for source in sources:
        if source.learned is not None and target.fingerprint in source.learned.fingerprints:
            raise UsageError(
                f"Expected artifacts that have not seen target {target.name!r}; found that "
                f"{source.name!r} was fitted on the same data, judge and all. Leave it out, or "
                "give rows that came later as the target."
            )
