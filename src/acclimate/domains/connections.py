"""Connections that can only read, and what a database answers as frames.

SQLite and DuckDB files are opened read-only; PostgreSQL and MySQL get transactions that
are, which see one state of the data whatever is written meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import polars as pl

from acclimate.domains.address import FILES, Address
from acclimate.domains.records import column, plain, stack
from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean, some
from acclimate.settings import settings

if TYPE_CHECKING:
    import duckdb
    from sqlalchemy.engine import Connection as Alchemy

_ROWS = 50_000  # fetched at once
_SECONDS = 10  # until a server that does not answer is given up
_BIT = 16  # of MySQL's protocol
# DuckDB's types that Polars reads as they are; all others are cast to what it reads.
_READ = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "HUGEINT", "FLOAT", "DOUBLE", "VARCHAR", "DATE", "TIME", "TIMESTAMP",
    "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "BLOB", "UUID", "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip


class Database(Protocol):
    """A schema that can be read."""

    def tables(self) -> list[str]:
        """Names of tables and views, sorted; raises DomainError if the schema is not there."""
        ...

    def named(self, table: str) -> str:
        """The SELECT for all of a table."""
        ...

    def read(self, query: str, what: str, most: int | None = None) -> pl.DataFrame:
        """(n, d) rows of a SELECT; raises DomainError past the cap.

        what  the table or query, for messages
        most  rows wanted; None: all
        """
        ...


@contextmanager
def connected(address: Address) -> Iterator[Database]:
    """A read-only connection, closed at the end.

    Raises DomainError for a driver that is not installed, a file or server that is not
    there or does not let the user in; no message holds the password.
    """
    if address.kind in FILES:
        _require_file(address)
    if address.kind == "duckdb":
        with _duck(address) as duck:
            yield duck
        return
    with _alchemy(address) as alchemy:
        yield alchemy


class _Duck:
    def __init__(self, connection: duckdb.DuckDBPyConnection, address: Address) -> None:
        self._connection = connection
        self._schema = address.schema or "main"
        self._address = address

    def tables(self) -> list[str]:
        rows = self._connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_catalog = current_database() order by 1, 2"
        ).fetchall()
        schemas = self._connection.execute(
            "select schema_name from information_schema.schemata "
            "where catalog_name = current_database()"
        ).fetchall()
        found = sorted({name for (name,) in schemas} - {"information_schema", "pg_catalog"})
        _require_schema(self._schema, found, self._address)
        return [table for schema, table in rows if schema == self._schema]

    def named(self, table: str) -> str:
        return f"select * from {_quoted(self._schema)}.{_quoted(table)}"

    def read(self, query: str, what: str, most: int | None = None) -> pl.DataFrame:
        import duckdb

        try:
            schema = self._schema.replace("'", "''")
            self._connection.execute(f"set schema = '{schema}'").fetchall()
            shape = self._connection.sql(query)
            _require_columns(shape.columns, what)
            height = most
            if most is None:
                count = self._connection.execute(f"select count(*) from ({query}\n)").fetchall()
                height = int(count[0][0])
            _require_size(what, height or 0, len(shape.columns), 0)
            cells = ", ".join(
                _cell(name, str(kind))
                for name, kind in zip(shape.columns, shape.types, strict=True)
            )
            limit = f" limit {most}" if most is not None else ""
            rows = self._connection.sql(f"select {cells} from ({query}\n){limit}")
            frame = pl.DataFrame(_Stream(rows))
        except duckdb.Error as error:
            raise _unanswered(what, error, self._address) from None
        _require_size(what, frame.height, frame.width, int(frame.estimated_size()))
        return plain(frame)


class _Stream:
    """A result of DuckDB for Polars, which keeps the types it is given until Python ends:
    DuckDB then complains on stderr if one of its own is among them."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(schema)


class _Alchemy:
    def __init__(self, connection: Alchemy, address: Address) -> None:
        self._connection = connection
        self._address = address
        self._quote = connection.dialect.identifier_preparer.quote

    def tables(self) -> list[str]:
        from sqlalchemy import inspect
        from sqlalchemy.exc import SQLAlchemyError

        try:
            inspector = inspect(self._connection)
            schema = self._schema()
            _require_schema(schema, inspector.get_schema_names(), self._address)
            names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        except SQLAlchemyError as error:
            raise _unanswered("the names of its tables", error, self._address) from None
        return sorted(set(names))

    def named(self, table: str) -> str:
        schema = self._schema()
        before = f"{self._quote(schema)}." if schema else ""
        return f"select * from {before}{self._quote(table)}"

    def read(self, query: str, what: str, most: int | None = None) -> pl.DataFrame:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            result = self._connection.exec_driver_sql(
                query, execution_options={"stream_results": True, "no_parameters": True}
            )
            with result:
                names = list(result.keys())
                _require_columns(names, what)
                bits = self._bits(result.cursor)
                parts = [_piece(names, [], bits)]
                height = size = 0
                for rows in result.partitions(_ROWS):
                    taken = rows if most is None else list(islice(rows, most - height))
                    parts.append(_piece(names, taken, bits))
                    height += len(taken)
                    size += int(parts[-1].estimated_size())
                    _require_size(what, height, len(names), size)
                    if height == most:
                        break
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            raise _unanswered(what, error, self._address) from None
        return stack(parts)

    def _bits(self, cursor: Any) -> set[int]:
        """Places of MySQL's BIT columns, which its driver gives as bytes."""
        if self._address.kind != "mysql":
            return set()
        return {place for place, about in enumerate(cursor.description) if about[1] == _BIT}

    def _schema(self) -> str:
        default = self._connection.dialect.default_schema_name
        return self._address.schema or default or "main"


