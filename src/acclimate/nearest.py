"""What a refusal says of a name that is not known: the nearest one, and some of the known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

SHOWN = 6
MOST_MEANT = 3  # names that one part is asked back for


def some(names: Iterable[object], at_most: int = SHOWN) -> str:
    """The first names of a list, and how many more there are: `a, b and 3 more`."""
    listed = [str(name) for name in names]
    # One name takes no more room than "and 1 more".
    shown = listed if len(listed) <= at_most + 1 else listed[:at_most]
    more = len(listed) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is spelled most like this one; None where none is alike."""
    plain = {_plain(each): each for each in reversed([*known])}
    if found := get_close_matches(_plain(name), [*reversed(plain)], n=1):
        return plain[found[0]]
    whole = _plain(name)
    inside = [each for key, each in plain.items() if len(whole) > 2 and whole in key]
    return inside[-1] if inside else None


def did_you_mean(found: str | Sequence[str], known: Iterable[str]) -> str:
    """ " Did you mean 'a'?" of what was found, or nothing where nothing is alike."""
    known = [*known]
    asked = [found] if isinstance(found, str) else found
    meant = [" or ".join(map(repr, each)) for name in asked if (each := meanings(name, known))]
    return f" Did you mean {' and '.join(dict.fromkeys(meant))}?" if meant else ""


def meanings(name: str, known: Iterable[str]) -> list[str]:
    """The known names of which it is a whole part, as auc is of roc-auc and of pr-auc; where
    there are not several, the nearest one; none where nothing is alike."""
    known = [*known]
    whole = _plain(name)
    parts = [each for each in known if whole in _plain(each).split("-")]
    near = nearest(name, known)
    return parts if 1 < len(parts) <= MOST_MEANT else [near] if near is not None else []


def among(known: Iterable[str], found: str | Sequence[str]) -> str:
    """The names a refusal lists: some where one is alike enough to be meant, else all."""
    known = [*known]
    return some(known, SHOWN if did_you_mean(found, known) else len(known))


def expected(what: str, known: Iterable[str], found: str | Sequence[str]) -> str:
    """What a refusal of unknown names says first: what is known, what came, what is near.

    what  such as "a metric"
    """
    known, asked = [*known], [found] if isinstance(found, str) else [*found]
    came = some(map(repr, asked)) or "none"
    listed = among(known, asked)
    return f"Expected {what} among {listed}; found {came}.{did_you_mean(asked, known)}"


def _plain(name: str) -> str:
    """Lower case, with one sign for every blank and dash."""
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())
