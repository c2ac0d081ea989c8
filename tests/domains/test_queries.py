"""A query of a person only reads."""

from __future__ import annotations

import pytest

from acclimate.domains.queries import looks_like_query, single_select
from acclimate.errors import DomainError


@pytest.mark.parametrize(
    "query",
    [
        "select * from orders",
        "  -- all of it\nWITH o AS (select 1 as a) SELECT a FROM o ; ",
        "(select 1) union all (select 2)",
        "select 'a; drop table x; ''into''' as \"update\", `delete` from t /* insert; */",
        "select insert(name, 1, 2, 'x'), is_delete, replace(a, 'b', 'c') from t",
        "select a --, b\n from t",
    ],
)
def test_a_single_select_passes_as_written(query: str) -> None:
    assert single_select(query, "events") == query.strip().removesuffix(";").rstrip()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("delete from orders", "begins with 'delete'"),
        ("update t set a = 1", "begins with 'update'"),
        ("pragma writable_schema = 1", "begins with 'pragma'"),
        ("copy t to 'x'", "begins with 'copy'"),
        ("-- only a comment", "an empty one"),
        ("select 1; delete from orders", "several statements"),
        ("select 1 --x; delete from orders", "several statements"),
        ("select 'a\\', '; delete from orders; '\\', '", "a backslash before a quote"),
        ("select 'open from orders", "quotes that do not close"),
        ("with d as (delete from orders returning *) select * from d", "'DELETE' in it"),
        ("with d as (select 1) insert into t select * from d", "'INSERT' in it"),
        ("select * into copied from orders", "'INTO' in it"),
        ("select * from t into outfile '/x'", "'INTO' in it"),
        ("select 1 /*! into outfile 'x' */", "in it"),
        ("select * from orders for update", "'UPDATE' in it"),
    ],
)
def test_what_does_more_than_one_select_is_refused(query: str, found: str) -> None:
    with pytest.raises(DomainError, match="Expected a single SELECT for 'events'") as caught:
        single_select(query, "events")
    assert found in str(caught.value)


def test_a_name_is_no_query() -> None:
    assert looks_like_query("select 1") and looks_like_query("drop\ttable x")
    assert not looks_like_query("orders") and not looks_like_query(" selected_orders ")
