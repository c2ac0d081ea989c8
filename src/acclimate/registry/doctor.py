"""Check everything that a registry holds, and say what to mend."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from acclimate.errors import AcclimateError
from acclimate.plurals import number_of
from acclimate.registry import audit, tables
from acclimate.registry.registry import Registry


@dataclass(frozen=True)
class Finding:
    """One thing found wrong.

    level   "error": a version cannot be served or the log was changed; "note": room is lost
    what    what was found, and what to do
    mended  whether --repair has done it
    """

    level: str
    what: str
    mended: bool = False


@dataclass(frozen=True)
class Health:
    """What was looked at and what was found.

    head  the hash of the last entry of the audit log; written down elsewhere it shows later
          whether entries were cut off
    """

    versions: int
    artifacts: int
    entries: int
    head: str
    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        """Whether nothing is wrong but room that is lost."""
        return not any(each.level == "error" for each in self.findings)

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        return (
            f"{number_of(self.versions, 'version')}, "
            f"{number_of(self.artifacts, 'artifact')}, "
            f"{number_of(self.entries, 'entry', 'entries')} in the audit log, head "
            f"{self.head[:12]}: "
            + ("nothing to mend" if not self.findings else f"{len(self.findings)} found")
        )


def examine(registry: Registry, repair: bool = False) -> Health:
    """Verify every byte of every artifact, every alias and the audit log.

    repair  take away what no version names: artifacts and what kills left beside; never
            anything that a version names
    """
    releases = registry.releases()
    named = {each.digest: str(each) for each in reversed(releases)}
    findings = []
    for digest, version in sorted(named.items(), key=lambda pair: pair[1]):
        try:
            registry.vault.verify(digest)
        except AcclimateError as error:
            findings.append(Finding("error", f"{version}: {error}"))
    log = registry.log()
    if (wrong := audit.broken(log)) is not None:
        findings.append(
            Finding(
                "error", f"audit log: {wrong}. Compare it with a copy; it is never rewritten."
            )
        )
    findings += _dangling(registry)
    findings += _unnamed(registry, repair)
    head = log[-1].hash if log else audit.FIRST
    return Health(len(releases), len(named), len(log), head, tuple(findings))


def _dangling(registry: Registry) -> list[Finding]:
    """Aliases and versions that a database without constraints, or a person, left wrong."""
    found = []
    with registry.database.reading() as connection:
        known = {
            (row.name, row.version)
            for row in connection.execute(
                select(tables.versions.c.name, tables.versions.c.version)
            )
        }
        for row in connection.execute(select(tables.aliases)):
            if (row.name, row.version) not in known:
                found.append(
                    Finding(
                        "error",
                        f"{row.alias} of {row.name!r} stands for version {row.version}, which "
                        f"is not there. Promote another: acclimate promote {row.name} VERSION.",
                    )
                )
        for row in connection.execute(select(tables.models)):
            numbers = sorted(number for name, number in known if name == row.name)
            if numbers != list(range(1, row.latest + 1)):
                found.append(
                    Finding(
                        "error",
                        f"versions of {row.name!r} are not 1 to {row.latest}. Restore the "
                        "registry from a copy.",
                    )
                )
    return found


def _unnamed(registry: Registry, repair: bool) -> list[Finding]:
    """Artifacts and leftovers that no version names.

    With `repair` the registry's lock is held: whoever is between writing an artifact and
    naming it finds it gone, and writes it again.
    """

    def unnamed() -> list[Finding]:
        beside = registry.vault.leftovers()
        digests = {each.digest for each in registry.releases()}
        lost = [registry.vault.place(d) for d in registry.vault.digests() if d not in digests]
        found = []
        for path in [*beside, *lost]:
            if repair:
                registry.vault.remove(path)
            end = "." if repair else "; --repair removes it."
            what = f"{str(path)!r} is named by no version: its release ended early{end}"
            found.append(Finding("note", what, repair))
        return found

    if not repair:
        return unnamed()
    with registry.database.writing():
        return unnamed()
