"""The Registry: release a version, put it in front, go back.

Before: a run wrote an artifact with its verdict.  After: `acclimate serve` answers with the
champion of a name.  An artifact is in the vault before the database names it, and what the
database names is one transaction: a kill at any instant leaves the old state or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from acclimate.artifacts.artifact import Artifact, erase_user, load
from acclimate.artifacts.given import artifact_at
from acclimate.artifacts.store import digest_of, read_folder
from acclimate.errors import AcclimateError, UsageError
from acclimate.nearest import did_you_mean, some
from acclimate.registry import audit, tables
from acclimate.registry.database import Database
from acclimate.registry.vault import Vault
from acclimate.registry.version import (
    CHALLENGER,
    CHAMPION,
    PROVEN,
    Version,
    lineage_of,
    number_of,
    reference,
    require_name,
)
from acclimate.settings import settings

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Registry:
    """What has been made, by name and version.

    url    SQLite or PostgreSQL; None: `ACCLIMATE_REGISTRY`, else a file under `ACCLIMATE_HOME`
    vault  folder of the artifacts; None: `ACCLIMATE_VAULT`, else beside the registry's file
    who    in whose name things are done; None: the account's
    """

    def __init__(
        self, url: str | None = None, vault: Path | None = None, who: str | None = None
    ) -> None:
        self.database = Database(url)
        self.vault = Vault(vault or settings().vault or self.database.beside)
        self.who = (who or audit.me())[:128]

    def close(self) -> None:
        """Let the database go."""
        self.database.close()

    # ── changing ────────────────────────────────────────────────────────────

    def release(self, run: str | Path, name: str, override: str | None = None) -> Version:
        """Give a run's artifact the next version of a name, as its challenger.

        run       the folder of a run, or of its artifact
        override  why it is released though its verdict says neither adopt nor
                  keep-target-only; kept in the audit log

        Raises UsageError for such a verdict without a reason, DataError where there is no
        artifact, IntegrityError for one that was changed; then nothing is released.
        """
        require_name(name)
        folder = artifact_at(str(run)) or Path(run)
        artifact, files = load(folder), read_folder(folder)
        if digest_of(files) != artifact.digest:
            raise UsageError(
                f"Expected an artifact that stays as it is at {str(run)!r}; found it replaced "
                "while it was read. Release it again when its run is done."
            )
        reason = _reason(override, artifact.contents.verdict.answer, str(run))
        lineage = lineage_of(artifact)
        while True:
            self.vault.put(files)
            with self.database.writing() as connection:
                # A cleaner may have taken away what no version named yet.
                if self.vault.place(artifact.digest).is_dir():
                    number = self._entered(connection, name, artifact, lineage, reason)
                    break
        return self.show(f"{name}@{number}")

    def _entered(
        self,
        connection: Connection,
        name: str,
        artifact: Artifact,
        lineage: dict[str, Any],
        override: str | None,
    ) -> int:
        models, verdict = tables.models, artifact.contents.verdict.answer
        latest = connection.execute(
            select(models.c.latest).where(models.c.name == name)
        ).scalar()
        number = (latest or 0) + 1
        if latest is None:
            connection.execute(insert(models).values(name=name, latest=number))
        else:
            connection.execute(
                update(models).where(models.c.name == name).values(latest=number)
            )
        connection.execute(
            insert(tables.versions).values(
                name=name,
                version=number,
                digest=artifact.digest,
                verdict=verdict,
                lineage=audit.canonical(lineage),
                released_at=audit.now(),
                released_by=self.who,
                override=override,
            )
        )
        _point(connection, name, CHALLENGER, number, None)
        details = {"version": number, "digest": artifact.digest, "verdict": verdict}
        if override is not None:
            details["override"] = override
        audit.enter(connection, "release", name, details, self.who)
        return number

    def promote(self, name: str, which: str) -> Version:
        """Make a version the champion; its artifact is verified first.

        which  a number, challenger or latest

        Raises UsageError for one that is not there or is champion already, IntegrityError for
        an artifact that is not what was released.
        """
        wanted = self.show(f"{require_name(name)}@{which}")
        self.vault.verify(wanted.digest)
        with self.database.writing() as connection:
            at = _aliases(connection, name)
            before = at.get(CHAMPION)
            if before is not None and before[0] == wanted.number:
                raise UsageError(
                    f"Expected another version to promote than {wanted}, found it the champion "
                    "already. Nothing is left to do."
                )
            made = connection.execute(
                insert(tables.promotions).values(
                    name=name,
                    version=wanted.number,
                    replaced=before[1] if before else None,
                    promoted_at=audit.now(),
                )
            )
            assert made.inserted_primary_key is not None
            _point(connection, name, CHAMPION, wanted.number, made.inserted_primary_key[0])
            if at.get(CHALLENGER, (0, None))[0] == wanted.number:
                _drop(connection, name, CHALLENGER)
            details = {"version": wanted.number, "replaced": before[0] if before else None}
            audit.enter(connection, "promote", name, details, self.who)
        return self.show(f"{name}@{wanted.number}")

    def rollback(self, name: str) -> Version:
        """Put the champion before this one in front again; once more goes further back.

        Raises UsageError where there was none before, IntegrityError where its artifact is
        not what was released: then the champion stays.
        """
        require_name(name)
        promotions = tables.promotions
        with self.database.writing() as connection:
            _require_model(connection, name)
            champion = _aliases(connection, name).get(CHAMPION)
            back = None
            if champion is not None:
                replaced = select(promotions.c.replaced).where(promotions.c.id == champion[1])
                back = connection.execute(
                    select(promotions.c.id, promotions.c.version).where(
                        promotions.c.id == replaced.scalar_subquery()
                    )
                ).first()
            if champion is None or back is None:
                found = f"{name}@{champion[0]}, the first" if champion else "none"
                raise UsageError(
                    f"Expected a champion of {name!r} that replaced another, found {found}. "
                    f"Put another in front: acclimate promote {name} VERSION."
                )
            self.vault.verify(_version(connection, name, back.version).digest)
            _point(connection, name, CHAMPION, back.version, back.id)
            details = {"version": back.version, "from": champion[0]}
            audit.enter(connection, "rollback", name, details, self.who)
        return self.show(f"{name}@{back.version}")

    def erase(self, user: str) -> int:
        """Forget what one user took, in every artifact of the registry.

        returns  how many interactions were erased, an artifact of several names counted once

        Raises UsageError for an artifact that `artifacts.artifact.erase_user` refuses; all
        others are done then.
        """
        erased, refused = 0, []
        for digest in self.vault.digests():
            try:
                erased += erase_user(self.vault.place(digest), user)
            except AcclimateError as error:
                refused.append(str(error))
        with self.database.writing() as connection:
            # Whose it was must not be kept by the log of its erasure.
            details = {"interactions": erased, "refused": len(refused)}
            audit.enter(connection, "erase-user", "", details, self.who)
        if refused:
            raise UsageError(
                f"{refused[0]} The user was erased from every other artifact of the registry."
            )
        return erased

    # ── reading ─────────────────────────────────────────────────────────────

    def releases(self, name: str | None = None) -> list[Version]:
        """Every version, by name, the newest first."""
        with self.database.reading() as connection:
            if name is not None:
                _require_model(connection, require_name(name))
            rows = select(tables.versions).order_by(
                tables.versions.c.name, tables.versions.c.version.desc()
            )
            if name is not None:
                rows = rows.where(tables.versions.c.name == name)
            at: dict[tuple[str, int], list[str]] = {}
            for row in connection.execute(select(tables.aliases)):
                at.setdefault((row.name, row.version), []).append(row.alias)
            found = connection.execute(rows).all()
        return [_of(row, at.get((row.name, row.version), ())) for row in found]

    def champions(self) -> list[Version]:
        """What stands in front, by name."""
        aliases, versions = tables.aliases, tables.versions
        rows = (
            select(versions)
            .join(
                aliases,
                (aliases.c.name == versions.c.name) & (aliases.c.version == versions.c.version),
            )
            .where(aliases.c.alias == CHAMPION)
            .order_by(versions.c.name)
        )
        with self.database.reading() as connection:
            return [_of(row, (CHAMPION,)) for row in connection.execute(rows)]

    def show(self, ref: str) -> Version:
        """The version that NAME, NAME@NUMBER or NAME@ALIAS stands for.

        Raises UsageError where there is none.
        """
        name, which = reference(ref)
        with self.database.reading() as connection:
            latest = _require_model(connection, name)
            at = _aliases(connection, name)
            which = which or (CHAMPION if CHAMPION in at else "latest")
            number = number_of(which)
            if number is None:
                number = at.get(which, (None, None))[0] if which in at else None
                if which == "latest":
                    number = latest
            if number is None:
                raise UsageError(
                    f"Expected a {which} of {name!r}, found none. "
                    + (
                        f"Put one in front: acclimate promote {name} VERSION."
                        if which == CHAMPION
                        else "Release a new version, or name one by its number."
                    )
                )
            return _version(connection, name, number)

    def open(self, ref: str) -> tuple[Version, Artifact]:
        """A version with its artifact, every byte of it verified."""
        version = self.show(ref)
        return version, self.vault.open(version.digest)

    def log(self, name: str | None = None) -> list[audit.Entry]:
        """What was done, oldest first."""
        with self.database.reading() as connection:
            return audit.entries(connection, name)


def _reason(override: str | None, verdict: str, run: str) -> str | None:
    """Why a version may be released against its verdict; None where nothing speaks against."""
    reason = (override or "").strip()
    if verdict in PROVEN:
        if reason:
            raise UsageError(
                "Expected --override only where the verdict speaks against it, found "
                f"{verdict}. Leave it out."
            )
        return None
    if not reason:
        raise UsageError(
            f"Expected a verdict of {' or '.join(PROVEN)} to release {run!r}, found {verdict}. "
            "Release it all the same with --override and the reason, which the audit log keeps."
        )
    return reason


def _of(row: Any, aliases: Sequence[str]) -> Version:
    return Version(
        row.name,
        row.version,
        row.digest,
        row.verdict,
        json.loads(row.lineage),
        row.released_at,
        row.released_by,
        row.override,
        tuple(sorted(aliases)),
    )


def _version(connection: Connection, name: str, number: int) -> Version:
    versions = tables.versions
    row = connection.execute(
        select(versions).where(versions.c.name == name, versions.c.version == number)
    ).first()
    if row is None:
        latest = _require_model(connection, name)
        raise UsageError(
            f"Expected a version of {name!r} from 1 to {latest}, found {number}. "
            f"`acclimate releases {name}` lists them."
        )
    at = _aliases(connection, name)
    return _of(row, [alias for alias, (version, _) in at.items() if version == number])


def _require_model(connection: Connection, name: str) -> int:
    """The largest version of a name; raises UsageError for a name that nobody released."""
    models = tables.models
    latest: int | None = connection.execute(
        select(models.c.latest).where(models.c.name == name)
    ).scalar()
    if latest is None:
        known = (
            connection.execute(select(models.c.name).order_by(models.c.name)).scalars().all()
        )
        raise UsageError(
            f"Expected a name that was released, found {name!r}; there are: "
            f"{some(known) or 'none'}.{did_you_mean(name, known)} Release one: "
            "acclimate release RUN --name NAME."
        )
    return latest


def _aliases(connection: Connection, name: str) -> dict[str, tuple[int, int | None]]:
    """alias → version, promotion."""
    rows = select(tables.aliases).where(tables.aliases.c.name == name)
    return {row.alias: (row.version, row.promotion) for row in connection.execute(rows)}


def _point(
    connection: Connection, name: str, alias: str, version: int, promotion: int | None
) -> None:
    _drop(connection, name, alias)
    connection.execute(
        insert(tables.aliases).values(
            name=name, alias=alias, version=version, promotion=promotion
        )
    )


def _drop(connection: Connection, name: str, alias: str) -> None:
    aliases = tables.aliases
    connection.execute(delete(aliases).where(aliases.c.name == name, aliases.c.alias == alias))