def _piece(names: Sequence[str], rows: Sequence[Any], bits: set[int]) -> pl.DataFrame:
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    for place in bits:
        columns[place] = [
            int.from_bytes(value, "big") if isinstance(value, bytes) else value
            for value in columns[place]
        ]
    return pl.DataFrame([column(n, values) for n, values in zip(names, columns, strict=True)])


@contextmanager
def _duck(address: Address) -> Iterator[_Duck]:
    import duckdb

    try:
        connection = duckdb.connect(
            address.database,
            read_only=True,
            # A query reads this database, not files or other servers beside it.
            config={"enable_external_access": "false", "threads": settings().threads},
        )
    except duckdb.Error as error:
        raise DomainError(
            f"Expected a DuckDB file at {address.database!r}, found one that cannot be opened "
            f"({_first_line(error)}). Is it complete, and closed by the program that writes it?"
        ) from None
    try:
        yield _Duck(connection, address)
    finally:
        connection.close()


@contextmanager
def _alchemy(address: Address) -> Iterator[_Alchemy]:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        engine = create_engine(**_arguments(address), poolclass=NullPool, hide_parameters=True)
        connection = engine.connect()
    except ImportError as error:
        raise DomainError(
            f"Expected the driver of {address.kind} databases, {error.name}, found it not "
            'installed. Install it with pip install "acclimate[sql]".'
        ) from None
    except (SQLAlchemyError, ValueError, OSError, RuntimeError) as error:
        raise _unreached(address, error) from None
    try:
        with connection:
            yield _Alchemy(_read_only(connection, address), address)
    finally:
        engine.dispose()


def _arguments(address: Address) -> dict[str, Any]:
    from sqlalchemy.engine import URL

    if address.kind == "sqlite":
        where = f"file:{quote(str(Path(address.database).resolve()))}?mode=ro"
        return {"url": "sqlite://", "creator": lambda: sqlite3.connect(where, uri=True)}
    url = URL.create(
        {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[address.kind],
        address.user,
        address.password,
        address.host,
        address.port,
        address.database or None,
    )
    more: dict[str, Any] = {"connect_timeout": _SECONDS, **address.options}
    more["connect_timeout"] = int(more["connect_timeout"])
    if address.kind == "postgresql":
        more["options"] = "-c default_transaction_read_only=on -c timezone=UTC"
    else:
        more["init_command"] = "set time_zone = '+00:00'"
        more["local_infile"] = False
    return {"url": url, "connect_args": more}


def _read_only(connection: Alchemy, address: Address) -> Alchemy:
    """The connection with a transaction begun that can only read, of one state of the data."""
    if address.kind == "postgresql":
        connection = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    elif address.kind == "mysql":
        connection.exec_driver_sql("start transaction with consistent snapshot, read only")
    return connection


def _require_file(address: Address) -> None:
    path = Path(address.database)
    if path.is_file():
        return
    absolute = Path("/") / path
    hint = (
        f"Write four slashes for the absolute path: {address.kind}:///{absolute}."
        if not path.is_absolute() and absolute.is_file()
        else "Check the spelling; three slashes begin a relative path, four an absolute one."
    )
    found = "a folder" if path.is_dir() else "nothing there"
    raise DomainError(f"Expected a {address.kind} file at {str(path)!r}, found {found}. {hint}")


def _require_schema(schema: str, found: Sequence[str], address: Address) -> None:
    if schema not in found:
        raise DomainError(
            f"Expected the schema {schema!r} in {address}, found: "
            f"{some(sorted(found)) or 'none that may be seen'}.{did_you_mean(schema, found)} "
            "Use one of these."
        )


def _require_columns(names: Sequence[str], what: str) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DomainError(
            f"Expected different column names in {what}, found {', '.join(twice)} twice. Name "
            "the columns that are wanted, with AS."
        )


def _require_size(what: str, height: int, width: int, size: int) -> None:
    limit = settings().max_bytes
    if max(size, height * max(width, 1) * 8) > limit:
        raise DomainError(
            f"Expected at most {limit:,} bytes in {what}, found {height:,} rows of {width} "
            "columns or more. Select fewer rows or columns, or raise ACCLIMATE_MAX_BYTES."
        )


def _unreached(address: Address, error: Exception) -> DomainError:
    where = f"{address.kind} at {address.host or 'its local socket'}"
    if address.port:
        where += f", port {address.port}"
    if address.kind == "sqlite":
        where = f"a SQLite file at {address.database!r}"
    return DomainError(
        f"Expected to be let in by {where}, database {address.database!r}, as the user "
        f"{address.user!r}, found: {_reason(address, error)}. Check that the server runs "
        "there, and the user, password and database."
    )


def _unanswered(what: str, error: Exception, address: Address) -> DomainError:
    return DomainError(
        f"Expected {address} to answer for {what}, found: {_reason(address, error)}. Check the "
        "table or query, and that the user may read it."
    )


def _reason(address: Address, error: Exception) -> str:
    return address.hidden(_first_line(getattr(error, "orig", None) or error))


def _first_line(error: BaseException) -> str:
    said = str(error.args[-1]) if error.args else ""
    lines = said.strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cell(name: str, kind: str) -> str:
    """A column of DuckDB in a type that Polars reads."""
    cell = _quoted(name)
    if kind in _READ or kind.startswith("DECIMAL") or kind == "JSON":
        return cell
    if kind == "INTERVAL":
        return f"epoch({cell}) as {cell}"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"to_json({cell})::varchar as {cell}"
    return f"{cell}::varchar as {cell}"
