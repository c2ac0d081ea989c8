"""Every exception a user can cause, drawn as a tree.

    AcclimateError                 exit code
    ├── UsageError                 2   a call that cannot be understood
    │   └── InputError             2   arrays or settings given to an estimator
    ├── DataError                  3   tables that cannot be read or do not fit
    │   ├── DomainError            3   a market: files, roles, columns, labels
    │   └── TaskError              3   a task that its data cannot serve
    ├── StrategyError              3   a strategy given what its formula cannot take
    ├── NotAdopted                 4   only with --require-adopt
    ├── BudgetError                6   not even the baseline finished in time
    └── IntegrityError             7   an artifact that is not what was written

Each message says what was expected, what was found and what to do.  The
command line turns `exit_code` into the exit status; nothing else does.  A
programming error, which no user can mend, leaves with Python's own 1.
"""

from __future__ import annotations

import re
from types import MappingProxyType

EXIT_CODES = MappingProxyType(
    {
        0: "ok",
        2: "usage",
        3: "data",
        4: "not adopted (only with --require-adopt)",
        5: "drift (kept for monitors; no command gives it yet)",
        6: "the budget ended before the baseline did",
        7: "an artifact, run or ledger that was changed",
        130: "interrupted",
    }
)
"""Every exit status of the command line, in the words of its help and of the README."""

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# The user's name stays; a password may hold any sign, and ends at the last @ of the line.
_PASSWORD = re.compile(r"([A-Za-z][\w+.-]*:/{1,2}[^\s:/@]*):.*@")
_OPTION = re.compile(r"([?&](?:password|passwd|pwd)=)[^&\s'\"]*", re.IGNORECASE)


def without_password(text: str) -> str:
    """A text in which the passwords of URLs are stars."""
    return _OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


class AcclimateError(Exception):
    """The root: anything a user can cause and can mend.

    Messages repeat what was given; passwords in URLs are hidden here, once for all.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(without_password(message))


class UsageError(AcclimateError):
    """A command, recipe or argument that cannot be understood."""

    exit_code = 2


class InputError(UsageError, ValueError):
    """Arrays or settings that an estimator cannot take; a ValueError, as scikit-learn asks."""


class DataError(AcclimateError):
    """Tables that cannot be read or do not fit together."""

    exit_code = 3


class DomainError(DataError):
    """A market whose files, roles, columns or labels are not usable."""


class TaskError(DataError):
    """A task that the given data cannot serve."""


class StrategyError(AcclimateError):
    """A strategy given numbers its formula cannot take."""

    exit_code = 3


class NotAdopted(AcclimateError):
    """The verdict was not `adopt`, and the caller required it."""

    exit_code = 4


class BudgetError(AcclimateError):
    """The budget ended before the baseline did."""

    exit_code = 6


class IntegrityError(AcclimateError):
    """An artifact that is incomplete or was changed after it was written."""

    exit_code = 7
