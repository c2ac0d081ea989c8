"""Small files, and what was found in them."""

from __future__ import annotations

from pathlib import Path

from acclimate.domains.domain import Domain

EVENTS = "user_id,item_id\nu,a\nv,b\n"
LOANS = "age,shop,converted\n30,a,1\n40,b,0.0\n50,a,0\n60,c,1\n35,a,\n"
MANIFEST = """
name = "jp"
[files]
events = "bestellungen.csv"
[roles.events]
user = "kunde"
item = "artikel"
[roles.rows]
label = "chargeback_30d"
[types]
zip = "category"
"""


def put(folder: Path, **files: str) -> Path:
    """Write files; `__` in a name stands for a point."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def messages(domain: Domain, level: str | None = None) -> str:
    return "\n".join(f.message for f in domain.findings if level in (None, f.level))
