"""Start the service: one process, one port, until it is told to stop."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from acclimate.errors import UsageError
from acclimate.registry.registry import Registry
from acclimate.service.gate import LOOPBACK, Gate
from acclimate.service.keys import Keys
from acclimate.service.limits import Limits
from acclimate.service.shelf import Shelf
from acclimate.service.slow import slow_app
from acclimate.service.tally import Tally


def gate_of(
    registry: Registry,
    names: Sequence[str] = (),
    host: str = "127.0.0.1",
    hosts: Sequence[str] = (),
    limits: Limits | None = None,
    poll_seconds: float = 1.0,
) -> Gate:
    """The application over a registry.

    names  of the registry; none: all that have a champion
    host   that it is bound to; hosts: other names under which it may be asked

    Raises UsageError for a host others can reach while there is no key, and for names whose
    champion cannot be served.
    """
    keys = Keys(registry)
    if keys.none and not _loopback(host):
        raise UsageError(
            f"Expected a key before others can reach the service at {host!r}, found none. Make "
            "one with `acclimate key --role admin`, or bind to 127.0.0.1."
        )
    shelf = Shelf(registry, tuple(names))
    for name in names:
        if name not in shelf.served:
            registry.show(f"{name}@champion")  # says so where there is none
            raise UsageError(
                f"Expected a champion of {name!r} that can be served, found "
                f"{shelf.failed.get(name, 'none')}. Put another in front, or mend it."
            )
    tally = Tally()
    known = (*LOOPBACK, host, *hosts)
    return Gate(shelf, keys, slow_app(shelf, keys, tally), tally, limits, known, poll_seconds)


def serve(
    url: str | None,
    vault: Path | None,
    names: Sequence[str],
    host: str,
    port: int,
    hosts: Sequence[str],
    limits: Limits,
) -> None:
    """Answer until interrupted."""
    import uvicorn

    registry = Registry(url, vault)
    try:
        gate = gate_of(registry, names, host, hosts, limits)
        uvicorn.run(
            gate,
            host=host,
            port=port,
            access_log=False,
            server_header=False,
            log_level="warning",
            timeout_graceful_shutdown=10,
        )
    finally:
        registry.close()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
