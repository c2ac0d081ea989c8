"""The models that are served: each request takes one as it stands, whole.

A promotion is seen at the next look at the registry.  The new champion is restored, every byte
of it verified, and asked once before it takes the old one's place; one that fails leaves the
old one serving and says why.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import insert, select

from acclimate.artifacts.artifact import Artifact
from acclimate.artifacts.quick import Quick
from acclimate.artifacts.recommender import Recommender
from acclimate.domains.view import ItemEncoder
from acclimate.errors import AcclimateError
from acclimate.registry import audit, tables
from acclimate.registry.registry import Registry
from acclimate.registry.version import Version

_AGAIN_SECONDS = 30.0  # until a champion that failed is tried once more
NEWEST = 200  # events of a user since the artifact was made that count


@dataclass(frozen=True)
class Served:
    """One version, ready to answer.

    shop   of a recommender; None for artifacts of other tasks
    quick  of one whose lists can be made one at a time; None: `shop` makes them
    """

    version: Version
    artifact: Artifact = field(repr=False)
    shop: Recommender | None = field(repr=False)
    quick: Quick | None = field(default=None, repr=False)

    @classmethod
    def of(cls, version: Version, artifact: Artifact) -> Served:
        """Restored, and warm: what is built at a first question is built now."""
        shop, quick = None, None
        if isinstance(artifact.fitted.encoder, ItemEncoder):
            shop = Recommender.of(artifact)
            shop.answer(next(iter(shop.users), None), (), 1)
            quick = Quick.of(shop)
        return cls(version, artifact, shop, quick)


class Shelf:
    """What is served, by name.

    names  of the registry that are served; empty: all that have a champion
    """

    def __init__(self, registry: Registry, names: tuple[str, ...] = ()) -> None:
        self.registry = registry
        self.names = names
        self.served: dict[str, Served] = {}
        self.failed: dict[str, str] = {}  # name → why its champion is not what is served
        self._since: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._tried: dict[str, tuple[int, float]] = {}
        self._looking = threading.Lock()
        self._read_events()
        self.refresh()

    def refresh(self, again: bool = False) -> None:
        """Look for other champions; again: read those that are served once more, too."""
        with self._looking:
            wanted = {
                each.name: each
                for each in self.registry.champions()
                if not self.names or each.name in self.names
            }
            for name, version in wanted.items():
                now = self.served.get(name)
                if now is not None and now.version.number == version.number and not again:
                    self.failed.pop(name, None)
                    continue
                if not again and not self._due(version):
                    continue
                try:
                    artifact = self.registry.vault.open(version.digest)
                    self.served[name] = Served.of(version, artifact)
                    self.failed.pop(name, None)
                except AcclimateError as error:
                    self.failed[name] = f"{version}: {error}"
                except Exception as error:  # whatever a model does, the old one goes on
                    self.failed[name] = f"{version}: {type(error).__name__}: {error}"

    def _due(self, version: Version) -> bool:
        """Whether to try a version: at once, and then now and then, as it may be mended."""
        number, at = self._tried.get(version.name, (0, 0.0))
        if number == version.number and time.monotonic() - at < _AGAIN_SECONDS:
            return False
        self._tried[version.name] = (version.number, time.monotonic())
        return True

    # ── what users took since ───────────────────────────────────────────────

    def since(self, name: str, user: str) -> list[str]:
        """Items that a user took after the artifact was made, the newest last."""
        return self._since.get((name, user), [])

    def add_events(self, name: str, taken: list[tuple[str, str]]) -> None:
        """Keep that users took items; they count in the next answer."""
        at = audit.now()
        rows = [{"name": name, "user_id": u, "item_id": i, "at": at} for u, i in taken]
        with self.registry.database.writing() as connection:
            connection.execute(insert(tables.events), rows)
        for user, item in taken:
            self._since[name, user].append(item)
            del self._since[name, user][:-NEWEST]

    def forget(self, user: str) -> None:
        """Erase what is kept in memory of a user; the registry has erased the rest."""
        for name, who in [key for key in self._since if key[1] == user]:
            del self._since[name, who]
        self.refresh(again=True)

    def _read_events(self) -> None:
        events = tables.events
        with self.registry.database.reading() as connection:
            rows = select(events.c.name, events.c.user_id, events.c.item_id).order_by(
                events.c.id
            )
            for name, user, item in connection.execute(rows):
                self._since[name, user].append(item)
                del self._since[name, user][:-NEWEST]
