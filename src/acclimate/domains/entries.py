"""Entries of market.toml: the refusals that all of its sections share."""

from __future__ import annotations

from collections.abc import Iterable

from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean

NAME = "market.toml"


def known(found: Iterable[str], among: Iterable[str], what: str, where: str) -> None:
    """Raises DomainError for the first name that is not among the known ones."""
    among = tuple(among)
    for name in found:
        if name not in among:
            raise DomainError(
                f"Expected a {what} of {where} among {', '.join(among)}, found {name!r}."
                f"{did_you_mean(name, among)} Use one of these, or remove it."
            )


def section(found: object, where: str) -> dict[str, object]:
    """The entry as a section; raises DomainError if it is none."""
    if not isinstance(found, dict):
        raise wrong(where, "a section", found)
    return found


def string(found: object, where: str) -> str:
    """The entry as a string that is not blank; raises DomainError if it is none."""
    if not isinstance(found, str) or not found.strip():
        raise wrong(where, "a string", found)
    return found


def strings(found: object, where: str) -> dict[str, str]:
    """The entry as a section of strings; raises DomainError if it is none."""
    return {k: string(value, f"{where}.{k}") for k, value in section(found, where).items()}


def names(found: object, where: str) -> tuple[str, ...]:
    """The entry as a list of strings, each once; whole numbers count as strings."""
    if not isinstance(found, list):
        raise wrong(where, "a list of strings", found)
    each = [str(x) if isinstance(x, int) and not isinstance(x, bool) else x for x in found]
    for value in each:
        if not isinstance(value, str) or not value.strip():
            raise wrong(where, "a list of strings", value)
    return tuple(dict.fromkeys(each))


def number(found: object, where: str) -> float:
    """The entry as a finite number; raises DomainError if it is none."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise wrong(where, "a number", found)
    if not abs(float(found)) < float("inf"):
        raise wrong(where, "a finite number", found)
    return float(found)


def wrong(key: str, expected: str, found: object) -> DomainError:
    """What to say of an entry that is something else than expected."""
    return DomainError(
        f"Expected {expected} for {key!r} in {NAME}, found {type(found).__name__} "
        f"({str(found)[:60]}). See the example in the guide to markets."
    )
