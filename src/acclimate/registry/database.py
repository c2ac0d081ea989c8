"""The registry's database: SQLite in a file, or PostgreSQL by URL.

A write holds the one lock of the registry from its first statement to its commit (SQLite's
`BEGIN IMMEDIATE`, an advisory lock of PostgreSQL), so that what it read is what it changes.
Opening brings the tables up to date under the same lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.domains.address import Address, parse
from acclimate.errors import IntegrityError, UsageError
from acclimate.settings import settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

REVISION = "0002"  # the newest of `migrations.versions`
_WAIT_SECONDS = 60  # for others who write
_LOCK = 0xACC1  # of PostgreSQL, any number that nobody else takes
_FORMS = "sqlite:///registry.db or postgresql://user:${PASSWORD}@host/registry"


def home() -> Path:
    """Where a registry is that nobody named."""
    return settings().home / "registry"


class Database:
    """A connection pool to one registry.

    url  None: `ACCLIMATE_REGISTRY`, else a file under `ACCLIMATE_HOME`
    """

    def __init__(self, url: str | None = None) -> None:
        given = url or settings().registry
        self.address = parse(given) if given else Address("sqlite", str(home() / "registry.db"))
        if self.address.kind not in ("sqlite", "postgresql"):
            raise UsageError(
                f"Expected a registry in SQLite or PostgreSQL, found {self.address.kind}. "
                f"Write {_FORMS}."
            )
        if self.address.schema:
            raise UsageError(
                f"Expected a registry in its database's own schema, found {self.address}. "
                "Leave ?schema= out; a database of its own keeps registries apart."
            )
        self._engine = self._made()
        self._prepare()

    @property
    def beside(self) -> Path:
        """The folder of artifacts that goes with it where no setting names one."""
        if self.address.kind == "sqlite":
            return Path(self.address.database).absolute().parent / "artifacts"
        return home() / "artifacts"

    def close(self) -> None:
        """Let its connections go."""
        self._engine.dispose()

    # ── transactions ────────────────────────────────────────────────────────

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One state of everything, whatever is written meanwhile."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All of it is written, or nothing; one at a time."""
        with self._told(), self._engine.connect() as connection:
            writer = connection.execution_options(writes=True)
            if self.address.kind == "postgresql":
                writer = writer.execution_options(isolation_level="READ COMMITTED")
            with writer.begin():
                if self.address.kind == "postgresql":
                    writer.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
                yield writer

    # ── opening ─────────────────────────────────────────────────────────────

    def _made(self) -> Engine:
        from sqlalchemy import create_engine, event
        from sqlalchemy.engine import URL

        if self.address.kind == "postgresql":
            address = self.address
            url = URL.create(
                "postgresql+psycopg",
                address.user,
                address.password,
                address.host,
                address.port,
                address.database or None,
            )
            more: dict[str, Any] = {"connect_timeout": 10, **address.options}
            more["connect_timeout"] = int(more["connect_timeout"])
            try:
                return create_engine(
                    url,
                    connect_args=more,
                    hide_parameters=True,
                    pool_pre_ping=True,
                    isolation_level="REPEATABLE READ",
                )
            except ImportError as error:
                raise UsageError(
                    f"Expected the driver of PostgreSQL, {error.name}, found it not installed. "
                    'Install it with pip install "acclimate[sql]".'
                ) from None
        path = Path(self.address.database).absolute()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None
        engine = create_engine(
            URL.create("sqlite", database=str(path)), hide_parameters=True, echo=False
        )

        @event.listens_for(engine, "connect")
        def _connected(connection: Any, _: Any) -> None:
            connection.isolation_level = None  # transactions begin where we say
            for pragma in ("foreign_keys=ON", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(f"PRAGMA busy_timeout={_WAIT_SECONDS * 1000}")

        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            writes = connection.get_execution_options().get("writes")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def _prepare(self) -> None:
        """Bring the tables up to date."""
        with self.reading() as connection:
            found = _revision(connection)
        if found == REVISION:
            return
        self._require_known(found)
        with self.writing() as connection:
            if _revision(connection) != REVISION:  # another process may have been quicker
                _upgrade(connection)

    def _require_known(self, found: str | None) -> None:
        if found is not None and found > REVISION:
            raise UsageError(
                f"Expected a registry of revision {REVISION} or before at {self.address}, "
                f"found {found}, made by a newer acclimate. Use that one."
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

        try:
            yield
        except OperationalError as error:
            raise self._unusable(error.orig or error) from None
        except DatabaseError as error:
            raise IntegrityError(
                f"Expected a registry at {self.address}, found what is none or was changed: "
                f"{self._first(error.orig or error)}. Restore it from a copy, or name another "
                "with --registry."
            ) from None
        except SQLAlchemyError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: BaseException) -> UsageError:
        return UsageError(
            f"Expected a registry that can be read and written at {self.address}, found: "
            f"{self._first(error)}. Nothing was changed. Check the address, your rights and "
            "the room on its disk."
        )

    def _first(self, error: BaseException) -> str:
        return self.address.hidden((str(error).splitlines() or [type(error).__name__])[0])


def _revision(connection: Connection) -> str | None:
    """The step at which the tables stand; None before the first."""
    from sqlalchemy import inspect

    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql(
        "select version_num from alembic_version"
    ).scalar()
    return found


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
