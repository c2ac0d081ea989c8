"""Which role a column could play is hinted, never assumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.domains.market import open_market
from acclimate.errors import DomainError


def write(path: Path, head: str, line: str) -> Path:
    rows = [
        line.format(a=i % 40, b=i % 25, day=i % 28 + 1, kind="xyz"[i % 3], n=i)
        for i in range(400)
    ]
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    return path


def test_columns_that_repeat_as_ids_do_are_named_where_no_name_tells(tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", "foo,bar,baz", "f{a},b{b},2024-01-{day:02d}")
    folder = tmp_path / "shop"
    folder.mkdir()
    path.rename(folder / "events.csv")
    with pytest.raises(DomainError) as refused:
        open_market(folder)
    assert str(refused.value).endswith(
        "found: foo, bar, baz. These repeat as ids do: 'foo' (40 values), 'bar' (25 values). "
        'Name it in market.toml: [roles.events] user = "COLUMN".'
    )


def test_columns_of_events_left_out_are_told_what_they_could_be(tmp_path: Path) -> None:
    head = "user_id,item_id,quux,art"
    path = write(tmp_path / "jp.csv", head, "u{a},i{b},{n}.25,{kind}")
    said = [finding.message for finding in open_market(path).findings]
    assert (
        'By their values these may have a role: value = "quux", kind = "art". Name those that '
        "do under [roles.events] in market.toml."
    ) in said


def test_a_role_that_is_taken_is_not_offered_again(tmp_path: Path) -> None:
    head = "user_id,item_id,price,quux,event_type,art"
    path = write(tmp_path / "jp.csv", head, "u{a},i{b},{n}.5,{n}.25,view,{kind}")
    said = [finding.message for finding in open_market(path).findings]
    assert not [message for message in said if "may have a role" in message]
