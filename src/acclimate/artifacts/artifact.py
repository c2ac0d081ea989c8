"""An Artifact: a fitted model on disk, with all that is needed to serve and to trust it.

Before: `verdicts` decided what ships.  After: `predictor` answers with it.
A folder of JSON and tensors, never a pickle; a file that was changed after it
was written is refused, whatever byte it was.

    manifest.json         what it is: task, markets, verdict, plan, how input is read
    state.json            the JSON halves of encoder and model
    tensors.safetensors   their tensors by path
    histories.parquet     who took what; one user can be erased
    histories.sha256      its checksum
    DIGEST                over the first three
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl

from acclimate.artifacts import store
from acclimate.artifacts.codecs import (
    histories_from,
    histories_to_parquet,
    object_of,
    tensors_of,
    tensors_to_bytes,
    to_json,
)
from acclimate.artifacts.reading import Reading
from acclimate.artifacts.states import pack, unpack
from acclimate.domains.domain import Domain
from acclimate.domains.sample import Interactions
from acclimate.domains.values import identifiers
from acclimate.errors import IntegrityError, UsageError
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.regress import Regress
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Posed, Task
from acclimate.verdicts.verdict import Verdict

FORMAT = 1
HOLD_USERS = {"items-beside", "wide-ease"}  # encoders and models with rows of users
TASKS: dict[str, type[Recommend] | type[Classify] | type[Regress] | type[Tag]] = {
    "recommend": Recommend,
    "classify": Classify,
    "regress": Regress,
    "tag": Tag,
}


@dataclass(frozen=True)
class Contents:
    """What an artifact holds.

    task          with its metric settled
    sources       names of the source markets
    arm           what ships, e.g. "target-only/ease"; `settings` are its own
    verdict       of the procedure that chose it
    plan          rows of the plan
    fingerprints  market → fingerprint of its data, target and sources
    reading       how new input is read
    threads       0: as many as the machine had
    histories     user, item (both str): what each user of the target took; or None
    """

    task: Task
    fitted: Fitted = field(repr=False)
    target: str
    sources: tuple[str, ...]
    arm: str
    settings: Mapping[str, Any]
    metric: str
    verdict: Verdict
    plan: Sequence[Mapping[str, Any]]
    fingerprints: Mapping[str, str]
    reading: Reading
    seed: int = 0
    threads: int = 0
    histories: pl.DataFrame | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        posed: Posed,
        fitted: Fitted,
        target: Domain,
        sources: Sequence[Domain],
        *,
        arm: str,
        settings: Mapping[str, Any],
        verdict: Verdict,
        plan: Sequence[Mapping[str, Any]],
        seed: int,
        threads: int = 0,
    ) -> Contents:
        """Contents with everything that can be read off what was posed."""
        fit = posed.whole.fit
        return cls(
            task=posed.task,
            fitted=fitted,
            target=target.name,
            sources=tuple(source.name for source in sources),
            arm=arm,
            settings=settings,
            metric=posed.task.metric.name,
            verdict=verdict,
            plan=plan,
            fingerprints={each.name: each.fingerprint for each in (target, *sources)},
            reading=Reading.of(target, fit),
            seed=seed,
            threads=threads,
            histories=histories_of(fit) if isinstance(fit, Interactions) else None,
        )


@dataclass(frozen=True)
class Artifact:
    """Contents that were read from a folder and verified.

    digest   SHA-256 over manifest, state and tensors; erasing a user keeps it
    version  of acclimate, by which it was written
    """

    contents: Contents
    folder: Path
    digest: str
    version: str

    @property
    def fitted(self) -> Fitted:
        return self.contents.fitted

    def __str__(self) -> str:
        held = self.contents
        learned = f" with {', '.join(held.sources)}" if held.sources else ""
        return (
            f"{held.task.kind} for {held.target}{learned}: {held.arm}, "
            f"{held.verdict.answer} by {held.metric} ({self.digest[:12]})"
        )

    def _repr_html_(self) -> str:
        held = self.contents
        rows = {
            "task": held.task.kind,
            "target": held.target,
            "sources": ", ".join(held.sources),
            "model": held.arm,
            "verdict": held.verdict.sentence,
            "folder": str(self.folder),
            "digest": self.digest,
            "written by": f"acclimate {self.version}",
        }
        cells = "".join(
            f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>"
            for name, value in rows.items()
        )
        return f"<b>Artifact</b><table>{cells}</table>"


def histories_of(fit: Interactions) -> pl.DataFrame:
    """Who took what, by ids: user, item (both str), in the order of the interactions."""
    users = pl.Series("user", fit.users.tolist(), pl.String)
    items = pl.Series("item", fit.items.tolist(), pl.String)
    return pl.DataFrame([users[fit.user], items[fit.item]])


def save(folder: str | Path, contents: Contents) -> None:
    """Write an artifact, in place of the one that is there.

    A kill at any instant leaves the old artifact or the new one.

    Raises UsageError for a place that cannot be written, or that holds
    something other than an artifact.
    """
    tree, tensors = pack(contents.fitted)
    files = {store.STATE: to_json(tree), store.TENSORS: tensors_to_bytes(tensors)}
    files[store.MANIFEST] = to_json(_manifest(contents, files), strict=True)
    if contents.histories is not None:
        files[store.HISTORIES] = histories_to_parquet(contents.histories.select("user", "item"))
    store.write_folder(Path(folder), store.sealed(files))


def load(folder: str | Path) -> Artifact:
    """Verify an artifact and restore it.

    Raises DataError where there is none, IntegrityError (exit code 7) where one
    is incomplete or changed, UsageError where its model needs what is not installed.
    """
    folder = Path(folder)
    files = store.read_folder(folder)
    where = str(folder)
    manifest = object_of(files[store.MANIFEST], store.MANIFEST, where)
    _require_format(manifest, where)
    _require_histories(manifest, files, where)
    tree = object_of(files[store.STATE], store.STATE, where)
    tensors = tensors_of(files[store.TENSORS], where)
    histories = (
        histories_from(files[store.HISTORIES], where) if store.HISTORIES in files else None
    )
    try:
        contents = Contents(
            task=TASKS[manifest["task"]["kind"]](**manifest["task"]["settings"]),
            fitted=unpack(tree, tensors),
            target=manifest["target"],
            sources=tuple(manifest["sources"]),
            arm=manifest["arm"],
            settings=manifest["settings"],
            metric=manifest["metric"],
            verdict=Verdict.from_row(manifest["verdict"]),
            plan=manifest["plan"],
            fingerprints=manifest["fingerprints"],
            reading=Reading.from_row(manifest["reading"]),
            seed=manifest["seed"],
            threads=manifest["threads"],
            histories=histories,
        )
        version = str(manifest["acclimate"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            f"Expected the keys of format {FORMAT} in the artifact {where!r}, found other ones "
            f"({type(error).__name__}: {error}). {store.MEND}"
        ) from None
    return Artifact(contents, folder, store.digest_of(files), version)


def erase_user(folder: str | Path, user_id: str) -> int:
    """Forget what one user took; the artifact's digest stays as it was.

    user_id  as in the target's events, in any spelling that means the same id
    returns  how many interactions were erased, 0 for a user who is not there

    The model itself holds counts and weights over items, and no user; one that holds
    rows of users is refused by UsageError.  Raises what `load` raises for an artifact that
    is not whole, and leaves that as it is.
    """
    folder = Path(folder)
    files = store.read_folder(folder)
    state = object_of(files[store.STATE], store.STATE, str(folder))
    kinds = [state[part]["kind"] for part in ("encoder", "model")]
    if set(kinds) & HOLD_USERS:
        raise UsageError(
            f"Expected an artifact whose model holds no user; {kinds[1]!r} of {str(folder)!r} "
            "was fitted with rows of users in it. Erase the user from the markets' files and "
            "run adapt again."
        )
    if store.HISTORIES not in files:
        return 0
    histories = histories_from(files[store.HISTORIES], str(folder))
    erased = identifiers(pl.Series([str(user_id)]))[0]
    kept = histories.filter(pl.col("user") != erased) if erased is not None else histories
    # Written even where nothing was found: an interrupted erasure may have left a copy beside.
    changed = {name: files[name] for name in store.CONTENT}
    store.write_folder(
        folder, store.sealed({**changed, store.HISTORIES: histories_to_parquet(kept)})
    )
    return histories.height - kept.height


def _manifest(contents: Contents, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "acclimate": metadata.version("acclimate"),
        "task": {"kind": contents.task.kind, "settings": asdict(contents.task)},  # type: ignore[call-overload]
        "target": contents.target,
        "sources": list(contents.sources),
        "arm": contents.arm,
        "settings": contents.settings,
        "metric": contents.metric,
        "verdict": contents.verdict.as_row(),
        "plan": list(contents.plan),
        "fingerprints": contents.fingerprints,
        "reading": contents.reading.as_row(),
        "seed": contents.seed,
        "threads": contents.threads,
        "histories": contents.histories is not None,
        "files": {
            name: {"sha256": store.sha256(data), "bytes": len(data)}
            for name, data in files.items()
        },
    }


def _require_format(manifest: Mapping[str, Any], where: str) -> None:
    if manifest.get("format") != FORMAT:
        raise IntegrityError(
            f"Expected the artifact {where!r} in format {FORMAT}, found "
            f"{manifest.get('format')!r}, written by acclimate "
            f"{manifest.get('acclimate', 'of unknown version')}. Load it with that version, or "
            "run adapt again."
        )


def _require_histories(
    manifest: Mapping[str, Any], files: Mapping[str, bytes], where: str
) -> None:
    wanted, found = bool(manifest.get("histories")), store.HISTORIES in files
    if wanted != found:
        names = f"{store.HISTORIES} and {store.CHECKSUM}"
        raise IntegrityError(
            f"Expected the artifact {where!r} {'with' if wanted else 'without'} {names}, found "
            f"it {'with' if found else 'without'} them. {store.MEND}"
        )
