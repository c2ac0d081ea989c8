"""Only reading: whether a query is a single SELECT.

Connections are read-only besides; this refuses early, and with a reason.  Where dialects
differ (what ends a string, what begins a comment), the stricter reading is taken.
"""

from __future__ import annotations

import re

from acclimate.errors import DomainError

# What stands in quotes or comments says nothing about the statement.
_QUIET = re.compile(
    r"""
      '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | `(?:[^`]|``)*`
    | --(?:\s[^\n]*|$)
    | /\*(?!M?!).*?\*/
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
# What may stand inside SELECT or behind WITH and changes something, makes a table or a
# file, or locks rows; MySQL runs what stands in /*! … */.
_CHANGES = re.compile(r"\b(?:insert|update|delete|merge|into)\b(?!\s*\()|/\*M?!", re.IGNORECASE)
_READS = re.compile(r"^[\s(]*(?:select|with)\b", re.IGNORECASE)


def looks_like_query(text: str) -> bool:
    """Whether a text is a statement and not the name of a table."""
    return bool(re.search(r"[\s;(]", text.strip()))


def single_select(query: str, table: str) -> str:
    """The query without a closing semicolon; raises DomainError unless it only reads.

    table  whose query it is, for the message
    """
    bare = query.strip()
    while bare.endswith(";"):
        bare = bare[:-1].rstrip()
    loud = _QUIET.sub(" ", bare)
    found = None
    if re.search(r"\\['\"]", bare):
        found = r"a backslash before a quote, which databases read differently"
    elif ";" in loud or re.search(r"['\"`]", loud):
        found = "several statements, or quotes that do not close"
    elif not _READS.match(loud):
        words = loud.split()
        found = f"one that begins with {words[0][:40]!r}" if words else "an empty one"
    elif change := _CHANGES.search(loud):
        found = f"{change[0].upper()!r} in it"
    if found:
        raise DomainError(
            f"Expected a single SELECT for {table!r}, found {found}. A market is only read: "
            "write one SELECT, or WITH … SELECT; write '' for a quote inside a text, and "
            "quote columns that are called like commands."
        )
    return bare
