"""Where a database is: a URL whose password is known here and shown nowhere.

    sqlite:///shop.db  duckdb:////data/shop.duckdb  postgresql://user:${PW}@host/shop?schema=de
    mysql://user:${PW}@host/shop  mariadb://…

Three slashes begin a path relative to the working folder, four an absolute one.
`${NAME}` stands for an environment variable, in any part or for the whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_SCHEMES = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}
FILES = ("sqlite", "duckdb")
_OPTIONS = {
    "postgresql": (
        "host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout",
    ),
    "mysql": ("unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "connect_timeout"),
}  # fmt: skip
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_RELATIVE = re.compile(r"^((?:sqlite|duckdb)(?:\+\w+)?:///)(?![/~]|\$\{)(.+)$", re.IGNORECASE)
_FORMS = (
    "sqlite:///shop.db, duckdb:///shop.duckdb, postgresql://user:${PASSWORD}@host/shop or "
    "mysql://user:${PASSWORD}@host/shop"
)


@dataclass(frozen=True)
class Address:
    """One schema of one database.

    kind      sqlite, duckdb, postgresql or mysql
    database  a file's path, or the name of a database; "" for a server's default
    schema    None: the database's own default
    options   of the connection, by the driver's names
    """

    kind: str
    database: str
    schema: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a market at this address is called: its schema, else its database."""
        whole = Path(self.database).stem if self.kind in FILES else self.database
        return self.schema or whole or self.host or self.kind

    @property
    def place(self) -> str:
        """The host or folder, which tells databases of one name apart."""
        if self.kind in FILES:
            return Path(self.database).resolve().parent.name
        return self.host or "local"

    def __str__(self) -> str:
        """The URL without user and password."""
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or ""
        port = f":{self.port}" if self.port else ""
        schema = f"?schema={self.schema}" if self.schema else ""
        return f"{self.kind}://{host}{port}/{self.database}{schema}"

    def hidden(self, message: str) -> str:
        """A driver's message, without the password wherever it repeats it."""
        if self.password:
            for form in (self.password, quote(self.password), quote_plus(self.password)):
                message = message.replace(form, "***")
        return message


def is_database(spec: object) -> bool:
    """Whether a market was given as a URL, or as a variable that holds one."""
    if not isinstance(spec, str):
        return False
    return bool(_URL.match(spec)) or bool(re.match(r"^\$\{[^}]*\}(::.*)?$", spec))


def end_of_url(spec: str) -> int:
    """Where the part of a URL that may hold `::` ends: after the host, or 0 for a path."""
    found = _URL.match(spec)
    if not found:
        return 0
    # A password may hold slashes, but its last @ comes before the database's name.
    host = max(found.end(), spec.rfind("@", found.end()) + 1)
    slash = spec.find("/", host)
    return slash if slash >= 0 else host


def beside(folder: Path, url: str) -> str:
    """The URL with a relative path of a file taken from this folder."""
    found = _RELATIVE.match(url)
    return f"{found[1]}{folder.absolute()}/{found[2]}" if found else url


def parse(url: str) -> Address:
    """The address a URL names.  Raises DomainError, never with the URL's user or password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    text, filled = _filled(url)
    scheme = text.partition("://")[0].partition("+")[0].lower()
    if "://" not in text or scheme not in _SCHEMES:
        named = f"{scheme!r}" if "://" in text else "none"
        raise DomainError(
            f"Expected a database among {', '.join(_SCHEMES)}, found {named}."
            f"{did_you_mean(scheme, _SCHEMES) if '://' in text else ''} Write "
            f"{_FORMS}; to read a file, give its path."
        )
    kind = _SCHEMES[scheme]
    try:
        parts = make_url(f"{kind}{text[text.index('://') :]}")
    except (ArgumentError, ValueError):
        raise _malformed(kind) from None
    query = {key: v if isinstance(v, str) else v[-1] for key, v in parts.query.items()}
    schema = query.pop("schema", None)
    known = _OPTIONS.get(kind, ())
    if strange := sorted(set(query) - set(known)):
        raise DomainError(
            f"Expected {', '.join(('schema', *known))} behind the '?' of a {kind} URL, found "
            f"{', '.join(strange)}. Leave it out."
        )
    address = _address(kind, parts, schema or None, query, filled)
    if address.host and "@" in address.host:
        raise _malformed(kind)
    if kind in FILES and not address.database:
        raise DomainError(
            f"Expected a file in a {kind} URL, found none. Write {kind}:///shop.db."
        )
    return address


def _address(
    kind: str, parts: URL, schema: str | None, query: Mapping[str, str], filled: _Filled
) -> Address:
    database = filled(parts.database) or ""
    if kind in FILES:
        database = str(Path(database).expanduser()) if database else ""
        if parts.host or parts.username:
            raise DomainError(
                f"Expected {kind}:/// and a path, with three slashes, found a host. Write "
                f"{kind}:///shop.db, or {kind}:////data/shop.db for an absolute path."
            )
    return Address(
        kind,
        database,
        filled(schema),
        filled(parts.host),
        parts.port,
        filled(parts.username),
        filled(str(parts.password)) if parts.password is not None else None,
        {key: str(filled(value)) for key, value in query.items()},
    )


@dataclass(frozen=True)
class _Filled:
    """Values of variables, by the marks that stand for them in a URL."""

    values: Mapping[str, str]

    def __call__(self, text: str | None) -> str | None:
        for mark, value in self.values.items():
            text = text and text.replace(mark, value)
        return text


def _filled(url: str) -> tuple[str, _Filled]:
    """The URL with plain values put in and marks for those that would break it apart."""
    values: dict[str, str] = {}

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        known = os.environ.get(name)
        if not known:
            raise DomainError(
                f"Expected the environment variable {name!r}, which the market's URL names, "
                f"found {'it empty' if known == '' else 'none'}. Set it and run again."
            )
        if whole or re.fullmatch(r"[\w.-]+", known, re.ASCII):
            return known
        mark = f"zq{len(values)}qz"
        values[mark] = known
        return mark

    whole = bool(_VARIABLE.fullmatch(url.strip()))
    return _VARIABLE.sub(value, url.strip()), _Filled(values)


def _malformed(kind: str) -> DomainError:
    return DomainError(
        f"Expected a {kind} URL that can be read, found one that cannot. Write {_FORMS}, and "
        "a password with signs such as @ or / as a variable."
    )
